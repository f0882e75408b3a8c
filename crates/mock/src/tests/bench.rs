//! The `bench` models.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Server;

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn answers_are_constant_and_of_the_size_asked_for() {
    let server = Server::start();
    let body = r#"{"model":"bench","messages":[{"role":"user","content":"x"}]}"#;
    let first = server.raw(CHAT, body).await;
    assert_eq!((first.status, first.body.len()), (200, 1024));
    assert_eq!(server.raw(CHAT, body).await.body, first.body);
    assert_eq!(first.json()["choices"][0]["finish_reason"], "stop");
    let settings = server.raw("/__mock/config?size=5000", "").await.json();
    assert_eq!(
        settings,
        json!({ "latency_us": 0, "chunks": 100, "gap_us": 0, "size": 5000, "noise": false })
    );
    assert_eq!(server.raw(CHAT, body).await.body.len(), 5000);
}

#[tokio::test]
async fn streams_have_stamped_chunks_at_the_pace_asked_for() {
    let server = Server::start();
    server.raw("/__mock/config?chunks=6&gap_us=10000&latency_us=20000", "").await;
    for (path, pointer) in [
        ("/v1/completions", "/choices/0/text"),
        (CHAT, "/choices/0/delta/content"),
        ("/v1/responses", "/delta"),
        ("/v1/messages", "/delta/text"),
    ] {
        let begin = Instant::now();
        let answer = server.raw(path, r#"{"model":"bench","stream":true}"#).await;
        assert!(begin.elapsed() >= Duration::from_millis(70), "{path}");
        assert!(answer.complete);
        let text = answer.joined(pointer);
        let stamps: Vec<u64> =
            text.split_whitespace().map(|word| word.strip_prefix("t=").unwrap().parse().unwrap()).collect();
        assert_eq!(stamps.len(), 6, "{path}");
        assert!(stamps.is_sorted() && stamps[5] - stamps[0] > 40_000_000, "{path}: {stamps:?}");
    }
}

#[tokio::test]
async fn usage_comes_when_asked_for() {
    let server = Server::start();
    let plain = server.raw(CHAT, r#"{"model":"bench","stream":true}"#).await;
    assert!(plain.is_done() && !plain.body.contains("usage"));
    let body = r#"{"model":"bench","stream":true,"stream_options":{"include_usage":true}}"#;
    let counted = server.raw(CHAT, body).await;
    assert_eq!(counted.events().last().unwrap()["usage"]["completion_tokens"], 100);
}
