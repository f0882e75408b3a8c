//! The calls of one choice as a stream brings them: in pieces, and each upstream in pieces of its own.
//!
//! The usual way is an id and a name first and arguments after them, joined by `index`. Some repeat the id, or make
//! a new one for every piece; some cut the name; some send whole calls without an index, or all under the same one.
//! A call opens when its name is known to be whole: with its first arguments, or with whatever comes after it.

use crate::canonical::{Delta, Opening, Piece, Text};
use crate::raw::Garbled;
use crate::translate::halves::Halves;

use super::read_message::{Called, Place, made_id};

/// Whom the deltas are given to.
pub(super) type Give<'a> = &'a mut dyn FnMut(Delta<'_>);

/// The calls of a choice, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

#[derive(Debug)]
struct Call {
    place: Place,
    id: Option<Text<'static>>,
    /// Whole once the call is open.
    name: Text<'static>,
    /// What came before the name.
    waiting: Vec<Text<'static>>,
    /// Its block, once it is open.
    block: Option<u64>,
    halves: Halves,
}

/// Where the calls stand: which choice of which answer, and the number of its next block.
#[derive(Debug)]
pub(super) struct At<'a> {
    pub(super) choice: u64,
    pub(super) answer: Option<&'a Text<'static>>,
    pub(super) next: &'a mut u64,
}

impl Calls {
    /// Has any call begun that says something?
    pub(super) fn has_open(&self) -> bool {
        self.0.iter().any(|call| call.block.is_some())
    }

    /// Takes a piece.
    pub(super) fn take(&mut self, piece: Called<'_>, at: &mut At<'_>, give: Give<'_>) {
        let position = match self.find(&piece) {
            Some(position) => position,
            None => {
                // A name that others follow is whole.
                self.open(at, give);
                self.0.push(Call {
                    place: piece.place,
                    id: None,
                    name: Text::of(""),
                    waiting: Vec::new(),
                    block: None,
                    halves: Halves::default(),
                });
                self.0.len() - 1
            }
        };
        let Some(call) = self.0.get_mut(position) else { return };
        if call.id.is_none() {
            call.id = piece.id.map(Text::into_owned);
        }
        if let Some(name) = piece.name.filter(|name| call.block.is_none() && *name != call.name) {
            call.name = Text::joined([&call.name, &name], "");
        }
        if let Some(arguments) = piece.arguments {
            if call.name.is_empty() {
                call.waiting.push(arguments.into_owned());
            } else {
                let block = call.open(position, at, give);
                call.say(at.choice, block, arguments, give);
            }
        }
    }

    /// Which call a piece is of; none where it begins one.
    fn find(&self, piece: &Called<'_>) -> Option<usize> {
        let by_id = || self.0.iter().rposition(|call| call.id.is_some() && call.id == piece.id);
        if piece.place == Place::Unknown {
            return match (&piece.id, &piece.name) {
                (Some(_), _) => by_id(),
                (None, Some(_)) => None,
                (None, None) => self.0.len().checked_sub(1),
            };
        }
        let position = self.0.iter().rposition(|call| call.place == piece.place)?;
        let call = self.0.get(position)?;
        let is_another =
            piece.name.is_some() && piece.id.is_some() && call.id.is_some() && call.id != piece.id;
        if is_another { by_id() } else { Some(position) }
    }

    /// Opens the calls that wait for nothing but more of their names.
    pub(super) fn open(&mut self, at: &mut At<'_>, give: Give<'_>) {
        for (position, call) in self.0.iter_mut().enumerate() {
            if !call.name.is_empty() {
                call.open(position, at, give);
            }
        }
    }

    /// The choice ends: all calls are whole. Arguments for nobody knows what are no answer.
    pub(super) fn close(&mut self, at: &mut At<'_>, give: Give<'_>) -> Result<(), Garbled> {
        self.open(at, give);
        for call in &mut self.0 {
            let Some(block) = call.block else {
                if call.waiting.is_empty() {
                    continue;
                }
                return Err(Garbled);
            };
            if let Some(rest) = call.halves.rest() {
                give(Delta::Piece { choice: at.choice, block, piece: Piece::Arguments(rest) });
            }
            give(Delta::Close { choice: at.choice, block });
        }
        Ok(())
    }
}

impl Call {
    fn open(&mut self, position: usize, at: &mut At<'_>, give: Give<'_>) -> u64 {
        if let Some(block) = self.block {
            return block;
        }
        let block = *at.next;
        *at.next += 1;
        self.block = Some(block);
        let id = self.id.get_or_insert_with(|| made_id(at.answer, at.choice, position)).clone();
        let opening = Opening::ToolCall { id, name: self.name.clone() };
        give(Delta::Open { choice: at.choice, block, opening });
        for waiting in std::mem::take(&mut self.waiting) {
            self.say(at.choice, block, waiting, give);
        }
        block
    }

    fn say(&mut self, choice: u64, block: u64, arguments: Text<'_>, give: Give<'_>) {
        let arguments = self.halves.join(arguments);
        if !arguments.is_empty() {
            give(Delta::Piece { choice, block, piece: Piece::Arguments(arguments) });
        }
    }
}
