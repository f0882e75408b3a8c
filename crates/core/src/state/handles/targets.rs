//! Handles of targets.

use super::{count_tokens, usd};
use crate::{
    ledger::Counted,
    telemetry::{
        debts::Debt,
        labels::{AttemptOutcome, PerLabel, SavedBy, StreamEnd, TokenType},
        metrics::Metrics,
        spent::Bought,
    },
};
use prometheus::{Counter, Histogram, IntCounter, IntGauge};
use std::{sync::Arc, time::Duration};

/// Handles of one target.
pub struct TargetMetrics {
    label: Box<str>,
    attempts: PerLabel<AttemptOutcome, IntCounter>,
    tokens: PerLabel<TokenType, IntCounter>,
    stream_ends: PerLabel<StreamEnd, IntCounter>,
    reasoning: IntCounter,
    cost: Counter,
    cost_saved: Counter,
    /// What the prompt cache of this model's providers has still to bring back.
    debt: Arc<Debt>,
    price_missing: IntCounter,
    /// Attempts, to their last byte.
    pub duration: Histogram,
    /// First content of a stream.
    pub first_token: Histogram,
    /// Pace of a stream.
    pub per_token: Histogram,
    /// Longest silence in a stream.
    pub max_gap: Histogram,
    /// Answers without usage.
    pub usage_missing: IntCounter,
    /// Open streams of the provider.
    pub streams: IntGauge,
}

impl TargetMetrics {
    /// Resolves the handles for a provider, its model and the model that leads to it.
    #[must_use]
    pub fn new(
        metrics: &Metrics,
        provider: &str,
        upstream_model: &str,
        model: &str,
        debt: Arc<Debt>,
    ) -> Self {
        let attempt = |outcome: AttemptOutcome| {
            metrics.upstream_attempts.with_label_values(&[provider, upstream_model, outcome.as_str()])
        };
        let tokens = |kind: TokenType| metrics.tokens.with_label_values(&[provider, model, kind.as_str()]);
        let ends = |end: StreamEnd| metrics.stream_ends.with_label_values(&[provider, end.as_str()]);
        Self {
            label: upstream_model.into(),
            attempts: PerLabel::new(AttemptOutcome::ALL, attempt),
            tokens: PerLabel::new(TokenType::ALL, tokens),
            stream_ends: PerLabel::new(StreamEnd::ALL, ends),
            reasoning: metrics.reasoning_tokens.with_label_values(&[provider, model]),
            cost: metrics.cost.with_label_values(&[provider, model]),
            cost_saved: metrics.cost_saved.with_label_values(&[model, SavedBy::PromptCache.as_str()]),
            debt,
            price_missing: metrics.price_missing.with_label_values(&[provider, upstream_model]),
            duration: metrics.upstream_duration.with_label_values(&[provider, upstream_model]),
            first_token: metrics.first_token.with_label_values(&[provider, model]),
            per_token: metrics.per_token.with_label_values(&[provider, model]),
            max_gap: metrics.max_gap.with_label_values(&[provider]),
            usage_missing: metrics.usage_missing.with_label_values(&[provider, upstream_model]),
            streams: metrics.streams_in_flight.with_label_values(&[provider]),
        }
    }

    /// The label of the upstream's model.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Counts a try.
    pub fn attempt(&self, outcome: AttemptOutcome, took: Duration) {
        if let Some(counter) = self.attempts.get(outcome) {
            counter.inc();
        }
        self.duration.observe(took.as_secs_f64());
    }

    /// Counts the end of a stream.
    pub fn stream_end(&self, end: StreamEnd) {
        if let Some(counter) = self.stream_ends.get(end) {
            counter.inc();
        }
    }

    /// Counts what a try bought; without a price, that there is none.
    pub fn count_bought(&self, bought: &Bought) {
        let Some(Counted { tokens, .. }) = &bought.counted else { return };
        count_tokens(&self.tokens, tokens);
        self.reasoning.inc_by(tokens.reasoning);
        match bought.nano_usd {
            Some(nano_usd) => self.cost.inc_by(usd(nano_usd)),
            None => self.price_missing.inc(),
        }
        if bought.prompt_cache_saved != 0 {
            self.cost_saved.inc_by(usd(self.debt.settle(bought.prompt_cache_saved)));
        }
    }
}
