//! What must not go wrong where dialects differ: whom a count is put to, what a request that nobody can take costs,
//! headers of Anthropic's clients, streams that are cut, and what is shared and kept.

use crate::{
    anthropic::{MESSAGE, MESSAGES, message_events},
    support::{
        CHAT, CHAT_REPLY, DONE, RESPONSES, all, chat_events, chat_stream, chat_to, delta, finish, seeded,
        usage,
    },
};
use serde_json::{Value, json};
use sluice_tests::{
    client::Request,
    gateway::{Config, Gateway, KEY},
    upstream::{Answer, Upstream},
};

const COUNT: &str = "/v1/messages/count_tokens";
const OVERLOADED: &str = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;

fn ask(path: &str, body: &str) -> Request {
    Request::post(path, body.to_owned()).header("x-api-key", KEY).header("anthropic-version", "2023-06-01")
}

fn message(model: &str, more: &str) -> String {
    format!(r#"{{"model":"{model}","max_tokens":64{more},"messages":[{{"role":"user","content":"hi"}}]}}"#)
}

fn count(model: &str) -> String {
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#)
}

/// Claude first, a chat upstream second.
fn two(claude: &Upstream, other: &Upstream) -> Config {
    Config::to(claude).kind("anthropic").also("other", &other.base_url()).model_entry(
        "{name: two, targets: [{provider: up, model: c}, {provider: other, model: o, priority: 1}]}",
    )
}

#[tokio::test]
async fn a_count_is_put_to_nobody_who_makes_none() {
    let dead = Upstream::script([Answer::error(500, OVERLOADED)]).await;
    let other = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = two(&dead, &other).start().await;
    let answer = ask(COUNT, &count("two")).send(gateway.api).await.expect(502);
    assert_eq!(answer.json()["type"], "error");
    assert!(dead.calls() >= 1);
    assert_eq!(other.calls(), 0, "{}", other.requests().first().map_or("", |one| &one.head));
}

#[tokio::test]
async fn a_request_that_a_target_cannot_take_costs_its_provider_nothing_and_is_no_fallback() {
    let claude = Upstream::script([Answer::json(MESSAGE)]).await;
    let other = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = two(&claude, &other).provider("limits: {requests: {rate: 1/h, burst: 1}}").start().await;
    let audio = |model: &str| {
        format!(
            r#"{{"model":"{model}","messages":[{{"role":"user","content":[{{"type":"input_audio","input_audio":{{"data":"aGk=","format":"wav"}}}}]}}]}}"#
        )
    };
    let _ = gateway.post(CHAT, audio("m")).await.expect(400);
    let _ = gateway.post(CHAT, audio("two")).await.expect(200);
    assert_eq!((claude.calls(), other.calls()), (0, 1));
    let _ = gateway.post(CHAT, chat_to("m")).await.expect(200);
    assert_eq!(claude.calls(), 1);
}

#[tokio::test]
async fn who_is_passed_over_as_unfit_is_no_fallback() {
    let dead = Upstream::script([Answer::error(500, "{}")]).await;
    let claude = Upstream::script([Answer::json(MESSAGE)]).await;
    let gateway = Config::to(&claude)
        .kind("anthropic")
        .also("dead", &dead.base_url())
        .model_entry(
            "{name: back, targets: [{provider: dead, model: o}, {provider: up, model: c, priority: 1}]}",
        )
        .start()
        .await;
    let audio = r#"{"model":"back","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"aGk=","format":"wav"}}]}]}"#;
    let _ = gateway.post(CHAT, audio).await.expect(502);
    assert_eq!(claude.calls(), 0);
    let fallbacks = "sluice_fallbacks_total{from_provider=\"dead\",model=\"back\",reason=\"server_error\",to_provider=\"up\"}";
    assert_eq!(gateway.metric(fallbacks).await, 0.0);
}

#[tokio::test]
async fn a_count_that_is_made_here_takes_nothing_from_a_provider() {
    let other = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&other).provider("limits: {requests: {rate: 1/h, burst: 1}}").start().await;
    for _ in 0..3 {
        let _ = ask(COUNT, &count("m")).send(gateway.api).await.expect(200);
    }
    let _ = gateway.post(CHAT, chat_to("m")).await.expect(200);
}

#[tokio::test]
async fn a_count_is_made_where_the_message_would_go() {
    let claude = Upstream::script([Answer::json(r#"{"input_tokens":17}"#)]).await;
    let gateway = Config::to(&claude).kind("anthropic").model_entry(
        "{name: long, targets: [{provider: up, model: small}], rules: [{when: {min_input_tokens: 100}, targets: [{provider: up, model: large}]}]}",
    ).start().await;
    let body = count("long").replace("\"hi\"", &format!("\"{}\"", "many words ".repeat(200)));
    let _ = ask(COUNT, &body).send(gateway.api).await.expect(200);
    assert_eq!(claude.request().json()["model"], "large");
}

#[tokio::test]
async fn all_that_anthropic_s_clients_ask_for_is_answered_with_their_headers_and_errors() {
    let upstream = Upstream::script([Answer::json(MESSAGE)]).await;
    let gateway = Config::to(&upstream).kind("anthropic").start().await;
    for (path, status) in [
        ("/anthropic/v1/models", 200),
        ("/anthropic/v1/models/m", 200),
        ("/anthropic/v1/models/x", 404),
        ("/anthropic/v1/nothing", 404),
        ("/v1/models", 200),
        ("/v1/models/x", 404),
    ] {
        let answer = Request::get(path)
            .header("x-api-key", KEY)
            .header("anthropic-version", "2023-06-01")
            .send(gateway.api)
            .await
            .expect(status);
        assert_eq!(answer.get("request-id"), answer.get("x-request-id"), "{path}");
        if status == 404 {
            assert_eq!(
                (&answer.json()["type"], &answer.json()["error"]["type"]),
                (&json!("error"), &json!("not_found_error")),
                "{path}: {}",
                answer.text()
            );
        }
    }
    let refused = Request::get("/v1/models")
        .header("anthropic-version", "2023-06-01")
        .send(gateway.api)
        .await
        .expect(401);
    assert_eq!(refused.json()["type"], "error", "{}", refused.text());
}

#[tokio::test]
async fn a_stream_that_is_cut_inside_an_event_is_no_whole_answer() {
    let events = [delta("h"), finish(), usage()].concat();
    for cut in [&events[..events.len() - 9], &events[..events.len() - 1]] {
        let upstream = Upstream::script([Answer::sse(cut.to_owned())]).await;
        let gateway = Gateway::before(&upstream).await;
        let native = gateway.post(CHAT, chat_stream()).await.expect(200).text();
        assert!(native.contains("\"error\":{"), "{native}");
        let text =
            ask(MESSAGES, &message("m", ",\"stream\":true")).send(gateway.api).await.expect(200).text();
        assert!(text.contains("event: error") && !text.contains("message_stop"), "{text}");
    }
}

#[tokio::test]
async fn azure_s_responses_api_has_no_deployment_in_its_address() {
    let upstream = Upstream::with(|_, _| Answer::error(400, "{}")).await;
    let gateway = Config::to_url(&format!("http://{}/openai", upstream.address()))
        .kind("azure")
        .provider("api_version: 2025-04-01-preview")
        .start()
        .await;
    let _ = gateway.post(RESPONSES, r#"{"model":"m","input":"hi"}"#).await;
    let head = upstream.request().head;
    assert!(head.starts_with("POST /openai/responses?api-version=2025-04-01-preview HTTP/1.1"), "{head}");
    assert_eq!(upstream.request().json()["model"], "m");
}

#[tokio::test]
async fn where_nothing_is_kept_responses_are_spread_over_all_targets() {
    let (one, other) = (
        Upstream::script([Answer::json(CHAT_REPLY)]).await,
        Upstream::script([Answer::json(CHAT_REPLY)]).await,
    );
    let gateway = Config::to(&one)
        .provider("endpoints: [chat]")
        .also_with("other", &other.base_url(), ", endpoints: [chat]")
        .model_entry("{name: both, targets: [{provider: up, model: a}, {provider: other, model: b}]}")
        .start()
        .await;
    for _ in 0..40 {
        let _ = gateway.post(RESPONSES, r#"{"model":"both","input":"hi"}"#).await.expect(200);
    }
    assert!(one.calls() > 0 && other.calls() > 0, "{} and {}", one.calls(), other.calls());
}

#[tokio::test]
async fn messages_are_kept_and_replayed_in_either_form() {
    for kind in ["anthropic", "openai_compatible"] {
        let upstream = Upstream::with(move |_, request| match (kind, request.json()["stream"] == true) {
            ("anthropic", true) => Answer::sse(message_events()),
            ("anthropic", false) => Answer::json(MESSAGE),
            (_, true) => Answer::sse([delta("h"), delta("i"), finish(), usage(), DONE.into()].concat()),
            _ => Answer::json(CHAT_REPLY),
        })
        .await;
        let gateway = Config::to(&upstream).kind(kind).section("cache: {mode: all}").start().await;
        for (first, second) in [("", ",\"stream\":true"), (",\"stream\":true", "")] {
            let system = format!(",\"system\":\"{}\"", first.len());
            let body = |more: &str| message("m", &format!("{system}{more}"));
            let miss = ask(MESSAGES, &body(first)).send(gateway.api).await.expect(200);
            let hit = ask(MESSAGES, &body(first)).send(gateway.api).await.expect(200);
            assert_eq!((hit.get("x-sluice-cache"), hit.text()), ("hit", miss.text()), "{kind}");
            let other = ask(MESSAGES, &body(second)).send(gateway.api).await.expect(200);
            assert_eq!(other.get("x-sluice-cache"), "hit", "{kind} {second}");
            if second.is_empty() {
                assert_eq!(other.json()["content"], json!([{"type": "text", "text": "hi"}]));
                assert_eq!(other.json()["type"], "message");
            } else {
                assert!(
                    other.text().contains("event: message_stop") && !other.text().contains("[DONE]"),
                    "{}",
                    other.text()
                );
            }
            assert!(hit.head.has("request-id"));
        }
        assert_eq!(upstream.calls(), 2, "{kind}");
    }
}

#[tokio::test]
async fn an_early_head_is_followed_by_an_error_in_the_client_s_form() {
    let upstream = Upstream::with(|_, _| Answer::new().wait(400).then(Answer::error(500, "{}"))).await;
    let gateway = Config::to(&upstream)
        .section("resilience: {commit_after: 100ms, heartbeat: 100ms, attempts: 1}")
        .start()
        .await;
    let answer = ask(MESSAGES, &message("m", ",\"stream\":true")).send(gateway.api).await.expect(200);
    assert!(answer.head.has("request-id"));
    let text = answer.text();
    assert!(text.contains("event: error\ndata: {\"type\":\"error\""), "{text}");
}

#[tokio::test]
async fn a_limited_upstream_is_told_with_its_wait() {
    let limited = || Answer::status(429, &["retry-after: 7"], r#"{"error":{"message":"slow down"}}"#);
    for kind in ["anthropic", "openai_compatible"] {
        let upstream = Upstream::with(move |_, _| limited()).await;
        let gateway = Config::to(&upstream).kind(kind).start().await;
        let answer = ask(MESSAGES, &message("m", "")).send(gateway.api).await.expect(429);
        assert_eq!(answer.get("retry-after"), "7");
        assert_eq!(answer.json()["error"]["type"], "rate_limit_error");
    }
}

#[tokio::test]
async fn caches_of_an_hour_are_paid_for_as_such_in_every_dialect() {
    let long = MESSAGE.replace(
        r#""cache_creation_input_tokens":20"#,
        r#""cache_creation_input_tokens":20,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":20}"#,
    );
    let streamed = message_events().replace(
        r#""cache_creation_input_tokens":20"#,
        r#""cache_creation_input_tokens":20,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":20}"#,
    );
    let upstream = Upstream::with(move |_, request| {
        if request.json()["stream"] == true {
            Answer::sse(streamed.clone())
        } else {
            Answer::json(long.clone())
        }
    })
    .await;
    let prices = "prices: [{provider: up, model: m, input: 0, cached_input: 0, cache_write: 1, cache_write_1h: 50000, output: 0}]";
    for (path, body) in [
        (MESSAGES, message("m", "")),
        (MESSAGES, message("m", ",\"stream\":true")),
        (CHAT, chat_to("m")),
        (CHAT, chat_stream()),
        (RESPONSES, r#"{"model":"m","input":"hi"}"#.into()),
        (RESPONSES, r#"{"model":"m","input":"hi","stream":true}"#.into()),
        ("/v1/completions", r#"{"model":"m","prompt":"hi"}"#.into()),
        ("/v1/completions", r#"{"model":"m","prompt":"hi","stream":true}"#.into()),
    ] {
        let gateway = Config::to(&upstream).kind("anthropic").section(prices).start().await;
        let _ = gateway.post(path, body.clone()).await.expect(200);
        let series = "sluice_cost_usd_total{model=\"m\",provider=\"up\"}";
        sluice_tests::soon("a cost", async { while gateway.metric(series).await == 0.0 {} }).await;
        assert_eq!(gateway.metric(series).await, 1.0, "{path} {body}");
    }
}

#[tokio::test]
async fn one_flight_serves_readers_with_and_without_usage() {
    let upstream = Upstream::with(|_, _| {
        let events = message_events();
        let at = events.find("event: content_block_delta").expect("a delta");
        Answer::chunked().chunk(&events[..at]).wait(300).chunk(&events[at..]).last_chunk()
    })
    .await;
    let gateway = Config::to(&upstream).kind("anthropic").section("cache: {mode: seeded}").start().await;
    let api = gateway.api;
    let answers = all((0..6).map(|n| {
        let more = if n % 2 == 0 {
            ",\"stream\":true"
        } else {
            ",\"stream\":true,\"stream_options\":{\"include_usage\":true}"
        };
        let request = Request::post(CHAT, seeded(1, more)).bearer(KEY);
        async move { (n, request.send(api).await.expect(200).text()) }
    }))
    .await;
    assert_eq!(upstream.calls(), 1);
    for (n, text) in answers {
        let data: Vec<Value> = text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .filter(|data| *data != "[DONE]")
            .map(|data| serde_json::from_str(data).expect("JSON"))
            .collect();
        assert!(text.ends_with(DONE), "{text}");
        assert_eq!(data.iter().any(|one| one["choices"] == json!([])), n % 2 == 1, "{text}");
    }
}

#[tokio::test]
async fn a_stream_may_begin_with_all_that_it_was_asked() {
    let upstream = Upstream::script([Answer::sse(chat_events(&["hi"]))]).await;
    let gateway = Config::to(&upstream).provider("endpoints: [chat]").start().await;
    let long = "all of a long book ".repeat(40_000);
    let body = format!(r#"{{"model":"m","stream":true,"instructions":"{long}","input":"hi"}}"#);
    let text = gateway.post(RESPONSES, body).await.expect(200).text();
    assert!(text.contains("event: response.completed"), "{}", &text[text.len() - 500..]);
}
