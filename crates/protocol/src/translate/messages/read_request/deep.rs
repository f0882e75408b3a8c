//! Members deep in the body for which the middle form has no place.
//!
//! They become extras under a path (`messages[].content[].citations`), so that whoever writes the request can tell
//! the client what was left out. No position is in the path: the client is told once of each name.

use std::borrow::Cow;

use crate::canonical::Extra;
use crate::raw::Object;

#[derive(Debug, Default)]
pub(super) struct Deep<'a>(Vec<Extra<'a>>);

impl<'a> Deep<'a> {
    /// Notes the members of an object that say something and are not `known`.
    pub(super) fn note(&mut self, path: &str, object: &Object<'a>, known: &[&str]) {
        for (name, value) in object.iter() {
            if known.contains(&&**name) || !object.is_filled(name) || is_usual(name, object) {
                continue;
            }
            let name = format!("{path}.{name}");
            if !self.0.iter().any(|extra| extra.name == name) {
                self.0.push(Extra { name: Cow::Owned(name), value: value.into() });
            }
        }
    }

    pub(super) fn into_extras(self) -> Vec<Extra<'a>> {
        self.0
    }
}

/// Does a member only say what goes without saying? The SDKs send back what answers have, such as who has called
/// a tool.
fn is_usual(name: &str, object: &Object<'_>) -> bool {
    let Ok(value) = object.object(name) else { return false };
    match name {
        "citations" => value.get("enabled") == Some("false"),
        "caller" => value.string("type").as_deref() == Some("direct"),
        _ => false,
    }
}
