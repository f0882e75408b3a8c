//! One choice of a stream, as far as it has come.

use crate::canonical::{Delta, Opening, Piece, Text};
use crate::raw::{Garbled, Object};
use crate::translate::halves::Halves;

use super::read_calls::{At, Calls, Give};
use super::read_head;
use super::read_message::{self, Part, Thought};

/// What is open, and the calls.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// How many blocks have begun.
    next: u64,
    /// The block that grows, if it is not a call.
    open: Option<Open>,
    calls: Calls,
    finished: bool,
}

#[derive(Debug)]
struct Open {
    block: u64,
    kind: Kind,
    halves: Halves,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Refusal,
    /// With the number that the upstream gives it, and whether its seal has begun: text after it is another
    /// block's.
    Thinking {
        index: Option<u64>,
        sealed: bool,
    },
}

impl Choice {
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Gives what a chunk says of the choice. What is said after its end is no part of it.
    pub(super) fn read(
        &mut self,
        index: u64,
        choice: &Object<'_>,
        answer: Option<&Text<'static>>,
        give: Give<'_>,
    ) -> Result<(), Garbled> {
        let delta = if choice.is_filled("delta") { choice.object("delta")? } else { Object::default() };
        let (parts, calls) = (read_message::parts(&delta)?, read_message::calls(&delta)?);
        if self.finished {
            let is_silent =
                parts.is_empty() && calls.iter().all(|call| call.name.is_none() && call.arguments.is_none());
            return if is_silent { Ok(()) } else { Err(Garbled) };
        }
        if let Some(logprobs) = read_message::logprobs(choice) {
            give(Delta::Logprobs { choice: index, json: logprobs.into() });
        }
        for part in parts {
            self.say(index, part, answer, give);
        }
        for call in calls {
            self.close_text(index, give);
            self.calls.take(call, &mut At { choice: index, answer, next: &mut self.next }, give);
        }
        if choice.string("finish_reason").is_some_and(|reason| !reason.is_empty()) {
            self.close(index, answer, give)?;
            self.finished = true;
            if let Some(stop) = read_head::stop(choice, self.calls.has_open()) {
                give(Delta::Finish { choice: index, stop });
            }
        }
        Ok(())
    }

    /// All blocks are whole.
    pub(super) fn close(
        &mut self,
        index: u64,
        answer: Option<&Text<'static>>,
        give: Give<'_>,
    ) -> Result<(), Garbled> {
        if self.finished {
            return Ok(());
        }
        self.close_text(index, give);
        self.calls.close(&mut At { choice: index, answer, next: &mut self.next }, give)
    }

    fn say(&mut self, index: u64, part: Part<'_>, answer: Option<&Text<'static>>, give: Give<'_>) {
        self.calls.open(&mut At { choice: index, answer, next: &mut self.next }, give);
        match part {
            Part::Text(text) => self.piece(index, Kind::Text, text, give),
            Part::Refusal(text) => self.piece(index, Kind::Refusal, text, give),
            Part::Thinking(thought) => self.think(index, thought, give),
            Part::Redacted(data) => {
                self.close_text(index, give);
                let block = self.number();
                give(Delta::Open { choice: index, block, opening: Opening::RedactedThinking(data) });
                give(Delta::Close { choice: index, block });
            }
        }
    }

    fn think(&mut self, index: u64, thought: Thought<'_>, give: Give<'_>) {
        // Without a number, text that follows a seal begins another block.
        let begins = match self.open.as_ref().map(|open| open.kind) {
            Some(Kind::Thinking { index, sealed }) => match (index, thought.index) {
                (Some(known), Some(index)) => known != index,
                _ => sealed && thought.text.is_some(),
            },
            _ => true,
        };
        let kind = Kind::Thinking { index: thought.index, sealed: thought.signature.is_some() };
        if begins {
            self.close_text(index, give);
            self.open_text(index, kind, give);
        }
        if let Some(text) = thought.text {
            self.grow(index, text, give);
        }
        if let (Some(signature), Some(open)) = (thought.signature, &mut self.open) {
            if let Kind::Thinking { sealed, .. } = &mut open.kind {
                *sealed = true;
            }
            let piece = Piece::Signature(signature);
            give(Delta::Piece { choice: index, block: open.block, piece });
        }
    }

    fn piece(&mut self, index: u64, kind: Kind, text: Text<'_>, give: Give<'_>) {
        if self.open.as_ref().is_none_or(|open| open.kind != kind) {
            self.close_text(index, give);
            self.open_text(index, kind, give);
        }
        self.grow(index, text, give);
    }

    fn open_text(&mut self, index: u64, kind: Kind, give: Give<'_>) {
        let block = self.number();
        self.open = Some(Open { block, kind, halves: Halves::default() });
        let opening = match kind {
            Kind::Text => Opening::Text,
            Kind::Refusal => Opening::Refusal,
            Kind::Thinking { .. } => Opening::Thinking,
        };
        give(Delta::Open { choice: index, block, opening });
    }

    fn grow(&mut self, index: u64, text: Text<'_>, give: Give<'_>) {
        let Some(open) = &mut self.open else { return };
        let text = open.halves.join(text);
        if !text.is_empty() {
            give(Delta::Piece { choice: index, block: open.block, piece: Piece::Text(text) });
        }
    }

    fn close_text(&mut self, index: u64, give: Give<'_>) {
        let Some(mut open) = self.open.take() else { return };
        if let Some(rest) = open.halves.rest() {
            give(Delta::Piece { choice: index, block: open.block, piece: Piece::Text(rest) });
        }
        give(Delta::Close { choice: index, block: open.block });
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}
