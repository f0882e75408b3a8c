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
    /// Of those the ones that live for an hour, which cost more; part of `cache_write`.
    pub cache_write_long: u64,
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
    cache_write_short: Option<u64>,
    cache_write_long: Option<u64>,
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
            | "output_tokens_details"
            | "cache_creation" => members(scanner, |scanner, name| self.set(name, scanner)),
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
            // Anthropic tells apart how long they live.
            "ephemeral_5m_input_tokens" => &mut self.cache_write_short,
            "ephemeral_1h_input_tokens" => &mut self.cache_write_long,
            // OpenAI; Anthropic.
            "reasoning_tokens" | "thinking_tokens" => &mut self.reasoning,
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
        let (short, long) =
            (self.cache_write_short.unwrap_or_default(), self.cache_write_long.unwrap_or_default());
        let cache_write = self.cache_write.unwrap_or_else(|| short.saturating_add(long));
        let mut usage = Usage {
            input: self.input.unwrap_or_default(),
            output: self.output.unwrap_or_default(),
            cache_read: self.cache_read.unwrap_or_default(),
            cache_write,
            cache_write_long: long,
            reasoning: self.reasoning.unwrap_or_default(),
        };
        if dialect.is_anthropic() {
            // Anthropic's `input_tokens` are those that the prompt cache had no part in.
            usage.input = usage.input.saturating_add(usage.cache_read).saturating_add(usage.cache_write);
        } else if self.input.is_some() && self.output.is_some() {
            usage.add_what_a_total_has_more(self.total.unwrap_or_default());
        }
        usage.make_disjoint(self.total.is_some());
        Some(usage)
    }
}

impl Usage {
    /// Some count beside prompt and answer what others count in them, or do not tell it at all; their total gives it
    /// away.
    fn add_what_a_total_has_more(&mut self, total: u64) {
        let more = total.saturating_sub(self.input.saturating_add(self.output));
        let cached = self.cache_read.saturating_add(self.cache_write);
        if more == cached && more != self.reasoning {
            self.input = self.input.saturating_add(more);
            return;
        }
        self.output = self.output.saturating_add(more);
        if self.reasoning == 0 {
            self.reasoning = more;
        }
    }

    /// No part is larger than what it is part of.
    fn make_disjoint(&mut self, total_is_known: bool) {
        self.cache_read = self.cache_read.min(self.input);
        self.cache_write = self.cache_write.min(self.input - self.cache_read);
        self.cache_write_long = self.cache_write_long.min(self.cache_write);
        // More reasoning than the answer has tokens is no part of it. By a total that leaves it out it is none of
        // these tokens (Perplexity); without a total it stands beside the answer.
        match self.reasoning > self.output {
            true if total_is_known => self.reasoning = 0,
            true => self.output = self.output.saturating_add(self.reasoning),
            false => {}
        }
    }
}

#[cfg(test)]
#[path = "usage_tests.rs"]
mod tests;
