//! `cache` and `redis`.

use super::{Bytes, Secret};
use std::time::Duration;

/// Response caching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// Which requests are looked up and stored.
    pub mode: CacheMode,
    /// How long an answer is kept; at most 24 h.
    pub ttl: Duration,
    /// Who may share answers.
    pub scope: CacheScope,
    /// Size of the memory tier.
    pub memory: Bytes,
    /// Use Redis as the second tier.
    pub redis: bool,
    /// Largest stored answer.
    pub max_entry: Bytes,
    /// Identical requests in flight share one upstream call.
    pub coalesce: bool,
    /// How a stream is replayed.
    pub replay: Replay,
    /// May clients send `x-sluice-cache: force`?
    pub allow_force: bool,
}

/// Overrides of [`Cache`] for a model or a key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CacheOverride {
    /// See [`Cache::mode`].
    pub mode: Option<CacheMode>,
    /// See [`Cache::ttl`].
    pub ttl: Option<Duration>,
    /// See [`Cache::scope`].
    pub scope: Option<CacheScope>,
    /// See [`Cache::allow_force`].
    pub allow_force: Option<bool>,
}

/// Which requests are looked up and stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheScope {
    /// One key.
    Key,
    /// One tenant.
    Tenant,
    /// Everybody.
    Global,
}

/// How a stream is replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// At once.
    Instant,
    /// At a reading pace.
    Paced,
}

/// Shared state between replicas.
#[derive(Debug, Clone, PartialEq)]
pub struct Redis {
    /// Topology.
    pub mode: RedisMode,
    /// Addresses; they may carry a password.
    pub urls: Vec<Secret>,
    /// Master name, Sentinel only.
    pub master: Option<String>,
    /// One operation.
    pub timeout: Duration,
    /// Prefix of every key.
    pub key_prefix: String,
    /// Share of local limits while Redis is away and the count is unknown.
    pub replicas: u32,
}

/// Redis topology.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisMode {
    /// One server.
    Single,
    /// Sentinel.
    Sentinel,
    /// Cluster.
    Cluster,
}
