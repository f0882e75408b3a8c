//! Routing: how targets of equal priority share the requests, and who is asked when some are down.

use crate::support::{CHAT, CHAT_REPLY, all, begin, chat_of, chat_to, chat_with, well};
use sluice_tests::{
    client::{Answer as Reply, Client, Request},
    gateway::{Config, Gateway, KEY},
    upstream::{Answer, Gate, Upstream, nobody},
};
use std::collections::BTreeMap;

/// A gateway whose model `shared` leads to these targets of `up` and `spare`, with more members of its entry.
fn shared(up: &Upstream, spare: &Upstream, targets: &str, members: &str) -> Config {
    Config::to(up)
        .also("spare", &spare.base_url())
        .model_entry(&format!("{{name: shared, targets: [{targets}]{members}}}"))
}

const EQUAL: &str = "{provider: up, model: a}, {provider: spare, model: b}";

async fn ask(gateway: &Gateway) -> Reply {
    gateway.post(CHAT, chat_to("shared")).await.expect(200)
}

/// So many clients send so many requests each: how many of the answers came from each provider, by their share.
async fn shares(gateway: &Gateway, clients: usize, each: usize) -> BTreeMap<String, f64> {
    let (api, wire) = (gateway.api, Request::post(CHAT, chat_to("shared")).bearer(KEY).wire());
    let ask = || {
        let wire = wire.clone();
        async move {
            let (mut client, mut from) = (Client::connect(api).await, BTreeMap::<String, usize>::new());
            for _ in 0..each {
                let answer = client.try_ask(&wire).await.expect("an answer").expect(200);
                *from.entry(answer.get("x-sluice-provider").to_owned()).or_default() += 1;
            }
            from
        }
    };
    let mut shares = BTreeMap::from([("up".to_owned(), 0.0), ("spare".to_owned(), 0.0)]);
    for (provider, count) in all((0..clients).map(|_| ask())).await.into_iter().flatten() {
        *shares.get_mut(&provider).expect("a provider") += count as f64 / (clients * each) as f64;
    }
    println!("of {}: {shares:.4?}", clients * each);
    shares
}

#[tokio::test]
async fn a_weighted_split_is_kept_within_three_per_cent() {
    let (up, spare) = (well().await, well().await);
    let targets = "{provider: up, model: a, weight: 80}, {provider: spare, model: b, weight: 20}";
    let gateway = shared(&up, &spare, targets, "").start().await;
    let shares = shares(&gateway, 16, 625).await;
    assert!((shares["up"] - 0.8).abs() < 0.03, "{shares:?}");
    assert!((up.calls() as f64 / 10_000.0 - shares["up"]).abs() < 1e-9, "upstreams saw the same");
}

#[tokio::test]
async fn least_latency_avoids_the_slow_target() {
    let slow = Upstream::script([Answer::new().wait(800).then(Answer::json(CHAT_REPLY))]).await;
    let fast = Upstream::script([Answer::new().wait(2).then(Answer::json(CHAT_REPLY))]).await;
    let gateway = shared(&slow, &fast, EQUAL, ", strategy: least_latency").start().await;
    let shares = shares(&gateway, 4, 100).await;
    assert!(shares["spare"] > 0.95, "{shares:?}");
}

#[tokio::test]
async fn least_busy_evens_out_what_is_under_way() {
    let gate = Gate::new();
    let held = || Upstream::script([Answer::new().gate(&gate).then(Answer::json(CHAT_REPLY))]);
    let (up, spare) = (held().await, held().await);
    let targets = "{provider: up, model: a, weight: 3}, {provider: spare, model: b, weight: 1}";
    let gateway = shared(&up, &spare, targets, ", strategy: least_busy").start().await;
    let ask = || Request::post(CHAT, chat_to("shared")).bearer(KEY).send(gateway.api);
    let mut asked = Vec::new();
    for n in 1..=40 {
        asked.extend(begin([ask()]));
        sluice_tests::eventually("it is under way", || up.calls() + spare.calls() == n).await;
    }
    assert_eq!((up.calls(), spare.calls()), (30, 10), "by weight");
    gate.open();
    for reply in asked {
        let _ = reply.await.unwrap().expect(200);
    }
}

#[tokio::test]
async fn least_busy_leaves_a_target_alone_that_hangs() {
    let hung = Upstream::script([Answer::new().hang()]).await;
    let quick = well().await;
    let gateway = shared(&hung, &quick, EQUAL, ", strategy: least_busy").start().await;
    let slow = || Request::post(CHAT, chat_to("shared")).bearer(KEY).send(gateway.api);
    let mut hanging = Vec::new();
    while hung.calls() == 0 {
        let before = quick.calls();
        hanging.extend(begin([slow()]));
        sluice_tests::eventually("it came", || hung.calls() > 0 || quick.calls() > before).await;
    }
    for _ in 0..30 {
        assert_eq!(ask(&gateway).await.get("x-sluice-provider"), "spare");
    }
    assert_eq!(hung.calls(), 1);
    hanging.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn the_cheapest_target_of_a_request_is_asked() {
    let (up, spare) = (well().await, well().await);
    // Much prompt is cheap at `up`, much answer at `spare`; nobody knows what `m` costs.
    let targets = "{provider: up, model: m}, {provider: up, model: a}, {provider: spare, model: b}";
    let gateway = shared(&up, &spare, targets, ", strategy: cheapest")
        .section("prices: [{provider: up, model: a, input: 1, output: 20}, {provider: spare, model: b, input: 5, output: 5}]")
        .start()
        .await;
    let long = format!(
        "{{\"model\":\"shared\",\"max_tokens\":5,\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}]}}",
        "word ".repeat(500)
    );
    for _ in 0..20 {
        let reply = gateway.post(CHAT, long.clone()).await.expect(200);
        assert_eq!((reply.get("x-sluice-provider"), reply.get("x-sluice-model")), ("up", "a"));
        let reply = gateway.post(CHAT, chat_of(1_000).replace("\"m\"", "\"shared\"")).await.expect(200);
        assert_eq!(reply.get("x-sluice-provider"), "spare");
    }
}

#[tokio::test]
async fn lower_priorities_come_first_and_the_next_only_when_all_of_them_fail() {
    let (up, spare) = (well().await, well().await);
    let last = well().await;
    let tiers = |first: &str, second: &str| {
        Config::to_url(first).also("second", second).also("last", &last.base_url()).model_entry(
            "{name: shared, targets: [{provider: last, model: c, priority: 2}, \
                 {provider: up, model: a}, {provider: second, model: b}]}",
        )
    };
    let gateway = tiers(&up.base_url(), &spare.base_url()).start().await;
    for _ in 0..100 {
        let _ = ask(&gateway).await;
    }
    assert!(up.calls() > 20 && spare.calls() > 20, "{} {}", up.calls(), spare.calls());
    assert_eq!(last.calls(), 0);
    let gateway = tiers(&nobody(), &spare.base_url()).start().await;
    for _ in 0..20 {
        assert_eq!(ask(&gateway).await.get("x-sluice-provider"), "second");
    }
    assert_eq!(last.calls(), 0);
    let gateway = tiers(&nobody(), &nobody()).start().await;
    assert_eq!(ask(&gateway).await.get("x-sluice-attempts"), "3");
    assert_eq!(last.calls(), 1);
}

#[tokio::test]
async fn a_target_without_weight_is_asked_when_there_is_nothing_else() {
    for strategy in ["weighted", "least_latency", "least_busy", "cheapest"] {
        let (spare, targets) =
            (well().await, "{provider: up, model: a, weight: 0}, {provider: spare, model: b}");
        let up = well().await;
        let members = format!(", strategy: {strategy}");
        // Nor is it for being the cheaper one.
        let prices = "prices: [{provider: up, model: a, input: 1, output: 1}, {provider: spare, model: b, input: 5, output: 5}]";
        let gateway = shared(&up, &spare, targets, &members).section(prices).start().await;
        for _ in 0..30 {
            assert_eq!(ask(&gateway).await.get("x-sluice-provider"), "spare");
        }
        assert_eq!(up.calls(), 0, "{strategy}");
        let ill = Upstream::script([Answer::error(500, "{}")]).await;
        let gateway = shared(&up, &ill, targets, &members).start().await;
        let reply = ask(&gateway).await;
        assert_eq!(
            (reply.get("x-sluice-provider"), reply.get("x-sluice-attempts")),
            ("up", "2"),
            "{strategy}"
        );
    }
}

#[tokio::test]
async fn one_walk_reaches_as_many_targets_as_there_are_attempts() {
    let (ill, good) = (Upstream::script([Answer::error(504, "{}")]).await, well().await);
    let targets = "{provider: up, model: a}, {provider: up, model: b, priority: 1}, {provider: up, model: c, priority: 2}, \
                   {provider: spare, model: d, priority: 3}";
    let gateway = shared(&ill, &good, targets, "").start().await;
    let reply = gateway.post(CHAT, chat_to("shared")).await.expect(504);
    assert_eq!((reply.get("x-sluice-attempts"), ill.calls(), good.calls()), ("3", 3, 0));
    let gateway = shared(&ill, &good, targets, ", resilience: {attempts: 4}").start().await;
    assert_eq!(ask(&gateway).await.get("x-sluice-attempts"), "4");
}

#[tokio::test]
async fn equal_requests_that_may_be_stored_meet_the_same_target() {
    let (up, spare) = (well().await, well().await);
    // Each on a gateway of its own, so that no cache is in between.
    let mut met = BTreeMap::new();
    for _ in 0..4 {
        let gateway = shared(&up, &spare, EQUAL, "").section("cache: {mode: seeded}").start().await;
        for seed in 0..12 {
            let body = chat_with(&format!(",\"seed\":{seed}")).replace("\"m\"", "\"shared\"");
            let reply = gateway.post(CHAT, body).await.expect(200);
            let provider = reply.get("x-sluice-provider").to_owned();
            assert_eq!(met.entry(seed).or_insert_with(|| provider.clone()), &provider, "seed {seed}");
        }
    }
    assert!(up.calls() > 0 && spare.calls() > 0, "different ones spread");
}

#[tokio::test]
async fn a_crowd_finds_the_target_that_is_left() {
    let (gone, good) = (nobody(), well().await);
    let gateway = Config::to_url(&gone)
        .also("spare", &good.base_url())
        .model_entry(&format!("{{name: shared, targets: [{EQUAL}]}}"))
        .start()
        .await;
    let ask = || Request::post(CHAT, chat_to("shared")).bearer(KEY).send(gateway.api);
    for reply in all((0..100).map(|_| ask())).await {
        assert_eq!(reply.expect(200).get("x-sluice-provider"), "spare");
    }
}
