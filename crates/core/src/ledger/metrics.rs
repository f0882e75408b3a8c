//! The handles that the ledger counts with.
//!
//! The families belong to the registry's owner; here their closed labels are resolved once.

use super::trouble::Trouble;
use crate::telemetry::metrics::Metrics;
use prometheus::{IntCounter, IntCounterVec, IntGauge};
use std::fmt;

/// Why a record was dropped: the label `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dropped {
    /// The disk does not keep up, or is full, and so is the queue.
    QueueFull,
    /// The record itself cannot be written.
    Unwritable,
    /// The ledger was closed before it could be written.
    Closed,
}

impl Dropped {
    /// All values, for families that start at zero.
    pub const ALL: [Self; 3] = [Self::QueueFull, Self::Unwritable, Self::Closed];

    /// The text of all values.
    pub const WORDS: &'static [&'static str] = &["queue_full", "unwritable", "closed"];

    /// The label's text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Unwritable => "unwritable",
            Self::Closed => "closed",
        }
    }
}

/// Where a ledger counts.
#[derive(Clone)]
pub struct LedgerMetrics {
    written: IntCounter,
    dropped: [IntCounter; 3],
    errors: IntCounterVec,
    waiting: IntGauge,
    up: IntGauge,
}

impl LedgerMetrics {
    /// The handles of a gateway's families.
    #[must_use]
    pub fn of(metrics: &Metrics) -> Self {
        let (written, waiting) = (metrics.usage_records.clone(), metrics.ledger_queue.clone());
        let errors = metrics.ledger_errors.clone();
        Self::new(written, &metrics.usage_dropped, errors, waiting, metrics.ledger_up.clone())
    }

    /// Resolves the handles of `usage_records_total`, `usage_dropped_total{reason}`, `ledger_errors_total{kind}`,
    /// `ledger_queue_records` and `ledger_up`.
    #[must_use]
    pub fn new(
        written: IntCounter,
        dropped: &IntCounterVec,
        errors: IntCounterVec,
        waiting: IntGauge,
        up: IntGauge,
    ) -> Self {
        for trouble in Trouble::ALL {
            errors.with_label_values(&[trouble.as_str()]);
        }
        let dropped = Dropped::ALL.map(|reason| dropped.with_label_values(&[reason.as_str()]));
        Self { written, dropped, errors, waiting, up }
    }

    /// Records are in the file.
    pub(super) fn written(&self, records: usize) {
        self.written.inc_by(u64::try_from(records).unwrap_or(u64::MAX));
    }

    /// Records are lost.
    pub(super) fn dropped(&self, reason: Dropped, records: usize) {
        let [full, unwritable, closed] = &self.dropped;
        let counter = match reason {
            Dropped::QueueFull => full,
            Dropped::Unwritable => unwritable,
            Dropped::Closed => closed,
        };
        counter.inc_by(u64::try_from(records).unwrap_or(u64::MAX));
    }

    /// Records lost so far.
    pub(super) fn all_dropped(&self) -> u64 {
        self.dropped.iter().map(IntCounter::get).sum()
    }

    /// Something could not be done.
    pub(super) fn failed(&self, trouble: Trouble) {
        self.errors.with_label_values(&[trouble.as_str()]).inc();
    }

    /// Records that wait to be written.
    pub(super) fn waiting(&self, records: usize) {
        self.waiting.set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    /// See [`up`](Self::up).
    pub(super) fn is_up(&self) -> bool {
        self.up.get() == 1
    }

    /// Could the ledger be written to, the last time it was tried?
    pub(super) fn up(&self, up: bool) {
        self.up.set(i64::from(up));
    }
}

impl fmt::Debug for LedgerMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerMetrics").finish_non_exhaustive()
    }
}
