//! Money for a calendar period, in UTC: what was paid, what requests under way may come to cost, what is left.
//!
//! Owns the arithmetic of one pot in this process and the borders of periods; reads no clock. A pot that holds
//! anything at all lets one more request pass, so that estimates which are too high never lock up the rest of a
//! budget, and spending ends within one request of it.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use sluice_config::model::{self, Period};
use std::time::Duration;

/// What may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// 10⁻⁹ USD.
    pub nano_usd: u64,
    /// In which time.
    pub per: Period,
}

impl From<&model::Budget> for Budget {
    fn from(budget: &model::Budget) -> Self {
        // From floating point `as` saturates. A script counts exactly up to 2^52: larger sums count as four and a
        // half million dollars.
        let nano_usd = ((budget.usd * 1e9).round() as u64).min(1 << 52);
        Self { nano_usd, per: budget.per }
    }
}

/// A calendar day or month, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first second.
    pub start: i64,
    /// The first second after it.
    pub end: i64,
}

impl Span {
    /// The period in which `second` lies.
    #[must_use]
    pub fn around(per: Period, second: i64) -> Self {
        let at = Timestamp::from_second(second).unwrap_or_default().to_zoned(TimeZone::UTC).date();
        let (start, length) = match per {
            Period::Day => (at, 1.day()),
            Period::Month => (at.first_of_month(), 1.month()),
        };
        let second = |date: Date| {
            date.to_zoned(TimeZone::UTC).map_or(i64::MAX, |midnight| midnight.timestamp().as_second())
        };
        Self { start: second(start), end: start.checked_add(length).map_or(i64::MAX, second) }
    }

    /// The day on which the next one begins, as it is written.
    #[must_use]
    pub fn reset_date(&self) -> String {
        Timestamp::from_second(self.end).unwrap_or_default().to_zoned(TimeZone::UTC).date().to_string()
    }
}

/// Why nothing more may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// The budget.
    pub budget: Budget,
    /// Paid so far, 10⁻⁹ USD.
    pub paid: u64,
    /// The first second of the next period.
    pub resets: i64,
    /// How long until then; a moment, when all that is missing is held by requests under way.
    pub wait: Duration,
}

impl Exhausted {
    /// Is it all paid, and not merely held by requests under way?
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.paid >= self.budget.nano_usd
    }
}

/// When it is worth another try while requests under way hold the rest.
const SETTLES_IN: Duration = Duration::from_secs(1);

/// One pot.
#[derive(Debug, Clone)]
pub struct Pot {
    budget: Budget,
    span: Span,
    paid: u64,
    held: u64,
}

impl Pot {
    /// A pot of which `paid` was spent before in the period that lasts at `second`.
    #[must_use]
    pub fn new(budget: Budget, paid: u64, second: i64) -> Self {
        Self { budget, span: Span::around(budget.per, second), paid, held: 0 }
    }

    /// Goes on to the period of `second`, if that is a later one. A clock that is set back begins none.
    pub fn turn(&mut self, second: i64) {
        if second >= self.span.end {
            self.span = Span::around(self.budget.per, second);
            (self.paid, self.held) = (0, 0);
        }
    }

    /// May one more request spend?
    ///
    /// # Errors
    /// When nothing is left.
    pub fn peek(&self, second: i64) -> Result<(), Exhausted> {
        if self.paid.saturating_add(self.held) < self.budget.nano_usd {
            return Ok(());
        }
        Err(refusal(self.budget, self.paid, self.span, second))
    }

    /// Holds what a request may come to cost. Tells the period that it counts for.
    pub fn hold(&mut self, nano_usd: u64) -> i64 {
        self.held = self.held.saturating_add(nano_usd);
        self.span.start
    }

    /// Ends a request that held `held` of the period that began at `start`: it has cost `paid`, now.
    pub fn settle(&mut self, start: i64, held: u64, paid: u64) {
        if start == self.span.start {
            self.held = self.held.saturating_sub(held);
        }
        self.paid = self.paid.saturating_add(paid);
    }

    /// The ledger says that so much was paid in the period that began at `start`. When it is more than is known here,
    /// another process has paid the rest; when it is less, what was paid here is not written yet.
    pub fn learn(&mut self, start: i64, paid: u64) {
        if start == self.span.start {
            self.paid = self.paid.max(paid);
        }
    }

    /// The budget.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// The period.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// Paid in this period, 10⁻⁹ USD.
    #[must_use]
    pub fn paid(&self) -> u64 {
        self.paid
    }

    /// The same pot under another budget for the same kind of period.
    #[must_use]
    pub fn with(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }
}

pub(super) fn refusal(budget: Budget, paid: u64, span: Span, second: i64) -> Exhausted {
    let until = Duration::from_secs(u64::try_from(span.end.saturating_sub(second)).unwrap_or(0));
    let spent = Exhausted { budget, paid, resets: span.end, wait: until };
    if spent.is_final() { spent } else { Exhausted { wait: until.min(SETTLES_IN), ..spent } }
}

#[cfg(test)]
#[path = "pot_tests.rs"]
mod tests;
