//! Where a dialect defines members beside a message's or a tool's own, such as `cache_control`.
//!
//! Everywhere else (a tool's schema, metadata, arguments, text) the same name is the client's own data. What is
//! done with a member that is found in such a place is not decided here.

use super::Dialect;
use crate::json::RawStr;

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
        Dialect::Messages => MESSAGES,
    }
}
