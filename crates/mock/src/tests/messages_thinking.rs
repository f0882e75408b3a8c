//! Thinking with `POST /v1/messages`: how it is told, and what must come back.

use serde_json::{Value, json};

use super::Server;

const PATH: &str = "/v1/messages";

fn body(model: &str, thinking: Value) -> Value {
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    let mut body = json!({
        "model": model, "max_tokens": 4000,
        "tools": [{ "name": "get_weather", "input_schema": schema }],
        "messages": [{ "role": "user", "content": "Weather in Oslo" }],
    });
    body["thinking"] = thinking;
    body
}

fn enabled() -> Value {
    json!({ "type": "enabled", "budget_tokens": 1024 })
}

/// The conversation with the answer's blocks and a result put after it.
fn answered(mut body: Value, blocks: Value, id: &Value) -> Value {
    let result = json!([{ "type": "tool_result", "tool_use_id": id, "content": "21 degrees" }]);
    let mut said = json!({ "role": "assistant" });
    said["content"] = blocks;
    let more = [said, json!({ "role": "user", "content": result })];
    body["messages"].as_array_mut().unwrap().extend(more);
    body
}

#[tokio::test]
async fn thoughts_come_first_and_are_counted() {
    let server = Server::start();
    let answer = server.post(PATH, body("m", enabled())).await.json();
    let kinds: Vec<_> = answer["content"].as_array().unwrap().iter().map(|block| &block["type"]).collect();
    assert_eq!(kinds, ["thinking", "tool_use"]);
    assert!(answer["content"][0]["signature"].as_str().unwrap().len() > 40);
    let thought = answer["usage"]["output_tokens_details"]["thinking_tokens"].as_u64().unwrap();
    assert!(thought > 0 && thought < answer["usage"]["output_tokens"].as_u64().unwrap());
}

#[tokio::test]
async fn a_stream_tells_them_and_signs_them_at_the_end() {
    let server = Server::start();
    let mut asked = body("m", enabled());
    asked["stream"] = true.into();
    let stream = server.post(PATH, asked).await;
    let events = stream.events();
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["delta"]["type"].as_str()).collect();
    let signed = kinds.iter().position(|kind| *kind == "signature_delta").unwrap();
    assert!(signed > 0 && kinds[..signed].iter().all(|kind| *kind == "thinking_delta"));
    assert!(kinds[signed + 1..].iter().all(|kind| *kind == "input_json_delta"));
    let signature = stream.joined("/delta/signature");
    assert_eq!(signature, crate::messages::thinking::sign(&stream.joined("/delta/thinking")));
}

#[tokio::test]
async fn they_must_come_back_before_a_call_as_they_were() {
    let server = Server::start();
    let asked = body("m", enabled());
    let answer = server.post(PATH, asked.clone()).await.json();
    let (blocks, id) = (&answer["content"], &answer["content"][1]["id"]);
    let good = answered(asked.clone(), blocks.clone(), id);
    assert!(server.post(PATH, good).await.json()["content"][1]["text"].as_str().unwrap().contains("21"));
    let mut changed = blocks.clone();
    changed[0]["thinking"] = "something else".into();
    let missing = json!([blocks[1]]);
    for (blocks, part) in [(changed, "Invalid `signature`"), (missing.clone(), "Expected `thinking`")] {
        let answer = server.post(PATH, answered(asked.clone(), blocks, id)).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains(part), "{}", answer.body);
    }
    // Adaptive thinking does not ask for them.
    let adaptive = answered(body("m", json!({ "type": "adaptive" })), missing, id);
    assert_eq!(server.post(PATH, adaptive).await.status, 200);
}

#[tokio::test]
async fn omitted_and_redacted_ones_come_back_too() {
    let server = Server::start();
    let omitted = json!({ "type": "enabled", "budget_tokens": 1024, "display": "omitted" });
    for (model, thinking, kind) in
        [("m", omitted, "thinking"), ("mock-redacted", enabled(), "redacted_thinking")]
    {
        let asked = body(model, thinking);
        let answer = server.post(PATH, asked.clone()).await.json();
        assert_eq!(answer["content"][0]["type"], kind);
        assert_eq!(answer["content"][0]["thinking"].as_str().unwrap_or_default(), "");
        let back = answered(asked, answer["content"].clone(), &answer["content"][1]["id"]);
        assert_eq!(server.post(PATH, back).await.status, 200, "{model}");
    }
}

#[tokio::test]
async fn the_answer_is_the_same_with_thoughts_and_without() {
    let server = Server::start();
    let mut asked = body("m", json!({ "type": "disabled" }));
    asked.as_object_mut().unwrap().remove("tools");
    asked["temperature"] = 1.into();
    asked["messages"][0]["content"] = "Hello".into();
    let chat = |body: Value| async { server.post("/v1/chat/completions", body).await.json() };
    let plain = json!({ "model": "mock-chatty", "seed": 1, "messages": asked["messages"] });
    let mut thinks = plain.clone();
    thinks["model"] = "mock-thinks".into();
    assert!(chat(plain).await["choices"][0]["message"].get("reasoning_content").is_none());
    assert!(chat(thinks).await["choices"][0]["message"]["reasoning_content"].is_string());
    let answer = server.post(PATH, asked).await.json();
    assert_eq!(answer["content"].as_array().unwrap().len(), 1, "thoughts only where they are asked for");
}
