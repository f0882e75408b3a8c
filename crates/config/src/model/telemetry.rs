//! `telemetry` and `ledger`: what is told about requests.

use super::Ratio;
use std::time::Duration;

/// Logs, metrics, traces.
#[derive(Debug, Clone, PartialEq)]
pub struct Telemetry {
    /// Logs.
    pub logs: Logs,
    /// Caps of label values.
    pub metrics: MetricCaps,
    /// OpenTelemetry; absent or without an address: none.
    pub traces: Option<Traces>,
}

/// Logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logs {
    /// Shape of a line.
    pub format: LogFormat,
    /// Least level.
    pub level: LogLevel,
}

/// Shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object.
    Json,
    /// For people.
    Text,
}

/// Least level that is logged. The request line is `Info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// For development.
    Debug,
    /// Requests and events.
    Info,
    /// What should be looked at.
    Warn,
    /// What failed.
    Error,
}

/// Caps of label values; what is beyond is `_other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricCaps {
    /// Keys.
    pub max_keys: usize,
    /// Models.
    pub max_models: usize,
    /// Tenants.
    pub max_tenants: usize,
}

/// OpenTelemetry export.
#[derive(Debug, Clone, PartialEq)]
pub struct Traces {
    /// OTLP endpoint.
    pub otlp: String,
    /// Share of requests kept; errors and slow ones always are.
    pub sample: Ratio,
}

/// The usage ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// How long records are kept.
    pub retention: Duration,
    /// Names kept from `x-sluice-tags`.
    pub tags: Vec<String>,
    /// Keep the OpenAI `user` member.
    pub keep_user: bool,
}
