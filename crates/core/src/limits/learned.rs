//! How long answers are: the 95th percentile of completion tokens, learned for each key and model.
//!
//! It stands in for `max_tokens` where a call has none, when tokens are reserved. Memory is fixed: so many pairs,
//! each with a few counters; what comes beyond is told by its model alone. Old answers fade, so that a key whose
//! use changes is followed. What is reserved, and the cap by a bucket's size, is not decided here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

/// Before so many answers nothing is known.
pub const MIN_ANSWERS: u32 = 20;
/// At so many, counts are halved: the last few hundred answers count.
const FADE_AT: u32 = 512;
/// Pairs that are learned each by itself: some 400 bytes, so 4 MB in all.
const MAX_PAIRS: usize = 10_000;
/// Models that are learned each by itself; those beyond share one.
const MAX_MODELS: usize = 1_000;

/// Four to a doubling, from 8 tokens to a million: what is told is at most a fifth too high.
const BUCKETS: usize = 69;
/// Up to how many tokens a bucket holds. What is longer than the last is told as that.
const UPPER: [u64; BUCKETS] = {
    // The fourth roots of 1, 2, 4 and 8, in thousandths.
    let steps = [1000, 1189, 1414, 1682];
    let mut upper = [0; BUCKETS];
    let mut index = 0;
    while index < BUCKETS {
        #[expect(clippy::indexing_slicing, reason = "at compile time, where it is an error of the build")]
        {
            upper[index] = (8 << (index / 4)) * steps[index % 4] / 1000;
        }
        index += 1;
    }
    upper
};

/// The lengths of answers: of one pair, or of one model.
#[derive(Debug, Default)]
pub struct Lengths(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    buckets: [u32; BUCKETS],
    total: u32,
}

impl Default for Counts {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS], total: 0 }
    }
}

impl Lengths {
    /// Takes note of an answer's completion tokens.
    pub fn observe(&self, tokens: u64) {
        let place = UPPER.partition_point(|upper| *upper < tokens).min(BUCKETS - 1);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = counts.buckets.get_mut(place) {
            *bucket += 1;
        }
        counts.total += 1;
        if counts.total >= FADE_AT {
            counts.buckets.iter_mut().for_each(|bucket| *bucket /= 2);
            counts.total = counts.buckets.iter().sum();
        }
    }

    /// So many tokens are enough for 95 of 100 answers; absent before [`MIN_ANSWERS`].
    #[must_use]
    pub fn p95(&self) -> Option<u64> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total < MIN_ANSWERS {
            return None;
        }
        let wanted = (counts.total * 95).div_ceil(100);
        let sums = counts.buckets.iter().scan(0, |sum, bucket| {
            *sum += bucket;
            Some(*sum)
        });
        sums.zip(UPPER).find(|(sum, _)| *sum >= wanted).map(|(_, upper)| upper)
    }
}

/// Everything that is learned. One for the process: it outlives a reload.
#[derive(Debug)]
pub struct LearnedLengths {
    models: RwLock<Models>,
    /// Of models beyond the cap.
    others: Arc<Lengths>,
    max_pairs: usize,
    max_models: usize,
}

#[derive(Debug, Default)]
struct Models {
    by_name: HashMap<String, Model>,
    pairs: usize,
}

#[derive(Debug, Default)]
struct Model {
    all: Arc<Lengths>,
    by_key: HashMap<String, Arc<Lengths>>,
}

/// What is learned of one key and model. Looked up when tokens are reserved, and told when they are settled.
#[derive(Debug, Clone)]
pub struct Learner {
    /// Absent beyond the cap.
    own: Option<Arc<Lengths>>,
    model: Arc<Lengths>,
}

impl Learner {
    /// Takes note of an answer's completion tokens. Answers that were cut say nothing: leave them out.
    pub fn observe(&self, tokens: u64) {
        self.own.iter().chain([&self.model]).for_each(|lengths| lengths.observe(tokens));
    }

    /// The 95th percentile of the key's answers; of all keys' answers, as long as too few are known.
    #[must_use]
    pub fn p95(&self) -> Option<u64> {
        self.own.as_ref().and_then(|own| own.p95()).or_else(|| self.model.p95())
    }
}

impl Default for LearnedLengths {
    fn default() -> Self {
        Self::with_caps(MAX_PAIRS, MAX_MODELS)
    }
}

impl LearnedLengths {
    fn with_caps(max_pairs: usize, max_models: usize) -> Self {
        Self { models: RwLock::default(), others: Arc::default(), max_pairs, max_models }
    }

    /// What is learned of a key's answers from a model. Both are names of the configuration; names that clients
    /// make up would fill the table.
    #[must_use]
    pub fn of(&self, key: &str, model: &str) -> Learner {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        let known = models.by_name.get(model);
        if let Some((all, own)) = known.and_then(|model| Some((&model.all, model.by_key.get(key)?))) {
            return Learner { own: Some(Arc::clone(own)), model: Arc::clone(all) };
        }
        let all = known.map(|model| Arc::clone(&model.all));
        // Once the table is full, nobody waits for its lock any more.
        let is_new = match &all {
            Some(_) => models.pairs < self.max_pairs,
            None => models.by_name.len() < self.max_models,
        };
        drop(models);
        if is_new {
            return self.add(key, model);
        }
        Learner { own: None, model: all.unwrap_or_else(|| Arc::clone(&self.others)) }
    }

    fn add(&self, key: &str, model: &str) -> Learner {
        let mut models = self.models.write().unwrap_or_else(PoisonError::into_inner);
        let Models { by_name, pairs } = &mut *models;
        // Another may have been quicker.
        if !by_name.contains_key(model) && by_name.len() >= self.max_models {
            return Learner { own: None, model: Arc::clone(&self.others) };
        }
        let Model { all, by_key } = by_name.entry(model.to_owned()).or_default();
        let mut own = by_key.get(key).map(Arc::clone);
        if own.is_none() && *pairs < self.max_pairs {
            *pairs += 1;
            own = Some(Arc::clone(by_key.entry(key.to_owned()).or_default()));
        }
        Learner { own, model: Arc::clone(all) }
    }
}

#[cfg(test)]
#[path = "learned_tests.rs"]
mod tests;
