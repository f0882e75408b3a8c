//! Models that think, decline, are filtered or talk before they call, and calls in parallel, in every dialect.

use serde_json::{Value, json};

use super::{Answer, Server};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";

fn chat(model: &str, text: &str, stream: bool) -> Value {
    let parameters = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    json!({
        "model": model, "seed": 1, "stream": stream, "messages": [{ "role": "user", "content": text }],
        "tools": [{ "type": "function", "function": { "name": "get_weather", "parameters": parameters } }],
    })
}

fn plain(model: &str, stream: bool) -> Value {
    json!({ "model": model, "seed": 1, "stream": stream, "messages": [{ "role": "user", "content": "Hello" }] })
}

fn messages(model: &str, stream: bool) -> Value {
    let mut body = plain(model, stream);
    body.as_object_mut().unwrap().remove("seed");
    body["max_tokens"] = 500.into();
    body
}

fn last(stream: &Answer) -> Value {
    stream.events().pop().unwrap()["response"].clone()
}

#[tokio::test]
async fn both_towns_are_asked_for_at_once_unless_one_call_is_wanted() {
    let server = Server::start();
    let mut body = chat("m", "The weather in both Oslo and Rome", false);
    let calls = server.post(CHAT, body.clone()).await.json()["choices"][0]["message"]["tool_calls"].clone();
    let arguments: Vec<_> =
        calls.as_array().unwrap().iter().map(|call| &call["function"]["arguments"]).collect();
    assert_eq!(arguments, [r#"{"city":"Oslo"}"#, r#"{"city":"Rome"}"#]);
    assert_ne!(calls[0]["id"], calls[1]["id"]);
    body["stream"] = true.into();
    let stream = server.post(CHAT, body.clone()).await;
    let begun: Vec<Value> = stream
        .events()
        .iter()
        .filter_map(|event| event.pointer("/choices/0/delta/tool_calls/0").cloned())
        .filter(|call| call["id"].is_string())
        .map(|call| call["index"].clone())
        .collect();
    assert_eq!(begun, [0, 1]);
    body["parallel_tool_calls"] = false.into();
    let one = server.post(CHAT, body).await;
    assert_eq!(one.joined("/choices/0/delta/tool_calls/0/function/arguments"), r#"{"city":"Oslo"}"#);
}

#[tokio::test]
async fn parallel_results_are_all_quoted() {
    let server = Server::start();
    let mut body = chat("m", "The weather in both Oslo and Rome", false);
    let said = server.post(CHAT, body.clone()).await.json()["choices"][0]["message"].clone();
    let result = |at: usize, text: &str| json!({ "role": "tool", "tool_call_id": said["tool_calls"][at]["id"], "content": text });
    let more = [said.clone(), result(0, "3 degrees"), result(1, "21 degrees")];
    body["messages"].as_array_mut().unwrap().extend(more);
    let answer = server.post(CHAT, body).await.json();
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.contains("3 degrees\n21 degrees"), "{text}");
}

#[tokio::test]
async fn a_model_may_talk_before_it_calls() {
    let server = Server::start();
    let body = chat("mock-chatty", "Weather in Oslo", false);
    let message = server.post(CHAT, body).await.json()["choices"][0]["message"].clone();
    assert!(message["content"].is_string() && message["tool_calls"][0]["function"].is_object());
    let stream = server.post(CHAT, chat("mock-chatty", "Weather in Oslo", true)).await;
    assert_eq!(stream.joined("/choices/0/delta/content"), message["content"].as_str().unwrap());
}

#[tokio::test]
async fn a_model_may_think_where_nobody_asked() {
    let server = Server::start();
    let answer = server.post(CHAT, plain("mock-thinks", false)).await.json();
    let message = &answer["choices"][0]["message"];
    let stream = server.post(CHAT, plain("mock-thinks", true)).await;
    for (pointer, whole) in [("reasoning_content", "reasoning_content"), ("content", "content")] {
        let told = stream.joined(&format!("/choices/0/delta/{pointer}"));
        assert_eq!(told, message[whole].as_str().unwrap());
    }
    assert!(answer["usage"]["completion_tokens_details"]["reasoning_tokens"].as_u64().unwrap() > 0);
    let body = json!({ "model": "mock-thinks", "input": "Hello", "stream": true });
    let stream = server.post(RESPONSES, body).await;
    let output = last(&stream)["output"].clone();
    assert_eq!((&output[0]["type"], &output[1]["type"]), (&json!("reasoning"), &json!("message")));
    assert!(stream.names().contains(&"response.reasoning_summary_text.delta"));
    let mut short = plain("mock-thinks", false);
    short["max_tokens"] = 3.into();
    let short = server.post(CHAT, short).await.json();
    assert_eq!(
        (&short["choices"][0]["finish_reason"], &short["usage"]["completion_tokens"]),
        (&json!("length"), &json!(3))
    );
}

#[tokio::test]
async fn a_refusal_has_its_own_place_in_every_dialect() {
    let server = Server::start();
    let message =
        server.post(CHAT, plain("mock-refusal", false)).await.json()["choices"][0]["message"].clone();
    assert!(message["content"].is_null());
    let stream = server.post(CHAT, plain("mock-refusal", true)).await;
    assert_eq!(stream.joined("/choices/0/delta/refusal"), message["refusal"].as_str().unwrap());
    let stream =
        server.post(RESPONSES, json!({ "model": "mock-refusal", "input": "x", "stream": true })).await;
    assert_eq!(last(&stream)["output"][0]["content"][0]["refusal"], message["refusal"]);
    let answer = server.post(MESSAGES, messages("mock-refusal", false)).await.json();
    assert_eq!(
        (&answer["stop_reason"], &answer["stop_details"]["type"]),
        (&json!("refusal"), &json!("refusal"))
    );
}

#[tokio::test]
async fn a_filter_ends_an_answer_or_refuses_a_prompt() {
    let server = Server::start();
    let answer = server.post(CHAT, plain("mock-filter", false)).await.json();
    assert_eq!(answer["choices"][0]["finish_reason"], "content_filter");
    let answer = server.post(MESSAGES, messages("mock-filter", false)).await.json();
    assert_eq!(answer["stop_reason"], "refusal");
    let answer = server.post(RESPONSES, json!({ "model": "mock-filter", "input": "x" })).await.json();
    assert_eq!(answer["incomplete_details"]["reason"], "content_filter");
    let refused = server.post(CHAT, plain("mock-filter-prompt", true)).await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (400, &json!("content_filter")));
}

#[tokio::test]
async fn likelihoods_are_told_with_every_piece() {
    let server = Server::start();
    let mut body = plain("m", false);
    body["logprobs"] = true.into();
    body["top_logprobs"] = 2.into();
    let answer = server.post(CHAT, body.clone()).await.json();
    let choice = &answer["choices"][0];
    let tokens = choice["logprobs"]["content"].as_array().unwrap();
    let text: String = tokens.iter().map(|token| token["token"].as_str().unwrap()).collect();
    assert_eq!(text, choice["message"]["content"].as_str().unwrap());
    body["stream"] = true.into();
    assert_eq!(server.post(CHAT, body).await.joined("/choices/0/logprobs/content/0/token"), text);
    let body = json!({ "model": "m", "prompt": "Once", "seed": 1, "logprobs": 1, "stream": true });
    let stream = server.post("/v1/completions", body).await;
    assert_eq!(stream.joined("/choices/0/logprobs/tokens/0"), stream.joined("/choices/0/text"));
}
