//! The new upstream's events, fitted to what the client has of the old one's.
//!
//! Owns what of each event the client is given: before the border nothing, after it everything under the first
//! upstream's name, and of the chunk that lies across it the rest. It decides on nothing that came from elsewhere:
//! errors in the stream, events to withhold and a stream that ends too early are the caller's.

use bytes::Bytes;
use smallvec::SmallVec;

use super::border::{Border, Differs};
use super::chunk::Chunk;
use super::head::Head;
use super::spent::move_to_answer;
use super::{Delivered, Method};
use crate::splice::Splice;
use crate::sse::{Event, encode_data, encode_named};

/// What becomes of an event of the new upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passed {
    /// It goes to the client, as its `raw` says.
    Emit(Event),
    /// The client has it already, or would stumble over it.
    Drop,
    /// This stream cannot go on where the client is; nothing of it may be sent from here on.
    Diverged,
}

/// A filter for one new upstream. Should that one break as well, the next needs a seam of its own, made from what was
/// delivered by then.
#[derive(Debug)]
pub struct Seam {
    border: Border,
    head: Head,
    /// Tokens of the answer that the new upstream takes for a part of its prompt.
    in_prompt: u64,
    /// The client has a role, or text that stands for one.
    role: bool,
    finished: bool,
    usage: bool,
    diverged: bool,
}

/// For each piece of text in a chunk, how many bytes at its front the client has.
type Known = SmallVec<[usize; 2]>;

impl Seam {
    /// A seam after what the client has; `None` where that is [not resumable](Delivered::is_resumable).
    ///
    /// Where it has no text yet, [`Method::Repeat`] fits any answer to it, be the request repeatable or not.
    #[must_use]
    pub fn new(method: Method, delivered: &Delivered) -> Option<Self> {
        if !delivered.is_resumable() {
            return None;
        }
        let (border, in_prompt) = match method {
            Method::Append => (Border::default(), delivered.content_events()),
            Method::Repeat => (Border::new(delivered.texts.clone()), 0),
        };
        Some(Self {
            border,
            head: delivered.head.clone(),
            in_prompt,
            role: delivered.role || delivered.has_text(),
            finished: delivered.finished,
            usage: delivered.usage,
            diverged: false,
        })
    }

    /// Takes the next event of the new upstream. Once it has diverged, nothing more passes.
    ///
    /// An error event is [`Passed::Diverged`] before the border and passes as it is after it, a malformed one is
    /// never let through; callers that have a better answer to either look first.
    pub fn pass(&mut self, event: Event) -> Passed {
        let passed = if self.diverged { Passed::Diverged } else { self.judge(event) };
        self.diverged = passed == Passed::Diverged;
        passed
    }

    fn judge(&mut self, event: Event) -> Passed {
        let Some(data) = event.data.clone() else { return Passed::Emit(without_mark(event)) };
        let payload = data.trim_ascii();
        if payload.is_empty() {
            return Passed::Drop;
        }
        if payload == b"[DONE]" || event.name.as_deref() == Some(b"error") {
            return if self.is_past_border() { Passed::Emit(without_mark(event)) } else { Passed::Diverged };
        }
        match Chunk::read(&data) {
            Ok(chunk) if chunk.is_chunk() => self.pass_chunk(&chunk, event, &data),
            Ok(_) if self.is_past_border() => Passed::Emit(without_mark(event)),
            Ok(other) if !other.error => Passed::Drop,
            Ok(_) | Err(_) => Passed::Diverged,
        }
    }

    /// Whether the new upstream has repeated all that the client has, so that it may go on for good. With
    /// [`Method::Append`] it may from the start. A stream that ends before has diverged.
    #[must_use]
    pub fn is_past_border(&self) -> bool {
        self.border.is_passed()
    }

    fn pass_chunk(&mut self, chunk: &Chunk<'_>, event: Event, data: &Bytes) -> Passed {
        let was_past = self.is_past_border();
        let Ok(known) = self.compare(chunk) else { return Passed::Diverged };
        let is_new = chunk.pieces.iter().zip(&known).any(|(piece, known)| *known < piece.text.len());
        let is_after_the_end = self.finished && (is_new || chunk.other);
        if is_after_the_end || (chunk.other && !was_past) {
            return Passed::Diverged;
        }
        if !self.is_past_border() {
            // New text in one channel while another lacks some, or an end where the client had more.
            return if is_new || chunk.finishes { Passed::Diverged } else { Passed::Drop };
        }
        let has_news = is_new
            || chunk.other
            || (chunk.finishes && !self.finished)
            || (chunk.role.is_some() && !self.role)
            || (chunk.counts_all() && !self.usage);
        let has_olds = !was_past || chunk.finishes || chunk.role.is_some() || chunk.counts_all();
        if has_olds && !has_news {
            return Passed::Drop;
        }
        self.fitted(chunk, &known, event, data)
    }

    /// Holds a chunk's text against what the client has.
    fn compare(&mut self, chunk: &Chunk<'_>) -> Result<Known, Differs> {
        chunk.pieces.iter().map(|piece| self.border.take(piece.channel, &piece.text)).collect()
    }

    /// The event with the first upstream's head, and without what the client has.
    fn fitted(&self, chunk: &Chunk<'_>, known: &Known, event: Event, data: &Bytes) -> Passed {
        let mut splice = Splice::new(data.clone());
        let mut changed = self.head.put(data, chunk, &mut splice);
        for (piece, &known) in chunk.pieces.iter().zip(known).filter(|(_, known)| **known > 0) {
            let rest = piece.text.get(known..).unwrap_or_default();
            splice.replace(piece.range.clone(), serde_json::Value::from(rest).to_string().into());
            changed = true;
        }
        if let Some(role) = chunk.role.as_ref().filter(|_| self.role) {
            splice.remove_member(role);
            changed = true;
        }
        if let Some(choices) = chunk.choices.clone().filter(|_| self.finished && chunk.finishes) {
            splice.replace(choices, Bytes::from_static(b"[]"));
            changed = true;
        }
        if let Some(usage) = &chunk.usage {
            if self.usage {
                splice.remove_member(usage);
                changed = true;
            } else if self.in_prompt > 0 {
                changed |= move_to_answer(data, usage.value.clone(), self.in_prompt, &mut splice);
            }
        }
        if !changed {
            return Passed::Emit(without_mark(event));
        }
        Passed::Emit(encoded(event.name, splice.into_segments().into_bytes()))
    }
}

/// The event without a byte order mark, which only the first bytes of a stream may be.
fn without_mark(mut event: Event) -> Event {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    if event.raw.starts_with(MARK) {
        event.raw = event.raw.slice(MARK.len()..);
    }
    event
}

fn encoded(name: Option<Bytes>, json: Bytes) -> Event {
    let raw = match name.as_deref().map(std::str::from_utf8) {
        Some(Ok(name)) => encode_named(name, &json),
        _ => encode_data(&json),
    };
    Event { raw, name, data: Some(json) }
}

#[cfg(test)]
#[path = "seam_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "seam_property_tests.rs"]
mod property_tests;
