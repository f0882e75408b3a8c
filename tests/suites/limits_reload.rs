//! A reload changes what is allowed and forgets nothing of what was used.

use crate::support::{
    CHAT_REPLY, begin, by_limited, chat, chat_of, chat_to, having_used, in_flight, left, limited, limited_at,
};
use sluice_tests::{
    client::Answer as Reply,
    gateway::{Config, Gateway},
    upstream::{Answer, Gate, Upstream},
};

const SPENT: &str = "sluice_budget_spent_usd{name=\"limited\",period=\"month\",scope=\"key\"}";

async fn ask(gateway: &Gateway) -> Reply {
    by_limited(chat_of(100)).send(gateway.api).await
}

#[tokio::test]
async fn buckets_stay_as_full_as_they_are_while_their_own_limit_stays() {
    let upstream = Upstream::script([Answer::json(having_used(60, 40))]).await;
    let config = |key: &str, others: &str| {
        let block = format!("limits: {{{others}}}");
        limited(&upstream, &format!("tenant: team, limits: {{{key}}}"))
            .tenant("team", &block)
            .model_entry(&format!("{{name: other, targets: [{{provider: up, model: m}}], {block}}}"))
            .provider(&block)
    };
    let both = "requests: {rate: 1/h, burst: 10}, tokens: {rate: 1/h, burst: 1000}";
    let gateway = config(both, "").start().await;
    for n in 0..3 {
        let answer = ask(&gateway).await.expect(200);
        assert_eq!((left(&answer, "requests"), left(&answer, "tokens")), (9 - n, 900 - 100 * n));
    }
    // Nothing of it has changed, and everything else has.
    gateway.apply(&config(&format!("{both}, concurrency: 5"), "requests: {rate: 1/h, burst: 50}"));
    let answer = ask(&gateway).await.expect(200);
    assert_eq!((left(&answer, "requests"), left(&answer, "tokens")), (6, 600));
    // One bucket is another one now, and the other is not.
    gateway.apply(&config("requests: {rate: 1/h, burst: 20}, tokens: {rate: 1/h, burst: 1000}", ""));
    let answer = ask(&gateway).await.expect(200);
    assert_eq!((left(&answer, "requests"), left(&answer, "tokens")), (19, 500));
    gateway.apply(&config("requests: {rate: 1/h, burst: 20}, tokens: {rate: 2/h, burst: 1000}", ""));
    let answer = ask(&gateway).await.expect(200);
    assert_eq!((left(&answer, "requests"), left(&answer, "tokens")), (18, 900));
}

#[tokio::test]
async fn a_limit_that_is_gone_limits_no_more() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let one = "limits: {requests: {rate: 1/h, burst: 1}}";
    let config = |scope: &str| limited_at(scope, &upstream, one);
    for scope in ["key", "tenant", "model", "provider"] {
        let gateway = config(scope).start().await;
        let ask = || by_limited(chat_to("smart")).send(gateway.api);
        let _ = ask().await.expect(200);
        let _ = ask().await.expect(429);
        gateway.apply(&config("none"));
        let answer = ask().await.expect(200);
        assert!(!answer.head.has("x-ratelimit-limit-requests"), "{scope}: {answer:?}");
        gateway.apply(&config(scope));
        let first = ask().await;
        // A key's bucket is found again; others begin anew.
        assert_eq!(first.status(), if scope == "key" { 429 } else { 200 }, "{scope}");
        let _ = ask().await.expect(429);
    }
}

#[tokio::test]
async fn requests_in_flight_are_counted_on_under_another_limit() {
    let gates = [Gate::new(), Gate::new()];
    let of_calls = gates.clone();
    let upstream = Upstream::with(move |n, _| {
        let held = if n < 4 { Answer::new().gate(&of_calls[n / 2]) } else { Answer::new() };
        held.then(Answer::json(CHAT_REPLY))
    })
    .await;
    let config = |most| limited(&upstream, &format!("limits: {{concurrency: {most}}}"));
    let gateway = config(2).start().await;
    let mut held = begin((0..2).map(|_| by_limited(chat()).send(gateway.api)));
    upstream.called(2).await;
    let _ = by_limited(chat()).send(gateway.api).await.expect(429);
    gateway.apply(&config(4));
    held.extend(begin((0..2).map(|_| by_limited(chat()).send(gateway.api))));
    upstream.called(4).await;
    let _ = by_limited(chat()).send(gateway.api).await.expect(429);
    gateway.apply(&config(1));
    gates[0].open();
    in_flight(&gateway, 2).await;
    let refused = by_limited(chat()).send(gateway.api).await.expect(429);
    assert!(refused.message().starts_with("Key 'limited' has 1/1 requests in flight."), "{refused:?}");
    gates[1].open();
    for held in held {
        let _ = held.await.unwrap().expect(200);
    }
    in_flight(&gateway, 0).await;
    let _ = by_limited(chat()).send(gateway.api).await.expect(200);
}

#[tokio::test]
async fn a_request_that_outlives_a_reload_settles_its_tokens_in_the_bucket_that_it_took_them_from() {
    let gates = [Gate::new(), Gate::new()];
    let of_calls = gates.clone();
    let upstream = Upstream::with(move |n, _| {
        let held = if n < 2 { Answer::new().gate(&of_calls[n]) } else { Answer::new() };
        held.then(Answer::json(having_used(6, 4)))
    })
    .await;
    let config = |burst| limited(&upstream, &format!("limits: {{tokens: {{rate: 1/h, burst: {burst}}}}}"));
    let gateway = config(1000).start().await;
    let held = begin([by_limited(chat_of(500)).send(gateway.api)]);
    upstream.called(1).await;
    gateway.apply(&limited(&upstream, "limits: {tokens: {rate: 1/h, burst: 1000}, concurrency: 9}"));
    gates[0].open();
    for held in held {
        let _ = held.await.unwrap().expect(200);
    }
    in_flight(&gateway, 0).await;
    let held = begin([by_limited(chat_of(500)).send(gateway.api)]);
    upstream.called(2).await;
    gateway.apply(&config(900));
    gates[1].open();
    for held in held {
        assert_eq!(left(&held.await.unwrap().expect(200), "tokens"), 1000 - 10 - 500);
    }
    in_flight(&gateway, 0).await;
    let answer = ask(&gateway).await.expect(200);
    assert_eq!(left(&answer, "tokens"), 800, "a new bucket, which the old request took nothing from");
}

/// One request costs a cent.
fn with_budget(upstream: &Upstream, budget: &str) -> Config {
    limited(upstream, budget).price("m", 2500)
}

#[tokio::test]
async fn a_budget_that_is_raised_or_lowered_keeps_what_was_spent() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let config = |usd: &str| with_budget(&upstream, &format!("budget: {{usd: {usd}, per: month}}"));
    let gateway = config("0.02").start().await;
    for _ in 0..2 {
        let _ = ask(&gateway).await.expect(200);
    }
    assert_eq!(ask(&gateway).await.expect(429).code(), "insufficient_quota");
    gateway.apply(&config("0.03"));
    assert_eq!(gateway.metric(SPENT).await, 0.02);
    let _ = ask(&gateway).await.expect(200);
    assert_eq!(ask(&gateway).await.expect(429).code(), "insufficient_quota");
    gateway.apply(&config("0.01"));
    let refused = ask(&gateway).await.expect(429);
    assert!(refused.message().starts_with("Key 'limited' spent $0.03 of $0.01 this month;"), "{refused:?}");
    assert_eq!(upstream.calls(), 3);
}

#[tokio::test]
async fn a_budget_for_another_period_begins_with_what_was_spent_in_that_period() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let config = |budget: &str| with_budget(&upstream, budget);
    let gateway = config("budget: {usd: 0.02, per: day}").start().await;
    for _ in 0..2 {
        let _ = ask(&gateway).await.expect(200);
    }
    gateway.apply(&config("budget: {usd: 0.03, per: month}"));
    assert_eq!(gateway.metric(SPENT).await, 0.02);
    let _ = ask(&gateway).await.expect(200);
    let refused = ask(&gateway).await.expect(429);
    assert!(refused.message().starts_with("Key 'limited' spent $0.03 of $0.03 this month;"), "{refused:?}");
    // Without one for a while, and then with one again.
    gateway.apply(&config("limits: {}"));
    let _ = ask(&gateway).await.expect(200);
    gateway.apply(&config("budget: {usd: 0.04, per: month}"));
    assert_eq!(gateway.metric(SPENT).await, 0.04);
    assert_eq!(ask(&gateway).await.expect(429).code(), "insufficient_quota");
}
