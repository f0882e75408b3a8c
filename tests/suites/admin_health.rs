//! How upstreams fare, as the admin listener shows it: gauges, status, and circuits closed by hand.

use crate::support::{CHAT, CHAT_REPLY, chat, chat_to};
use serde_json::{Value, json};
use sluice_tests::{
    client::{self, Request},
    gateway::{Config, Gateway, KEY},
    upstream::{Answer, Upstream},
};
use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

/// An upstream that answers with the status that it is set to.
struct Moody {
    upstream: Upstream,
    status: Arc<AtomicU16>,
}

impl Moody {
    async fn new(status: u16) -> Self {
        let status = Arc::new(AtomicU16::new(status));
        let mood = status.clone();
        let upstream = Upstream::with(move |_, _| match mood.load(Ordering::SeqCst) {
            200 => Answer::json(CHAT_REPLY),
            429 => Answer::status(429, &["content-type: application/json", "retry-after: 30"], "{}"),
            status => Answer::error(status, "{}"),
        })
        .await;
        Self { upstream, status }
    }

    fn turns(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

/// Two failures open a circuit, for so long; nobody is asked twice for one request.
fn circuits(config: Config, open_for: &str) -> Config {
    config.section(&format!(
        "resilience: {{attempts: 1, circuit: {{consecutive_failures: 2, open_for: {open_for}}}}}"
    ))
}

const CIRCUIT: &str = "sluice_circuit_state{provider=\"up\",upstream_model=\"m\"}";
const UP: &str = "sluice_provider_up{provider=\"up\"}";

/// Only one test in here waits for a circuit's time to pass.
const LONG: &str = "60s";

async fn ask(gateway: &Gateway) -> client::Answer {
    gateway.post(CHAT, chat()).await
}

async fn fails_twice(gateway: &Gateway) {
    for _ in 0..2 {
        assert!(ask(gateway).await.status() >= 500);
    }
}

async fn metrics(gateway: &Gateway) -> String {
    gateway.ask_admin("/metrics").await.expect(200).text()
}

async fn pool(gateway: &Gateway) -> [f64; 3] {
    let mut keys = [0.0; 3];
    for (keys, state) in keys.iter_mut().zip(["ready", "cooling", "disabled"]) {
        *keys = gateway.metric(&format!("sluice_pool_keys{{provider=\"up\",state=\"{state}\"}}")).await;
    }
    keys
}

#[tokio::test]
async fn the_gauges_follow_a_circuit_that_opens_and_closes() {
    let up = Moody::new(500).await;
    let gateway = circuits(Config::to(&up.upstream), "200ms").start().await;
    assert_eq!((gateway.metric(CIRCUIT).await, gateway.metric(UP).await), (0.0, 1.0));
    fails_twice(&gateway).await;
    assert_eq!((gateway.metric(CIRCUIT).await, gateway.metric(UP).await), (2.0, 0.0));
    up.turns(200);
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    assert_eq!(gateway.metric(CIRCUIT).await, 2.0, "time alone proves nothing");
    let _ = ask(&gateway).await.expect(200);
    assert_eq!((gateway.metric(CIRCUIT).await, gateway.metric(UP).await), (0.0, 1.0));
    for state in ["open", "half_open", "closed"] {
        let name = format!("sluice_circuit_transitions_total{{provider=\"up\",to=\"{state}\"}}");
        assert!(gateway.metric(&name).await >= 1.0, "{state}");
    }
}

#[tokio::test]
async fn a_probe_under_way_is_half_open_and_no_sign_of_health() {
    let up =
        Upstream::script([Answer::error(500, "{}"), Answer::error(500, "{}"), Answer::new().hang()]).await;
    let gateway = circuits(Config::to(&up), "10ms").start().await;
    fails_twice(&gateway).await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let mut probe = client::Client::connect(gateway.api).await;
    probe.send(&Request::post(CHAT, chat()).bearer(KEY).wire()).await;
    up.called(3).await;
    assert_eq!((gateway.metric(CIRCUIT).await, gateway.metric(UP).await), (1.0, 0.0));
}

#[tokio::test]
async fn one_working_target_keeps_its_provider_up() {
    let up = Upstream::with(|_, request| match request.json()["model"].as_str() {
        Some("m") => Answer::error(500, "{}"),
        _ => Answer::json(CHAT_REPLY),
    })
    .await;
    let gateway = circuits(Config::to(&up).model("other"), LONG).start().await;
    fails_twice(&gateway).await;
    let _ = gateway.post(CHAT, chat_to("other")).await.expect(200);
    assert_eq!((gateway.metric(CIRCUIT).await, gateway.metric(UP).await), (2.0, 1.0));
    let other = "sluice_circuit_state{provider=\"up\",upstream_model=\"other\"}";
    assert!(metrics(&gateway).await.contains(&format!("{other} 0\n")));
}

#[tokio::test]
async fn dead_keys_take_their_provider_down_although_no_circuit_opens() {
    let up = Moody::new(401).await;
    let gateway = circuits(Config::to(&up.upstream).model("wild-*"), LONG).start().await;
    assert_eq!(pool(&gateway).await, [1.0, 0.0, 0.0]);
    let _ = ask(&gateway).await.expect(502);
    assert_eq!(pool(&gateway).await, [0.0, 0.0, 1.0]);
    assert_eq!(gateway.metric(CIRCUIT).await, 0.0);
    assert_eq!(gateway.metric(UP).await, 0.0, "for the wildcard nothing speaks either");
    // It stays so when the key is due to be looked into.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_eq!((gateway.metric(UP).await, pool(&gateway).await), (0.0, [0.0, 0.0, 1.0]));
    up.turns(200);
    let _ = ask(&gateway).await.expect(200);
    assert_eq!((gateway.metric(UP).await, pool(&gateway).await), (1.0, [1.0, 0.0, 0.0]));
    let cooled = "sluice_pool_key_cooldowns_total{provider=\"up\",reason=\"auth_error\"}";
    assert_eq!(gateway.metric(cooled).await, 1.0);
}

#[tokio::test]
async fn a_limited_key_cools_and_the_other_one_keeps_the_provider_up() {
    let up = Upstream::with(|_, request| {
        if request.header("authorization") == Some("Bearer sk-provider-secret") {
            Answer::status(429, &["content-type: application/json", "retry-after: 30"], "{}")
        } else {
            Answer::json(CHAT_REPLY)
        }
    })
    .await;
    let yaml = Config::to(&up).yaml("127.0.0.1:0", "127.0.0.1:0").replace(
        "keys: [{name: main, value: \"sk-provider-secret\"}]",
        "keys: [{name: main, value: \"sk-provider-secret\"}, {name: second, value: sk-second, weight: 0}]",
    );
    let gateway = Gateway::start(&yaml).await;
    let _ = ask(&gateway).await.expect(200);
    assert_eq!((pool(&gateway).await, gateway.metric(UP).await), ([1.0, 1.0, 0.0], 1.0));
    let text = metrics(&gateway).await;
    assert!(!text.contains("sluice_fallbacks_total{"), "another key is no other provider:\n{text}");
}

#[tokio::test]
async fn what_is_left_upstream_is_shown_once_it_has_been_said() {
    let up = Upstream::with(|n, _| match n {
        0 => Answer::json(CHAT_REPLY),
        1 => Answer::status(
            200,
            &[
                "content-type: application/json",
                "x-ratelimit-remaining-requests: 59",
                "x-ratelimit-remaining-tokens: 149984",
            ],
            CHAT_REPLY,
        ),
        2 => Answer::status(
            200,
            &["content-type: application/json", "x-ratelimit-remaining-requests: plenty"],
            CHAT_REPLY,
        ),
        _ => Answer::status(
            429,
            &["content-type: application/json", "x-ratelimit-remaining-requests: 0", "retry-after: 30"],
            "{}",
        ),
    })
    .await;
    let gateway = Config::to(&up).start().await;
    let left = async || {
        let text = metrics(&gateway).await;
        let lines = text.lines().filter(|line| line.starts_with("sluice_upstream_remaining{"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let line = |limit: &str, value: u64| {
        format!("sluice_upstream_remaining{{limit=\"{limit}\",pool_key=\"main\",provider=\"up\"}} {value}")
    };
    let _ = ask(&gateway).await.expect(200);
    assert_eq!(left().await, Vec::<String>::new(), "zero would mean that nothing is left");
    let _ = ask(&gateway).await.expect(200);
    assert_eq!(left().await, [line("requests", 59), line("tokens", 149_984)]);
    let _ = ask(&gateway).await.expect(200);
    assert_eq!(left().await, [line("requests", 59), line("tokens", 149_984)], "nonsense says nothing");
    let _ = ask(&gateway).await.expect(429);
    assert_eq!(left().await, [line("requests", 0), line("tokens", 149_984)]);
}

#[tokio::test]
async fn families_by_target_and_provider_start_at_zero_and_end_with_their_configuration() {
    let up = Moody::new(200).await;
    let idle = up.upstream.base_url();
    let config = Config::to(&up.upstream);
    let both = config.clone().also("idle", &idle).also("spare", &idle).model_entry(
        "{name: both, targets: [{provider: up, model: m}, {provider: spare, model: x, priority: 1}]}",
    );
    let gateway = both.start().await;
    let text = metrics(&gateway).await;
    for line in [
        "sluice_circuit_state{provider=\"spare\",upstream_model=\"x\"} 0",
        "sluice_provider_up{provider=\"spare\"} 1",
        "sluice_provider_up{provider=\"idle\"} 1",
        "sluice_pool_keys{provider=\"up\",state=\"ready\"} 1",
        "sluice_pool_keys{provider=\"up\",state=\"disabled\"} 0",
        "sluice_pool_keys{provider=\"idle\",state=\"ready\"} 0",
        "sluice_circuit_transitions_total{provider=\"spare\",to=\"half_open\"} 0",
        "sluice_retries_total{provider=\"spare\",result=\"refused\"} 0",
        "sluice_pool_key_cooldowns_total{provider=\"spare\",reason=\"auth_error\"} 0",
        "sluice_fallbacks_total{from_provider=\"up\",model=\"both\",reason=\"bad_response\",to_provider=\"spare\"} 0",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line} is missing in:\n{text}");
    }
    gateway.apply(&config);
    let text = metrics(&gateway).await;
    for family in ["circuit_state", "provider_up", "pool_keys"] {
        let of = |provider: &str| {
            let mut lines = text.lines().filter(|line| line.starts_with(&format!("sluice_{family}{{")));
            lines.any(|line| line.contains(&format!("provider=\"{provider}\"")))
        };
        assert!(of("up") && !of("spare") && !of("idle"), "{family}:\n{text}");
    }
}

/// The only member of the list that has these members.
fn entry<'a>(list: &'a Value, members: &[(&str, &str)]) -> &'a Value {
    let fits = |entry: &&Value| members.iter().all(|(name, value)| entry[*name] == *value);
    let mut found = list.as_array().unwrap().iter().filter(fits);
    let entry = found.next().unwrap_or_else(|| panic!("no {members:?} in {list:#}"));
    assert!(found.next().is_none(), "{members:?} twice in {list:#}");
    entry
}

async fn status(gateway: &Gateway) -> Value {
    gateway.ask_admin("/status").await.expect(200).json()
}

#[tokio::test]
async fn the_status_tells_of_every_target_and_every_key_once() {
    let up = Moody::new(200).await;
    let gateway = circuits(Config::to(&up.upstream), LONG)
        .also("open", "http://127.0.0.1:9/v1")
        .model_entry("{name: again, targets: [{provider: up, model: m}], rules: [{when: {stream: true}, targets: [{provider: open, model: x}]}]}")
        .model_entry("{name: \"gpt-*\", targets: [{provider: up, model: \"gpt-*\"}]}")
        .start()
        .await;
    let told = status(&gateway).await;
    let upstreams = &told["upstreams"];
    assert_eq!(upstreams.as_array().unwrap().len(), 3, "{told:#}");
    let _ = entry(upstreams, &[("provider", "open"), ("model", "x")]);
    let _ = entry(upstreams, &[("provider", "up"), ("model", "gpt-*")]);
    let fresh = entry(upstreams, &[("provider", "up"), ("model", "m")]);
    assert_eq!(
        fresh,
        &json!({"provider": "up", "model": "m", "circuit": "closed", "key_ready": true, "in_flight": 0})
    );
    let provider = entry(&told["providers"], &[("name", "up")]);
    assert_eq!(
        (&provider["keys"], &provider["pool_keys"]),
        (&json!(1), &json!([{"name": "main", "state": "ready"}]))
    );
    assert_eq!(entry(&told["providers"], &[("name", "open")])["pool_keys"], json!([]));

    let _ = ask(&gateway).await.expect(200);
    let told = status(&gateway).await;
    let asked = entry(&told["upstreams"], &[("provider", "up"), ("model", "m")]);
    assert!(asked["latency_ms"].as_f64().is_some_and(|ms| (0.0..5_000.0).contains(&ms)), "{asked}");

    up.turns(500);
    fails_twice(&gateway).await;
    up.turns(429);
    let _ = gateway.post(CHAT, chat_to("gpt-4o")).await.expect(429);
    let told = status(&gateway).await;
    let open = entry(&told["upstreams"], &[("provider", "up"), ("model", "m")]);
    assert_eq!(open["circuit"], "open", "{open}");
    assert!(open["open_for_ms"].as_u64().is_some_and(|ms| (50_000..=60_000).contains(&ms)), "{open}");
    let limited = entry(&told["upstreams"], &[("provider", "up"), ("model", "gpt-*")]);
    assert_eq!((&limited["circuit"], &limited["key_ready"]), (&json!("closed"), &json!(false)));
    let key = &entry(&told["providers"], &[("name", "up")])["pool_keys"][0];
    assert_eq!((&key["name"], &key["state"]), (&json!("main"), &json!("cooling")));
    assert!(key["for_ms"].as_u64().is_some_and(|ms| (20_000..=30_000).contains(&ms)), "{key}");
    for secret in ["sk-provider-secret", KEY] {
        assert!(!told.to_string().contains(secret), "{told:#}");
    }
}

#[tokio::test]
async fn requests_under_way_are_in_the_status() {
    let up = Upstream::script([Answer::new().hang()]).await;
    let gateway = Config::to(&up).start().await;
    let mut client = client::Client::connect(gateway.api).await;
    client.send(&Request::post(CHAT, chat()).bearer(KEY).wire()).await;
    up.called(1).await;
    let told = status(&gateway).await;
    assert_eq!(told["upstreams"][0]["in_flight"], 1, "{told:#}");
}

const CLOSE: &str = "/-/circuit/close";

async fn close(gateway: &Gateway, body: &str) -> client::Answer {
    Request::post(CLOSE, body.to_owned()).send(gateway.admin).await
}

/// A model of two targets, of which the first has had its circuit opened.
async fn opened() -> (Moody, Upstream, Gateway) {
    let (up, spare) = (Moody::new(500).await, Upstream::with(|_, _| Answer::json(CHAT_REPLY)).await);
    let gateway = circuits(Config::to(&up.upstream), LONG)
        .also("spare", &spare.base_url())
        .model_entry(
            "{name: both, targets: [{provider: up, model: m}, {provider: spare, model: x, priority: 1}]}",
        )
        .start()
        .await;
    fails_twice(&gateway).await;
    up.turns(200);
    let answer = gateway.post(CHAT, chat_to("both")).await.expect(200);
    assert_eq!((answer.get("x-sluice-provider"), up.upstream.calls()), ("spare", 2), "the circuit is open");
    (up, spare, gateway)
}

#[tokio::test]
async fn a_circuit_closed_by_hand_makes_the_next_request_try_the_target_again() {
    for body in [r#"{"provider":"up","model":"m"}"#, r#"{"provider":"up"}"#, "{}", ""] {
        let (_up, _spare, gateway) = opened().await;
        let told = close(&gateway, body).await.expect(200).json();
        assert_eq!(told["closed"], json!([{"provider": "up", "model": "m", "was": "open"}]), "{body}");
        assert_eq!(told["keys"], json!([]));
        assert!(told["note"].is_string());
        let answer = gateway.post(CHAT, chat_to("both")).await.expect(200);
        assert_eq!((answer.get("x-sluice-provider"), answer.get("x-sluice-attempts")), ("up", "1"), "{body}");
        assert_eq!((gateway.metric(CIRCUIT).await, gateway.metric(UP).await), (0.0, 1.0));
        let again = close(&gateway, body).await.expect(200).json();
        assert_eq!((&again["closed"], &again["keys"]), (&json!([]), &json!([])), "{body}");
    }
}

#[tokio::test]
async fn other_circuits_stay_as_they_are() {
    let (_up, _spare, gateway) = opened().await;
    let told = close(&gateway, r#"{"provider":"spare"}"#).await.expect(200).json();
    assert_eq!(told["closed"], json!([]), "{told}");
    assert_eq!(gateway.metric(CIRCUIT).await, 2.0);
}

#[tokio::test]
async fn keys_are_given_another_chance() {
    for (status, was) in [(429, "cooling"), (401, "disabled")] {
        let up = Moody::new(status).await;
        let gateway = circuits(Config::to(&up.upstream), LONG).start().await;
        assert!(ask(&gateway).await.status() >= 400);
        up.turns(200);
        assert!(ask(&gateway).await.status() >= 400, "{was}: not asked");
        let told = close(&gateway, r#"{"provider":"up"}"#).await.expect(200).json();
        assert_eq!(told["keys"], json!([{"provider": "up", "key": "main", "was": was}]), "{told}");
        let _ = ask(&gateway).await.expect(200);
    }
}

#[tokio::test]
async fn what_is_not_there_cannot_be_closed_and_nonsense_says_how() {
    let (_up, _spare, gateway) = opened().await;
    for (body, part) in [
        (r#"{"provider":"upp"}"#, "Closest: 'up'"),
        (r#"{"provider":"up","model":"mm"}"#, "Closest: 'm'"),
        (r#"{"provider":"up","model":"x"}"#, "no target with model 'x'"),
    ] {
        let answer = close(&gateway, body).await.expect(404);
        assert_eq!(answer.code(), "no_such_upstream");
        assert!(answer.message().contains(part), "{body}: {}", answer.message());
    }
    for body in
        ["all", "[]", r#"{"model":"m"}"#, r#"{"provider":7}"#, r#"{"provider":null}"#, r#"{"name":"up"}"#]
    {
        let answer = close(&gateway, body).await.expect(400);
        assert!(answer.message().contains(r#"{"provider":"NAME","model":"MODEL"}"#), "{}", answer.text());
    }
    let _ = Request::post(&format!("{CLOSE}?provider=up"), "").send(gateway.admin).await.expect(400);
    let _ = close(&gateway, &" ".repeat(4097)).await.expect(413);
    for method in ["GET", "DELETE"] {
        let answer = Request::new(method, CLOSE).send(gateway.admin).await.expect(405);
        assert_eq!(answer.get("allow"), "POST");
    }
    assert_eq!(gateway.metric(CIRCUIT).await, 2.0, "nothing was closed");
}

#[tokio::test]
async fn circuits_are_closed_by_the_token_once_there_is_one_and_by_no_foreign_page() {
    let up = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let yaml = Config::to(&up).yaml("127.0.0.1:0", "127.0.0.1:0");
    let open = Gateway::start(&yaml).await;
    let foreign = Request::post(CLOSE, "{}").header("origin", "https://evil.example");
    let _ = foreign.send(open.admin).await.expect(403);
    let yaml = yaml.replace("admin: {bind: \"127.0.0.1:0\"}", "admin: {bind: \"127.0.0.1:0\", token: t0ken}");
    let guarded = Gateway::start(&yaml).await;
    let _ = close(&guarded, "{}").await.expect(401);
    let _ = Request::post(CLOSE, "{}").bearer(KEY).send(guarded.admin).await.expect(401);
    let _ = Request::post(CLOSE, "{}").bearer("t0ken").send(guarded.admin).await.expect(200);
}
