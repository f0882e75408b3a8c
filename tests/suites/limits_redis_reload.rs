//! Shared limits and reloads: another way to the same Redis, or the first one, forgets nothing and counts nothing
//! twice.

use crate::support::{CHAT_REPLY, begin, by_limited, chat_of, having_used, in_flight, limited};
use sluice_tests::{
    gateway::{Config, Gateway},
    redis::Redis,
    soon,
    upstream::{Answer, Gate, Upstream},
};
use std::path::Path;

const SPENT: &str = "sluice_budget_spent_usd{name=\"limited\",period=\"month\",scope=\"key\"}";

/// A key with a dollar, before answers of a cent each.
fn one_dollar(upstream: &Upstream) -> Config {
    limited(upstream, "budget: {usd: 1, per: month}").price("m", 2500)
}

/// Spends so many cents.
async fn spend(gateway: &Gateway, cents: usize) {
    for _ in 0..cents {
        let _ = by_limited(chat_of(10)).send(gateway.api).await.expect(200);
    }
    in_flight(gateway, 0).await;
}

/// Waits until this gateway uses the Redis that it was told of last.
async fn is_shared(gateway: &Gateway) {
    gateway.metric_is("sluice_redis_up", 1.0).await;
    gateway.metric_is("sluice_limiter_replicas", 1.0).await;
    gateway.metric_is("sluice_limiter_degraded", 0.0).await;
}

#[tokio::test]
async fn money_is_counted_once_over_a_reload_of_how_redis_is_used() {
    let (upstream, redis) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Redis::start());
    let gateway = one_dollar(&upstream).redis(&redis, "timeout: 2s").start().await;
    is_shared(&gateway).await;
    spend(&gateway, 10).await;
    for (n, timeout) in [(2, "timeout: 3s"), (3, "timeout: 4s")] {
        gateway.apply(&one_dollar(&upstream).redis(&redis, timeout));
        is_shared(&gateway).await;
        spend(&gateway, 10).await;
        gateway.metric_is(SPENT, f64::from(n) / 10.0).await;
    }
    // All that is left, and no cent less.
    spend(&gateway, 70).await;
    assert_eq!(by_limited(chat_of(10)).send(gateway.api).await.expect(429).code(), "insufficient_quota");
}

#[tokio::test]
async fn what_was_spent_without_redis_counts_with_it() {
    let (upstream, redis) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Redis::start());
    // Two machines, each with a ledger of its own.
    let configs = ["/one", "/two"].map(|folder| one_dollar(&upstream).state_dir(Path::new(folder)));
    let gateways = [configs[0].start().await, configs[1].start().await];
    for gateway in &gateways {
        spend(gateway, 20).await;
    }
    // One after the other, as reloads come.
    for (gateway, config) in gateways.iter().zip(configs) {
        gateway.apply(&config.redis(&redis, "timeout: 2s"));
        gateway.metric_is("sluice_redis_up", 1.0).await;
        spend(gateway, 10).await;
    }
    gateways[1].metric_is(SPENT, 0.6).await;
    spend(&gateways[0], 1).await;
    gateways[0].metric_is(SPENT, 0.61).await;
}

#[tokio::test]
async fn what_is_given_back_after_such_a_reload_is_there_for_others() {
    let gate = Gate::new();
    let redis = Redis::start();
    let held = Answer::new().gate(&gate).then(Answer::json(having_used(6, 4)));
    let upstream = Upstream::script([held, Answer::json(having_used(6, 4))]).await;
    let config = |timeout: &str| {
        limited(&upstream, "limits: {tokens: {rate: 1/h, burst: 1000}}").redis(&redis, timeout)
    };
    let gateways = [config("timeout: 2s").start().await, config("timeout: 2s").start().await];
    for gateway in &gateways {
        gateway.metric_is("sluice_limiter_replicas", 2.0).await;
    }
    let held = begin([by_limited(chat_of(900)).send(gateways[0].api)]);
    upstream.called(1).await;
    gateways[0].apply(&config("timeout: 3s"));
    gateways[0].metric_is("sluice_redis_up", 1.0).await;
    gate.open();
    for held in held {
        let _ = held.await.unwrap().expect(200);
    }
    let request = by_limited(chat_of(990));
    soon("what was given back", async { while request.send(gateways[1].api).await.status() != 200 {} }).await;
}
