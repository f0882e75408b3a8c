//! The middle form: what a request, an answer or a piece of a stream says, in no dialect.
//!
//! Used only where client and upstream speak differently; what passes in one dialect never comes here. A dialect's
//! readers make it and another's writers take it apart ([`crate::translate`]), so each dialect has to know only this
//! form and itself. Values are kept as the JSON text that they came as, and borrow from it: a number keeps its
//! spelling, a schema its order, a text its escapes.
//!
//! Nothing here decides what a target can take.

mod delta;
mod reply;
mod request;
mod text;

pub(crate) use delta::{Delta, Opening, Piece};
pub(crate) use reply::{Choice, Head, Reply, Stop, Tokens};
pub(crate) use request::{
    Block, Content, Extra, Format, Function, Media, Reasoning, Request, Role, Source, Tool, ToolChoice, Turn,
};
pub(crate) use text::Text;

/// One value as the JSON text that it came as.
pub(crate) type Json<'a> = std::borrow::Cow<'a, str>;
