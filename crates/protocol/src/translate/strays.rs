//! Members below the top level that nobody reads, and whatever else the middle form has no place for.
//!
//! They become extras, those below the top level under their path (`messages[].content[].citations`), so that the
//! target's writer accounts for them. No position is in a path: the client is told once of each name.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::canonical::{Extra, Json};
use crate::raw::Object;

/// What was found, each name once and in the order in which it was found.
#[derive(Debug, Default)]
pub(super) struct Strays<'a> {
    extras: Vec<Extra<'a>>,
    /// The same names: a body may have very many.
    known: BTreeSet<String>,
}

impl<'a> Strays<'a> {
    /// Looks for members that say something and are not known. `path` is where the object is, without numbers:
    /// `messages[]`.
    pub(super) fn look(&mut self, object: &Object<'a>, known: &[&str], path: &str) {
        for (name, value) in object.iter() {
            if !known.contains(&&**name) && object.is_filled(name) && !is_usual(name, object) {
                self.add(format!("{path}.{name}"), value);
            }
        }
    }

    /// Adds one.
    pub(super) fn add(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Json<'a>>) {
        let name = name.into();
        if self.known.insert(name.to_string()) {
            self.extras.push(Extra { name, value: value.into() });
        }
    }

    pub(super) fn into_extras(self) -> Vec<Extra<'a>> {
        self.extras
    }
}

/// Does a member only say what goes without saying? SDKs send back what answers have, such as who has called a tool.
fn is_usual(name: &str, object: &Object<'_>) -> bool {
    match name {
        "citations" => object.object(name).is_ok_and(|value| value.get("enabled") == Some("false")),
        "caller" => object.object(name).is_ok_and(|value| value.string("type").as_deref() == Some("direct")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_told_once_and_what_says_nothing_is_not() {
        let mut strays = Strays::default();
        for json in [
            r#"{"a":1,"b":null,"c":false,"d":[],"e":"x","known":2,"caller":{"type":"direct"}}"#,
            r#"{"e":"y","citations":{"enabled":false},"f":{"g":1.50},"caller":{"type":"program"}}"#,
        ] {
            strays.look(&Object::parse(json).expect("an object"), &["known"], "x[]");
        }
        let found = strays.into_extras().into_iter().map(|extra| format!("{}={}", extra.name, extra.value));
        let expected =
            [r#"x[].a=1"#, r#"x[].e="x""#, r#"x[].f={"g":1.50}"#, r#"x[].caller={"type":"program"}"#];
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    /// A walk through all that is known for each name would take hours.
    #[test]
    fn a_body_full_of_names_costs_no_more_than_its_length() {
        let mut strays = Strays::default();
        let names = 0..300_000;
        names.clone().for_each(|number| strays.add(format!("tools[].n{number}"), "1"));
        let mut losses = super::super::Losses::default();
        strays.into_extras().iter().for_each(|extra| losses.add(&extra.name));
        assert_eq!(losses.into_names().len(), names.len());
    }
}
