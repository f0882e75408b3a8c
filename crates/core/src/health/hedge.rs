//! How many second requests a model may make beside slow first ones: a share of its requests.

use std::sync::atomic::{AtomicU64, Ordering};

/// One hedge, in the units of the account: a request adds its share of one.
const ONE: u64 = 1_000_000;
/// So many may be saved up.
const MOST: u64 = 10 * ONE;

/// See the module.
#[derive(Debug, Default)]
pub struct HedgeBudget {
    saved: AtomicU64,
    share: AtomicU64,
}

impl HedgeBudget {
    /// Hedges may be so large a share of requests.
    pub fn set_share(&self, share: f64) {
        // Settings hold shares between 0 and 1.
        self.share.store((share.clamp(0.0, 1.0) * ONE as f64) as u64, Ordering::Relaxed);
    }

    /// A request has come.
    pub fn earn(&self) {
        let share = self.share.load(Ordering::Relaxed);
        let add = |saved: u64| Some((saved + share).min(MOST));
        self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok();
    }

    /// Takes a hedge, if there is one.
    #[must_use]
    pub fn take(&self) -> bool {
        let less = |saved: u64| saved.checked_sub(ONE);
        self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// Puts back what was taken for a hedge that was not made.
    pub fn give_back(&self) {
        let add = |saved: u64| Some((saved + ONE).min(MOST));
        self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hedges_are_a_share_of_requests() {
        let budget = HedgeBudget::default();
        budget.set_share(0.02);
        let mut hedges = 0;
        for _ in 0..10_000 {
            budget.earn();
            hedges += u32::from(budget.take());
        }
        assert_eq!(hedges, 200);
    }

    #[test]
    fn few_are_saved_up() {
        let budget = HedgeBudget::default();
        budget.set_share(1.0);
        (0..1000).for_each(|_| budget.earn());
        assert_eq!((0..1000).filter(|_| budget.take()).count(), 10);
    }
}
