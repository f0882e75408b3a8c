//! Equal requests under way share one upstream call, and every client gets the whole answer as if it were alone.

use crate::support::{
    CHAT, DONE, all, begin, cached, chat_events, connected, counting, delta, finish, gated, in_flight,
    numbered_events, saying, seeded, usage,
};
use serde_json::Value;
use sluice_tests::{
    client::{Client, Request},
    eventually,
    gateway::{Gateway, KEY},
    soon,
    sse::Stream,
    upstream::{Answer, Gate, Upstream},
};
use std::time::{Duration, Instant};

const STREAM: &str = ",\"stream\":true";
const WITH_USAGE: &str = ",\"stream\":true,\"stream_options\":{\"include_usage\":true}";
const MANY: usize = 200;

fn request(more: &str) -> Request {
    Request::post(CHAT, seeded(1, more)).bearer(KEY)
}

/// What follows [`delta`] of `first` in the streams here.
fn rest() -> String {
    [delta(" and"), delta(" more"), finish(), usage(), DONE.into()].concat()
}

/// The whole stream without usage.
fn whole() -> String {
    chat_events(&["first", " and", " more"])
}

/// An upstream whose only stream stops after its first event until the gate is opened.
async fn one_stream(gate: &Gate) -> Upstream {
    Upstream::script([gated(gate, &delta("first"), &rest()), Answer::error(400, "{}")]).await
}

/// So many streams, each with its first event read.
async fn opened(gateway: &Gateway, request: &Request, n: usize) -> Vec<Stream> {
    let api = gateway.api;
    let open = |request: Request| async move {
        let mut stream = Stream::open(api, &request).await;
        assert_eq!(stream.event().await.raw, delta("first"));
        stream
    };
    all((0..n).map(|_| open(request.clone()))).await
}

/// Reads them to their end: each is the whole stream.
async fn are_whole(streams: Vec<Stream>) {
    let expected = whole();
    let ended = all(streams.into_iter().map(|mut stream| async move { stream.rest().await.bytes() })).await;
    for bytes in ended {
        assert_eq!(delta("first") + &String::from_utf8_lossy(&bytes), expected);
    }
}

fn words(streams: &[Stream], word: &str) -> usize {
    streams.iter().filter(|stream| stream.head.get("x-sluice-cache") == word).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_equal_streams_are_one_upstream_call() {
    let gate = Gate::new();
    let upstream = one_stream(&gate).await;
    let gateway = cached(&upstream, "").start().await;
    let streams = opened(&gateway, &request(STREAM), MANY).await;
    assert_eq!((words(&streams, "miss"), words(&streams, "coalesced")), (1, MANY - 1));
    let follower = streams.iter().find(|stream| stream.head.get("x-sluice-cache") == "coalesced").unwrap();
    for (name, value) in [
        ("cache-status", "sluice; fwd=uri-miss; collapsed"),
        ("x-sluice-attempts", "0"),
        ("x-sluice-provider", "up"),
        ("x-sluice-model", "m"),
    ] {
        assert_eq!(follower.head.get(name), value, "{name}");
    }
    gate.open();
    are_whole(streams).await;
    let series = "sluice_cache_requests_total{model=\"m\",result=\"coalesced\",tier=\"none\"}";
    assert_eq!(gateway.metric(series).await, (MANY - 1) as f64);
    let hit = request(STREAM).send(gateway.api).await.expect(200);
    assert_eq!((hit.get("x-sluice-cache"), hit.text()), ("hit", whole()));
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whenever_they_come_there_is_one_upstream_call() {
    let events = [delta("first"), rest()].concat();
    let answer = Answer::chunked().chunk(&events[..700]).wait(20).chunk(&events[700..]).last_chunk();
    let upstream = Upstream::script([answer, Answer::error(400, "{}")]).await;
    let gateway = cached(&upstream, "").start().await;
    let api = gateway.api;
    let one = |n: u64| async move {
        tokio::time::sleep(Duration::from_micros(n * 200)).await;
        request(STREAM).send(api).await.expect(200).text()
    };
    for text in all((0..MANY as u64).map(one)).await {
        assert_eq!(text, whole());
    }
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_leaders_leaving_harms_nobody_and_is_recorded_once() {
    let gate = Gate::new();
    let upstream = one_stream(&gate).await;
    let gateway = cached(&upstream, "").start().await;
    let leader = opened(&gateway, &request(STREAM).header("x-request-id", "leader"), 1).await;
    let followers = opened(&gateway, &request(STREAM), MANY - 1).await;
    assert_eq!((words(&leader, "miss"), words(&followers, "coalesced")), (1, MANY - 1));
    drop(leader);
    connected(&gateway, MANY - 1).await;
    gate.open();
    are_whole(followers).await;
    assert_eq!(upstream.calls(), 1);
    assert!(upstream.peer_left().is_empty(), "the upstream was read to its end");

    let lines = || gateway.log.text().lines().filter(|line| line.contains("\"event\":\"request\"")).count();
    eventually("a line for each", || lines() == MANY).await;
    let log = gateway.log.text();
    let leaders: Vec<&str> = log.lines().filter(|line| line.contains("\"leader\"")).collect();
    assert_eq!(leaders.len(), 1, "{leaders:?}");
    let line: Value = serde_json::from_str(leaders[0]).unwrap();
    assert_eq!((&line["outcome"], &line["cache"]), (&"cancelled".into(), &"miss".into()), "{line}");
    assert_eq!((&line["input_tokens"], &line["output_tokens"]), (&3.into(), &2.into()), "{line}");
    let tokens = |kind: &str| format!("sluice_tokens_total{{model=\"m\",provider=\"up\",type=\"{kind}\"}}");
    assert_eq!(gateway.metric(&tokens("input")).await, 3.0, "what the upstream counted, once");
    assert_eq!(gateway.metric(&tokens("output")).await, 2.0);
    assert_eq!(lines(), MANY);
    let hit = request(STREAM).send(gateway.api).await.expect(200);
    assert_eq!((hit.get("x-sluice-cache"), hit.text()), ("hit", whole()), "and the answer is kept");
}

#[tokio::test]
async fn a_leader_that_leaves_before_anything_came_harms_nobody() {
    let gate = Gate::new();
    let upstream =
        Upstream::script([Answer::new().gate(&gate).then(Answer::sse([delta("first"), rest()].concat()))])
            .await;
    let gateway = cached(&upstream, "").start().await;
    let mut leader = Client::connect(gateway.api).await;
    leader.send(&request(STREAM).wire()).await;
    upstream.called(1).await;
    let followers = begin((0..20).map(|_| request(STREAM).send(gateway.api)));
    in_flight(&gateway, 21).await;
    leader.reset();
    connected(&gateway, 20).await;
    gate.open();
    for follower in followers {
        let answer = follower.await.unwrap().expect(200);
        assert_eq!((answer.get("x-sluice-cache"), answer.text()), ("coalesced", whole()));
    }
    assert_eq!(upstream.calls(), 1);
    eventually("21 lines", || gateway.log.text().matches("\"event\":\"request\"").count() == 21).await;
}

#[tokio::test]
async fn whoever_comes_late_gets_the_answer_from_its_beginning() {
    let (one, two) = (Gate::new(), Gate::new());
    let answer = Answer::chunked()
        .chunk(delta("first"))
        .gate(&one)
        .chunk(delta(" and"))
        .gate(&two)
        .chunk(rest().replace(&delta(" and"), ""))
        .last_chunk();
    let upstream = Upstream::script([answer]).await;
    let gateway = cached(&upstream, "").start().await;
    let mut streams = opened(&gateway, &request(STREAM), 1).await;
    one.open();
    let second = streams[0].event().await;
    assert_eq!(second.raw, delta(" and"), "the leader is ahead");
    let late = opened(&gateway, &request(STREAM), 10).await;
    assert_eq!(words(&late, "coalesced"), 10);
    two.open();
    are_whole(late).await;
    let rest = streams[0].rest().await;
    assert!(rest.done());
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_one_byte_a_second_holds_nobody_up_and_gets_everything() {
    let text = "x".repeat(2_000);
    let events = chat_events(&std::iter::repeat_n(text.as_str(), 500).collect::<Vec<_>>());
    let upstream = Upstream::script([Answer::sse(events.clone())]).await;
    let gateway = cached(&upstream, ", max_entry: 8MiB").start().await;
    let mut slow = Client::connect_narrow(gateway.api).await;
    slow.send(&request(STREAM).wire()).await;
    upstream.called(1).await;
    let began = Instant::now();
    let others = begin((0..10).map(|_| request(STREAM).send(gateway.api)));
    for _ in 0..3 {
        slow.byte().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let read_slowly = began.elapsed();
    for other in others {
        let other = other.await.unwrap().expect(200);
        assert_eq!(other.text(), events);
        assert!(other.took < read_slowly, "{:?}", other.took);
    }
    let mut slow = Stream::on(slow).await;
    assert_eq!(slow.head.get("x-sluice-cache"), "miss", "it leads");
    assert_eq!(slow.rest().await.bytes(), events);
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_too_large_to_keep_is_still_shared_and_only_who_is_far_behind_is_told_to_leave() {
    let gate = Gate::new();
    let text = "x".repeat(100_000);
    let (pieces, piece) = (120, delta(&text));
    // Slow enough for whoever reads at all, on a busy machine too.
    let begun = Answer::chunked().chunk(delta("first")).gate(&gate);
    let answer = (0..pieces)
        .fold(begun, |answer, _| answer.chunk(&piece).wait(10))
        .chunk(finish() + DONE)
        .last_chunk();
    let upstream = Upstream::script([answer, Answer::error(400, "{}")]).await;
    let gateway = cached(&upstream, "").start().await;
    let streams = opened(&gateway, &request(STREAM), 3).await;
    let mut slow = Client::connect_narrow(gateway.api).await;
    slow.send(&request(STREAM).wire()).await;
    for _ in 0..20 {
        slow.byte().await;
    }
    gate.open();
    for bytes in all(streams.into_iter().map(|mut stream| async move { stream.rest().await.bytes() })).await {
        assert_eq!(bytes.len(), pieces * piece.len() + finish().len() + DONE.len());
    }
    let ended = Stream::on(slow).await.rest().await;
    let told = ended.error();
    assert!(ended.bytes().len() < pieces * piece.len(), "{told}");
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn each_reads_the_answer_in_its_own_form() {
    for leader in [STREAM, WITH_USAGE, ""] {
        let gate = Gate::new();
        let held = gate.clone();
        let upstream = Upstream::with(move |n, request| match request.json()["stream"] == true {
            true => gated(&held, &delta("answer"), &numbered_events(n, true).replace(&delta("answer"), "")),
            false => Answer::new().gate(&held).then(Answer::json(saying(&format!("answer {n}")))),
        })
        .await;
        let gateway = cached(&upstream, "").start().await;
        let first = begin([request(leader).send(gateway.api)]);
        upstream.called(1).await;
        let followers = begin([STREAM, WITH_USAGE, "", STREAM].map(|more| request(more).send(gateway.api)));
        in_flight(&gateway, 5).await;
        gate.open();
        let mut answers = Vec::new();
        for task in first.into_iter().chain(followers) {
            answers.push(task.await.unwrap().expect(200));
        }
        let told: Vec<&str> = answers.iter().map(|answer| answer.get("x-sluice-cache")).collect();
        assert_eq!(told, ["miss", "coalesced", "coalesced", "coalesced", "coalesced"], "{leader}");
        let [_, stream, with_usage, plain, again] = &answers[..] else { panic!("five") };
        assert_eq!(stream.body, again.body);
        assert!(!stream.text().contains("\"usage\":{"), "{}", stream.text());
        assert!(with_usage.text().contains("\"usage\":{") && with_usage.text().ends_with(DONE));
        assert_eq!(plain.json()["choices"][0]["message"]["content"], "answer 0");
        assert!(plain.json()["usage"]["total_tokens"].is_u64());
        if leader.is_empty() {
            assert_eq!(plain.text(), saying("answer 0"));
        } else {
            assert_eq!(stream.text(), numbered_events(0, false));
            assert_eq!(with_usage.text(), numbered_events(0, true));
        }
        assert_eq!(upstream.calls(), 1, "{leader}");
    }
}

#[tokio::test]
async fn only_equal_requests_that_may_share_do() {
    let gate = Gate::new();
    let held = gate.clone();
    let upstream = Upstream::with(move |n, _| {
        Answer::new().gate(&held).then(Answer::json(saying(&format!("answer {n}"))))
    })
    .await;
    let config = cached(&upstream, "")
        .section("tenants: [{name: other}]")
        .key("other", "sk-sluice-other", "models: [\"*\"], tenant: other")
        .key("own", "sk-sluice-own", "models: [\"*\"], cache: {scope: key}");
    let gateway = config.start().await;
    let apart = [
        request(""),
        request("").bearer("sk-sluice-other"),
        request("").bearer("sk-sluice-own"),
        request("").header("x-sluice-cache", "refresh"),
        request("").header("x-sluice-cache", "refresh"),
        request("").header("cache-control", "no-store"),
        request("").header("x-sluice-cache-namespace", "n"),
        Request::post(CHAT, seeded(2, "")).bearer(KEY),
        request(",\"top_p\":1"),
    ];
    let mut tasks = Vec::new();
    for (n, request) in apart.iter().enumerate() {
        tasks.extend(begin([request.send(gateway.api)]));
        upstream.called(n + 1).await;
    }
    gate.open();
    let mut bodies = Vec::new();
    for task in tasks {
        let answer = task.await.unwrap().expect(200);
        assert_ne!(answer.get("x-sluice-cache"), "coalesced");
        bodies.push(answer.body);
    }
    bodies.sort();
    bodies.dedup();
    assert_eq!((bodies.len(), upstream.calls()), (apart.len(), apart.len()));
}

#[tokio::test]
async fn coalescing_can_be_switched_off() {
    let gate = Gate::new();
    let held = gate.clone();
    let upstream = Upstream::with(move |_, _| gated(&held, &delta("first"), &rest())).await;
    let gateway = cached(&upstream, ", coalesce: false").start().await;
    let streams = opened(&gateway, &request(STREAM), 5).await;
    assert_eq!((words(&streams, "miss"), upstream.calls()), (5, 5));
    gate.open();
    are_whole(streams).await;
    assert_eq!(request(STREAM).send(gateway.api).await.get("x-sluice-cache"), "hit");
}

#[tokio::test]
async fn followers_cost_their_key_a_request_each() {
    let gate = Gate::new();
    let upstream = one_stream(&gate).await;
    let small = "models: [\"*\"], limits: {requests: {rate: 3/min}}";
    let gateway = cached(&upstream, "").key("small", "sk-sluice-small", small).start().await;
    let leader = opened(&gateway, &request(STREAM), 1).await;
    let followers = opened(&gateway, &request(STREAM).bearer("sk-sluice-small"), 3).await;
    let _ = request(STREAM).bearer("sk-sluice-small").send(gateway.api).await.expect(429);
    gate.open();
    are_whole(leader).await;
    are_whole(followers).await;
}

#[tokio::test]
async fn mixed_requests_each_get_their_own_answer() {
    let upstream = Upstream::with(|_, request| {
        let asked = request.json()["seed"].to_string();
        match request.json()["stream"] == true {
            true => {
                Answer::chunked().chunk(delta(&asked)).wait(5).chunk(finish() + &usage() + DONE).last_chunk()
            }
            false => Answer::new().wait(5).then(Answer::json(saying(&asked))),
        }
    })
    .await;
    let gateway = cached(&upstream, "").start().await;
    let api = gateway.api;
    let one = |n: i64| async move {
        let (seed, more) = (n * 7 % 40, ["", STREAM][usize::try_from(n % 2).unwrap()]);
        let answer = Request::post(CHAT, seeded(seed, more)).bearer(KEY).send(api).await.expect(200);
        assert!(answer.text().contains(&format!("\"content\":\"{seed}\"")), "{seed}: {}", answer.text());
    };
    let _ = soon("600 answers", all((0..600).map(one))).await;
    assert_eq!(upstream.calls(), 40);
}

#[tokio::test]
async fn without_a_seed_nobody_shares() {
    let upstream = counting().await;
    let gateway = cached(&upstream, "").start().await;
    let body = seeded(1, "").replace(",\"seed\":1", "");
    let answers = all((0..10).map(|_| Request::post(CHAT, body.clone()).bearer(KEY).send(gateway.api))).await;
    assert!(answers.iter().all(|answer| answer.get("x-sluice-cache") == "bypass; reason=no-seed"));
    assert_eq!(upstream.calls(), 10);
}
