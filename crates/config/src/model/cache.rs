//! `cache` and `redis`.

use super::{Bytes, Secret};
use crate::text::{self, As, Room};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Response caching. Nothing is cached without this section. A key's own word goes before the model's, and the
/// model's before this one; what a model or a key has `disabled` stays disabled.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Which requests are looked up and stored.
    #[schemars(extend("default" = "seeded"))]
    pub mode: CacheMode,
    /// How long an answer is kept; at most 24 h. A client may ask for another time with `x-sluice-cache-ttl`.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "1h"))]
    pub ttl: Duration,
    /// Who may share answers: with `global`, tenants see answers to what other tenants asked.
    #[schemars(extend("default" = "tenant"))]
    pub scope: CacheScope,
    /// Size of the memory tier of each replica. `0B` keeps nothing in memory: answers then come from Redis, or
    /// from an equal request under way.
    #[serde(deserialize_with = "text::required::<Room, _>")]
    #[schemars(with = "As<Room>", extend("default" = "64MiB"))]
    pub memory: Bytes,
    /// Use Redis as the second tier, which replicas share. While it is away, requests go on without it.
    #[schemars(extend("x-derived" = "true when redis is configured"))]
    pub redis: bool,
    /// Largest stored answer; a larger one is passed on as ever, and not kept.
    #[schemars(extend("default" = "1MiB"))]
    pub max_entry: Bytes,
    /// Identical requests in flight share one upstream call, where they may share its answer.
    #[schemars(extend("default" = true))]
    pub coalesce: bool,
    /// How a stream is replayed.
    #[schemars(extend("default" = "instant"))]
    pub replay: Replay,
    /// May clients send `x-sluice-cache: force`, which caches a request that nothing makes repeatable?
    #[schemars(extend("default" = false))]
    pub allow_force: bool,
}

/// Overrides of [`Cache`] for a model or a key, each member by itself. A key's word goes before its model's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheOverride {
    /// See [`Cache::mode`]. `disabled` here cannot be lifted, neither by the other of the two nor by a client.
    pub mode: Option<CacheMode>,
    /// See [`Cache::ttl`]. At most 24 h.
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

impl CacheMode {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Seeded => "seeded",
            Self::Deterministic => "deterministic",
            Self::All => "all",
        }
    }
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

impl CacheScope {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Tenant => "tenant",
            Self::Global => "global",
        }
    }
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
