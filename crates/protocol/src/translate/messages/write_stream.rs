//! Writes a stream as the named events of the Messages API.
//!
//! Owns the order of events. Blocks are written one after the other, as Anthropic does and as clients expect that
//! act on a block when it ends, though other upstreams let calls grow side by side: pieces of a later block wait until
//! the earlier ones are whole. The end waits as well, since the counts that go with it may come after it.
//!
//! Arguments pass as they come, once it is known that they are an object. A model that is cut off in it leaves the
//! client half of one, as Anthropic's own streams do.

use std::collections::BTreeMap;

use super::outgoing::Outgoing;
use super::stop::{self, Said, write_stop};
use super::tokens::write_usage;
use super::write_reply::write_message;
use crate::canonical::{Delta, Head, Opening, Piece, Stop, Text};
use crate::raw::Writer;
use crate::translate::{Asked, Events};

/// Writes one stream.
pub(in crate::translate) struct StreamWriter {
    asked: Asked,
    begun: bool,
    /// What is not wholly written; the first is the one that is being written.
    blocks: BTreeMap<u64, Outgoing>,
    /// How many blocks the message has.
    written: u64,
    said: Said,
    /// A block that is open, if it is a refusal.
    refusal: Option<u64>,
    stop: Option<Stop<'static>>,
    /// The newest counts, as they are written.
    usage: Option<String>,
}

impl StreamWriter {
    /// A writer of the answer to `asked`.
    pub(in crate::translate) fn new(asked: Asked) -> Self {
        Self {
            asked,
            begun: false,
            blocks: BTreeMap::new(),
            written: 0,
            said: Said::default(),
            refusal: None,
            stop: None,
            usage: None,
        }
    }

    /// Writes what a step of the stream gives to write. A message is one answer: only the first choice counts.
    pub(in crate::translate) fn write(&mut self, delta: &Delta<'_>, out: &mut Events) {
        match delta {
            Delta::Begin(head) => self.begin(head, out),
            Delta::Open { choice: 0, block, opening } => self.open(*block, opening, out),
            Delta::Piece { choice: 0, block, piece } => self.piece(*block, piece, out),
            Delta::Close { choice: 0, block } => self.close(*block, out),
            Delta::Finish { choice: 0, stop } => self.stop = Some(stop::owned(stop)),
            Delta::Tokens(tokens) => self.usage = Some(write_usage(Some(tokens))),
            Delta::End => self.end(out),
            Delta::Open { .. }
            | Delta::Piece { .. }
            | Delta::Close { .. }
            | Delta::Finish { .. }
            | Delta::Logprobs { .. } => {}
        }
    }

    /// The counts are those known, mostly none: the end has them all.
    fn begin(&mut self, head: &Head<'_>, out: &mut Events) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let message = write_message(head, &self.asked, &[], None, &self.usage());
        out.named(
            "message_start",
            &Writer::new().string("type", "message_start").raw("message", &message).finish(),
        );
    }

    fn open(&mut self, number: u64, opening: &Opening<'_>, out: &mut Events) {
        self.begin(&Head::default(), out);
        self.said.calls |= matches!(opening, Opening::ToolCall { .. });
        if matches!(opening, Opening::Refusal) {
            self.refusal = Some(number);
        }
        if let Some(block) = Outgoing::open(opening) {
            self.blocks.insert(number, block);
        }
        self.advance(out);
    }

    fn piece(&mut self, number: u64, piece: &Piece<'_>, out: &mut Events) {
        let Some(block) = self.blocks.get_mut(&number) else { return };
        block.take(piece);
        self.said.refusal |=
            self.refusal == Some(number) && matches!(piece, Piece::Text(text) if !Text::is_empty(text));
        self.advance(out);
    }

    fn close(&mut self, number: u64, out: &mut Events) {
        if let Some(block) = self.blocks.get_mut(&number) {
            block.close();
            self.advance(out);
        }
    }

    /// Writes the block whose turn it is, and where that is whole the next.
    fn advance(&mut self, out: &mut Events) {
        while let Some(mut first) = self.blocks.first_entry() {
            first.get_mut().write(&mut self.written, out);
            if !first.get().is_whole() {
                return;
            }
            first.remove();
        }
    }

    fn end(&mut self, out: &mut Events) {
        self.begin(&Head::default(), out);
        self.blocks.values_mut().for_each(Outgoing::close);
        self.advance(out);
        let mut delta = Writer::new();
        write_stop(self.stop.as_ref(), self.said, &mut delta);
        let (delta, usage) = (delta.finish(), self.usage());
        let mut event = Writer::new();
        event.string("type", "message_delta").raw("delta", &delta).raw("usage", &usage);
        out.named("message_delta", &event.finish());
        out.named("message_stop", r#"{"type":"message_stop"}"#);
    }

    fn usage(&self) -> String {
        self.usage.clone().unwrap_or_else(|| write_usage(None))
    }
}
