//! Handles of providers.

use super::pick;
use crate::telemetry::{
    labels::{AttemptOutcome, PerLabel, RetryResult},
    metrics::Metrics,
};
use prometheus::IntCounter;

/// Handles of one provider.
pub struct ProviderMetrics {
    label: Box<str>,
    retries: [IntCounter; 2],
    cooldowns: PerLabel<AttemptOutcome, IntCounter>,
}

impl ProviderMetrics {
    /// Resolves the handles for a provider's label.
    #[must_use]
    pub fn new(metrics: &Metrics, provider: &str) -> Self {
        metrics.start_provider(provider);
        let retries = |result: RetryResult| metrics.retries.with_label_values(&[provider, result.as_str()]);
        let cooldown =
            |why: AttemptOutcome| metrics.pool_key_cooldowns.with_label_values(&[provider, why.as_str()]);
        Self {
            label: provider.into(),
            retries: [RetryResult::Refused, RetryResult::Made].map(retries),
            cooldowns: PerLabel::new(&[AttemptOutcome::RateLimited, AttemptOutcome::AuthError], cooldown),
        }
    }

    /// The provider's label.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Counts a further try, or that there was no room for one.
    pub fn retry(&self, made: bool) {
        pick(&self.retries, made).inc();
    }

    /// Counts a key that is left alone for a while.
    pub fn cooldown(&self, why: AttemptOutcome) {
        if let Some(counter) = self.cooldowns.get(why) {
            counter.inc();
        }
    }
}
