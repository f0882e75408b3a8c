//! Turns become the system prompt and messages.
//!
//! A turn is written the same whatever follows it, and later ones are added behind it: only what a tool gave is put
//! before the user's other words, as the upstream asks.

use super::content::write_block;
use super::piece::{Piece, PieceKind, hand_back, push};
use super::place::Place;
use super::spaces::{is_blank, trimmed};
use crate::canonical::{Block, Content, Request, Role, Text, Turn};
use crate::dialect::Dialect;
use crate::raw::{Writer, array};
use crate::translate::{Losses, Untranslatable};

/// What is said to the model and by it.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    pub(super) system: Vec<Piece<'a>>,
    pub(super) messages: Vec<Message<'a>>,
}

/// All that one side says before the other speaks.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) is_assistant: bool,
    pub(super) pieces: Vec<Piece<'a>>,
}

impl<'a> Conversation<'a> {
    /// Sorts the turns. The instructions that lead become the system prompt; but the upstream wants a message at
    /// least, so the last turn of all is always one.
    pub(super) fn read(request: &Request<'a>, losses: &mut Losses) -> Result<Self, Untranslatable> {
        let turns = &request.turns;
        let leading = turns.iter().take_while(|turn| turn.role == Role::System).count();
        let leading = leading.min(turns.len().saturating_sub(1));
        let (instructions, said) = turns.split_at_checked(leading).unwrap_or_default();
        let mut conversation = Self { system: Vec::new(), messages: Vec::new() };
        for turn in instructions {
            note_name(turn, losses);
            for (index, block) in turn.blocks.iter().enumerate() {
                let text = text_of(block).ok_or_else(|| refuse_instruction(request, turn, index))?;
                if is_blank(text) {
                    hand_back(&mut conversation.system, block.mark.clone(), losses);
                } else {
                    conversation.system.push(Piece::text(text.json(), block.mark.as_ref()));
                }
            }
        }
        for turn in said {
            note_name(turn, losses);
            let pieces = write_turn(request, turn, losses)?;
            conversation.add(turn.role == Role::Assistant, pieces);
        }
        for message in conversation.messages.iter_mut().filter(|message| !message.is_assistant) {
            message.pieces.sort_by_key(|piece| !piece.is(PieceKind::ToolResult));
        }
        if conversation.messages.is_empty() {
            let member = match request.dialect {
                Dialect::Completions => "prompt",
                Dialect::Responses => "input",
                _ => "messages",
            };
            return Err(Untranslatable::new(member, "nothing is said"));
        }
        Ok(conversation)
    }

    /// Adds a turn to what the same side has said before, if it was the last to speak. The upstream takes only one
    /// message with the results of calls that were made at once.
    fn add(&mut self, is_assistant: bool, pieces: Vec<Piece<'a>>) {
        if pieces.is_empty() {
            return;
        }
        match self.messages.last_mut().filter(|last| last.is_assistant == is_assistant) {
            Some(last) => last.pieces.extend(pieces),
            None => self.messages.push(Message { is_assistant, pieces }),
        }
    }

    /// Is the system prompt one text that no mark has to sit on? As the client has it: which marks are left does
    /// not change its form.
    pub(super) fn has_plain_system(&self) -> bool {
        matches!(&*self.system, [piece] if !piece.is_marked())
    }

    /// Does it end with what tools gave, in a loop of calls and results that has no thoughts at its beginning? Those
    /// of later answers in the loop are not asked for, since a model that thinks once has none there.
    pub(super) fn has_thoughtless_loop(&self) -> bool {
        let is_in_loop =
            |message: &&Message<'_>| message.is_assistant || message.begins_with(PieceKind::ToolResult);
        let answers =
            self.messages.iter().rev().take_while(is_in_loop).filter(|message| message.is_assistant);
        let mut is_thoughtless = answers.map(|answer| !answer.begins_with(PieceKind::Thought));
        !self.is_prefilled()
            && is_thoughtless.next().is_some_and(|last| last && is_thoughtless.last().unwrap_or(true))
    }

    /// Does it end with the model's own words, which the answer is to go on with?
    pub(super) fn is_prefilled(&self) -> bool {
        self.messages.last().is_some_and(|message| message.is_assistant)
    }
}

impl Message<'_> {
    fn begins_with(&self, kind: PieceKind) -> bool {
        self.pieces.first().is_some_and(|first| first.is(kind))
    }

    pub(super) fn write(&self) -> String {
        let mut message = Writer::new();
        message.string("role", if self.is_assistant { "assistant" } else { "user" });
        message.raw("content", &array(self.pieces.iter().map(Piece::write)));
        message.finish()
    }
}

/// The system prompt: a string where it can be one.
pub(super) fn write_system(system: &[Piece<'_>], is_plain: bool) -> String {
    match system {
        [piece] if is_plain => piece.as_text().map(str::to_owned),
        _ => None,
    }
    .unwrap_or_else(|| array(system.iter().map(Piece::write)))
}

fn write_turn<'a>(
    request: &Request<'a>,
    turn: &Turn<'a>,
    losses: &mut Losses,
) -> Result<Vec<Piece<'a>>, Untranslatable> {
    let mut pieces = Vec::new();
    let is_said = |block: &Block<'_>| !text_of(block).is_some_and(is_blank);
    let last = turn.blocks.iter().rposition(is_said);
    for (index, block) in turn.blocks.iter().enumerate() {
        let mark = block.mark.as_ref();
        let piece = match text_of(block) {
            Some(text) if is_blank(text) => None,
            Some(text) if turn.role == Role::System => Some(Piece::text(&set_apart(text), mark)),
            None if turn.role == Role::System => return Err(refuse_instruction(request, turn, index)),
            // The upstream refuses white space at the end of an answer that is to be gone on with. It is left out
            // of every answer, so that one is written the same when it no longer is the last.
            Some(text) if turn.role == Role::Assistant && last == Some(index) => {
                Some(Piece::text(&trimmed(text), mark))
            }
            _ => write_block(block, Place::of_block(request, turn, index), losses)?,
        };
        match piece {
            Some(piece) => push(&mut pieces, piece, losses),
            None => hand_back(&mut pieces, block.mark.clone(), losses),
        }
    }
    // What was thought comes first; between calls it may stand where it was, if some of it is there.
    if !pieces.first().is_some_and(|first| first.is(PieceKind::Thought)) {
        pieces.sort_by_key(|piece| !piece.is(PieceKind::Thought));
    }
    Ok(pieces)
}

/// Instructions between turns, in a form by which the model can tell them from what the user says.
fn set_apart(text: &Text<'_>) -> String {
    format!(r#""<system>\n{}\n</system>""#, text.inside())
}

fn text_of<'t, 'a>(block: &'t Block<'a>) -> Option<&'t Text<'a>> {
    match &block.content {
        Content::Text(text) | Content::Refusal(text) => Some(text),
        _ => None,
    }
}

fn refuse_instruction(request: &Request<'_>, turn: &Turn<'_>, index: usize) -> Untranslatable {
    let at = Place::of_block(request, turn, index);
    Untranslatable::new(at.told(), "the target takes instructions as text only")
}

/// The name of a participant has no place in a message.
fn note_name(turn: &Turn<'_>, losses: &mut Losses) {
    if turn.name.as_ref().is_some_and(|name| !name.is_empty()) {
        losses.add("messages[].name");
    }
}
