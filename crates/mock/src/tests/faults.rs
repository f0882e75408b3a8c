//! Models that fail on purpose.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Answer, Server};

async fn ask(server: &Server, model: &str, stream: bool) -> Answer {
    let body = json!({ "model": model, "prompt": "x", "stream": stream }).to_string();
    server.send("POST", "/v1/completions", "", &body, Duration::from_millis(700)).await
}

fn pieces(answer: &Answer) -> usize {
    answer
        .events()
        .iter()
        .filter(|event| event.pointer("/choices/0/text").is_some_and(|text| text != ""))
        .count()
}

#[tokio::test]
async fn a_status_in_the_name_is_answered_with_a_typical_error() {
    let server = Server::start();
    for status in [400, 401, 404, 418, 429, 500, 503, 529] {
        let answer = ask(&server, &format!("mock-{status}"), true).await;
        assert_eq!(answer.status, status);
        assert!(answer.json()["error"]["message"].is_string());
    }
    assert_eq!(ask(&server, "mock-429", false).await.header("retry-after"), Some("2"));
    let body =
        json!({ "model": "mock-529", "max_tokens": 1, "messages": [{ "role": "user", "content": "x" }] });
    assert_eq!(server.post("/v1/messages", body).await.json()["error"]["type"], "overloaded_error");
}

#[tokio::test]
async fn demo_models_fail_in_their_rhythm() {
    let server = Server::start();
    let mut statuses = Vec::new();
    for _ in 0..10 {
        statuses.push(ask(&server, "demo-flaky", false).await.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 500).count(), 3);
    assert_eq!(ask(&server, "demo-down", false).await.status, 503);
    assert_eq!(ask(&server, "demo-limited", false).await.status, 200);
    assert_eq!(ask(&server, "demo-limited", false).await.status, 429);
}

#[tokio::test]
async fn a_cut_stream_delivers_its_pieces_and_then_breaks() {
    let server = Server::start();
    for n in [0, 1, 5] {
        let answer = ask(&server, &format!("mock-cut-{n}"), true).await;
        assert_eq!((answer.status, pieces(&answer), answer.complete), (200, n, false));
    }
    let plain = ask(&server, "mock-cut-1", false).await;
    assert!(plain.status == 200 && !plain.complete && !plain.body.is_empty());
}

#[tokio::test]
async fn an_early_end_is_clean_and_without_done() {
    let server = Server::start();
    for n in [0, 3] {
        let answer = ask(&server, &format!("mock-eof-{n}"), true).await;
        assert_eq!((pieces(&answer), answer.complete, answer.is_done()), (n, true, false));
    }
    let plain = ask(&server, "mock-eof-1", false).await;
    assert!(plain.complete && serde_json::from_str::<serde_json::Value>(&plain.body).is_err());
}

#[tokio::test]
async fn a_hanging_answer_keeps_its_connection_and_counts_as_aborted_when_its_reader_leaves() {
    let server = Server::start();
    let answer = ask(&server, "mock-hang-2", true).await;
    assert_eq!((answer.status, pieces(&answer), answer.complete), (200, 2, false));
    let nothing = ask(&server, "mock-hang-0", true).await;
    assert_eq!((nothing.status, nothing.body.as_str()), (200, ""));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stats = server.handle.stats();
    assert_eq!((stats.aborted, stats.in_flight, stats.open), (2, 0, 0));
}

#[tokio::test]
async fn an_error_event_ends_a_stream() {
    let server = Server::start();
    let answer = ask(&server, "mock-error-2", true).await;
    let events = answer.events();
    assert!(answer.complete && !answer.is_done());
    assert_eq!((events.len(), &events[2]["error"]["type"]), (3, &json!("server_error")));
    assert_eq!(ask(&server, "mock-error-2", false).await.status, 500);
}

#[tokio::test]
async fn answers_that_are_no_answers() {
    let server = Server::start();
    let html = ask(&server, "mock-html", false).await;
    assert_eq!((html.status, html.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let garbage = ask(&server, "mock-garbage", false).await;
    assert!(garbage.complete && serde_json::from_str::<serde_json::Value>(&garbage.body).is_err());
    assert_eq!(ask(&server, "mock-drop", false).await.head, "");
}

#[tokio::test]
async fn streams_have_exactly_the_pieces_in_their_names() {
    let server = Server::start();
    for n in [0, 1, 1000] {
        let answer = ask(&server, &format!("mock-stream-{n}"), true).await;
        assert_eq!((pieces(&answer), answer.is_done()), (n, true));
    }
    assert_eq!(server.handle.stats().chunks, 1001);
}

#[tokio::test]
async fn paces_and_delays_are_kept() {
    let server = Server::start();
    let begin = Instant::now();
    let answer = ask(&server, "mock-pace-20-5", true).await;
    assert!(answer.is_done() && pieces(&answer) == 5 && begin.elapsed() >= Duration::from_millis(80));
    for model in ["mock-slow-100", "mock-late-100"] {
        let begin = Instant::now();
        assert!(ask(&server, model, true).await.is_done());
        assert!(begin.elapsed() >= Duration::from_millis(100));
    }
}

#[tokio::test]
async fn echo_says_the_body_byte_for_byte() {
    let server = Server::start();
    let body = r#"{ "model":"mock-echo" , "prompt":"caf\u00e9 é 漢字", "seed":9007199254740993, "x": 1.10 }"#;
    let plain = server.raw("/v1/completions", body).await.json();
    assert_eq!(plain["choices"][0]["text"], body);
}
