//! What can be asked for.

use crate::reply::Family;

/// An endpoint that counts as a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Completions,
    Chat,
    Embeddings,
    Responses,
    Messages,
    CountTokens,
    Models,
}

impl Endpoint {
    /// The endpoint at the end of a path; `models/{id}` belongs to `models`.
    pub(crate) fn at(rest: &str) -> Option<Self> {
        Some(match rest {
            "completions" => Self::Completions,
            "chat/completions" => Self::Chat,
            "embeddings" => Self::Embeddings,
            "responses" => Self::Responses,
            "messages" => Self::Messages,
            "messages/count_tokens" => Self::CountTokens,
            models if models == "models" || models.starts_with("models/") => Self::Models,
            _ => return None,
        })
    }

    /// Its path, for the counters, whichever provider is played.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Completions => "/v1/completions",
            Self::Chat => "/v1/chat/completions",
            Self::Embeddings => "/v1/embeddings",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages",
            Self::CountTokens => "/v1/messages/count_tokens",
            Self::Models => "/v1/models",
        }
    }

    /// The one method it takes.
    pub(crate) fn method(self) -> &'static str {
        if self == Self::Models { "GET" } else { "POST" }
    }

    /// Whether it answers with text, which may stream.
    pub(crate) fn talks(self) -> bool {
        matches!(self, Self::Completions | Self::Chat | Self::Responses | Self::Messages)
    }

    /// Whose errors it answers.
    pub(crate) fn family(self) -> Family {
        if matches!(self, Self::Messages | Self::CountTokens) { Family::Anthropic } else { Family::OpenAi }
    }
}
