//! The metric families, in one list, with their handles.
//!
//! One registry per app: several gateways can live in one process. Hot paths use handles that the snapshot
//! resolved; `with_label_values` hashes its labels on each call and is for rare events only.
//! Names, labels and buckets are the observability page's; base units, `_total` on counters.

use crate::telemetry::labels::{
    AbortPhase, Alone, AuthFailure, BypassLabel, EndpointLabel, Rejection, SpanLoss, StreamEnd,
};
use prometheus::{
    CounterVec, Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder, core::Collector, process_collector::ProcessCollector,
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

/// A family as it is declared.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Full name.
    pub name: &'static str,
    /// Label names.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

/// Declares every family once: the field that holds it, its type, name, labels, buckets and help.
macro_rules! families {
    (@type counter) => { IntCounterVec };
    (@type float_counter) => { CounterVec };
    (@type gauge) => { IntGaugeVec };
    (@type float_gauge) => { GaugeVec };
    (@type histogram) => { HistogramVec };
    (@type single_counter) => { IntCounter };
    (@type single_gauge) => { IntGauge };
    ($($field:ident = $kind:ident $name:literal [$($label:literal),*] $(in $buckets:ident)? : $help:literal;)+) => {
        /// Every family of one gateway.
        pub struct Metrics {
            registry: Registry,
            $(#[doc = $help] pub $field: families!(@type $kind),)+
        }

        /// Every family of our own, as declared.
        pub const FAMILIES: &[Family] = &[
            $(Family { name: concat!("sluice_", $name), labels: &[$($label),*], help: $help }),+
        ];

        impl Metrics {
            /// Makes a registry with every family in it.
            ///
            /// # Errors
            /// When a family is declared wrongly; that is a fault of this file.
            pub fn new() -> prometheus::Result<Self> {
                let r = Registrar { registry: Registry::new() };
                r.registry.register(Box::new(ProcessCollector::for_self()))?;
                $(let $field = r.$kind(concat!("sluice_", $name), $help, &[$($label),*] $(, $buckets)?)?;)+
                let metrics = Self { $($field,)+ registry: r.registry };
                metrics.start_at_zero();
                Ok(metrics)
            }
        }
    };
}

families! {
    requests = counter "requests_total" ["endpoint", "model", "outcome", "code", "stream"]:
        "Finished client requests.";
    request_duration = histogram "request_duration_seconds" ["model", "stream", "source"] in LATENCY:
        "First byte in to last byte out.";
    in_flight = gauge "requests_in_flight" ["endpoint"]:
        "Requests being served.";
    request_body = histogram "request_body_bytes" ["endpoint"] in SIZES:
        "Sizes of request bodies.";
    response_body = histogram "response_body_bytes" ["endpoint"] in SIZES:
        "Sizes of answers.";
    upstream_duration = histogram "upstream_duration_seconds" ["provider", "upstream_model"] in LATENCY:
        "One attempt, to its last byte.";
    overhead = histogram "overhead_seconds" ["source"] in OVERHEAD:
        "Total time less the wait for the upstream and for a slow client.";
    first_token = histogram "time_to_first_token_seconds" ["provider", "model"] in FIRST_TOKEN:
        "Request in to first content out; streams.";
    per_token = histogram "time_per_output_token_seconds" ["provider", "model"] in PER_TOKEN:
        "(last - first) / (n - 1), once per stream.";
    max_gap = histogram "stream_max_gap_seconds" ["provider"] in FIRST_TOKEN:
        "Longest silence inside a stream.";
    streams_in_flight = gauge "streams_in_flight" ["provider"]:
        "Open streams.";
    stream_ends = counter "stream_ends_total" ["provider", "reason"]:
        "How streams ended.";
    tokens = counter "tokens_total" ["provider", "model", "type"]:
        "Tokens by disjoint type; input excludes what a provider's cache served.";
    reasoning_tokens = counter "reasoning_tokens_total" ["provider", "model"]:
        "Reasoning tokens; a part of output.";
    usage_missing = counter "usage_missing_total" ["provider", "upstream_model"]:
        "Answers without a usage block: spend is understated.";
    upstream_attempts = counter "upstream_attempts_total" ["provider", "upstream_model", "outcome"]:
        "Tries at an upstream.";
    request_attempts = histogram "request_attempts" ["model"] in ATTEMPTS:
        "Tries per client request.";
    fallbacks = counter "fallbacks_total" ["model", "from_provider", "to_provider", "reason"]:
        "Requests handed from one provider to the next.";
    fallbacks_exhausted = counter "fallbacks_exhausted_total" ["model"]:
        "Requests for which every target failed.";
    retries = counter "retries_total" ["provider", "result"]:
        "Further tries at a provider that had failed the request, and those that its retry budget had no room for.";
    provider_up = gauge "provider_up" ["provider"]:
        "1 while the provider has a target whose circuit is closed, and a key ready for it.";
    circuit_state = gauge "circuit_state" ["provider", "upstream_model"]:
        "0 closed, 1 half-open, 2 open; read with max.";
    circuit_transitions = counter "circuit_transitions_total" ["provider", "to"]:
        "Circuits that came into another state.";
    pool_keys = gauge "pool_keys" ["provider", "state"]:
        "Keys of a provider's pool by state.";
    pool_key_cooldowns = counter "pool_key_cooldowns_total" ["provider", "reason"]:
        "Keys of a pool that were left alone for a while.";
    upstream_remaining = gauge "upstream_remaining" ["provider", "pool_key", "limit"]:
        "What an upstream says is left of its limits for a key of the pool, as it last said so; read with min.";
    hedges = counter "hedges_total" ["model", "result"]:
        "Second requests beside a slow first one.";
    resumed = counter "streams_resumed_total" ["model", "result"]:
        "Streams that broke and were gone on with at another target, or could not be.";
    auth_failures = counter "auth_failures_total" ["reason"]:
        "Callers not let in.";
    rejected = counter "rejected_total" ["reason"]:
        "Requests refused before any upstream was asked.";
    client_aborts = counter "client_aborts_total" ["phase"]:
        "Clients that left before their answer was whole.";
    key_requests = counter "key_requests_total" ["tenant", "key", "outcome"]:
        "Finished requests by key.";
    key_tokens = counter "key_tokens_total" ["tenant", "key", "type"]:
        "Tokens by key and disjoint type, as tokens_total counts them.";
    key_cost = float_counter "key_cost_usd_total" ["tenant", "key"]:
        "Spend by key.";
    limit_decisions = counter "limit_decisions_total" ["tenant", "decision", "limit"]:
        "Decisions of rate limits.";
    key_limited = counter "key_limited_total" ["tenant", "key", "limit"]:
        "Requests refused by a rate limit, by key.";
    key_remaining = float_gauge "key_remaining_ratio" ["tenant", "key", "limit"]:
        "How full a key's bucket is, 0 to 1; read with min.";
    limiter_degraded = counter "limiter_degraded_total" ["mode"]:
        "Decisions about shared limits that were made without Redis.";
    limiter_mode = single_gauge "limiter_degraded" []:
        "1 while shared limits are decided without Redis.";
    limiter_replicas = single_gauge "limiter_replicas" []:
        "Replicas that share limits, as this one last heard; 0 where nothing is shared.";
    budget_spent = float_gauge "budget_spent_usd" ["scope", "name", "period"]:
        "Spent of a budget in its period; read with max.";
    budget_limit = float_gauge "budget_limit_usd" ["scope", "name", "period"]:
        "The budget.";
    budget_reset = float_gauge "budget_reset_timestamp_seconds" ["scope", "name", "period"]:
        "When the budget's next period begins.";
    budget_warnings = float_gauge "budget_warnings" ["scope", "name", "period"]:
        "Shares of warn_at that were passed in the period.";
    dropped_fields = counter "dropped_fields_total" ["provider", "field"]:
        "Request members that were not forwarded.";
    label_overflow = counter "label_overflow_total" ["label"]:
        "Label values beyond their cap.";
    reused_retries = counter "reused_retries_total" ["provider"]:
        "Requests sent again because a reused connection died without a byte.";
    tokens_saved = counter "tokens_saved_total" ["model", "type"]:
        "Tokens that the response cache spared.";
    price_missing = counter "price_missing_total" ["provider", "upstream_model"]:
        "Answers of a model whose price is not known: spend is understated.";
    cost = float_counter "cost_usd_total" ["provider", "model"]:
        "Spend at configured prices, else at published ones.";
    cost_saved = float_counter "cost_saved_usd_total" ["model", "by"]:
        "What answers would have cost, had they not been there already.";
    cache_requests = counter "cache_requests_total" ["model", "result", "tier"]:
        "What the response cache made of requests.";
    cache_bypass = counter "cache_bypass_total" ["reason"]:
        "Why requests passed the response cache by.";
    cache_stores = counter "cache_stores_total" ["tier", "result"]:
        "Answers that might be kept, and what became of them.";
    cache_evictions = counter "cache_evictions_total" ["tier", "reason"]:
        "Stored answers that went.";
    cache_invalid = counter "cache_invalid_total" ["reason"]:
        "Stored answers that could not be believed, and were deleted.";
    cache_bytes = gauge "cache_bytes" ["tier"]:
        "Bytes of stored answers.";
    cache_capacity = gauge "cache_capacity_bytes" ["tier"]:
        "Bytes that stored answers may take.";
    cache_entries = gauge "cache_entries" ["tier"]:
        "Stored answers.";
    cache_lookup_duration = histogram "cache_lookup_duration_seconds" ["tier", "result"] in OVERHEAD:
        "Look-ups in the response cache.";
    redis_up = single_gauge "redis_up" []:
        "1 while Redis answers.";
    redis_op_duration = histogram "redis_op_duration_seconds" ["op"] in OVERHEAD:
        "Operations on Redis.";
    redis_errors = counter "redis_errors_total" ["op", "kind"]:
        "Operations on Redis that failed.";
    usage_records = single_counter "usage_records_total" []:
        "Usage records written to the ledger.";
    usage_dropped = counter "usage_dropped_total" ["reason"]:
        "Usage records that are lost.";
    ledger_errors = counter "ledger_errors_total" ["kind"]:
        "Writes to the ledger that failed; they are tried again.";
    ledger_queue = single_gauge "ledger_queue_records" []:
        "Usage records that wait to be written.";
    ledger_up = single_gauge "ledger_up" []:
        "1 while the ledger can be written to.";
    client_connections = single_gauge "client_connections" []:
        "Open client connections.";
    connect_duration = histogram "upstream_connect_duration_seconds" ["provider"] in OVERHEAD:
        "New upstream connections, TCP and TLS.";
    panics = single_counter "panics_total" []:
        "Panics caught in request handlers.";
    log_dropped = single_counter "request_log_dropped_total" []:
        "Log lines lost to a slow output.";
    trace_spans_exported = single_counter "trace_spans_exported_total" []:
        "Spans that the trace collector took.";
    trace_spans_dropped = counter "trace_spans_dropped_total" ["reason"]:
        "Spans that did not come to the trace collector.";
    ready = single_gauge "ready" []:
        "1 when the gateway takes traffic.";
    draining = single_gauge "draining" []:
        "1 from the shutdown signal on.";
    build_info = gauge "build_info" ["version", "revision"]:
        "The running build.";
    config_info = gauge "config_info" ["hash"]:
        "The configuration in force, by hash; differs between replicas on drift.";
    series = single_gauge "metrics_series" []:
        "Series in the last scrape.";
}

/// Makes and registers families.
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
        self.keep(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn float_counter(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<CounterVec> {
        self.keep(CounterVec::new(Opts::new(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.keep(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn float_gauge(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
        self.keep(GaugeVec::new(Opts::new(name, help), labels))
    }

    fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> prometheus::Result<HistogramVec> {
        self.keep(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels))
    }

    fn single_counter(&self, name: &str, help: &str, _: &[&str]) -> prometheus::Result<IntCounter> {
        self.keep(IntCounter::new(name, help))
    }

    fn single_gauge(&self, name: &str, help: &str, _: &[&str]) -> prometheus::Result<IntGauge> {
        self.keep(IntGauge::new(name, help))
    }
}

impl Metrics {
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
        for reason in BypassLabel::ALL {
            self.cache_bypass.with_label_values(&[reason.as_str()]);
        }
        for mode in Alone::ALL {
            self.limiter_degraded.with_label_values(&[mode.as_str()]);
        }
        for why in SpanLoss::ALL {
            self.trace_spans_dropped.with_label_values(&[why.as_str()]);
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
        self.series.set(count_samples(&out));
        out
    }
}

/// Lines that are samples, not comments.
fn count_samples(text: &[u8]) -> i64 {
    let samples = text.split(|b| *b == b'\n').filter(|line| line.first().is_some_and(|b| *b != b'#')).count();
    i64::try_from(samples).unwrap_or(i64::MAX)
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
