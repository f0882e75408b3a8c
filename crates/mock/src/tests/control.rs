//! The control paths and the handle.

use std::time::Duration;

use serde_json::json;

use super::Server;

const COMPLETIONS: &str = "/v1/completions";

#[tokio::test]
async fn scripts_are_followed_one_step_for_each_request() {
    let server = Server::start();
    let script = json!([
        { "status": 418, "body": { "odd": true }, "headers": { "x-odd": "yes", "retry-after": "9" } },
        { "body": "not json", "headers": { "content-type": "text/plain" } },
        { "status": 503 },
        { "like": "mock-429" },
        { "delay_ms": 50 }
    ]);
    let config = json!({ "models": [{ "model": "x", "script": script }] });
    assert_eq!(server.post("/__mock/config", config).await.status, 200);
    let ask = async || server.post(COMPLETIONS, json!({ "model": "x", "prompt": "y" })).await;
    let odd = ask().await;
    assert_eq!((odd.status, odd.header("x-odd"), odd.header("retry-after")), (418, Some("yes"), Some("9")));
    assert_eq!(odd.body, r#"{"odd":true}"#);
    let text = ask().await;
    assert_eq!(
        (text.status, text.header("content-type"), text.body.as_str()),
        (200, Some("text/plain"), "not json")
    );
    let statuses = [ask().await.status, ask().await.status, ask().await.status, ask().await.status];
    assert_eq!(statuses, [503, 429, 200, 200]);
}

#[tokio::test]
async fn a_script_may_spell_out_a_streams_bytes_and_its_end() {
    let server = Server::start();
    let script = json!([
        { "chunks": ["data: {\"a\":", "1}\r\n\r", "\n"], "gap_ms": 5 },
        { "chunks": ["data: {}\n\n"], "then": "cut" }
    ]);
    server.post("/__mock/config", json!({ "models": [{ "model": "*", "script": script }] })).await;
    let ask =
        async || server.post(COMPLETIONS, json!({ "model": "any", "prompt": "y", "stream": true })).await;
    let whole = ask().await;
    assert_eq!((whole.body.as_str(), whole.complete), ("data: {\"a\":1}\r\n\r\n", true));
    let cut = ask().await;
    assert_eq!((cut.body.as_str(), cut.complete), ("data: {}\n\n", false));
}

#[tokio::test]
async fn requests_are_recorded_byte_for_byte() {
    let server = Server::start();
    let body = r#"{"model":"m", "prompt":"é", "cache_control":{"z":1,"a":1.10}}"#;
    server
        .send("POST", "/v1/completions?q=1", "x-one: a\r\nx-one: b\r\n", body, Duration::from_secs(10))
        .await;
    server.raw(COMPLETIONS, &json!({ "model": "m", "prompt": "x".repeat(70_000) }).to_string()).await;
    server.raw(COMPLETIONS, r#"{"model":"bench","prompt":"x"}"#).await;
    let recorded = server.get("/__mock/requests").await.json();
    let recorded = recorded.as_array().unwrap();
    assert_eq!(recorded.len(), 2, "bench requests are not recorded");
    assert_eq!(
        (&recorded[0]["method"], &recorded[0]["path"]),
        (&json!("POST"), &json!("/v1/completions?q=1"))
    );
    assert_eq!((&recorded[0]["body"], &recorded[0]["headers"]["x-one"]), (&json!(body), &json!("a, b")));
    assert!(recorded[1]["body"].is_null() && recorded[1]["body_len"].as_u64().unwrap() > 70_000);
    assert_eq!(server.handle.requests()[0].body.as_deref(), Some(body.as_bytes()));
}

#[tokio::test]
async fn everything_asked_is_counted_and_reset_forgets_it() {
    let server = Server::start();
    server.post(COMPLETIONS, json!({ "model": "a/b", "prompt": "x" })).await;
    server.post("/v1/chat/completions", json!({ "model": "bench", "messages": [] })).await;
    server.get("/v1/models").await;
    server.get("/v2/models").await;
    let stats = server.get("/__mock/stats").await.json();
    assert_eq!(stats["requests"], 4);
    assert_eq!(stats["connections"], 5);
    assert_eq!(stats["by_model"], json!({ "a/b": 1, "bench": 1 }));
    let paths = json!({ "/v1/chat/completions": 1, "/v1/completions": 1, "/v1/models": 1, "_other": 1 });
    assert_eq!(stats["by_path"], paths);
    let stats = server.raw("/__mock/reset", "").await.json();
    assert_eq!((&stats["requests"], &stats["by_model"]), (&json!(0), &json!({})));
    assert!(server.handle.requests().is_empty());
}

#[tokio::test]
async fn who_asks_whether_it_is_ready_is_told_and_not_counted() {
    let server = Server::start();
    let answer = server.get("/readyz").await;
    assert_eq!(answer.status, 200);
    assert_eq!(server.get("/__mock/stats").await.json()["requests"], 0);
}

#[tokio::test]
async fn a_wrong_configuration_is_refused_with_its_reason() {
    let server = Server::start();
    for body in [r#"{"chunk":1}"#, r#"{"models":[{"model":"x","script":[{"stat":1}]}]}"#, "{"] {
        let answer = server.raw("/__mock/config", body).await;
        assert_eq!(answer.status, 400);
        assert!(!answer.json()["error"]["message"].as_str().unwrap().is_empty());
    }
    assert_eq!(server.raw("/__mock/config?speed=1", "").await.status, 400);
    assert_eq!(server.get("/__mock/nothing").await.status, 404);
}
