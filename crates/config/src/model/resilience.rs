//! `resilience` and `shutdown`: how failures and the end are met.

use super::Ratio;
use std::time::Duration;

/// Retries, timers of waiting streams, circuits.
#[derive(Debug, Clone, PartialEq)]
pub struct Resilience {
    /// Over all targets, before the first content event.
    pub attempts: u32,
    /// Waits between attempts, full jitter.
    pub backoff: Backoff,
    /// Per provider.
    pub retry_budget: RetryBudget,
    /// After this a waiting stream gets its head and heartbeats.
    pub commit_after: Duration,
    /// Silence after which a comment is sent.
    pub heartbeat: Duration,
    /// Per provider and model.
    pub circuit: Circuit,
}

/// Overrides of [`Resilience`] for a model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResilienceOverride {
    /// See [`Resilience::attempts`].
    pub attempts: Option<u32>,
    /// See [`Resilience::commit_after`].
    pub commit_after: Option<Duration>,
    /// See [`Resilience::heartbeat`].
    pub heartbeat: Option<Duration>,
}

/// Waits between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// First.
    pub initial: Duration,
    /// Largest.
    pub max: Duration,
}

/// How many retries a provider may see.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryBudget {
    /// Of its requests.
    pub ratio: Ratio,
    /// Always allowed.
    pub per_second: u32,
}

/// When a circuit opens and closes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circuit {
    /// Failures in a row.
    pub consecutive_failures: u32,
    /// Or this share in a window.
    pub failure_ratio: Ratio,
    /// The window.
    pub window: Duration,
    /// With at least so many requests.
    pub min_requests: u32,
    /// First open time.
    pub open_for: Duration,
    /// Largest open time.
    pub max_open: Duration,
}

/// The drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown {
    /// Between readiness false and the closed listener.
    pub delay: Duration,
    /// From the signal to the end of the last stream.
    pub drain: Duration,
}
