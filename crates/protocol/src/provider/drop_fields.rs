//! Members that an upstream is not to be sent, and where in a body they are looked for.
//!
//! A name at top level is plain. `**.name` means the places where the dialect defines extra members:
//! messages, content parts, tools. It is never looked for in a tool's schema, in metadata or in text, where
//! the same name is the client's own data.

use memchr::memmem;

use crate::dialect::places::{Place, places};
use crate::envelope::{Envelope, Member};
use crate::json::{JsonError, Kind, RawStr, Scanner};

const DEEP: &str = "**.";

/// A parsed `drop_fields` list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DropFields {
    /// Names at top level.
    top: Vec<String>,
    /// Names with their `**.`.
    deep: Vec<String>,
}

/// An entry of `drop_fields` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DropFieldFault {
    /// Neither form.
    #[error("`{0}` is neither a member's name nor `**.` and a name (letters, digits, `_`, `-`, `$`)")]
    Syntax(String),
    /// The gateway itself depends on the member.
    #[error("`{0}` cannot be dropped: no request works without it")]
    Needed(String),
}

impl DropFields {
    /// Reads the entries of a configuration: `name` or `**.name`.
    ///
    /// # Errors
    /// The first entry that has neither form, or names a member that every request needs.
    pub fn parse(fields: &[String]) -> Result<Self, DropFieldFault> {
        let mut drop = Self::default();
        for field in fields {
            let (list, name) = match field.strip_prefix(DEEP) {
                Some(name) => (&mut drop.deep, name),
                None => (&mut drop.top, field.as_str()),
            };
            // In such a name the only escapes that JSON allows are `\u00XX`, on which `may_occur` relies.
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-$".contains(&byte);
            if name.is_empty() || !name.bytes().all(is_plain) {
                return Err(DropFieldFault::Syntax(field.clone()));
            }
            if matches!(field.as_str(), "model" | "stream" | "prompt" | "messages" | "input") {
                return Err(DropFieldFault::Needed(field.clone()));
            }
            if !list.contains(field) {
                list.push(field.clone());
            }
        }
        Ok(drop)
    }

    /// Whether nothing is ever dropped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.top.is_empty() && self.deep.is_empty()
    }

    /// Whether an entry is written so, `**.` included.
    #[must_use]
    pub fn names(&self, entry: &str) -> bool {
        self.top.iter().chain(&self.deep).any(|own| own == entry)
    }

    /// Whether `name` is dropped at top level.
    pub(super) fn drops(&self, name: &str) -> bool {
        self.top.iter().any(|top| top == name)
    }

    /// All members of a request that are to go, each with its entry of the list.
    pub(super) fn find(&self, call: &Envelope) -> Vec<(Member, &str)> {
        let at_top = self.top.iter().filter_map(|name| Some((call.member(name)?.clone(), name.as_str())));
        let mut found: Vec<_> = at_top.collect();
        if self.deep.iter().any(|entry| may_occur(call.body(), bare(entry))) {
            for (name, place) in places(call.dialect()) {
                let Some(Member { value, .. }) = call.member(name) else { continue };
                let Some(text) = call.body().get(value.clone()) else { continue };
                let mut walk = Walk { entries: &self.deep, base: value.start, found: &mut found };
                // The envelope has read the whole body before: it is valid.
                let _ = walk.visit(&mut Scanner::new(text), place);
            }
        }
        found
    }
}

/// The name of a deep entry.
fn bare(entry: &str) -> &str {
    entry.strip_prefix(DEEP).unwrap_or(entry)
}

/// Whether a member of that name can be in the body at all: as written, or with a letter written as `\u00XX`.
fn may_occur(body: &[u8], name: &str) -> bool {
    let is_ascii = |at: usize| matches!(body.get(at + 4), Some(b'2'..=b'7'));
    memmem::find(body, name.as_bytes()).is_some() || memmem::find_iter(body, b"\\u00").any(is_ascii)
}

/// The search through one top-level member.
struct Walk<'a, 'found> {
    entries: &'a [String],
    /// Where the member's value begins in the body.
    base: usize,
    found: &'found mut Vec<(Member, &'a str)>,
}

impl Walk<'_, '_> {
    fn visit(&mut self, scanner: &mut Scanner<'_>, place: &Place) -> Result<(), JsonError> {
        match scanner.kind()? {
            Kind::Array => scanner.array(|scanner, _| match scanner.kind()? {
                Kind::Object => self.visit_object(scanner, place),
                _ => Ok(()),
            }),
            Kind::Object => self.visit_object(scanner, place),
            _ => Ok(()),
        }
    }

    fn visit_object(&mut self, scanner: &mut Scanner<'_>, place: &Place) -> Result<(), JsonError> {
        scanner.object(|scanner, name| {
            if let Some(entry) = self.entries.iter().find(|entry| name == bare(entry)) {
                let member = self.member(name, scanner)?;
                self.found.push((member, entry));
            } else if let Some(inner) = place.inside(name) {
                self.visit(scanner, inner)?;
            }
            Ok(())
        })
    }

    fn member(&self, name: RawStr<'_>, scanner: &mut Scanner<'_>) -> Result<Member, JsonError> {
        let (name, value) = (name.range(), scanner.skip()?);
        let base = self.base;
        Ok(Member { name: base + name.start..base + name.end, value: base + value.start..base + value.end })
    }
}

#[cfg(test)]
#[path = "drop_fields_tests.rs"]
mod tests;
