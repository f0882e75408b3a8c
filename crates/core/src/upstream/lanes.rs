//! Where a provider's HTTP/1.1 connections rest between two requests.
//!
//! The one that came last goes first, so that those which are not needed grow old and are closed. A connection that its
//! upstream has closed is noticed when it is to be used, or by a look every few seconds, which is taken only while any
//! connection rests.

use crate::{timer::now, upstream::lane::Lane};
use http::{Uri, uri::Authority};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};
use tokio_util::task::TaskTracker;

/// Providers close idle connections after a minute or so; we leave a little earlier.
pub const REST: Duration = Duration::from_secs(50);
/// Connections to one address that may rest.
pub const MOST: usize = 1024;
/// Between two looks at those that rest.
const LOOK: Duration = Duration::from_secs(5);

/// See the module. Clones share the connections.
#[derive(Clone)]
pub struct Lanes {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    tasks: TaskTracker,
}

#[derive(Default)]
struct State {
    /// One for each address: a provider has one, until a reload gives it another.
    places: Vec<Place>,
    /// Somebody looks after those that rest.
    is_looked_after: bool,
}

struct Place {
    address: Address,
    /// Those that have rested longest come first.
    resting: Vec<Resting>,
}

struct Resting {
    lane: Box<Lane>,
    since: Instant,
}

/// Whom connections lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    secure: bool,
    authority: Authority,
}

impl Address {
    /// The address of a URL; none for one without a host.
    #[must_use]
    pub fn of(uri: &Uri) -> Option<Self> {
        Some(Self { secure: uri.scheme_str() == Some("https"), authority: uri.authority()?.clone() })
    }
}

impl Lanes {
    /// None yet. Looks are taken by a task of `tasks`.
    #[must_use]
    pub fn new(tasks: TaskTracker) -> Self {
        Self { shared: Arc::new(Shared { state: Mutex::default(), tasks }) }
    }

    /// A connection that rests, if there is one. Its upstream may have closed it.
    #[must_use]
    pub fn take(&self, address: &Address) -> Option<Box<Lane>> {
        let mut state = self.shared.lock();
        let place = state.places.iter_mut().find(|place| place.address == *address)?;
        place.resting.pop().map(|resting| resting.lane)
    }

    /// A connection has nothing to do.
    pub fn rest(&self, address: &Address, lane: Box<Lane>) {
        let resting = Resting { lane, since: now() };
        let mut state = self.shared.lock();
        match state.places.iter_mut().find(|place| place.address == *address) {
            Some(place) if place.resting.len() >= MOST => {
                // Closed outside of the lock.
                drop(state);
                return drop(resting);
            }
            Some(place) => place.resting.push(resting),
            None => state.places.push(Place { address: address.clone(), resting: vec![resting] }),
        }
        if !std::mem::replace(&mut state.is_looked_after, true) {
            drop(state);
            self.shared.tasks.spawn(look_after(Arc::downgrade(&self.shared)));
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes those that are too old or have ended. False when none is left, and nobody looks any more.
    fn look(&self) -> bool {
        let mut state = self.lock();
        let now = now();
        let mut closed = Vec::new();
        for place in &mut state.places {
            let is_over = |resting: &mut Resting| {
                now.saturating_duration_since(resting.since) >= REST || resting.lane.has_ended()
            };
            closed.extend(place.resting.extract_if(.., is_over));
        }
        state.places.retain(|place| !place.resting.is_empty());
        state.is_looked_after = !state.places.is_empty();
        let goes_on = state.is_looked_after;
        drop(state);
        drop(closed);
        goes_on
    }
}

async fn look_after(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(shared) = shared.upgrade() else { return };
        if !shared.look() {
            return;
        }
    }
}
