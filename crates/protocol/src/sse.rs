//! Server-sent events: an incremental decoder and the few things we write ourselves.
//!
//! Owns the wire form only (WHATWG HTML, section 9.2). What an event *means* belongs to [`crate::observe`];
//! reconnection (`id:`, `retry:`) is a browser's business and is passed through unread.

mod decode;
mod encode;

pub use decode::{Decoder, Event, Oversize};
pub(crate) use encode::event;
pub use encode::{DONE, HEARTBEAT, encode_data, encode_named};
