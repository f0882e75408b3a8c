//! Paths, methods, keys and bodies that are no requests.

use std::time::Duration;

use super::Server;
use crate::Options;

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
