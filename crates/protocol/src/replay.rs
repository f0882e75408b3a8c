//! One stored answer for both kinds of clients: a stream put together to a plain body, a plain body cut into a
//! stream.
//!
//! Owns the form of answers in each dialect, read and written as raw JSON: numbers, escapes and members that
//! nobody knows keep their exact text. Whether an answer deserves to be kept belongs to [`crate::fitness`];
//! what is not whole, or would lose meaning on the way, is [`Unconvertible`] here.

mod chunks;
mod merge;
mod messages;
mod responses;

use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::dialect::Dialect;
use crate::json::JsonError;
use crate::observe::{StreamObserver, Verdict};
use crate::raw::{Garbled, Object};
use crate::sse::{Decoder, Event};

/// The answer cannot be given in the other form without loss: ask the upstream instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer cannot be converted without loss")]
pub struct Unconvertible;

impl From<JsonError> for Unconvertible {
    fn from(_: JsonError) -> Self {
        Self
    }
}

impl From<Garbled> for Unconvertible {
    fn from(_: Garbled) -> Self {
        Self
    }
}

/// A plain answer as a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The whole stream, end mark included.
    pub events: Vec<u8>,
    /// Where in `events` the chunk stands that carries nothing but usage: to be cut out for clients that did
    /// not ask for it. Only completions and chat have one.
    pub usage: Option<Range<usize>>,
}

/// Puts the events of a whole stream together to a plain body.
///
/// # Errors
/// The stream is cut, broken or carries an error, or has pieces of which nobody knows how they join.
pub fn to_plain(dialect: Dialect, events: &[u8]) -> Result<Vec<u8>, Unconvertible> {
    let pieces = pieces(dialect, events)?;
    let plain = match dialect {
        Dialect::Completions | Dialect::Chat => chunks::to_plain(dialect, &pieces),
        Dialect::Responses => responses::to_plain(&pieces),
        Dialect::Messages => messages::to_plain(&pieces),
        Dialect::Embeddings | Dialect::CountTokens => Err(Unconvertible),
    }?;
    Ok(plain.into_bytes())
}

/// Cuts a plain body into the events of a stream, as few as the dialect allows. The usage chunk is always
/// written when the body has usage; [`Replayed::usage`] says where.
///
/// # Errors
/// The body is an error, unfinished or not of the dialect, or has parts that no stream can carry.
pub fn to_stream(dialect: Dialect, body: &[u8]) -> Result<Replayed, Unconvertible> {
    let body = std::str::from_utf8(body).map_err(|_| Unconvertible)?;
    match dialect {
        Dialect::Completions | Dialect::Chat => chunks::to_stream(dialect, body),
        Dialect::Responses => responses::to_stream(body).map(|events| Replayed { events, usage: None }),
        Dialect::Messages => messages::to_stream(body).map(|events| Replayed { events, usage: None }),
        Dialect::Embeddings | Dialect::CountTokens => Err(Unconvertible),
    }
}

/// Where in a stream, as the upstream sent it, events stand that carry usage and nothing else. They are in
/// order and do not overlap.
#[must_use]
pub fn usage_events(dialect: Dialect, events: &[u8]) -> SmallVec<[Range<usize>; 1]> {
    let mut observer = StreamObserver::new(dialect, true);
    let (mut ranges, mut start) = (SmallVec::new(), 0);
    for event in decode(events).events {
        let end = start + event.raw.len();
        // Empty data is withheld as well, but is no usage.
        if observer.observe(&event) == Verdict::Withhold && payload(&event).is_some() {
            ranges.push(start..end);
        }
        start = end;
    }
    ranges
}

/// A stream that lies there as a whole.
pub(crate) struct Decoded {
    pub(crate) events: Vec<Event>,
    /// The bytes end within an event.
    pub(crate) cut: bool,
}

pub(crate) fn decode(stream: &[u8]) -> Decoded {
    let mut decoder = Decoder::new(stream.len());
    decoder.push(Bytes::copy_from_slice(stream));
    let mut events = Vec::new();
    // No event can be longer than the stream is.
    while let Ok(Some(event)) = decoder.next() {
        events.push(event);
    }
    Decoded { events, cut: decoder.is_mid_event() }
}

/// What an event says, unless it says nothing.
pub(crate) fn payload(event: &Event) -> Option<&[u8]> {
    event.data.as_deref().map(<[u8]>::trim_ascii).filter(|data| !data.is_empty())
}

/// An event that has data, up to the end mark.
struct Piece {
    event: Event,
    verdict: Verdict,
}

impl Piece {
    fn json(&self) -> Result<&str, Unconvertible> {
        std::str::from_utf8(payload(&self.event).unwrap_or_default()).map_err(|_| Unconvertible)
    }

    /// The event's type as its data says it, or else its `event:` line.
    fn kind<'a>(&'a self, data: &Object<'a>) -> Result<std::borrow::Cow<'a, str>, Unconvertible> {
        if let Some(kind) = data.string("type") {
            return Ok(kind);
        }
        let name = self.event.name.as_deref().unwrap_or_default();
        Ok(std::str::from_utf8(name).map_err(|_| Unconvertible)?.into())
    }
}

fn pieces(dialect: Dialect, stream: &[u8]) -> Result<Vec<Piece>, Unconvertible> {
    let decoded = decode(stream);
    let mut observer = StreamObserver::new(dialect, false);
    let mut pieces = Vec::with_capacity(decoded.events.len());
    for event in decoded.events {
        let verdict = observer.observe(&event);
        if payload(&event).is_some() {
            pieces.push(Piece { event, verdict });
        }
        if verdict == Verdict::Terminal {
            break;
        }
    }
    if decoded.cut || !observer.ended_well() {
        return Err(Unconvertible);
    }
    Ok(pieces)
}

#[cfg(test)]
#[path = "replay/replay_tests.rs"]
mod tests;
