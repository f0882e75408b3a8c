//! A short wait in place of a refusal.

use crate::support::{
    CHAT_REPLY, PROMPT, begin, by_limited, chat, chat_of, chat_with, having_used, in_flight, limited,
};
use sluice_tests::{
    client::{Answer as Reply, Client},
    gateway::Gateway,
    upstream::{Answer, Gate, Upstream},
};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const QUEUED: &str = "sluice_limit_decisions_total{decision=\"queued\",limit=\"none\",tenant=\"default\"}";
const ALLOWED: &str = "sluice_limit_decisions_total{decision=\"allowed\",limit=\"none\",tenant=\"default\"}";

/// A gateway that gives a key one place and others a line, before an upstream that holds the first answer.
async fn one_place(queue: &str) -> (Gateway, Upstream, Gate) {
    let gate = Gate::new();
    let held = Answer::new().gate(&gate).then(Answer::json(CHAT_REPLY));
    let upstream = Upstream::script([held, Answer::json(CHAT_REPLY)]).await;
    let limits = format!("limits: {{concurrency: 1, queue: {{{queue}}}}}");
    (limited(&upstream, &limits).start().await, upstream, gate)
}

/// Sends this request, and waits until it is one of `count` that the gateway has.
async fn enter(gateway: &Gateway, body: String, count: usize) -> JoinHandle<Reply> {
    let request = begin([by_limited(body).send(gateway.api)]).remove(0);
    in_flight(gateway, count).await;
    request
}

#[tokio::test]
async fn whoever_has_to_wait_is_served_in_the_order_of_arrival() {
    let (gateway, upstream, gate) = one_place("max_wait: 20s, size: 8").await;
    let mut requests = Vec::new();
    for n in 0..6 {
        requests.push(enter(&gateway, chat_with(&format!(",\"user\":\"{n}\"")), n + 1).await);
    }
    assert_eq!(upstream.calls(), 1);
    gate.open();
    for request in requests {
        let _ = request.await.unwrap().expect(200);
    }
    let order: Vec<_> = upstream.requests().iter().map(|call| call.json()["user"].clone()).collect();
    assert_eq!(order, ["0", "1", "2", "3", "4", "5"]);
    assert_eq!((gateway.metric(QUEUED).await, gateway.metric(ALLOWED).await), (5.0, 1.0));
}

#[tokio::test]
async fn a_bucket_that_fills_up_in_time_is_waited_for() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let limits = "limits: {requests: {rate: 20/s, burst: 1}, queue: {max_wait: 20s, size: 9}}";
    let gateway = limited(&upstream, limits).start().await;
    let requests = begin((0..5).map(|_| by_limited(chat()).send(gateway.api)));
    let mut longest = Duration::ZERO;
    for request in requests {
        longest = longest.max(request.await.unwrap().expect(200).took);
    }
    assert!(longest > Duration::from_millis(190), "four refills of 50 ms: {longest:?}");
    assert_eq!((gateway.metric(QUEUED).await, gateway.metric(ALLOWED).await), (4.0, 1.0));
}

#[tokio::test]
async fn whoever_could_pass_does_not_pass_whoever_waits_already() {
    let upstream = Upstream::script([Answer::json(having_used(45, 45)), Answer::json(CHAT_REPLY)]).await;
    let limits = "limits: {tokens: {rate: 100/s, burst: 100}, queue: {max_wait: 20s, size: 9}}";
    let gateway = limited(&upstream, limits).start().await;
    let _ = by_limited(chat_of(90)).send(gateway.api).await.expect(200);
    // Ten are left: too few for the second, and enough for the third.
    let second = enter(&gateway, chat_of(99), 1).await;
    let third = by_limited(chat_of(9)).send(gateway.api).await.expect(200);
    let _ = second.await.unwrap().expect(200);
    let order: Vec<_> = upstream.requests().iter().map(|call| call.json()["max_tokens"].clone()).collect();
    assert_eq!(order, [90 - PROMPT, 99 - PROMPT, 9 - PROMPT]);
    assert!(third.took > Duration::from_millis(100), "it has waited, too: {:?}", third.took);
}

#[tokio::test]
async fn a_full_line_is_a_refusal_at_once() {
    let (gateway, upstream, gate) = one_place("max_wait: 20s, size: 2").await;
    let mut requests = Vec::new();
    for n in 0..3 {
        requests.push(enter(&gateway, chat(), n + 1).await);
    }
    let refused = by_limited(chat()).send(gateway.api).await.expect(429);
    assert_eq!(
        refused.message(),
        "Key 'limited' has 1/1 requests in flight. Retry when one of them has ended."
    );
    assert_eq!(refused.get("retry-after"), "1");
    gate.open();
    for request in requests {
        let _ = request.await.unwrap().expect(200);
    }
    assert_eq!(upstream.calls(), 3);
}

#[tokio::test]
async fn a_wait_that_was_too_long_is_a_refusal() {
    let (gateway, upstream, gate) = one_place("max_wait: 200ms, size: 2").await;
    let first = enter(&gateway, chat(), 1).await;
    let refused = by_limited(chat()).send(gateway.api).await.expect(429);
    assert!(refused.took >= Duration::from_millis(200), "{:?}", refused.took);
    assert!(refused.message().starts_with("Key 'limited' has 1/1 requests in flight."), "{refused:?}");
    gate.open();
    let _ = first.await.unwrap().expect(200);
    let _ = by_limited(chat()).send(gateway.api).await.expect(200);
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn a_wait_that_would_be_too_long_is_not_begun() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let limits = "limits: {requests: {rate: 1/h, burst: 1}, queue: {max_wait: 20s, size: 9}}";
    let gateway = limited(&upstream, limits).start().await;
    let _ = by_limited(chat()).send(gateway.api).await.expect(200);
    let refused = by_limited(chat()).send(gateway.api).await.expect(429);
    assert!(refused.took < Duration::from_secs(10), "{:?}", refused.took);
    let seconds: u64 = refused.get("retry-after").parse().unwrap();
    assert!((3500..=3600).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn whoever_leaves_while_it_waits_leaves_nothing_behind() {
    let (gateway, upstream, gate) = one_place("max_wait: 20s, size: 2").await;
    let first = enter(&gateway, chat(), 1).await;
    for leave in [Client::reset, drop] {
        // All places in the line, again and again.
        let mut line = Vec::new();
        for n in 0..2 {
            let mut client = Client::connect(gateway.api).await;
            client.send(&by_limited(chat()).wire()).await;
            in_flight(&gateway, n + 2).await;
            line.push(client);
        }
        let _ = by_limited(chat()).send(gateway.api).await.expect(429);
        line.into_iter().for_each(leave);
        in_flight(&gateway, 1).await;
    }
    let last = enter(&gateway, chat(), 2).await;
    gate.open();
    for request in [first, last] {
        let _ = request.await.unwrap().expect(200);
    }
    assert_eq!(upstream.calls(), 2, "nobody was asked for those who left");
    let _ = by_limited(chat()).send(gateway.api).await.expect(200);
    assert_eq!((gateway.metric(QUEUED).await, gateway.metric(ALLOWED).await), (1.0, 2.0));
}

#[tokio::test]
async fn a_client_in_a_hurry_waits_no_longer_than_it_said() {
    for limit in ["concurrency: 1", "requests: {rate: 6/min, burst: 1}"] {
        let gate = Gate::new();
        let upstream = Upstream::script([Answer::new().gate(&gate).then(Answer::json(CHAT_REPLY))]).await;
        let limits = format!("limits: {{{limit}, queue: {{max_wait: 30s, size: 8}}}}");
        let gateway = limited(&upstream, &limits).start().await;
        let first = enter(&gateway, chat(), 1).await;
        upstream.called(1).await;
        let begun = Instant::now();
        let _ = by_limited(chat()).header("x-sluice-timeout-ms", "300").send(gateway.api).await.expect(429);
        assert!(begun.elapsed() < Duration::from_millis(300 + 2_000), "{limit}: {:?}", begun.elapsed());
        gate.open();
        let _ = first.await.unwrap().expect(200);
        assert_eq!(upstream.calls(), 1, "{limit}");
    }
}
