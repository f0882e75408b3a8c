//! What goes wrong with a shared answer: nobody waits for ever, nobody takes a part for the whole.

use crate::support::{
    CHAT, CHAT_REPLY, all, begin, cached, chat_events, connected, delta, gated, in_flight, seeded,
};
use sluice_tests::{
    client::{Client, Request},
    eventually,
    gateway::{Gateway, KEY},
    sse::Stream,
    upstream::{Answer, Gate, Upstream},
};
use std::time::{Duration, Instant};

const STREAM: &str = ",\"stream\":true";

fn request(more: &str) -> Request {
    Request::post(CHAT, seeded(1, more)).bearer(KEY)
}

async fn opened(gateway: &Gateway, n: usize) -> Vec<Stream> {
    let api = gateway.api;
    let open = || async move {
        let mut stream = Stream::open(api, &request(STREAM)).await;
        assert_eq!(stream.event().await.raw, delta("first"));
        stream
    };
    all((0..n).map(|_| open())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_reader_of_a_cut_stream_learns_of_the_cut_and_nothing_is_kept() {
    let error = "data: {\"error\":{\"message\":\"no\"}}\n\n";
    for cut in [Answer::new().reset(), Answer::new().close(), Answer::new().send(error).close()] {
        let gate = Gate::new();
        let cut = Answer::stream().send(delta("first")).gate(&gate).send(delta("second")).then(cut);
        let upstream = Upstream::script([cut, Answer::sse(chat_events(&["whole"]))]).await;
        let gateway = cached(&upstream, "").start().await;
        let streams = opened(&gateway, 50).await;
        gate.open();
        for ended in all(streams.into_iter().map(|mut stream| async move { stream.rest().await })).await {
            let _ = ended.error();
        }
        assert_eq!(upstream.calls(), 1);
        let next = request(STREAM).send(gateway.api).await.expect(200);
        assert_eq!((next.get("x-sluice-cache"), next.text()), ("miss", chat_events(&["whole"])));
    }
}

#[tokio::test]
async fn a_plain_reader_of_a_cut_stream_gets_an_error_and_no_half_answer() {
    let gate = Gate::new();
    let upstream = Upstream::script([Answer::stream().send(delta("first")).gate(&gate).reset()]).await;
    let gateway = cached(&upstream, "").start().await;
    let _leader = opened(&gateway, 1).await;
    let plain = begin([request("").send(gateway.api)]);
    in_flight(&gateway, 2).await;
    gate.open();
    for plain in plain {
        let answer = plain.await.unwrap();
        assert!(answer.status() >= 500 && answer.json()["error"].is_object(), "{}", answer.text());
    }
}

#[tokio::test]
async fn one_other_leads_when_the_leader_fails_before_anything_came() {
    for (more, fault) in [
        (STREAM, Answer::error(500, "{}")),
        ("", Answer::error(503, "{}")),
        (STREAM, Answer::new().reset()),
        (STREAM, Answer::stream().close()),
        (STREAM, Answer::error(429, "{}")),
    ] {
        let gate = Gate::new();
        let whole =
            if more == STREAM { Answer::sse(chat_events(&["whole"])) } else { Answer::json(CHAT_REPLY) };
        let upstream = Upstream::script([
            Answer::new().gate(&gate).then(fault.clone()),
            whole,
            Answer::error(400, "{}"),
        ])
        .await;
        let gateway = cached(&upstream, "").section("resilience: {attempts: 1}").start().await;
        let leader = begin([request(more).send(gateway.api)]);
        upstream.called(1).await;
        let followers = begin((0..20).map(|_| request(more).send(gateway.api)));
        in_flight(&gateway, 21).await;
        gate.open();
        for leader in leader {
            assert!(leader.await.unwrap().status() >= 429, "its own failure is its own: {fault:?}");
        }
        let mut answers = Vec::new();
        for follower in followers {
            answers.push(follower.await.unwrap().expect(200));
        }
        assert!(answers.iter().all(|answer| answer.body == answers[0].body), "{fault:?}");
        let leads = answers.iter().filter(|answer| answer.get("x-sluice-cache") == "miss").count();
        assert_eq!((leads, upstream.calls()), (1, 2), "{fault:?}");
    }
}

#[tokio::test]
async fn a_refusal_of_the_request_itself_is_told_to_all_whose_bodies_are_the_same_bytes() {
    let gate = Gate::new();
    let fault = Answer::error(400, r#"{"error":{"message":"your mistake"}}"#);
    let upstream = Upstream::script([Answer::new().gate(&gate).then(fault)]).await;
    let gateway = cached(&upstream, "").start().await;
    let leader = begin([request(STREAM).send(gateway.api)]);
    upstream.called(1).await;
    let followers = begin((0..20).map(|_| request(STREAM).send(gateway.api)));
    in_flight(&gateway, 21).await;
    gate.open();
    for asked in leader.into_iter().chain(followers) {
        let answer = asked.await.unwrap().expect(400);
        assert!(answer.message().contains("your mistake"), "{}", answer.message());
    }
    assert_eq!(upstream.calls(), 1);
    // The same request in another spelling shares answers, but asks for itself what is wrong with it.
    let gate = Gate::new();
    let fault = Answer::error(400, r#"{"error":{"message":"your mistake"}}"#);
    let upstream = Upstream::script([Answer::new().gate(&gate).then(fault)]).await;
    let gateway = cached(&upstream, "").start().await;
    let leader = begin([request(STREAM).send(gateway.api)]);
    upstream.called(1).await;
    let spelled = seeded(1, STREAM).replace("\"seed\":1", "\"seed\": 1");
    let other = begin([Request::post(CHAT, spelled).bearer(KEY).send(gateway.api)]);
    in_flight(&gateway, 2).await;
    assert_eq!(upstream.calls(), 1, "it waits");
    gate.open();
    for asked in leader.into_iter().chain(other) {
        let _ = asked.await.unwrap().expect(400);
    }
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn an_upstream_that_keeps_failing_is_not_asked_once_for_every_follower() {
    let gate = Gate::new();
    let upstream = Upstream::script([Answer::new().gate(&gate).then(Answer::error(500, "{}"))]).await;
    let gateway = cached(&upstream, "").section("resilience: {attempts: 1}").start().await;
    let leader = begin([request("").send(gateway.api)]);
    upstream.called(1).await;
    let followers = begin((0..50).map(|_| request("").send(gateway.api)));
    in_flight(&gateway, 51).await;
    gate.open();
    for asked in leader.into_iter().chain(followers) {
        assert!(asked.await.unwrap().status() >= 500);
    }
    assert!(upstream.calls() <= 3, "{}", upstream.calls());
}

#[tokio::test]
async fn with_the_last_reader_the_upstream_is_let_go_and_nothing_is_kept() {
    let upstream = Upstream::script([
        Answer::stream().send(delta("first")).hang(),
        Answer::sse(chat_events(&["whole"])),
    ])
    .await;
    let gateway = cached(&upstream, "").start().await;
    let mut streams = opened(&gateway, 5).await;
    let last = streams.pop();
    drop(streams);
    connected(&gateway, 1).await;
    assert!(upstream.peer_left().is_empty(), "one still reads");
    drop(last);
    let _ = upstream.left(1).await;
    eventually("five lines", || gateway.log.text().matches("\"event\":\"request\"").count() == 5).await;
    let log = gateway.log.text();
    assert!(log.lines().all(|line| line.contains("\"outcome\":\"cancelled\"")), "{log}");
    let next = request(STREAM).send(gateway.api).await.expect(200);
    assert_eq!((next.get("x-sluice-cache"), next.text()), ("miss", chat_events(&["whole"])));
    let tried = "sluice_upstream_attempts_total{outcome=\"cancelled\",provider=\"up\",upstream_model=\"m\"}";
    assert_eq!(gateway.metric(tried).await, 1.0);
}

#[tokio::test]
async fn a_follower_that_goes_on_alone_holds_the_upstream_no_longer() {
    let gate = Gate::new();
    let held = gate.clone();
    // Too large to be kept whole, so a client that wants it plain has to ask for it itself.
    let upstream = Upstream::with(move |_, request| match request.json()["stream"] == true {
        true => Answer::chunked().chunk(delta("first")).gate(&held).chunk(delta(&"x".repeat(5_000))).hang(),
        false => Answer::new().hang(),
    })
    .await;
    let gateway = cached(&upstream, ", max_entry: 1KiB").start().await;
    let mut streams = opened(&gateway, 1).await;
    let alone = begin([request("").send(gateway.api)]);
    in_flight(&gateway, 2).await;
    assert_eq!(upstream.calls(), 1, "it waits for the whole");
    gate.open();
    let _ = streams[0].event().await;
    upstream.called(2).await;
    let left = Instant::now();
    drop(streams);
    let let_go = upstream.left(1).await.duration_since(left);
    assert!(let_go < Duration::from_secs(1), "{let_go:?}");
    eventually("its line", || gateway.log.text().matches("\"event\":\"request\"").count() == 1).await;
    alone.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_follower_that_leaves_left_while_it_waited() {
    for more in ["", STREAM] {
        let gate = Gate::new();
        let whole = if more == STREAM { Answer::sse(chat_events(&["hi"])) } else { Answer::json(CHAT_REPLY) };
        let upstream = Upstream::script([Answer::new().gate(&gate).then(whole)]).await;
        let gateway = cached(&upstream, "").start().await;
        let leader = begin([request(more).send(gateway.api)]);
        upstream.called(1).await;
        let mut follower = Client::connect(gateway.api).await;
        follower.send(&request(more).wire()).await;
        in_flight(&gateway, 2).await;
        drop(follower);
        in_flight(&gateway, 1).await;
        for (phase, times) in [("wait", 1.0), ("body", 0.0), ("stream", 0.0)] {
            let series = format!("sluice_client_aborts_total{{phase=\"{phase}\"}}");
            assert_eq!(gateway.metric(&series).await, times, "{more}: {phase}");
        }
        gate.open();
        for leader in leader {
            let _ = leader.await.unwrap().expect(200);
        }
    }
}

#[tokio::test]
async fn an_upstream_that_says_nothing_is_given_up_for_all_at_once() {
    let upstream = Upstream::script([Answer::stream().send(delta("first")).hang()]).await;
    let gateway = cached(&upstream, "").timeouts("first_byte: 2s, idle: 500ms").start().await;
    let streams = opened(&gateway, 20).await;
    for ended in all(streams.into_iter().map(|mut stream| async move { stream.rest().await })).await {
        let _ = ended.error();
    }
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn the_drain_cuts_a_shared_stream_for_all_with_an_error() {
    let upstream = Upstream::script([Answer::stream().send(delta("first")).hang()]).await;
    let gateway = cached(&upstream, "").start().await;
    let streams = opened(&gateway, 10).await;
    let readers = begin(streams.into_iter().map(|mut stream| async move { stream.rest().await }));
    gateway.running.stop(Duration::ZERO, Duration::from_millis(50)).await;
    for reader in readers {
        let _ = reader.await.unwrap().error();
    }
}

#[tokio::test]
async fn silence_before_the_first_event_keeps_every_connection_alive() {
    for whole in [true, false] {
        let gate = Gate::new();
        let first = Answer::new();
        let first = if whole { first.send(chat_events(&["whole"])).close() } else { first.reset() };
        let upstream = Upstream::script([
            Answer::stream().gate(&gate).then(first),
            Answer::sse(chat_events(&["whole"])),
        ])
        .await;
        let rules = "resilience: {attempts: 1, commit_after: 50ms, heartbeat: 50ms}";
        let gateway = cached(&upstream, "").section(rules).start().await;
        let api = gateway.api;
        let mut streams = Vec::new();
        for _ in 0..10 {
            let mut stream = Stream::open(api, &request(STREAM)).await;
            assert!(stream.event().await.is_comment());
            streams.push(stream);
        }
        gate.open();
        let mut ended = Vec::new();
        for stream in &mut streams {
            ended.push(stream.rest().await);
        }
        if !whole {
            let _ = ended.remove(0).error();
        }
        for events in ended {
            assert_eq!(events.bytes(), chat_events(&["whole"]));
        }
        assert_eq!(upstream.calls(), if whole { 1 } else { 2 });
    }
}

#[tokio::test]
async fn everybody_gets_the_answer_of_the_fallback() {
    let gate = Gate::new();
    let up = Upstream::script([Answer::new().gate(&gate).then(Answer::error(500, "{}"))]).await;
    let spare = Upstream::script([Answer::sse(chat_events(&["spare"]))]).await;
    let config = cached(&up, "").also("spare", &spare.base_url()).model_entry(
        "{name: both, targets: [{provider: up, model: m}, {provider: spare, model: m, priority: 1}]}",
    );
    let gateway = config.start().await;
    let request = Request::post(CHAT, seeded(1, STREAM).replace("\"m\"", "\"both\"")).bearer(KEY);
    let asked = begin((0..20).map(|_| request.send(gateway.api)));
    in_flight(&gateway, 20).await;
    gate.open();
    for asked in asked {
        let answer = asked.await.unwrap().expect(200);
        assert_eq!((answer.text(), answer.get("x-sluice-provider")), (chat_events(&["spare"]), "spare"));
    }
    assert_eq!((up.calls(), spare.calls()), (1, 1));
}

#[tokio::test]
async fn an_answer_under_way_while_it_is_purged_is_not_kept() {
    let gate = Gate::new();
    let upstream = Upstream::with({
        let gate = gate.clone();
        move |_, _| gated(&gate, &delta("first"), &chat_events(&["rest"]))
    })
    .await;
    let gateway = cached(&upstream, "").start().await;
    let mut streams = opened(&gateway, 2).await;
    let _ = Request::post("/-/cache/purge", "{\"all\":true}").send(gateway.admin).await.expect(200);
    gate.open();
    for stream in &mut streams {
        assert!(stream.rest().await.done(), "whoever reads it gets it");
    }
    let next = request(STREAM).send(gateway.api).await.expect(200);
    assert_eq!((next.get("x-sluice-cache"), upstream.calls()), ("miss", 2));
    assert_eq!(request(STREAM).send(gateway.api).await.get("x-sluice-cache"), "hit", "but the next one is");
}

#[tokio::test]
async fn a_leader_in_a_hurry_hurries_nobody_else() {
    let gate = Gate::new();
    let upstream = Upstream::script([Answer::new().gate(&gate).then(Answer::json(CHAT_REPLY))]).await;
    let gateway = cached(&upstream, "").start().await;
    let leader = begin([request("").header("x-sluice-timeout-ms", "500").send(gateway.api)]).remove(0);
    upstream.called(1).await;
    let follower = begin([request("").send(gateway.api)]).remove(0);
    in_flight(&gateway, 2).await;
    assert_eq!(leader.await.unwrap().expect(504).code(), "upstream_timeout");
    gate.open();
    assert_eq!(follower.await.unwrap().expect(200).text(), CHAT_REPLY);
}
