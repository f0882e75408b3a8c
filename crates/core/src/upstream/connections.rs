//! How many connections a provider has open, and how many of them carry a request.
//!
//! Counts; pooling is the client's. A connection says itself when it is made and gone. Which of them a request is on
//! only the pool knows, but on HTTP/1.1 every request has one to itself, and on HTTP/2 all share few: so as many are
//! busy as there are requests, and never more than there are.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// A provider's connections. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    open: AtomicU32,
    requests: AtomicU32,
}

impl Connections {
    /// One more is open, until what comes back is dropped.
    #[must_use]
    pub fn open(&self) -> Open {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Open(self.clone())
    }

    /// One more request is on its way, until what comes back is dropped.
    #[must_use]
    pub fn carry(&self) -> Carried {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        Carried(self.clone())
    }

    /// Connections that carry a request, and those that wait for one.
    #[must_use]
    pub fn active_and_idle(&self) -> (u32, u32) {
        let open = self.0.open.load(Ordering::Relaxed);
        // A request that still waits for its connection has none.
        let active = self.0.requests.load(Ordering::Relaxed).min(open);
        (active, open - active)
    }
}

/// An open connection.
#[derive(Debug)]
pub struct Open(Connections);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request under way.
#[derive(Debug)]
pub struct Carried(Connections);

impl Drop for Carried {
    fn drop(&mut self) {
        self.0.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_busy_as_there_are_requests_and_never_more_than_are_open() {
        let connections = Connections::default();
        let waiting = connections.carry();
        assert_eq!(connections.active_and_idle(), (0, 0), "no connection yet");
        let open = [connections.open(), connections.open()];
        assert_eq!(connections.active_and_idle(), (1, 1));
        let more: Vec<_> = (0..5).map(|_| connections.carry()).collect();
        assert_eq!(connections.active_and_idle(), (2, 0), "they share");
        drop((waiting, more));
        assert_eq!(connections.active_and_idle(), (0, 2));
        drop(open);
        assert_eq!(connections.active_and_idle(), (0, 0));
    }
}
