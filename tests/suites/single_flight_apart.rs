//! What an equal request under way does not decide for another one: each keeps its own terms.

use crate::support::{
    CHAT, CHAT_REPLY, begin, cached, chat_events, counting, delta, gated, in_flight, numbered_events, saying,
    seeded,
};
use sluice_tests::{
    client::Request,
    eventually,
    gateway::KEY,
    redis::Redis,
    soon,
    sse::Stream,
    upstream::{Answer, Gate, Upstream},
};
use std::time::Duration;

const STREAM: &str = ",\"stream\":true";
const WITH_USAGE: &str = ",\"stream\":true,\"stream_options\":{\"include_usage\":true}";

fn request(more: &str) -> Request {
    Request::post(CHAT, seeded(1, more)).bearer(KEY)
}

/// Answers the request number `n` with a text that says so, when the gate is opened.
async fn numbered(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::with(move |n, _| Answer::new().gate(&gate).then(Answer::json(saying(&format!("answer {n}")))))
        .await
}

#[tokio::test]
async fn a_refusal_is_not_told_to_whoever_left_out_what_may_have_provoked_it() {
    // The key leaves these members out, so that the requests are equal.
    for bad in [",\"service_tier\":\"bad\"", ",\"metadata\":{\"a\":\"bad\"}", ",\"user\":\"bad\""] {
        let gate = Gate::new();
        let held = gate.clone();
        let upstream = Upstream::with(move |_, request| {
            let refusal = Answer::error(400, r#"{"error":{"message":"bad"}}"#);
            let bad = request.text().contains("bad");
            Answer::new().gate(&held).then(if bad { refusal } else { Answer::json(CHAT_REPLY) })
        })
        .await;
        let gateway = cached(&upstream, "").start().await;
        let refused = begin([request(bad).send(gateway.api)]);
        upstream.called(1).await;
        let clean = begin((0..5).map(|_| request("").send(gateway.api)));
        in_flight(&gateway, 6).await;
        assert_eq!(upstream.calls(), 1, "they wait for the first: {bad}");
        gate.open();
        for answer in refused {
            let _ = answer.await.unwrap().expect(400);
        }
        for answer in clean {
            assert_eq!(answer.await.unwrap().expect(200).text(), CHAT_REPLY, "{bad}");
        }
        assert_eq!(upstream.calls(), 2, "one of them leads the others: {bad}");
    }
}

#[tokio::test]
async fn after_a_purge_nobody_joins_what_was_asked_before() {
    for what in ["{\"all\":true}", "{\"model\":\"m\"}", "{\"key\":\"test\"}"] {
        let gate = Gate::new();
        let upstream = numbered(&gate).await;
        let gateway = cached(&upstream, "").start().await;
        let before = begin([request("").send(gateway.api)]);
        upstream.called(1).await;
        let _ = Request::post("/-/cache/purge", what).send(gateway.admin).await.expect(200);
        let after = begin([request("").send(gateway.api)]);
        upstream.called(2).await;
        let joined = begin([request("").send(gateway.api)]);
        in_flight(&gateway, 3).await;
        gate.open();
        let mut told = Vec::new();
        for answer in before.into_iter().chain(after).chain(joined) {
            let answer = answer.await.unwrap().expect(200);
            told.push((answer.get("x-sluice-cache").to_owned(), answer.text()));
        }
        let said = |word: &str, n: usize| (word.to_owned(), saying(&format!("answer {n}")));
        assert_eq!(told, [said("miss", 0), said("miss", 1), said("coalesced", 1)], "{what}");
        let kept = request("").send(gateway.api).await.expect(200);
        assert_eq!((kept.get("x-sluice-cache").to_owned(), kept.text()), said("hit", 1), "{what}");
    }
}

#[tokio::test]
async fn usage_is_had_where_only_those_get_it_who_ask_the_upstream() {
    for first in [STREAM, WITH_USAGE] {
        let gate = Gate::new();
        let held = gate.clone();
        let upstream = Upstream::with(move |n, request| {
            let told = request.json()["stream_options"]["include_usage"] == true;
            gated(&held, &delta("answer"), &numbered_events(n, told).replace(&delta("answer"), ""))
        })
        .await;
        let gateway = cached(&upstream, "").provider("stream_usage: never").start().await;
        let second = if first == STREAM { WITH_USAGE } else { STREAM };
        let mut streams = Vec::new();
        for more in [first, first, second, second] {
            let mut stream = Stream::open(gateway.api, &request(more)).await;
            assert_eq!(stream.event().await.raw, delta("answer"));
            streams.push((more, stream));
        }
        assert_eq!(upstream.calls(), 2, "those who want the same share");
        gate.open();
        for (more, mut stream) in streams {
            let text = String::from_utf8(stream.rest().await.bytes().to_vec()).unwrap();
            assert_eq!(text.contains("\"usage\":{"), more == WITH_USAGE, "{first}: {more}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_a_young_answer_gets_one_where_the_other_is_content_with_an_older() {
    let (upstream, redis) = (counting().await, Redis::start());
    let config =
        cached(&upstream, "").section(&format!("redis: {{urls: [\"{}\"], timeout: 5s}}", redis.url()));
    let (one, two) = (config.start().await, config.start().await);
    let nothing = Request::post(CHAT, seeded(-1, "")).bearer(KEY).header("cache-control", "only-if-cached");
    let looked = "sluice_cache_lookup_duration_seconds_count{result=\"miss\",tier=\"redis\"}";
    for gateway in [&one, &two] {
        soon("a look into Redis", async {
            while gateway.metric(looked).await == 0.0 {
                let _ = nothing.send(gateway.api).await.expect(504);
            }
        })
        .await;
    }
    let _ = request("").send(one.api).await.expect(200);
    eventually("an entry", || redis.keys("sluice:cache:*").len() == 1).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    redis.pause();
    let content = begin([request("").send(two.api)]);
    in_flight(&two, 1).await;
    let young = request("").header("cache-control", "max-age=1");
    let young = begin((0..3).map(|_| young.send(two.api)));
    in_flight(&two, 4).await;
    redis.resume();
    for answer in content {
        let answer = answer.await.unwrap().expect(200);
        assert_eq!(
            (answer.get("x-sluice-cache").to_owned(), answer.text()),
            ("hit".into(), saying("answer 0"))
        );
    }
    for answer in young {
        assert_eq!(answer.await.unwrap().expect(200).text(), saying("answer 1"), "older than was wanted");
    }
    assert_eq!(upstream.calls(), 2, "one of them asks for all");
}

#[tokio::test]
async fn a_head_that_goes_out_early_tells_a_refresh_and_a_follower_from_a_miss() {
    let gate = Gate::new();
    let held = gate.clone();
    let upstream =
        Upstream::with(move |_, _| Answer::chunked().gate(&held).chunk(chat_events(&["hi"])).last_chunk())
            .await;
    let gateway = cached(&upstream, "").section("resilience: {commit_after: 50ms}").start().await;
    let refresh = request(STREAM).header("x-sluice-cache", "refresh");
    let mut streams = Vec::new();
    // The streams stay silent until all heads are there.
    for (request, own, standard) in [
        (request(STREAM), "miss", "sluice; fwd=uri-miss"),
        (request(STREAM), "coalesced", "sluice; fwd=uri-miss; collapsed"),
        (refresh, "miss; reason=refresh", "sluice; fwd=request"),
        (request(STREAM), "coalesced", "sluice; fwd=uri-miss; collapsed"),
    ] {
        let stream = Stream::open(gateway.api, &request).await;
        assert_eq!((stream.head.get("x-sluice-cache"), stream.head.get("cache-status")), (own, standard));
        streams.push(stream);
    }
    gate.open();
    for stream in &mut streams {
        assert_eq!(stream.rest().await.bytes(), chat_events(&["hi"]));
    }
    assert_eq!(upstream.calls(), 2);
}
