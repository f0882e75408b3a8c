//! Every family of the gateway, in one table.
//!
//! Names, labels and buckets are the observability page's; base units, `_total` on counters. What dashboards and rules
//! may ask for is what stands here, and [`PROCESS`].

use super::declare::{Family, Kind, Label, Registrar, families};
use crate::{
    health::{circuit::State, key_pool::KeyState},
    ledger::{Trouble as LedgerTrouble, metrics::Dropped},
    redis::{Op, Trouble as RedisTrouble},
    telemetry::labels::{
        AbortPhase, Alone, AttemptOutcome, AuthFailure, BypassLabel, CacheResult, CacheTier, CappedLabel,
        ConnectionState, Decision, EndpointLabel, Eviction, HedgeResult, InvalidEntry, LimitLabel, Outcome,
        Rejection, Reload, ResumeResult, RetryResult, SavedBy, Source, SpanLoss, Stage, StoreResult,
        StreamEnd, TokenType,
    },
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

const BOOL: &[&str] = &["false", "true"];
/// Kinds of tokens that our own cache spares.
const SAVED: &[&str] = &["input", "output"];
/// What makes a key of a pool be left alone.
const COOLDOWN: &[&str] = &["rate_limited", "auth_error"];
/// Limits that have a bucket.
const REMAINING: &[&str] = &["requests", "tokens"];
/// Who can have a budget, and for how long.
const SCOPES: &[&str] = &["key", "tenant"];
const PERIODS: &[&str] = &["day", "month"];
/// Where stored answers can be.
const TIERS: &[&str] = &["memory", "redis"];
/// How a look-up in one tier can end.
const LOOKUPS: &[&str] = &["hit", "miss", "error"];

/// Families of the process collector: the names that every Prometheus client has.
pub const PROCESS: &[Family] = &[
    Family { name: "process_cpu_seconds_total", kind: Kind::Counter, ..PROCESS_GAUGE },
    Family { name: "process_open_fds", ..PROCESS_GAUGE },
    Family { name: "process_max_fds", ..PROCESS_GAUGE },
    Family { name: "process_virtual_memory_bytes", ..PROCESS_GAUGE },
    Family { name: "process_resident_memory_bytes", ..PROCESS_GAUGE },
    Family { name: "process_start_time_seconds", ..PROCESS_GAUGE },
    Family { name: "process_threads", ..PROCESS_GAUGE },
];
const PROCESS_GAUGE: Family = Family {
    name: "",
    kind: Kind::Gauge,
    labels: &[],
    buckets: &[],
    help: "As the process collector has it.",
};

families! {
    requests = counter "requests_total"
        ["endpoint" of EndpointLabel::WORDS, "model", "outcome" of Outcome::WORDS, "code", "stream" of BOOL]:
        "Finished client requests.";
    request_duration = histogram "request_duration_seconds"
        ["model", "stream" of BOOL, "source" of Source::WORDS] in LATENCY:
        "First byte in to last byte out.";
    in_flight = gauge "requests_in_flight" ["endpoint" of EndpointLabel::WORDS]:
        "Requests being served.";
    request_body = histogram "request_body_bytes" ["endpoint" of EndpointLabel::WORDS] in SIZES:
        "Sizes of request bodies.";
    response_body = histogram "response_body_bytes" ["endpoint" of EndpointLabel::WORDS] in SIZES:
        "Sizes of answers.";
    upstream_duration = histogram "upstream_duration_seconds" ["provider", "upstream_model"] in LATENCY:
        "One attempt, to its last byte.";
    overhead = histogram "overhead_seconds" ["source" of Source::WORDS] in OVERHEAD:
        "Our own time: total less the waits for the upstream, for a slow client, in a limit's line and before a retry.";
    stage_duration = histogram "stage_duration_seconds" ["stage" of Stage::WORDS] in OVERHEAD:
        "Own time by stage, once per request that came to it.";
    first_token = histogram "time_to_first_token_seconds" ["provider", "model"] in FIRST_TOKEN:
        "Request in to first content out; streams.";
    per_token = histogram "time_per_output_token_seconds" ["provider", "model"] in PER_TOKEN:
        "(last - first) / (n - 1), once per stream.";
    max_gap = histogram "stream_max_gap_seconds" ["provider"] in FIRST_TOKEN:
        "Longest silence inside a stream.";
    streams_in_flight = gauge "streams_in_flight" ["provider"]:
        "Open streams.";
    stream_ends = counter "stream_ends_total" ["provider", "reason" of StreamEnd::WORDS]:
        "How streams ended.";
    tokens = counter "tokens_total" ["provider", "model", "type" of TokenType::WORDS]:
        "Tokens by disjoint type; input excludes what a provider's cache served.";
    reasoning_tokens = counter "reasoning_tokens_total" ["provider", "model"]:
        "Reasoning tokens; a part of output.";
    usage_missing = counter "usage_missing_total" ["provider", "upstream_model"]:
        "Answers without a usage block: their tokens are estimated.";
    upstream_attempts = counter "upstream_attempts_total"
        ["provider", "upstream_model", "outcome" of AttemptOutcome::WORDS]:
        "Tries at an upstream.";
    request_attempts = histogram "request_attempts" ["model"] in ATTEMPTS:
        "Tries per client request.";
    fallbacks = counter "fallbacks_total"
        ["model", "from_provider", "to_provider", "reason" of AttemptOutcome::WORDS]:
        "Requests handed from one provider to the next.";
    fallbacks_exhausted = counter "fallbacks_exhausted_total" ["model"]:
        "Requests for which every target failed.";
    retries = counter "retries_total" ["provider", "result" of RetryResult::WORDS]:
        "Further tries at a provider that had failed the request, and those that its retry budget had no room for.";
    provider_up = gauge "provider_up" ["provider"]:
        "1 while the provider has a target whose circuit is closed, and a key ready for it.";
    circuit_state = gauge "circuit_state" ["provider", "upstream_model"]:
        "0 closed, 1 half-open, 2 open; read with max.";
    circuit_transitions = counter "circuit_transitions_total" ["provider", "to" of State::WORDS]:
        "Circuits that came into another state.";
    pool_keys = gauge "pool_keys" ["provider", "state" of KeyState::WORDS]:
        "Keys of a provider's pool by state.";
    pool_key_cooldowns = counter "pool_key_cooldowns_total" ["provider", "reason" of COOLDOWN]:
        "Keys of a pool that were left alone for a while.";
    upstream_remaining = gauge "upstream_remaining" ["provider", "pool_key", "limit" of REMAINING]:
        "What an upstream says is left of its limits for a key of the pool, as it last said so; read with min.";
    hedges = counter "hedges_total" ["model", "result" of HedgeResult::WORDS]:
        "Second requests beside a slow first one.";
    resumed = counter "streams_resumed_total" ["model", "result" of ResumeResult::WORDS]:
        "Streams that broke and were gone on with at another target, or could not be.";
    auth_failures = counter "auth_failures_total" ["reason" of AuthFailure::WORDS]:
        "Callers not let in.";
    rejected = counter "rejected_total" ["reason" of Rejection::WORDS]:
        "Requests refused before any upstream was asked.";
    client_aborts = counter "client_aborts_total" ["phase" of AbortPhase::WORDS]:
        "Clients that left before their answer was whole.";
    key_requests = counter_rows "key_requests_total" ["tenant", "key", "outcome" of Outcome::WORDS]:
        "Finished requests by key.";
    key_tokens = counter_rows "key_tokens_total" ["tenant", "key", "type" of TokenType::WORDS]:
        "Tokens by key and disjoint type, as tokens_total counts them.";
    key_cost = float_counter "key_cost_usd_total" ["tenant", "key"]:
        "Spend by key.";
    limit_decisions = counter "limit_decisions_total"
        ["tenant", "decision" of Decision::WORDS, "limit" of LimitLabel::WORDS]:
        "Decisions of rate limits.";
    key_limited = counter_rows "key_limited_total" ["tenant", "key", "limit" of LimitLabel::WORDS]:
        "Requests refused by a rate limit, by key.";
    key_remaining = float_gauge "key_remaining_ratio" ["tenant", "key", "limit" of REMAINING]:
        "How full a key's bucket is, 0 to 1; read with min.";
    limiter_degraded = counter "limiter_degraded_total" ["mode" of Alone::WORDS]:
        "Decisions about shared limits that were made without Redis.";
    limiter_mode = single_gauge "limiter_degraded" []:
        "1 while shared limits are decided without Redis.";
    limiter_replicas = single_gauge "limiter_replicas" []:
        "Replicas that share limits, as this one last heard; 0 where nothing is shared.";
    budget_spent = float_gauge "budget_spent_usd" ["scope" of SCOPES, "name", "period" of PERIODS]:
        "Spent of a budget in its period; read with max.";
    budget_limit = float_gauge "budget_limit_usd" ["scope" of SCOPES, "name", "period" of PERIODS]:
        "The budget.";
    budget_reset = float_gauge "budget_reset_timestamp_seconds"
        ["scope" of SCOPES, "name", "period" of PERIODS]:
        "When the budget's next period begins.";
    budget_warnings = float_gauge "budget_warnings" ["scope" of SCOPES, "name", "period" of PERIODS]:
        "Shares of warn_at that were passed in the period.";
    dropped_fields = counter "dropped_fields_total" ["provider", "field"]:
        "Request members that were not forwarded.";
    label_overflow = counter "label_overflow_total" ["label" of CappedLabel::WORDS]:
        "Label values beyond their cap.";
    reused_retries = counter "reused_retries_total" ["provider"]:
        "Requests sent again because a reused connection died without a byte.";
    tokens_saved = counter "tokens_saved_total" ["model", "type" of SAVED]:
        "Tokens that the response cache spared.";
    price_missing = counter "price_missing_total" ["provider", "upstream_model"]:
        "Answers of a model whose price is not known: spend is understated.";
    cost = float_counter "cost_usd_total" ["provider", "model"]:
        "Spend at configured prices, else at published ones.";
    cost_saved = float_counter "cost_saved_usd_total" ["model", "by" of SavedBy::WORDS]:
        "By response_cache what answers would have cost, had they not been there already; by prompt_cache what providers' caches of prompts saved, once it exceeds what writing to them cost more.";
    cache_requests = counter "cache_requests_total"
        ["model", "result" of CacheResult::WORDS, "tier" of CacheTier::WORDS]:
        "What the response cache made of requests.";
    cache_bypass = counter "cache_bypass_total" ["reason" of BypassLabel::WORDS]:
        "Why requests passed the response cache by.";
    cache_stores = counter "cache_stores_total" ["tier" of TIERS, "result" of StoreResult::WORDS]:
        "Answers that might be kept, and what became of them.";
    cache_evictions = counter "cache_evictions_total" ["tier" of TIERS, "reason" of Eviction::WORDS]:
        "Stored answers that went.";
    cache_invalid = counter "cache_invalid_total" ["reason" of InvalidEntry::WORDS]:
        "Stored answers that could not be believed, and were deleted.";
    cache_bytes = gauge "cache_bytes" ["tier" of TIERS]:
        "Bytes of stored answers.";
    cache_capacity = gauge "cache_capacity_bytes" ["tier" of TIERS]:
        "Bytes that stored answers may take.";
    cache_entries = gauge "cache_entries" ["tier" of TIERS]:
        "Stored answers.";
    cache_lookup_duration = histogram "cache_lookup_duration_seconds"
        ["tier" of TIERS, "result" of LOOKUPS] in OVERHEAD:
        "Look-ups in the response cache.";
    redis_up = single_gauge "redis_up" []:
        "1 while Redis answers.";
    redis_op_duration = histogram "redis_op_duration_seconds" ["op" of Op::WORDS] in OVERHEAD:
        "Operations on Redis.";
    redis_errors = counter "redis_errors_total" ["op" of Op::WORDS, "kind" of RedisTrouble::WORDS]:
        "Operations on Redis that failed.";
    usage_records = single_counter "usage_records_total" []:
        "Usage records written to the ledger.";
    usage_dropped = counter "usage_dropped_total" ["reason" of Dropped::WORDS]:
        "Usage records that are lost.";
    ledger_errors = counter "ledger_errors_total" ["kind" of LedgerTrouble::WORDS]:
        "Writes to the ledger that failed; they are tried again.";
    ledger_queue = single_gauge "ledger_queue_records" []:
        "Usage records that wait to be written.";
    ledger_up = single_gauge "ledger_up" []:
        "1 while the ledger can be written to.";
    client_connections = single_gauge "client_connections" []:
        "Open client connections.";
    upstream_connections = gauge "upstream_connections" ["provider", "state" of ConnectionState::WORDS]:
        "Open connections to upstreams, by whether they carry a request.";
    connect_duration = histogram "upstream_connect_duration_seconds" ["provider"] in OVERHEAD:
        "New upstream connections, TCP and TLS.";
    panics = single_counter "panics_total" []:
        "Panics caught in request handlers.";
    event_loop_lag = single_histogram "runtime_event_loop_lag_seconds" [] in OVERHEAD:
        "How much later than asked a timer's task runs; the timer's own grain is a millisecond.";
    busy_ratio = single_float_gauge "runtime_busy_ratio" []:
        "Share of the last seconds in which the runtime's threads had something to do, 0 to 1.";
    tasks = single_gauge "runtime_tasks" []:
        "Tasks of the runtime that have not ended.";
    log_dropped = single_counter "request_log_dropped_total" []:
        "Log lines lost to a slow output.";
    trace_spans_exported = single_counter "trace_spans_exported_total" []:
        "Spans that the trace collector took.";
    trace_spans_dropped = counter "trace_spans_dropped_total" ["reason" of SpanLoss::WORDS]:
        "Spans that did not come to the trace collector.";
    ready = single_gauge "ready" []:
        "1 when the gateway takes traffic.";
    draining = single_gauge "draining" []:
        "1 from the shutdown signal on.";
    build_info = gauge "build_info" ["version", "revision"]:
        "The running build.";
    config_info = gauge "config_info" ["hash"]:
        "The configuration in force, by hash; differs between replicas on drift.";
    reloads = counter "config_reloads_total" ["result" of Reload::WORDS]:
        "New configurations, taken or rejected.";
    reload_ok = single_gauge "config_last_reload_successful" []:
        "1 while the configuration in force is the last one that was wanted.";
    reload_at = single_gauge "config_last_reload_success_timestamp_seconds" []:
        "When the configuration in force was taken.";
    series = single_gauge "metrics_series" []:
        "Series in the last scrape.";
}
