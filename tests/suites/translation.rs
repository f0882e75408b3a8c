//! Calls put to upstreams that speak another dialect: addresses, credentials, what is told as dropped, what is refused,
//! and that a bad answer is an error and never an invention.

use crate::{
    anthropic::{MESSAGE, MESSAGES, claude, message_events},
    support::{
        CHAT, CHAT_REPLY, COMPLETION_REPLY, COMPLETIONS, EMBEDDINGS, RESPONSES, STRICT, chat, chat_stream,
    },
};
use serde_json::{Value, json};
use sluice_tests::{
    client::Request,
    gateway::{Config, Gateway, KEY},
    upstream::{Answer, Upstream},
};

/// A gateway whose provider has chat alone.
async fn chat_only(upstream: &Upstream) -> Gateway {
    Config::to(upstream).provider("endpoints: [chat]").start().await
}

fn events(text: &str) -> Vec<Value> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).expect("JSON")).collect()
}

#[tokio::test]
async fn a_chat_reaches_claude_and_its_answer_comes_back_as_chat() {
    let upstream = Upstream::script([Answer::json(MESSAGE)]).await;
    let gateway = claude(&upstream).await;
    let body = r#"{"model":"m","logit_bias":{"1":2},"messages":[{"role":"system","content":"Be short."},{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"ttl":"1h","type":"ephemeral","x":1.10}}]}]}"#;
    let answer = gateway.post(CHAT, body).await.expect(200);
    assert_eq!(answer.get("x-sluice-dropped"), "logit_bias");
    let said = answer.json();
    assert_eq!(
        (&said["object"], &said["choices"][0]["message"]["content"]),
        (&json!("chat.completion"), &json!("hi"))
    );
    assert_eq!(said["usage"]["prompt_tokens"], 123);
    assert_eq!(said["usage"]["prompt_tokens_details"]["cached_tokens"], 100);
    assert_eq!(said["usage"]["total_tokens"], 124);
    let received = upstream.request();
    assert!(received.head.starts_with("POST /v1/messages HTTP/1.1"), "{}", received.head);
    assert_eq!(received.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(received.header("x-api-key"), Some("sk-provider-secret"));
    assert!(received.text().contains(r#""cache_control":{"ttl":"1h","type":"ephemeral","x":1.10}"#));
    assert_eq!(received.json()["system"], "Be short.");
    assert!(received.json()["max_tokens"].as_u64().is_some_and(|most| most >= 1024), "{}", received.text());
    gateway.metric_is("sluice_dropped_fields_total{field=\"logit_bias\",provider=\"up\"}", 1.0).await;
}

#[tokio::test]
async fn a_stream_from_claude_is_a_chat_stream_with_usage_only_where_that_is_asked_for() {
    let upstream = Upstream::script([Answer::sse(message_events())]).await;
    let gateway = claude(&upstream).await;
    let text = gateway.post(CHAT, chat_stream()).await.expect(200).text();
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let chunks = events(&text);
    let said: String =
        chunks.iter().filter_map(|one| one["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, "hi");
    assert!(chunks.iter().all(|one| one["choices"] != json!([])), "nobody asked for usage: {text}");
    let asked = chat_stream().replace("true}", "true,\"stream_options\":{\"include_usage\":true}}");
    let chunks = events(&gateway.post(CHAT, asked).await.expect(200).text());
    let last = chunks.last().expect("a chunk");
    assert_eq!((&last["choices"], &last["usage"]["completion_tokens"]), (&json!([]), &json!(2)));
    assert_eq!(last["usage"]["prompt_tokens"], 123);
}

#[tokio::test]
async fn the_contract_s_endpoint_works_with_every_provider() {
    for (upstream, kind, path) in [
        (Upstream::script([Answer::json(CHAT_REPLY)]).await, "openai_compatible", "/v1/chat/completions"),
        (Upstream::script([Answer::json(MESSAGE)]).await, "anthropic", "/v1/messages"),
    ] {
        let config = Config::to(&upstream).kind(kind);
        let config = if kind == "anthropic" { config } else { config.provider("endpoints: [chat]") };
        let gateway = config.start().await;
        let answer = gateway.post(STRICT, r#"{"model":"m","prompt":"Once"}"#).await.expect(200).json();
        assert_eq!(
            (&answer["object"], &answer["choices"][0]["text"]),
            (&json!("text_completion"), &json!("hi"))
        );
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
        let received = upstream.request();
        assert!(received.head.starts_with(&format!("POST {path} ")), "{}", received.head);
        assert_eq!(received.json()["messages"][0]["role"], "user");
    }
}

#[tokio::test]
async fn a_template_says_how_a_prompt_is_put() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let entry = r#"{name: t, targets: [{provider: up, model: t, endpoints: [chat], prompt_template: "Continue: {prompt}"}]}"#;
    let gateway = Config::to(&upstream).model_entry(entry).start().await;
    let _ = gateway.post(COMPLETIONS, r#"{"model":"t","prompt":"Once \"upon\""}"#).await.expect(200);
    assert_eq!(
        upstream.request().json()["messages"],
        json!([{"role": "user", "content": "Continue: Once \"upon\""}])
    );
}

#[tokio::test]
async fn responses_are_served_by_chat_and_what_is_kept_elsewhere_is_refused_in_clear_words() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = chat_only(&upstream).await;
    let answer = gateway.post(RESPONSES, r#"{"model":"m","input":"hi"}"#).await.expect(200).json();
    assert_eq!((&answer["object"], &answer["status"]), (&json!("response"), &json!("completed")));
    let item = answer["output"].as_array().expect("output").iter().find(|item| item["type"] == "message");
    assert_eq!(item.expect("a message")["content"][0]["text"], "hi");
    let before = upstream.calls();
    let answer = gateway
        .post(RESPONSES, r#"{"model":"m","input":"hi","previous_response_id":"resp_1"}"#)
        .await
        .expect(400);
    assert!(answer.message().contains("Responses API"), "{}", answer.text());
    assert_eq!(upstream.calls(), before);
}

#[tokio::test]
async fn what_no_target_can_take_is_refused_before_anybody_is_asked() {
    let upstream = Upstream::script([Answer::json(MESSAGE)]).await;
    let gateway = claude(&upstream).await;
    let audio = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"aGk=","format":"wav"}}]}]}"#;
    let answer = gateway.post(CHAT, audio).await.expect(400);
    assert!(
        answer.json()["error"]["param"].as_str().unwrap_or_default().contains("messages[0]"),
        "{}",
        answer.text()
    );
    let answer = gateway.post(EMBEDDINGS, r#"{"model":"m","input":"x"}"#).await.expect(400);
    assert!(answer.message().contains("embeddings"), "{}", answer.text());
    let answer = gateway.post(COMPLETIONS, r#"{"model":"m","prompt":["a","b"]}"#).await.expect(400);
    assert_eq!(answer.json()["error"]["param"], "prompt", "{}", answer.text());
    assert_eq!(upstream.calls(), 0);
    let metrics = gateway.ask_admin("/metrics").await.expect(200).text();
    let tries: Vec<_> =
        metrics.lines().filter(|line| line.starts_with("sluice_upstream_attempts_total{")).collect();
    assert!(!tries.is_empty() && tries.iter().all(|line| line.ends_with(" 0")), "{tries:#?}");
}

#[tokio::test]
async fn a_strict_model_goes_elsewhere_or_refuses_rather_than_leave_anything_out() {
    let (upstream, other) =
        (Upstream::script([Answer::json(MESSAGE)]).await, Upstream::script([Answer::json(CHAT_REPLY)]).await);
    let gateway = Config::to(&upstream)
        .kind("anthropic")
        .also("other", &other.base_url())
        .model_entry("{name: alone, strict: true, targets: [{provider: up, model: c}]}")
        .model_entry("{name: two, strict: true, targets: [{provider: up, model: c}, {provider: other, model: o, priority: 1}]}")
        .start()
        .await;
    let ask = |model: &str| {
        chat().replace("\"m\"", &format!("\"{model}\"")).replace("]}", "],\"logit_bias\":{\"1\":2}}")
    };
    let answer = gateway.post(CHAT, ask("alone")).await.expect(400);
    assert!(answer.message().contains("logit_bias"), "{}", answer.text());
    assert_eq!(answer.json()["error"]["param"], "logit_bias");
    let answer = gateway.post(CHAT, ask("two")).await.expect(200);
    assert_eq!((answer.get("x-sluice-provider"), answer.get("x-sluice-dropped")), ("other", ""));
    assert_eq!(answer.get("x-sluice-attempts"), "1", "who was not asked is no try");
    assert_eq!((upstream.calls(), other.calls()), (0, 1));
    let _ = gateway.post(CHAT, chat().replace("\"m\"", "\"alone\"")).await.expect(200);
}

#[tokio::test]
async fn a_dead_upstream_is_stood_in_for_by_one_of_the_other_dialect() {
    const OVERLOADED: &str = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    for (kind, members, path, stands_in) in [
        ("anthropic", "", "/v1/chat/completions", CHAT_REPLY),
        ("openai_compatible", ", endpoints: [messages]", "/v1/messages", MESSAGE),
    ] {
        let dead = Upstream::script([Answer::error(529, OVERLOADED)]).await;
        let live = Upstream::script([Answer::json(stands_in)]).await;
        let gateway = Config::to(&dead)
            .kind(kind)
            .also_with("live", &live.base_url(), members)
            .model_entry(
                "{name: both, targets: [{provider: up, model: a}, {provider: live, model: b, priority: 1}]}",
            )
            .start()
            .await;
        let answer = gateway.post(CHAT, chat().replace("\"m\"", "\"both\"")).await.expect(200);
        assert_eq!(answer.json()["choices"][0]["message"]["content"], "hi", "{kind}");
        let body = r#"{"model":"both","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
        let answer = gateway.post(MESSAGES, body).await.expect(200);
        assert_eq!(
            (answer.get("x-sluice-provider"), answer.get("x-sluice-attempts")),
            ("live", "2"),
            "{kind}"
        );
        assert_eq!(answer.json()["content"][0]["text"], "hi", "{kind}");
        assert_eq!((dead.calls(), live.calls()), (2, 2), "{kind}");
        for received in live.requests() {
            assert!(received.head.starts_with(&format!("POST {path} ")), "{}", received.head);
        }
    }
}

#[tokio::test]
async fn malformed_answers_are_errors_and_nothing_is_invented() {
    let good = message_events();
    for body in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"content":"hi"}"#,
        r#"{"content":[{"type":"text","text":7}]}"#,
        r#"{"type":"error","error":{"type":"api_error","message":"no"}}"#,
    ] {
        let upstream = Upstream::script([Answer::json(body)]).await;
        let gateway = claude(&upstream).await;
        let answer = gateway.post(CHAT, chat()).await.expect(502);
        assert_eq!(answer.code(), "bad_upstream_response", "{body}: {}", answer.text());
    }
    // Each fault after the first piece of text, which the client then has.
    let upto =
        good.find("\"text\":\"i\"").and_then(|at| good[..at].rfind("event: ")).expect("the second piece");
    for bad in [
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\"\n\n",
        "event: content_block_delta\ndata: nonsense\n\n",
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
        "",
    ] {
        let upstream = Upstream::script([Answer::sse(format!("{}{bad}", &good[..upto]))]).await;
        let gateway = claude(&upstream).await;
        let text = gateway.post(CHAT, chat_stream()).await.expect(200).text();
        assert!(!text.contains("[DONE]") && text.contains("\"error\":{"), "{bad}: {text}");
        let said: String =
            events(&text).iter().filter_map(|one| one["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(said, "h");
    }
}

#[tokio::test]
async fn equal_requests_share_a_translated_answer_and_are_answered_from_the_cache() {
    let upstream = Upstream::script([Answer::json(MESSAGE), Answer::sse(message_events())]).await;
    let gateway = Config::to(&upstream).kind("anthropic").section("cache: {mode: seeded}").start().await;
    let seeded = chat().replace("]}", "],\"seed\":7}");
    let first = gateway.post(CHAT, seeded.clone()).await.expect(200);
    assert_eq!(first.get("x-sluice-dropped"), "seed");
    let again = gateway.post(CHAT, seeded.clone()).await.expect(200);
    assert_eq!((again.get("x-sluice-cache"), again.text()), ("hit", first.text()));
    let stream = gateway.post(CHAT, seeded.replace("\"seed\"", "\"stream\":true,\"seed\"")).await.expect(200);
    assert!(
        stream.get("x-sluice-cache").starts_with("hit") && stream.text().contains("[DONE]"),
        "{}",
        stream.text()
    );
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn azure_is_asked_by_deployment_or_by_version_with_its_own_credential() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let by_deployment = format!("http://{}/openai", upstream.address());
    let config = Config::to_url(&by_deployment).kind("azure").provider("api_version: \"2024-10-21\"");
    let gateway = config.model("gpt 4/o").start().await;
    let _ = gateway.post(CHAT, chat().replace("\"m\"", "\"gpt 4/o\"")).await.expect(200);
    let received = upstream.request();
    let line = "POST /openai/deployments/gpt%204%2Fo/chat/completions?api-version=2024-10-21 HTTP/1.1";
    assert!(received.head.starts_with(line), "{}", received.head);
    assert_eq!(
        (received.header("api-key"), received.header("authorization")),
        (Some("sk-provider-secret"), None)
    );

    let by_version = format!("http://{}/openai/v1", upstream.address());
    let gateway = Config::to_url(&by_version).kind("azure").start().await;
    let _ = gateway.post(CHAT, chat()).await.expect(200);
    assert!(upstream.requests()[1].head.starts_with("POST /openai/v1/chat/completions HTTP/1.1"));
}

#[tokio::test]
async fn azure_s_filter_is_told_as_what_it_is() {
    let refusal = r#"{"error":{"message":"The response was filtered.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#;
    let upstream = Upstream::script([Answer::error(400, refusal)]).await;
    let gateway = Config::to(&upstream).kind("azure").start().await;
    let answer = gateway.post(CHAT, chat()).await.expect(400);
    assert_eq!(
        (answer.code(), answer.message()),
        ("content_filter".into(), "The response was filtered.".into())
    );
}

#[tokio::test]
async fn drop_fields_hold_for_what_is_written_anew() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY), Answer::json(COMPLETION_REPLY)]).await;
    let gateway = Config::to(&upstream)
        .provider("endpoints: [chat]")
        .provider("drop_fields: [temperature]")
        .start()
        .await;
    let body =
        r#"{"model":"m","max_tokens":9,"temperature":0.5,"messages":[{"role":"user","content":"hi"}]}"#;
    let answer = Request::post(MESSAGES, body).bearer(KEY).send(gateway.api).await.expect(200);
    assert_eq!(answer.get("x-sluice-dropped"), "temperature");
    assert_eq!(upstream.request().json().get("temperature"), None);
}
