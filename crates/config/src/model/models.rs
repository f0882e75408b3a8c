//! `models` and `prices`: the names that clients may ask for, and where each one leads.

use super::{CacheOverride, Limits, Ratio, ResilienceOverride, Target};
use crate::text::{self, As, Name, Percentile};
use schemars::JsonSchema;
use serde::Deserialize;

/// One name that clients may ask for.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Exact, ending in `*`, or `*` (catch-all). Exact beats the longest prefix.
    #[schemars(with = "As<Name>")]
    pub name: String,
    /// Further exact names under which clients may ask for this model; none for a model whose `name` ends in `*`.
    /// Rights are checked on the name asked for: a key that may use `name` may use an alias only if its `models`
    /// match that too.
    #[schemars(with = "Vec<As<Name>>", extend("default" = []))]
    pub aliases: Vec<String>,
    /// Where it leads; lower priority first, equal priorities share by the strategy.
    pub targets: Vec<Target>,
    /// Exact names of other models. They are tried in this order after the model's own targets, where the caller's
    /// key may use them. A fallback's own `fallbacks` are not followed.
    #[schemars(with = "Vec<As<Name>>", extend("default" = []))]
    pub fallbacks: Vec<String>,
    /// Tokens of prompt and answer together.
    #[schemars(range(min = 1))]
    pub context_window: Option<u64>,
    /// Tokens of the largest answer that may be asked for.
    #[schemars(range(min = 1))]
    pub max_output_tokens: Option<u64>,
    /// Which streams that break after their first content go on from another target, instead of ending with an
    /// error event.
    #[schemars(extend("default" = "none"))]
    pub resume: Resume,
    /// How targets of equal priority share the requests. A cacheable request (see `cache`) always picks among them
    /// by a hash of itself, so that equal requests meet the same target on every replica.
    #[schemars(extend("default" = "weighted"))]
    pub strategy: Strategy,
    /// Requests of a tenant that share a stable prefix (tools, system, first message) meet the same target and the
    /// same key of its pool while these are healthy, so that the provider's prompt cache is of use. Decides before
    /// `strategy`, which is left with requests that have no such prefix.
    #[schemars(extend("default" = false))]
    pub prompt_cache_affinity: bool,
    /// The first rule that matches replaces the model's targets; none: they stay.
    #[schemars(extend("default" = []))]
    pub rules: Vec<Rule>,
    /// Refuse a request whose members the target would have to drop.
    #[schemars(extend("default" = false))]
    pub strict: bool,
    /// Limits of all callers of this model together, beside each key's own.
    pub limits: Option<Limits>,
    /// Overrides of `cache`.
    pub cache: Option<CacheOverride>,
    /// Overrides of `resilience`.
    pub resilience: Option<ResilienceOverride>,
    /// A second request, to another target, when the first is slow to begin; the answer that begins first is
    /// sent, the other request is cancelled. Absent: never.
    pub hedge: Option<Hedge>,
}

impl Model {
    /// All names under which it may be asked for: its own, then its aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.aliases).map(String::as_str)
    }
}

/// A routing rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// All members that are set must hold.
    pub when: Condition,
    /// What the model's targets are replaced by.
    pub targets: Vec<Target>,
}

/// What a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The caller's tenant.
    pub tenant: Option<String>,
    /// The caller's key, by name.
    pub key: Option<String>,
    /// A request header.
    pub header: Option<HeaderCondition>,
    /// At least so many estimated prompt tokens.
    pub min_input_tokens: Option<u64>,
    /// Streamed or not.
    pub stream: Option<bool>,
    /// With tools or without.
    pub tools: Option<bool>,
}

/// A header that must have a value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderCondition {
    /// Name, lower case.
    pub name: String,
    /// Exact value.
    pub equals: String,
}

/// How targets of equal priority share the requests that are not cacheable; cacheable ones pick by a hash of
/// themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// By weight, drawn per request.
    Weighted,
    /// Two targets are drawn, the faster one is asked: peak-EWMA of the time to the first byte, power of two
    /// choices.
    LeastLatency,
    /// The one with the fewest requests in flight per weight.
    LeastBusy,
    /// The one with the lowest price of the request's estimated tokens.
    Cheapest,
    /// Requests of one session meet the same target. The session is named by the header `x-sluice-session`, else
    /// by the body's `user` (per tenant); requests without one are drawn by weight.
    Session,
}

impl Strategy {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Weighted => "weighted",
            Self::LeastLatency => "least_latency",
            Self::LeastBusy => "least_busy",
            Self::Cheapest => "cheapest",
            Self::Session => "session",
        }
    }
}

/// Which broken streams go on from another target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resume {
    /// None.
    None,
    /// Those of text completions.
    Completions,
    /// Those of seeded or temperature-0 requests.
    Deterministic,
}

/// A second request when the first is slow.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hedge {
    /// How long the first request may wait: this percentile, p50 to p99.9, of the time to the first byte as it
    /// was learned.
    // `0.95` for `p95`.
    #[serde(deserialize_with = "text::required::<Percentile, _>")]
    #[schemars(with = "As<Percentile>")]
    pub after: f64,
    /// Largest share of the model's requests that may be hedged.
    // A share that one can live with: 20% would be a fifth more requests.
    #[schemars(extend("examples" = ["2%"]))]
    pub max_ratio: Ratio,
}

/// USD per million tokens.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// A provider's name.
    #[schemars(with = "As<Name>")]
    pub provider: String,
    /// The upstream's model, may end in `*`.
    #[schemars(with = "As<Name>")]
    pub model: String,
    /// Uncached input.
    #[schemars(range(min = 0))]
    pub input: f64,
    /// Input read from the provider's prompt cache; defaults to `input`.
    #[schemars(range(min = 0))]
    pub cached_input: Option<f64>,
    /// Input written to the provider's prompt cache; defaults to `input`.
    #[schemars(range(min = 0))]
    pub cache_write: Option<f64>,
    /// Input written there to live for an hour; defaults to `cache_write`.
    #[schemars(range(min = 0))]
    pub cache_write_1h: Option<f64>,
    /// Output.
    #[schemars(range(min = 0))]
    pub output: f64,
}
