//! What `POST /v1/messages` refuses: the mistakes that a translation makes.

use std::time::Duration;

use serde_json::{Value, json};

use super::Server;

const PATH: &str = "/v1/messages";

/// A body with these members beside or instead of a plain one's.
fn with(members: Value) -> Value {
    let mut body =
        json!({ "model": "m", "max_tokens": 2000, "messages": [{ "role": "user", "content": "Hello" }] });
    let Value::Object(members) = members else { panic!("members of a body: {members}") };
    body.as_object_mut().unwrap().extend(members);
    body
}

fn said(messages: Value) -> Value {
    let mut body = with(json!({}));
    body["messages"] = messages;
    body
}

fn user(block: Value) -> Value {
    let mut message = json!({ "role": "user", "content": [] });
    message["content"] = Value::Array(vec![block]);
    said(Value::Array(vec![message]))
}

async fn refused(server: &Server, body: Value, part: &str) {
    let answer = server.post(PATH, body.clone()).await;
    assert_eq!(answer.status, 400, "{body}");
    let error = &answer.json()["error"];
    assert_eq!(error["type"], "invalid_request_error");
    assert!(error["message"].as_str().unwrap().contains(part), "{part}: {error}");
}

#[tokio::test]
async fn members_of_other_dialects_and_wrong_settings() {
    let server = Server::start();
    let tool = json!({ "name": "f", "input_schema": { "type": "object" } });
    for (members, part) in [
        (json!({ "seed": 7 }), "seed: Extra inputs are not permitted"),
        (json!({ "stop": ["x"] }), "stop: Extra"),
        (json!({ "metadata": { "team": "x" } }), "metadata.team: Extra"),
        (json!({ "temperature": 1.5 }), "temperature: range: 0..1"),
        (json!({ "stop_sequences": ["x", "\n"] }), "non-whitespace"),
        (json!({ "service_tier": "flex" }), "service_tier"),
        (json!({ "tools": [{ "type": "function", "function": { "name": "f" } }] }), "tools.0.name"),
        (json!({ "tools": [{ "name": "f", "parameters": {} }] }), "tools.0.custom.parameters: Extra"),
        (json!({ "tools": [{ "name": "f", "input_schema": {} }] }), "input_schema.type"),
        (json!({ "tools": [tool, tool] }), "unique"),
        (json!({ "tool_choice": { "type": "auto" } }), "while providing tools"),
        (json!({ "tools": [tool], "tool_choice": "required" }), "tool_choice"),
        (json!({ "tools": [tool], "tool_choice": { "type": "tool", "name": "g" } }), "not among"),
        (json!({ "output_config": { "format": { "type": "json_object" } } }), "json_schema"),
        (
            json!({ "output_config": { "format": { "type": "json_schema", "schema": { "type": "object" } } } }),
            "additionalProperties",
        ),
        (json!({ "thinking": { "type": "enabled", "budget_tokens": 1000 } }), "at least 1024"),
        (json!({ "thinking": { "type": "enabled", "budget_tokens": 2000 } }), "must be greater"),
        (json!({ "thinking": { "type": "adaptive" }, "temperature": 0.5 }), "set to 1"),
        (
            json!({ "thinking": { "type": "adaptive" }, "tools": [tool], "tool_choice": { "type": "any" } }),
            "forces tool use",
        ),
    ] {
        refused(&server, with(members), part).await;
    }
}

#[tokio::test]
async fn roles_and_blocks_that_are_none() {
    let server = Server::start();
    let call = json!({ "type": "tool_use", "id": "t1", "name": "f", "input": {} });
    for (body, part) in [
        (said(json!([{ "role": "assistant", "content": "Hi" }])), "first message"),
        (
            said(json!([{ "role": "user", "content": "x" }, { "role": "system", "content": "x" }])),
            "messages.1.role",
        ),
        (said(json!([{ "role": "user", "content": "x", "name": "me" }])), "messages.0.name: Extra"),
        (said(json!([{ "role": "user", "content": "" }])), "non-empty content"),
        (said(json!([{ "role": "user", "content": [] }])), "non-empty content"),
        (user(json!({ "type": "text", "text": "" })), "must be non-empty"),
        (user(json!({ "type": "text", "text": " \n" })), "non-whitespace"),
        (user(json!({ "type": "text", "text": "x", "index": 0 })), "messages.0.content.0.text.index: Extra"),
        (user(json!({ "type": "image_url", "image_url": { "url": "https://x" } })), "image_url"),
        (
            user(
                json!({ "type": "image", "source": { "type": "url", "url": "data:image/png;base64,AA==" } }),
            ),
            "HTTP URLs",
        ),
        (
            user(json!({ "type": "image", "source":
                { "type": "base64", "media_type": "image/png", "data": "not base64" } })),
            "invalid base64",
        ),
        (user(call), "no block of a message with the role `user`"),
        (with(json!({ "system": [{ "type": "text", "text": "" }] })), "system.0"),
    ] {
        refused(&server, body, part).await;
    }
}

#[tokio::test]
async fn calls_and_results_that_do_not_fit() {
    let server = Server::start();
    let call = |id: &str| json!({ "type": "tool_use", "id": id, "name": "f", "input": {} });
    let result = |id: &str| json!({ "type": "tool_result", "tool_use_id": id, "content": "x" });
    let conversation = |answer: Value, results: Value| {
        said(json!([
            { "role": "user", "content": "x" },
            { "role": "assistant", "content": answer },
            { "role": "user", "content": results },
        ]))
    };
    let text = json!({ "type": "text", "text": "x" });
    for (body, part) in [
        (conversation(json!([call("a"), call("b")]), json!([result("a")])), "block b has no `tool_result`"),
        (conversation(json!([call("a")]), json!([text, result("a")])), "immediately after"),
        (conversation(json!("no call"), json!([result("a")])), "unexpected `tool_use_id` a"),
        (conversation(json!([call("a")]), json!([result("a"), result("a")])), "more than one"),
        (conversation(json!([call("a|b")]), json!([result("a|b")])), "should match pattern"),
        (user(result("a")), "no `tool_use`"),
    ] {
        refused(&server, body, part).await;
    }
    // Neighbouring messages of one role are one turn.
    let split = said(json!([
        { "role": "user", "content": "x" },
        { "role": "assistant", "content": [call("a"), call("b")] },
        { "role": "user", "content": [result("a")] },
        { "role": "user", "content": [result("b"), text] },
    ]));
    assert_eq!(server.post(PATH, split).await.status, 200);
}

#[tokio::test]
async fn more_than_four_marks() {
    let server = Server::start();
    let block = json!({ "type": "text", "text": "x", "cache_control": { "type": "ephemeral" } });
    let mut body = with(json!({ "system": [block, block], "cache_control": { "type": "ephemeral" } }));
    assert_eq!(server.post(PATH, body.clone()).await.status, 200);
    body["messages"][0]["content"] = json!([block, block]);
    refused(&server, body, "Found 5").await;
    refused(&server, with(json!({ "cache_control": { "type": "forever" } })), "cache_control").await;
}

#[tokio::test]
async fn a_request_without_version_or_credential() {
    let server = Server::start();
    let body = with(json!({})).to_string();
    let ask = async |headers: &str| {
        let answer = server.send("POST", PATH, headers, &body, Duration::from_secs(10)).await;
        (answer.status, answer.json()["error"]["type"].as_str().map(str::to_owned))
    };
    let refused = |status, kind: &str| (status, Some(kind.to_owned()));
    assert_eq!(ask("x-api-key: k\r\n").await, refused(400, "invalid_request_error"));
    assert_eq!(ask("anthropic-version: 2023-06-01\r\n").await, refused(401, "authentication_error"));
    let bearer = "authorization: Bearer k\r\nanthropic-version: 2023-06-01\r\n";
    assert_eq!(ask(bearer).await, (200, None));
}

#[tokio::test]
async fn the_newer_version_takes_no_sampling_settings_and_a_system_message_between() {
    let server = Server::start();
    let ask = async |version: &str, members: Value| {
        let headers = format!("x-api-key: k\r\nanthropic-version: {version}\r\n");
        let body = with(members).to_string();
        server.send("POST", PATH, &headers, &body, Duration::from_secs(10)).await.status
    };
    let between = json!({ "messages": [
        { "role": "user", "content": "x" }, { "role": "system", "content": "x" }, { "role": "user", "content": "x" }
    ] });
    for (version, sampling, system) in [("2023-06-01", 200, 400), ("2026-10-21", 400, 200)] {
        assert_eq!(ask(version, json!({ "temperature": 0.5 })).await, sampling);
        assert_eq!(ask(version, between.clone()).await, system);
    }
}

#[tokio::test]
async fn a_count_takes_no_max_tokens_and_is_judged_alike() {
    let server = Server::start();
    let path = "/v1/messages/count_tokens";
    assert_eq!(server.post(path, with(json!({}))).await.status, 400);
    let mut body = with(json!({ "messages": [{ "role": "system", "content": "x" }] }));
    body.as_object_mut().unwrap().remove("max_tokens");
    assert_eq!(server.post(path, body).await.status, 400);
}
