//! Token counts, read from whatever form an upstream gives them in and brought to one meaning.
//!
//! Prices and estimates are not here: this only repeats what an upstream said.

use crate::dialect::Dialect;
use crate::json::{JsonError, Kind, Scanner};
use crate::lenient::{count, members};

/// Tokens of one answer, as the upstream counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// All tokens of the prompt, those from and to the prompt cache included.
    pub input: u64,
    /// All tokens of the answer, reasoning included.
    pub output: u64,
    /// Prompt tokens read from the provider's prompt cache; part of `input`.
    pub cache_read: u64,
    /// Prompt tokens written to the provider's prompt cache; part of `input`.
    pub cache_write: u64,
    /// Tokens spent on reasoning; part of `output`.
    pub reasoning: u64,
}

/// The counts of a `usage` object as they stand there. Streams repeat it with fewer or later counts: what
/// comes last wins.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    total: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    reasoning: Option<u64>,
}

impl Counts {
    /// Reads a `usage` value; says whether it was an object. Unknown members and odd values are passed over:
    /// a strange count must not make a good answer bad.
    pub(crate) fn read(&mut self, scanner: &mut Scanner<'_>) -> Result<bool, JsonError> {
        if scanner.kind()? != Kind::Object {
            return Ok(false);
        }
        members(scanner, |scanner, name| match name {
            "prompt_tokens_details"
            | "input_tokens_details"
            | "completion_tokens_details"
            | "output_tokens_details" => members(scanner, |scanner, name| self.set(name, scanner)),
            name => self.set(name, scanner),
        })?;
        Ok(true)
    }

    fn set(&mut self, name: &str, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        let place = match name {
            "prompt_tokens" | "input_tokens" => &mut self.input,
            "completion_tokens" | "output_tokens" => &mut self.output,
            "total_tokens" => &mut self.total,
            // OpenAI; DeepSeek; Anthropic.
            "cached_tokens" | "prompt_cache_hit_tokens" | "cache_read_input_tokens" => &mut self.cache_read,
            "cache_write_tokens" | "cache_creation_input_tokens" => &mut self.cache_write,
            "reasoning_tokens" => &mut self.reasoning,
            _ => return Ok(()),
        };
        *place = count(scanner)?.or(*place);
        Ok(())
    }

    /// The counts in one meaning, once at least one side is known.
    pub(crate) fn usage(&self, dialect: Dialect) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let mut usage = Usage {
            input: self.input.unwrap_or_default(),
            output: self.output.unwrap_or_default(),
            cache_read: self.cache_read.unwrap_or_default(),
            cache_write: self.cache_write.unwrap_or_default(),
            reasoning: self.reasoning.unwrap_or_default(),
        };
        if dialect.is_anthropic() {
            // Anthropic's `input_tokens` are those that the prompt cache had no part in.
            usage.input = usage.input.saturating_add(usage.cache_read).saturating_add(usage.cache_write);
        }
        // Some count reasoning beside the answer, not in it; their total gives it away.
        let beside = usage.input.saturating_add(usage.output).saturating_add(usage.reasoning);
        if self.total == Some(beside) {
            usage.output = usage.output.saturating_add(usage.reasoning);
        }
        Some(usage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(dialect: Dialect, objects: &[&str]) -> Option<Usage> {
        let mut counts = Counts::default();
        for object in objects {
            counts.read(&mut Scanner::new(object.as_bytes())).expect("valid JSON");
        }
        counts.usage(dialect)
    }

    #[test]
    fn every_provider_s_names_are_known() {
        let chat = |object| usage(Dialect::Chat, &[object]);
        assert_eq!(
            chat(
                r#"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,
                    "prompt_tokens_details":{"cached_tokens":64,"cache_write_tokens":16,"audio_tokens":0},
                    "completion_tokens_details":{"reasoning_tokens":12,"accepted_prediction_tokens":0}}"#
            ),
            Some(Usage { input: 100, output: 20, cache_read: 64, cache_write: 16, reasoning: 12 }),
            "OpenAI"
        );
        assert_eq!(
            chat(
                r#"{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":5}"#
            ),
            Some(Usage { input: 9, output: 3, cache_read: 4, ..Usage::default() }),
            "DeepSeek"
        );
        assert_eq!(
            usage(
                Dialect::Responses,
                &[
                    r#"{"input_tokens":36,"input_tokens_details":{"cached_tokens":8},"output_tokens":87,"output_tokens_details":{"reasoning_tokens":7},"total_tokens":123}"#
                ]
            ),
            Some(Usage { input: 36, output: 87, cache_read: 8, cache_write: 0, reasoning: 7 }),
            "Responses"
        );
        assert_eq!(
            usage(Dialect::Embeddings, &[r#"{"prompt_tokens":5,"total_tokens":5}"#]),
            Some(Usage { input: 5, ..Usage::default() }),
            "embeddings"
        );
    }

    #[test]
    fn a_messages_stream_is_counted_over_both_of_its_usage_objects() {
        let start = r#"{"input_tokens":10,"cache_creation_input_tokens":200,"cache_read_input_tokens":3000,"output_tokens":1}"#;
        let delta = r#"{"output_tokens":42}"#;
        assert_eq!(
            usage(Dialect::Messages, &[start, delta]),
            Some(Usage { input: 3210, output: 42, cache_read: 3000, cache_write: 200, reasoning: 0 })
        );
    }

    #[test]
    fn reasoning_that_is_counted_beside_the_answer_is_added_to_it() {
        let beside = r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"completion_tokens_details":{"reasoning_tokens":100}}"#;
        assert_eq!(usage(Dialect::Chat, &[beside]).map(|usage| usage.output), Some(105));
    }

    #[test]
    fn odd_values_are_passed_over() {
        let odd = r#"{"prompt_tokens":7.0,"completion_tokens":null,"prompt_tokens_details":null,"completion_tokens_details":[1],
            "total_tokens":"9","cached_tokens":-3,"cache_write_tokens":1e99,"cost":{"usd":0.1}}"#;
        assert_eq!(usage(Dialect::Chat, &[odd]), Some(Usage { input: 7, ..Usage::default() }));
        assert_eq!(usage(Dialect::Chat, &["null", "{}", r#"{"cost":1}"#]), None);
    }
}
