//! What an operator may see of a running gateway: plain data, without secrets.

use super::{App, LastReload};
use crate::{
    cache::store::{Occupancy, ResponseCache},
    ledger::LedgerStatus,
    redis::LinkState,
    state::{
        limit_gauges::{self, LimitsStatus},
        snapshot::{ModelEntry, Target},
        upstream_status::{self, PoolKeyStatus, UpstreamStatus},
    },
};
use serde::Serialize;
use std::sync::{Arc, PoisonError};

impl App {
    /// What an operator may see; no secrets.
    #[must_use]
    pub fn status(&self) -> Status {
        let snapshot = self.snapshot.load();
        let ready = |name: &str| {
            snapshot.providers.iter().find(|provider| *provider.name == *name).map(AsRef::as_ref)
        };
        Status {
            version: self.info.version,
            revision: self.info.revision,
            uptime_seconds: self.started.elapsed().as_secs(),
            ready: self.is_ready(),
            draining: self.is_draining(),
            config_hash: snapshot.hash.clone(),
            last_reload: self.last_reload.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            requests_in_flight: self.in_flight.total(),
            redis: self.redis_state().map(LinkState::as_str),
            ledger: self.ledger.status(),
            limits: limit_gauges::status(&snapshot, &self.metrics),
            cache: snapshot.cache.as_ref().map(|setup| CacheStatus::of(&setup.cache)),
            keys: snapshot.settings.keys.len(),
            providers: snapshot
                .settings
                .providers
                .iter()
                .map(|provider| ProviderStatus {
                    name: provider.name.clone(),
                    kind: provider.preset.id,
                    base_url: provider.base_url.clone(),
                    keys: provider.keys.len(),
                    pool_keys: ready(&provider.name).map(upstream_status::pool_keys).unwrap_or_default(),
                })
                .collect(),
            upstreams: upstream_status::upstreams(&snapshot),
            models: snapshot.models.all().iter().map(|model| ModelStatus::of(model)).collect(),
        }
    }
}

/// What an operator may see.
#[derive(Debug, Serialize)]
pub struct Status {
    version: &'static str,
    revision: &'static str,
    uptime_seconds: u64,
    ready: bool,
    draining: bool,
    config_hash: String,
    /// Absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_reload: Option<LastReload>,
    requests_in_flight: usize,
    /// Absent where none is configured or used.
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<&'static str>,
    ledger: LedgerStatus,
    limits: LimitsStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<CacheStatus>,
    keys: usize,
    providers: Vec<ProviderStatus>,
    upstreams: Vec<UpstreamStatus>,
    models: Vec<ModelStatus>,
}

/// The memory tier, and what is being asked for on behalf of many.
#[derive(Debug, Serialize)]
struct CacheStatus {
    entries: u64,
    bytes: u64,
    capacity_bytes: u64,
    flights: usize,
    /// Is Redis its second tier?
    shared: bool,
}

impl CacheStatus {
    fn of(cache: &ResponseCache) -> Self {
        let Occupancy { bytes, capacity, entries } = cache.occupancy();
        let flights = cache.flights.len();
        Self { entries, bytes, capacity_bytes: capacity, flights, shared: cache.is_shared() }
    }
}

#[derive(Debug, Serialize)]
struct ProviderStatus {
    name: String,
    kind: &'static str,
    base_url: String,
    keys: usize,
    pool_keys: Vec<PoolKeyStatus>,
}

#[derive(Debug, Serialize)]
struct ModelStatus {
    name: String,
    aliases: Vec<String>,
    targets: Vec<String>,
    fallbacks: Vec<String>,
    strategy: &'static str,
    /// How many there are; what they ask for may name callers.
    rules: usize,
}

impl ModelStatus {
    fn of(model: &ModelEntry) -> Self {
        let target = |target: &Arc<Target>| format!("{}/{}", target.provider.name, target.model);
        Self {
            name: model.name.to_string(),
            aliases: model.aliases.clone(),
            targets: model.targets.iter().map(target).collect(),
            fallbacks: model.fallbacks.clone(),
            strategy: model.strategy.name(),
            rules: model.rules.len(),
        }
    }
}
