//! A stored answer: what the upstream sent, and what is needed to give it away again.
//!
//! It is the same in every tier. How it is written down for Redis is `record`'s; whether it may still be given
//! to a client is asked of `generations` and of [`Entry::left`]; rendering one form as the other is not here.

use crate::cache::generations::Generation;
use bytes::Bytes;
use http::HeaderValue;
use sluice_protocol::{dialect::Dialect, usage::Usage};
use smallvec::SmallVec;
use std::{
    fmt,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

/// What an entry costs beside its bytes, as measured with 100,000 of them: the entry itself, its place, its key in the
/// tables of the memory tier, and what the heap rounds up.
const OVERHEAD: usize = 928;

/// A life is shortened by at most one part in this many.
const JITTER: u64 = 10;

/// How the answer came: decides which clients get it byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON document.
    Plain,
    /// Server-sent events.
    Stream,
}

/// Whose answer it is: the names that it can be purged by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags {
    /// Tenant of the key.
    pub tenant: Arc<str>,
    /// Name of the key in the configuration; never the secret.
    pub key: Arc<str>,
    /// Name of the model in the configuration.
    pub model: Arc<str>,
}

/// A stored answer, as the upstream sent it.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// How it came.
    pub form: Form,
    /// The format it is in.
    pub dialect: Dialect,
    /// The whole JSON document, or all events with their terminal one. To be an allocation of its own: a slice
    /// of a larger buffer would hold that buffer for an hour, uncounted.
    pub body: Bytes,
    /// Where events that carry nothing but the usage stand in `body`, in ascending order.
    pub usage_events: SmallVec<[Range<usize>; 1]>,
    /// Tokens, as the upstream counted them.
    pub usage: Option<Usage>,
    /// Tokens of the prompt, as they were estimated when it was asked. Known to the process that asked; not in Redis.
    pub prompt_tokens: Option<u64>,
    /// The provider that answered.
    pub provider: Arc<str>,
    /// The provider's name of the model.
    pub model: Arc<str>,
    /// The two with their header texts, where they can be such.
    pub giver: Option<Giver>,
    /// Whose answer it is.
    pub tags: Tags,
    /// The numbers that held when the look-up failed that led to this answer: a purge during the call to the
    /// upstream concerns it too.
    pub generation: Generation,
    /// Life granted, jitter included.
    pub ttl: Duration,
    /// When it was stored, by this process' clock. From Redis: arrival minus its age then.
    pub born: Instant,
}

/// Who gives an answer: names, and the same as header texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Giver {
    /// The provider's name.
    pub provider: Arc<str>,
    /// See `provider`.
    pub provider_header: HeaderValue,
    /// The upstream's name of the model.
    pub model: Arc<str>,
    /// See `model`.
    pub model_header: HeaderValue,
}

impl Giver {
    /// Of names alone, as they come from Redis.
    #[must_use]
    pub fn new(provider: &Arc<str>, model: &Arc<str>) -> Option<Self> {
        Some(Self {
            provider_header: HeaderValue::from_str(provider).ok()?,
            model_header: HeaderValue::from_str(model).ok()?,
            provider: provider.clone(),
            model: model.clone(),
        })
    }
}

impl Entry {
    /// Time since it was stored: `Age`.
    #[must_use]
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.born)
    }

    /// What is left of its life; zero when it must not be given away any more.
    #[must_use]
    pub fn left(&self, now: Instant) -> Duration {
        self.ttl.saturating_sub(self.age(now))
    }

    /// Bytes that it takes up in memory.
    #[must_use]
    pub fn weight(&self) -> u32 {
        let Tags { tenant, key, model } = &self.tags;
        let names = self.provider.len() + self.model.len() + tenant.len() + key.len() + model.len();
        let spilled = if self.usage_events.spilled() { self.usage_events.capacity() } else { 0 };
        let events = spilled.saturating_mul(size_of::<Range<usize>>());
        let bytes = OVERHEAD.saturating_add(self.body.len()).saturating_add(names).saturating_add(events);
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

/// Without the body: prompts and answers are nobody's business in a log.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("form", &self.form)
            .field("dialect", &self.dialect)
            .field("bytes", &self.body.len())
            .field("usage", &self.usage)
            .field("provider", &self.provider)
            .field("model", &self.model)
            .field("tags", &self.tags)
            .field("generation", &self.generation)
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

/// The life to grant: 90 to 100 % of `ttl`, at random, so that what was stored together does not expire together
/// and meet the upstream all at once. Whole milliseconds, as Redis counts them; never longer than `ttl`.
#[must_use]
pub fn life(ttl: Duration) -> Duration {
    let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(ttl.saturating_sub(fastrand::u64(0..=ttl / JITTER)))
}

#[cfg(test)]
#[path = "entry_tests.rs"]
pub(crate) mod tests;
