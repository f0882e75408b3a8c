//! Requests in flight: of a key, of a tenant, and what one tenant may hold of the whole gateway.

use crate::support::{
    CHAT, CHAT_REPLY, begin, by_limited, chat, chat_events, chat_stream, delta, gated, in_flight, limited,
};
use sluice_tests::{
    client::{Client, Request},
    gateway::{Config, Gateway, KEY},
    soon,
    sse::Stream,
    upstream::{Answer, Gate, Upstream},
};

/// An upstream that holds every answer until the gate is opened.
async fn holding(gate: &Gate) -> Upstream {
    Upstream::script([Answer::new().gate(gate).then(Answer::json(CHAT_REPLY))]).await
}

#[tokio::test]
async fn a_key_has_as_many_requests_in_flight_as_it_may_and_the_next_is_told_so() {
    let gate = Gate::new();
    let upstream = holding(&gate).await;
    let gateway = limited(&upstream, "limits: {concurrency: 3}").start().await;
    let held = begin((0..3).map(|_| by_limited(chat()).send(gateway.api)));
    upstream.called(3).await;
    for _ in 0..3 {
        let refused = by_limited(chat()).send(gateway.api).await.expect(429);
        assert_eq!(
            refused.message(),
            "Key 'limited' has 3/3 requests in flight. Retry when one of them has ended."
        );
        assert_eq!(refused.json()["error"]["type"], "rate_limit_error");
        assert_eq!((refused.code(), refused.get("retry-after")), ("rate_limit_exceeded".into(), "1"));
    }
    assert_eq!(upstream.calls(), 3);
    gate.open();
    for held in held {
        let _ = held.await.unwrap().expect(200);
    }
    for _ in 0..4 {
        let _ = by_limited(chat()).send(gateway.api).await.expect(200);
    }
}

#[tokio::test]
async fn keys_of_a_tenant_share_its_places() {
    let gate = Gate::new();
    let upstream = holding(&gate).await;
    let members = "models: [\"*\"], tenant: team";
    let gateway = Config::to(&upstream)
        .tenant("team", "limits: {concurrency: 2}")
        .key("one", "sk-sluice-one", members)
        .key("two", "sk-sluice-two", members)
        .start()
        .await;
    let ask = |key: &str| Request::post(CHAT, chat()).bearer(key).send(gateway.api);
    let held = begin([ask("sk-sluice-one"), ask("sk-sluice-two")]);
    upstream.called(2).await;
    let refused = ask("sk-sluice-one").await.expect(429);
    assert!(refused.message().starts_with("Tenant 'team' has 2/2 requests in flight."), "{refused:?}");
    gate.open();
    for held in held {
        let _ = held.await.unwrap().expect(200);
    }
    let _ = ask("sk-sluice-one").await.expect(200);
}

/// The only place of a key is taken, and then free again.
async fn is_freed(gateway: &Gateway) {
    soon("a free place", async {
        loop {
            let answer = by_limited(chat()).send(gateway.api).await;
            if answer.status() == 200 {
                break;
            }
            assert_eq!(answer.status(), 429, "{}", answer.text());
        }
    })
    .await;
    in_flight(gateway, 0).await;
}

/// A gateway that gives a key one place, before an upstream that answers the first request so.
async fn one_place(first: Answer) -> (Gateway, Upstream) {
    let upstream = Upstream::script([first, Answer::json(CHAT_REPLY)]).await;
    let once = "resilience: {attempts: 1}";
    (limited(&upstream, "limits: {concurrency: 1}").section(once).start().await, upstream)
}

#[tokio::test]
async fn a_place_is_free_again_when_the_answer_has_ended_well_or_badly() {
    for (answer, status) in [
        (Answer::json(CHAT_REPLY), 200),
        (Answer::error(500, "{}"), 502),
        (Answer::error(400, "{}"), 400),
        (Answer::new().reset(), 502),
        (Answer::json("[]"), 502),
    ] {
        let gate = Gate::new();
        let (gateway, upstream) = one_place(Answer::new().gate(&gate).then(answer)).await;
        let held = begin([by_limited(chat()).send(gateway.api)]);
        upstream.called(1).await;
        let _ = by_limited(chat()).send(gateway.api).await.expect(429);
        gate.open();
        for held in held {
            let _ = held.await.unwrap().expect(status);
        }
        is_freed(&gateway).await;
    }
}

#[tokio::test]
async fn a_place_is_free_again_when_a_stream_has_ended_or_broken() {
    for broken in [false, true] {
        let gate = Gate::new();
        let stream = if broken {
            Answer::chunked().chunk(delta("a")).gate(&gate).reset()
        } else {
            gated(&gate, &delta("a"), &chat_events(&["b"]))
        };
        let (gateway, _upstream) = one_place(stream).await;
        let mut stream = Stream::open(gateway.api, &by_limited(chat_stream())).await;
        stream.event().await;
        let _ = by_limited(chat()).send(gateway.api).await.expect(429);
        gate.open();
        assert_eq!(stream.rest().await.done(), !broken);
        is_freed(&gateway).await;
    }
}

#[tokio::test]
async fn a_place_is_free_again_when_the_client_leaves_before_the_first_byte_or_in_a_stream() {
    for leave in [Client::reset, drop] {
        let (gateway, upstream) = one_place(Answer::new().hang()).await;
        let mut client = Client::connect(gateway.api).await;
        client.send(&by_limited(chat()).wire()).await;
        upstream.called(1).await;
        let _ = by_limited(chat()).send(gateway.api).await.expect(429);
        leave(client);
        is_freed(&gateway).await;

        let (gateway, _upstream) = one_place(Answer::chunked().chunk(delta("a")).hang()).await;
        let mut stream = Stream::open(gateway.api, &by_limited(chat_stream())).await;
        stream.event().await;
        let _ = by_limited(chat()).send(gateway.api).await.expect(429);
        leave(stream.client);
        is_freed(&gateway).await;
    }
}

/// A gateway for ten requests at once, half of which one tenant may hold.
async fn half_of_ten(upstream: &Upstream) -> Gateway {
    Config::to(upstream)
        .listener("max_in_flight: 10")
        .tenant("flood", "limits: {}")
        .key("flood", "sk-sluice-flood", "models: [\"*\"], tenant: flood")
        .section("limits: {tenant_share: 50%}")
        .start()
        .await
}

fn of_the_flood() -> Request {
    Request::post(CHAT, chat()).bearer("sk-sluice-flood")
}

const NO_SHARE: &str = "Tenant 'flood' has 5/5 requests in flight, its share of this gateway. Retry when one of \
                        them has ended.";

#[tokio::test]
async fn a_tenant_that_floods_leaves_the_others_their_room() {
    let gate = Gate::new();
    let of_calls = gate.clone();
    let upstream = Upstream::with(move |n, _| {
        let held = if n < 5 { Answer::new().gate(&of_calls) } else { Answer::new() };
        held.then(Answer::json(CHAT_REPLY))
    })
    .await;
    let gateway = half_of_ten(&upstream).await;
    let held = begin((0..5).map(|_| of_the_flood().send(gateway.api)));
    upstream.called(5).await;
    for _ in 0..20 {
        let refused = of_the_flood().send(gateway.api).await.expect(429);
        assert_eq!((refused.message().as_str(), refused.get("retry-after")), (NO_SHARE, "1"));
        let _ = gateway.post(CHAT, chat()).await.expect(200);
    }
    gate.open();
    for held in held {
        let _ = held.await.unwrap().expect(200);
    }
    let _ = of_the_flood().send(gateway.api).await.expect(200);
    let limited = "sluice_key_limited_total{key=\"flood\",limit=\"concurrency\",tenant=\"flood\"}";
    assert_eq!(gateway.metric(limited).await, 20.0);
}

#[tokio::test]
async fn bodies_that_trickle_hold_no_more_than_the_tenants_share() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = half_of_ten(&upstream).await;
    let wire = of_the_flood().wire();
    let mut uploads = Vec::new();
    for n in 1..=5 {
        let mut client = Client::connect(gateway.api).await;
        client.send(&wire[..wire.len() - 5]).await;
        in_flight(&gateway, n).await;
        uploads.push(client);
    }
    // Refused by its head alone: this body would come as slowly.
    let mut client = Client::connect(gateway.api).await;
    client.send(&wire[..wire.len() - 5]).await;
    let refused = client.answer().await.expect(429);
    assert_eq!((refused.message().as_str(), refused.get("connection")), (NO_SHARE, "close"));
    for _ in 0..3 {
        let _ = Request::post(CHAT, chat()).bearer(KEY).send(gateway.api).await.expect(200);
    }
    assert_eq!(upstream.calls(), 3);
    // One goes through, and one leaves: two places are free.
    let mut first = uploads.remove(0);
    first.send(&wire[wire.len() - 5..]).await;
    let _ = first.answer().await.expect(200);
    drop(uploads.pop());
    in_flight(&gateway, 3).await;
    for n in 4..=5 {
        let mut client = Client::connect(gateway.api).await;
        client.send(&wire[..wire.len() - 5]).await;
        in_flight(&gateway, n).await;
        uploads.push(client);
    }
    let _ = of_the_flood().send(gateway.api).await.expect(429);
}
