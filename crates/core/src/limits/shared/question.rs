//! What is asked about one shared bucket, and what is said: plain data between `lease` and `script`.

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
    pub(super) what: What,
    pub(super) span: Option<Span>,
    pub(super) base: u64,
    pub(super) seq: u64,
    pub(super) drawn: i64,
    pub(super) unreported: i64,
    pub(super) balance: i64,
    pub(super) committed: i64,
    pub(super) paid: i64,
    pub(super) need: u64,
    pub(super) want: u64,
    pub(super) withdraw: bool,
    pub(super) sent: Moment,
}

/// What it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::limits) struct Answer {
    /// The bucket has what was needed; false: this is one that has not.
    pub(super) has: bool,
    /// All buckets had it, and it was taken.
    pub(super) granted: bool,
    pub(super) units: i64,
    pub(super) remaining: i64,
    pub(super) others: i64,
    pub(super) wait: Duration,
    pub(super) paid: i64,
}
