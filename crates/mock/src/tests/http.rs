//! Paths, methods, keys and bodies that are no requests.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Server;
use crate::Options;

/// A request on a connection that stays open, its body sent as `framing` says.
fn kept_alive(framing: &str) -> String {
    format!("POST /v1/completions HTTP/1.1\r\nhost: mock\r\n{framing}")
}

#[tokio::test]
async fn one_connection_takes_many_requests_pipelined_and_chunked_ones_too() {
    let server = Server::start();
    let body = r#"{"model":"bench","prompt":"x"}"#;
    let plain = kept_alive(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    let (one, two) = body.split_at(9);
    let chunks = format!("{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
    let chunked = kept_alive(&format!("transfer-encoding: chunked\r\n\r\n{chunks}"));
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(format!("{plain}{chunked}{plain}").as_bytes()).await.unwrap();
    let mut received = String::new();
    while received.matches("HTTP/1.1 200 OK").count() < 3 {
        let mut buffer = [0; 4096];
        let n = stream.read(&mut buffer).await.unwrap();
        received.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
    }
    let stats = server.handle.stats();
    assert_eq!((stats.connections, stats.requests, stats.aborted), (1, 3, 0));
}

#[tokio::test]
async fn a_prompt_of_ten_mebibytes_is_answered() {
    let server = Server::start();
    let body = format!(r#"{{"model":"m","prompt":"{}","max_tokens":1}}"#, "lorem ipsum ".repeat(900_000));
    let answer = server.raw("/v1/completions", &body).await;
    assert_eq!((answer.status, answer.json()["usage"]["prompt_tokens"].as_u64()), (200, Some(1_800_000)));
}

#[tokio::test]
async fn an_asker_who_leaves_before_the_head_is_noticed() {
    let server = Server::start();
    let body = r#"{"model":"mock-slow-60000","prompt":"x"}"#;
    server.send("POST", "/v1/completions", "", body, Duration::from_millis(100)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stats = server.handle.stats();
    assert_eq!((stats.aborted, stats.in_flight), (1, 0));
}

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_unknown_path_is_404_and_a_wrong_method_405_with_allow() {
    let server = Server::start();
    let answer = server.raw("/v1/nothing", "{}").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    let answer = server.get("/v1/completions").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}

#[tokio::test]
async fn a_malformed_body_is_400_in_the_shape_of_its_family() {
    let server = Server::start();
    for body in ["", "{", "[]", "{}", r#"{"model":7}"#, r#"{"model":"demo"}"#] {
        for path in ["/v1/completions", "/v1/chat/completions", "/v1/responses", "/v1/embeddings"] {
            let answer = server.raw(path, body).await;
            assert_eq!(answer.status, 400, "{path} {body}");
            assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
        }
        let answer = server.raw("/v1/messages", body).await;
        assert_eq!((answer.status, &answer.json()["type"]), (400, &"error".into()));
    }
}

#[tokio::test]
async fn a_required_key_is_asked_for_on_every_path_but_control() {
    let server = Server::with(Options { require_key: Some("sk-up".to_owned()) });
    let body = r#"{"model":"demo","prompt":"x","max_tokens":1}"#;
    assert_eq!(server.raw("/v1/completions", body).await.status, 401);
    for header in ["authorization: Bearer sk-up\r\n", "x-api-key: sk-up\r\n"] {
        assert_eq!(server.send("POST", "/v1/completions", header, body, SOON).await.status, 200);
    }
    let wrong = "authorization: Bearer sk-upp\r\n";
    assert_eq!(server.send("POST", "/v1/completions", wrong, body, SOON).await.status, 401);
    assert_eq!(server.get("/__mock/stats").await.status, 200);
}

#[tokio::test]
async fn models_are_listed_and_found_by_names_with_slashes() {
    let server = Server::start();
    let list = server.get("/v1/models").await.json();
    assert_eq!((&list["object"], &list["data"][0]["id"]), (&"list".into(), &"demo".into()));
    for path in ["/v1/models/poolside/laguna", "/v1/models/poolside%2Flaguna"] {
        assert_eq!(server.get(path).await.json()["id"], "poolside/laguna");
    }
}

#[tokio::test]
async fn real_upstreams_headers_are_there() {
    let server = Server::start();
    let answer = server.raw("/v1/completions", r#"{"model":"m","prompt":"x"}"#).await;
    assert!(answer.header("x-request-id").unwrap().starts_with("req_"));
    assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("10000"));
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#;
    assert!(server.raw("/v1/messages", body).await.header("request-id").is_some());
}
