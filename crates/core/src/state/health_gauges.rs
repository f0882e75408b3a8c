//! How upstreams fare, as gauges that are read when somebody asks: circuits, key pools, what upstreams say is left.

use crate::{
    health::{
        circuit::State,
        key_pool::{KeyState, Tally},
    },
    state::{provider::Provider, snapshot::Snapshot},
    telemetry::{
        labels::{ConnectionState, LimitLabel, OTHER},
        metrics::Metrics,
    },
};
use std::{collections::HashMap, time::Instant};

/// Shows how every target, every key pool and every connection stands. What is not configured any more is shown no
/// more. Of those beyond the cap, which share a label, the worst is shown, or the sum of what is counted.
pub fn show(snapshot: &Snapshot, metrics: &Metrics) {
    let now = Instant::now();
    for family in [
        &metrics.circuit_state,
        &metrics.provider_up,
        &metrics.pool_keys,
        &metrics.upstream_remaining,
        &metrics.upstream_connections,
    ] {
        family.reset();
    }
    let mut up: HashMap<&str, bool> = HashMap::new();
    for target in snapshot.models.targets() {
        let (state, _) = target.health.stands(now);
        let provider = &target.provider;
        let circuit =
            metrics.circuit_state.with_label_values(&[provider.metrics.label(), target.metrics.label()]);
        circuit.set(circuit.get().max(badness(state)));
        // A probe under way has shown nothing yet. Were it taken for health, a provider that is silent would be up
        // for most of the time, since that is how long a probe takes to fail.
        *up.entry(&provider.name).or_default() |= target.health.is_well(now) && target.has_key(now);
    }
    let mut worst: HashMap<&str, bool> = HashMap::new();
    let mut left: HashMap<(&str, &str, LimitLabel), i64> = HashMap::new();
    for provider in &snapshot.providers {
        // Nobody can say anything against a provider that nobody asks.
        let is_up = up.get(&*provider.name).copied().unwrap_or(true);
        *worst.entry(provider.metrics.label()).or_insert(true) &= is_up;
        show_connections(provider, metrics);
        show_keys(provider, metrics, now);
        note_left(provider, &mut left);
    }
    for (provider, is_up) in worst {
        metrics.provider_up.with_label_values(&[provider]).set(is_up.into());
    }
    for ((provider, key, limit), left) in left {
        metrics.upstream_remaining.with_label_values(&[provider, key, limit.as_str()]).set(left);
    }
}

fn show_connections(provider: &Provider, metrics: &Metrics) {
    let (active, idle) = provider.client.connections().active_and_idle();
    for (state, count) in [(ConnectionState::Active, active), (ConnectionState::Idle, idle)] {
        let labels = [provider.metrics.label(), state.as_str()];
        metrics.upstream_connections.with_label_values(&labels).add(count.into());
    }
}

/// Ordered by badness, so that the worst of several replicas is their maximum.
fn badness(state: State) -> i64 {
    match state {
        State::Closed => 0,
        State::HalfOpen => 1,
        State::Open => 2,
    }
}

fn show_keys(provider: &Provider, metrics: &Metrics, now: Instant) {
    // A provider that wants no credential has none to count.
    let Tally { ready, cooling, disabled } =
        if provider.has_keys() { provider.pool.tally(now) } else { Tally::default() };
    for (state, keys) in
        [(KeyState::Ready, ready), (KeyState::Cooling, cooling), (KeyState::Disabled, disabled)]
    {
        let keys = i64::try_from(keys).unwrap_or(i64::MAX);
        metrics.pool_keys.with_label_values(&[provider.metrics.label(), state.as_str()]).add(keys);
    }
}

/// Notes what the upstream says is left for its keys. Before it has said anything there is no number: zero would mean
/// that nothing is left.
fn note_left<'a>(provider: &'a Provider, least: &mut HashMap<(&'a str, &'a str, LimitLabel), i64>) {
    let (label, pool) = (provider.metrics.label(), &provider.pool);
    for index in (0..pool.len()).filter(|_| provider.has_keys()) {
        let Some((key, remaining)) = pool.name(index).zip(pool.remaining(index)) else { continue };
        let key = if label == OTHER { OTHER } else { key };
        let left = [(LimitLabel::Requests, remaining.requests()), (LimitLabel::Tokens, remaining.tokens())];
        for (limit, left) in left {
            if let Some(left) = left.and_then(|left| i64::try_from(left).ok()) {
                let known = least.entry((label, key, limit)).or_insert(left);
                *known = left.min(*known);
            }
        }
    }
}
