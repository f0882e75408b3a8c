//! Handles of client keys.

use super::{count_tokens, pick, usd};
use crate::telemetry::{
    labels::{Decision, LimitLabel, Outcome, PerLabel, TokenType},
    metrics::Metrics,
    spent::Spent,
};
use prometheus::{Counter, IntCounter};

/// Ends of requests that a key counts from zero: those that say something of its user. With hundreds of keys every
/// further one would be hundreds of series.
const OUTCOMES: &[Outcome] =
    &[Outcome::Ok, Outcome::ClientError, Outcome::Limited, Outcome::Cancelled, Outcome::UpstreamError];
/// Kinds of tokens that it counts from zero; few keys' prompts are cached by a provider.
const TOKENS: &[TokenType] = &[TokenType::Input, TokenType::Output];

/// Handles of one key.
pub struct KeyMetrics {
    tenant: String,
    label: String,
    requests: PerLabel<Outcome, IntCounter>,
    allowed: [IntCounter; 2],
    tokens: PerLabel<TokenType, IntCounter>,
    cost: Counter,
}

impl KeyMetrics {
    /// Resolves the handles for a tenant and a key.
    #[must_use]
    pub fn new(metrics: &Metrics, tenant: &str, key: &str) -> Self {
        // They start at zero, so that `increase` sees the first refusal.
        for limit in LimitLabel::ALL.iter().filter(|limit| **limit != LimitLabel::None) {
            let decision = [tenant, Decision::Limited.as_str(), limit.as_str()];
            metrics.limit_decisions.with_label_values(&decision);
        }
        for limit in [LimitLabel::Requests, LimitLabel::Tokens, LimitLabel::Concurrency, LimitLabel::Budget] {
            metrics.key_limited.with_label_values(&[tenant, key, limit.as_str()]);
        }
        Self {
            tenant: tenant.to_owned(),
            label: key.to_owned(),
            requests: PerLabel::new(OUTCOMES, |outcome| {
                metrics.key_requests.with_label_values(&[tenant, key, outcome.as_str()])
            }),
            allowed: [Decision::Allowed, Decision::Queued].map(|decision| {
                let labels = [tenant, decision.as_str(), LimitLabel::None.as_str()];
                metrics.limit_decisions.with_label_values(&labels)
            }),
            tokens: PerLabel::new(TOKENS, |kind| {
                metrics.key_tokens.with_label_values(&[tenant, key, kind.as_str()])
            }),
            cost: metrics.key_cost.with_label_values(&[tenant, key]),
        }
    }

    /// The key's label.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The tenant's label.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Counts a request that all limits let go on, at once or after a wait.
    pub fn allowed(&self, after_a_wait: bool) {
        pick(&self.allowed, after_a_wait).inc();
    }

    /// Counts a request that a limit refused.
    pub fn limited(&self, metrics: &Metrics, limit: LimitLabel) {
        let limit = limit.as_str();
        let decision = [&self.tenant, Decision::Limited.as_str(), limit];
        metrics.limit_decisions.with_label_values(&decision).inc();
        metrics.key_limited.with_label_values(&[&self.tenant, &self.label, limit]).inc();
    }

    /// Counts a finished request, and what it bought.
    pub fn count(&self, metrics: &Metrics, outcome: Outcome, spent: &Spent) {
        match self.requests.get(outcome) {
            Some(counter) => counter.inc(),
            None => {
                metrics.key_requests.with_label_values(&[&self.tenant, &self.label, outcome.as_str()]).inc();
            }
        }
        if let Some(counted) = &spent.counted {
            count_tokens(&self.tokens, &counted.tokens);
            let cached = [
                (TokenType::CacheRead, counted.tokens.cache_read),
                (TokenType::CacheWrite, counted.tokens.cache_write),
            ];
            for (kind, amount) in cached.into_iter().filter(|(_, amount)| *amount > 0) {
                let labels = [&self.tenant, &self.label, kind.as_str()];
                metrics.key_tokens.with_label_values(&labels).inc_by(amount);
            }
        }
        if let Some(cost) = &spent.cost {
            self.cost.inc_by(usd(cost.nano_usd));
        }
    }
}
