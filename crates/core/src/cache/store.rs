//! Both tiers together: look up, keep, purge.
//!
//! Outlives a reload. The first tier answers at once; the second is asked by whoever leads a flight, and written
//! to behind the request's back.

use crate::{
    cache::{
        entry::{self, Entry, Form, Giver, Tags},
        flights::Flights,
        generations::{Generation, Generations, Purge},
        key::CacheKey,
        memory::MemoryTier,
        metrics::TierMetrics,
        redis::RedisTier,
        replay::{self, Slices},
    },
    telemetry::{
        labels::{CacheResult, CacheTier, StoreResult},
        metrics::Metrics,
    },
};
use bytes::Bytes;
use sluice_protocol::{Dialect, fitness, observe::Facts, usage::Usage};
use smallvec::SmallVec;
use std::{
    ops::Range,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

/// The response cache of one gateway.
pub struct ResponseCache {
    memory: Arc<MemoryTier>,
    memory_metrics: Arc<TierMetrics>,
    second: Option<Arc<RedisTier>>,
    /// Answers under way.
    pub flights: Arc<Flights>,
    generations: Arc<Generations>,
}

/// What a request has seen in the first tier, before it was known whether it may have an answer from there.
pub struct Seen {
    /// Weak: what is thrown out while a request stands in a line is not kept for it.
    entry: Option<Weak<Entry>>,
    /// Tokens of the prompt, where they were estimated for a stored answer.
    pub prompt_tokens: Option<u64>,
    /// When it looked.
    at: Instant,
    /// How long the look took.
    took: Duration,
}

/// For so long what was seen is what is there: a request that has waited since, for room, looks once more.
const FRESH: Duration = Duration::from_millis(1);

/// What a request does that gets no answer from the first tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// It boards a flight, which looks once more.
    Boards,
    /// It asks an upstream, or gives up.
    Asks,
}

impl Seen {
    /// Was there an answer?
    #[must_use]
    pub fn any(&self) -> bool {
        self.entry.is_some()
    }
}

/// What the second tier said.
pub enum Fetched {
    /// A stored answer.
    Hit(Arc<Entry>),
    /// None.
    Miss,
    /// It could not be asked.
    Trouble,
}

impl ResponseCache {
    /// A cache of `capacity` bytes of memory, with or without a second tier.
    #[must_use]
    pub fn new(
        capacity: u64,
        second: Option<Arc<RedisTier>>,
        generations: Arc<Generations>,
        metrics: &Metrics,
    ) -> Self {
        let memory_metrics = Arc::new(TierMetrics::new(metrics, CacheTier::Memory));
        let counted = memory_metrics.clone();
        let memory = MemoryTier::new(capacity, move |why| counted.evicted(why));
        Self { memory: Arc::new(memory), memory_metrics, second, flights: Arc::default(), generations }
    }

    /// The same answers and flights, over another second tier or none.
    #[must_use]
    pub fn with_second(&self, second: Option<Arc<RedisTier>>) -> Self {
        Self {
            memory: self.memory.clone(),
            memory_metrics: self.memory_metrics.clone(),
            second,
            flights: self.flights.clone(),
            generations: self.generations.clone(),
        }
    }

    /// A look into the first tier for an answer that is not older than `max_age`, for a request that may still be
    /// refused: not counted.
    #[must_use]
    pub fn peek(&self, key: &CacheKey, max_age: Option<Duration>) -> Seen {
        let began = Instant::now();
        let entry = self.recall_at(key, max_age, began);
        Seen {
            prompt_tokens: entry.as_ref().and_then(|entry| entry.prompt_tokens),
            entry: entry.as_ref().map(Arc::downgrade),
            at: began,
            took: began.elapsed(),
        }
    }

    /// A stored answer from the first tier, not older than `max_age`: the one that was seen, while it may be given.
    /// Who has seen none just now and will look again gets none.
    #[must_use]
    pub fn recall(
        &self,
        key: &CacheKey,
        max_age: Option<Duration>,
        seen: &Seen,
        otherwise: Otherwise,
    ) -> Option<Arc<Entry>> {
        let now = Instant::now();
        let may_be_given = |entry: &Arc<Entry>| !entry.left(now).is_zero() && self.fits(entry, max_age, now);
        let still = seen.entry.as_ref().and_then(Weak::upgrade).filter(may_be_given);
        let is_fresh = now.saturating_duration_since(seen.at) < FRESH;
        let will_do = still.is_some() || (!seen.any() && is_fresh && otherwise == Otherwise::Boards);
        let (found, took) =
            if will_do { (still, seen.took) } else { (self.recall_at(key, max_age, now), now.elapsed()) };
        let result = if found.is_some() { CacheResult::Hit } else { CacheResult::Miss };
        self.memory_metrics.looked_up(result, took);
        found
    }

    /// The same for a request that has looked before: not counted.
    #[must_use]
    pub fn recall_again(&self, key: &CacheKey, max_age: Option<Duration>) -> Option<Arc<Entry>> {
        self.recall_at(key, max_age, Instant::now())
    }

    fn recall_at(&self, key: &CacheKey, max_age: Option<Duration>, now: Instant) -> Option<Arc<Entry>> {
        self.memory.get(key, now).filter(|found| self.fits(found, max_age, now))
    }

    /// Neither purged nor too old for who asks.
    fn fits(&self, entry: &Entry, max_age: Option<Duration>, now: Instant) -> bool {
        self.generations.is_valid(entry) && young_enough(entry, max_age, now)
    }

    /// A stored answer from the second tier, not older than `max_age`; the first tier has it from then on.
    pub async fn fetch(&self, key: &CacheKey, max_age: Option<Duration>) -> Fetched {
        let Some(second) = &self.second else { return Fetched::Miss };
        let fetched = second.get(key).await;
        if let Fetched::Hit(entry) = &fetched {
            if !young_enough(entry, max_age, Instant::now()) {
                return Fetched::Miss;
            }
            self.memory.put(*key, entry.clone());
        }
        fetched
    }

    /// The generation of what is asked for now: an answer that is under way while its kind is purged is purged
    /// with it.
    #[must_use]
    pub fn generation(&self, tags: &Tags) -> Generation {
        self.generations.current(tags)
    }

    /// Keeps an answer in both tiers.
    fn store(&self, key: CacheKey, entry: &Arc<Entry>) -> bool {
        if !self.generations.is_valid(entry) {
            self.memory_metrics.stored(StoreResult::Unfit);
            return false;
        }
        // Without a memory tier nothing is too large for it.
        let kept = self.memory.capacity() > 0 && {
            let kept = self.memory.put(key, entry.clone());
            self.memory_metrics.stored(if kept { StoreResult::Ok } else { StoreResult::TooLarge });
            kept
        };
        let written = self.second.as_ref().is_some_and(|second| second.put(key, entry.clone()));
        kept || written
    }

    /// Makes all entries of a kind misses, here at once and at other replicas within a second. Tells whether
    /// the second tier, where there is one, knows of it already.
    pub async fn purge(&self, purge: &Purge) -> Option<bool> {
        let Some(second) = &self.second else {
            self.generations.bump(purge);
            return None;
        };
        Some(second.purge(purge).await)
    }

    /// Bytes in the first tier, its size, its entries.
    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        self.memory.settle();
        Occupancy {
            bytes: self.memory.bytes(),
            capacity: self.memory.capacity(),
            entries: self.memory.entries(),
        }
    }

    /// Is there a second tier?
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.second.is_some()
    }
}

/// How full the first tier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occupancy {
    /// Bytes in use.
    pub bytes: u64,
    /// Bytes that may be used.
    pub capacity: u64,
    /// Entries.
    pub entries: u64,
}

fn young_enough(entry: &Entry, max_age: Option<Duration>, now: Instant) -> bool {
    max_age.is_none_or(|limit| entry.age(now) <= limit)
}

/// How the answer to one request is kept: decided before it is asked for.
pub struct Keep {
    /// Where.
    pub cache: Arc<ResponseCache>,
    /// Under which key.
    pub key: CacheKey,
    /// How long.
    pub ttl: Duration,
    /// Largest answer.
    pub limit: usize,
    /// Whose it is.
    pub tags: Tags,
    /// As of the look-up.
    pub generation: Generation,
    /// What was asked.
    pub dialect: Dialect,
    /// Tokens of the prompt, estimated.
    pub prompt_tokens: u64,
}

/// Who gave an answer.
pub struct AnsweredBy {
    /// The provider's name.
    pub provider: Arc<str>,
    /// The upstream's name of the model.
    pub model: Arc<str>,
    /// The two with their header texts, where they can be such.
    pub giver: Option<Giver>,
    /// Is it the target that the key names, and a status of 200? The answer of a fallback is not stored under
    /// another's key.
    pub fit: bool,
}

impl Keep {
    /// A plain answer with what was read of it; whether it is stored.
    #[must_use]
    pub fn plain(&self, body: Bytes, facts: &Facts, by: &AnsweredBy) -> (Arc<Entry>, bool) {
        let fit = by.fit && body.len() <= self.limit && fitness::observed(self.dialect, &body, facts).is_ok();
        // The bytes may be a slice of a larger buffer, which a stored answer would keep.
        let body = if fit { Bytes::copy_from_slice(&body) } else { body };
        let entry = self.entry(Form::Plain, body, SmallVec::new(), facts.usage, by);
        let stored = self.store(&entry, fit);
        (entry, stored)
    }

    /// A whole stream; stored when it is fit.
    #[must_use]
    pub fn stream(
        &self,
        events: Bytes,
        usage_events: Vec<Range<usize>>,
        facts: &Facts,
        by: &AnsweredBy,
    ) -> Arc<Entry> {
        let fit = by.fit && fitness::stream(self.dialect, &events).is_ok();
        let entry = self.entry(Form::Stream, events, usage_events.into(), facts.usage, by);
        self.store(&entry, fit);
        entry
    }

    /// Counts an answer that is not kept.
    pub fn not_kept(&self, why: StoreResult) {
        self.cache.memory_metrics.stored(why);
    }

    fn store(&self, entry: &Arc<Entry>, fit: bool) -> bool {
        if entry.body.len() > self.limit {
            self.not_kept(StoreResult::TooLarge);
        } else if !fit {
            self.not_kept(StoreResult::Unfit);
        } else {
            return self.cache.store(self.key, entry);
        }
        false
    }

    fn entry(
        &self,
        form: Form,
        body: Bytes,
        usage_events: SmallVec<[Range<usize>; 1]>,
        usage: Option<Usage>,
        by: &AnsweredBy,
    ) -> Arc<Entry> {
        Arc::new(Entry {
            form,
            dialect: self.dialect,
            body,
            usage_events,
            usage,
            prompt_tokens: Some(self.prompt_tokens),
            giver: by.giver.clone(),
            provider: by.provider.clone(),
            model: by.model.clone(),
            tags: self.tags.clone(),
            generation: self.generation,
            ttl: entry::life(self.ttl),
            born: Instant::now(),
        })
    }
}

/// Bytes that are converted at once; more is done beside the requests.
const QUICK: usize = 64 << 10;

/// A whole answer, as a client wants it.
pub struct Recalled {
    /// The answer.
    pub entry: Arc<Entry>,
    /// In the form that was asked for.
    pub slices: Slices,
    /// A stream of it is sent at a reading pace.
    pub paced: bool,
}

/// The form in which a client wants an answer.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// As a stream.
    pub stream: bool,
    /// With usage in the stream.
    pub usage: bool,
    /// The stream at a reading pace.
    pub paced: bool,
}

impl Recalled {
    /// The answer for a client who wants it plain or as a stream, with usage in the stream or without. `None`
    /// when it cannot be had from this entry.
    pub async fn of(entry: &Arc<Entry>, wanted: Wanted) -> Option<Self> {
        let Wanted { stream, usage: wants_usage, paced } = wanted;
        let converted = (entry.form == Form::Stream) != stream;
        let slices = if converted && entry.body.len() > QUICK {
            // A megabyte takes some ten milliseconds, which other requests would have to wait.
            let entry = entry.clone();
            let converting = move || replay::slices(&entry, stream, wants_usage);
            tokio::task::spawn_blocking(converting).await.ok().flatten()?
        } else {
            replay::slices(entry, stream, wants_usage)?
        };
        Some(Self { entry: entry.clone(), slices, paced })
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
