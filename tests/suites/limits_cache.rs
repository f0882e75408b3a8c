//! Limits and answers that were not bought: stored ones, and those of equal requests under way.

use crate::support::{
    CHAT, CHAT_REPLY, DONE, LIMITED, begin, cached, chat_stream, counting, delta, finish, gated, having_used,
    in_flight, left, seeded,
};
use sluice_tests::{
    client::{Answer as Reply, Request},
    gateway::{Config, Gateway},
    sse::Stream,
    upstream::{Answer, Gate, Upstream},
};

const STREAM: &str = ",\"stream\":true";

/// A gateway with a cache, whose key and provider have these further members.
fn limited(upstream: &Upstream, key: &str, provider: &str) -> Config {
    cached(upstream, "").key("limited", LIMITED, &format!("models: [\"*\"], {key}")).provider(provider)
}

fn request(seed: i64, more: &str) -> Request {
    Request::post(CHAT, seeded(seed, more)).bearer(LIMITED)
}

/// Asks, and fails unless the cache made this of it.
async fn ask(gateway: &Gateway, seed: i64, result: &str) -> Reply {
    let answer = request(seed, ",\"max_tokens\":90").send(gateway.api).await.expect(200);
    assert_eq!(answer.get("x-sluice-cache"), result);
    answer
}

#[tokio::test]
async fn a_stored_answer_costs_one_request_and_no_tokens_and_the_provider_nothing() {
    let upstream = Upstream::script([Answer::json(having_used(300, 100))]).await;
    let limits = "limits: {requests: {rate: 1/h, burst: 20}, tokens: {rate: 1/h, burst: 1000}}";
    let provider = "limits: {requests: {rate: 1/h, burst: 2}, tokens: {rate: 1/h, burst: 2000}}";
    let gateway = limited(&upstream, limits, provider).start().await;
    let _ = ask(&gateway, 1, "miss").await;
    in_flight(&gateway, 0).await;
    for n in 0..6 {
        let hit = ask(&gateway, 1, "hit").await;
        assert_eq!((left(&hit, "requests"), left(&hit, "tokens")), (18 - n, 600 - 98), "hit {n}");
    }
    // Of the provider's two, one is left.
    let _ = ask(&gateway, 2, "miss").await;
    let refused = request(3, ",\"max_tokens\":90").send(gateway.api).await.expect(429);
    assert!(refused.message().starts_with("Provider 'up' used 2/2 requests"), "{}", refused.message());
    gateway.apply(&limited(&upstream, limits, "limits: {}"));
    let hit = ask(&gateway, 1, "hit").await;
    assert_eq!(
        (left(&hit, "requests"), left(&hit, "tokens")),
        (20 - 9, 200 - 98),
        "two misses and seven hits"
    );
}

#[tokio::test]
async fn a_stored_answer_is_refused_to_a_key_that_has_spent_its_requests_or_its_tokens() {
    let upstream = Upstream::script([Answer::json(having_used(990, 0))]).await;
    for (limits, says) in [
        ("requests: {rate: 1/h, burst: 2}", "Key 'limited' used 2/2 requests"),
        ("tokens: {rate: 1/h, burst: 1000}", "Key 'limited' used 990/1000 tokens"),
    ] {
        let gateway = limited(&upstream, &format!("limits: {{{limits}}}"), "limits: {}").start().await;
        let _ = ask(&gateway, 1, "miss").await;
        if says.contains("requests") {
            let _ = ask(&gateway, 1, "hit").await;
        }
        let refused = request(1, ",\"max_tokens\":90").send(gateway.api).await.expect(429);
        assert!(refused.message().starts_with(says), "{}", refused.message());
        // Another key of the same tenant may have it.
        let other = gateway.post(CHAT, seeded(1, ",\"max_tokens\":90")).await.expect(200);
        assert_eq!(other.get("x-sluice-cache"), "hit");
    }
}

#[tokio::test]
async fn a_stored_answer_is_refused_to_a_key_that_has_spent_its_budget() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let config = limited(&upstream, "budget: {usd: 0.02, per: day}", "limits: {}").price("m", 2500);
    let gateway = config.start().await;
    let _ = ask(&gateway, 1, "miss").await;
    for _ in 0..3 {
        let _ = ask(&gateway, 1, "hit").await;
    }
    let _ = ask(&gateway, 2, "miss").await;
    let refused = request(1, ",\"max_tokens\":90").send(gateway.api).await.expect(429);
    assert_eq!(refused.code(), "insufficient_quota");
    let other = gateway.post(CHAT, seeded(1, ",\"max_tokens\":90")).await.expect(200);
    assert_eq!(other.get("x-sluice-cache"), "hit");
}

#[tokio::test]
async fn a_stored_answer_needs_no_room_at_its_provider() {
    let gate = Gate::new();
    let of_calls = gate.clone();
    let upstream = Upstream::with(move |n, _| {
        let held = if n == 1 { Answer::new().gate(&of_calls) } else { Answer::new() };
        held.then(Answer::json(CHAT_REPLY))
    })
    .await;
    let gateway = limited(&upstream, "limits: {}", "max_concurrency: 1").start().await;
    let _ = ask(&gateway, 1, "miss").await;
    let held = begin([request(2, "").send(gateway.api)]);
    upstream.called(2).await;
    let _ = request(3, "").send(gateway.api).await.expect(429);
    let _ = ask(&gateway, 1, "hit").await;
    gate.open();
    for held in held {
        let _ = held.await.unwrap().expect(200);
    }
}

#[tokio::test]
async fn equal_requests_that_share_a_call_burden_their_provider_once() {
    for more in ["", STREAM] {
        let gate = Gate::new();
        let answer = match more {
            "" => Answer::new().gate(&gate).then(Answer::json(CHAT_REPLY)),
            _ => gated(&gate, &delta("hi"), &[finish(), DONE.into()].concat()),
        };
        let upstream = Upstream::script([answer]).await;
        let limits = "limits: {requests: {rate: 1/h, burst: 9}, tokens: {rate: 1/h, burst: 10000}}";
        let gateway = limited(&upstream, limits, "max_concurrency: 1").start().await;
        let requests = begin((0..5).map(|_| request(1, more).send(gateway.api)));
        upstream.called(1).await;
        in_flight(&gateway, 5).await;
        gate.open();
        for request in requests {
            let _ = request.await.unwrap().expect(200);
        }
        assert_eq!(upstream.calls(), 1);
        in_flight(&gateway, 0).await;
        let hit = request(1, more).send(gateway.api).await.expect(200);
        assert_eq!((hit.get("x-sluice-cache"), left(&hit, "requests")), ("hit", 9 - 6));
        // One answer was bought, by whoever asked first.
        let used = 10_000 - 520 - left(&hit, "tokens");
        assert!((4..=12).contains(&used), "{used}");
    }
}

#[tokio::test]
async fn a_follower_whose_leader_failed_needs_room_like_anybody() {
    let gates = [Gate::new(), Gate::new()];
    let of_calls = gates.clone();
    let upstream = Upstream::with(move |n, _| match n {
        0 => Answer::new().gate(&of_calls[0]).then(Answer::error(500, "{}")),
        1 => Answer::new().gate(&of_calls[1]).then(Answer::json(CHAT_REPLY)),
        _ => Answer::json(CHAT_REPLY),
    })
    .await;
    let gateway = limited(&upstream, "limits: {}", "limits: {requests: {rate: 1/h, burst: 3}}")
        .section("resilience: {attempts: 1}")
        .start()
        .await;
    let requests = begin((0..3).map(|_| request(1, "").send(gateway.api)));
    upstream.called(1).await;
    in_flight(&gateway, 3).await;
    gates[0].open();
    upstream.called(2).await;
    gates[1].open();
    let mut statuses = Vec::new();
    for request in requests {
        statuses.push(request.await.unwrap().status());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 502]);
    let _ = request(2, "").send(gateway.api).await.expect(200);
    let _ = request(3, "").send(gateway.api).await.expect(429);
    assert_eq!(upstream.calls(), 3);
}

#[tokio::test]
async fn a_stream_from_the_cache_costs_no_tokens_either() {
    let upstream = counting().await;
    let gateway =
        limited(&upstream, "limits: {tokens: {rate: 1/h, burst: 10000}}", "limits: {}").start().await;
    let body = chat_stream().replace("\"stream\"", "\"seed\":1,\"max_tokens\":92,\"stream\"");
    let request = Request::post(CHAT, body).bearer(LIMITED);
    let mut rests = Vec::new();
    for _ in 0..4 {
        let mut stream = Stream::open(gateway.api, &request).await;
        rests.push(stream.head.get("x-ratelimit-remaining-tokens").to_owned());
        assert!(stream.rest().await.done());
        in_flight(&gateway, 0).await;
    }
    // The first has used the five tokens that were told.
    assert_eq!(rests, ["9900", "9895", "9895", "9895"]);
    assert_eq!(upstream.calls(), 1);
}
