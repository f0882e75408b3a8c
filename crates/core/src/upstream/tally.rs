//! What a pooled connection has carried: has it been used before, and did the last request get a byte?
//!
//! A provider closes idle connections when it likes. A request that meets such a moment dies without a byte,
//! and only then may it be sent again at no risk to anybody's bill. The connection itself keeps the count, so
//! nothing has to be guessed from an error's text.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

/// Shared between a connection and whoever meets its error. Rides in the connector's `Connected`.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// Writes that began after a read: requests, on HTTP/1.1.
    requests: AtomicU32,
    /// Bytes came since the last write.
    answered: AtomicBool,
    /// The last operation was a write.
    writing: AtomicBool,
}

impl Tally {
    /// Bytes went out.
    pub fn wrote(&self) {
        if !self.0.writing.swap(true, Ordering::Relaxed) {
            self.0.requests.fetch_add(1, Ordering::Relaxed);
            self.0.answered.store(false, Ordering::Relaxed);
        }
    }

    /// Bytes came in.
    pub fn read(&self) {
        self.0.writing.store(false, Ordering::Relaxed);
        self.0.answered.store(true, Ordering::Relaxed);
    }

    /// An earlier request had been answered on this connection, and the last one got no byte.
    #[must_use]
    pub fn died_silently_after_use(&self) -> bool {
        let earlier = self.0.requests.load(Ordering::Relaxed) > 1;
        earlier && !self.0.answered.load(Ordering::Relaxed)
    }

    /// The last request got at least one byte of an answer.
    #[must_use]
    pub fn answered(&self) -> bool {
        self.0.answered.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_used_connection_without_a_byte_counts_as_a_silent_death() {
        let tally = Tally::default();
        tally.wrote();
        assert!(!tally.died_silently_after_use(), "first request on a fresh connection");
        tally.read();
        tally.wrote();
        tally.wrote();
        assert!(tally.died_silently_after_use(), "second request, no byte yet");
        tally.read();
        assert!(!tally.died_silently_after_use(), "a byte came");
    }
}
