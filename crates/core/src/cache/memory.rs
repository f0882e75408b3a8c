//! The first tier: entries in this process' memory, bounded in bytes.
//!
//! Expiry and the order of eviction are moka's; what an entry weighs and how long it lives are the entry's own
//! word. Whether a purge has ended it is asked elsewhere, before it is given away.
//!
//! Reads share nothing but moka's own tables. Writes take turns, and removals are settled at once: moka 0.12
//! counts a weight wrongly, and for good, when two threads write one key at the same time, or when one is removed
//! before an older write of it is settled; and a cache that believes itself full in the end keeps nothing. A
//! write follows an upstream's answer, so there are few.
//!
//! Who leaves is counted as its place is given back, see `held`: a listener of moka's would cost each write and each
//! eviction a lock of its own, made and thrown away, which is more than a third of what they cost.

use crate::{
    cache::{
        entry::Entry,
        held::{Held, Keeper},
        key::{CacheKey, KeyHashes},
    },
    telemetry::labels::Eviction,
};
use moka::{Expiry, policy::EvictionPolicy, sync::Cache};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The tier is brought back within its bound when this part of it has been written.
const UNSETTLED_PART: u64 = 64;

/// How often a sweep goes round: one round may stop early, at an entry that is just being written, and what was thrown
/// out is given back some rounds later, when no reader can still be at it.
const ROUNDS: usize = 16;

/// See the module.
pub struct MemoryTier {
    cache: Cache<CacheKey, Arc<Held>, KeyHashes>,
    keeper: Arc<Keeper>,
    capacity: u64,
    /// Whoever writes; holds the bytes that were put since the last sweep.
    writing: Mutex<u64>,
}

impl MemoryTier {
    /// An empty tier. With a capacity of 0 it stays empty. `on_evict` is called for each entry that has left,
    /// at the latest with the next sweep, on the thread that happens to clean up, so it must be quick.
    pub fn new(capacity: u64, on_evict: impl Fn(Eviction) + Send + Sync + 'static) -> Self {
        let cache = Cache::builder()
            .max_capacity(capacity)
            .weigher(|_: &CacheKey, held: &Arc<Held>| held.entry.weight())
            .expire_after(EntryLife)
            // The other policy, TinyLFU, turns a newcomer away from a full cache unless it was looked up more
            // often than all whom it would displace. A seed asked for again right after its first answer, which
            // is what the cache is for, would then meet the upstream a second and a third time.
            .eviction_policy(EvictionPolicy::lru())
            .build_with_hasher(KeyHashes::default());
        Self { cache, keeper: Keeper::new(on_evict), capacity, writing: Mutex::new(0) }
    }

    /// The entry, unless its life is over: that is checked here, whatever has been swept so far.
    #[must_use]
    pub fn get(&self, key: &CacheKey, now: Instant) -> Option<Arc<Entry>> {
        let held = self.cache.get(key)?;
        (!held.entry.left(now).is_zero()).then(|| held.entry.clone())
    }

    /// Stores an entry in place of the one that the key had; says whether it can be kept at all.
    pub fn put(&self, key: CacheKey, entry: Arc<Entry>) -> bool {
        let weight = entry.weight();
        // moka refuses what is too heavy only for a key that it does not have. As a replacement it would let it
        // in, and then throw out everything else first. The weight stops counting at its type's end.
        if u64::from(weight) > self.capacity || weight == u32::MAX {
            self.remove(&key);
            return false;
        }
        let mut unsettled = self.turn();
        // One whose life is over is not found, and is no less evicted by this.
        if let Some(older) = self.cache.get(&key) {
            older.mark_replaced();
        }
        self.cache.insert(key, self.keeper.hold(entry));
        // moka sweeps after 64 writes or 0.3 s, too late when each of them is a megabyte.
        *unsettled = unsettled.saturating_add(u64::from(weight));
        if *unsettled > self.capacity / UNSETTLED_PART {
            *unsettled = 0;
            self.sweep();
        }
        true
    }

    /// Takes an entry out.
    pub fn remove(&self, key: &CacheKey) {
        let mut unsettled = self.turn();
        // Everything before and behind it is settled; see the module.
        self.cache.run_pending_tasks();
        if let Some(held) = self.cache.remove(key) {
            held.mark_removed();
        }
        self.sweep();
        *unsettled = 0;
    }

    /// Waits for the turn to write.
    fn turn(&self) -> MutexGuard<'_, u64> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes held, as of the last sweep.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.cache.weighted_size()
    }

    /// Entries held, as of the last sweep.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.cache.entry_count()
    }

    /// The bound on [`bytes`](Self::bytes).
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Sweeps now. Nothing is swept while nobody reads or writes, so whoever looks at the numbers calls this.
    pub fn settle(&self) {
        let mut unsettled = self.turn();
        *unsettled = 0;
        self.sweep();
    }

    /// Throws out what is too much, and gives its places back.
    fn sweep(&self) {
        for _ in 0..ROUNDS {
            self.cache.run_pending_tasks();
            if self.bytes() <= self.capacity && self.keeper.holds() <= self.entries() {
                return;
            }
        }
    }
}

impl Drop for MemoryTier {
    fn drop(&mut self) {
        self.settle();
        self.keeper.close();
    }
}

/// moka's view of an entry's life.
struct EntryLife;

impl Expiry<CacheKey, Arc<Held>> for EntryLife {
    fn expire_after_create(&self, _: &CacheKey, held: &Arc<Held>, now: Instant) -> Option<Duration> {
        Some(held.entry.left(now))
    }

    /// By default the new entry would get what was left to the old one.
    fn expire_after_update(
        &self,
        _: &CacheKey,
        held: &Arc<Held>,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(held.entry.left(now))
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
