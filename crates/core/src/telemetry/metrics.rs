//! The metric families, in one list, with their handles.
//!
//! One registry per app: several gateways can live in one process. Hot paths use handles that the snapshot
//! resolved; `with_label_values` hashes its labels on each call and is for rare events only.
//! Names, labels and buckets are the observability page's; base units, `_total` on counters.

use crate::telemetry::labels::{AbortPhase, AuthFailure, EndpointLabel, Rejection, StreamEnd};
use prometheus::{
    Encoder, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder, core::Collector, process_collector::ProcessCollector,
};

/// Whole requests and attempts, seconds.
const LATENCY: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0,
    300.0, 600.0,
];
/// Our own time, seconds.
const OVERHEAD: &[f64] =
    &[0.000_05, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];
/// First token, seconds.
const FIRST_TOKEN: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0];
/// One output token, seconds.
const PER_TOKEN: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.5];
/// Body sizes, bytes: 256·4ⁿ.
const SIZES: &[f64] =
    &[256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0];
/// Tries per request.
const ATTEMPTS: &[f64] = &[1.0, 2.0, 3.0, 4.0, 5.0, 8.0];

/// Every family of one gateway.
pub struct Metrics {
    registry: Registry,
    /// Finished requests, by endpoint, model, outcome, code, stream.
    pub requests: IntCounterVec,
    /// First byte in to last byte out, by model, stream, source.
    pub request_duration: HistogramVec,
    /// By endpoint.
    pub in_flight: IntGaugeVec,
    /// By endpoint.
    pub request_body: HistogramVec,
    /// By endpoint.
    pub response_body: HistogramVec,
    /// One attempt, by provider and upstream model.
    pub upstream_duration: HistogramVec,
    /// Our own share of a request's time, by source.
    pub overhead: HistogramVec,
    /// Streams, by provider and model.
    pub first_token: HistogramVec,
    /// Streams, by provider and model.
    pub per_token: HistogramVec,
    /// Longest silence in a stream, by provider.
    pub max_gap: HistogramVec,
    /// By provider.
    pub streams_in_flight: IntGaugeVec,
    /// By provider and reason.
    pub stream_ends: IntCounterVec,
    /// By provider, model, type.
    pub tokens: IntCounterVec,
    /// By provider and model.
    pub reasoning_tokens: IntCounterVec,
    /// By provider and upstream model.
    pub usage_missing: IntCounterVec,
    /// By provider, upstream model, outcome.
    pub upstream_attempts: IntCounterVec,
    /// By model.
    pub request_attempts: HistogramVec,
    /// By model, from, to, reason.
    pub fallbacks: IntCounterVec,
    /// By model.
    pub fallbacks_exhausted: IntCounterVec,
    /// By reason.
    pub auth_failures: IntCounterVec,
    /// By reason.
    pub rejected: IntCounterVec,
    /// By phase.
    pub client_aborts: IntCounterVec,
    /// By tenant, key, outcome.
    pub key_requests: IntCounterVec,
    /// By tenant, key, type.
    pub key_tokens: IntCounterVec,
    /// Members that were not forwarded, by provider and member.
    pub dropped_fields: IntCounterVec,
    /// Label values beyond their cap, by label.
    pub label_overflow: IntCounterVec,
    /// Requests that were sent again after a reused connection died silently, by provider.
    pub reused_retries: IntCounterVec,
    /// Open client connections.
    pub client_connections: IntGauge,
    /// New upstream connections, TCP and TLS, by provider.
    pub connect_duration: HistogramVec,
    /// Panics caught in handlers.
    pub panics: IntCounter,
    /// Log lines lost to a slow output.
    pub log_dropped: IntCounter,
    /// 1 when ready.
    pub ready: IntGauge,
    /// 1 when draining.
    pub draining: IntGauge,
    /// Facts about the build.
    pub build_info: IntGaugeVec,
    /// Facts about the configuration.
    pub config_info: IntGaugeVec,
    /// Series in the last scrape.
    pub series: Gauge,
}

/// Registers families one after the other, keeping the first error.
struct Registrar {
    registry: Registry,
}

impl Registrar {
    fn keep<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> prometheus::Result<C> {
        let collector = made?;
        self.registry.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    fn counter(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        self.keep(IntCounterVec::new(Opts::new(format!("sluice_{name}"), help), labels))
    }

    fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.keep(IntGaugeVec::new(Opts::new(format!("sluice_{name}"), help), labels))
    }

    fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> prometheus::Result<HistogramVec> {
        let opts = HistogramOpts::new(format!("sluice_{name}"), help).buckets(buckets.to_vec());
        self.keep(HistogramVec::new(opts, labels))
    }

    fn single<C: Collector + Clone + 'static>(
        &self,
        make: fn(String, String) -> prometheus::Result<C>,
        name: &str,
        help: &str,
    ) -> prometheus::Result<C> {
        self.keep(make(format!("sluice_{name}"), help.to_owned()))
    }
}

impl Metrics {
    /// Makes a registry with every family in it.
    ///
    /// # Errors
    /// When a family is declared wrongly; that is a fault of this file.
    pub fn new() -> prometheus::Result<Self> {
        let r = Registrar { registry: Registry::new() };
        r.registry.register(Box::new(ProcessCollector::for_self()))?;
        let provider_model = &["provider", "model"];
        let target = &["provider", "upstream_model"];
        let metrics = Self {
            requests: r.counter(
                "requests_total",
                "Finished client requests.",
                &["endpoint", "model", "outcome", "code", "stream"],
            )?,
            request_duration: r.histogram(
                "request_duration_seconds",
                "First byte in to last byte out.",
                &["model", "stream", "source"],
                LATENCY,
            )?,
            in_flight: r.gauge("requests_in_flight", "Requests being served.", &["endpoint"])?,
            request_body: r.histogram(
                "request_body_bytes",
                "Sizes of request bodies.",
                &["endpoint"],
                SIZES,
            )?,
            response_body: r.histogram("response_body_bytes", "Sizes of answers.", &["endpoint"], SIZES)?,
            upstream_duration: r.histogram(
                "upstream_duration_seconds",
                "One attempt, to its last byte.",
                target,
                LATENCY,
            )?,
            overhead: r.histogram(
                "overhead_seconds",
                "Total time less the wait for the upstream and for a slow client.",
                &["source"],
                OVERHEAD,
            )?,
            first_token: r.histogram(
                "time_to_first_token_seconds",
                "Request in to first content out; streams.",
                provider_model,
                FIRST_TOKEN,
            )?,
            per_token: r.histogram(
                "time_per_output_token_seconds",
                "(last - first) / (n - 1), once per stream.",
                provider_model,
                PER_TOKEN,
            )?,
            max_gap: r.histogram(
                "stream_max_gap_seconds",
                "Longest silence inside a stream.",
                &["provider"],
                FIRST_TOKEN,
            )?,
            streams_in_flight: r.gauge("streams_in_flight", "Open streams.", &["provider"])?,
            stream_ends: r.counter("stream_ends_total", "How streams ended.", &["provider", "reason"])?,
            tokens: r.counter(
                "tokens_total",
                "Tokens by disjoint type; input excludes what a provider's cache served.",
                &["provider", "model", "type"],
            )?,
            reasoning_tokens: r.counter(
                "reasoning_tokens_total",
                "Reasoning tokens; a part of output.",
                provider_model,
            )?,
            usage_missing: r.counter(
                "usage_missing_total",
                "Answers without a usage block: spend is understated.",
                target,
            )?,
            upstream_attempts: r.counter(
                "upstream_attempts_total",
                "Tries at an upstream.",
                &["provider", "upstream_model", "outcome"],
            )?,
            request_attempts: r.histogram(
                "request_attempts",
                "Tries per client request.",
                &["model"],
                ATTEMPTS,
            )?,
            fallbacks: r.counter(
                "fallbacks_total",
                "Requests handed from one provider to the next.",
                &["model", "from_provider", "to_provider", "reason"],
            )?,
            fallbacks_exhausted: r.counter(
                "fallbacks_exhausted_total",
                "Requests for which every target failed.",
                &["model"],
            )?,
            auth_failures: r.counter("auth_failures_total", "Callers not let in.", &["reason"])?,
            rejected: r.counter(
                "rejected_total",
                "Requests refused before any upstream was asked.",
                &["reason"],
            )?,
            client_aborts: r.counter(
                "client_aborts_total",
                "Clients that left before their answer was whole.",
                &["phase"],
            )?,
            key_requests: r.counter(
                "key_requests_total",
                "Finished requests by key.",
                &["tenant", "key", "outcome"],
            )?,
            key_tokens: r.counter("key_tokens_total", "Tokens by key.", &["tenant", "key", "type"])?,
            dropped_fields: r.counter(
                "dropped_fields_total",
                "Request members that were not forwarded.",
                &["provider", "field"],
            )?,
            label_overflow: r.counter(
                "label_overflow_total",
                "Label values beyond their cap.",
                &["label"],
            )?,
            reused_retries: r.counter(
                "reused_retries_total",
                "Requests sent again because a reused connection died without a byte.",
                &["provider"],
            )?,
            client_connections: r.single(IntGauge::new, "client_connections", "Open client connections.")?,
            connect_duration: r.histogram(
                "upstream_connect_duration_seconds",
                "New upstream connections, TCP and TLS.",
                &["provider"],
                OVERHEAD,
            )?,
            panics: r.single(IntCounter::new, "panics_total", "Panics caught in request handlers.")?,
            log_dropped: r.single(
                IntCounter::new,
                "request_log_dropped_total",
                "Log lines lost to a slow output.",
            )?,
            ready: r.single(IntGauge::new, "ready", "1 when the gateway takes traffic.")?,
            draining: r.single(IntGauge::new, "draining", "1 from the shutdown signal on.")?,
            build_info: r.gauge("build_info", "The running build.", &["version", "revision"])?,
            config_info: r.gauge(
                "config_info",
                "The configuration in force, by hash; differs between replicas on drift.",
                &["hash"],
            )?,
            series: r.single(Gauge::new, "metrics_series", "Series in the last scrape.")?,
            registry: r.registry,
        };
        metrics.start_at_zero();
        Ok(metrics)
    }

    /// Families whose labels are all closed start at zero, so that `increase` sees the first event.
    fn start_at_zero(&self) {
        for endpoint in EndpointLabel::ALL {
            self.in_flight.with_label_values(&[endpoint.as_str()]);
        }
        for reason in AuthFailure::ALL {
            self.auth_failures.with_label_values(&[reason.as_str()]);
        }
        for reason in Rejection::ALL {
            self.rejected.with_label_values(&[reason.as_str()]);
        }
        for phase in AbortPhase::ALL {
            self.client_aborts.with_label_values(&[phase.as_str()]);
        }
    }

    /// Families by provider start at zero.
    pub(crate) fn start_provider(&self, provider: &str) {
        for end in StreamEnd::ALL {
            self.stream_ends.with_label_values(&[provider, end.as_str()]);
        }
        self.streams_in_flight.with_label_values(&[provider]);
        self.reused_retries.with_label_values(&[provider]);
    }

    /// Everything in the Prometheus text format.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let families = self.registry.gather();
        let mut out = Vec::with_capacity(64 << 10);
        // Writing into a Vec cannot fail, and the families are ours.
        TextEncoder::new().encode(&families, &mut out).ok();
        self.series.set(bytecount_series(&out));
        out
    }
}

/// Lines that are samples, not comments.
#[expect(clippy::cast_precision_loss, reason = "a gauge; no scrape has 2^52 lines")]
fn bytecount_series(text: &[u8]) -> f64 {
    text.split(|b| *b == b'\n').filter(|line| line.first().is_some_and(|b| *b != b'#')).count() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_families_start_at_zero() {
        let text = String::from_utf8(Metrics::new().unwrap().text()).unwrap();
        assert!(text.contains("sluice_auth_failures_total{reason=\"missing\"} 0"), "{text}");
        assert!(text.contains("sluice_requests_in_flight{endpoint=\"chat\"} 0"));
        assert!(text.contains("process_cpu_seconds_total"));
    }

    #[test]
    fn two_gateways_in_one_process_do_not_share_counts() {
        let (a, b) = (Metrics::new().unwrap(), Metrics::new().unwrap());
        a.panics.inc();
        assert_eq!((a.panics.get(), b.panics.get()), (1, 0));
    }
}
