//! Where a dialect defines members beside a message's or a tool's own, such as `cache_control`.
//!
//! Everywhere else (a tool's schema, metadata, arguments, text) the same name is the client's own data. What is
//! done with a member that is found in such a place is not decided here.

use super::Dialect;
use crate::json::{JsonError, Kind, RawStr, Scanner};

/// An object (or each object of a list) that may carry extra members, and where further ones are inside of
/// it.
#[derive(Debug)]
pub(crate) struct Place {
    inside: Places,
}

/// Members by name, each with the place that its value is.
pub(crate) type Places = &'static [(&'static str, &'static Place)];

impl Place {
    /// The place that a member's value is, if it is one.
    #[inline]
    pub(crate) fn inside(&self, name: RawStr<'_>) -> Option<&'static Place> {
        find(self.inside, name)
    }
}

/// The place of that name in a list.
#[inline]
pub(crate) fn find(places: Places, name: RawStr<'_>) -> Option<&'static Place> {
    places.iter().find(|(inside, _)| name == *inside).map(|(_, place)| *place)
}

static LEAF: Place = Place { inside: &[] };

static CHAT: Places = &[("messages", &CHAT_MESSAGE), ("tools", &CHAT_TOOL)];
static CHAT_MESSAGE: Place = Place { inside: &[("content", &LEAF)] };
static CHAT_TOOL: Place = Place { inside: &[("function", &LEAF)] };

static RESPONSES: Places = &[("input", &RESPONSES_ITEM), ("tools", &LEAF)];
// `output` is the content of a tool's result.
static RESPONSES_ITEM: Place = Place { inside: &[("content", &LEAF), ("output", &LEAF)] };

static MESSAGES: Places = &[("system", &LEAF), ("messages", &MESSAGES_MESSAGE), ("tools", &LEAF)];
static MESSAGES_MESSAGE: Place = Place { inside: &[("content", &MESSAGES_BLOCK)] };
// A tool's result is a block with blocks inside.
static MESSAGES_BLOCK: Place = Place { inside: &[("content", &MESSAGES_BLOCK)] };

/// The places at top level of a body.
pub(crate) fn places(dialect: Dialect) -> Places {
    match dialect {
        Dialect::Completions | Dialect::Embeddings => &[],
        Dialect::Chat => CHAT,
        Dialect::Responses => RESPONSES,
        Dialect::Messages | Dialect::CountTokens => MESSAGES,
    }
}

/// The place that a top-level member is, if it is one.
pub(crate) fn place(dialect: Dialect, member: &str) -> Option<&'static Place> {
    places(dialect).iter().find(|(name, _)| *name == member).map(|(_, place)| *place)
}

/// Ends a visit where enough is known. A fault of the JSON ends it too, and a body that has passed its checks
/// has none.
#[derive(Debug)]
pub(crate) struct Enough;

impl From<JsonError> for Enough {
    fn from(_: JsonError) -> Self {
        Self
    }
}

/// Calls `f` at the members of a place and of the places inside of it, at any depth.
pub(crate) fn visit<'a>(
    scanner: &mut Scanner<'a>,
    place: &'static Place,
    f: &mut impl FnMut(&mut Scanner<'a>, RawStr<'a>) -> Result<(), Enough>,
) -> Result<(), Enough> {
    match scanner.kind()? {
        Kind::Object => scanner.object(|scanner, name| match place.inside(name) {
            Some(inside) => visit(scanner, inside, f),
            None => f(scanner, name),
        }),
        // A list of places holds objects; a list within the list is none.
        Kind::Array => {
            scanner.array(
                |scanner, _| {
                    if scanner.kind()? == Kind::Object { visit(scanner, place, f) } else { Ok(()) }
                },
            )
        }
        _ => Ok(()),
    }
}
