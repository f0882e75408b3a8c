//! What is known of models and of those who serve them: which endpoints they have, and what becomes of a member
//! that a client sends.
//!
//! Data, not code: the tables are read from `data/`, dated, and the README's tables are made from them. Operators
//! overrule them per target; that is not here. A model of which nothing is known is treated as its kind is.

mod catalogue;
mod families;
mod members;

use crate::dialect::Dialect;
use crate::features::{Feature, Needs};
use crate::provider::Endpoints;

/// What becomes of a member on its way to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

impl Treatment {
    /// Every treatment, from the best to the worst.
    pub const ALL: [Self; 5] = [Self::Native, Self::Translated, Self::Emulated, Self::Dropped, Self::Refused];

    /// The word in the tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Translated => "translated",
            Self::Emulated => "emulated",
            Self::Dropped => "dropped",
            Self::Refused => "refused",
        }
    }

    /// Does the client get what it asks for?
    #[must_use]
    pub const fn is_served(self) -> bool {
        matches!(self, Self::Native | Self::Translated | Self::Emulated)
    }
}

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinking {
    /// It does not, or not on demand.
    None,
    /// With a budget of tokens.
    Budget,
    /// By an effort, as much as it needs; as it likes where nothing is said.
    Adaptive,
    /// The same, and it cannot be told not to.
    Always,
}

impl Thinking {
    /// Is it told by an effort?
    #[must_use]
    pub const fn takes_efforts(self) -> bool {
        matches!(self, Self::Adaptive | Self::Always)
    }
}

/// What models of one family have in common at one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// Most tokens of an answer.
    pub max_output: Option<u64>,
    /// How it is told to think.
    pub thinking: Thinking,
    /// The endpoints that it has itself.
    pub endpoints: Endpoints,
    /// What it is spoken to in by those whose endpoint it has not; absent where no table says anything of it.
    pub(crate) via: Option<Dialect>,
    /// Members of requests that go there in the client's own dialect.
    pub(crate) own: ByClient,
    /// Members of requests that are translated.
    pub(crate) translated: ByClient,
}

/// By client, in the order of [`Dialect::ALL`].
pub(crate) type ByClient = [Members; Dialect::ALL.len()];

/// The members with a row in the tables, in the order of their names.
pub(crate) type Members = &'static [(&'static str, Treatment)];

/// Nothing is known.
static UNKNOWN: Family = Family::UNKNOWN;

/// The family of a model at a provider: the row with the most letters that fits, of the provider itself, else of its
/// kind. `preset` is what `kind:` says; one that nobody knows is an OpenAI-compatible one.
#[must_use]
pub fn family(preset: &str, model: &str) -> &'static Family {
    catalogue::find(preset, model).unwrap_or(&UNKNOWN)
}

/// Is a member one that the tables name for any provider? Of others, clients can send any number.
#[must_use]
pub fn is_known_member(name: &str) -> bool {
    catalogue::knows(name)
}

/// What providers have no counterpart for, whatever the model: requests that need it are better served elsewhere.
#[must_use]
pub fn lacks(family: &Family) -> Needs {
    let asked_for = [
        (Feature::Tools, "tools"),
        (Feature::Images, "messages[].content[].image_url"),
        (Feature::StructuredOutput, "response_format"),
        (Feature::Logprobs, "logprobs"),
        (Feature::Samples, "n"),
    ];
    let is_lacking = |(_, member): &(Feature, &str)| !family.treatment(Dialect::Chat, member).is_served();
    asked_for.into_iter().filter(is_lacking).map(|(feature, _)| feature).collect()
}

impl Family {
    /// No table says anything of it.
    pub(crate) const UNKNOWN: Self = Self {
        max_output: None,
        thinking: Thinking::None,
        endpoints: Endpoints::NONE,
        via: None,
        own: [&[]; Dialect::ALL.len()],
        translated: [&[]; Dialect::ALL.len()],
    };

    /// Has the target this endpoint itself? Then a request goes there in the client's own words.
    #[must_use]
    pub fn serves(&self, dialect: Dialect) -> bool {
        self.endpoints.has(dialect)
    }

    /// The same, with these endpoints and no others, for an operator who knows better.
    #[must_use]
    pub const fn serving(self, endpoints: Endpoints) -> Self {
        Self { endpoints, ..self }
    }

    /// What the target is spoken to in when a client speaks `client`, if it can be at all.
    #[must_use]
    pub const fn wire(&self, client: Dialect) -> Option<Dialect> {
        self.endpoints.wire(client)
    }

    /// What becomes of a member that a client of this dialect sends, top-level unless the name has a path
    /// (`messages[].name`). A member that no table names goes as it is where both ends have the same name for
    /// things (the client's own endpoint, completions asked as chat), and is dropped elsewhere.
    #[must_use]
    pub fn treatment(&self, client: Dialect, member: &str) -> Treatment {
        self.named(client, member).unwrap_or_else(|| {
            let has_same_names =
                client == Dialect::Completions && self.via.is_none_or(|via| via == Dialect::Chat);
            if self.is_own(client) || has_same_names { Treatment::Native } else { Treatment::Dropped }
        })
    }

    /// Does a table say that a member of this client's is not taken? For members that every target has unless the
    /// tables know better.
    #[must_use]
    pub fn leaves_out(&self, client: Dialect, member: &str) -> bool {
        self.named(client, member).is_some_and(|treatment| !treatment.is_served())
    }

    /// What a table says of a member.
    fn named(&self, client: Dialect, member: &str) -> Option<Treatment> {
        let rows = if self.is_own(client) { &self.own } else { &self.translated };
        let rows = rows.get(client as usize).copied()?;
        let at = rows.binary_search_by(|(name, _)| (*name).cmp(member)).ok()?;
        rows.get(at).map(|(_, treatment)| *treatment)
    }

    /// Do requests of this dialect go there in it?
    fn is_own(&self, client: Dialect) -> bool {
        self.via.is_some() && self.serves(client)
    }
}

/// A family for the tests of those who only need one: no table says anything of it.
#[cfg(test)]
pub(crate) static PLAIN: Family =
    Family { max_output: Some(64_000), thinking: Thinking::Budget, ..Family::UNKNOWN };

#[cfg(test)]
#[path = "capability/capability_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "capability/readme_tests.rs"]
mod readme;

#[cfg(test)]
#[path = "capability/agreement_tests.rs"]
mod agreement;
