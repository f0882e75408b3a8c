//! The flights that may be joined: at most one for each key.

use crate::{
    cache::{
        entry::Entry,
        flight::{Flight, Reader, Source, Terms},
        key::{CacheKey, KeyHashes},
    },
    error::Broken,
};
use bytes::Bytes;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// All flights that may be joined.
#[derive(Default)]
pub struct Flights {
    by_key: Mutex<HashMap<CacheKey, Arc<Flight>, KeyHashes>>,
}

/// What a request finds that wants to board.
pub enum Boarding {
    /// An answer that was stored in the meantime.
    Landed(Arc<Entry>),
    /// An equal request is under way.
    Join(Reader),
    /// This request begins a flight.
    Lead(Ticket),
}

/// The right to begin a flight, for which others may wait already.
pub struct Ticket {
    flight: Arc<Flight>,
    used: bool,
}

impl Ticket {
    /// For a flight that nobody else may join.
    #[must_use]
    pub fn alone(limit: usize, terms: Terms) -> Self {
        Self { flight: Flight::new(limit, terms, Bytes::new(), None), used: false }
    }

    /// Takes off; the reader is the one of the request that leads.
    #[must_use]
    pub fn launch(mut self, source: Box<dyn Source>, wants_usage: bool) -> Reader {
        self.used = true;
        self.flight.launch(source, wants_usage)
    }
}

/// Whoever waits for a flight that will not take off is told so.
impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.used {
            self.flight.abandon(Broken::fault().error);
        }
    }
}

impl Flights {
    /// Finds the flight of a key that a request with these terms may read, or begins one for what is `asked`. `recall` looks once more for a stored answer: a flight is
    /// listed until its answer is stored, so between the two nothing falls.
    pub fn board(
        self: &Arc<Self>,
        key: CacheKey,
        terms: &Terms,
        wants_usage: bool,
        limit: usize,
        asked: &Bytes,
        recall: impl FnOnce() -> Option<Arc<Entry>>,
    ) -> Boarding {
        let mut by_key = self.lock();
        if let Some(reader) = by_key.get(&key).and_then(|flight| flight.join(terms, wants_usage)) {
            return Boarding::Join(reader);
        }
        if let Some(entry) = recall() {
            return Boarding::Landed(entry);
        }
        let flight = Flight::new(limit, terms.clone(), asked.clone(), Some((self.clone(), key)));
        by_key.insert(key, flight.clone());
        Boarding::Lead(Ticket { flight, used: false })
    }

    /// Takes a flight off the list; another one of the same key stays.
    pub fn remove(&self, key: &CacheKey, flight: &Flight) {
        let mut by_key = self.lock();
        if by_key.get(key).is_some_and(|listed| std::ptr::eq(Arc::as_ptr(listed), flight)) {
            by_key.remove(key);
        }
    }

    /// Is one of this key under way? Not everybody can read it.
    #[must_use]
    pub fn has(&self, key: &CacheKey) -> bool {
        self.lock().contains_key(key)
    }

    /// How many are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// None is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CacheKey, Arc<Flight>, KeyHashes>> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
