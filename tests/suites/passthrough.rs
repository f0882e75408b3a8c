//! Bytes first: what the client wrote reaches the upstream as it was written, and nothing else does.

use crate::support::{
    CHAT, CHAT_REPLY, COMPLETION_REPLY, COMPLETIONS, EMBEDDINGS, RESPONSES, STRICT, chat, completion,
};
use serde_json::{Value, json};
use sluice_tests::{
    client::Request,
    gateway::{Config, Gateway, KEY},
    upstream::{Answer, Received, Upstream},
};

fn reply(path: &str) -> Answer {
    Answer::json(if path.ends_with("/chat/completions") { CHAT_REPLY } else { COMPLETION_REPLY })
}

/// What the upstream receives for this body.
async fn received(path: &str, body: &str) -> Received {
    let upstream = Upstream::script([reply(path)]).await;
    let gateway = Gateway::before(&upstream).await;
    let _ = gateway.post(path, body.to_owned()).await.expect(200);
    upstream.request()
}

/// The upstream must receive exactly what was sent.
async fn unchanged(path: &str, body: &str) {
    assert_eq!(received(path, body).await.text(), body);
}

#[tokio::test]
async fn cache_control_at_top_level_arrives_byte_for_byte() {
    let body = completion(
        r#","cache_control": {"ttl":"1h" , "type":"ephemeral","x":{"b":1,"a":[1.10,9007199254740993]}}"#,
    );
    unchanged(COMPLETIONS, &body).await;
    unchanged(STRICT, &body).await;
}

#[tokio::test]
async fn cache_control_in_parts_and_tools_arrives_byte_for_byte() {
    let body = r#"{"messages":[{"role":"system","content":[{"type":"text","text":"long","cache_control":{"type":"ephemeral","ttl":"5m","zz":0.50}}]},{"content":"hi","role":"user"}],"model":"m","tools":[{"type":"function","cache_control":{"ttl":"1h","type":"ephemeral"},"function":{"name":"f","parameters":{"type":"object","properties":{"cache_control":{"type":"string"}}}}}]}"#;
    unchanged(CHAT, body).await;
}

#[tokio::test]
async fn unknown_members_arrive_at_every_depth_and_in_their_order() {
    unchanged(
        COMPLETIONS,
        r#"{"zeta":1,"model":"m","alpha":{"y":[{"q":null}],"b":true},"prompt":"x","guided_json":{}}"#,
    )
    .await;
}

#[tokio::test]
async fn numbers_keep_their_spelling() {
    unchanged(
        STRICT,
        &completion(r#","seed":9007199254740993,"temperature":1.10,"x":1e2,"y":-0.0,"z":1E+400"#),
    )
    .await;
    unchanged(STRICT, &completion(r#","seed":-9223372036854775808,"top_k":9223372036854775807"#)).await;
}

#[tokio::test]
async fn strings_keep_their_escapes() {
    unchanged(
        STRICT,
        r#"{"model":"m","prompt":"\u00e9 é \ud83d\ude00 😀 \/ \" \\ \n \u0000","x\u0079":"\u0041"}"#,
    )
    .await;
}

#[tokio::test]
async fn white_space_stays() {
    unchanged(STRICT, "\r\n\t {\n  \"model\" : \"m\" ,\t\"prompt\":\"x\"\n}\n ").await;
}

#[tokio::test]
async fn nesting_of_a_hundred_levels_arrives() {
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    unchanged(STRICT, &completion(&format!(r#","x":{deep}"#))).await;
}

#[tokio::test]
async fn prompt_of_ten_mebibytes_arrives() {
    let prompt = "long é ".repeat(10 * 1024 * 1024 / 8);
    assert!(prompt.len() >= 10 * 1024 * 1024);
    unchanged(STRICT, &format!(r#"{{"prompt":"{prompt}","model":"m"}}"#)).await;
}

#[tokio::test]
async fn chunked_request_body_arrives() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Gateway::before(&upstream).await;
    let body = chat();
    let (first, second) = body.split_at(10);
    let head =
        Request::post(CHAT, "").bearer(KEY).without("content-length").header("transfer-encoding", "chunked");
    let chunks = format!("{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
    let mut client = sluice_tests::client::Client::connect(gateway.api).await;
    client.send(&[head.head().as_ref(), chunks.as_bytes()].concat()).await;
    let _ = client.answer().await.expect(200);
    assert_eq!(upstream.request().text(), body);
}

#[tokio::test]
async fn an_alias_changes_the_value_of_model_and_nothing_else() {
    let upstream = Upstream::script([Answer::json(COMPLETION_REPLY)]).await;
    let gateway = Config::to(&upstream)
        .model_entry(r#"{name: "fast", targets: [{provider: up, model: "org/Big-1.10"}]}"#)
        .model_entry(r#"{name: "vendor/*", targets: [{provider: up, model: "*"}]}"#)
        .model_entry(r#"{name: "gpt-*", targets: [{provider: up, model: "openai/gpt-*"}]}"#)
        .start()
        .await;
    for (asked, upstream_name) in
        [("fast", "org/Big-1.10"), ("vendor/x", "vendor/x"), ("gpt-4o", "openai/gpt-4o"), ("m", "m")]
    {
        let body =
            |model: &str| format!(r#"{{ "seed":9007199254740993,"model" :"{model}", "prompt":"model m" }}"#);
        let _ = gateway.post(STRICT, body(asked)).await.expect(200);
        assert_eq!(upstream.requests().last().unwrap().text(), body(upstream_name));
    }
}

#[tokio::test]
async fn dollar_schema_is_taken_out_and_nothing_else_changes() {
    for body in [
        r#"{"$schema":"https://x.example/a.json","model":"m","prompt":"x","seed":9007199254740993}"#,
        r#"{"model":"m", "$schema" : "https://x.example/a.json" ,"prompt":"x","seed":9007199254740993}"#,
        r#"{"model":"m","prompt":"x","seed":9007199254740993,"$schema":"https://x.example/a.json"}"#,
    ] {
        let got = received(STRICT, body).await;
        assert_eq!(got.json(), json!({"model": "m", "prompt": "x", "seed": 9_007_199_254_740_993_u64}));
    }
}

#[tokio::test]
async fn each_endpoint_has_its_path_behind_the_base_url() {
    let upstream = Upstream::with(|_, request| {
        let path = request.head.split(' ').nth(1).unwrap_or_default().to_owned();
        match path.as_str() {
            "/v1/embeddings" => Answer::json(r#"{"object":"list","data":[],"model":"m","usage":{"prompt_tokens":1,"total_tokens":1}}"#),
            "/v1/responses" => Answer::json(r#"{"id":"r","object":"response","output":[],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}"#),
            other => reply(other),
        }
    })
    .await;
    let gateway = Gateway::before(&upstream).await;
    for (path, body) in [
        (CHAT, chat()),
        (COMPLETIONS, completion("")),
        (EMBEDDINGS, r#"{"model":"m","input":"x"}"#.into()),
        (RESPONSES, r#"{"model":"m","input":"x"}"#.into()),
    ] {
        for family in ["", "/openai"] {
            let _ = gateway.post(&format!("{family}{path}"), body.clone()).await.expect(200);
            let line = format!("POST {path} HTTP/1.1");
            assert_eq!(upstream.requests().last().unwrap().head.lines().next(), Some(line.as_str()));
        }
    }
}

#[tokio::test]
async fn only_the_listed_headers_go_upstream() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut request = Request::post(CHAT, chat()).bearer(KEY);
    for (name, value) in [
        ("cookie", "session=1"),
        ("x-api-key", KEY),
        ("api-key", KEY),
        ("x-forwarded-for", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1"),
        ("origin", "https://a.example"),
        ("referer", "https://a.example"),
        ("proxy-authorization", "Basic eA=="),
        ("x-custom", "1"),
        ("x-request-id", "mine-1"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("openai-organization", "org-1"),
        ("openai-project", "proj-1"),
        ("connection", "keep-alive, x-custom"),
        ("te", "trailers"),
        ("accept", "application/json"),
        ("accept-encoding", "gzip, br"),
        ("openai-beta", "assistants=v2"),
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "a,b"),
        ("idempotency-key", "idem-1"),
    ] {
        request = request.header(name, value);
    }
    let _ = request.send(gateway.api).await.expect(200);
    let got = upstream.request();
    let allowed = [
        "accept",
        "accept-encoding",
        "anthropic-beta",
        "anthropic-version",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "idempotency-key",
        "openai-beta",
        "user-agent",
    ];
    assert_eq!(got.header_names(), allowed, "{}", got.head);
    assert_eq!(got.header("authorization"), Some("Bearer sk-provider-secret"));
    assert_eq!(got.header("accept-encoding"), Some("identity"));
    assert_eq!(got.header("idempotency-key"), Some("idem-1"));
    assert!(got.header("user-agent").unwrap().starts_with("sluice/"));
    assert!(!got.head.contains(KEY));
}

#[tokio::test]
async fn extra_headers_of_a_provider_are_sent_and_trace_only_where_wanted() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway =
        Config::to(&upstream).provider("headers: {x-team: platform}").provider("trace: true").start().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = Request::post(CHAT, chat()).bearer(KEY).header("traceparent", trace);
    let _ = request.send(gateway.api).await.expect(200);
    let got = upstream.request();
    assert_eq!(got.header("x-team"), Some("platform"));
    let sent = got.header("traceparent").expect("a traceparent");
    assert_eq!(sent.split('-').nth(1), trace.split('-').nth(1), "the same trace");
}

#[tokio::test]
async fn a_header_that_is_sent_twice_arrives_twice() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Gateway::before(&upstream).await;
    let request = Request::post(CHAT, chat()).bearer(KEY);
    let request = request.header("anthropic-beta", "one").header("anthropic-beta", "two");
    let _ = request.send(gateway.api).await.expect(200);
    let got = upstream.request();
    let sent: Vec<&str> = got.head.lines().filter_map(|line| line.strip_prefix("anthropic-beta: ")).collect();
    assert_eq!(sent, ["one", "two"], "{}", got.head);
}

#[tokio::test]
async fn a_header_that_the_provider_configures_wins_over_the_clients_and_ours() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let configured = "headers: {anthropic-beta: configured, accept: application/x-configured}";
    let gateway = Config::to(&upstream).provider(configured).start().await;
    let request = Request::post(CHAT, chat()).bearer(KEY);
    let request = request.header("anthropic-beta", "mine").header("accept", "application/json");
    let _ = request.send(gateway.api).await.expect(200);
    let got = upstream.request();
    assert_eq!(got.header("anthropic-beta"), Some("configured"));
    assert_eq!(got.header("accept"), Some("application/x-configured"));
    let twice = |name: &&str| got.header_names().iter().filter(|have| have == name).count() > 1;
    assert!(!["anthropic-beta", "accept"].iter().any(twice), "{}", got.head);
}

#[tokio::test]
async fn only_the_listed_headers_come_back() {
    let headers = [
        "content-type: application/json",
        "set-cookie: a=b",
        "openai-organization: org-1",
        "openai-processing-ms: 12",
        "x-request-id: req_upstream",
        "x-ratelimit-limit-requests: 10",
        "server: secret-host",
        "via: 1.1 inner",
        "strict-transport-security: max-age=1",
    ];
    let upstream = Upstream::script([Answer::status(200, &headers, CHAT_REPLY)]).await;
    let answer = Gateway::before(&upstream).await.post(CHAT, chat()).await.expect(200);
    assert_eq!(answer.text(), CHAT_REPLY, "the body, byte for byte");
    assert_eq!(answer.get("x-upstream-request-id"), "req_upstream");
    assert_eq!(answer.get("openai-processing-ms"), "12");
    assert_eq!(answer.get("x-sluice-provider"), "up");
    assert_eq!(answer.get("x-sluice-model"), "m");
    assert_ne!(answer.get("x-request-id"), "req_upstream");
    for name in ["set-cookie", "openai-organization", "server", "via", "strict-transport-security"] {
        assert!(!answer.head.has(name), "{name}: {:?}", answer.head);
    }
    assert_ne!(answer.get("x-ratelimit-limit-requests"), "10", "their limits are not ours");
}

#[tokio::test]
async fn plain_answer_comes_back_byte_for_byte() {
    let odd = "{ \"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"\\u00e9\"},\"finish_reason\":\"stop\"}],\n\
               \"x\":9007199254740993,\"y\":1.10,\"object\":\"chat.completion\",\"created\":1,\"model\":\"other\",\"id\":\"c\"}\n";
    let upstream = Upstream::script([Answer::json(odd)]).await;
    let answer = Gateway::before(&upstream).await.post(CHAT, chat()).await.expect(200);
    assert_eq!(answer.text(), odd);
    assert_eq!(answer.get("content-type"), "application/json");
}

const MARKED: &str = r#"{"model":"m","cache_control":{"type":"ephemeral"},"messages":[{"role":"user","content":[{"type":"text","text":"cache_control","cache_control":{"type":"ephemeral"}}]}],"metadata":{"cache_control":"keep"},"tools":[{"type":"function","cache_control":{"type":"ephemeral"},"function":{"name":"f","parameters":{"type":"object","properties":{"cache_control":{"type":"string"}}}}}],"seed":9007199254740993}"#;

#[tokio::test]
async fn kind_openai_drops_cache_control_where_a_dialect_defines_it_and_says_so() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).kind("openai").start().await;
    let answer = gateway.post(CHAT, MARKED).await.expect(200);
    assert!(answer.get("x-sluice-dropped").contains("cache_control"), "{:?}", answer.head);
    let got: Value = upstream.request().json();
    let schema = json!({"type": "object", "properties": {"cache_control": {"type": "string"}}});
    assert_eq!(
        got,
        json!({
            "model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "cache_control"}]}],
            "metadata": {"cache_control": "keep"}, "seed": 9_007_199_254_740_993_u64,
            "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
        })
    );
}

#[tokio::test]
async fn empty_drop_fields_forwards_everything_to_kind_openai() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).kind("openai").provider("drop_fields: []").start().await;
    let answer = gateway.post(CHAT, MARKED).await.expect(200);
    assert!(!answer.head.has("x-sluice-dropped"));
    assert_eq!(upstream.request().text(), MARKED);
}

#[tokio::test]
async fn nothing_is_dropped_for_an_openai_compatible_upstream() {
    unchanged(CHAT, MARKED).await;
}

#[tokio::test]
async fn drop_fields_names_what_an_upstream_cannot_take() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).provider("drop_fields: [user, store]").start().await;
    let body = r#"{"model":"m","user":"u-1","messages":[{"role":"user","content":"user store"}],"metadata":{"user":"x"},"store":true}"#;
    let answer = gateway.post(CHAT, body).await.expect(200);
    assert_eq!(
        upstream.request().json(),
        json!({"model": "m", "messages": [{"role": "user", "content": "user store"}], "metadata": {"user": "x"}})
    );
    let dropped = answer.get("x-sluice-dropped");
    assert!(dropped.contains("user") && dropped.contains("store"), "{dropped}");
}

#[tokio::test]
async fn connections_to_the_upstream_are_reused() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Gateway::before(&upstream).await;
    for _ in 0..10 {
        let _ = gateway.post(CHAT, chat()).await.expect(200);
    }
    assert_eq!(upstream.connections(), 1);
}
