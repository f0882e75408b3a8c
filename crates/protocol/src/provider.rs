//! Upstreams as far as their wire format goes: kinds, well-known presets, and the body that a request takes
//! on its way there.
//!
//! Pure and synchronous. Addresses, credentials, connections, retries: not here.

mod drop_fields;
mod encode;
mod endpoints;
mod own_seals;
mod presets;

pub use drop_fields::{DropFieldFault, DropFields};
pub use encode::{Encoded, Encoding, encode};
pub use endpoints::Endpoints;
pub use presets::{PRESETS, Preset, preset};

use crate::dialect::Dialect;

/// The families of wire formats. Matches on it name every kind, so that a new one is a list of places to fill
/// in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderKind {
    /// OpenAI itself.
    OpenAi,
    /// Whatever speaks OpenAI's format and takes members that OpenAI would refuse.
    OpenAiCompatible,
    /// Anthropic.
    Anthropic,
    /// OpenAI on Azure: OpenAI's format under addresses and a credential of its own.
    Azure,
}

impl ProviderKind {
    /// The kind's name in configuration and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::OpenAiCompatible => "openai_compatible",
            Self::Anthropic => "anthropic",
            Self::Azure => "azure",
        }
    }
}

/// The path of a dialect's endpoint, to be appended to a `base_url`.
#[must_use]
pub const fn path(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Completions => "/completions",
        Dialect::Chat => "/chat/completions",
        Dialect::Embeddings => "/embeddings",
        Dialect::Responses => "/responses",
        Dialect::Messages => "/messages",
        Dialect::CountTokens => "/messages/count_tokens",
    }
}
