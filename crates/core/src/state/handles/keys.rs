//! Handles of client keys.

use super::{by_type, pick, usd};
use crate::telemetry::{
    labels::{Decision, LimitLabel, Outcome, TokenType},
    metrics::{CounterRow, Metrics},
    spent::Spent,
};
use prometheus::{Counter, IntCounter};

/// Ends of requests that a key counts from zero: those that say something of its user. With hundreds of keys every
/// further one would be hundreds of series.
const OUTCOMES: &[Outcome] =
    &[Outcome::Ok, Outcome::ClientError, Outcome::Limited, Outcome::Cancelled, Outcome::UpstreamError];
/// Kinds of tokens that it counts from zero; few keys' prompts are cached by a provider.
const TOKENS: &[TokenType] = &[TokenType::Input, TokenType::Output];
/// Refusals that it counts from zero.
const LIMITS: &[LimitLabel] =
    &[LimitLabel::Requests, LimitLabel::Tokens, LimitLabel::Concurrency, LimitLabel::Budget];

/// Handles of one key.
pub struct KeyMetrics {
    tenant: String,
    label: String,
    requests: CounterRow,
    allowed: [IntCounter; 2],
    tokens: CounterRow,
    limited: CounterRow,
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
        let owner = [tenant, key];
        Self {
            tenant: tenant.to_owned(),
            label: key.to_owned(),
            requests: metrics.key_requests.row(owner, OUTCOMES.iter().map(|outcome| outcome.index())),
            allowed: [Decision::Allowed, Decision::Queued].map(|decision| {
                let labels = [tenant, decision.as_str(), LimitLabel::None.as_str()];
                metrics.limit_decisions.with_label_values(&labels)
            }),
            tokens: metrics.key_tokens.row(owner, TOKENS.iter().map(|kind| kind.index())),
            limited: metrics.key_limited.row(owner, LIMITS.iter().map(|limit| limit.index())),
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
        let decision = [&self.tenant, Decision::Limited.as_str(), limit.as_str()];
        metrics.limit_decisions.with_label_values(&decision).inc();
        self.limited.add(limit.index(), 1);
    }

    /// Counts a finished request, and what it bought.
    pub fn count(&self, outcome: Outcome, spent: &Spent) {
        self.requests.add(outcome.index(), 1);
        if let Some(counted) = &spent.counted {
            for (kind, amount) in by_type(&counted.tokens) {
                self.tokens.add(kind.index(), amount);
            }
        }
        if let Some(cost) = &spent.cost {
            self.cost.inc_by(usd(cost.nano_usd));
        }
    }
}
