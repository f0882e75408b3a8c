//! What one event of a stream says, in no dialect.

use super::{Head, Json, Stop, Text, Tokens};

/// A step of a stream. Readers give them in this order: `Begin` once; per block `Open`, its pieces, `Close`; per
/// choice `Finish` when all its blocks are closed; `Tokens` any number of times, the last counts; `End` once.
#[derive(Debug, Clone)]
pub(crate) enum Delta<'a> {
    /// The answer begins.
    Begin(Head<'a>),
    /// A block begins. Blocks of a choice are numbered from 0 in the order in which they open; blocks of calls may be
    /// open side by side, others are closed before the next opens.
    Open { choice: u64, block: u64, opening: Opening<'a> },
    /// More of a block that is open.
    Piece { choice: u64, block: u64, piece: Piece<'a> },
    /// A block is whole.
    Close { choice: u64, block: u64 },
    /// Probabilities of what comes with this event, in chat's form. Given before the pieces that they are of, so that
    /// a writer can send both together.
    Logprobs { choice: u64, json: Json<'a> },
    /// A choice is whole.
    Finish { choice: u64, stop: Stop<'a> },
    /// What was counted, up to now or for all.
    Tokens(Tokens<'a>),
    /// The answer is whole.
    End,
}

/// What kind of block begins.
#[derive(Debug, Clone)]
pub(crate) enum Opening<'a> {
    Text,
    Thinking,
    /// Sealed thinking, whole at once.
    RedactedThinking(Text<'a>),
    Refusal,
    ToolCall {
        id: Text<'a>,
        name: Text<'a>,
    },
    /// A block that only the upstream's dialect knows.
    Native,
}

/// More of a block.
#[derive(Debug, Clone)]
pub(crate) enum Piece<'a> {
    /// Of a text or a refusal, or of what was thought.
    Text(Text<'a>),
    /// Of a call's arguments: a JSON string that holds a piece of JSON text.
    Arguments(Text<'a>),
    /// The seal of what was thought.
    Signature(Text<'a>),
    /// Something that only the upstream's dialect knows.
    Native,
}
