//! `cache` and `redis`.

use super::{Bytes, Secret};
use crate::text::{self, As};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Response caching.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Which requests are looked up and stored.
    #[schemars(extend("default" = "seeded"))]
    pub mode: CacheMode,
    /// How long an answer is kept; at most 24 h.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "1h"))]
    pub ttl: Duration,
    /// Who may share answers.
    #[schemars(extend("default" = "tenant"))]
    pub scope: CacheScope,
    /// Size of the memory tier.
    #[schemars(extend("default" = "64MiB"))]
    pub memory: Bytes,
    /// Use Redis as the second tier.
    #[schemars(extend("x-derived" = "true when redis is configured"))]
    pub redis: bool,
    /// Largest stored answer.
    #[schemars(extend("default" = "1MiB"))]
    pub max_entry: Bytes,
    /// Identical requests in flight share one upstream call.
    #[schemars(extend("default" = true))]
    pub coalesce: bool,
    /// How a stream is replayed.
    #[schemars(extend("default" = "instant"))]
    pub replay: Replay,
    /// May clients send `x-sluice-cache: force`?
    #[schemars(extend("default" = false))]
    pub allow_force: bool,
}

/// Overrides of [`Cache`] for a model or a key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheOverride {
    /// See [`Cache::mode`].
    pub mode: Option<CacheMode>,
    /// See [`Cache::ttl`].
    #[serde(default, deserialize_with = "text::optional::<Duration, _>")]
    #[schemars(with = "As<Duration>")]
    pub ttl: Option<Duration>,
    /// See [`Cache::scope`].
    pub scope: Option<CacheScope>,
    /// See [`Cache::allow_force`].
    pub allow_force: Option<bool>,
}

/// Which requests are looked up and stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CacheMode {
    /// None.
    Disabled,
    /// Those with a seed, and embeddings.
    Seeded,
    /// Also those with temperature 0.
    Deterministic,
    /// All.
    All,
}

/// Who may share answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CacheScope {
    /// One key.
    Key,
    /// One tenant.
    Tenant,
    /// Everybody.
    Global,
}

/// How a stream is replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// At once.
    Instant,
    /// At a reading pace.
    Paced,
}

/// Shared state between replicas.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// Topology.
    #[schemars(extend("default" = "single"))]
    pub mode: RedisMode,
    /// Addresses; they may carry a password.
    #[schemars(length(min = 1))]
    pub urls: Vec<Secret>,
    /// Master name, Sentinel only.
    pub master: Option<String>,
    /// One operation.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "50ms"))]
    pub timeout: Duration,
    /// Prefix of every key.
    #[schemars(extend("default" = "sluice"))]
    pub key_prefix: String,
    /// Share of local limits while Redis is away and the count is unknown.
    #[schemars(extend("default" = 1), range(min = 1))]
    pub replicas: u32,
}

/// Redis topology.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RedisMode {
    /// One server.
    Single,
    /// Sentinel.
    Sentinel,
    /// Cluster.
    Cluster,
}
