//! Streams: every byte passes, as soon as it comes, and stops when nobody reads.

use crate::support::{CHAT, DONE, RESPONSES, chat, chat_events, chat_stream_request, delta, finish, usage};
use sluice_tests::{
    client::{Client, Request},
    gateway::{Config, Gateway, KEY},
    process::{self, Process},
    sse::Stream,
    upstream::{Answer, Upstream},
};
use std::time::{Duration, Instant};

/// A chat stream of which the client wants the usage, so that nothing has to be changed.
fn with_usage() -> Request {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}"#;
    Request::post(CHAT, body).bearer(KEY)
}

/// What the client gets from an upstream that sends `events`.
async fn through(events: &str, request: &Request) -> (Stream, String, Upstream) {
    let upstream = Upstream::script([Answer::sse(events.to_owned())]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut stream = Stream::open(gateway.api, request).await;
    let got = String::from_utf8(stream.rest().await.bytes().to_vec()).unwrap();
    (stream, got, upstream)
}

#[tokio::test]
async fn every_byte_of_a_stream_passes_untouched() {
    let odd = "data:{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\u00e9é \\ud83d\\ude00\"}}], \"n\": 9007199254740993, \
               \"x\":1.10,\"obfuscation\":\"aB3\" }\n\nid: 7\nevent: message\ndata: {\"choices\":[]\ndata: }\n\n\
               data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\r\n\r\n";
    let events = format!("{odd}{}{DONE}", usage());
    let (_, got, upstream) = through(&events, &with_usage()).await;
    assert_eq!(got, events);
    assert_eq!(
        upstream.request().text(),
        r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}"#
    );
}

#[tokio::test]
async fn a_stream_is_marked_as_one_that_nobody_may_store_or_hold_back() {
    let (stream, ..) = through(&chat_events(&["a"]), &chat_stream_request()).await;
    assert_eq!(stream.head.status, 200);
    assert_eq!(stream.head.get("content-type"), "text/event-stream; charset=utf-8");
    assert!(stream.head.get("cache-control").contains("no-cache"));
    assert!(!stream.head.has("content-length"));
    assert!(stream.head.has("x-request-id"));
}

#[tokio::test]
async fn usage_is_asked_for_and_its_chunk_removed_again() {
    let events = format!("{}{}{}{DONE}", delta("a"), finish(), usage());
    let (_, got, upstream) = through(&events, &chat_stream_request()).await;
    assert_eq!(got, format!("{}{}{DONE}", delta("a"), finish()));
    assert_eq!(upstream.request().json()["stream_options"]["include_usage"], true);
}

#[tokio::test]
async fn usage_that_the_client_asked_for_stays() {
    let events = format!("{}{}{}{DONE}", delta("a"), finish(), usage());
    let (_, got, _) = through(&events, &with_usage()).await;
    assert_eq!(got, events);
}

#[tokio::test]
async fn usage_that_the_client_declined_is_still_counted_and_removed() {
    let events = format!("{}{}{}{DONE}", delta("a"), finish(), usage());
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":false,"x":[1.10]}}"#;
    let (_, got, upstream) = through(&events, &Request::post(CHAT, body).bearer(KEY)).await;
    assert!(!got.contains("prompt_tokens"), "{got}");
    assert!(upstream.request().text().contains("\"x\":[1.10]"), "its other members stay");
    assert_eq!(upstream.request().json()["stream_options"]["include_usage"], true);
}

#[tokio::test]
async fn usage_on_a_chunk_with_content_stays() {
    let events = format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"a\"}},\"finish_reason\":\"stop\"}}],\
         \"usage\":{{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}}}\n\n{DONE}"
    );
    let (_, got, _) = through(&events, &chat_stream_request()).await;
    assert_eq!(got, events);
}

#[tokio::test]
async fn an_upstream_that_refuses_stream_options_is_not_asked() {
    let upstream = Upstream::script([Answer::sse(chat_events(&["a"]))]).await;
    let gateway = Config::to(&upstream).provider("stream_usage: never").start().await;
    let mut stream = Stream::open(gateway.api, &chat_stream_request()).await;
    assert!(stream.rest().await.done());
    assert!(!upstream.request().text().contains("stream_options"));
}

#[tokio::test]
async fn named_events_of_the_responses_api_pass_and_end_without_done() {
    let events = "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\"}}\n\n\
                  event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"delta\":\"a\"}\n\n\
                  event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":2,\"response\":{\"id\":\"r\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1,\"total_tokens\":2}}}\n\n";
    let request = Request::post(RESPONSES, r#"{"model":"m","input":"hi","stream":true}"#).bearer(KEY);
    let (_, got, upstream) = through(events, &request).await;
    assert_eq!(got, events);
    assert_eq!(upstream.request().text(), r#"{"model":"m","input":"hi","stream":true}"#);
}

#[tokio::test]
async fn paced_chunks_arrive_one_by_one() {
    const CHUNKS: usize = 40;
    let mut answer = Answer::stream();
    for n in 0..CHUNKS {
        answer = answer.send(delta(&n.to_string())).wait(10);
    }
    let upstream = Upstream::script([answer.send(format!("{}{DONE}", finish())).close()]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut stream = Stream::open(gateway.api, &chat_stream_request()).await;
    let times: Vec<Instant> = stream.rest().await.events.iter().take(CHUNKS).map(|event| event.at).collect();
    // Without TCP_NODELAY about four chunks wait for one acknowledgement and arrive together.
    let apart = times.windows(2).filter(|pair| pair[1] - pair[0] > Duration::from_millis(4)).count();
    assert!(apart > CHUNKS / 2, "only {apart} of {CHUNKS} chunks came apart");
}

#[tokio::test]
async fn any_split_of_the_upstreams_bytes_gives_the_same_events() {
    let events = format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"é😀\"}},\"finish_reason\":\"stop\"}}]}}\r\n\r\n{DONE}"
    );
    let bytes = bytes::Bytes::from(events.clone());
    let (length, cut) = (bytes.len(), bytes.clone());
    let upstream = Upstream::with(move |n, _| {
        Answer::stream().send(cut.slice(..n)).wait(2).send(cut.slice(n..)).close()
    })
    .await;
    let gateway = Gateway::before(&upstream).await;
    for at in 0..length {
        let mut stream = Stream::open(gateway.api, &with_usage()).await;
        assert_eq!(stream.rest().await.bytes(), bytes, "cut at byte {at}");
    }
}

#[tokio::test]
async fn a_stream_that_drips_byte_by_byte_is_whole() {
    let events = chat_events(&["a", "b"]);
    let upstream =
        Upstream::script([Answer::stream().drip(events.clone(), Duration::from_millis(1)).close()]).await;
    let gateway = Config::to(&upstream).timeouts("idle: 400ms").start().await;
    let mut stream = Stream::open(gateway.api, &chat_stream_request()).await;
    assert_eq!(stream.rest().await.bytes(), events);
}

#[tokio::test]
async fn a_slow_first_byte_within_the_timeout_is_waited_for() {
    let upstream = Upstream::script([Answer::new()
        .wait(700)
        .send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        .send(chat_events(&["late"]))
        .close()])
    .await;
    let gateway = Gateway::before(&upstream).await;
    let mut stream = Stream::open(gateway.api, &chat_stream_request()).await;
    assert!(stream.rest().await.done());
}

#[tokio::test]
async fn silence_is_filled_with_comments_between_events() {
    let half = delta("second").len() / 2;
    let second = bytes::Bytes::from(delta("second"));
    let answer = Answer::stream()
        .wait(350)
        .send(delta("first"))
        .wait(350)
        .send(second.slice(..half))
        .wait(350)
        .send(second.slice(half..))
        .send(format!("{}{DONE}", finish()))
        .close();
    let upstream = Upstream::script([answer]).await;
    let gateway =
        Config::to(&upstream).section("resilience: {heartbeat: 100ms, commit_after: 100ms}").start().await;
    let mut stream = Stream::open(gateway.api, &chat_stream_request()).await;
    let all = stream.rest().await;
    let comments = |events: &[sluice_tests::sse::Event]| events.iter().filter(|e| e.is_comment()).count();
    let at = |text: &str| all.events.iter().position(|event| event.data().contains(text)).unwrap();
    assert!(comments(&all.events[..at("first")]) >= 1, "before the first event: {all:?}");
    assert!(comments(&all.events[at("first")..at("second")]) >= 1, "between events: {all:?}");
    assert_eq!(all.bytes(), chat_events(&["first", "second"]), "no comment inside an event");
}

#[tokio::test]
async fn a_stream_without_done_whose_choices_have_finished_ends_as_it_is() {
    let events = format!("{}{}", delta("a"), finish());
    let (_, got, _) = through(&events, &chat_stream_request()).await;
    assert_eq!(got, events);
}

#[tokio::test]
async fn nothing_follows_done_and_an_upstream_that_talks_on_is_left() {
    let drip = ": still here\n\n".repeat(1_000);
    let answer = Answer::stream().send(chat_events(&["a"])).drip(drip, Duration::from_millis(10));
    let upstream = Upstream::script([answer]).await;
    let gateway =
        Config::to(&upstream).section("resilience: {heartbeat: 100ms, commit_after: 100ms}").start().await;
    let mut stream = Stream::open(gateway.api, &chat_stream_request()).await;
    while !stream.event().await.is_done() {}
    let done = Instant::now();
    let rest = stream.rest().await;
    assert!(rest.events.is_empty() && !rest.cut, "{rest:?}");
    assert!(done.elapsed() < Duration::from_millis(1_500), "{:?}", done.elapsed());
    upstream.left(1).await;
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_cancels_the_upstream() {
    let upstream = Upstream::script([Answer::chunked().chunk(delta("a")).hang()]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut stream = Stream::open(gateway.api, &chat_stream_request()).await;
    stream.event().await;
    let left = Instant::now();
    drop(stream);
    let cancelled = upstream.left(1).await - left;
    assert!(cancelled <= Duration::from_millis(250), "{cancelled:?}");
}

#[tokio::test]
async fn a_client_that_leaves_with_a_reset_cancels_the_upstream() {
    let upstream = Upstream::script([Answer::chunked().chunk(delta("a")).hang()]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut stream = Stream::open(gateway.api, &chat_stream_request()).await;
    stream.event().await;
    let left = Instant::now();
    stream.client.reset();
    let cancelled = upstream.left(1).await - left;
    assert!(cancelled <= Duration::from_millis(250), "{cancelled:?}");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_byte_cancels_the_upstream() {
    for request in [chat_stream_request(), Request::post(CHAT, chat()).bearer(KEY)] {
        let upstream = Upstream::script([Answer::new().hang()]).await;
        let gateway = Gateway::before(&upstream).await;
        let mut client = Client::connect(gateway.api).await;
        client.send(&request.wire()).await;
        upstream.called(1).await;
        let left = Instant::now();
        drop(client);
        let cancelled = upstream.left(1).await - left;
        assert!(cancelled <= Duration::from_millis(250), "{cancelled:?}");
    }
}

#[tokio::test]
async fn five_thousand_events_are_five_thousand_events() {
    let mut events: String = (0..5_000).map(|n| delta(&n.to_string())).collect();
    events.push_str(&finish());
    events.push_str(DONE);
    let (_, got, _) = through(&events, &chat_stream_request()).await;
    assert!(got == events, "{} bytes instead of {}", got.len(), events.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_concurrent_streams_each_get_their_own_answer() {
    const STREAMS: usize = 1_000;
    let upstream = Upstream::with(|_, request| {
        let body = request.json();
        let name = body["messages"][0]["content"].as_str().expect("a name").to_owned();
        let events = chat_events(&[&name, &name, &name]);
        let half = events.len() / 2;
        Answer::chunked().chunk(&events[..half]).wait(500).chunk(&events[half..]).last_chunk()
    })
    .await;
    let gateway = Config::to(&upstream).timeouts("connect: 20s").start().await;
    let mut clients = tokio::task::JoinSet::new();
    for n in 0..STREAMS {
        let api = gateway.api;
        clients.spawn(async move {
            let name = format!("stream-{n}");
            let body =
                format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{name}"}}],"stream":true}}"#);
            let mut stream = Stream::open(api, &Request::post(CHAT, body).bearer(KEY)).await;
            assert_eq!(stream.rest().await.bytes(), chat_events(&[&name, &name, &name]));
        });
    }
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    assert_eq!(upstream.calls(), STREAMS);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_upstream_back() {
    const WHOLE: usize = 256 * 1024 * 1024;
    let kilobyte = delta(&"x".repeat(900));
    let times = WHOLE / kilobyte.len();
    let upstream = Upstream::script([Answer::stream().repeat(kilobyte, times).close()]).await;
    let gateway = Gateway::before(&upstream).await;
    let stream = Stream::open(gateway.api, &chat_stream_request()).await;
    // Wait until nothing moves any more: all buffers between the two ends are full.
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let sent = upstream.sent();
        if sent == before {
            break;
        }
        before = sent;
    }
    assert!(before < WHOLE / 4, "{before} bytes were taken for a client that reads nothing");
    drop(stream);
}

#[tokio::test]
async fn memory_does_not_grow_with_a_streams_length() {
    let kilobyte = delta(&"x".repeat(900));
    let upstream = Upstream::script([Answer::stream().repeat(kilobyte, 60_000).close()]).await;
    let folder = tempfile::tempdir().unwrap();
    let (api, admin) = (process::free_port(), process::free_port());
    let file = folder.path().join("sluice.yaml");
    let yaml = Config::to(&upstream).yaml(&format!("127.0.0.1:{api}"), &format!("127.0.0.1:{admin}"));
    std::fs::write(&file, yaml).unwrap();
    let sluice = Process::start(process::command(&["serve", "--config", file.to_str().unwrap()]));
    let api = ([127, 0, 0, 1], api).into();
    sluice.listens(api).await;
    let mut stream = Stream::open(api, &chat_stream_request()).await;
    stream.event().await;
    let start = sluice.rss_mib();
    let (mut most, mut events) = (start, 0_usize);
    while let Ok(Some(_)) = stream.next().await {
        events += 1;
        if events.is_multiple_of(5_000) {
            most = most.max(sluice.rss_mib());
        }
    }
    assert!(events > 50_000, "{events} events");
    assert!(most < start + 16, "{start} MiB at the start, {most} MiB on the way");
}
