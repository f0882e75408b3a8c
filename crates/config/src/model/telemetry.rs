//! `telemetry` and `ledger`: what is told about requests.

use super::{PemFile, Ratio, Secret, providers::in_order};
use crate::text::{self, As};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// Logs, metrics, traces.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// Logs.
    #[schemars(extend("default" = {}))]
    pub logs: Logs,
    /// Caps of label values.
    #[schemars(extend("default" = {}))]
    pub metrics: MetricCaps,
    /// OpenTelemetry; absent or without an address: none.
    pub traces: Option<Traces>,
}

/// Logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Logs {
    /// Shape of a line.
    #[schemars(extend("default" = "json"))]
    pub format: LogFormat,
    /// Least level.
    #[schemars(extend("default" = "info"))]
    pub level: LogLevel,
}

/// Shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object.
    Json,
    /// For people.
    Text,
}

/// Least level that is logged. The request line is `Info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
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

impl LogLevel {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Caps of label values; what is beyond is `_other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricCaps {
    /// Keys.
    #[schemars(extend("default" = 200), range(min = 1))]
    pub max_keys: usize,
    /// Models.
    #[schemars(extend("default" = 100), range(min = 1))]
    pub max_models: usize,
    /// Tenants.
    #[schemars(extend("default" = 50), range(min = 1))]
    pub max_tenants: usize,
}

/// OpenTelemetry export.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    /// Collector that takes OTLP over HTTP, as `OTEL_EXPORTER_OTLP_ENDPOINT` has it: `/v1/traces` is appended.
    pub otlp: String,
    /// Share of requests kept; errors and slow ones always are.
    #[schemars(extend("default" = "5%"))]
    pub sample: Ratio,
    /// A request is slow whose client waited so long for a whole answer, or for the next piece of a stream.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "30s"))]
    pub slow: Duration,
    /// Headers to the collector, such as its credential.
    #[serde(deserialize_with = "in_order")]
    #[schemars(with = "BTreeMap<String, Secret>", extend("default" = {}))]
    pub headers: Vec<(String, Secret)>,
    /// Further trusted certificate authorities, PEM.
    pub ca_file: Option<PemFile>,
}

/// The usage ledger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// How long records are kept.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "400d"))]
    pub retention: Duration,
    /// Names kept from `x-sluice-tags`.
    #[schemars(extend("default" = []))]
    pub tags: Vec<String>,
    /// Keep the OpenAI `user` member.
    #[schemars(extend("default" = false))]
    pub keep_user: bool,
}
