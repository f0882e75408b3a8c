//! One block of an upstream's stream, from its start to its end.
//!
//! Owns which pieces go with which kind of block. Which blocks there are, and in what order, belongs to the
//! [reader](super::StreamReader).

use super::read_reply::text;
use crate::canonical::{Content, Delta, Opening, Piece, Text};
use crate::raw::{Garbled, Object};

/// Where what is read goes.
pub(super) type Give<'g> = dyn FnMut(Delta<'_>) + 'g;

/// A block that has begun.
#[derive(Debug)]
pub(super) struct Incoming {
    number: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Text,
    /// The newest signature counts, so it is given when no other can come.
    Thinking {
        signature: Option<Text<'static>>,
    },
    /// Sealed, and so whole from the start.
    Sealed,
    /// Until a piece comes the arguments are those that the block began with: `{}`, or all of them, where an
    /// upstream does not stream them.
    Call {
        begun_with: Option<String>,
    },
    Native,
}

impl Incoming {
    /// A block that begins, as the answer's block of that number.
    pub(super) fn open(number: u64, content: Content<'_>, give: &mut Give<'_>) -> Self {
        let mut open = |opening| give(Delta::Open { choice: 0, block: number, opening });
        let mut begun = None;
        let kind = match content {
            Content::Text(text) => {
                open(Opening::Text);
                begun = Some(text);
                Kind::Text
            }
            Content::Thinking { text, signature } => {
                open(Opening::Thinking);
                begun = Some(text);
                Kind::Thinking { signature: signature.map(Text::into_owned) }
            }
            Content::RedactedThinking(data) => {
                open(Opening::RedactedThinking(data));
                Kind::Sealed
            }
            Content::ToolCall { id, name, arguments } => {
                open(Opening::ToolCall { id, name });
                Kind::Call { begun_with: Some(arguments.into_owned()) }
            }
            _ => {
                open(Opening::Native);
                Kind::Native
            }
        };
        let block = Self { number, kind };
        if let Some(text) = begun.filter(|text| !text.is_empty()) {
            block.give(Piece::Text(text), give);
        }
        block
    }

    /// Calls may be open side by side.
    pub(super) fn is_call(&self) -> bool {
        matches!(self.kind, Kind::Call { .. })
    }

    /// Takes a piece. One of another kind of block is refused, since its text would be lost or come out as
    /// something else; one that nobody knows is native.
    pub(super) fn piece(&mut self, json: &str, give: &mut Give<'_>) -> Result<(), Garbled> {
        let delta = Object::parse(json)?;
        let kind = delta.string("type").ok_or(Garbled)?;
        match (&mut self.kind, &*kind) {
            (Kind::Text, "text_delta") => self.give_text(text(&delta, "text")?, give),
            (Kind::Thinking { .. }, "thinking_delta") => self.give_text(text(&delta, "thinking")?, give),
            (Kind::Thinking { signature }, "signature_delta") => {
                let newest = text(&delta, "signature")?;
                if !newest.is_empty() {
                    *signature = Some(newest.into_owned());
                }
            }
            (Kind::Call { begun_with }, "input_json_delta") => {
                let piece = text(&delta, "partial_json")?;
                if !piece.is_empty() {
                    *begun_with = None;
                    self.give(Piece::Arguments(piece), give);
                }
            }
            (Kind::Native, _) => self.give(Piece::Native, give),
            (_, "text_delta" | "thinking_delta" | "signature_delta" | "input_json_delta") => {
                return Err(Garbled);
            }
            _ => self.give(Piece::Native, give),
        }
        Ok(())
    }

    /// Ends the block; no piece comes after.
    pub(super) fn close(&mut self, give: &mut Give<'_>) {
        match &mut self.kind {
            Kind::Thinking { signature } => {
                if let Some(signature) = signature.take() {
                    self.give(Piece::Signature(signature), give);
                }
            }
            Kind::Call { begun_with } => {
                if let Some(arguments) = begun_with.take() {
                    self.give(Piece::Arguments(Text::of(&arguments)), give);
                }
            }
            Kind::Text | Kind::Sealed | Kind::Native => {}
        }
        give(Delta::Close { choice: 0, block: self.number });
    }

    fn give_text(&self, text: Text<'_>, give: &mut Give<'_>) {
        if !text.is_empty() {
            self.give(Piece::Text(text), give);
        }
    }

    fn give(&self, piece: Piece<'_>, give: &mut Give<'_>) {
        give(Delta::Piece { choice: 0, block: self.number, piece });
    }
}
