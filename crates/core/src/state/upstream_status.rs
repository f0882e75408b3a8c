//! How upstreams fare, for people and programs that ask the status page: targets and keys, never a secret.

use crate::{
    health::{circuit::State, key_pool::KeyState},
    state::{
        provider::Provider,
        snapshot::{Snapshot, Target},
    },
};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// How a target fares. `sluice explain` reads it, too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpstreamStatus {
    /// Name of the provider.
    pub provider: String,
    /// The upstream's name for the model, as configured; may hold `*`.
    pub model: String,
    /// Is it worth asking?
    pub circuit: State,
    /// Until the next request may probe, while the circuit is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_for_ms: Option<u64>,
    /// It has asked to be left alone, for so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resting_for_ms: Option<u64>,
    /// Is there a key that can be expected to work for it?
    pub key_ready: bool,
    /// Requests under way.
    pub in_flight: u32,
    /// Until a first byte, on an average that follows the worst at once; absent where nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
}

/// How every target in use fares, each once, in the file's order.
#[must_use]
pub fn upstreams(snapshot: &Snapshot) -> Vec<UpstreamStatus> {
    let now = Instant::now();
    snapshot.models.targets().into_iter().map(|target| upstream(target, now)).collect()
}

fn upstream(target: &Target, now: Instant) -> UpstreamStatus {
    let health = &target.health;
    let (circuit, open_for) = health.stands(now);
    // A tenth of a millisecond is enough for anybody.
    let tenths = |latency: Duration| (latency.as_secs_f64() * 1e4).round() / 10.0;
    UpstreamStatus {
        provider: target.provider.name.to_string(),
        model: target.model.to_string(),
        circuit,
        open_for_ms: open_for.map(millis),
        resting_for_ms: health.circuit.rests(now).map(millis),
        key_ready: target.has_key(now),
        in_flight: health.in_flight(),
        latency_ms: health.latency.average().map(tenths),
    }
}

/// How a key of a provider's pool stands.
#[derive(Debug, Serialize)]
pub struct PoolKeyStatus {
    name: String,
    /// The worst of what is known for any model.
    state: KeyState,
    /// So long at most, for the model that is worst off; a refused key is looked into then.
    #[serde(skip_serializing_if = "Option::is_none")]
    for_ms: Option<u64>,
}

/// How the keys of a provider stand, in the file's order.
#[must_use]
pub fn pool_keys(provider: &Provider) -> Vec<PoolKeyStatus> {
    if !provider.has_keys() {
        return Vec::new();
    }
    let states = provider.pool.states(Instant::now());
    let key = |(name, state, left): (&str, KeyState, Option<Duration>)| PoolKeyStatus {
        name: name.to_owned(),
        state,
        for_ms: left.filter(|_| state != KeyState::Ready).map(millis),
    };
    states.map(key).collect()
}

/// Rounded up, so that what is not over is not 0.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}
