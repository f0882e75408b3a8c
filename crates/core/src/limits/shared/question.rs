//! What is asked about one shared bucket, and what is said: the facts that pass between `lease` and the script.

use crate::limits::{
    cell::Moment,
    pot::{Budget, Span},
};
use sluice_config::model::{Period, RateLimit};
use std::time::Duration;

/// What is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::limits) enum What {
    /// Units that come at a rate.
    Rate(RateLimit),
    /// Money for a period.
    Money(Budget),
}

impl What {
    pub(in crate::limits) fn is_money_per(self, per: Period) -> bool {
        matches!(self, Self::Money(budget) if budget.per == per)
    }
}

/// Why a question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::limits) enum Purpose {
    /// A request waits for these units.
    Need(u64),
    /// The slice runs low.
    TopUp,
    /// Only to tell what was used.
    Tell,
    /// Nobody uses it.
    GiveBack,
}

/// What the script is asked about one bucket.
#[derive(Debug, Clone)]
pub(in crate::limits) struct Question {
    /// The bucket.
    pub(super) what: What,
    /// Money: the period.
    pub(super) span: Option<Span>,
    /// Money: spent in the period before this process began, as its ledger says.
    pub(super) base: u64,
    /// Number of the question; no two of a process have the same.
    pub(super) seq: u64,
    /// Drawn from leases in all.
    pub(super) drawn: i64,
    /// What of it was never told.
    pub(super) unreported: i64,
    /// What is held.
    pub(super) balance: i64,
    /// Money: held and paid by this process.
    pub(super) committed: i64,
    /// Money: paid by this process.
    pub(super) paid: i64,
    /// Units that a request waits for.
    pub(super) need: u64,
    /// Units that the slice should hold afterwards.
    pub(super) want: u64,
    /// The slice is given back first.
    pub(super) withdraw: bool,
    /// When.
    pub(super) sent: Moment,
}

/// What it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::limits) struct Answer {
    /// The bucket has what was needed; false: this is one that has not.
    pub(super) has: bool,
    /// All buckets had it, and it was taken.
    pub(super) granted: bool,
    /// What this replica holds now.
    pub(super) units: i64,
    /// What anybody may take.
    pub(super) remaining: i64,
    /// What other replicas hold.
    pub(super) others: i64,
    /// Until the bucket would have it.
    pub(super) wait: Duration,
    /// Money: paid by all.
    pub(super) paid: i64,
}

/// Amounts are far below 2^63.
pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

/// What is below zero is nothing.
pub(super) fn positive(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
