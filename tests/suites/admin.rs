//! The admin listener and the request log: what an operator sees after real requests.

use crate::support::{CHAT, CHAT_REPLY, DONE, STRICT, chat, chat_stream_request, delta, finish, line, usage};
use serde_json::json;
use sluice_tests::{
    client::{Client, Request},
    eventually,
    gateway::{Config, Gateway, KEY},
    sse::Stream,
    upstream::{Answer, Upstream},
};
use std::time::Duration;

async fn gateway() -> (Gateway, Upstream) {
    let stream = Answer::sse(format!("{}{}{}{DONE}", delta("a"), finish(), usage()));
    let upstream = Upstream::with(move |_, request| {
        if request.json()["stream"] == true { stream.clone() } else { Answer::json(CHAT_REPLY) }
    })
    .await;
    (Config::to(&upstream).model("wild").start().await, upstream)
}

/// The sum over all series of this name whose labels hold every one of `labels`.
fn sum(metrics: &str, name: &str, labels: &[&str]) -> f64 {
    let lines = metrics.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label))
    });
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let (gateway, _upstream) = gateway().await;
    let _ = gateway.post(CHAT, chat()).await.expect(200);
    assert!(Stream::open(gateway.api, &chat_stream_request()).await.rest().await.done());
    let _ = gateway.post(STRICT, "{}").await.expect(400);
    let _ = gateway.post(CHAT, chat().replace("\"m\"", "\"no-such-model\"")).await.expect(404);
    let _ = Request::post(CHAT, chat()).send(gateway.api).await.expect(401);
    let text = async || gateway.ask_admin("/metrics").await.expect(200).text();
    let mut metrics = text().await;
    for _ in 0..100 {
        if sum(&metrics, "sluice_requests_total", &[]) >= 5.0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        metrics = text().await;
    }
    let expect = |value: f64, name: &str, labels: &[&str]| {
        assert!(
            (sum(&metrics, name, labels) - value).abs() < 1e-9,
            "{name} {labels:?} is not {value}:\n{metrics}"
        );
    };
    expect(2.0, "sluice_requests_total", &["outcome=\"ok\"", "model=\"m\""]);
    expect(1.0, "sluice_requests_total", &["outcome=\"ok\"", "stream=\"true\""]);
    expect(3.0, "sluice_requests_total", &["outcome=\"client_error\""]);
    expect(1.0, "sluice_requests_total", &["code=\"401\""]);
    expect(2.0, "sluice_upstream_attempts_total", &["provider=\"up\"", "outcome=\"ok\""]);
    expect(1.0, "sluice_auth_failures_total", &["reason=\"missing\""]);
    expect(6.0, "sluice_tokens_total", &["type=\"input\"", "provider=\"up\""]);
    expect(3.0, "sluice_tokens_total", &["type=\"output\"", "provider=\"up\""]);
    expect(1.0, "sluice_stream_ends_total", &["reason=\"done\""]);
    expect(0.0, "sluice_requests_in_flight", &[]);
    expect(0.0, "sluice_streams_in_flight", &[]);
    expect(1.0, "sluice_build_info", &["version="]);
    expect(1.0, "sluice_time_to_first_token_seconds_count", &[]);
    for name in ["sluice_request_duration_seconds_count", "sluice_overhead_seconds_count"] {
        assert!(sum(&metrics, name, &[]) >= 2.0, "{name}:\n{metrics}");
    }
    assert!(!metrics.contains("no-such-model"), "a label value came from the wire:\n{metrics}");
}

#[tokio::test]
async fn every_metric_has_its_help_and_the_prefix() {
    let (gateway, _upstream) = gateway().await;
    let answer = gateway.ask_admin("/metrics").await.expect(200);
    assert!(answer.get("content-type").starts_with("text/plain; version=0.0.4"), "{:?}", answer.head);
    assert_eq!(answer.get("cache-control"), "no-store");
    let text = answer.text();
    let names = |what: &str| -> Vec<String> {
        text.lines()
            .filter_map(|l| l.strip_prefix(what))
            .map(|l| l.split(' ').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("# HELP "), names("# TYPE "));
    for name in names("# TYPE ") {
        assert!(name.starts_with("sluice_") || name.starts_with("process_"), "{name}");
    }
    for name in ["sluice_requests_total", "sluice_upstream_attempts_total", "sluice_panics_total"] {
        assert!(names("# TYPE ").contains(&name.to_owned()), "{name} is not registered from the start");
    }
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_is_counted() {
    let upstream = Upstream::script([Answer::chunked().chunk(delta("a")).hang()]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut stream = Stream::open(gateway.api, &chat_stream_request()).await;
    stream.event().await;
    let metrics = gateway.ask_admin("/metrics").await.text();
    assert!((sum(&metrics, "sluice_streams_in_flight", &[]) - 1.0).abs() < 1e-9, "{metrics}");
    drop(stream);
    upstream.left(1).await;
    eventually("the log line", || gateway.log.text().contains("cancelled")).await;
    let metrics = gateway.ask_admin("/metrics").await.text();
    assert!(
        (sum(&metrics, "sluice_stream_ends_total", &["reason=\"client_disconnect\""]) - 1.0).abs() < 1e-9,
        "{metrics}"
    );
    assert!((sum(&metrics, "sluice_streams_in_flight", &[])).abs() < 1e-9, "{metrics}");
}

#[tokio::test]
async fn a_head_request_is_the_clients_error_and_nobody_has_left() {
    let (gateway, _upstream) = gateway().await;
    let mut client = Client::connect(gateway.api).await;
    let request = Request::new("HEAD", "/v1/models").bearer(KEY).header("x-request-id", "head-1");
    client.send(&request.wire()).await;
    assert_eq!(client.head().await.status, 405);
    assert_eq!(line(&gateway, "head-1").await["outcome"], "client_error");
    let metrics = gateway.ask_admin("/metrics").await.text();
    let counted = sum(&metrics, "sluice_requests_total", &["outcome=\"client_error\"", "code=\"405\""]);
    assert!((counted - 1.0).abs() < 1e-9, "{metrics}");
    assert!(sum(&metrics, "sluice_client_aborts_total", &[]).abs() < 1e-9, "{metrics}");
}

#[tokio::test]
async fn a_request_beyond_max_in_flight_is_the_gateways_error() {
    let upstream = Upstream::script([Answer::new().hang()]).await;
    let gateway = Config::to(&upstream).listener("max_in_flight: 1").start().await;
    let mut first = Client::connect(gateway.api).await;
    first.send(&Request::post(CHAT, chat()).bearer(KEY).wire()).await;
    upstream.called(1).await;
    let request = Request::post(CHAT, chat()).bearer(KEY).header("x-request-id", "full-1");
    let _ = request.send(gateway.api).await.expect(503);
    assert_eq!(line(&gateway, "full-1").await["outcome"], "gateway_error");
    let metrics = gateway.ask_admin("/metrics").await.text();
    let counted = sum(&metrics, "sluice_requests_total", &["outcome=\"gateway_error\"", "code=\"503\""]);
    assert!((counted - 1.0).abs() < 1e-9, "{metrics}");
}

#[tokio::test]
async fn a_client_that_leaves_a_long_plain_answer_half_way_is_no_success() {
    // More than the system's buffers take on loopback.
    const WHOLE: usize = 16 << 20;
    let upstream = Upstream::script([Answer::json(CHAT_REPLY.replace("hi", &"x".repeat(WHOLE)))]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut client = Client::connect(gateway.api).await;
    let request = Request::post(CHAT, chat()).bearer(KEY).header("x-request-id", "half-1");
    client.send(&request.wire()).await;
    assert_eq!(client.head().await.status, 200);
    let _ = client.piece().await.expect("a whole answer").expect("some of it");
    client.reset();
    let line = line(&gateway, "half-1").await;
    assert_eq!(line["outcome"], "cancelled", "{line}");
}

#[tokio::test]
async fn livez_and_readyz_answer_probes() {
    let (gateway, _upstream) = gateway().await;
    for path in ["/livez", "/readyz", "/readyz?verbose"] {
        let answer = gateway.ask_admin(path).await.expect(200);
        assert_eq!(answer.get("cache-control"), "no-store");
    }
    gateway.running.app.begin_drain();
    let _ = gateway.ask_admin("/livez").await.expect(200);
    let _ = gateway.ask_admin("/readyz").await.expect(503);
}

#[tokio::test]
async fn status_tells_how_each_model_is_routed() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream)
        .model_entry(
            "{name: smart, aliases: [clever], fallbacks: [m], strategy: least_busy, \
             targets: [{provider: up, model: a}, {provider: up, model: b}], \
             rules: [{when: {key: test}, targets: [{provider: up, model: c}]}]}",
        )
        .start()
        .await;
    let status = gateway.ask_admin("/status").await.expect(200).json();
    let models = status["models"].as_array().unwrap();
    let smart = models.iter().find(|model| model["name"] == "smart").unwrap();
    let expected = json!({"name": "smart", "aliases": ["clever"], "targets": ["up/a", "up/b"], "fallbacks": ["m"],
        "strategy": "least_busy", "rules": 1});
    assert_eq!(*smart, expected);
}

#[tokio::test]
async fn status_tells_no_secret_and_wants_the_token_once_there_is_one() {
    let (gateway, _upstream) = gateway().await;
    let status = gateway.ask_admin("/status").await.expect(200);
    assert!(status.json()["version"].is_string(), "{}", status.text());
    for secret in ["sk-provider-secret", KEY] {
        assert!(!status.text().contains(secret), "{}", status.text());
    }

    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let yaml = Config::to(&upstream).yaml("127.0.0.1:0", "127.0.0.1:0").replace(
        "admin: {bind: \"127.0.0.1:0\"}",
        "admin: {bind: \"127.0.0.1:0\", token: \"admin-token-1\"}",
    );
    let guarded = Gateway::start(&yaml).await;
    let _ = guarded.ask_admin("/status").await.expect(401);
    let _ = Request::get("/status").bearer("admin-token-2").send(guarded.admin).await.expect(401);
    let _ = Request::get("/status").bearer(KEY).send(guarded.admin).await.expect(401);
    let _ = Request::get("/status").bearer("admin-token-1").send(guarded.admin).await.expect(200);
    let _ = guarded.ask_admin("/metrics").await.expect(200);
}

#[tokio::test]
async fn unknown_admin_paths_are_404_and_methods_405() {
    let (gateway, _upstream) = gateway().await;
    let _ = gateway.ask_admin("/nope").await.expect(404);
    let _ = gateway.ask_admin("/v1/models").await.expect(404);
    let answer = Request::new("DELETE", "/metrics").send(gateway.admin).await.expect(405);
    assert!(answer.get("allow").contains("GET"));
}

/// What the cache made of a seeded request with this secret.
async fn asked(gateway: &Gateway, secret: &str) -> String {
    let body = chat().replacen('{', "{\"seed\":7,", 1);
    let answer = Request::post(CHAT, body).bearer(secret).send(gateway.api).await.expect(200);
    answer.get("x-sluice-cache").to_owned()
}

#[tokio::test]
async fn a_purge_makes_what_it_names_a_miss_and_nothing_else() {
    const OTHER: &str = "sk-sluice-other";
    let upstream = Upstream::with(|_, _| Answer::json(CHAT_REPLY)).await;
    let gateway = Config::to(&upstream)
        .key("other", OTHER, "tenant: search, models: [\"*\"]")
        .section("tenants: [{name: search}]")
        .section("cache: {}")
        .start()
        .await;
    let purge = async |query: &str| {
        let path = format!("/-/cache/purge?{query}");
        Request::post(&path, "").send(gateway.admin).await.expect(200).json()
    };
    let both = async || (asked(&gateway, KEY).await, asked(&gateway, OTHER).await);
    let told = |mine: &str, others: &str| (mine.to_owned(), others.to_owned());
    assert_eq!(both().await, told("miss", "miss"));
    assert_eq!(both().await, told("hit", "hit"));
    let status = gateway.ask_admin("/status").await.expect(200).json();
    assert_eq!(
        (&status["cache"]["entries"], &status["cache"]["flights"]),
        (&2.into(), &0.into()),
        "{status}"
    );

    let answer = purge("tenant=search").await;
    assert_eq!((&answer["reach"], &answer["known"]), (&"here".into(), &true.into()), "{answer}");
    assert_eq!(both().await, told("hit", "miss"));
    purge("key=test").await;
    assert_eq!(both().await, told("miss", "hit"));
    assert_eq!(purge("model=gone").await["known"], false);
    assert_eq!(both().await, told("hit", "hit"));
    purge("model=m").await;
    assert_eq!(both().await, told("miss", "miss"));
    let json = Request::post("/-/cache/purge", r#"{"all":true}"#).send(gateway.admin).await.expect(200);
    assert_eq!(json.json()["purged"]["all"], true);
    assert_eq!(both().await, told("miss", "miss"));
    assert_eq!(both().await, told("hit", "hit"));

    let refused = Request::post("/-/cache/purge?tenant=search&key=test", "").send(gateway.admin).await;
    let _ = refused.expect(400);
    let _ = gateway.ask_admin("/-/cache/purge?all=true").await.expect(405);
    assert_eq!(both().await, told("hit", "hit"));
}
