//! What only a lease of money has: a calendar period, and what this process has held and paid in it.

use super::question::signed;
use crate::limits::pot::{Budget, Span};

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Money {
    pub(super) span: Span,
    /// Spent in the period before this process began, as its own ledger says.
    pub(super) base: u64,
    /// Held and paid by this process.
    pub(super) committed: i64,
    pub(super) paid: i64,
    /// `committed` and `paid` as last told.
    pub(super) told: (i64, i64),
}

impl Money {
    pub(super) fn new(budget: Budget, base: u64, second: i64) -> Self {
        Self { span: Span::around(budget.per, second), base, committed: 0, paid: 0, told: (0, 0) }
    }

    /// Ends a request that held `held` of the period that began at `start`. True when that is this period.
    pub(super) fn pay(&mut self, start: i64, held: u64, paid: u64) -> bool {
        self.paid += signed(paid);
        self.committed += signed(paid);
        let current = start == self.span.start;
        if current {
            self.committed -= signed(held);
        }
        current
    }

    /// Is there anything that was not told?
    pub(super) fn is_told(&self) -> bool {
        self.told == (self.committed, self.paid)
    }
}
