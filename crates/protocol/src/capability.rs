//! What is known of models and of those who serve them: which endpoints they have, and what becomes of a member
//! that a client sends.
//!
//! Data, not code: the tables are read from `data/`, dated, and the README's table is made from them. Operators
//! overrule them per target; that is not here. A model of which nothing is known is treated as its kind is.

use crate::dialect::Dialect;
use crate::provider::Endpoints;

/// What becomes of a member on its way to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// It goes there as it is.
    Native,
    /// The target has the same under another name or in another form.
    Translated,
    /// The target has nothing of the kind; its effect is brought about otherwise.
    Emulated,
    /// It is left out, and the client is told.
    Dropped,
    /// The request cannot be put to the target.
    Refused,
}

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinking {
    /// It does not, or not on demand.
    None,
    /// With a budget of tokens.
    Budget,
    /// By an effort, as much as it needs.
    Adaptive,
}

/// What models of one family have in common at providers of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// What it has.
    pub endpoints: Endpoints,
    /// Most tokens of an answer.
    pub max_output: Option<u64>,
    /// How it is told to think.
    pub thinking: Thinking,
}

impl Family {
    /// What becomes of a member that a client of this dialect sends, top-level unless the name has a path
    /// (`messages[].name`). A member that no table names goes as it is where both ends have the same name for
    /// things (completions asked as chat), and is dropped elsewhere.
    #[must_use]
    pub fn treatment(&self, client: Dialect, member: &str) -> Treatment {
        let _ = member;
        if client == Dialect::Completions { Treatment::Native } else { Treatment::Dropped }
    }
}

impl Family {
    /// STUB
    #[must_use]
    pub fn lacks(&self, feature: crate::Feature) -> bool {
        self.endpoints.has(Dialect::Messages)
            && matches!(feature, crate::Feature::Logprobs | crate::Feature::Samples)
    }
}

/// A family for the tests of those who only need one.
#[cfg(test)]
pub(crate) static PLAIN: Family =
    Family { endpoints: Endpoints::NONE, max_output: Some(64_000), thinking: Thinking::Budget };

static STUB_OPENAI: Family = Family {
    endpoints: Endpoints::NONE
        .with(Dialect::Completions)
        .with(Dialect::Chat)
        .with(Dialect::Embeddings)
        .with(Dialect::Responses),
    max_output: None,
    thinking: Thinking::None,
};
static STUB_ANTHROPIC: Family = Family {
    endpoints: Endpoints::NONE.with(Dialect::Messages).with(Dialect::CountTokens),
    max_output: Some(64_000),
    thinking: Thinking::Budget,
};
/// STUB
#[must_use]
pub fn family(preset: &str, _model: &str) -> &'static Family {
    if preset == "anthropic" { &STUB_ANTHROPIC } else { &STUB_OPENAI }
}
