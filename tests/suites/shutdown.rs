//! The end of the process: nothing that was accepted is lost, and the end has a bound.

use crate::support::{CHAT, CHAT_REPLY, chat, chat_events, chat_stream_request, delta};
use sluice_tests::{
    client::{Client, Request},
    gateway::{Config, KEY},
    process::{Process, command, free_port},
    soon,
    sse::Stream,
    upstream::{Answer, Upstream},
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

struct Running {
    process: Process,
    api: SocketAddr,
    admin: SocketAddr,
    _folder: tempfile::TempDir,
}

async fn start(upstream: &Upstream, shutdown: &str) -> Running {
    start_as(&Config::to(upstream).section(&format!("shutdown: {{{shutdown}}}"))).await
}

async fn start_as(config: &Config) -> Running {
    let local = || SocketAddr::from(([127, 0, 0, 1], free_port()));
    let (api, admin) = (local(), local());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sluice.yaml");
    std::fs::write(&path, config.yaml(&api.to_string(), &admin.to_string())).unwrap();
    let process = Process::start(command(&["serve", "--config", path.to_str().unwrap()]));
    process.listens(api).await;
    process.listens(admin).await;
    Running { process, api, admin, _folder: folder }
}

/// A stream that takes about a second.
fn slow_stream() -> Answer {
    let events = chat_events(&["a", "b"]);
    let half = events.len() / 2;
    Answer::chunked().chunk(&events[..half]).wait(1_000).chunk(&events[half..]).last_chunk()
}

#[tokio::test]
async fn sigterm_lets_streams_and_requests_finish_and_exits_0() {
    let upstream = Upstream::with(|_, request| {
        if request.text().contains("stream") {
            slow_stream()
        } else {
            Answer::new().wait(800).then(Answer::json(CHAT_REPLY))
        }
    })
    .await;
    let mut sluice = start(&upstream, "delay: 300ms, drain: 20s").await;
    let mut streams = Vec::new();
    for _ in 0..50 {
        let mut stream = Stream::open(sluice.api, &chat_stream_request()).await;
        stream.event().await;
        streams.push(stream);
    }
    let mut plain = Client::connect(sluice.api).await;
    plain.send(&Request::post(CHAT, chat()).bearer(KEY).wire()).await;
    upstream.called(51).await;

    sluice.process.signal("TERM");
    for stream in &mut streams {
        let rest = stream.rest().await;
        assert!(rest.done(), "{rest:?}");
    }
    assert_eq!(plain.answer().await.expect(200).text(), CHAT_REPLY);
    drop((streams, plain));
    assert_eq!(sluice.process.exit().await.code(), Some(0), "{}", sluice.process.output());
}

#[tokio::test]
async fn who_was_not_told_of_the_end_may_ask_once_more() {
    let upstream = Upstream::with(|_, request| {
        if request.text().contains("stream") { slow_stream() } else { Answer::json(CHAT_REPLY) }
    })
    .await;
    let mut sluice = start(&upstream, "delay: 0s, drain: 20s").await;
    let mut client = Client::connect(sluice.api).await;
    client.send(&chat_stream_request().wire()).await;
    assert_ne!(client.head().await.get("connection"), "close", "the end has not begun");
    sluice.process.signal("TERM");
    let _ = client.body().await;
    // The listener is closed, and a client's pool has its connection back: it is used for the next request.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let answer =
        client.try_ask(&Request::post(CHAT, chat()).bearer(KEY).wire()).await.expect("an answer").expect(200);
    assert_eq!((answer.text().as_str(), answer.get("connection")), (CHAT_REPLY, "close"));
    assert_eq!(sluice.process.exit().await.code(), Some(0), "{}", sluice.process.output());
}

#[tokio::test]
async fn readiness_goes_first_and_the_listener_stays_open_for_the_delay() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let mut sluice = start(&upstream, "delay: 2s, drain: 20s").await;
    let _ = Request::get("/readyz").send(sluice.admin).await.expect(200);
    let begun = Instant::now();
    sluice.process.signal("TERM");
    while Request::get("/readyz").send(sluice.admin).await.status() == 200 {
        assert!(begun.elapsed() < Duration::from_secs(1), "readiness stays true");
    }
    let answer = Request::post(CHAT, chat()).bearer(KEY).send(sluice.api).await.expect(200);
    assert_eq!(answer.get("connection"), "close", "so that clients go elsewhere");
    assert_eq!(sluice.process.exit().await.code(), Some(0));
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn hung_upstream_is_cut_with_an_error_event_when_the_drain_is_over() {
    let upstream = Upstream::script([Answer::chunked().chunk(delta("a")).hang()]).await;
    let mut sluice = start(&upstream, "delay: 100ms, drain: 700ms").await;
    let mut stream = Stream::open(sluice.api, &chat_stream_request()).await;
    stream.event().await;
    let begun = Instant::now();
    sluice.process.signal("TERM");
    let error = stream.rest().await.error();
    assert!(error["error"]["message"].is_string(), "{error}");
    assert_eq!(sluice.process.exit().await.code(), Some(0), "{}", sluice.process.output());
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(700) && took < Duration::from_millis(700 + 2_500), "{took:?}");
}

#[tokio::test]
async fn sigint_waits_for_no_delay() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let mut sluice = start(&upstream, "delay: 15s, drain: 20s").await;
    let begun = Instant::now();
    sluice.process.signal("INT");
    assert_eq!(sluice.process.exit().await.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn second_signal_ends_at_once() {
    let upstream = Upstream::script([Answer::chunked().chunk(delta("a")).hang()]).await;
    let mut sluice = start(&upstream, "delay: 15s, drain: 60s").await;
    let mut stream = Stream::open(sluice.api, &chat_stream_request()).await;
    stream.event().await;
    sluice.process.signal("TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    sluice.process.signal("TERM");
    sluice.process.exit().await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn every_request_line_is_written_before_the_exit() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let mut sluice = start(&upstream, "delay: 0s, drain: 5s").await;
    for n in 0..200 {
        let request = Request::post(CHAT, chat()).bearer(KEY).header("x-request-id", &format!("line-{n:03}"));
        let _ = request.send(sluice.api).await.expect(200);
    }
    sluice.process.signal("TERM");
    sluice.process.exit().await;
    sluice.process.says("line-199").await;
    assert_eq!(sluice.process.output().matches("\"line-").count(), 200);
}

#[tokio::test]
async fn uploads_under_way_when_the_drain_is_over_are_told_so_and_each_has_its_line() {
    const UPLOADS: usize = 50;
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let mut sluice = start(&upstream, "delay: 0s, drain: 700ms").await;
    let mut clients = Vec::new();
    for n in 0..UPLOADS {
        let mut client = Client::connect(sluice.api).await;
        let request = Request::post(CHAT, chat()).bearer(KEY).header("x-request-id", &format!("up-{n:02}"));
        let wire = request.wire();
        client.send(&wire[..wire.len() - 10]).await;
        clients.push(client);
    }
    // All of them have been read, or the drain would refuse heads instead of bodies.
    let in_flight = format!("sluice_requests_in_flight{{endpoint=\"chat\"}} {UPLOADS}");
    soon("all uploads have begun", async {
        while !Request::get("/metrics").send(sluice.admin).await.text().contains(&in_flight) {}
    })
    .await;
    sluice.process.signal("TERM");
    let mut told = 0;
    for client in &mut clients {
        if let Some(head) = client.try_head().await {
            told += 1;
            assert_eq!(head.status, 503, "{head:?}");
            assert!(head.get("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{head:?}");
        }
    }
    assert!(told > 0, "all were closed without a word");
    assert_eq!(sluice.process.exit().await.code(), Some(0), "{}", sluice.process.output());
    let output = sluice.process.output();
    let lines: Vec<&str> = output.lines().filter(|line| line.contains("\"up-")).collect();
    assert_eq!(lines.len(), UPLOADS, "{output}");
    for line in lines {
        assert!(line.contains("\"outcome\":\"drain\""), "{line}");
    }
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn requests_that_wait_to_be_accepted_when_the_drain_begins_are_answered() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let config = Config::to(&upstream).listener("max_connections: 1");
    let mut sluice = start_as(&config.section("shutdown: {delay: 0s, drain: 20s}")).await;
    // The only one who is accepted; all others wait in the system's queue with their requests sent.
    let mut first = Client::connect(sluice.api).await;
    let wire = Request::post(CHAT, chat()).bearer(KEY).wire();
    first.send(&wire).await;
    let _ = first.answer().await.expect(200);
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut client = Client::connect(sluice.api).await;
        client.send(&wire).await;
        waiting.push(client);
    }
    sluice.process.signal("TERM");
    for client in &mut waiting {
        let answer = client.answer().await.expect(200);
        assert_eq!(answer.get("connection"), "close");
    }
    assert_eq!(sluice.process.exit().await.code(), Some(0), "{}", sluice.process.output());
}
