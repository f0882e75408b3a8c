//! What passes through, read without being touched: usage, content, how an answer ends.
//!
//! Owns the meaning of answers in each dialect. It builds no tree and changes no byte: whether an event is
//! forwarded is advice ([`Verdict`]), and the caller acts on it. The wire form of streams belongs to
//! [`crate::sse`].

mod chat;
mod content;
mod frame;
mod messages;
mod reply;
mod responses;
mod stream;

pub use reply::{ReplyFault, observe_reply};
pub use stream::StreamObserver;

use crate::tokens::Written;
use crate::usage::{Counts, Usage};

/// What to do with an event, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Pass it on; it carries no piece of the answer (comments, roles, usage, announcements).
    Forward,
    /// Pass it on; it carries a piece of the answer.
    Content,
    /// Keep it back: usage that only we asked for, or empty data, on which client libraries choke.
    Withhold,
    /// Pass it on; the stream is complete.
    Terminal,
    /// The upstream reports an error in the stream.
    Error,
    /// Not JSON, or not an object: no client could read it.
    Malformed,
}

/// What is known of an answer so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// Token counts, when the upstream gave any; in a stream the newest.
    pub usage: Option<Usage>,
    /// Events that carried a piece of the answer; for a plain answer 1 or 0.
    pub content_events: u64,
    /// How many tokens the answer's content has so far, estimated from its text: what a record says when an
    /// upstream's own count never came (streams that were cut, answers without usage).
    ///
    /// All choices together, and in a stream never less than its content events, since each of them carries a
    /// token at least. 0 for embeddings, and for a plain answer whose count came.
    pub content_tokens: u64,
    /// Why the answer ended; with several choices, the one that ended last.
    pub finish: Option<Finish>,
}

/// Why an answer ended, in the words of all dialects brought to a few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// By itself, or at a stop sequence.
    Stop,
    /// At a token limit.
    Length,
    /// With calls that the client has to run.
    ToolCalls,
    /// By a filter or a refusal.
    ContentFilter,
    /// For another reason: `abort`, `error`, `pause_turn`, something new.
    Other,
}

impl Finish {
    /// OpenAI's word for it; `other` where there is none.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Other => "other",
        }
    }

    pub(crate) fn parse(reason: &str) -> Self {
        match reason {
            "stop" | "end_turn" | "stop_sequence" | "completed" => Self::Stop,
            "length" | "max_tokens" | "max_output_tokens" | "model_context_window_exceeded" => Self::Length,
            "tool_calls" | "function_call" | "tool_use" => Self::ToolCalls,
            "content_filter" | "refusal" => Self::ContentFilter,
            _ => Self::Other,
        }
    }
}

/// What one event or plain answer says, once it is known to be JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    Content,
    /// Usage, and no choice to carry anything else.
    UsageOnly,
    Terminal,
    Error,
}

/// What has to be remembered from event to event.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    counts: Counts,
    /// The text of the answer, all choices together.
    written: Written,
    choices: Choices,
    finish: Option<Finish>,
}

/// Which choices of an answer have begun and which have finished. A stream without an end mark is whole only
/// when all have.
#[derive(Debug, Clone, Copy, Default)]
struct Choices {
    begun: u128,
    finished: u128,
    /// A choice with an index past 127 (OpenAI gives at most 128): not followed, so never known to have
    /// finished.
    beyond: bool,
}

impl Choices {
    fn saw(&mut self, index: u64, finished: bool) {
        let Some(bit) = u32::try_from(index).ok().and_then(|index| 1_u128.checked_shl(index)) else {
            self.beyond = true;
            return;
        };
        self.begun |= bit;
        if finished {
            self.finished |= bit;
        }
    }

    fn all_finished(self) -> bool {
        self.begun != 0 && self.begun == self.finished && !self.beyond
    }
}

#[cfg(test)]
#[path = "observe/frame_tests.rs"]
mod frame_tests;
#[cfg(test)]
#[path = "observe/stream_tests.rs"]
mod stream_tests;
