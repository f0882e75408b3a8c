//! What clients speak: the request dialects, and for each a table of the members that are checked.
//!
//! A table is data; [`check`] is the one reader of tables. A member that no table names is accepted with any
//! value and travels on untouched. Paths, answers and streams are not described here.

pub(crate) mod check;
pub(crate) mod places;
mod schema;

mod chat;
mod completions;
mod embeddings;
mod messages;
mod responses;

pub(crate) use schema::Schema;

/// The request formats, each with its own path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `POST …/completions`: text completion, the contract's endpoint.
    Completions,
    /// `POST …/chat/completions`
    Chat,
    /// `POST …/embeddings`
    Embeddings,
    /// `POST …/responses`
    Responses,
    /// `POST …/messages`, Anthropic's.
    Messages,
    /// `POST …/messages/count_tokens`: the same body, asked how long it is.
    CountTokens,
}

impl Dialect {
    /// Every dialect, in the order of declaration.
    pub const ALL: [Self; 6] =
        [Self::Completions, Self::Chat, Self::Embeddings, Self::Responses, Self::Messages, Self::CountTokens];

    /// A short name for labels and log lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completions => "completions",
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
        }
    }

    /// Is it one of Anthropic's, whose errors, headers and credentials have forms of their own?
    #[must_use]
    pub const fn is_anthropic(self) -> bool {
        matches!(self, Self::Messages | Self::CountTokens)
    }

    /// Does it have streams?
    #[must_use]
    pub const fn has_streams(self) -> bool {
        !matches!(self, Self::Embeddings | Self::CountTokens)
    }
}

/// How closely a body is held to a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// The contract's schema to the letter. Only completions have one; elsewhere it means [`Open`](Self::Open).
    Strict,
    /// The vendor's wider types, null for unset; only what the gateway reads or what could never work.
    Open,
}

/// The table for a body.
pub(crate) fn schema(dialect: Dialect, profile: Profile) -> &'static Schema {
    match (dialect, profile) {
        (Dialect::Completions, Profile::Strict) => &completions::STRICT,
        (Dialect::Completions, Profile::Open) => &completions::OPEN,
        (Dialect::Chat, _) => &chat::OPEN,
        (Dialect::Embeddings, _) => &embeddings::OPEN,
        (Dialect::Responses, _) => &responses::OPEN,
        (Dialect::Messages, _) => &messages::OPEN,
        (Dialect::CountTokens, _) => &messages::COUNT,
    }
}
