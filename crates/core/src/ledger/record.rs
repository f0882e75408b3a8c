//! What is written down of a request: plain data, cheap to make.
//!
//! Names that come from the configuration are shared, so that a record costs a handful of counters and one
//! allocation. Numbers are as the request ended with them; limits of what a file can hold are `store`'s.

use crate::telemetry::labels::{AttemptOutcome, CacheResult, EndpointLabel, Outcome};
use jiff::Timestamp;
use sluice_protocol::usage::Usage;
use smallvec::SmallVec;
use std::{net::IpAddr, sync::Arc, time::Duration};

/// One accepted request.
#[derive(Debug, Clone)]
pub struct UsageRecord {
    /// The request's id. A client may have chosen it, and chosen it twice.
    pub id: Arc<str>,
    /// When the request ended; the day that it counts for, in UTC.
    pub ended: Timestamp,
    /// From its first byte to the answer's last.
    pub took: Duration,
    /// Who pays.
    pub tenant: Arc<str>,
    /// Name of the key.
    pub key: Arc<str>,
    /// Which endpoint.
    pub endpoint: EndpointLabel,
    /// The configured model; absent when none was found.
    pub model: Option<Arc<str>>,
    /// Who answered, or was tried last.
    pub target: Option<TargetName>,
    /// Was it a stream?
    pub stream: bool,
    /// Status that the client saw; 0 when it saw none.
    pub status: u16,
    /// How it ended.
    pub end: Outcome,
    /// The code in the error body.
    pub error_code: Option<&'static str>,
    /// What the response cache made of it; absent when it was not come to.
    pub cache: Option<CacheResult>,
    /// Tries at upstreams, in order.
    pub attempts: SmallVec<[AttemptRecord; 1]>,
    /// Tokens that were bought, those of all attempts together; absent when nothing is known or was asked.
    pub counted: Option<Counted>,
    /// What they cost; absent when there is no price.
    pub cost: Option<Cost>,
    /// Tags of the request, by configured name.
    pub tags: Box<[(Arc<str>, Box<str>)]>,
    /// The end user that the client named.
    pub user: Option<Box<str>>,
    /// Where the client is, behind trusted proxies.
    pub client: Option<IpAddr>,
}

/// One try at an upstream.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// Where.
    pub target: TargetName,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// The upstream's status, when it sent one.
    pub status: Option<u16>,
    /// What stopped it, where the outcome alone says too little; a closed word.
    pub reason: Option<&'static str>,
    /// How long it took.
    pub took: Duration,
    /// Tokens that this try used up.
    pub counted: Option<Counted>,
    /// What they cost, in nano-dollars; absent when there is no price.
    pub nano_usd: Option<u64>,
}

/// A provider and its name for a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetName {
    /// Configured name of the provider.
    pub provider: Arc<str>,
    /// The provider's name for the model.
    pub model: Arc<str>,
}

/// Tokens, and who counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// How many.
    pub tokens: Tokens,
    /// By whose count.
    pub source: TokenSource,
}

/// Tokens by class. The first four are disjoint, so that sums are safe; `reasoning` is a part of `output`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Prompt tokens that no prompt cache knew.
    pub input: u64,
    /// Prompt tokens read from the provider's prompt cache.
    pub cache_read: u64,
    /// Prompt tokens written to the provider's prompt cache.
    pub cache_write: u64,
    /// Answer tokens.
    pub output: u64,
    /// Answer tokens spent on reasoning.
    pub reasoning: u64,
}

impl Tokens {
    /// The whole prompt.
    #[must_use]
    pub fn prompt(self) -> u64 {
        self.input.saturating_add(self.cache_read).saturating_add(self.cache_write)
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
        }
    }
}

/// An upstream's counts, brought to disjoint classes.
impl From<&Usage> for Tokens {
    fn from(usage: &Usage) -> Self {
        Self {
            input: usage.input.saturating_sub(usage.cache_read).saturating_sub(usage.cache_write),
            cache_read: usage.cache_read,
            cache_write: usage.cache_write,
            output: usage.output,
            reasoning: usage.reasoning,
        }
    }
}

/// Who counted tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenSource {
    /// The provider told.
    Provider,
    /// Sluice estimated: the answer was cut before the provider told.
    Estimated,
}

impl TokenSource {
    /// The word in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Estimated => "estimated",
        }
    }
}

/// Money, and the price list it was reckoned by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// 10⁻⁹ USD.
    pub nano_usd: u64,
    /// Version of the prices.
    pub prices: Arc<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_tokens_do_not_overlap() {
        let usage = Usage {
            input: 100,
            output: 20,
            cache_read: 64,
            cache_write: 16,
            cache_write_long: 4,
            reasoning: 12,
        };
        let tokens = Tokens::from(&usage);
        assert_eq!(tokens, Tokens { input: 20, cache_read: 64, cache_write: 16, output: 20, reasoning: 12 });
        assert_eq!(tokens.input + tokens.cache_read + tokens.cache_write, usage.input);
        let odd = Usage { input: 1, cache_read: 5, ..usage };
        assert_eq!(Tokens::from(&odd).input, 0, "odd counts do not wrap");
    }

    #[test]
    fn a_record_is_small() {
        // A full queue of them is what a stuck disk costs.
        assert!(size_of::<UsageRecord>() <= 512, "{}", size_of::<UsageRecord>());
    }
}
