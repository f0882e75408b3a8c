//! New settings while the cache is in use: it keeps what it has unless it is taken away or made anew.

use crate::support::{CHAT, DONE, cached, counting, delta, finish, gated, seeded};
use sluice_tests::{
    client::{Answer as Reply, Request},
    gateway::{Config, Gateway, KEY},
    redis::Redis,
    sse::Stream,
    upstream::{Gate, Upstream},
};

async fn ask(gateway: &Gateway, seed: i64) -> Reply {
    gateway.post(CHAT, seeded(seed, "")).await.expect(200)
}

/// What is said of a stored answer: how it was found, and where.
fn found(answer: &Reply) -> (&str, &str) {
    let status = answer.get("cache-status");
    (answer.get("x-sluice-cache"), status.rsplit("detail=").next().unwrap_or_default())
}

#[tokio::test]
async fn what_is_in_memory_stays_there_whatever_else_changes() {
    let (upstream, redis) = (counting().await, Redis::start());
    let over = |members: &str, timeout: &str| {
        cached(&upstream, members)
            .section(&format!("redis: {{urls: [\"{}\"], timeout: {timeout}}}", redis.url()))
    };
    let gateway = over("", "1s").start().await;
    let first = ask(&gateway, 1).await;
    assert_eq!(first.get("x-sluice-cache"), "miss");
    for (what, config) in [
        ("redis.timeout", over("", "2s")),
        ("cache.ttl", over(", ttl: 1h", "2s")),
        ("cache.max_entry", over(", ttl: 1h, max_entry: 2MiB", "2s")),
        ("cache.replay", over(", ttl: 1h, replay: paced", "2s")),
        ("no second tier", cached(&upstream, ", redis: false")),
        ("no Redis", cached(&upstream, "")),
        ("another model", cached(&upstream, "").model("n")),
    ] {
        // Nothing to be found there: what is found is found in memory.
        redis.flush();
        gateway.apply(&config);
        let again = ask(&gateway, 1).await;
        assert_eq!((found(&again), again.text()), (("hit", "memory"), first.text()), "{what}");
    }
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn a_cache_that_was_taken_away_comes_back_empty() {
    let upstream = counting().await;
    let (with, without) = (cached(&upstream, ""), Config::to(&upstream));
    let gateway = with.start().await;
    assert_eq!(ask(&gateway, 1).await.get("x-sluice-cache"), "miss");
    gateway.apply(&without);
    assert_eq!(ask(&gateway, 1).await.get("x-sluice-cache"), "bypass; reason=disabled");
    gateway.apply(&with);
    assert_eq!(gateway.metric("sluice_cache_entries{tier=\"memory\"}").await, 0.0);
    assert_eq!(ask(&gateway, 1).await.get("x-sluice-cache"), "miss");
    assert_eq!(ask(&gateway, 1).await.get("x-sluice-cache"), "hit");
    assert_eq!(upstream.calls(), 3);
}

#[tokio::test]
async fn an_answer_under_way_is_shared_and_kept_across_new_settings() {
    let gate = Gate::new();
    let held = gate.clone();
    let rest = finish() + DONE;
    let upstream = Upstream::with(move |_, _| gated(&held, &delta("first"), &rest)).await;
    let gateway = cached(&upstream, "").start().await;
    let request = Request::post(CHAT, seeded(1, ",\"stream\":true")).bearer(KEY);
    let mut before = Stream::open(gateway.api, &request).await;
    let _ = before.event().await;
    gateway.apply(&cached(&upstream, ", ttl: 1h, max_entry: 2MiB"));
    let mut after = Stream::open(gateway.api, &request).await;
    assert_eq!(after.head.get("x-sluice-cache"), "coalesced");
    gate.open();
    assert!(before.rest().await.done() && after.rest().await.done());
    let kept = request.send(gateway.api).await.expect(200);
    assert_eq!((found(&kept), upstream.calls()), (("hit", "memory"), 1));
}
