//! The typed, validated configuration: what the rest of Sluice sees.
//!
//! Plain data with units resolved (durations, bytes, rates) and every cross-reference already
//! checked by [`crate::load`]. Nothing here reads files, opens sockets or knows the YAML syntax.
//! Named things are lists with a `name`, never maps keyed by name.
//!
//! The derived JSON schema is the one description of the file: editors get it, and the walker
//! checks against it. Its own words: `default` (filled in when absent), `x-text` (a shape of text,
//! see `text`), `x-derived` (when absent, worked out from the rest), `x-secret` (never shown).

mod cache;
mod endpoint;
mod files;
mod keys;
mod limits;
mod listeners;
mod models;
mod providers;
mod proxy;
mod resilience;
mod target;
mod telemetry;
mod units;

pub use cache::{Cache, CacheMode, CacheOverride, CacheScope, Redis, RedisMode, Replay};
pub use endpoint::Endpoint;
pub use files::PemFile;
pub use keys::{Auth, AuthMode, Expiry, Key, KeyHash, Tenant};
pub use limits::{Budget, Limits, OnRedisDown, Period, Queue, RateLimit};
pub use listeners::{AdminListener, ApiListener, Cors, Listeners, Tls};
pub use models::{Condition, HeaderCondition, Hedge, Model, Price, Resume, Rule, Strategy};
pub use providers::{OnDisconnect, PoolKey, Provider, StreamUsage, Timeouts};
pub use proxy::Proxy;
pub use resilience::{Backoff, Circuit, Resilience, ResilienceOverride, RetryBudget, Shutdown};
pub use target::{Feature, Target};
pub use telemetry::{Ledger, LogFormat, LogLevel, Logs, MetricCaps, Telemetry, Traces};
pub use units::{Bytes, Rate, Ratio, Secret};

use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// One whole, valid configuration.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Settings {
    /// Where the ledger and generated state live; already relative to the file's folder.
    #[schemars(extend("default" = "./sluice-data"))]
    pub state_dir: PathBuf,
    /// The two listeners.
    #[schemars(extend("default" = {}))]
    pub listeners: Listeners,
    /// Shared state between replicas; absent on a single node.
    pub redis: Option<Redis>,
    /// Upstreams.
    #[schemars(extend("default" = []))]
    pub providers: Vec<Provider>,
    /// Prices that override the built-in table.
    #[schemars(extend("default" = []))]
    pub prices: Vec<Price>,
    /// The names that clients may ask for.
    #[schemars(extend("default" = []))]
    pub models: Vec<Model>,
    /// Response caching; absent means disabled.
    pub cache: Option<Cache>,
    /// Limits of every key unless it says otherwise; absent limits nothing.
    pub limits: Option<Limits>,
    /// Retries, timers of waiting streams, circuits.
    #[schemars(extend("default" = {}))]
    pub resilience: Resilience,
    /// Tenants; `default` always exists.
    #[schemars(extend("default" = []))]
    pub tenants: Vec<Tenant>,
    /// Who may call.
    #[schemars(extend("default" = {}))]
    pub auth: Auth,
    /// Client keys.
    #[schemars(extend("default" = []))]
    pub keys: Vec<Key>,
    /// The usage ledger.
    #[schemars(extend("default" = {}))]
    pub ledger: Ledger,
    /// Logs, metrics, traces.
    #[schemars(extend("default" = {}))]
    pub telemetry: Telemetry,
    /// The drain.
    #[schemars(extend("default" = {}))]
    pub shutdown: Shutdown,
}
