//! What the mock has been asked, in numbers: tests assert on them ("one upstream call").

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;

use crate::spent::{Cut, Finished, ModelTokens, OfModel, Spent};

/// Different models counted by name; further ones count as `_other`, so that a fuzzer cannot fill memory.
const MAX_MODELS: usize = 10_000;

/// The counters. All but the model names are plain atomics: counting must not slow a benchmark.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    requests: AtomicU64,
    connections: AtomicU64,
    open: AtomicU64,
    in_flight: AtomicU64,
    aborted: AtomicU64,
    chunks: AtomicU64,
    by_path: Named<&'static str, AtomicU64>,
    by_model: Named<String, OfModel>,
}

/// Counters by name. Each is shared, so that whoever holds one counts without looking for it again.
type Named<K, V> = RwLock<HashMap<K, Arc<V>>>;

/// The counters at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Requests to anything but the control paths, refused ones included.
    pub requests: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// Requests whose answer is not complete yet.
    pub in_flight: u64,
    /// Answers whose reader left before their end.
    pub aborted: u64,
    /// Content pieces sent in streams.
    pub chunks: u64,
    /// Requests by model, for those that name one.
    pub by_model: BTreeMap<String, u64>,
    /// Requests by path; unknown paths count as `_other`.
    pub by_path: BTreeMap<String, u64>,
    /// Tokens of the answers that were sent whole.
    pub finished: Finished,
    /// Tokens of the answers that broke off.
    pub cut: Cut,
    /// The same by model.
    pub by_model_tokens: BTreeMap<String, ModelTokens>,
}

impl Stats {
    /// Counts a request and hands out the ticket that follows its answer.
    pub(crate) fn begin(self: &Arc<Self>, path: &'static str) -> Ticket {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        counter(&self.by_path, path, |_| path).fetch_add(1, Ordering::Relaxed);
        Ticket { stats: Arc::clone(self), finished: false, model: None, spent: None }
    }

    /// Counts a connection for as long as the guard lives.
    pub(crate) fn connect(self: &Arc<Self>) -> Connected {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Connected(Arc::clone(self))
    }

    /// The counters now.
    pub(crate) fn snapshot(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let by_model = self.by_model.read().unwrap_or_else(PoisonError::into_inner);
        let by_path = self.by_path.read().unwrap_or_else(PoisonError::into_inner);
        let by_model_tokens: BTreeMap<_, _> =
            by_model.iter().map(|(name, model)| (name.clone(), model.tokens())).collect();
        let ModelTokens { finished, cut } = by_model_tokens.values().copied().sum();
        Counts {
            requests: get(&self.requests),
            connections: get(&self.connections),
            open: get(&self.open),
            in_flight: get(&self.in_flight),
            aborted: get(&self.aborted),
            chunks: get(&self.chunks),
            by_model: by_model.iter().map(|(name, model)| (name.clone(), get(&model.requests))).collect(),
            by_path: by_path.iter().map(|(name, n)| ((*name).to_owned(), get(n))).collect(),
            finished,
            cut,
            by_model_tokens,
        }
    }

    /// Sets to zero what counts events; what is open stays open.
    pub(crate) fn reset(&self) {
        for counter in [&self.requests, &self.connections, &self.aborted, &self.chunks] {
            counter.store(0, Ordering::Relaxed);
        }
        self.by_model.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.by_path.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The counter of a name. The write lock is only taken for a new name, which counts under the key made from the
/// number of known ones.
fn counter<K, V>(counters: &Named<K, V>, name: &str, key: impl FnOnce(usize) -> K) -> Arc<V>
where
    K: std::hash::Hash + Eq + std::borrow::Borrow<str>,
    V: Default,
{
    if let Some(counter) = counters.read().unwrap_or_else(PoisonError::into_inner).get(name) {
        return Arc::clone(counter);
    }
    let mut counters = counters.write().unwrap_or_else(PoisonError::into_inner);
    let key = key(counters.len());
    Arc::clone(counters.entry(key).or_default())
}

/// A request's way through the mock: in flight until dropped, aborted if dropped unfinished. What its answer has
/// cost is added up then.
#[derive(Debug)]
pub(crate) struct Ticket {
    stats: Arc<Stats>,
    finished: bool,
    model: Option<Arc<OfModel>>,
    spent: Option<Spent>,
}

impl Ticket {
    /// Counts the request as one to a model.
    pub(crate) fn name_model(&mut self, model: &str) {
        let key = |known| if known < MAX_MODELS { model } else { "_other" }.to_owned();
        let counters = counter(&self.stats.by_model, model, key);
        counters.requests.fetch_add(1, Ordering::Relaxed);
        self.model = Some(counters);
    }

    /// Notes what the answer has cost so far; nothing if it is none that costs.
    pub(crate) fn settle(&mut self, spent: Option<Spent>) {
        self.spent = spent;
    }

    /// Counts a content piece.
    pub(crate) fn count_chunk(&self) {
        self.stats.chunks.fetch_add(1, Ordering::Relaxed);
    }

    /// The answer is complete.
    pub(crate) fn finish(&mut self) {
        self.finished = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let (Some(model), Some(spent)) = (&self.model, &self.spent) {
            model.add(spent);
        }
        if !self.finished {
            self.stats.aborted.fetch_add(1, Ordering::Relaxed);
        }
        // Last: whoever waits for nothing to be in flight finds everything counted.
        self.stats.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connected(Arc<Stats>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
