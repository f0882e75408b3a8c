//! `models` and `prices`: the names that clients may ask for, and where each one leads.

use super::{CacheOverride, Ratio, ResilienceOverride};

/// One name that clients may ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Exact, ending in `*`, or `*` (catch-all). Exact beats the longest prefix.
    pub name: String,
    /// Where it leads; lower priority first, equal priorities share by the strategy.
    pub targets: Vec<Target>,
    /// Tokens of prompt and answer together.
    pub context_window: Option<u64>,
    /// Largest answer that may be asked for.
    pub max_output_tokens: Option<u64>,
    /// Continuing a cut stream on another target.
    pub resume: Resume,
    /// How equal targets share.
    pub strategy: Strategy,
    /// Requests with the same prefix meet the same target.
    pub prompt_cache_affinity: bool,
    /// First match wins and replaces the targets.
    pub rules: Vec<Rule>,
    /// Refuse a request whose members the target would have to drop.
    pub strict: bool,
    /// Overrides of `cache`.
    pub cache: Option<CacheOverride>,
    /// Overrides of `resilience`.
    pub resilience: Option<ResilienceOverride>,
    /// A second request when the first is slow.
    pub hedge: Option<Hedge>,
}

/// One place that can answer a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// A provider's name.
    pub provider: String,
    /// The upstream's name for the model; `*` in it carries the matched rest (or the whole name).
    pub model: String,
    /// Share among equal priorities.
    pub weight: u32,
    /// Lower is asked first.
    pub priority: u32,
}

/// A routing rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// All members that are set must hold.
    pub when: Condition,
    /// Replace the model's targets.
    pub targets: Vec<Target>,
}

/// What a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderCondition {
    /// Name, lower case.
    pub name: String,
    /// Exact value.
    pub equals: String,
}

/// How equal targets share requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// By weight.
    Weighted,
    /// The faster of two at random.
    LeastLatency,
    /// The one with fewer requests in flight.
    LeastBusy,
    /// The lowest price.
    Cheapest,
    /// Sticky by session.
    Session,
}

/// Continuing a cut stream on another target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// Never.
    None,
    /// Text completions only.
    Completions,
    /// Seeded or temperature-0 requests.
    Deterministic,
}

/// A second request when the first is slow.
#[derive(Debug, Clone, PartialEq)]
pub struct Hedge {
    /// Learned percentile of the first byte, `0.95` for `p95`.
    pub after: f64,
    /// Largest share of requests that may be hedged.
    pub max_ratio: Ratio,
}

/// USD per million tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// A provider's name.
    pub provider: String,
    /// The upstream's model, may end in `*`.
    pub model: String,
    /// Uncached input.
    pub input: f64,
    /// Input read from the provider's prompt cache; defaults to `input`.
    pub cached_input: Option<f64>,
    /// Input written to the provider's prompt cache; defaults to `input`.
    pub cache_write: Option<f64>,
    /// Output.
    pub output: f64,
}
