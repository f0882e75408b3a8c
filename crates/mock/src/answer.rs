//! What is asked and what is said, without a dialect.
//!
//! An [`Ask`] is a request with its dialect taken off, an [`Answer`] is the reply before a dialect is put on.

use std::borrow::Cow;

use serde_json::Value;

use crate::input::Tool;
use crate::tokens;

/// A request, whatever its dialect was.
#[derive(Debug, Default)]
pub(crate) struct Ask {
    pub(crate) model: String,
    /// One but for completions with a list of prompts.
    pub(crate) prompts: Vec<Prompt>,
    /// What the user said last: tools and structured answers take their words from it.
    pub(crate) topic: String,
    pub(crate) wish: Wish,
    pub(crate) seed: Option<i64>,
    pub(crate) temperature: Option<f64>,
    pub(crate) max_tokens: Option<i64>,
    pub(crate) stop: Vec<String>,
    pub(crate) n: Option<i64>,
    pub(crate) stream: bool,
    pub(crate) think: Think,
    /// The prompt is kept out of the prompt cache: no marks, with a provider that asks for them.
    pub(crate) uncached: bool,
}

/// Whether thoughts come before the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) enum Think {
    #[default]
    No,
    Shown,
    /// Only their signature is given.
    Omitted,
}

/// A prompt and its length.
#[derive(Debug)]
pub(crate) struct Prompt {
    pub(crate) text: String,
    pub(crate) tokens: u64,
}

impl From<String> for Prompt {
    fn from(text: String) -> Self {
        Self { tokens: tokens::count(&text), text }
    }
}

/// What kind of answer is wanted.
#[derive(Debug, Default)]
pub(crate) enum Wish {
    /// Text that answers.
    #[default]
    Reply,
    /// Text that goes on where the prompt stops.
    GoOn,
    /// Calls of these functions, in parallel.
    Call(Vec<Tool>),
    /// Text that quotes a tool's result.
    Quote(String),
    /// JSON that fits a schema; any object when that is null.
    Json(Value),
}

impl Wish {
    /// What a conversation calls for: `result` is the text of the last message if it is a tool's.
    pub(crate) fn of_conversation(result: Option<String>, tools: Vec<Tool>, json: Option<Value>) -> Self {
        match (result, tools.is_empty(), json) {
            (_, true, Some(schema)) | (Some(_), _, Some(schema)) => Self::Json(schema),
            (Some(result), _, None) => Self::Quote(result),
            (None, false, _) => Self::Call(tools),
            (None, true, None) => Self::Reply,
        }
    }
}

/// A reply, ready for any dialect.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Unique; the dialect puts its prefix before it.
    pub(crate) id: String,
    pub(crate) created: u64,
    pub(crate) model: String,
    pub(crate) fingerprint: String,
    pub(crate) choices: Vec<Choice>,
    pub(crate) usage: Usage,
}

/// One of the answer's choices.
#[derive(Debug)]
pub(crate) struct Choice {
    /// Thoughts first, then text, then calls.
    pub(crate) contents: Vec<Content>,
    pub(crate) finish: Finish,
}

impl Choice {
    /// A choice with one content.
    pub(crate) fn of(content: Content, finish: Finish) -> Self {
        Self { contents: vec![content], finish }
    }

    /// Its length.
    pub(crate) fn tokens(&self) -> u64 {
        self.contents.iter().map(Content::tokens).sum()
    }

    /// What it says aloud: its text, without thoughts and calls.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        let mut said = self.contents.iter().filter(|content| content.is_text());
        said.next().map_or(Cow::default(), Content::text)
    }
}

/// What a choice says, or one part of it.
#[derive(Debug)]
pub(crate) enum Content {
    Text(String),
    /// That many short words, made as they are sent: a long stream needs no memory.
    Words(u64),
    /// Thoughts; those that are not shown cost as much.
    Thinking {
        text: String,
        shown: bool,
    },
    /// Thoughts that are only passed back, never read.
    Redacted,
    /// Words that say no.
    Refusal(String),
    Call {
        id: String,
        name: String,
        arguments: String,
    },
}

/// Why a choice ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Finish {
    Stop,
    StopSequence(String),
    Length,
    Call,
    /// The model declined.
    Refusal,
    /// A filter stopped it.
    Filter,
}

/// Tokens counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// All of the prompt, cached or not.
    pub(crate) prompt: u64,
    pub(crate) completion: u64,
    /// Those of the completion that were thoughts.
    pub(crate) reasoning: u64,
    pub(crate) cache_read: u64,
    /// Prompt tokens that a real upstream would now have written to its cache.
    pub(crate) cache_write: u64,
}

/// The words of [`Content::Words`], one token each.
const CYCLE: [&str; 8] = [" one", " two", " and", " then", " the", " sea", " was", " calm"];

impl Content {
    /// Whether it is said aloud.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Words(_))
    }

    /// Whether it is a call.
    pub(crate) fn is_call(&self) -> bool {
        matches!(self, Self::Call { .. })
    }

    /// Whether it is thoughts, in whatever form.
    pub(crate) fn is_thought(&self) -> bool {
        matches!(self, Self::Thinking { .. } | Self::Redacted)
    }

    /// What is sent of it in pieces.
    fn shown(&self) -> &str {
        match self {
            Self::Text(text) | Self::Refusal(text) | Self::Thinking { text, shown: true } => text,
            Self::Call { arguments, .. } => arguments,
            Self::Words(_) | Self::Redacted | Self::Thinking { shown: false, .. } => "",
        }
    }

    /// The piece at a position and the position after it; `None` at the end.
    pub(crate) fn piece(&self, at: usize) -> Option<(&str, usize)> {
        if let Self::Words(count) = self {
            let more = (at as u64) < *count;
            return CYCLE.get(at % CYCLE.len()).filter(|_| more).map(|word| (*word, at + 1));
        }
        let piece = tokens::first_piece(self.shown().get(at..)?);
        Some((piece, at + piece.len())).filter(|_| !piece.is_empty())
    }

    /// The whole text, or the arguments of a call.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        if !matches!(self, Self::Words(_)) {
            return self.shown().into();
        }
        let (mut text, mut at) = (String::new(), 0);
        while let Some((piece, next)) = self.piece(at) {
            text.push_str(piece);
            at = next;
        }
        text.into()
    }

    /// Its length.
    pub(crate) fn tokens(&self) -> u64 {
        self.tokens_before(usize::MAX)
    }

    /// The length of what comes before a position, the name of a call included.
    pub(crate) fn tokens_before(&self, at: usize) -> u64 {
        let count = |text: &str| tokens::count(text.get(..at).unwrap_or(text));
        match self {
            Self::Text(text) | Self::Refusal(text) | Self::Thinking { text, shown: true } => count(text),
            Self::Words(words) => (at as u64).min(*words),
            Self::Call { name, arguments, .. } => tokens::count(name) + count(arguments),
            Self::Thinking { text, .. } => tokens::count(text),
            Self::Redacted => REDACTED_TOKENS,
        }
    }
}

/// What thoughts cost that nobody sees.
const REDACTED_TOKENS: u64 = 12;
