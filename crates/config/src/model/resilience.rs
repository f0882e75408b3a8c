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
    /// Over all targets, before the first content event.
    #[schemars(extend("default" = 3), range(min = 1))]
    pub attempts: u32,
    /// Waits between attempts, full jitter.
    #[schemars(extend("default" = {}))]
    pub backoff: Backoff,
    /// Per provider.
    #[schemars(extend("default" = {}))]
    pub retry_budget: RetryBudget,
    /// After this a waiting stream gets its head and heartbeats.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "15s"))]
    pub commit_after: Duration,
    /// Silence after which a comment is sent.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "15s"))]
    pub heartbeat: Duration,
    /// Per provider and model.
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
    /// First.
    #[serde(deserialize_with = "text::required::<Wait, _>")]
    #[schemars(with = "As<Wait>", extend("default" = "50ms"))]
    pub initial: Duration,
    /// Largest.
    #[serde(deserialize_with = "text::required::<Wait, _>")]
    #[schemars(with = "As<Wait>", extend("default" = "1s"))]
    pub max: Duration,
}

/// How many retries a provider may see.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryBudget {
    /// Of its requests.
    #[schemars(extend("default" = "20%"))]
    pub ratio: Ratio,
    /// Always allowed.
    #[schemars(extend("default" = 10))]
    pub per_second: u32,
}

/// When a circuit opens and closes.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Circuit {
    /// Failures in a row.
    #[schemars(extend("default" = 5), range(min = 1))]
    pub consecutive_failures: u32,
    /// Or this share in a window.
    #[schemars(extend("default" = "50%"))]
    pub failure_ratio: Ratio,
    /// The window.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "10s"))]
    pub window: Duration,
    /// With at least so many requests.
    #[schemars(extend("default" = 20), range(min = 1))]
    pub min_requests: u32,
    /// First open time.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "1s"))]
    pub open_for: Duration,
    /// Largest open time.
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
