//! The names of one object, refused when one comes twice.
//!
//! Of two equal names one reader takes the first and another the last. A gateway that checks one value while
//! the upstream obeys the other has checked nothing, so an object that we read must not have any.

use std::borrow::Cow;
use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::{JsonError, JsonFault, RawStr};

/// The most members that an object with checked names may have; it bounds what a small body can cost.
pub const MAX_MEMBERS: usize = 4096;

/// Up to this many names, comparing each with each is cheaper than keeping them in order.
const FEW: usize = 16;
/// A longer name is not shown whole in the message.
const SHOWN: usize = 64;

/// The names seen so far in one object, compared by what they mean: `"\u006dodel"` is `model`.
#[derive(Debug, Default)]
pub struct Names<'a> {
    few: SmallVec<[RawStr<'a>; FEW]>,
    /// Made when there are too many for `few`; an empty one would still cost its drop.
    many: Option<BTreeSet<Cow<'a, str>>>,
}

impl<'a> Names<'a> {
    /// Adds a name.
    ///
    /// # Errors
    /// The name is already there, or there are too many.
    #[inline]
    pub fn insert(&mut self, name: RawStr<'a>) -> Result<(), JsonError> {
        if self.few.len() == FEW {
            return self.insert_among_many(name);
        }
        if self.few.contains(&name) {
            return Err(duplicate(name));
        }
        self.few.push(name);
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn insert_among_many(&mut self, name: RawStr<'a>) -> Result<(), JsonError> {
        let many = self.many.get_or_insert_with(|| self.few.iter().map(RawStr::decode).collect());
        if many.len() >= MAX_MEMBERS {
            return Err(JsonError { offset: name.range().start, what: JsonFault::TooManyMembers });
        }
        if many.insert(name.decode()) { Ok(()) } else { Err(duplicate(name)) }
    }
}

#[cold]
fn duplicate(name: RawStr<'_>) -> JsonError {
    JsonError { offset: name.range().start, what: JsonFault::DuplicateName(shown(name.raw())) }
}

fn shown(name: &str) -> Box<str> {
    if name.len() <= SHOWN {
        return name.into();
    }
    let head = name.get(..name.floor_char_boundary(SHOWN)).unwrap_or_default();
    format!("{head}…").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Scanner;

    fn check(object: &str) -> Result<(), JsonError> {
        let mut names = Names::default();
        Scanner::new(object.as_bytes()).object(|_, name| names.insert(name))
    }

    #[test]
    fn a_name_that_comes_twice_is_refused_where_it_comes_again() {
        let fault = check(r#"{"model":1,"a":2,"model":3}"#).unwrap_err();
        assert_eq!(fault, JsonError { offset: 17, what: JsonFault::DuplicateName("model".into()) });
        assert_eq!(fault.to_string(), "duplicate name \"model\" at byte 17");
    }

    #[test]
    fn names_are_compared_unescaped() {
        assert!(check(r#"{"model":1,"\u006dodel":2}"#).is_err());
        assert!(check(r#"{"\u006Dodel":1,"\u006dodel":2}"#).is_err());
        assert!(check(r#"{"a\nb":1,"a\u000ab":2}"#).is_err());
        assert!(check(r#"{"model":1,"Model":2,"model ":3}"#).is_ok());
    }

    #[test]
    fn many_names_are_checked_as_well_as_few() {
        let object = |last: &str| {
            let names: Vec<String> = (0..400).map(|n| format!("\"n{n}\":0,")).collect();
            format!("{{{}\"{last}\":0}}", names.concat())
        };
        assert!(check(&object("n400")).is_ok());
        for twice in ["n0", "n15", "n16", "n17", "n399", r"\u006e7"] {
            assert!(check(&object(twice)).is_err(), "{twice}");
        }
    }

    #[test]
    fn the_number_of_members_is_bounded() {
        let object = |count: usize| {
            let names: Vec<String> = (0..count).map(|n| format!("\"{n}\":0")).collect();
            format!("{{{}}}", names.join(","))
        };
        assert!(check(&object(MAX_MEMBERS)).is_ok());
        assert_eq!(check(&object(MAX_MEMBERS + 1)).unwrap_err().what, JsonFault::TooManyMembers);
    }

    #[test]
    fn a_long_name_is_cut_in_the_message() {
        let name = "é".repeat(100);
        let fault = check(&format!(r#"{{"{name}":1,"{name}":2}}"#)).unwrap_err();
        assert_eq!(fault.what, JsonFault::DuplicateName(format!("{}…", "é".repeat(32)).into()));
    }
}
