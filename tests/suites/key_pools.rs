//! Key pools: which of a provider's keys is used, what happens to those that are limited or refused.

use crate::support::{CHAT, CHAT_REPLY, all, chat, chat_to, well};
use sluice_tests::{
    client::{Answer as Reply, Request},
    crowd::{Crowd, Next},
    eventually,
    gateway::{Config, Gateway, KEY},
    replica::Replica,
    upstream::{Answer, Received, Upstream},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// A gateway whose models `pooled` and `other` lead to a provider `pool` with these keys.
fn pooled(upstream: &Upstream, keys: &str) -> Config {
    Config::to(upstream)
        .also_with("pool", &upstream.base_url(), &format!(", keys: [{keys}]"))
        .model_entry("{name: pooled, targets: [{provider: pool, model: pooled}]}")
        .model_entry("{name: other, targets: [{provider: pool, model: other}]}")
}

const ONE: &str = "{name: a, value: sk-a}";
const TWO: &str = "{name: a, value: sk-a}, {name: b, value: sk-b}";
const THREE: &str = "{name: a, value: sk-a}, {name: b, value: sk-b}, {name: c, value: sk-c}";

/// How long a refused key is left alone at first, and a limited one that did not hear for how long. Where a slow
/// machine needs as long for a test's first steps, these prove nothing.
const ASIDE: Duration = Duration::from_secs(1);

/// The letter of the key that came.
fn key(request: &Received) -> &str {
    request.header("authorization").and_then(|value| value.strip_prefix("Bearer sk-")).expect("a key")
}

/// How often each key came, of requests for this model.
fn calls(upstream: &Upstream, model: &str) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for request in upstream.requests().iter().filter(|request| request.json()["model"] == model) {
        *calls.entry(key(request).to_owned()).or_default() += 1;
    }
    calls
}

async fn ask(gateway: &Gateway, model: &str) -> Reply {
    gateway.post(CHAT, chat_to(model)).await
}

fn limited(seconds: u64) -> Answer {
    Answer::status(429, &[&format!("retry-after: {seconds}")], "{}")
}

/// These keys get this answer until the switch is on; all others are well.
async fn troubled(keys: &'static str, trouble: Answer) -> (Upstream, Arc<AtomicBool>) {
    let healed = Arc::new(AtomicBool::new(false));
    let over = healed.clone();
    let upstream = Upstream::with(move |_, request| {
        let is_troubled = !over.load(Ordering::SeqCst) && keys.contains(key(request));
        if is_troubled && request.json()["model"] == "pooled" {
            trouble.clone()
        } else {
            Answer::json(CHAT_REPLY)
        }
    })
    .await;
    (upstream, healed)
}

#[tokio::test]
async fn keys_share_the_traffic_by_weight() {
    let upstream = well().await;
    let keys = "{name: a, value: sk-a, weight: 7}, {name: b, value: sk-b, weight: 3}, \
                {name: c, value: sk-c, weight: 0}";
    let gateway = pooled(&upstream, keys).start().await;
    let request = Request::post(CHAT, chat_to("pooled")).bearer(KEY);
    let crowd = Crowd::start(&[gateway.api], 8, &request, |answer| {
        assert_eq!(answer.status(), 200);
        Next::After(Duration::ZERO)
    });
    crowd.reaches(2_500).await;
    let all = crowd.stop().await.len();
    let calls = calls(&upstream, "pooled");
    let share = calls["a"] as f64 / all as f64;
    println!("the key with 70 % had {:.2} % of {all}", 100.0 * share);
    assert!((share - 0.7).abs() < 0.03, "{calls:?}");
    assert_eq!(calls.get("c"), None, "weight 0 is for when there is nothing else");
}

#[tokio::test]
async fn a_limited_key_cools_and_another_one_answers_the_same_request() {
    let (upstream, _) = troubled("a", limited(60)).await;
    let gateway = pooled(&upstream, TWO).start().await;
    let mut two_tries = 0;
    for n in 0..60 {
        let reply = ask(&gateway, "pooled").await.expect(200);
        two_tries += usize::from(reply.get("x-sluice-attempts") == "2");
        assert!(two_tries <= 1, "request {n}: {:?}", reply.head);
    }
    assert_eq!(two_tries, 1, "somebody met the limit");
    assert_eq!(calls(&upstream, "pooled"), BTreeMap::from([("a".into(), 1), ("b".into(), 60)]));
    // For another model the key is as good as before.
    for _ in 0..60 {
        assert_eq!(ask(&gateway, "other").await.expect(200).get("x-sluice-attempts"), "1");
    }
    assert!(calls(&upstream, "other")["a"] > 10, "{:?}", calls(&upstream, "other"));
}

#[tokio::test]
async fn a_pool_is_walked_without_using_up_attempts() {
    // A 403 may be for what was asked: only the third in a row puts the key aside.
    for (trouble, refusals) in
        [(limited(60), 1), (Answer::error(401, "{}"), 1), (Answer::error(403, "{}"), 3)]
    {
        let (upstream, _) = troubled("ab", trouble).await;
        let gateway = pooled(&upstream, THREE).section("resilience: {attempts: 1}").start().await;
        let met = |key: &str| calls(&upstream, "pooled").get(key).copied().unwrap_or_default();
        let (mut requests, mut tries) = (0, 0);
        while met("a") < refusals || met("b") < refusals {
            let reply = ask(&gateway, "pooled").await.expect(200);
            requests += 1;
            tries += reply.get("x-sluice-attempts").parse::<usize>().unwrap();
        }
        assert_eq!(tries, requests + 2 * refusals, "each of the two was tried so often and no more");
    }
}

#[tokio::test]
async fn when_all_keys_are_limited_the_client_is_told_when_to_come_back() {
    let (upstream, healed) = troubled("ab", limited(2)).await;
    let gateway = pooled(&upstream, TWO).start().await;
    let reply = ask(&gateway, "pooled").await.expect(429);
    assert_eq!((reply.get("x-sluice-attempts"), reply.get("retry-after")), ("2", "2"));
    healed.store(true, Ordering::SeqCst);
    for _ in 0..5 {
        let reply = ask(&gateway, "pooled").await.expect(429);
        assert!(matches!(reply.get("retry-after"), "1" | "2"), "{:?}", reply.head);
        assert!(reply.message().contains("provider 'pool'"), "{}", reply.message());
        assert_eq!(reply.code(), "rate_limit_exceeded");
    }
    assert_eq!(upstream.calls(), 2, "nobody is asked meanwhile");
    let _ = ask(&gateway, "other").await.expect(200);
    // Whoever waits so long is answered.
    let reply = ask(&gateway, "pooled").await.expect(429);
    let seconds: u64 = reply.get("retry-after").parse().expect("whole seconds");
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let _ = ask(&gateway, "pooled").await.expect(200);
}

#[tokio::test]
async fn the_soonest_key_of_several_decides_when_to_come_back() {
    let upstream = Upstream::with(|_, request| limited(if key(request) == "a" { 90 } else { 30 })).await;
    let gateway = pooled(&upstream, TWO).start().await;
    let _ = ask(&gateway, "pooled").await.expect(429);
    let told: u64 = ask(&gateway, "pooled").await.expect(429).get("retry-after").parse().unwrap();
    assert!((25..=30).contains(&told), "{told}");
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn a_limited_pool_goes_on_to_the_next_provider() {
    let ((upstream, _), spare) = (troubled("ab", limited(60)).await, well().await);
    let config = pooled(&upstream, TWO).also("spare", &spare.base_url()).model_entry(
        "{name: both, targets: [{provider: pool, model: pooled}, {provider: spare, model: m, priority: 1}]}",
    );
    let gateway = config.start().await;
    assert_eq!(ask(&gateway, "both").await.expect(200).get("x-sluice-attempts"), "3");
    assert_eq!(ask(&gateway, "both").await.expect(200).get("x-sluice-attempts"), "1", "it is known");
}

#[tokio::test]
async fn a_limit_without_a_word_about_its_end_cools_a_little_and_refuses_nobody() {
    let (upstream, _) = troubled("a", Answer::error(429, "{}")).await;
    let gateway = pooled(&upstream, ONE).start().await;
    for calls in 1..=5 {
        let _ = ask(&gateway, "pooled").await.expect(429);
        assert_eq!(upstream.calls(), calls, "where there is no other key it is asked");
    }
    let (upstream, _) = troubled("a", Answer::error(429, "{}")).await;
    let gateway = pooled(&upstream, TWO).start().await;
    let mut begun = Instant::now();
    while !calls(&upstream, "pooled").contains_key("a") {
        begun = Instant::now();
        let _ = ask(&gateway, "pooled").await.expect(200);
    }
    for _ in 0..20 {
        let _ = ask(&gateway, "pooled").await.expect(200);
    }
    let again = calls(&upstream, "pooled")["a"];
    assert!(again == 1 || begun.elapsed() >= ASIDE, "{again}");
}

#[tokio::test]
async fn a_refused_key_is_put_aside_and_another_one_answers() {
    // Only a 401 is surely the key's fault; the others may be for what was asked, but not three times in a row.
    for (status, refusals) in [(401, 1), (402, 3), (403, 3)] {
        let (upstream, _) = troubled("a", Answer::error(status, "{}")).await;
        let gateway = pooled(&upstream, TWO).start().await;
        let met = || calls(&upstream, "pooled").get("a").copied().unwrap_or_default();
        let mut begun = Instant::now();
        while met() < refusals {
            begun = Instant::now();
            let before = met();
            let reply = ask(&gateway, "pooled").await.expect(200);
            let tries = if met() > before { "2" } else { "1" };
            assert_eq!(reply.get("x-sluice-attempts"), tries, "{status}: only the request that met it");
        }
        for _ in 0..20 {
            let reply = ask(&gateway, "pooled").await.expect(200);
            assert!(reply.get("x-sluice-attempts") == "1" || begun.elapsed() >= ASIDE, "{status}");
        }
        assert!(met() == refusals || begun.elapsed() >= ASIDE, "{status}");
    }
}

#[tokio::test]
async fn a_refused_key_raises_one_alarm_that_names_it() {
    let (upstream, _) = troubled("a", Answer::error(403, "{}")).await;
    let replica = Replica::start(&pooled(&upstream, ONE)).await;
    for _ in 0..5 {
        let _ = Request::post(CHAT, chat_to("pooled")).bearer(KEY).send(replica.api).await.expect(502);
    }
    assert_eq!(replica.says("an upstream refuses this key").await, 1);
    let output = replica.output();
    let alarm = output.lines().find(|line| line.contains("refuses this key")).unwrap();
    for part in ["\"error\"", "\"pool\"", "\"a\"", "\"pooled\"", "403"] {
        assert!(alarm.contains(part), "{part}: {alarm}");
    }
    assert!(!output.contains("sk-a"), "{output}");
    println!("{alarm}");
}

#[tokio::test]
async fn a_lone_refused_key_is_502_and_asked_again_after_a_second() {
    let (upstream, healed) = troubled("a", Answer::error(401, "{}")).await;
    let gateway = pooled(&upstream, ONE).start().await;
    let begun = Instant::now();
    assert_eq!(ask(&gateway, "pooled").await.expect(502).code(), "upstream_error");
    for _ in 0..5 {
        let reply = ask(&gateway, "pooled").await.expect(502);
        assert!(reply.message().contains("pool"), "{}", reply.message());
        assert_eq!(reply.get("x-should-retry"), "false");
    }
    assert!(upstream.calls() == 1 || begun.elapsed() >= ASIDE, "not asked again at once");
    let _ = ask(&gateway, "other").await.expect(200);
    healed.store(true, Ordering::SeqCst);
    let mut reply = ask(&gateway, "pooled").await;
    while reply.status() == 502 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        reply = ask(&gateway, "pooled").await;
        assert!(begun.elapsed() < Duration::from_secs(5), "not healed");
    }
    let _ = reply.expect(200);
    assert!(begun.elapsed() >= ASIDE, "{:?}", begun.elapsed());
    for _ in 0..5 {
        let _ = ask(&gateway, "pooled").await.expect(200);
    }
}

#[tokio::test]
async fn one_request_alone_finds_out_about_a_refused_key() {
    let (upstream, _) = troubled("a", Answer::error(401, "{}")).await;
    let gateway = pooled(&upstream, ONE).start().await;
    let _ = ask(&gateway, "pooled").await.expect(502);
    let begun = Instant::now();
    // Refused for 1 s, then for 2 s.
    while begun.elapsed() < Duration::from_millis(2_500) {
        let ask = || Request::post(CHAT, chat_to("pooled")).bearer(KEY).send(gateway.api);
        for reply in all((0..4).map(|_| ask())).await {
            let _ = reply.expect(502);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("a refused key was asked {} times in 2.5 s", upstream.calls());
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn a_reload_keeps_a_keys_troubles_as_long_as_its_secret_stays() {
    let (upstream, healed) = troubled("a", limited(60)).await;
    let gateway = pooled(&upstream, ONE).start().await;
    let _ = ask(&gateway, "pooled").await.expect(429);
    healed.store(true, Ordering::SeqCst);
    gateway.apply(&pooled(&upstream, ONE).model("more"));
    let _ = ask(&gateway, "pooled").await.expect(429);
    assert_eq!(upstream.calls(), 1);
    gateway.apply(&pooled(&upstream, "{name: a, value: sk-new}"));
    let _ = ask(&gateway, "pooled").await.expect(200);
    eventually("the new key came", || upstream.requests().iter().any(|request| key(request) == "new")).await;
    let _ = gateway.post(CHAT, chat()).await.expect(200);
}
