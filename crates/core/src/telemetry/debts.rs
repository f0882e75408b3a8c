//! What providers' prompt caches save, as a sum that only rises.
//!
//! Writing to such a cache costs more than reading a prompt plainly; reading from it costs less. The net of both can
//! fall, and a counter must not: what was paid more is a debt, and only what savings leave after it is paid back is
//! counted. The counter so stands at the highest that the true net has reached since the process began. Debts outlive a
//! reload.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Debts by the label of the model.
#[derive(Debug, Default)]
pub struct Debts(Mutex<HashMap<Box<str>, Arc<Debt>>>);

impl Debts {
    /// The debt of a model.
    #[must_use]
    pub fn of(&self, model: &str) -> Arc<Debt> {
        let mut debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(debt) = debts.get(model) {
            return debt.clone();
        }
        debts.entry(model.into()).or_default().clone()
    }
}

/// What is to be paid back, in nano-dollars.
#[derive(Debug, Default)]
pub struct Debt(AtomicU64);

impl Debt {
    /// Takes what one answer saved, or cost more; returns what may be counted as saved.
    #[must_use]
    pub fn settle(&self, net: i64) -> u64 {
        if net <= 0 {
            self.0.fetch_add(net.unsigned_abs(), Ordering::Relaxed);
            return 0;
        }
        let saved = net.unsigned_abs();
        let pay = |debt: u64| Some(debt.saturating_sub(saved));
        // The closure never refuses.
        let debt = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay).unwrap_or_default();
        saved.saturating_sub(debt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_paid_more_comes_back_before_anything_counts_as_saved() {
        let debts = Debts::default();
        let debt = debts.of("m");
        assert_eq!(debt.settle(-100), 0);
        assert_eq!(debt.settle(60), 0);
        assert_eq!(debts.of("m").settle(60), 20, "the same after a reload");
        assert_eq!(debt.settle(7), 7);
        assert_eq!(debts.of("n").settle(5), 5, "another model owes nothing");
    }
}
