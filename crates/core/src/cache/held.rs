//! An entry's place in the memory tier, which tells why it is given back.
//!
//! It is given back when nobody can reach it any more: the table has let go of it, and so have the look-ups that were
//! under way and what moka noted of earlier ones, at the latest with the next sweep. Whoever holds the entry itself,
//! which may be for as long as a client takes to read it, holds no place.

use crate::{cache::entry::Entry, telemetry::labels::Eviction};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::Instant,
};

/// Counts who comes and goes.
pub(super) struct Keeper {
    holds: AtomicU64,
    /// The tier itself goes: that is nobody's eviction.
    closed: AtomicBool,
    on_evict: Box<dyn Fn(Eviction) + Send + Sync>,
}

/// A place, with the entry that has it.
pub(super) struct Held {
    /// The entry.
    pub(super) entry: Arc<Entry>,
    /// One of the three below.
    fate: AtomicU8,
    keeper: Arc<Keeper>,
}

/// The tier throws it out: since its life is over, if it is by the time the place is given back, else for want of room.
const EVICTED: u8 = 0;
/// Another entry has come in its place while it could still be given.
const REPLACED: u8 = 1;
/// It was taken out.
const REMOVED: u8 = 2;

impl Keeper {
    /// Has no places yet. Calls `on_evict` for each that is given back with nothing in its stead.
    pub(super) fn new(on_evict: impl Fn(Eviction) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            holds: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            on_evict: Box::new(on_evict),
        })
    }

    /// A place for an entry.
    pub(super) fn hold(self: &Arc<Self>, entry: Arc<Entry>) -> Arc<Held> {
        self.holds.fetch_add(1, Ordering::Relaxed);
        Arc::new(Held { entry, fate: AtomicU8::new(EVICTED), keeper: self.clone() })
    }

    /// Counts nobody any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Places that are not given back yet.
    pub(super) fn holds(&self) -> u64 {
        self.holds.load(Ordering::Relaxed)
    }
}

impl Held {
    /// Another entry is about to take the place: this one's end is no eviction.
    pub(super) fn mark_replaced(&self) {
        self.fate.store(REPLACED, Ordering::Relaxed);
    }

    /// The entry was taken out.
    pub(super) fn mark_removed(&self) {
        self.fate.store(REMOVED, Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.keeper.holds.fetch_sub(1, Ordering::Relaxed);
        if self.keeper.closed.load(Ordering::Relaxed) {
            return;
        }
        let why = match *self.fate.get_mut() {
            REPLACED => return,
            REMOVED => Eviction::Invalidated,
            _ if self.entry.left(Instant::now()).is_zero() => Eviction::Ttl,
            _ => Eviction::Capacity,
        };
        (self.keeper.on_evict)(why);
    }
}
