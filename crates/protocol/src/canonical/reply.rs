//! A whole answer, in no dialect.

use std::borrow::Cow;

use super::{Block, Json, Text};
use crate::observe::Finish;
use crate::usage::Usage;

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply<'a> {
    pub(crate) head: Head<'a>,
    pub(crate) choices: Vec<Choice<'a>>,
    pub(crate) tokens: Option<Tokens<'a>>,
}

/// What stands around the content.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head<'a> {
    /// The upstream's own id of the answer.
    pub(crate) id: Option<Text<'a>>,
    /// The model that the upstream says has answered.
    pub(crate) model: Option<Text<'a>>,
    /// Unix seconds, a number as written.
    pub(crate) created: Option<Json<'a>>,
    /// `system_fingerprint`.
    pub(crate) fingerprint: Option<Text<'a>>,
    /// `service_tier`.
    pub(crate) service_tier: Option<Text<'a>>,
}

/// One answer of those that were asked for. Blocks are texts, thinking, refusals, calls and native ones.
#[derive(Debug, Clone)]
pub(crate) struct Choice<'a> {
    pub(crate) index: u64,
    pub(crate) blocks: Vec<Block<'a>>,
    /// Absent where the upstream did not say.
    pub(crate) stop: Option<Stop<'a>>,
    /// `logprobs`, in chat's form.
    pub(crate) logprobs: Option<Json<'a>>,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop<'a> {
    pub(crate) finish: Finish,
    /// The upstream's own word.
    pub(crate) native: Cow<'a, str>,
    /// The text that ended it, where the upstream tells.
    pub(crate) sequence: Option<Text<'a>>,
}

/// What the upstream counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tokens<'a> {
    /// In one meaning.
    pub(crate) usage: Usage,
    /// The members of the upstream's `usage` that `usage` does not hold (`cache_creation`, `server_tool_use`, …) or
    /// that tell the same under the upstream's own name (`cache_read_input_tokens`), to be kept beside the others.
    /// Without those that would be taken for another meaning in another dialect (`input_tokens`).
    pub(crate) native: Vec<(Cow<'a, str>, Json<'a>)>,
}
