//! Limits that replicas share through Redis: exact over all of them, and nearly always without asking.

use crate::{
    fleet::{REPLICAS, admitted, eager, gateways, replicas},
    support::{CHAT_REPLY, begin, by_limited, chat, chat_of, having_used, left, limited},
};
use sluice_tests::{
    crowd::{Crowd, Next},
    gateway::Config,
    redis::{Redis, Reply as Word},
    replica::Replica,
    soon,
    upstream::{Answer, Gate, Upstream},
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

const ASKED: &str = "sluice_redis_op_duration_seconds_count{op=\"limit\"}";

/// A key with these limits, shared. Patient: what is asked here is not what happens when the machine is busy.
fn shared(upstream: &Upstream, redis: &Redis, limits: &str) -> Config {
    limited(upstream, &format!("limits: {{{limits}}}")).redis(redis, "timeout: 2s")
}

/// Asks until it is refused; tells how often it was not.
async fn all_there_is(api: SocketAddr) -> usize {
    let turns = Crowd::start(&[api], 1, &by_limited(chat()), |answer| match answer.status() {
        200 => Next::After(Duration::ZERO),
        _ => Next::Leave,
    });
    turns.left().await.len() - 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_under_full_load_admit_what_one_limit_allows_and_hardly_less() {
    const RATE: f64 = 150.0;
    const BURST: f64 = 150.0;
    let (upstream, redis) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Redis::start());
    let config = shared(&upstream, &redis, &format!("requests: {{rate: {RATE}/s, burst: {BURST}}}"));
    let replicas = replicas(&config, 3).await;
    let api: Vec<_> = replicas.iter().map(|replica| replica.api).collect();
    let load = Crowd::start(&api, 4, &by_limited(chat()), eager);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let stopped = Instant::now();
    let turns = load.stop().await;

    let count = admitted(&turns).count();
    let first = admitted(&turns).map(|turn| turn.began).min();
    let last = admitted(&turns).map(|turn| turn.ended).max();
    let (first, last) = (first.unwrap(), last.unwrap());
    // An admission lies somewhere between its request and its answer: no window is longer than this one.
    let most = RATE * (last - first).as_secs_f64() + BURST;
    let least = RATE * (stopped - first).as_secs_f64() + BURST;
    let share = count as f64 / least;
    println!("{count} of at most {most:.0} admitted, {:.1} %; {} asked", share * 100.0, turns.len());
    assert!(count as f64 <= most, "{count} > {most}");
    // Somebody was refused in every half second after the burst: it was the limit that held the load up.
    let refused = turns.iter().filter(|turn| turn.status() == 429);
    let slices: std::collections::BTreeSet<_> =
        refused.map(|turn| turn.ended.saturating_duration_since(first).as_millis() / 500).collect();
    assert!(slices.len() >= 17, "too slow a machine to tell: {slices:?}");
    assert!(share >= 0.95, "{count} of {least}");
}

/// A steady load on three replicas of this limit: questions to Redis for each admission once the pace is known.
async fn asked_at_a_steady_pace(limit: &str) -> f64 {
    let (upstream, redis) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Redis::start());
    let config = shared(&upstream, &redis, &format!("requests: {{{limit}}}"));
    let gateways = gateways(&config, 3).await;
    let api: Vec<_> = gateways.iter().map(|gateway| gateway.api).collect();
    let asked = async || {
        let mut asked = 0.0;
        for gateway in &gateways {
            asked += gateway.metric(ASKED).await;
        }
        asked
    };
    let load = Crowd::start(&api, 4, &by_limited(chat()), |answer| {
        assert_eq!(answer.status(), 200, "{answer:?}");
        Next::After(Duration::from_millis(20))
    });
    // The pace has to be learned first.
    load.reaches(300).await;
    let (before, begun, began) = (asked().await, load.ok(), Instant::now());
    load.reaches(begun + 900).await;
    let (admitted, asked, took) = (load.ok() - begun, asked().await - before, began.elapsed());
    let _ = load.stop().await;
    let share = asked / admitted as f64;
    println!("{limit}: {asked} questions for {admitted} admissions in {took:?}: {:.2} %", share * 100.0);
    assert!(asked >= 3.0, "it is Redis that counts");
    share
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_steady_pace_below_the_limit_hardly_anybody_asks_redis() {
    let share = asked_at_a_steady_pace("rate: 2000/s, burst: 8000").await;
    assert!(share < 0.05, "{share}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_ask_redis_also_when_a_slice_lasts_shorter_than_is_wished() {
    // Of this bucket a replica may have a quarter, which it uses in two seconds or so.
    let share = asked_at_a_steady_pace("rate: 1000/s, burst: 1000").await;
    assert!(share < 0.05, "{share}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_replica_has_used_another_cannot_use_again() {
    let (upstream, redis) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Redis::start());
    let config = shared(&upstream, &redis, "requests: {rate: 1/h, burst: 90}");
    let gateways = gateways(&config, 3).await;
    let api: Vec<_> = gateways.iter().map(|gateway| gateway.api).collect();
    let turns = Crowd::start(&api, 2, &by_limited(chat()), |answer| match answer.status() {
        200 => Next::After(Duration::ZERO),
        _ => Next::Leave,
    });
    assert_eq!(admitted(&turns.left().await).count(), 90, "all of it, whoever was lent what");
    for gateway in &gateways {
        let refused = by_limited(chat()).send(gateway.api).await.expect(429);
        let wait: u64 = refused.get("retry-after").parse().unwrap();
        assert!((3_500..=3_600).contains(&wait), "{wait}");
        assert!(refused.message().starts_with("Key 'limited' used 90/90 requests"), "{refused:?}");
        assert_eq!(left(&refused, "requests"), 0);
    }
    assert_eq!(upstream.calls(), 90);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_as_long_as_retry_after_says_is_enough_at_another_replica_too() {
    let (upstream, redis) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Redis::start());
    let config = shared(&upstream, &redis, "requests: {rate: 4/s, burst: 8}");
    let gateways = gateways(&config, 2).await;
    for n in 0..3 {
        while by_limited(chat()).send(gateways[n % 2].api).await.status() == 200 {}
        let refused = by_limited(chat()).send(gateways[(n + 1) % 2].api).await;
        let Some(wait) = refused.head.has("retry-after-ms").then(|| refused.get("retry-after-ms")) else {
            continue;
        };
        let wait: u64 = wait.parse().unwrap();
        assert!((1..=250).contains(&wait), "{wait}");
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let _ = by_limited(chat()).send(gateways[n % 2].api).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_a_tenant_are_shared_and_what_is_given_back_is_soon_there_for_others() {
    let gate = Gate::new();
    let redis = Redis::start();
    let held = Answer::new().gate(&gate).then(Answer::json(having_used(6, 4)));
    let upstream = Upstream::script([held, Answer::json(having_used(6, 4))]).await;
    let config = limited(&upstream, "tenant: team")
        .tenant("team", "limits: {tokens: {rate: 1/h, burst: 1000}}")
        .redis(&redis, "timeout: 2s");
    let gateways = gateways(&config, 2).await;
    let ask = |gateway: usize, tokens| by_limited(chat_of(tokens)).send(gateways[gateway].api);
    let held = begin([ask(0, 900)]);
    upstream.called(1).await;
    let refused = ask(1, 200).await.expect(429);
    assert!(refused.message().starts_with("Tenant 'team' used 9"), "{refused:?}");
    gate.open();
    for held in held {
        let _ = held.await.unwrap().expect(200);
    }
    let began = Instant::now();
    soon("what was given back", async { while ask(1, 990).await.status() != 200 {} }).await;
    println!("there after {:?}", began.elapsed());
    assert_eq!(upstream.calls(), 2);
}

/// A process with a fresh slice of the bucket ends; tells how many requests it had.
async fn ends_with_a_slice(replica: &mut Replica) -> usize {
    let load = Crowd::start(&[replica.api], 1, &by_limited(chat()), eager);
    load.reaches(60).await;
    let had = admitted(&load.stop().await).count();
    replica.stop().await;
    had
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_ends_gives_its_slice_back_and_is_not_counted_any_more() {
    let (upstream, redis) = (Upstream::script([Answer::json(CHAT_REPLY)]).await, Redis::start());
    let config = shared(&upstream, &redis, "requests: {rate: 1/h, burst: 300}");
    let mut replicas = replicas(&config, 2).await;
    let had = ends_with_a_slice(&mut replicas[0]).await;
    let counted = || redis.ask(&[b"ZCARD", b"{sluice:limits}:replicas"]);
    assert_eq!(counted(), Word::Number(1), "at once");
    assert_eq!(had + all_there_is(replicas[1].api).await, 300);
    replicas[1].metric_is(REPLICAS, 1.0).await;
    // One that has nothing to give back.
    replicas[0].begin().await;
    replicas[0].metric_is(REPLICAS, 2.0).await;
    replicas[0].stop().await;
    assert_eq!(counted(), Word::Number(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_every_scope_are_shared_and_a_refusal_by_one_takes_nothing_from_the_others() {
    let (upstream, redis) = (Upstream::script([Answer::json(having_used(6, 4))]).await, Redis::start());
    let config = |limited_scopes: &[&str]| {
        let of = |name: &str, burst: u32| {
            let burst =
                limited_scopes.contains(&name).then(|| format!("requests: {{rate: 1/h, burst: {burst}}}"));
            format!("limits: {{{}}}", burst.unwrap_or_default())
        };
        limited(&upstream, &format!("tenant: team, {}", of("key", 30)))
            .tenant("team", &of("tenant", 40))
            .model_entry(&format!(
                "{{name: smart, targets: [{{provider: up, model: m}}], {}}}",
                of("model", 50)
            ))
            .provider(&of("provider", 10))
            .redis(&redis, "timeout: 2s")
    };
    let gateways = gateways(&config(&["key", "tenant", "model", "provider"]), 2).await;
    let api: Vec<_> = gateways.iter().map(|gateway| gateway.api).collect();
    let request = by_limited(chat_of(100).replace("\"m\"", "\"smart\""));
    for (scopes, all, who) in [
        (&["key", "tenant", "model"][..], 10, "Provider 'up' used 10/10"),
        (&["tenant", "model"], 30, "Key 'limited' used 30/30"),
        (&["model"], 40, "Tenant 'team' used 40/40"),
        (&[], 50, "Model 'smart' used 50/50"),
    ] {
        let asking = Crowd::start(&api, 2, &request, |answer| match answer.status() {
            200 => Next::After(Duration::ZERO),
            _ => Next::Leave,
        });
        let _ = asking.left().await;
        for api in &api {
            let refused = request.send(*api).await.expect(429);
            assert!(refused.message().starts_with(who), "{refused:?}");
        }
        assert_eq!(upstream.calls(), all, "{who}");
        gateways.iter().for_each(|gateway| gateway.apply(&config(scopes)));
    }
}
