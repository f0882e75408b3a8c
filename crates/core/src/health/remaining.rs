//! What an upstream says is left of a key's limits, as it last said so.

use std::sync::atomic::{AtomicU64, Ordering};

/// Nothing has been said.
const UNKNOWN: u64 = u64::MAX;

/// See the module.
#[derive(Debug)]
pub struct Remaining {
    requests: AtomicU64,
    tokens: AtomicU64,
}

impl Default for Remaining {
    fn default() -> Self {
        Self { requests: AtomicU64::new(UNKNOWN), tokens: AtomicU64::new(UNKNOWN) }
    }
}

impl Remaining {
    /// Notes what was said; of what nothing was said, the last word holds.
    pub fn tell(&self, requests: Option<u64>, tokens: Option<u64>) {
        for (own, told) in [(&self.requests, requests), (&self.tokens, tokens)] {
            if let Some(told) = told {
                own.store(told, Ordering::Relaxed);
            }
        }
    }

    /// Requests, where it is known.
    #[must_use]
    pub fn requests(&self) -> Option<u64> {
        Some(self.requests.load(Ordering::Relaxed)).filter(|value| *value != UNKNOWN)
    }

    /// Tokens, where it is known.
    #[must_use]
    pub fn tokens(&self) -> Option<u64> {
        Some(self.tokens.load(Ordering::Relaxed)).filter(|value| *value != UNKNOWN)
    }
}
