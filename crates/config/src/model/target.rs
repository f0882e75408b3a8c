//! One target of a model: where it is, its share, and what it cannot do.

use super::Endpoint;
use crate::text::{As, Name};
use schemars::JsonSchema;
use serde::Deserialize;
use std::borrow::Cow;

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
    /// Share of the requests, relative to the model's other targets of the same priority.
    #[schemars(extend("default" = 1))]
    pub weight: u32,
    /// Lower is asked first; the next one only when no target of this one can answer.
    #[schemars(extend("default" = 0))]
    pub priority: u32,
    /// Tokens of prompt and answer together that this target takes; larger requests skip it.
    #[schemars(range(min = 1))]
    pub context_window: Option<u64>,
    /// Tokens of the largest answer that this target gives; requests that ask for more skip it.
    #[schemars(range(min = 1))]
    pub max_output_tokens: Option<u64>,
    /// The endpoints that this target has itself, where it differs from what its provider has.
    pub endpoints: Option<Vec<Endpoint>>,
    /// How the prompt of a completion is put to a target that has only conversations: the text of the one user
    /// message, in which `{prompt}` stands for the prompt. Absent: the prompt itself.
    pub prompt_template: Option<String>,
    /// What this target cannot do; requests that need it skip the target.
    #[schemars(extend("default" = []))]
    pub lacks: Vec<Feature>,
}

/// Something that a request may need and not every target can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Calling tools (functions).
    Tools,
    /// Images in messages.
    Images,
    /// Answers of a shape that the request asks for (`response_format`).
    StructuredOutput,
    /// Log probabilities of the answer's tokens.
    Logprobs,
    /// More than one answer to a request (`n`, `best_of`).
    Samples,
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
            let target = Target {
                provider: String::new(),
                model: model.to_owned(),
                weight: 1,
                priority: 0,
                context_window: None,
                max_output_tokens: None,
                endpoints: None,
                prompt_template: None,
                lacks: Vec::new(),
            };
            assert_eq!(target.upstream_model(pattern, requested), expected, "{model} for {pattern}");
        }
    }
}
