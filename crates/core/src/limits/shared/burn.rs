//! How fast a bucket is used here: what a lease is sized by.

use crate::limits::cell::Moment;
use std::time::Duration;

/// A lease is made for so much time at the pace of late.
const AHEAD: Duration = Duration::from_secs(4);
/// And for at least so many requests like the last one.
const AT_LEAST: u64 = 32;
/// Shorter times say nothing of a pace.
const SHORTEST: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Burn {
    since: Moment,
    units: u64,
    last: u64,
    per_second: f64,
}

impl Burn {
    pub(super) fn took(&mut self, units: u64) {
        self.units = self.units.saturating_add(units);
        self.last = units;
    }

    /// Units that a lease is to hold from now on.
    pub(super) fn target(&mut self, now: Moment, next: u64) -> u64 {
        let time = now.since(self.since);
        if time >= SHORTEST {
            let pace = self.units as f64 / time.as_secs_f64();
            // Up at once, down by and by.
            self.per_second = if pace > self.per_second { pace } else { (self.per_second + pace) / 2.0 };
            (self.since, self.units) = (now, 0);
        }
        // From floating point `as` saturates.
        let ahead = (self.per_second * AHEAD.as_secs_f64()) as u64;
        ahead.max(self.last.max(next).saturating_mul(AT_LEAST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_for_the_pace_of_late_and_for_some_requests_at_least() {
        let mut burn = Burn::default();
        assert_eq!(burn.target(Moment(0), 3), 96);
        (0..1000).for_each(|_| burn.took(1));
        assert_eq!(burn.target(Moment::at(Duration::from_secs(1)), 1), 4000);
        assert_eq!(burn.target(Moment::at(Duration::from_secs(2)), 1), 2000);
    }
}
