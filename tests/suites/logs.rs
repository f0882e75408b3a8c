//! The request's line: what leads from a spike in a picture to the request behind it, without ever costing one.

use crate::support::{
    CHAT, CHAT_REPLY, LIMITED, all, chat, chat_events, chat_stream_request, limited, line, seeded,
};
use serde_json::Value;
use sluice_tests::{
    client::{Client, Request},
    gateway::{Config, Gateway, KEY, metric},
    process::{command, free_port},
    soon,
    upstream::{Answer, Upstream},
};
use std::{
    net::SocketAddr,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

const USAGE: &str = r#""usage":{"prompt_tokens":30,"completion_tokens":20,"total_tokens":50,"prompt_tokens_details":{"cached_tokens":12},"completion_tokens_details":{"reasoning_tokens":7}}"#;

fn named(id: &str, body: String, key: &str) -> Request {
    Request::post(CHAT, body).bearer(key).header("x-request-id", id)
}

#[tokio::test]
async fn a_line_has_who_what_where_how_long_and_how_much() {
    let reply =
        CHAT_REPLY.replace(r#""usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}"#, USAGE);
    let broken = Upstream::script([Answer::error(500, "{}")]).await;
    let upstream = Upstream::script([Answer::json(reply)]).await;
    let gateway = Config::to(&upstream)
        .also("broken", &broken.base_url())
        .model_entry("{name: smart, targets: [{provider: broken, model: b, priority: 1}, {provider: up, model: m, priority: 2}]}")
        .key("mine", LIMITED, "models: [\"*\"], tenant: team")
        .tenant("team", "limits: {}")
        .price("m", 1)
        .start()
        .await;
    let body = chat().replace("\"m\"", "\"smart\"");
    let _ = named("whole-1", body, LIMITED).send(gateway.api).await.expect(200);
    let line = line(&gateway, "whole-1").await;
    for (member, value) in [
        ("level", Value::from("info")),
        ("event", "request".into()),
        ("request_id", "whole-1".into()),
        ("endpoint", "chat".into()),
        ("status", 200.into()),
        ("outcome", "ok".into()),
        ("tenant", "team".into()),
        ("key", "mine".into()),
        ("model", "smart".into()),
        ("provider", "up".into()),
        ("upstream_model", "m".into()),
        ("stream", false.into()),
        ("cache", "bypass".into()),
        ("cache_reason", "disabled".into()),
        ("input_tokens", 30.into()),
        ("cache_read_tokens", 12.into()),
        ("cache_write_tokens", 0.into()),
        ("output_tokens", 20.into()),
        ("reasoning_tokens", 7.into()),
        ("token_source", "provider".into()),
    ] {
        assert_eq!(line[member], value, "{member} in {line}");
    }
    for member in ["duration_ms", "overhead_us", "request_bytes", "response_bytes", "cost_nano_usd"] {
        assert!(line[member].is_number(), "{member} in {line}");
    }
    let tries: Vec<_> = line["attempts"].as_array().unwrap().iter().collect();
    assert_eq!((&tries[0]["provider"], &tries[0]["outcome"]), (&"broken".into(), &"server_error".into()));
    assert_eq!((&tries[1]["provider"], &tries[1]["outcome"]), (&"up".into(), &"ok".into()));
    let time: jiff::Timestamp = line["time"].as_str().unwrap().parse().unwrap();
    assert_eq!(gateway.log.text().matches("whole-1").count(), 1);
    assert!(jiff::Timestamp::now().duration_since(time).as_secs().abs() < 60, "{line}");
}

#[tokio::test]
async fn streams_hits_and_refusals_tell_what_is_theirs() {
    let upstream = Upstream::with(|_, request| match request.json()["stream"] == true {
        true => Answer::sse(chat_events(&["a", "b"])),
        false => Answer::json(CHAT_REPLY),
    })
    .await;
    let config = limited(&upstream, "limits: {requests: {rate: 1/h, burst: 1}}").section("cache: {}");
    let gateway = config.start().await;
    let stream = chat_stream_request().header("x-request-id", "stream-1");
    let _ = stream.send(gateway.api).await.expect(200);
    let told = line(&gateway, "stream-1").await;
    assert_eq!((&told["stream"], &told["stream_end"]), (&true.into(), &"done".into()), "{told}");
    assert!(told["ttft_ms"].as_f64().unwrap() <= told["duration_ms"].as_f64().unwrap(), "{told}");

    for id in ["seed-1", "seed-2"] {
        let _ = named(id, seeded(7, ""), KEY).send(gateway.api).await.expect(200);
    }
    let (miss, hit) = (line(&gateway, "seed-1").await, line(&gateway, "seed-2").await);
    assert_eq!((&miss["cache"], &hit["cache"]), (&"miss".into(), &"hit".into()));
    assert_eq!((&hit["saved_input_tokens"], &hit["saved_output_tokens"]), (&3.into(), &1.into()), "{hit}");
    assert!(hit["attempts"].is_null() && hit["limit"].is_null(), "{hit}");

    let _ = named("room-1", chat(), LIMITED).send(gateway.api).await.expect(200);
    let _ = named("room-2", chat(), LIMITED).send(gateway.api).await.expect(429);
    let refused = line(&gateway, "room-2").await;
    assert_eq!(
        (&refused["outcome"], &refused["limit"]),
        (&"limited".into(), &"requests".into()),
        "{refused}"
    );
}

#[tokio::test]
async fn neither_prompts_nor_answers_nor_secrets_are_in_a_line() {
    let upstream = Upstream::with(|n, _| match n {
        0 => Answer::json(CHAT_REPLY.replace("\"hi\"", "\"an answer of ours\"")),
        _ => Answer::error(400, r#"{"error":{"message":"what do you mean by plain words of mine"}}"#),
    })
    .await;
    let gateway = Gateway::before(&upstream).await;
    let body = chat().replace("\"hi\"", "\"plain words of mine\"");
    let _ = named("quiet-1", body.clone(), KEY).send(gateway.api).await.expect(200);
    let _ = named("quiet-2", body.clone(), KEY).send(gateway.api).await.expect(400);
    let _ = named("quiet-3", body, "sk-sluice-not-a-key").send(gateway.api).await.expect(401);
    for id in ["quiet-1", "quiet-2", "quiet-3"] {
        line(&gateway, id).await;
    }
    let log = gateway.log.text();
    for secret in ["plain words", "answer of ours", KEY, "sk-sluice-not-a-key", "sk-provider-secret"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[tokio::test]
async fn a_slow_upload_is_no_overhead_of_ours() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Gateway::before(&upstream).await;
    let request = Request::post(CHAT, chat()).bearer(KEY).header("x-request-id", "slow-1");
    let wire = request.wire();
    let (first, second) = wire.split_at(wire.len() - 20);
    let mut client = Client::connect(gateway.api).await;
    client.send(first).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    client.send(second).await;
    let _ = client.answer().await.expect(200);
    let line = line(&gateway, "slow-1").await;
    assert!(line["duration_ms"].as_f64().unwrap() >= 390.0, "{line}");
    assert!(line["overhead_us"].as_u64().unwrap() < 200_000, "{line}");
}

#[tokio::test]
async fn the_line_of_a_wildcard_names_the_upstreams_model_and_not_the_pattern() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream)
        .model_entry(r#"{name: "gpt-*", targets: [{provider: up, model: "openai/gpt-*"}]}"#)
        .start()
        .await;
    let body = chat().replace("\"m\"", "\"gpt-4o\"");
    let request = Request::post(CHAT, body).bearer(KEY).header("x-request-id", "wild-1");
    let _ = request.send(gateway.api).await.expect(200);
    let line = line(&gateway, "wild-1").await;
    assert_eq!((&line["model"], &line["upstream_model"]), (&"gpt-*".into(), &"openai/gpt-4o".into()));
}

/// A process whose output nobody reads.
struct Unread {
    child: Child,
    api: SocketAddr,
    admin: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Unread {
    async fn start(config: &Config) -> Self {
        let local = || SocketAddr::from(([127, 0, 0, 1], free_port()));
        let (api, admin) = (local(), local());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sluice.yaml");
        std::fs::write(&path, config.yaml(&api.to_string(), &admin.to_string())).unwrap();
        let mut command = command(&["serve", "--config", path.to_str().unwrap()]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        soon("a listener", async {
            while tokio::net::TcpStream::connect(admin).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        Self { child, api, admin, _folder: folder }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_log_that_nobody_reads_costs_lines_and_no_request() {
    const LOST: &str = "sluice_request_log_dropped_total";
    let upstream = Upstream::with(|_, _| Answer::json(CHAT_REPLY)).await;
    // Names that fill the buffer of 8 MiB with some thousand lines.
    let (model, key) = ("m".repeat(200), "k".repeat(200));
    let config = Config::to(&upstream)
        .model_entry(&format!("{{name: {model}, targets: [{{provider: up, model: {model}}}]}}"))
        .key(&key, LIMITED, "models: [\"*\"]");
    let sluice = Unread::start(&config).await;
    let body = chat().replace("\"m\"", &format!("\"{model}\""));
    let begun = Instant::now();
    let mut asked = 0;
    while metric(sluice.admin, LOST).await == 0.0 {
        let api = sluice.api;
        let one = |_| {
            let request = Request::post(CHAT, body.clone()).bearer(LIMITED);
            async move { request.send(api).await.status() }
        };
        let answered = all((0..100).map(one)).await;
        assert!(answered.iter().all(|status| *status == 200), "{answered:?}");
        asked += 100;
        assert!(begun.elapsed() < Duration::from_secs(90), "{asked} lines, and none is lost");
    }
    let lost = metric(sluice.admin, LOST).await;
    assert!(asked > 4_000 && lost < f64::from(asked), "{lost} of {asked}");
    // What is lost is a line: the request has its metrics and its record.
    let counted = format!(
        "sluice_requests_total{{code=\"200\",endpoint=\"chat\",model=\"{model}\",outcome=\"ok\",stream=\"false\"}}"
    );
    assert_eq!(metric(sluice.admin, &counted).await, f64::from(asked));
}
