//! `POST /v1/responses`.

use serde_json::{Value, json};

use super::Server;

const PATH: &str = "/v1/responses";

#[tokio::test]
async fn a_plain_response_has_a_message_and_usage() {
    let server = Server::start();
    let body = json!({ "model": "m", "instructions": "Be brief.", "input": "Hello there" });
    let answer = server.post(PATH, body).await.json();
    assert_eq!((&answer["object"], &answer["status"]), (&json!("response"), &json!("completed")));
    assert!(!answer["output"][0]["content"][0]["text"].as_str().unwrap().is_empty());
    let usage = &answer["usage"];
    let sum = usage["input_tokens"].as_u64().unwrap() + usage["output_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], sum);
}

#[tokio::test]
async fn a_stream_has_its_named_events_in_order_numbered_and_without_done() {
    let server = Server::start();
    let body = json!({ "model": "m", "input": [{ "role": "user", "content": "Hello" }], "temperature": 0, "stream": true });
    let stream = server.post(PATH, body).await;
    let mut names = stream.names();
    names.dedup();
    assert_eq!(
        names,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed"
        ]
    );
    assert!(stream.complete && !stream.body.contains("[DONE]"));
    for (at, (event, name)) in stream.events().iter().zip(stream.names()).enumerate() {
        assert_eq!((&event["sequence_number"], &event["type"]), (&json!(at), &json!(name)));
    }
    let events = stream.events();
    let response = &events.last().unwrap()["response"];
    assert_eq!(stream.joined("/delta"), response["output"][0]["content"][0]["text"].as_str().unwrap());
}

#[tokio::test]
async fn a_cut_response_is_incomplete() {
    let server = Server::start();
    let body = json!({ "model": "m", "input": "Hello", "max_output_tokens": 4, "stream": true });
    let stream = server.post(PATH, body).await;
    assert_eq!(stream.names().last(), Some(&"response.incomplete"));
    let events = stream.events();
    let response = &events.last().unwrap()["response"];
    assert_eq!(response["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(response["max_output_tokens"], 4);
}

#[tokio::test]
async fn function_tools_are_called_and_their_output_is_quoted() {
    let server = Server::start();
    let parameters = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    let tools = json!([{ "type": "function", "name": "get_weather", "parameters": parameters }]);
    let mut body = json!({ "model": "m", "input": "Weather in Oslo", "tools": tools, "stream": true });
    let stream = server.post(PATH, body.clone()).await;
    let events = stream.events();
    let call = &events.last().unwrap()["response"]["output"][0];
    assert_eq!((&call["type"], &call["name"]), (&json!("function_call"), &json!("get_weather")));
    assert_eq!(stream.joined("/delta"), call["arguments"].as_str().unwrap());
    assert_eq!(serde_json::from_str::<Value>(call["arguments"].as_str().unwrap()).unwrap()["city"], "Oslo");
    body["stream"] = false.into();
    body["input"] = json!([
        { "role": "user", "content": "Weather in Oslo" }, call,
        { "type": "function_call_output", "call_id": call["call_id"], "output": "21 degrees" }
    ]);
    let answer = server.post(PATH, body).await.json();
    assert!(answer["output"][0]["content"][0]["text"].as_str().unwrap().contains("21 degrees"));
}
