//! `POST /v1/chat/completions`.

use serde_json::{Value, json};

use super::Server;

const PATH: &str = "/v1/chat/completions";

fn weather() -> Value {
    json!({
        "model": "m", "seed": 3,
        "messages": [{ "role": "user", "content": "What is the weather in Oslo?" }],
        "tools": [{ "type": "function", "function": { "name": "get_weather", "parameters": {
            "type": "object", "required": ["city"],
            "properties": { "city": { "type": "string" }, "unit": { "enum": ["celsius", "fahrenheit"] } }
        } } }]
    })
}

fn streamed(mut body: Value) -> Value {
    body["stream"] = true.into();
    body
}

#[tokio::test]
async fn a_stream_begins_with_the_role_and_tells_the_plain_answer() {
    let server = Server::start();
    let body = json!({ "model": "m", "seed": 3, "messages": [{ "role": "user", "content": [{ "type": "text", "text": "Hi" }] }] });
    let plain = server.post(PATH, body.clone()).await.json();
    assert_eq!(plain["object"], "chat.completion");
    let stream = server.post(PATH, streamed(body)).await;
    assert!(stream.is_done());
    let events = stream.events();
    assert_eq!(events[0]["choices"][0]["delta"], json!({ "role": "assistant", "content": "" }));
    assert_eq!(
        stream.joined("/choices/0/delta/content"),
        plain["choices"][0]["message"]["content"].as_str().unwrap()
    );
    let last = events.last().unwrap();
    assert_eq!(
        (&last["choices"][0]["delta"], &last["choices"][0]["finish_reason"]),
        (&json!({}), &json!("stop"))
    );
    assert_eq!(last["object"], "chat.completion.chunk");
}

#[tokio::test]
async fn a_tool_is_called_with_arguments_from_the_question() {
    let server = Server::start();
    let plain = server.post(PATH, weather()).await.json();
    let choice = &plain["choices"][0];
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["content"]),
        (&json!("tool_calls"), &Value::Null)
    );
    let function = &choice["message"]["tool_calls"][0]["function"];
    let arguments: Value = serde_json::from_str(function["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&function["name"], arguments),
        (&json!("get_weather"), json!({ "city": "Oslo", "unit": "celsius" }))
    );
}

#[tokio::test]
async fn a_streamed_call_names_the_tool_first_and_sends_its_arguments_in_pieces() {
    let server = Server::start();
    let plain = server.post(PATH, weather()).await.json();
    let stream = server.post(PATH, streamed(weather())).await;
    let events = stream.events();
    let first = &events[0]["choices"][0]["delta"]["tool_calls"][0];
    assert_eq!((&first["index"], &first["function"]["name"]), (&json!(0), &json!("get_weather")));
    assert!(first["id"].as_str().unwrap().starts_with("call_"));
    assert!(events.len() > 3, "arguments in pieces");
    let whole = &plain["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"];
    assert_eq!(stream.joined("/choices/0/delta/tool_calls/0/function/arguments"), whole.as_str().unwrap());
    assert_eq!(events.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
}

#[tokio::test]
async fn tool_choice_none_gives_text_and_a_tools_result_is_quoted() {
    let server = Server::start();
    let mut body = weather();
    body["tool_choice"] = "none".into();
    assert_eq!(server.post(PATH, body).await.json()["choices"][0]["finish_reason"], "stop");
    let mut body = weather();
    let more = [
        json!({ "role": "assistant", "content": null, "tool_calls": [] }),
        json!({ "role": "tool", "tool_call_id": "call_1", "content": "21 degrees and sunny" }),
    ];
    body["messages"].as_array_mut().unwrap().extend(more);
    let answer = server.post(PATH, body).await.json();
    assert!(answer["choices"][0]["message"]["content"].as_str().unwrap().contains("21 degrees and sunny"));
}

#[tokio::test]
async fn json_mode_answers_json_and_a_schema_is_followed() {
    let server = Server::start();
    let ask = async |format: Value| {
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "Name a town" }], "response_format": format });
        let answer = server.post(PATH, body).await.json();
        serde_json::from_str::<Value>(answer["choices"][0]["message"]["content"].as_str().unwrap()).unwrap()
    };
    assert!(ask(json!({ "type": "json_object" })).await.is_object());
    let schema = json!({ "type": "object", "required": ["people"], "properties": { "people": { "type": "integer" } } });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "town", "schema": schema } });
    assert!(ask(format).await["people"].is_i64());
}

#[tokio::test]
async fn without_a_seed_answers_differ_and_with_one_they_do_not() {
    let server = Server::start();
    let ask = async |seed: Value| {
        let body = json!({ "model": "m", "seed": seed, "messages": [{ "role": "user", "content": "Hi" }] });
        server.post(PATH, body).await.json()["choices"][0]["message"]["content"].clone()
    };
    assert_ne!(ask(Value::Null).await, ask(Value::Null).await);
    assert_eq!(ask(json!(7)).await, ask(json!(7)).await);
}
