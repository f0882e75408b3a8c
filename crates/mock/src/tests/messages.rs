//! `POST /v1/messages` and `/v1/messages/count_tokens`.

use serde_json::{Value, json};

use super::Server;

const PATH: &str = "/v1/messages";

fn hello() -> Value {
    json!({ "model": "claude", "max_tokens": 500, "temperature": 0, "system": [{ "type": "text", "text": "Be kind." }],
        "messages": [{ "role": "user", "content": "Hello" }] })
}

fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

#[tokio::test]
async fn a_stream_has_anthropics_events_and_tells_the_plain_answer() {
    let server = Server::start();
    let plain = server.post(PATH, hello()).await.json();
    assert_eq!((&plain["type"], &plain["stop_reason"]), (&json!("message"), &json!("end_turn")));
    let stream = server.post(PATH, with(hello(), "stream", true.into())).await;
    let mut names = stream.names();
    names.dedup();
    let expected = [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names, expected);
    assert_eq!(stream.joined("/delta/text"), plain["content"][0]["text"].as_str().unwrap());
    let events = stream.events();
    let delta = events.iter().find(|event| event["type"] == "message_delta").unwrap();
    assert_eq!(delta["usage"]["output_tokens"], plain["usage"]["output_tokens"]);
}

#[tokio::test]
async fn max_tokens_is_required_and_obeyed_and_stop_sequences_are_named() {
    let server = Server::start();
    let short = server.post(PATH, with(hello(), "max_tokens", 3.into())).await.json();
    assert_eq!((&short["stop_reason"], &short["usage"]["output_tokens"]), (&json!("max_tokens"), &json!(3)));
    let missing = server.post(PATH, with(hello(), "max_tokens", Value::Null)).await;
    assert_eq!((missing.status, &missing.json()["error"]["type"]), (400, &json!("invalid_request_error")));
    let stopped = server.post(PATH, with(hello(), "stop_sequences", json!(["a"]))).await.json();
    assert_eq!((&stopped["stop_reason"], &stopped["stop_sequence"]), (&json!("stop_sequence"), &json!("a")));
}

#[tokio::test]
async fn a_tool_is_used_and_its_result_quoted() {
    let server = Server::start();
    let schema =
        json!({ "type": "object", "required": ["city"], "properties": { "city": { "type": "string" } } });
    let body = with(hello(), "tools", json!([{ "name": "get_weather", "input_schema": schema }]));
    let body = with(body, "messages", json!([{ "role": "user", "content": "Weather in Oslo" }]));
    let plain = server.post(PATH, body.clone()).await.json();
    let block = &plain["content"][0];
    assert_eq!((&plain["stop_reason"], &block["input"]), (&json!("tool_use"), &json!({ "city": "Oslo" })));
    let stream = server.post(PATH, with(body.clone(), "stream", true.into())).await;
    assert_eq!(stream.joined("/delta/partial_json"), block["input"].to_string());
    let result = json!({ "type": "tool_result", "tool_use_id": block["id"], "content": "21 degrees" });
    let conversation = json!([
        { "role": "user", "content": "Weather in Oslo" }, { "role": "assistant", "content": [block] },
        { "role": "user", "content": [result] }
    ]);
    let answer = server.post(PATH, with(body, "messages", conversation)).await.json();
    assert!(answer["content"][0]["text"].as_str().unwrap().contains("21 degrees"));
}

#[tokio::test]
async fn cached_tokens_are_not_input_tokens() {
    let server = Server::start();
    let long = json!([{ "role": "user", "content": "word ".repeat(200) }]);
    let plain = with(hello(), "messages", long);
    let body = with(plain.clone(), "cache_control", json!({ "type": "ephemeral", "ttl": "1h" }));
    let usage = async || server.post(PATH, body.clone()).await.json()["usage"].clone();
    let (first, second) = (usage().await, usage().await);
    assert_eq!(
        (&first["cache_creation_input_tokens"], &first["cache_read_input_tokens"]),
        (&json!(192), &json!(0))
    );
    assert_eq!(
        (&second["cache_creation_input_tokens"], &second["cache_read_input_tokens"]),
        (&json!(0), &json!(192))
    );
    assert_eq!(first["input_tokens"], second["input_tokens"]);
    let split = json!({ "ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 192 });
    assert_eq!(first["cache_creation"], split);
    let unmarked = server.post(PATH, plain).await.json()["usage"].clone();
    assert_eq!(unmarked["cache_read_input_tokens"], 0, "without a mark nothing is cached");
}

#[tokio::test]
async fn tokens_are_counted_as_they_are_billed() {
    let server = Server::start();
    let mut asked = hello();
    asked.as_object_mut().unwrap().retain(|name, _| name != "max_tokens" && name != "temperature");
    let count = server.post("/v1/messages/count_tokens", asked).await.json();
    let answer = server.post(PATH, hello()).await.json();
    assert_eq!(count["input_tokens"], answer["usage"]["input_tokens"]);
}
