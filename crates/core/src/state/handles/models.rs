//! Handles of models.

use super::{pick, usd};
use crate::telemetry::{
    exchange::CacheNote,
    labels::{
        CacheResult, CacheTier, EndpointLabel, HedgeResult, Outcome, PerLabel, ResumeResult, SavedBy, Source,
        TokenType,
    },
    metrics::Metrics,
};
use prometheus::{Counter, Histogram, IntCounter};
use sluice_protocol::price::Price;
use std::sync::atomic::{AtomicBool, Ordering};

const BOOL: [&str; 2] = ["false", "true"];

/// The label's text.
fn flag(stream: bool) -> &'static str {
    let [plain, streamed] = BOOL;
    if stream { streamed } else { plain }
}

/// How requests fail, with the status that goes with it: what error ratios and burn rates are made of.
const FAILURES: &[(Outcome, &str)] = &[
    (Outcome::ClientError, "400"),
    (Outcome::Limited, "429"),
    (Outcome::Cancelled, "499"),
    (Outcome::UpstreamError, "502"),
    (Outcome::UpstreamError, "503"),
    (Outcome::Timeout, "504"),
    (Outcome::GatewayError, "500"),
];
/// Those of streams whose head was out already.
const FAILURES_OF_STREAMS: &[(Outcome, &str)] =
    &[(Outcome::Cancelled, "200"), (Outcome::UpstreamError, "200"), (Outcome::Timeout, "200")];

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
    ok: PerLabel<EndpointLabel, (IntCounter, Option<IntCounter>)>,
    /// Which combinations of endpoint and stream have been met: their failures count from zero.
    met: PerLabel<EndpointLabel, [AtomicBool; 2]>,
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
            let counter = |stream| {
                let labels = [endpoint.as_str(), label, Outcome::Ok.as_str(), "200", stream];
                metrics.requests.with_label_values(&labels)
            };
            let [plain, stream] = BOOL;
            (counter(plain), endpoint.streams().then(|| counter(stream)))
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
            cost_saved: metrics.cost_saved.with_label_values(&[label, SavedBy::ResponseCache.as_str()]),
            ok: PerLabel::new(endpoints, ok),
            met: PerLabel::new(endpoints, |_| Default::default()),
            durations: PerLabel::new(Source::ALL, duration),
            attempts: metrics.request_attempts.with_label_values(&[label]),
            exhausted: metrics.fallbacks_exhausted.with_label_values(&[label]),
        }
    }

    /// From the first request of its kind on, `increase` sees every failure of that kind. All kinds of all models
    /// together would be thousands of series that nobody ever needs.
    fn meet(&self, metrics: &Metrics, endpoint: EndpointLabel, stream: bool) {
        let Some(met) = self.met.get(endpoint).map(|pair| pick(pair, stream)) else { return };
        if met.load(Ordering::Relaxed) || met.swap(true, Ordering::Relaxed) {
            return;
        }
        let started = if stream { FAILURES_OF_STREAMS } else { &[] };
        for (outcome, code) in FAILURES.iter().chain(started) {
            let labels = [endpoint.as_str(), &self.label, outcome.as_str(), code, flag(stream)];
            metrics.requests.with_label_values(&labels);
        }
    }

    /// What a configured model counts from zero: failures at the endpoint that nearly everybody asks, and what its
    /// settings make possible.
    pub fn start(&self, metrics: &Metrics, hedges: bool, resumes: bool) {
        self.meet(metrics, EndpointLabel::Chat, false);
        self.meet(metrics, EndpointLabel::Chat, true);
        for result in HedgeResult::ALL.iter().filter(|_| hedges) {
            metrics.hedges.with_label_values(&[&self.label, result.as_str()]);
        }
        for result in ResumeResult::ALL.iter().filter(|_| resumes) {
            metrics.resumed.with_label_values(&[&self.label, result.as_str()]);
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
        self.meet(metrics, endpoint, stream);
        if outcome == Outcome::Ok
            && status == 200
            && let Some((plain, streamed)) = self.ok.get(endpoint)
            && let Some(counter) = if stream { streamed.as_ref() } else { Some(plain) }
        {
            counter.inc();
            return;
        }
        // Statuses are ours: a closed set. 0 is a client that left before there was one.
        let code = if status == 0 { "499".to_owned() } else { status.to_string() };
        let labels = [endpoint.as_str(), &self.label, outcome.as_str(), &code, flag(stream)];
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
