//! `resilience` and `shutdown`: how failures and the end are met.

use super::Ratio;
use crate::text::{self, As, Wait};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Retries, timers of waiting streams, circuits.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resilience {
    /// Most upstream calls for one request, over all its targets and before the first content event; the first
    /// counts.
    #[schemars(extend("default" = 3), range(min = 1))]
    pub attempts: u32,
    /// Waits before another attempt: they grow from `initial` to `max`, and each is drawn between nothing and that
    /// (full jitter).
    #[schemars(extend("default" = {}))]
    pub backoff: Backoff,
    /// How many retries a provider may see, so that they do not add to what made them necessary.
    #[schemars(extend("default" = {}))]
    pub retry_budget: RetryBudget,
    /// How long a stream may wait for its first event before the client gets its head and heartbeats.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "15s"))]
    pub commit_after: Duration,
    /// Silence after which a stream gets a comment.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "15s"))]
    pub heartbeat: Duration,
    /// When a target that keeps failing is left alone: one circuit per provider and upstream model.
    #[schemars(extend("default" = {}))]
    pub circuit: Circuit,
}

/// Overrides of [`Resilience`] for a model.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResilienceOverride {
    /// See [`Resilience::attempts`].
    #[schemars(range(min = 1))]
    pub attempts: Option<u32>,
    /// See [`Resilience::commit_after`].
    #[serde(default, deserialize_with = "text::optional::<Duration, _>")]
    #[schemars(with = "As<Duration>")]
    pub commit_after: Option<Duration>,
    /// See [`Resilience::heartbeat`].
    #[serde(default, deserialize_with = "text::optional::<Duration, _>")]
    #[schemars(with = "As<Duration>")]
    pub heartbeat: Option<Duration>,
}

/// Waits between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backoff {
    /// The longest that the first wait may be.
    #[serde(deserialize_with = "text::required::<Wait, _>")]
    #[schemars(with = "As<Wait>", extend("default" = "50ms"))]
    pub initial: Duration,
    /// The longest that any wait may be.
    #[serde(deserialize_with = "text::required::<Wait, _>")]
    #[schemars(with = "As<Wait>", extend("default" = "1s"))]
    pub max: Duration,
}

/// How many retries a provider may see.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryBudget {
    /// Retries, as a share of the provider's requests.
    #[schemars(extend("default" = "20%"))]
    pub ratio: Ratio,
    /// Retries per second that are allowed in any case.
    #[schemars(extend("default" = 10))]
    pub per_second: u32,
}

/// When a circuit opens and closes.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Circuit {
    /// It opens after so many failures in a row.
    #[schemars(extend("default" = 5), range(min = 1))]
    pub consecutive_failures: u32,
    /// Or when this share of a window's requests failed.
    #[schemars(extend("default" = "50%"))]
    pub failure_ratio: Ratio,
    /// Length of that window.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "10s"))]
    pub window: Duration,
    /// Requests in the window below which `failure_ratio` says nothing.
    #[schemars(extend("default" = 20), range(min = 1))]
    pub min_requests: u32,
    /// How long it stays open the first time; then one request probes the target.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "1s"))]
    pub open_for: Duration,
    /// The longest that it stays open, however often the probe fails.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "60s"))]
    pub max_open: Duration,
}

/// The drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {
    /// Between readiness false and the closed listener.
    #[serde(deserialize_with = "text::required::<Wait, _>")]
    #[schemars(with = "As<Wait>", extend("default" = "3s"))]
    pub delay: Duration,
    /// From the signal to the end of the last stream.
    #[serde(deserialize_with = "text::required::<Wait, _>")]
    #[schemars(with = "As<Wait>", extend("default" = "120s"))]
    pub drain: Duration,
}
