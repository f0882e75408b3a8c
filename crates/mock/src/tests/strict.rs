//! Providers that have less, or take less: OpenAI itself, and one with chat alone.

use serde_json::{Value, json};

use super::Server;

const STRICT: &str = "/strict/v1/chat/completions";
const CHAT_ONLY: &str = "/chat-only/v1/chat/completions";

fn with(members: Value) -> Value {
    let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "Hello" }] });
    let Value::Object(members) = members else { panic!("members of a body: {members}") };
    body.as_object_mut().unwrap().extend(members);
    body
}

fn said(messages: Value) -> Value {
    let mut body = with(json!({}));
    body["messages"] = messages;
    body
}

async fn refused(server: &Server, path: &str, body: Value, param: &str) {
    let answer = server.post(path, body.clone()).await;
    assert_eq!(answer.status, 400, "{path} {body}");
    let error = &answer.json()["error"];
    assert_eq!((&error["type"], &error["param"]), (&json!("invalid_request_error"), &json!(param)));
}

#[tokio::test]
async fn members_of_another_dialect_are_refused_by_both_and_extras_by_openai() {
    let server = Server::start();
    for name in ["system", "stop_sequences", "thinking", "output_config", "max_output_tokens", "instructions"]
    {
        for path in [STRICT, CHAT_ONLY] {
            refused(&server, path, with(json!({ name: 1 })), name).await;
        }
        assert_eq!(server.post("/v1/chat/completions", with(json!({ name: 1 }))).await.status, 200);
    }
    let extras = with(json!({ "top_k": 5, "cache_control": { "type": "ephemeral" } }));
    assert_eq!(server.post(CHAT_ONLY, extras.clone()).await.status, 200);
    refused(&server, STRICT, extras, "cache_control").await;
    let body = with(json!({ "model": "mock-strict", "top_k": 5 }));
    refused(&server, "/v1/chat/completions", body, "top_k").await;
    refused(&server, "/strict/v1/completions", json!({ "model": "m", "prompt": "x", "min_p": 0 }), "min_p")
        .await;
    refused(&server, "/strict/v1/responses", json!({ "model": "m", "input": "x", "seed": 0 }), "seed").await;
}

#[tokio::test]
async fn settings_messages_and_tools_are_judged() {
    let server = Server::start();
    let part = |part: Value| said(json!([{ "role": "user", "content": [part] }]));
    for (body, param) in [
        (with(json!({ "stream_options": { "include_usage": true } })), "stream_options"),
        (with(json!({ "max_tokens": 1, "max_completion_tokens": 1 })), "max_tokens"),
        (with(json!({ "stop": ["a", "b", "c", "d", "e"] })), "stop"),
        (with(json!({ "top_logprobs": 2 })), "top_logprobs"),
        (with(json!({ "reasoning_effort": "max" })), "reasoning_effort"),
        (with(json!({ "tool_choice": "auto" })), "tool_choice"),
        (with(json!({ "tools": [{ "name": "f", "input_schema": {} }] })), "tools[0].type"),
        (
            with(json!({ "tools": [{ "type": "function", "function": { "name": "a.b" } }] })),
            "tools[0].function.name",
        ),
        (
            with(json!({ "response_format": { "type": "json_schema", "json_schema": { "schema": {} } } })),
            "response_format.json_schema.name",
        ),
        (said(json!([{ "role": "model", "content": "x" }])), "messages[0].role"),
        (said(json!([{ "role": "user", "content": null }])), "messages[0].content"),
        (part(json!({ "type": "image", "source": {} })), "messages[0].content[0]"),
        (part(json!({ "type": "image_url", "image_url": { "url": "AAAA" } })), "messages[0].content[0]"),
        (said(json!([{ "role": "tool", "tool_call_id": "a", "content": "x" }])), "messages[0]"),
    ] {
        refused(&server, STRICT, body, param).await;
    }
}

#[tokio::test]
async fn every_call_has_its_result_right_after_it() {
    let server = Server::start();
    let call =
        |id: &str| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let result = |id: &str| json!({ "role": "tool", "tool_call_id": id, "content": "x" });
    let asked = json!({ "role": "user", "content": "x" });
    let called = json!({ "role": "assistant", "content": null, "tool_calls": [call("a"), call("b")] });
    let good = said(json!([asked, called, result("b"), result("a"), asked]));
    assert_eq!(server.post(STRICT, good).await.status, 200);
    let early = said(json!([asked, called, result("a"), asked, result("b")]));
    refused(&server, STRICT, early, "messages[3]").await;
    refused(&server, CHAT_ONLY, said(json!([asked, called, result("a")])), "messages").await;
}

#[tokio::test]
async fn images_are_taken() {
    let server = Server::start();
    let image =
        json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA", "detail": "low" } });
    let body =
        said(json!([{ "role": "user", "content": [{ "type": "text", "text": "What is it?" }, image] }]));
    for path in [STRICT, CHAT_ONLY] {
        assert_eq!(server.post(path, body.clone()).await.status, 200);
    }
}

#[tokio::test]
async fn what_a_provider_does_not_have_is_not_found_in_its_own_shape() {
    let server = Server::start();
    let answer = server.post("/chat-only/v1/responses", json!({ "model": "m", "input": "x" })).await;
    assert_eq!((answer.status, &answer.json()["error"]["type"]), (404, &json!("invalid_request_error")));
    let answer = server.post("/anthropic/v1/chat/completions", with(json!({}))).await;
    assert_eq!((answer.status, &answer.json()["error"]["type"]), (404, &json!("not_found_error")));
    let list = server.get("/anthropic/v1/models").await.json();
    assert_eq!((&list["has_more"], &list["data"][0]["type"]), (&json!(false), &json!("model")));
}
