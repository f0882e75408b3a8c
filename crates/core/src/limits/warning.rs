//! A budget comes near its end: told once for each configured share and period.

use super::{
    pot::{Budget, Span},
    refusal::Dollars,
    scope::LimitScope,
};
use sluice_config::model::Ratio;

/// What was told already.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    /// Smallest first.
    at: Vec<Ratio>,
    /// Shares passed in the period.
    told: usize,
    start: i64,
}

/// A share that was passed just now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Warning {
    share: Ratio,
    budget: Budget,
    paid: u64,
    span: Span,
}

impl Warnings {
    pub(super) fn set(&mut self, at: &[Ratio]) {
        self.at = at.to_vec();
        self.at.sort_by(|one, other| one.0.total_cmp(&other.0));
        self.told = self.told.min(self.at.len());
    }

    /// How many of the shares are passed, told here or by a process before this one.
    pub(super) fn reached(&self, budget: Budget, paid: u64) -> usize {
        self.at.partition_point(|share| paid as f64 >= share.0 * budget.nano_usd as f64)
    }

    /// Looks at what was paid; of several shares that were passed at once, the last.
    pub(super) fn passed(&mut self, budget: Budget, paid: u64, span: Span) -> Option<Warning> {
        if self.at.is_empty() {
            return None;
        }
        if self.start != span.start {
            (self.start, self.told) = (span.start, 0);
        }
        let reached = self.reached(budget, paid);
        if reached <= self.told {
            return None;
        }
        self.told = reached;
        let share = *self.at.get(reached - 1)?;
        Some(Warning { share, budget, paid, span })
    }
}

impl Warning {
    /// Tells whoever reads the log.
    pub(super) fn tell(&self, scope: &LimitScope) {
        tracing::warn!(
            scope = scope.kind().as_str(),
            name = scope.name(),
            share = self.share.0,
            spent = %Dollars(self.paid),
            budget = %Dollars(self.budget.nano_usd),
            resets = %self.span.reset_date(),
            "a budget comes near its end"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_config::model::Period;

    #[test]
    fn each_share_is_told_once_in_a_period() {
        let budget = Budget { nano_usd: 100, per: Period::Day };
        let mut warnings = Warnings::default();
        warnings.set(&[Ratio(0.9), Ratio(0.75)]);
        let day = |start| Span { start, end: start + 86_400 };
        let mut passed = |paid, start| warnings.passed(budget, paid, day(start)).map(|w| w.share.0);
        assert_eq!(
            [74, 75, 80, 90, 120].map(|paid| passed(paid, 0)),
            [None, Some(0.75), None, Some(0.9), None]
        );
        assert_eq!(passed(95, 86_400), Some(0.9), "both at once in the next period");
        assert_eq!(passed(99, 86_400), None);
        assert_eq!([0, 75, 99].map(|paid| warnings.reached(budget, paid)), [0, 1, 2]);
    }
}
