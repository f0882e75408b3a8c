//! Metric handles, resolved when a snapshot is built: on a request's path a count is one atomic addition.
//!
//! Combinations that are rare (errors) are looked up when they happen.

use crate::{
    ledger::{Counted, Tokens},
    telemetry::{
        exchange::CacheNote,
        labels::{
            AttemptOutcome, BypassLabel, CacheResult, CacheTier, Decision, EndpointLabel, LimitLabel,
            Outcome, PerLabel, Source, StreamEnd, TokenType,
        },
        metrics::Metrics,
        spent::{Bought, Spent},
    },
};
use prometheus::{Counter, Histogram, IntCounter, IntGauge};
use sluice_protocol::price::Price;
use std::time::Duration;

const BOOL: [&str; 2] = ["false", "true"];

/// What the response cache can make of a request, and where.
const CACHE_OUTCOMES: &[(CacheResult, CacheTier)] = &[
    (CacheResult::Hit, CacheTier::Memory),
    (CacheResult::Hit, CacheTier::Redis),
    (CacheResult::Miss, CacheTier::None),
    (CacheResult::Bypass, CacheTier::None),
    (CacheResult::Coalesced, CacheTier::None),
    (CacheResult::Error, CacheTier::Redis),
];

/// Handles of one configured model, or of requests without one.
pub struct ModelMetrics {
    label: String,
    ok: PerLabel<EndpointLabel, [IntCounter; 2]>,
    durations: PerLabel<Source, [Histogram; 2]>,
    cache: PerLabel<(CacheResult, CacheTier), IntCounter>,
    saved: [IntCounter; 2],
    cost_saved: Counter,
    /// Tries per request.
    pub attempts: Histogram,
    /// Requests for which every target failed.
    pub exhausted: IntCounter,
}

impl ModelMetrics {
    /// Resolves the handles for a label; successes are counted in advance at `endpoints`.
    #[must_use]
    pub fn new(metrics: &Metrics, label: &str, endpoints: &[EndpointLabel]) -> Self {
        let ok = |endpoint: EndpointLabel| {
            BOOL.map(|stream| {
                metrics.requests.with_label_values(&[
                    endpoint.as_str(),
                    label,
                    Outcome::Ok.as_str(),
                    "200",
                    stream,
                ])
            })
        };
        let duration = |source: Source| {
            BOOL.map(|stream| metrics.request_duration.with_label_values(&[label, stream, source.as_str()]))
        };
        let cache = |(result, tier): (CacheResult, CacheTier)| {
            metrics.cache_requests.with_label_values(&[label, result.as_str(), tier.as_str()])
        };
        let saved = |kind: TokenType| metrics.tokens_saved.with_label_values(&[label, kind.as_str()]);
        Self {
            label: label.to_owned(),
            cache: PerLabel::new(CACHE_OUTCOMES, cache),
            saved: [saved(TokenType::Input), saved(TokenType::Output)],
            cost_saved: metrics.cost_saved.with_label_values(&[label, "response_cache"]),
            ok: PerLabel::new(endpoints, ok),
            durations: PerLabel::new(Source::ALL, duration),
            attempts: metrics.request_attempts.with_label_values(&[label]),
            exhausted: metrics.fallbacks_exhausted.with_label_values(&[label]),
        }
    }

    /// The label, for rare families.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Counts a finished request.
    pub fn count(
        &self,
        metrics: &Metrics,
        endpoint: EndpointLabel,
        outcome: Outcome,
        status: u16,
        stream: bool,
    ) {
        if outcome == Outcome::Ok
            && status == 200
            && let Some(counters) = self.ok.get(endpoint)
        {
            pick(counters, stream).inc();
            return;
        }
        // Statuses are ours: a closed set. 0 is a client that left before there was one.
        let code = if status == 0 { "499".to_owned() } else { status.to_string() };
        let labels =
            [endpoint.as_str(), &self.label, outcome.as_str(), &code, if stream { "true" } else { "false" }];
        metrics.requests.with_label_values(&labels).inc();
    }

    /// Counts what the response cache made of a request, and what that saved: tokens, and nano-dollars where
    /// the price is known.
    pub fn count_cache(&self, note: &CacheNote, price: impl FnOnce(&CacheNote) -> Option<Price>) {
        let Some(result) = note.result else { return };
        if let Some(counter) = self.cache.get((result, note.tier.unwrap_or(CacheTier::None))) {
            counter.inc();
        }
        if let Some(saved) = note.saved.filter(|_| note.is_given()) {
            let [input, output] = &self.saved;
            input.inc_by(saved.input);
            output.inc_by(saved.output);
            if let Some(price) = price(note) {
                self.cost_saved.inc_by(usd(price.cost(&saved)));
            }
        }
    }

    /// Observes the duration of a request.
    pub fn observe_duration(&self, stream: bool, source: Source, seconds: f64) {
        if let Some(pair) = self.durations.get(source) {
            pick(pair, stream).observe(seconds);
        }
    }
}

fn pick<T>(pair: &[T; 2], second: bool) -> &T {
    let [first, other] = pair;
    if second { other } else { first }
}

/// Handles of one target.
pub struct TargetMetrics {
    attempts: PerLabel<AttemptOutcome, IntCounter>,
    tokens: PerLabel<TokenType, IntCounter>,
    stream_ends: PerLabel<StreamEnd, IntCounter>,
    reasoning: IntCounter,
    cost: Counter,
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
    pub fn new(metrics: &Metrics, provider: &str, upstream_model: &str, model: &str) -> Self {
        let attempt = |outcome: AttemptOutcome| {
            metrics.upstream_attempts.with_label_values(&[provider, upstream_model, outcome.as_str()])
        };
        let tokens = |kind: TokenType| metrics.tokens.with_label_values(&[provider, model, kind.as_str()]);
        let ends = |end: StreamEnd| metrics.stream_ends.with_label_values(&[provider, end.as_str()]);
        Self {
            attempts: PerLabel::new(AttemptOutcome::ALL, attempt),
            tokens: PerLabel::new(TokenType::ALL, tokens),
            stream_ends: PerLabel::new(StreamEnd::ALL, ends),
            reasoning: metrics.reasoning_tokens.with_label_values(&[provider, model]),
            cost: metrics.cost.with_label_values(&[provider, model]),
            price_missing: metrics.price_missing.with_label_values(&[provider, upstream_model]),
            duration: metrics.upstream_duration.with_label_values(&[provider, upstream_model]),
            first_token: metrics.first_token.with_label_values(&[provider, model]),
            per_token: metrics.per_token.with_label_values(&[provider, model]),
            max_gap: metrics.max_gap.with_label_values(&[provider]),
            usage_missing: metrics.usage_missing.with_label_values(&[provider, upstream_model]),
            streams: metrics.streams_in_flight.with_label_values(&[provider]),
        }
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
    }
}

/// Nano-dollars as a metric's dollars.
fn usd(nano: u64) -> f64 {
    nano as f64 / 1e9
}

fn count_tokens(counters: &PerLabel<TokenType, IntCounter>, tokens: &Tokens) {
    for (kind, amount) in [
        (TokenType::Input, tokens.input),
        (TokenType::Output, tokens.output),
        (TokenType::CacheRead, tokens.cache_read),
        (TokenType::CacheWrite, tokens.cache_write),
    ] {
        if amount > 0
            && let Some(counter) = counters.get(kind)
        {
            counter.inc_by(amount);
        }
    }
}

/// Handles of one provider.
pub struct ProviderMetrics {
    retries: [IntCounter; 2],
    cooldowns: PerLabel<AttemptOutcome, IntCounter>,
}

impl ProviderMetrics {
    /// Resolves the handles for a provider.
    #[must_use]
    pub fn new(metrics: &Metrics, provider: &str) -> Self {
        let retries = |result| metrics.retries.with_label_values(&[provider, result]);
        let cooldown =
            |why: AttemptOutcome| metrics.pool_key_cooldowns.with_label_values(&[provider, why.as_str()]);
        Self {
            retries: ["refused", "made"].map(retries),
            cooldowns: PerLabel::new(&[AttemptOutcome::RateLimited, AttemptOutcome::AuthError], cooldown),
        }
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

/// Handles of one key.
pub struct KeyMetrics {
    tenant: String,
    label: String,
    ok: IntCounter,
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
            ok: metrics.key_requests.with_label_values(&[tenant, key, Outcome::Ok.as_str()]),
            allowed: [Decision::Allowed, Decision::Queued].map(|decision| {
                let labels = [tenant, decision.as_str(), LimitLabel::None.as_str()];
                metrics.limit_decisions.with_label_values(&labels)
            }),
            tokens: PerLabel::new(TokenType::ALL, |kind| {
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
        if outcome == Outcome::Ok {
            self.ok.inc();
        } else {
            metrics.key_requests.with_label_values(&[&self.tenant, &self.label, outcome.as_str()]).inc();
        }
        if let Some(counted) = &spent.counted {
            count_tokens(&self.tokens, &counted.tokens);
        }
        if let Some(cost) = &spent.cost {
            self.cost.inc_by(usd(cost.nano_usd));
        }
    }
}

/// Handles by endpoint, and others that belong to no model.
pub struct EndpointMetrics {
    /// Why the cache was passed by.
    bypass: PerLabel<BypassLabel, IntCounter>,
    request_body: PerLabel<EndpointLabel, Histogram>,
    response_body: PerLabel<EndpointLabel, Histogram>,
    overhead: PerLabel<Source, Histogram>,
}

impl EndpointMetrics {
    /// Resolves the handles.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            bypass: PerLabel::new(BypassLabel::ALL, |reason| {
                metrics.cache_bypass.with_label_values(&[reason.as_str()])
            }),
            request_body: PerLabel::new(EndpointLabel::ALL, |e| {
                metrics.request_body.with_label_values(&[e.as_str()])
            }),
            response_body: PerLabel::new(EndpointLabel::ALL, |e| {
                metrics.response_body.with_label_values(&[e.as_str()])
            }),
            overhead: PerLabel::new(Source::ALL, |s| metrics.overhead.with_label_values(&[s.as_str()])),
        }
    }

    /// Counts a request that passed the cache by.
    pub fn bypassed(&self, reason: BypassLabel) {
        if let Some(counter) = self.bypass.get(reason) {
            counter.inc();
        }
    }

    /// Observes our own time in a request.
    pub fn observe_overhead(&self, source: Source, overhead: Duration) {
        if let Some(histogram) = self.overhead.get(source) {
            histogram.observe(overhead.as_secs_f64());
        }
    }

    /// Observes the sizes of both bodies.
    pub fn observe_sizes(&self, endpoint: EndpointLabel, request: u64, response: u64) {
        if let Some(histogram) = self.request_body.get(endpoint) {
            histogram.observe(request as f64);
        }
        if let Some(histogram) = self.response_body.get(endpoint) {
            histogram.observe(response as f64);
        }
    }
}
