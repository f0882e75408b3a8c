//! The cache's metric handles, resolved once.

use crate::telemetry::{
    labels::{CacheResult, CacheTier, Eviction, InvalidEntry, PerLabel, StoreResult},
    metrics::Metrics,
};
use prometheus::{Histogram, IntCounter};
use std::time::Duration;

/// Handles of one tier.
pub struct TierMetrics {
    stores: PerLabel<StoreResult, IntCounter>,
    evictions: PerLabel<Eviction, IntCounter>,
    lookups: PerLabel<CacheResult, Histogram>,
    invalid: PerLabel<InvalidEntry, IntCounter>,
}

impl TierMetrics {
    /// Resolves the handles of a tier.
    #[must_use]
    pub fn new(metrics: &Metrics, tier: CacheTier) -> Self {
        const LOOKED_UP: &[CacheResult] = &[CacheResult::Hit, CacheResult::Miss, CacheResult::Error];
        let tier = tier.as_str();
        Self {
            stores: PerLabel::new(StoreResult::ALL, |result| {
                metrics.cache_stores.with_label_values(&[tier, result.as_str()])
            }),
            evictions: PerLabel::new(Eviction::ALL, |reason| {
                metrics.cache_evictions.with_label_values(&[tier, reason.as_str()])
            }),
            lookups: PerLabel::new(LOOKED_UP, |result| {
                metrics.cache_lookup_duration.with_label_values(&[tier, result.as_str()])
            }),
            invalid: PerLabel::new(InvalidEntry::ALL, |reason| {
                metrics.cache_invalid.with_label_values(&[reason.as_str()])
            }),
        }
    }

    /// Counts a write.
    pub fn stored(&self, result: StoreResult) {
        if let Some(counter) = self.stores.get(result) {
            counter.inc();
        }
    }

    /// Counts an entry that went.
    pub fn evicted(&self, reason: Eviction) {
        if let Some(counter) = self.evictions.get(reason) {
            counter.inc();
        }
    }

    /// Observes a look-up.
    pub fn looked_up(&self, result: CacheResult, took: Duration) {
        if let Some(histogram) = self.lookups.get(result) {
            histogram.observe(took.as_secs_f64());
        }
    }

    /// Counts an entry that could not be believed.
    pub fn invalid(&self, reason: InvalidEntry) {
        if let Some(counter) = self.invalid.get(reason) {
            counter.inc();
        }
    }
}
