//! Azure OpenAI's paths, headers, findings and errors.

use std::time::Duration;

use serde_json::{Value, json};

use super::Server;

fn path(deployment: &str, endpoint: &str) -> String {
    format!("/openai/deployments/{deployment}/{endpoint}?api-version=2024-10-21")
}

fn chat(stream: bool) -> Value {
    json!({ "stream": stream, "messages": [{ "role": "user", "content": "Hello" }] })
}

#[tokio::test]
async fn a_deployment_is_the_model_and_its_findings_are_told() {
    let server = Server::start();
    let answer = server.post(&path("gpt", "chat/completions"), chat(false)).await;
    assert_eq!(answer.header("x-ratelimit-reset-tokens"), Some("-1"));
    let answer = answer.json();
    assert_eq!(answer["model"], "gpt");
    assert_eq!(answer["prompt_filter_results"][0]["prompt_index"], 0);
    assert_eq!(answer["choices"][0]["content_filter_results"]["hate"]["severity"], "safe");
    let stream = server.post(&path("gpt", "chat/completions"), chat(true)).await;
    let events = stream.events();
    assert_eq!(events[0]["choices"], json!([]));
    assert!(events[0]["prompt_filter_results"].is_array());
    assert!(events[2]["choices"][0]["content_filter_results"]["violence"].is_object());
    let body = json!({ "prompt": "Once", "max_tokens": 3 });
    let answer = server.post(&path("gpt", "completions"), body).await.json();
    assert_eq!((&answer["object"], &answer["model"]), (&json!("text_completion"), &json!("gpt")));
    let answer = server.post(&path("e", "embeddings"), json!({ "input": "x" })).await.json();
    assert_eq!(answer["model"], "e");
}

#[tokio::test]
async fn the_v1_paths_take_the_body_s_model() {
    let server = Server::start();
    let mut body = chat(false);
    assert_eq!(server.post("/openai/v1/chat/completions", body.clone()).await.status, 400);
    body["model"] = "gpt".into();
    let answer = server.post("/openai/v1/chat/completions", body).await.json();
    assert!(answer["prompt_filter_results"].is_array());
    let body = json!({ "model": "gpt", "input": "Hello" });
    assert_eq!(server.post("/openai/v1/responses", body).await.status, 200);
}

#[tokio::test]
async fn errors_are_azure_s() {
    let server = Server::start();
    let unversioned = server.post("/openai/deployments/gpt/chat/completions", chat(false)).await;
    assert_eq!((unversioned.status, &unversioned.json()["error"]["code"]), (404, &json!("404")));
    let missing = server.post(&path("mock-missing", "chat/completions"), chat(false)).await;
    assert_eq!((missing.status, &missing.json()["error"]["code"]), (404, &json!("DeploymentNotFound")));
    let filtered = server.post(&path("mock-filter-prompt", "chat/completions"), chat(false)).await;
    let error = &filtered.json()["error"];
    assert_eq!((filtered.status, &error["code"]), (400, &json!("content_filter")));
    assert_eq!(error["innererror"]["content_filter_result"]["violence"]["filtered"], true);
    let limited = server.post(&path("mock-429", "chat/completions"), chat(false)).await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("2")));
    let patience = Duration::from_secs(10);
    let body = chat(false).to_string();
    let keyless = server.send("POST", &path("gpt", "chat/completions"), "", &body, patience).await;
    assert_eq!((keyless.status, &keyless.json()["error"]["code"]), (401, &json!("401")));
}
