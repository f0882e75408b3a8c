//! Shared limits while Redis is away, hangs or forgets: never unlimited, never a failure, and soon exact again.

use crate::{
    fleet::{REPLICAS, admitted, eager, gateways},
    support::{CHAT, CHAT_REPLY, by_limited, chat, limited},
};
use sluice_tests::{
    client::{Answer as Reply, Request},
    crowd::{Crowd, Next},
    gateway::{Config, Gateway},
    redis::{Redis, Reply as Word},
    upstream::{Answer, Upstream},
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

const DEGRADED: &str = "sluice_limiter_degraded";

fn alone(mode: &str) -> String {
    format!("sluice_limiter_degraded_total{{mode=\"{mode}\"}}")
}

/// A key with these limits, shared under Redis's usual patience.
fn shared(upstream: &Upstream, redis: &Redis, limits: &str) -> Config {
    limited(upstream, &format!("limits: {{{limits}}}")).redis(redis, "")
}

fn addresses(gateways: &[Gateway]) -> Vec<SocketAddr> {
    gateways.iter().map(|gateway| gateway.api).collect()
}

async fn for_ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_each_replica_admits_its_share_and_back_with_it_they_share_again() {
    let (upstream, mut redis) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Redis::start());
    let config = shared(&upstream, &redis, "requests: {rate: 1/h, burst: 300}");
    let gateways = gateways(&config, 3).await;
    let api = addresses(&gateways);
    let load = Crowd::start(&api, 3, &by_limited(chat()), eager);
    load.reaches(100).await;
    redis.kill();
    let before = load.ok();
    for gateway in &gateways {
        gateway.metric_is(DEGRADED, 1.0).await;
    }
    for_ms(1_500).await;
    let turns = load.stop().await;
    println!("{before} before, {} in all", admitted(&turns).count());
    // Answers on their way when it was killed were admitted before.
    assert!(
        (before..=before + 3 * 3 + 3 * 100).contains(&admitted(&turns).count()),
        "{before} before, {}",
        admitted(&turns).count()
    );
    for gateway in &gateways {
        assert!(gateway.metric(&alone("local")).await > 0.0);
        let refused = by_limited(chat()).send(gateway.api).await.expect(429);
        let its_share = "Key 'limited' used 100/100 requests (refilled at 1/10800s). Retry in ";
        assert!(refused.message().starts_with(its_share), "{refused:?}");
        let status = gateway.ask_admin("/status").await.json();
        assert_eq!(status["limits"]["mode"], "degraded", "{status}");
    }

    redis.restart();
    let back = Instant::now();
    for gateway in &gateways {
        gateway.metric_is("sluice_redis_up", 1.0).await;
        gateway.metric_is(DEGRADED, 0.0).await;
        gateway.metric_is(REPLICAS, 3.0).await;
        assert_eq!(gateway.ask_admin("/status").await.json()["limits"]["mode"], "shared");
    }
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    // It is empty, but what was used without it is told: nothing but what was used before it went is forgiven.
    let alone = admitted(&turns).count() - before;
    let calls = upstream.calls();
    let asking = Crowd::start(&api, 3, &by_limited(chat()), |answer| match answer.status() {
        200 => Next::After(Duration::ZERO),
        _ => Next::Leave,
    });
    let again = admitted(&asking.left().await).count();
    println!("{again} after it was back");
    assert_eq!(again, upstream.calls() - calls);
    // Those who have not told yet may be a little late.
    assert!(again + alone <= 400 && (again > 0 || alone >= 250), "{again} after {alone}");
}

/// Three keys, each with a word of its own on what holds without Redis.
fn three_words(upstream: &Upstream, redis: &Redis, members: &str) -> Config {
    let bucket = "requests: {rate: 1/h, burst: 6}";
    let key = |word: &str| format!("models: [\"*\"], limits: {{{bucket}{word}}}");
    Config::to(upstream)
        .key("local", "sk-sluice-local", &key(""))
        .key("open", "sk-sluice-open", &key(", on_redis_down: open"))
        .key("closed", "sk-sluice-closed", &key(", on_redis_down: closed"))
        // For keys without a block of their own.
        .key("common", "sk-sluice-common", "models: [\"*\"]")
        .section(&format!("limits: {{{bucket}, on_redis_down: closed}}"))
        .redis(redis, members)
}

async fn ask(gateway: &Gateway, key: &str) -> Reply {
    Request::post(CHAT, chat()).bearer(&format!("sk-sluice-{key}")).send(gateway.api).await
}

/// How many of twelve requests pass.
async fn passed(gateway: &Gateway, key: &str) -> usize {
    let mut passed = 0;
    for _ in 0..12 {
        passed += usize::from(ask(gateway, key).await.status() == 200);
    }
    passed
}

#[tokio::test]
async fn each_key_has_its_own_word_on_what_holds_without_redis() {
    let (upstream, mut redis) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Redis::start());
    let gateway = three_words(&upstream, &redis, "").start().await;
    gateway.metric_is(REPLICAS, 1.0).await;
    redis.kill();
    gateway.metric_is(DEGRADED, 1.0).await;
    assert_eq!(passed(&gateway, "local").await, 6, "the only replica has all of it");
    assert_eq!(passed(&gateway, "open").await, 12);
    for key in ["closed", "common"] {
        let calls = upstream.calls();
        let refused = ask(&gateway, key).await.expect(503);
        assert_eq!((refused.code(), refused.get("retry-after")), ("overloaded".into(), "1"));
        let who = if key == "common" { "common" } else { "closed" };
        assert_eq!(
            refused.message(),
            format!(
                "The limits of Key '{who}' are shared and cannot be checked now, and without a check nothing may \
                 pass. Retry in 1 s."
            )
        );
        assert_eq!(upstream.calls(), calls);
    }
    let mut counted = Vec::new();
    for mode in ["local", "fail_open", "fail_closed"] {
        counted.push(gateway.metric(&alone(mode)).await);
    }
    assert_eq!(counted, [12.0, 12.0, 2.0]);
    let unavailable = "sluice_key_limited_total{key=\"closed\",limit=\"unavailable\",tenant=\"default\"}";
    assert_eq!(gateway.metric(unavailable).await, 1.0);

    redis.restart();
    gateway.metric_is("sluice_redis_up", 1.0).await;
    gateway.metric_is(DEGRADED, 0.0).await;
    for key in ["open", "closed"] {
        assert_eq!(passed(&gateway, key).await, 6, "{key}");
    }
}

#[tokio::test]
async fn a_gateway_that_has_never_seen_redis_goes_by_the_configured_count_of_replicas() {
    let (upstream, mut redis) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Redis::start());
    redis.kill();
    let gateway = three_words(&upstream, &redis, "replicas: 3").start().await;
    assert_eq!(passed(&gateway, "local").await, 2, "a third of six");
    assert_eq!(passed(&gateway, "open").await, 12);
    assert_eq!(passed(&gateway, "closed").await, 0);
    assert_eq!(gateway.ask_admin("/readyz").await.status(), 200);
    redis.restart();
    gateway.metric_is(REPLICAS, 1.0).await;
    assert_eq!(passed(&gateway, "closed").await, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_hangs_under_load_fails_nobody_and_is_used_again() {
    let (upstream, redis) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Redis::start());
    let config = shared(&upstream, &redis, "requests: {rate: 100/s, burst: 200}");
    let gateways = gateways(&config, 2).await;
    let began = Instant::now();
    // Every answer is one of two: who asks sees to that.
    let load = Crowd::start(&addresses(&gateways), 4, &by_limited(chat()), eager);
    load.reaches(100).await;
    redis.pause();
    for gateway in &gateways {
        gateway.metric_is(DEGRADED, 1.0).await;
    }
    for_ms(500).await;
    redis.resume();
    for gateway in &gateways {
        gateway.metric_is("sluice_redis_up", 1.0).await;
        gateway.metric_is(DEGRADED, 0.0).await;
    }
    let turns = load.stop().await;
    let time = began.elapsed().as_secs_f64();
    let (count, slowest) = (admitted(&turns).count(), turns.iter().map(|turn| turn.ended - turn.began).max());
    println!("{count} of {} admitted in {time:.1} s, the slowest took {slowest:?}", turns.len());
    // What each has admitted by itself, nobody told Redis.
    assert!(count as f64 <= 100.0 * time + 200.0 + 2.0 * 100.0 + 100.0 * time, "{count}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgets_everything_under_load_forgives_one_burst_at_most() {
    let (upstream, redis) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Redis::start());
    let config = shared(&upstream, &redis, "requests: {rate: 20/s, burst: 200}");
    let gateways = gateways(&config, 3).await;
    let began = Instant::now();
    let load = Crowd::start(&addresses(&gateways), 3, &by_limited(chat()), eager);
    load.reaches(120).await;
    assert_eq!(redis.ask(&[b"SCRIPT", b"FLUSH"]), Word::Text(b"OK".into()));
    load.reaches(180).await;
    redis.flush();
    assert_eq!(redis.ask(&[b"SCRIPT", b"FLUSH"]), Word::Text(b"OK".into()));
    for_ms(1_500).await;
    let turns = load.stop().await;
    let (count, time) = (admitted(&turns).count(), began.elapsed().as_secs_f64());
    println!("{count} of {} admitted in {time:.1} s", turns.len());
    assert!(count as f64 <= 2.0 * 200.0 + 20.0 * time, "{count} in {time} s");
    let mut missing = 0.0;
    for gateway in &gateways {
        missing += gateway.metric("sluice_redis_errors_total{kind=\"noscript\",op=\"limit\"}").await;
        assert_eq!(gateway.metric(&alone("local")).await, 0.0, "nobody decided alone");
    }
    assert!(missing >= 1.0, "the script was loaded again");
}
