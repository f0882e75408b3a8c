//! What all connections of one mock share.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use crate::Options;
use crate::answer::Prompt;
use crate::bench::{Bench, BenchSettings};
use crate::fault::Rhythm;
use crate::journal::Journal;
use crate::prefix::{Prefix, PrefixCache};
use crate::rng::Rng;
use crate::script::Scripts;
use crate::stats::Stats;

/// The mock's memory.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) stats: Arc<Stats>,
    /// Answers made ahead for the `bench` models.
    pub(crate) bench: ArcSwap<Bench>,
    pub(crate) rhythm: Rhythm,
    journal: Mutex<Journal>,
    scripts: Mutex<Scripts>,
    prefixes: Mutex<PrefixCache>,
    fresh: AtomicU64,
}

impl Default for State {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

impl State {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            stats: Arc::default(),
            bench: ArcSwap::from_pointee(Bench::new(BenchSettings::default())),
            rhythm: Rhythm::default(),
            journal: Mutex::default(),
            scripts: Mutex::default(),
            prefixes: Mutex::default(),
            // The standard library's own source of entropy; two mocks must not give the same ids.
            fresh: AtomicU64::new(RandomState::new().build_hasher().finish()),
        }
    }

    /// A number that was not given before.
    pub(crate) fn fresh(&self) -> u64 {
        Rng::new(self.fresh.fetch_add(1, Ordering::Relaxed)).next()
    }

    /// An id that was not given before, without its prefix.
    pub(crate) fn fresh_id(&self) -> String {
        format!("{:016x}", self.fresh())
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        locked(&self.journal)
    }

    pub(crate) fn scripts(&self) -> MutexGuard<'_, Scripts> {
        locked(&self.scripts)
    }

    /// What the prompt cache has of a prompt.
    pub(crate) fn meet_prompt(&self, model: &str, prompt: &Prompt) -> Prefix {
        locked(&self.prefixes).meet(model, &prompt.text, prompt.tokens)
    }

    /// As new, but for the connections that are open.
    pub(crate) fn reset(&self) {
        self.stats.reset();
        self.rhythm.reset();
        self.bench.store(Arc::new(Bench::new(BenchSettings::default())));
        self.journal().clear();
        self.scripts().clear();
        locked(&self.prefixes).clear();
    }
}

/// A panic in another request does not spoil what the lock guards.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
