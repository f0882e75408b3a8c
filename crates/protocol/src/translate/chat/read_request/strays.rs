//! Members below the top level that nobody reads: kept by their path, so that the target's writer accounts for them.

use crate::canonical::Extra;
use crate::raw::Object;
use crate::translate::openai_request::says_something;

/// What was found, each path once.
#[derive(Debug, Default)]
pub(super) struct Strays<'a>(Vec<Extra<'a>>);

impl<'a> Strays<'a> {
    /// Looks for members that are not known. `path` is where the object is, without numbers: `messages[]`.
    pub(super) fn look(&mut self, object: &Object<'a>, known: &[&str], path: &str) {
        for (name, value) in object.iter() {
            if !known.contains(&&**name) && says_something(value) {
                self.add(format!("{path}.{name}"), value);
            }
        }
    }

    /// Adds one.
    pub(super) fn add(&mut self, path: String, value: &'a str) {
        if !self.0.iter().any(|known| *known.name == *path) {
            self.0.push(Extra { name: path.into(), value: value.into() });
        }
    }

    pub(super) fn into_extras(self) -> Vec<Extra<'a>> {
        self.0
    }
}
