//! Streams that break: a cut answer never looks whole, whatever cut it.

use crate::support::{
    CHAT, COMPLETIONS, DONE, RESPONSES, chat_events, chat_stream_request, completion, delta, finish,
};
use serde_json::Value;
use sluice_tests::{
    client::Request,
    gateway::{Config, Gateway, KEY},
    sse::{Events, Stream},
    upstream::{Answer, Upstream},
};
use std::time::{Duration, Instant};

/// What the client reads from an upstream that breaks like this.
async fn broken(answer: Answer) -> (Events, Upstream) {
    let upstream = Upstream::script([answer]).await;
    let gateway = Config::to(&upstream).timeouts("first_byte: 2s, idle: 400ms").start().await;
    let mut stream = Stream::open(gateway.api, &chat_stream_request()).await;
    assert_eq!(stream.head.status, 200);
    (stream.rest().await, upstream)
}

/// The answer was cut; which word says so is a matter of how.
#[track_caller]
fn cut(error: &Value) {
    let code = error["code"].as_str().unwrap_or_default();
    assert!(matches!(code, "upstream_error" | "bad_upstream_response"), "{error}");
}

/// Two good events, then the break; both events and one error must arrive.
async fn error_after_two_events(then: impl FnOnce(Answer) -> Answer) -> Value {
    let start = Answer::stream().send(delta("one")).send(delta("two")).wait(50);
    let (events, upstream) = broken(then(start)).await;
    let good = format!("{}{}", delta("one"), delta("two"));
    assert!(events.bytes().starts_with(good.as_bytes()), "the good events: {events:?}");
    assert_eq!(upstream.calls(), 1, "one attempt");
    events.error()["error"].clone()
}

#[tokio::test]
async fn eof_without_done_is_an_error_event() {
    let error = error_after_two_events(Answer::close).await;
    assert_eq!(error["type"], "server_error");
    cut(&error);
    assert!(!error["message"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn reset_mid_stream_is_an_error_event() {
    let error = error_after_two_events(Answer::reset).await;
    cut(&error);
}

#[tokio::test]
async fn cut_chunked_body_is_an_error_event() {
    let answer = Answer::chunked().chunk(delta("one")).send("ffff\r\ndata: {").close();
    let (events, _) = broken(answer).await;
    cut(&events.error()["error"]);
}

#[tokio::test]
async fn cut_event_is_an_error_event_and_not_half_an_event() {
    let error = error_after_two_events(|answer| answer.send("data: {\"choices\":[{\"ind").close()).await;
    cut(&error);
}

#[tokio::test]
async fn malformed_event_is_an_error_event() {
    let error = error_after_two_events(|answer| {
        answer.send("data: {\"choices\": nope}\n\n").send(chat_events(&["three"])).close()
    })
    .await;
    assert_eq!(error["code"], "bad_upstream_response");
}

#[tokio::test]
async fn too_long_event_is_an_error_event() {
    let line = format!("data: {{\"x\":\"{}\"}}\n\n", "x".repeat(1_200_000));
    let error = error_after_two_events(|answer| answer.send(line).close()).await;
    assert_eq!(error["code"], "bad_upstream_response");
}

#[tokio::test]
async fn endless_line_is_an_error_event_and_the_upstream_is_left() {
    let answer =
        Answer::stream().send(delta("one")).wait(50).send("data: ").repeat("x".repeat(65_536), 2_000);
    let (events, upstream) = broken(answer.hang()).await;
    assert_eq!(events.error()["error"]["code"], "bad_upstream_response");
    upstream.left(1).await;
}

#[tokio::test]
async fn error_event_of_the_upstream_passes_and_nothing_follows() {
    let event = "data: {\"error\":{\"message\":\"the engine stopped\",\"type\":\"server_error\",\"code\":\"boom\"}}\n\n";
    let error = error_after_two_events(|answer| answer.send(format!("{event}{DONE}")).close()).await;
    assert!(error["message"].as_str().unwrap().contains("the engine stopped"), "{error}");
}

#[tokio::test]
async fn hang_in_a_stream_is_an_error_event_after_the_idle_time() {
    let begun = Instant::now();
    let (events, upstream) = broken(Answer::stream().send(delta("one")).hang()).await;
    assert_eq!(events.error()["error"]["code"], "upstream_timeout");
    assert!(begun.elapsed() < Duration::from_millis(400 + 2_000), "{:?}", begun.elapsed());
    upstream.left(1).await;
}

#[tokio::test]
async fn whole_stream_longer_than_its_total_time_is_an_error_event() {
    let answer =
        Answer::stream().send(delta("first")).drip(chat_events(&["a"]), Duration::from_millis(20)).close();
    let upstream = Upstream::script([answer]).await;
    let gateway = Config::to(&upstream).timeouts("total: 600ms").start().await;
    let mut stream = Stream::open(gateway.api, &chat_stream_request()).await;
    assert_eq!(stream.rest().await.error()["error"]["code"], "upstream_timeout");
}

#[tokio::test]
async fn error_status_before_the_stream_is_a_plain_json_error() {
    let upstream = Upstream::script([Answer::error(400, r#"{"error":{"message":"bad temperature"}}"#)]).await;
    let gateway = Gateway::before(&upstream).await;
    let answer = chat_stream_request().send(gateway.api).await.expect(400);
    assert!(answer.get("content-type").contains("json"));
    assert!(answer.message().contains("bad temperature"), "{}", answer.text());
}

#[tokio::test]
async fn stream_request_answered_with_plain_json_is_a_bad_answer_or_that_json() {
    let upstream = Upstream::script([Answer::json(crate::support::CHAT_REPLY)]).await;
    let gateway = Gateway::before(&upstream).await;
    let answer = chat_stream_request().send(gateway.api).await;
    match answer.status() {
        200 => assert_eq!(answer.text(), crate::support::CHAT_REPLY),
        502 => assert_eq!(answer.code(), "bad_upstream_response"),
        other => panic!("{other}: {}", answer.text()),
    }
}

#[tokio::test]
async fn break_after_the_last_choice_has_finished_is_a_normal_end() {
    let events = format!("{}{}", delta("a"), finish());
    let (got, _) = broken(Answer::stream().send(events.clone()).wait(50).close()).await;
    assert_eq!(got.bytes(), events);
    assert!(!got.cut);
}

#[tokio::test]
async fn error_event_of_a_completion_stream_has_the_contracts_members() {
    let event = "data: {\"id\":\"c\",\"object\":\"text_completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"text\":\"a\",\"finish_reason\":null}]}\n\n";
    let upstream = Upstream::script([Answer::stream().send(event).wait(50).reset()]).await;
    let gateway = Gateway::before(&upstream).await;
    let request = Request::post(COMPLETIONS, completion(r#","stream":true"#)).bearer(KEY);
    let error = Stream::open(gateway.api, &request).await.rest().await.error();
    assert_eq!(error["status"], 502);
    assert_eq!(error["title"], "Bad Gateway");
    assert_eq!(error["error"]["type"], "server_error");
    assert_eq!(error["detail"], error["error"]["message"]);
}

#[tokio::test]
async fn error_event_of_a_responses_stream_is_named() {
    let events = "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{}}\n\n\
                  event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"delta\":\"a\"}\n\n";
    let upstream = Upstream::script([Answer::stream().send(events).wait(50).reset()]).await;
    let gateway = Gateway::before(&upstream).await;
    let request = Request::post(RESPONSES, r#"{"model":"m","input":"hi","stream":true}"#).bearer(KEY);
    let events = Stream::open(gateway.api, &request).await.rest().await;
    let last = events.events.last().unwrap();
    assert!(last.raw.starts_with(b"event: error\n"), "{events:?}");
    assert_eq!(last.json()["type"], "error");
}

#[tokio::test]
async fn provider_secret_echoed_in_a_stream_error_is_hidden() {
    let event =
        "data: {\"error\":{\"message\":\"key sk-provider-secret at http://10.1.2.3:8000/v1 failed\"}}\n\n";
    let error = error_after_two_events(|answer| answer.send(event).close()).await;
    let text = error.to_string();
    assert!(!text.contains("sk-provider-secret") && !text.contains("10.1.2.3"), "{text}");
}

#[tokio::test]
async fn hang_before_the_first_event_is_a_timeout() {
    for answer in [Answer::new().hang(), Answer::stream().hang()] {
        let upstream = Upstream::script([answer]).await;
        let gateway = Config::to(&upstream).timeouts("first_byte: 300ms").start().await;
        let request = Request::post(CHAT, crate::support::chat_stream()).bearer(KEY);
        let answer = request.send(gateway.api).await.expect(504);
        assert_eq!(answer.code(), "upstream_timeout");
        assert_eq!(upstream.calls(), 1, "a timeout is never tried again at the same target");
        upstream.left(1).await;
    }
}

#[tokio::test]
async fn stream_that_says_a_mebibyte_before_any_content_is_502_and_the_upstream_is_left() {
    let role = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
    let comment = format!(": {}\n\n", "x".repeat(1_000));
    for event in [role.to_owned(), comment] {
        let times = (1 << 20) / event.len() + 2;
        let flood = Answer::stream().repeat(event, times).hang();
        let upstream = Upstream::script([flood]).await;
        let gateway = Gateway::before(&upstream).await;
        let answer = chat_stream_request().send(gateway.api).await.expect(502);
        assert_eq!(answer.code(), "bad_upstream_response");
        assert!(answer.get("content-type").contains("json"), "{:?}", answer.head);
        upstream.left(1).await;
    }
}
