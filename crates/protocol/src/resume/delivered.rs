//! What the client has been given of a stream, as far as another upstream has to know it.
//!
//! Owns when a stream can no longer be gone on with. It reads each event once and keeps the text.

use std::sync::Arc;

use super::channels::PerChannel;
use super::chunk::Chunk;
use super::head::Head;
use crate::sse::Event;

/// So many bytes of text are kept, all channels together; a stream with more is not gone on with.
pub const MAX_TEXT: usize = 1 << 20;

/// What the client of one stream has, followed event by event. Those that a [`Seam`](super::Seam) lets pass are
/// observed as well: a stream may break more than once.
#[derive(Debug, Clone, Default)]
pub struct Delivered {
    pub(super) head: Head,
    /// Shared with clones and seams, and copied only when it grows while one of them still needs it.
    pub(super) texts: Arc<PerChannel<String>>,
    pub(super) role: bool,
    pub(super) finished: bool,
    pub(super) usage: bool,
    content_events: u64,
    /// Something has passed from which no other upstream can go on.
    barred: bool,
}

impl Delivered {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads an event that goes to the client. What was withheld is not shown here.
    ///
    /// Once the stream is not resumable, nothing more is followed.
    pub fn observe(&mut self, event: &Event) {
        if self.barred {
            return;
        }
        let payload = event.data.as_deref().map(<[u8]>::trim_ascii).unwrap_or_default();
        let is_end = payload == b"[DONE]" || event.name.as_deref() == Some(b"error");
        match Chunk::read(payload) {
            _ if is_end => self.bar(),
            _ if payload.is_empty() => {}
            Ok(chunk) if chunk.error || chunk.other => self.bar(),
            Ok(chunk) if chunk.is_chunk() => self.add(payload, &chunk),
            Ok(_) => {}
            Err(_) => self.bar(),
        }
    }

    /// Whether another upstream could go on from here. Not so after the end mark, an error, more than
    /// [`MAX_TEXT`], or any piece that is not text of the only choice.
    #[must_use]
    pub fn is_resumable(&self) -> bool {
        !self.barred
    }

    /// Whether the client knows why the answer ended; all that may be missing then is usage and the end mark.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether the client has the answer's token counts.
    #[must_use]
    pub fn has_usage(&self) -> bool {
        self.usage
    }

    /// Whether the client has any text.
    #[must_use]
    pub fn has_text(&self) -> bool {
        self.content_events > 0
    }

    /// Events with text. Each has a token at least, and most upstreams send one in each, so that this stands for
    /// the number of tokens.
    #[must_use]
    pub fn content_events(&self) -> u64 {
        self.content_events
    }

    fn add(&mut self, data: &[u8], chunk: &Chunk<'_>) {
        self.head.note(data, chunk);
        self.role |= chunk.role.is_some();
        self.finished |= chunk.finishes;
        // A client that has no end yet waits for a later count.
        self.usage |= chunk.counts_all() && self.finished;
        self.content_events += u64::from(!chunk.pieces.is_empty());
        if !chunk.pieces.is_empty() {
            let texts = Arc::make_mut(&mut self.texts);
            for piece in &chunk.pieces {
                texts.get_mut(piece.channel).push_str(&piece.text);
            }
        }
        if self.texts.len() > MAX_TEXT {
            self.bar();
        }
    }

    fn bar(&mut self) {
        self.barred = true;
        self.texts = Arc::default();
    }
}

#[cfg(test)]
#[path = "delivered_tests.rs"]
mod tests;
