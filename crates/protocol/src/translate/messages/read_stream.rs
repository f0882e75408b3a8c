//! Reads the named events of a Messages stream.
//!
//! Owns the order of a message: start, blocks, end. Lenient where it is clear what is meant; where a text would have
//! to be guessed at, or would be lost, the stream is malformed.

use std::collections::{BTreeMap, BTreeSet};

use super::incoming::{Give, Incoming};
use super::read_reply::{read_block, read_head};
use super::stop::{read_explanation, read_stop};
use super::tokens::Counted;
use crate::canonical::{Delta, Opening, Piece, Text};
use crate::raw::{Garbled, Object};
use crate::sse::Event;
use crate::translate::StreamFault;

/// Reads one stream.
#[derive(Debug, Default)]
pub(in crate::translate) struct StreamReader {
    begun: bool,
    /// Those that are open, by the upstream's number. The middle form counts for itself: an upstream may leave
    /// numbers out.
    blocks: BTreeMap<u64, Incoming>,
    /// All numbers that the upstream has given.
    known: BTreeSet<u64>,
    /// How many blocks were given.
    given: u64,
    counted: Counted,
    finished: bool,
}

impl StreamReader {
    /// Reads an event.
    pub(in crate::translate) fn read(
        &mut self,
        event: &Event,
        give: &mut dyn FnMut(Delta<'_>),
    ) -> Result<(), StreamFault> {
        let Some(bytes) = event.data.as_ref() else { return Ok(()) };
        let name = event.name.as_deref().and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default();
        let fault = || StreamFault::Error(bytes.clone());
        if name == "error" {
            return Err(fault());
        }
        let payload = std::str::from_utf8(bytes.trim_ascii()).map_err(|_| StreamFault::Malformed)?;
        if payload == "[DONE]" {
            return Ok(self.end_by_mark(give)?);
        }
        let data = Object::parse(payload)?;
        // The data repeats the name; should there be none, the event's own counts.
        let kind = match data.get("type") {
            Some(_) => data.string("type").ok_or(Garbled)?,
            None => name.into(),
        };
        if kind == "error" || data.is_filled("error") {
            return Err(fault());
        }
        match &*kind {
            "" => Err(Garbled)?,
            "message_start" => self.start(&data, give)?,
            "content_block_start" => self.open(&data, give)?,
            "content_block_delta" => self.piece(&data, give)?,
            "content_block_stop" => self.close(&data, give)?,
            "message_delta" => self.finish(&data, give)?,
            "message_stop" => self.end(give)?,
            // A ping, or of a kind that is yet to be thought of.
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, data: &Object<'_>, give: &mut Give<'_>) -> Result<(), Garbled> {
        let message = data.object("message")?;
        // Text that is there already belongs to no block; and after a second start nobody knows whether what came
        // before still holds.
        if message.is_filled("content") || self.given > 0 || self.finished {
            return Err(Garbled);
        }
        if !std::mem::replace(&mut self.begun, true) {
            give(Delta::Begin(read_head(&message)));
        }
        self.count(&message, give);
        Ok(())
    }

    fn open(&mut self, data: &Object<'_>, give: &mut Give<'_>) -> Result<(), Garbled> {
        let index = data.count("index").ok_or(Garbled)?;
        let json = data.get("content_block").ok_or(Garbled)?;
        let content = read_block(json)?;
        if !self.begun || self.finished || !self.known.insert(index) {
            return Err(Garbled);
        }
        let is_call = matches!(content, crate::canonical::Content::ToolCall { .. });
        self.close_all(|block| !(is_call && block.is_call()), give);
        let block = Incoming::open(self.next(), content, give);
        self.blocks.insert(index, block);
        Ok(())
    }

    fn piece(&mut self, data: &Object<'_>, give: &mut Give<'_>) -> Result<(), Garbled> {
        let index = data.count("index").ok_or(Garbled)?;
        let block = self.blocks.get_mut(&index).ok_or(Garbled)?;
        block.piece(data.get("delta").ok_or(Garbled)?, give)
    }

    /// The end of a block that never began ends nothing.
    fn close(&mut self, data: &Object<'_>, give: &mut Give<'_>) -> Result<(), Garbled> {
        let index = data.count("index").ok_or(Garbled)?;
        if let Some(mut block) = self.blocks.remove(&index) {
            block.close(give);
        }
        Ok(())
    }

    /// What changes of the message when its content is whole. It may come several times: the first reason to stop
    /// and the last counts hold.
    fn finish(&mut self, data: &Object<'_>, give: &mut Give<'_>) -> Result<(), Garbled> {
        if !self.begun {
            return Err(Garbled);
        }
        let delta = data.some("delta").map_or(Ok(Object::default()), Object::parse)?;
        if let Some(stop) = read_stop(&delta).filter(|_| !self.finished) {
            self.close_all(|_| true, give);
            if let Some(explanation) = read_explanation(&delta, &stop) {
                self.refuse(explanation, give);
            }
            self.finished = true;
            give(Delta::Finish { choice: 0, stop });
        }
        self.count(data, give);
        Ok(())
    }

    /// The answer is whole, be it without a reason to have stopped: then none is said.
    fn end(&mut self, give: &mut Give<'_>) -> Result<(), Garbled> {
        if !self.begun {
            return Err(Garbled);
        }
        self.close_all(|_| true, give);
        give(Delta::End);
        Ok(())
    }

    /// OpenAI's end mark, by which some end what they translate. It tells a whole answer only with a reason to have
    /// stopped.
    fn end_by_mark(&mut self, give: &mut Give<'_>) -> Result<(), Garbled> {
        if self.finished { self.end(give) } else { Err(Garbled) }
    }

    fn refuse(&mut self, explanation: Text<'_>, give: &mut Give<'_>) {
        let block = self.next();
        give(Delta::Open { choice: 0, block, opening: Opening::Refusal });
        give(Delta::Piece { choice: 0, block, piece: Piece::Text(explanation) });
        give(Delta::Close { choice: 0, block });
    }

    fn close_all(&mut self, is_over: impl Fn(&Incoming) -> bool, give: &mut Give<'_>) {
        self.blocks.retain(|_, block| {
            let is_over = is_over(block);
            if is_over {
                block.close(give);
            }
            !is_over
        });
    }

    fn count(&mut self, object: &Object<'_>, give: &mut Give<'_>) {
        let Some(usage) = object.some("usage") else { return };
        self.counted.add(usage);
        if let Some(tokens) = self.counted.tokens() {
            give(Delta::Tokens(tokens));
        }
    }

    fn next(&mut self) -> u64 {
        let number = self.given;
        self.given += 1;
        number
    }
}
