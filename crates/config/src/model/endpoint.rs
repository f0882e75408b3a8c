//! Endpoints by name, where an operator says which of them an upstream has.

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_protocol::{Dialect, provider::Endpoints};

/// An endpoint of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `/completions`
    Completions,
    /// `/chat/completions`
    Chat,
    /// `/embeddings`
    Embeddings,
    /// `/responses`
    Responses,
    /// `/messages`
    Messages,
    /// `/messages/count_tokens`
    CountTokens,
}

impl Endpoint {
    /// What is spoken there.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Completions => Dialect::Completions,
            Self::Chat => Dialect::Chat,
            Self::Embeddings => Dialect::Embeddings,
            Self::Responses => Dialect::Responses,
            Self::Messages => Dialect::Messages,
            Self::CountTokens => Dialect::CountTokens,
        }
    }

    /// All of a list.
    #[must_use]
    pub fn set(list: &[Self]) -> Endpoints {
        list.iter().map(|endpoint| endpoint.dialect()).collect()
    }
}
