//! Anthropic's dialect for clients: its paths, keys, headers, errors and models, before an upstream that speaks it and
//! before one that does not.

use crate::support::{CHAT_REPLY, DONE, delta, finish, usage};
use serde_json::json;
use sluice_tests::{
    client::Request,
    gateway::{Config, Gateway, KEY},
    upstream::{Answer, Upstream},
};

pub const MESSAGES: &str = "/v1/messages";
const COUNT: &str = "/v1/messages/count_tokens";
const HI: &str = r#"{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"hi"}]}"#;

/// A plain answer of an Anthropic upstream.
pub const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":20,"cache_read_input_tokens":100,"output_tokens":1}}"#;

/// The same as a stream.
pub fn message_events() -> String {
    [
        r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":20,"cache_read_input_tokens":100,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"h"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"i"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}}"#,
        r#"{"type":"message_stop"}"#,
    ]
    .iter()
    .map(|data| {
        let kind = serde_json::from_str::<serde_json::Value>(data).expect("JSON")["type"].clone();
        format!("event: {}\ndata: {data}\n\n", kind.as_str().expect("a type"))
    })
    .collect()
}

/// A gateway before an upstream of that kind.
pub async fn claude(upstream: &Upstream) -> Gateway {
    Config::to(upstream).kind("anthropic").start().await
}

fn streamed() -> String {
    HI.replace("\"max_tokens\"", "\"stream\":true,\"max_tokens\"")
}

fn post(path: &str, body: &str) -> Request {
    Request::post(path, body.to_owned()).header("x-api-key", KEY).header("anthropic-version", "2026-10-21")
}

#[tokio::test]
async fn bodies_and_answers_pass_byte_for_byte_where_both_ends_speak_it() {
    let upstream = Upstream::script([Answer::json(MESSAGE)]).await;
    let gateway = claude(&upstream).await;
    let body = r#"{ "max_tokens":64,"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"\u00e9","cache_control":{"ttl":"1h","type":"ephemeral","x":1.10}}]}],"future":{"b":1,"a":9007199254740993}}"#;
    for path in [MESSAGES, "/anthropic/v1/messages"] {
        let answer = post(path, body).header("anthropic-beta", "one,two").send(gateway.api).await.expect(200);
        assert_eq!(answer.text(), MESSAGE);
        assert_eq!(answer.get("request-id"), answer.get("x-request-id"));
    }
    let received = &upstream.requests()[1];
    assert_eq!(received.text(), body);
    assert!(received.head.starts_with("POST /v1/messages HTTP/1.1"), "{}", received.head);
    assert_eq!(received.header("x-api-key"), Some("sk-provider-secret"));
    assert_eq!(received.header("authorization"), None, "the client's key stays here");
    assert_eq!(received.header("anthropic-version"), Some("2026-10-21"));
    assert_eq!(received.header("anthropic-beta"), Some("one,two"));
}

#[tokio::test]
async fn a_stream_passes_as_it_came_and_is_counted_with_its_caches() {
    let upstream = Upstream::script([Answer::sse(message_events())]).await;
    let gateway = claude(&upstream).await;
    let answer = post(MESSAGES, &streamed()).send(gateway.api).await;
    assert_eq!(answer.expect(200).text(), message_events());
    gateway.metric_is("sluice_tokens_total{model=\"m\",provider=\"up\",type=\"cache_read\"}", 100.0).await;
}

#[tokio::test]
async fn either_header_is_a_key_and_a_wrong_one_is_refused_in_its_words() {
    let upstream = Upstream::script([Answer::json(MESSAGE)]).await;
    let gateway = claude(&upstream).await;
    let plain = Request::post(MESSAGES, HI);
    let _ = plain.clone().bearer(KEY).send(gateway.api).await.expect(200);
    let _ = plain.clone().header("x-api-key", KEY).send(gateway.api).await.expect(200);
    for request in [plain.clone(), plain.clone().header("x-api-key", "sk-ant-wrong")] {
        let answer = request.send(gateway.api).await.expect(401);
        let body = answer.json();
        assert_eq!(
            (&body["type"], &body["error"]["type"]),
            (&json!("error"), &json!("authentication_error"))
        );
        assert_eq!(body["request_id"], answer.get("request-id"));
    }
    let chat = Request::post("/v1/chat/completions", crate::support::chat()).header("x-api-key", KEY);
    let _ = chat.send(gateway.api).await.expect(401);
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn faults_are_told_in_its_form() {
    let upstream = Upstream::script([Answer::json(MESSAGE)]).await;
    let gateway = claude(&upstream).await;
    for (path, body, status, kind) in [
        (MESSAGES, r#"{"model":"m","messages":[]}"#, 400, "invalid_request_error"),
        (MESSAGES, "{", 400, "invalid_request_error"),
        (MESSAGES, &*HI.replace("\"m\"", "\"nobody\""), 404, "not_found_error"),
        ("/anthropic/v1/nothing", HI, 404, "not_found_error"),
    ] {
        let answer = post(path, body).send(gateway.api).await.expect(status);
        let said = answer.json();
        assert_eq!((&said["type"], &said["error"]["type"]), (&json!("error"), &json!(kind)), "{said}");
        assert!(!said["error"]["message"].as_str().expect("a message").is_empty());
    }
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_count_is_made_by_the_upstream_that_can_and_here_otherwise() {
    let body =
        r#"{"model":"m","messages":[{"role":"user","content":"How many tokens are in this sentence?"}]}"#;
    let upstream = Upstream::script([Answer::json(r#"{"input_tokens":17}"#)]).await;
    let gateway = claude(&upstream).await;
    assert_eq!(post(COUNT, body).send(gateway.api).await.expect(200).json(), json!({"input_tokens": 17}));
    assert!(upstream.request().head.starts_with("POST /v1/messages/count_tokens "));
    // What it has used is counted with it.
    gateway
        .metric_is("sluice_upstream_attempts_total{outcome=\"ok\",provider=\"up\",upstream_model=\"m\"}", 1.0)
        .await;
    assert_eq!(gateway.metric("sluice_tokens_total{model=\"m\",provider=\"up\",type=\"input\"}").await, 0.0);

    let other = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Gateway::before(&other).await;
    let count = post(COUNT, body).send(gateway.api).await.expect(200).json()["input_tokens"].as_u64();
    assert!((6..=24).contains(&count.expect("a number")), "{count:?}");
    assert_eq!(other.calls(), 0);
    let _ = post(COUNT, r#"{"model":"m"}"#).send(gateway.api).await.expect(400);
}

#[tokio::test]
async fn models_are_listed_in_the_shape_of_whoever_asks() {
    let upstream = Upstream::script([Answer::json(MESSAGE)]).await;
    let gateway = claude(&upstream).await;
    let ours =
        |path: &str| Request::get(path).header("x-api-key", KEY).header("anthropic-version", "2023-06-01");
    let list = ours("/v1/models?limit=20").send(gateway.api).await.expect(200).json();
    assert_eq!((&list["data"][0]["type"], &list["data"][0]["id"]), (&json!("model"), &json!("m")));
    assert_eq!(
        (&list["has_more"], &list["first_id"], &list["last_id"]),
        (&json!(false), &json!("m"), &json!("m"))
    );
    assert_eq!(
        ours("/anthropic/v1/models/m").send(gateway.api).await.expect(200).json()["display_name"],
        "m"
    );
    assert_eq!(gateway.get("/v1/models").await.expect(200).json()["object"], "list");
}

#[tokio::test]
async fn an_upstream_that_speaks_chat_alone_answers_it_too() {
    let upstream = Upstream::with(|_, request| {
        if request.json()["stream"] == true {
            Answer::sse([delta("h"), delta("i"), finish(), usage(), DONE.into()].concat())
        } else {
            Answer::json(CHAT_REPLY)
        }
    })
    .await;
    let gateway = Gateway::before(&upstream).await;
    let answer = post(MESSAGES, HI).header("anthropic-beta", "one").send(gateway.api).await.expect(200);
    let said = answer.json();
    assert_eq!(
        (&said["type"], &said["content"]),
        (&json!("message"), &json!([{"type": "text", "text": "hi"}]))
    );
    assert_eq!((&said["stop_reason"], &said["usage"]["input_tokens"]), (&json!("end_turn"), &json!(3)));
    let received = upstream.request();
    assert!(received.head.starts_with("POST /v1/chat/completions "), "{}", received.head);
    assert_eq!(received.json()["messages"], json!([{"role": "user", "content": "hi"}]));
    assert_eq!((received.header("anthropic-version"), received.header("anthropic-beta")), (None, None));
    assert_eq!(received.header("authorization"), Some("Bearer sk-provider-secret"));

    let text = post(MESSAGES, &streamed()).send(gateway.api).await.expect(200).text();
    let names: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(
        names,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ],
        "{text}"
    );
    assert!(!text.contains("[DONE]") && text.contains(r#""output_tokens":2"#), "{text}");
}
