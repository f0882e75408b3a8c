//! A retry budget: repeated tries may add so much to a provider's load, and no more, however much fails.
//!
//! Every request that comes to the provider adds a share of a retry; time adds some, so that a quiet provider's
//! requests may be repeated, too. Going on to another provider is no retry: that is what fallbacks are for.

use sluice_config::model;
use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// See the module.
#[derive(Debug)]
pub struct RetryBudget(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    rules: model::RetryBudget,
    /// Earned by requests; at most as much as a second gives, so that a calm hour does not pay for a storm.
    earned: f64,
    /// Given by time; at most one second's.
    given: f64,
    at: Instant,
}

impl RetryBudget {
    /// One second's retries are there from the start.
    #[must_use]
    pub fn new(rules: model::RetryBudget, now: Instant) -> Self {
        let given = f64::from(rules.per_second);
        Self(Mutex::new(Inner { rules, earned: 0.0, given, at: now }))
    }

    /// Other rules from now on.
    pub fn set_rules(&self, rules: model::RetryBudget) {
        self.with(|inner| {
            inner.rules = rules;
            inner.given = inner.given.min(f64::from(rules.per_second));
        });
    }

    /// A request has come to the provider.
    pub fn earn(&self) {
        self.with(|inner| {
            let most = f64::from(inner.rules.per_second).max(1.0);
            inner.earned = (inner.earned + inner.rules.ratio.0).min(most);
        });
    }

    /// Takes a retry, if there is one.
    #[must_use]
    pub fn take(&self, now: Instant) -> bool {
        self.with(|inner| {
            let passed = now.saturating_duration_since(inner.at).as_secs_f64();
            let second = f64::from(inner.rules.per_second);
            inner.given = (inner.given + passed * second).min(second);
            inner.at = inner.at.max(now);
            let purse = if inner.earned >= 1.0 { &mut inner.earned } else { &mut inner.given };
            let pays = *purse >= 1.0;
            if pays {
                *purse -= 1.0;
            }
            pays
        })
    }

    fn with<T>(&self, step: impl FnOnce(&mut Inner) -> T) -> T {
        step(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_config::model::Ratio;
    use std::time::Duration;

    const RULES: model::RetryBudget = model::RetryBudget { ratio: Ratio(0.2), per_second: 10 };

    #[test]
    fn a_storm_is_repeated_by_a_fifth_and_ten_a_second_and_no_more() {
        let begin = Instant::now();
        let budget = RetryBudget::new(RULES, begin);
        let (mut requests, mut retries) = (0_u32, 0_u32);
        for ms in (0..10_000).step_by(2) {
            let now = begin + Duration::from_millis(ms);
            budget.earn();
            requests += 1;
            while budget.take(now) {
                retries += 1;
            }
        }
        let most = f64::from(requests) * 0.2 + 10.0 * 11.0;
        assert!(f64::from(retries) <= most, "{retries} of {most}");
        assert!(f64::from(retries) >= most * 0.97, "{retries} of {most}");
    }

    #[test]
    fn a_quiet_hour_saves_nothing_up() {
        let begin = Instant::now();
        let budget = RetryBudget::new(RULES, begin);
        (0..100_000).for_each(|_| budget.earn());
        let later = begin + Duration::from_secs(3600);
        assert_eq!((0..1000).filter(|_| budget.take(later)).count(), 20);
    }

    #[test]
    fn none_at_all_is_none() {
        let rules = model::RetryBudget { ratio: Ratio(0.0), per_second: 0 };
        let budget = RetryBudget::new(rules, Instant::now());
        budget.earn();
        assert!(!budget.take(Instant::now() + Duration::from_secs(100)));
    }
}
