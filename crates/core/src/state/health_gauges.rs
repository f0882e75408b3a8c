//! How upstreams fare, as gauges that are read when somebody asks: circuits, key pools, what upstreams say is left.

use crate::{
    health::{
        circuit::State,
        key_pool::{KeyState, Tally},
    },
    state::{provider::Provider, snapshot::Snapshot},
    telemetry::{labels::LimitLabel, metrics::Metrics},
};
use std::{collections::HashMap, time::Instant};

/// Shows how every target and every key pool stands. What is not configured any more is shown no more.
pub fn show(snapshot: &Snapshot, metrics: &Metrics) {
    let now = Instant::now();
    for family in
        [&metrics.circuit_state, &metrics.provider_up, &metrics.pool_keys, &metrics.upstream_remaining]
    {
        family.reset();
    }
    let mut up: HashMap<&str, bool> = HashMap::new();
    for target in snapshot.models.targets() {
        let (state, _) = target.health.stands(now);
        let provider = &*target.provider.name;
        metrics.circuit_state.with_label_values(&[provider, &target.model]).set(badness(state));
        // A probe under way has shown nothing yet. Were it taken for health, a provider that is silent would be up
        // for most of the time, since that is how long a probe takes to fail.
        *up.entry(provider).or_default() |= target.health.is_well(now) && target.has_key(now);
    }
    for provider in &snapshot.providers {
        let name = &*provider.name;
        // Nobody can say anything against a provider that nobody asks.
        let is_up = up.get(name).copied().unwrap_or(true);
        metrics.provider_up.with_label_values(&[name]).set(is_up.into());
        show_keys(provider, metrics, now);
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
    let name = &*provider.name;
    let pool = &provider.pool;
    // A provider that wants no credential has none to count.
    let Tally { ready, cooling, disabled } =
        if provider.has_keys() { pool.tally(now) } else { Tally::default() };
    for (state, keys) in
        [(KeyState::Ready, ready), (KeyState::Cooling, cooling), (KeyState::Disabled, disabled)]
    {
        let keys = i64::try_from(keys).unwrap_or(i64::MAX);
        metrics.pool_keys.with_label_values(&[name, state.as_str()]).set(keys);
    }
    if !provider.has_keys() {
        return;
    }
    // Before an upstream has said anything there is no number: zero would mean that nothing is left.
    for index in 0..pool.len() {
        let Some((key, remaining)) = pool.name(index).zip(pool.remaining(index)) else { continue };
        let left = [(LimitLabel::Requests, remaining.requests()), (LimitLabel::Tokens, remaining.tokens())];
        for (limit, left) in left {
            if let Some(left) = left.and_then(|left| i64::try_from(left).ok()) {
                metrics.upstream_remaining.with_label_values(&[name, key, limit.as_str()]).set(left);
            }
        }
    }
}
