//! How long answers are: the 95th percentile of completion tokens, learned for each key and model.
//!
//! It stands in for `max_tokens` where a call has none, when tokens are reserved. Memory is fixed: so many pairs,
//! each with a few counters; what comes beyond is told by its model alone. Old answers fade, so that a key whose
//! use changes is followed. What is reserved, and the cap by a bucket's size, is not decided here.

use crate::fading::Fading;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

/// Pairs that are learned each by itself: some 400 bytes, so 4 MB in all.
const MAX_PAIRS: usize = 10_000;
/// The share of answers that is reserved for.
const P95: f64 = 0.95;
/// Models that are learned each by itself; those beyond share one.
const MAX_MODELS: usize = 1_000;

/// Everything that is learned. One for the process: it outlives a reload.
#[derive(Debug)]
pub struct LearnedLengths {
    models: RwLock<Models>,
    /// Of models beyond the cap.
    others: Arc<Fading>,
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
    all: Arc<Fading>,
    by_key: HashMap<String, Arc<Fading>>,
}

/// What is learned of one key and model. Looked up when tokens are reserved, and told when they are settled.
#[derive(Debug, Clone)]
pub struct Learner {
    /// Absent beyond the cap.
    own: Option<Arc<Fading>>,
    model: Arc<Fading>,
}

impl Learner {
    /// Takes note of an answer's completion tokens. Answers that were cut say nothing: leave them out.
    pub fn observe(&self, tokens: u64) {
        self.own.iter().chain([&self.model]).for_each(|lengths| lengths.observe(tokens));
    }

    /// The 95th percentile of the key's answers; of all keys' answers, as long as too few are known.
    #[must_use]
    pub fn p95(&self) -> Option<u64> {
        self.own.as_ref().and_then(|own| own.quantile(P95)).or_else(|| self.model.quantile(P95))
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
