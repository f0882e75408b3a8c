//! `models` and `prices`: the names that clients may ask for, and where each one leads.

use super::{CacheOverride, Limits, Ratio, ResilienceOverride};
use crate::text::{self, As, Name, Percentile};
use schemars::JsonSchema;
use serde::Deserialize;
use std::borrow::Cow;

/// One name that clients may ask for.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Exact, ending in `*`, or `*` (catch-all). Exact beats the longest prefix.
    #[schemars(with = "As<Name>")]
    pub name: String,
    /// Where it leads; lower priority first, equal priorities share by the strategy.
    pub targets: Vec<Target>,
    /// Tokens of prompt and answer together.
    #[schemars(range(min = 1))]
    pub context_window: Option<u64>,
    /// Largest answer that may be asked for.
    #[schemars(range(min = 1))]
    pub max_output_tokens: Option<u64>,
    /// Continuing a cut stream on another target.
    #[schemars(extend("default" = "none"))]
    pub resume: Resume,
    /// How equal targets share.
    #[schemars(extend("default" = "weighted"))]
    pub strategy: Strategy,
    /// Requests with the same prefix meet the same target.
    #[schemars(extend("default" = false))]
    pub prompt_cache_affinity: bool,
    /// First match wins and replaces the targets.
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
    /// A second request when the first is slow.
    pub hedge: Option<Hedge>,
}

/// One place that can answer a model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// A provider's name.
    #[schemars(with = "As<Name>")]
    pub provider: String,
    /// The upstream's name for the model; `*` alone is the whole requested name, `prefix*` and `{rest}` carry what
    /// the `*` of the model's own name stood for.
    #[schemars(with = "As<Name>")]
    pub model: String,
    /// Share among equal priorities.
    #[schemars(extend("default" = 1))]
    pub weight: u32,
    /// Lower is asked first.
    #[schemars(extend("default" = 0))]
    pub priority: u32,
}

impl Target {
    /// The model to ask the upstream for, when a client asked for `requested` and `pattern` (a model's
    /// `name`) matched it:
    ///
    /// | `model` | sent upstream |
    /// | --- | --- |
    /// | `gpt-4o` | `gpt-4o` |
    /// | `*` | the whole requested name |
    /// | `claude-*`, `claude-{rest}` | `claude-` and what the pattern's `*` stood for |
    /// | `{rest}` | what the pattern's `*` stood for, alone: `openai/*` asked for `openai/gpt-4o` sends `gpt-4o` |
    #[must_use]
    pub fn upstream_model<'a>(&'a self, pattern: &str, requested: &'a str) -> Cow<'a, str> {
        // Most names are plain. Asked for every request, so without a search for more than two characters.
        if !self.model.bytes().any(|byte| matches!(byte, b'*' | b'{')) {
            return Cow::Borrowed(&self.model);
        }
        if self.model == "*" {
            return Cow::Borrowed(requested);
        }
        let Some((before, after)) = self.model.split_once(REST).or_else(|| self.model.split_once('*')) else {
            return Cow::Borrowed(&self.model);
        };
        let prefix = pattern.strip_suffix('*').unwrap_or(pattern);
        let rest = requested.strip_prefix(prefix).unwrap_or(requested);
        if before.is_empty() && after.is_empty() {
            return Cow::Borrowed(rest);
        }
        Cow::Owned(format!("{before}{rest}{after}"))
    }

    /// Everything that [`Self::upstream_model`] can make, as a pattern.
    pub(crate) fn upstream_pattern(&self) -> Cow<'_, str> {
        match self.model.split_once(REST) {
            Some((before, _)) => Cow::Owned(format!("{before}*")),
            None => Cow::Borrowed(&self.model),
        }
    }

    /// How often the matched rest stands in `model`.
    pub(crate) fn rests(&self) -> usize {
        self.model.matches(REST).count() + self.model.matches('*').count()
    }
}

/// What a pattern's `*` stood for, in a target's `model`.
const REST: &str = "{rest}";

/// A routing rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// All members that are set must hold.
    pub when: Condition,
    /// Replace the model's targets.
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

/// How equal targets share requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resume {
    /// Never.
    None,
    /// Text completions only.
    Completions,
    /// Seeded or temperature-0 requests.
    Deterministic,
}

/// A second request when the first is slow.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hedge {
    /// Learned percentile of the first byte, `0.95` for `p95`.
    #[serde(deserialize_with = "text::required::<Percentile, _>")]
    #[schemars(with = "As<Percentile>")]
    pub after: f64,
    /// Largest share of requests that may be hedged.
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
    /// Output.
    #[schemars(range(min = 0))]
    pub output: f64,
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn a_target_carries_the_rest_of_the_name_where_it_says_so() {
        for (model, pattern, requested, expected) in [
            ("gpt-4o", "smart", "smart", "gpt-4o"),
            ("gpt-4o", "gpt-*", "gpt-4.1", "gpt-4o"),
            ("*", "openai/*", "openai/gpt-4o", "openai/gpt-4o"),
            ("*", "*", "anything/at all", "anything/at all"),
            ("claude-*", "claude-*", "claude-opus", "claude-opus"),
            ("anthropic/claude-*", "c-*", "c-opus", "anthropic/claude-opus"),
            ("{rest}", "openai/*", "openai/gpt-4o", "gpt-4o"),
            ("{rest}", "*", "gpt-4o", "gpt-4o"),
            ("ft:{rest}:acme", "tuned-*", "tuned-4o", "ft:4o:acme"),
            ("{rest}", "openai/*", "openai/", ""),
            ("{rest}", "a/*", "a/a/*{rest}", "a/*{rest}"),
        ] {
            let target = Target { provider: String::new(), model: model.to_owned(), weight: 1, priority: 0 };
            assert_eq!(target.upstream_model(pattern, requested), expected, "{model} for {pattern}");
        }
    }
}
