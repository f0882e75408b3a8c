//! One token bucket as a single number: GCRA, in whole numbers throughout.
//!
//! Owns the arithmetic: taking many at once, looking without taking, giving back, debt, and the true time to
//! wait. Has no lock and reads no clock: `scope` locks it, the caller says what time it is. governor keeps the
//! buckets of single requests; it can neither look, nor give back, nor owe.
//!
//! Time is counted in ticks, so many that one nanosecond and one unit of the bucket are both whole numbers of
//! them. For `amount` per `per`, with g the greatest common divisor of `amount` and `per` in nanoseconds, a
//! nanosecond is `amount / g` ticks and a unit costs `per / g` ticks. Nothing is rounded when the bucket moves,
//! so nothing drifts. A product of two 64-bit numbers fits 128 bits, which is all that is multiplied here.

use super::local::Left;
use sluice_config::model::RateLimit;
use std::time::Duration;

/// A point of the monotonic clock: nanoseconds since some fixed start, good for 584 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// The moment `elapsed` after the start.
    #[must_use]
    pub fn at(elapsed: Duration) -> Self {
        Self(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    /// From `earlier` until here; nothing when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Why something was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Short {
    /// It is there after this time, if nobody else takes it.
    For(Duration),
    /// It is more than the full bucket holds.
    ForEver,
}

/// One bucket.
#[derive(Debug, Clone)]
pub struct Cell {
    limit: RateLimit,
    /// Ticks of one unit.
    cost: u64,
    /// Ticks of one nanosecond.
    speed: u64,
    /// Ticks of the full bucket.
    size: u128,
    /// When the bucket is full again (the theoretical arrival time), in ticks since the start.
    ///
    /// Callers read the clock before they take the lock, so that an earlier time may follow a later one. That
    /// is harmless: less is refilled by then, and nothing is refilled twice.
    full_at: u128,
}

impl Cell {
    /// A full bucket.
    #[must_use]
    pub fn new(limit: RateLimit) -> Self {
        let amount = limit.rate.amount.max(1);
        let per = u64::try_from(limit.rate.per.as_nanos()).unwrap_or(u64::MAX).max(1);
        let common = greatest_common_divisor(amount, per);
        let (cost, speed) = (per / common, amount / common);
        let size = product(limit.burst.max(1), cost);
        Self { limit, cost, speed, size, full_at: 0 }
    }

    /// The limit it keeps.
    #[must_use]
    pub fn limit(&self) -> RateLimit {
        self.limit
    }

    /// Takes `n` units, all or none. Of a bucket in debt not even nothing can be taken.
    ///
    /// # Errors
    /// When they are not there; nothing is taken then.
    pub fn take(&mut self, n: u64, now: Moment) -> Result<(), Short> {
        self.peek(n, now)?;
        self.full_at = self.after(n, now);
        Ok(())
    }

    /// Could `n` units be taken?
    ///
    /// # Errors
    /// When they could not.
    pub fn peek(&self, n: u64, now: Moment) -> Result<(), Short> {
        let used = self.used(now);
        match self.short(used, n) {
            0 => Ok(()),
            _ if product(n, self.cost) > self.size => Err(Short::ForEver),
            ticks => Err(Short::For(self.duration(ticks))),
        }
    }

    /// Gives back `n` units that had been taken. A bucket never holds more than its burst: what was refilled
    /// meanwhile is not there twice. Needs no time: a bucket that would have been full earlier is full.
    pub fn refund(&mut self, n: u64) {
        self.full_at = self.full_at.saturating_sub(product(n, self.cost));
    }

    /// Takes `n` units that were used already, whether they are there or not. What is missing is a debt, paid
    /// by the refill; it is at most one burst, so that one wrong estimate cannot close a bucket for hours.
    pub fn debit(&mut self, n: u64, now: Moment) {
        let most = self.ticks(now).saturating_add(self.size.saturating_mul(2));
        self.full_at = self.after(n, now).min(most.max(self.full_at));
    }

    /// What is left, and how long until `n` more may come.
    #[must_use]
    pub fn left(&self, n: u64, now: Moment) -> Left {
        let used = self.used(now);
        let free = self.size.saturating_sub(used);
        Left {
            limit: self.limit.burst.max(1),
            remaining: u64::try_from(free / u128::from(self.cost)).unwrap_or(u64::MAX),
            reset: self.duration(used),
            next: self.duration(self.short(used, n)),
        }
    }

    fn ticks(&self, now: Moment) -> u128 {
        product(now.0, self.speed)
    }

    /// The ticks that are not refilled by `now`.
    fn used(&self, now: Moment) -> u128 {
        self.full_at.saturating_sub(self.ticks(now))
    }

    fn short(&self, used: u128, n: u64) -> u128 {
        used.saturating_add(product(n, self.cost)).saturating_sub(self.size)
    }

    /// When it is full again once `n` more are taken.
    fn after(&self, n: u64, now: Moment) -> u128 {
        self.full_at.max(self.ticks(now)).saturating_add(product(n, self.cost))
    }

    /// Rounded up: who waits so long does not come too early.
    fn duration(&self, ticks: u128) -> Duration {
        let nanos = match u64::try_from(ticks) {
            // Division of 128 bits is several times slower, and rarely needed.
            Ok(ticks) => ticks.div_ceil(self.speed),
            Err(_) => u64::try_from(ticks.div_ceil(u128::from(self.speed))).unwrap_or(u64::MAX),
        };
        Duration::from_nanos(nanos)
    }
}

fn product(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

pub(in crate::limits) fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
#[path = "cell_tests.rs"]
mod tests;
