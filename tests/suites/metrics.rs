//! Metrics as a whole: what `/metrics` says is what the table declares, from zero on, within its bounds, and of what
//! is configured now.

use crate::support::{CHAT, CHAT_REPLY, begin, chat, chat_events, chat_of, in_flight, limited};
use sluice_core::telemetry::metrics::{FAMILIES, Family, Kind, PROCESS};
use sluice_tests::{
    ceiling,
    client::Request,
    gateway::{Config, Gateway, KEY},
    redis::Redis,
    upstream::{Answer, Gate, Upstream},
};
use std::{collections::BTreeMap, io::Write as _, process::Stdio};

async fn text(gateway: &Gateway) -> String {
    gateway.ask_admin("/metrics").await.expect(200).text()
}

/// A sample's name and labels.
fn sample(line: &str) -> (&str, BTreeMap<&str, &str>) {
    let (series, _) = line.rsplit_once(' ').unwrap();
    let Some((name, labels)) = series.split_once('{') else { return (series, BTreeMap::new()) };
    // No name of these tests holds a quote or a comma.
    let labels = labels.trim_end_matches('}').split(',').map(|label| {
        let (name, value) = label.split_once('=').unwrap();
        (name, value.trim_matches('"'))
    });
    (name, labels.collect())
}

fn samples(text: &str) -> impl Iterator<Item = (&str, BTreeMap<&str, &str>)> {
    text.lines().filter(|line| !line.starts_with('#')).map(sample)
}

/// The family that a sample is of.
fn family(name: &str) -> Option<&'static Family> {
    let all = || FAMILIES.iter().chain(PROCESS);
    all().find(|family| family.name == name).or_else(|| {
        let parts = ["_bucket", "_sum", "_count"];
        let name = parts.iter().find_map(|part| name.strip_suffix(part))?;
        all().find(|family| family.name == name && family.kind == Kind::Histogram)
    })
}

/// A gateway that has seen most of what can happen.
async fn lived_through(redis: &Redis) -> (Gateway, Upstream) {
    let upstream = Upstream::with(|_, received| {
        let model = received.json()["model"].as_str().unwrap_or_default().to_owned();
        match model.as_str() {
            "broken" => Answer::error(500, "{}"),
            "busy" => Answer::error(429, "{}"),
            _ if received.text().contains("\"stream\":true") => Answer::sse(chat_events(&["a", "b"])),
            _ => Answer::json(CHAT_REPLY),
        }
    })
    .await;
    let spare = "{name: fragile, targets: [{provider: up, model: broken}, {provider: other, model: busy}]}";
    let gateway = limited(
        &upstream,
        "tenant: team, limits: {requests: {rate: 1/h, burst: 2}}, budget: {usd: 9, per: day}",
    )
    .tenant("team", "limits: {}")
    .also("other", &upstream.base_url())
    .model_entry(spare)
    .model_entry("{name: \"gpt-*\", targets: [{provider: up, model: \"*\"}]}")
    .price("m", 2500)
    .section("cache: {mode: seeded, memory: 1MiB}")
    .redis(redis, "timeout: 1s")
    .start()
    .await;
    let ask = |model: &str, more: &str, key: &str| {
        let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]{more}}}"#);
        Request::post(CHAT, body).bearer(key).send(gateway.api)
    };
    for model in ["m", "fragile", "gpt-x", "nobody"] {
        for more in ["", ",\"stream\":true", ",\"seed\":1", ",\"seed\":1"] {
            let _ = ask(model, more, KEY).await;
        }
    }
    for _ in 0..3 {
        let _ = by_team().send(gateway.api).await;
    }
    let _ = ask("m", "", "sk-sluice-unknown").await.expect(401);
    in_flight(&gateway, 0).await;
    (gateway, upstream)
}

fn by_team() -> Request {
    crate::support::by_limited(chat())
}

#[tokio::test]
async fn what_is_shown_is_what_the_table_declares() {
    let redis = Redis::start();
    let (gateway, _upstream) = lived_through(&redis).await;
    let text = text(&gateway).await;
    for (name, labels) in samples(&text) {
        let family = family(name).unwrap_or_else(|| panic!("{name} is not in the table"));
        let mut declared: Vec<_> = family.labels.iter().map(|label| label.name).collect();
        if name.ends_with("_bucket") {
            declared.push("le");
        }
        declared.sort_unstable();
        assert_eq!(labels.keys().copied().collect::<Vec<_>>(), declared, "{name}");
        for label in family.labels {
            let value = labels[label.name];
            assert!(label.values.is_none_or(|values| values.contains(&value)), "{name}: {value}");
        }
    }
    for family in FAMILIES.iter().filter(|family| family.kind == Kind::Histogram) {
        let line = text.lines().position(|line| line == format!("# TYPE {} histogram", family.name));
        let Some(line) = line else { continue };
        let bounds: Vec<f64> = text
            .lines()
            .skip(line + 1)
            .map(|line| sample(line).1)
            .map_while(|labels| labels.get("le").and_then(|bound| bound.parse().ok()))
            .take_while(|bound: &f64| bound.is_finite())
            .collect();
        assert_eq!(bounds, family.buckets, "{}", family.name);
    }
    let shown = |family: &&Family| text.contains(&format!("# HELP {} {}\n", family.name, family.help));
    let hidden: Vec<_> = FAMILIES.iter().filter(|family| !shown(family)).map(|family| family.name).collect();
    // What no such gateway has: hedges and resumed streams are configured by nobody here, and no upstream tells limits.
    let known = [
        "sluice_hedges_total",
        "sluice_streams_resumed_total",
        "sluice_upstream_remaining",
        "sluice_dropped_fields_total",
    ];
    assert!(hidden.iter().all(|name| known.contains(name)), "{hidden:?}");
    assert!(PROCESS.iter().all(|family| text.contains(&format!("\n{} ", family.name))), "{text}");
}

#[tokio::test]
async fn promtool_finds_nothing_to_say() {
    let redis = Redis::start();
    let (gateway, _upstream) = lived_through(&redis).await;
    let text = text(&gateway).await;
    let check = std::process::Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut check = check.expect("promtool, of Debian's package prometheus");
    check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = check.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&said.stdout) + String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && words.trim().is_empty(), "{words}");
}

#[tokio::test]
async fn what_dashboards_ask_for_is_there_from_zero_on() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream)
        .also("other", &upstream.base_url())
        .model_entry("{name: two, targets: [{provider: up, model: a}, {provider: other, model: b}], hedge: {after: p95, max_ratio: 2%}, resume: completions}")
        .section("cache: {mode: seeded, memory: 1MiB}")
        .start()
        .await;
    let before = text(&gateway).await;
    let mut expected: Vec<String> = Vec::new();
    for (outcome, code) in
        [("upstream_error", 502), ("timeout", 504), ("gateway_error", 500), ("limited", 429), ("ok", 200)]
    {
        for stream in [false, true] {
            expected.push(format!(
                "requests_total{{code=\"{code}\",endpoint=\"chat\",model=\"m\",outcome=\"{outcome}\",stream=\"{stream}\"}}"
            ));
        }
    }
    for outcome in ["ok", "client_error", "limited", "cancelled", "upstream_error"] {
        expected.push(format!("key_requests_total{{key=\"test\",outcome=\"{outcome}\",tenant=\"default\"}}"));
    }
    for series in [
        "fallbacks_total{from_provider=\"up\",model=\"two\",reason=\"server_error\",to_provider=\"other\"}",
        "fallbacks_exhausted_total{model=\"two\"}",
        "cache_requests_total{model=\"m\",result=\"hit\",tier=\"memory\"}",
        "cache_bypass_total{reason=\"no_seed\"}",
        "cache_stores_total{result=\"incomplete\",tier=\"memory\"}",
        "stream_ends_total{provider=\"up\",reason=\"upstream_eof\"}",
        "upstream_attempts_total{outcome=\"server_error\",provider=\"other\",upstream_model=\"b\"}",
        "circuit_transitions_total{provider=\"up\",to=\"open\"}",
        "pool_key_cooldowns_total{provider=\"up\",reason=\"rate_limited\"}",
        "usage_missing_total{provider=\"up\",upstream_model=\"m\"}",
        "price_missing_total{provider=\"up\",upstream_model=\"m\"}",
        "limit_decisions_total{decision=\"limited\",limit=\"budget\",tenant=\"default\"}",
        "cost_saved_usd_total{by=\"prompt_cache\",model=\"m\"}",
        "hedges_total{model=\"two\",result=\"won\"}",
        "streams_resumed_total{model=\"two\",result=\"failed\"}",
        "auth_failures_total{reason=\"unknown\"}",
        "label_overflow_total{label=\"key\"}",
        "panics_total",
        "request_log_dropped_total",
        "upstream_connections{provider=\"up\",state=\"active\"}",
    ] {
        expected.push(series.to_owned());
    }
    for series in expected {
        assert!(before.lines().any(|line| line == format!("sluice_{series} 0")), "{series}\n{before}");
    }
    // A link that nobody asked for is neither up nor down.
    assert!(!before.contains("sluice_redis_"), "{before}");
    assert!(!before.contains("endpoint=\"completions\",model=\"m\",outcome=\"timeout\""));
    let _ =
        Request::post("/v1/completions", r#"{"model":"m","prompt":"x"}"#).bearer(KEY).send(gateway.api).await;
    in_flight(&gateway, 0).await;
    let zero = "sluice_requests_total{code=\"504\",endpoint=\"completions\",model=\"m\",outcome=\"timeout\",stream=\"false\"} 0";
    assert!(text(&gateway).await.contains(zero), "from the first request at an endpoint on");
}

#[tokio::test]
async fn the_largest_gateway_has_fewer_than_fifteen_thousand_series() {
    let upstream = Upstream::with(|_, received| {
        let stream = received.text().contains("\"stream\":true");
        if stream { Answer::sse(chat_events(&["a", "b"])) } else { Answer::json(CHAT_REPLY) }
    })
    .await;
    let gateway = Gateway::start(&ceiling::yaml(&upstream.base_url())).await;
    for n in 0..ceiling::MODELS {
        for more in ["", ",\"stream\":true"] {
            let body = format!(r#"{{"model":"m{n}","messages":[{{"role":"user","content":"hi"}}]{more}}}"#);
            let _ = Request::post(CHAT, body).bearer(KEY).send(gateway.api).await.expect(200);
        }
        // Some are asked elsewhere, too.
        let body = format!(r#"{{"model":"m{n}","input":"hi"}}"#);
        let _ = Request::post("/v1/responses", body).bearer(&format!("k{n}")).send(gateway.api).await;
    }
    in_flight(&gateway, 0).await;
    let text = text(&gateway).await;
    let mut by_family: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, _) in samples(&text) {
        *by_family.entry(family(name).map_or(name, |family| family.name)).or_default() += 1;
    }
    let all: usize = by_family.values().sum();
    println!("{all} series");
    assert!((9_000..15_000).contains(&all), "{all} series: {by_family:#?}");
    let told = gateway.metric("sluice_metrics_series").await;
    assert!((told - all as f64).abs() < 10.0, "{told} of {all}");
}

#[tokio::test]
async fn names_beyond_a_cap_share_one_and_nothing_from_the_wire_makes_a_series() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let mut config =
        Config::to(&upstream).section("telemetry: {metrics: {max_models: 3, max_keys: 2, max_tenants: 2}}");
    for n in 0..21 {
        config = config.also(&format!("p{n}"), &upstream.base_url());
    }
    for n in 0..5 {
        config = config
            .model_entry(&format!(
                "{{name: many{n}, targets: [{{provider: p0, model: a{n}}}, {{provider: p1, model: b{n}}}]}}"
            ))
            .tenant(&format!("t{n}"), "limits: {}")
            .key(&format!("k{n}"), &format!("sk-{n}"), &format!("models: [\"*\"], tenant: t{n}"));
    }
    let gateway =
        config.model_entry("{name: \"gpt-*\", targets: [{provider: p20, model: \"*\"}]}").start().await;
    let before = text(&gateway).await;
    let values = |name: &str| {
        let mut found: Vec<_> = samples(&before)
            .filter_map(|(_, labels)| labels.get(name).copied())
            .filter(|value| *value != "_other")
            .collect();
        found.sort_unstable();
        found.dedup();
        found.len()
    };
    assert_eq!(["model", "key", "tenant", "provider", "upstream_model"].map(values), [3, 2, 2, 20, 6]);
    // Of 7 models, 6 keys, 6 tenants (one is always there), 22 providers and 12 targets, of which one has a provider
    // that has no label.
    for (label, beyond) in
        [("model", 4.0), ("key", 4.0), ("tenant", 4.0), ("provider", 2.0), ("upstream_model", 5.0)]
    {
        let shown = gateway.metric(&format!("sluice_label_overflow_total{{label=\"{label}\"}}")).await;
        assert_eq!(shown, beyond, "{label}");
    }
    assert!(before.contains("sluice_pool_keys{provider=\"_other\",state=\"ready\"} 0\n"));
    assert!(before.contains("sluice_provider_up{provider=\"_other\"} 1\n"));
    // A first round meets what there is to meet; the second brings only new names.
    let mut counts = Vec::new();
    for round in 0..2 {
        for n in 0..30 {
            for model in [format!("gpt-{round}-{n}"), format!("unknown-{round}-{n}")] {
                let body = chat().replace("\"m\"", &format!("\"{model}\""));
                let _ = Request::post(CHAT, body)
                    .bearer(KEY)
                    .header("x-sluice-tags", &format!("t{round}=v{n}"))
                    .header("user-agent", &format!("agent-{round}-{n}"))
                    .send(gateway.api)
                    .await;
            }
            let path = format!("/v1/nothing-{round}-{n}");
            let _ =
                Request::post(&path, chat()).bearer(&format!("sk-wrong-{round}-{n}")).send(gateway.api).await;
            let _ =
                Request::post(CHAT, chat()).bearer(&format!("sk-wrong-{round}-{n}")).send(gateway.api).await;
        }
        in_flight(&gateway, 0).await;
        counts.push(text(&gateway).await.lines().count());
    }
    assert_eq!(counts[0], counts[1]);
    let other = "sluice_requests_total{code=\"200\",endpoint=\"chat\",model=\"_other\",outcome=\"ok\",stream=\"false\"}";
    assert_eq!(gateway.metric(other).await, 60.0);
}

#[tokio::test]
async fn a_model_of_a_pattern_is_counted_under_the_pattern() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream)
        .model_entry("{name: \"gpt-*\", targets: [{provider: up, model: \"*\"}]}")
        .start()
        .await;
    for n in 0..3 {
        let body = chat().replace("\"m\"", &format!("\"gpt-{n}\""));
        let _ = Request::post(CHAT, body).bearer(KEY).send(gateway.api).await.expect(200);
    }
    in_flight(&gateway, 0).await;
    let text = text(&gateway).await;
    for series in [
        "requests_total{code=\"200\",endpoint=\"chat\",model=\"gpt-*\",outcome=\"ok\",stream=\"false\"} 3",
        "upstream_attempts_total{outcome=\"ok\",provider=\"up\",upstream_model=\"*\"} 3",
        "tokens_total{model=\"gpt-*\",provider=\"up\",type=\"input\"} 9",
    ] {
        assert!(text.contains(&format!("sluice_{series}\n")), "{series}");
    }
    assert!(!text.contains("gpt-1"), "{text}");
}

#[tokio::test]
async fn series_of_what_is_gone_are_shown_no_more_and_begin_anew() {
    let gate = Gate::new();
    let upstream = Upstream::script([
        Answer::new().gate(&gate).then(Answer::json(CHAT_REPLY)),
        Answer::error(500, "{}"),
        Answer::json(CHAT_REPLY),
    ])
    .await;
    let small = Config::to(&upstream);
    let large = small
        .clone()
        .also("old-p", &upstream.base_url())
        .model_entry("{name: old-m, targets: [{provider: old-p, model: old-u}, {provider: up, model: old-v, priority: 1}]}")
        .tenant("old-t", "limits: {requests: {rate: 10/min}}, budget: {usd: 1, per: day}")
        .key("old-k", "sk-old", "models: [\"*\"], tenant: old-t, limits: {requests: {rate: 10/min}}")
        .section("cache: {mode: seeded, memory: 1MiB}");
    let gateway = large.start().await;
    let ask = || Request::post(CHAT, chat().replace("\"m\"", "\"old-m\"")).bearer("sk-old");
    let held = begin([ask().send(gateway.api)]);
    upstream.called(1).await;
    let before = text(&gateway).await;
    let first_hash = before.lines().find(|line| line.starts_with("sluice_config_info")).unwrap().to_owned();
    for name in ["old-p", "old-m", "old-u", "old-t", "old-k", "cache_bytes"] {
        assert!(before.contains(name), "{name}");
    }
    gateway.apply(&small);
    // Twice, since the first scrape lets go of them.
    for _ in 0..2 {
        let after = text(&gateway).await;
        assert!(!after.contains("old-") && !after.contains("cache_bytes{"), "{after}");
        assert!(after.contains("model=\"m\"") && after.contains("sluice_requests_total"));
        assert_eq!(after.lines().filter(|line| line.starts_with("sluice_config_info")).count(), 1);
        assert!(!after.contains(&first_hash));
    }
    // The request under way ends well, and what it counts makes nothing come back.
    gate.open();
    for held in held {
        let _ = held.await.unwrap().expect(200);
    }
    in_flight(&gateway, 0).await;
    assert!(!text(&gateway).await.contains("old-"));
    gateway.apply(&large);
    let again = text(&gateway).await;
    let ok = "sluice_requests_total{code=\"200\",endpoint=\"chat\",model=\"old-m\",outcome=\"ok\",stream=\"false\"}";
    assert!(again.contains(&format!("{ok} 0\n")), "{again}");
    let _ = ask().send(gateway.api).await.expect(200);
    in_flight(&gateway, 0).await;
    let after = text(&gateway).await;
    let transit = "sluice_upstream_connect_duration_seconds_count{provider=\"old-p\"}";
    let connected: f64 = gateway.metric(transit).await;
    for series in [
        format!("{ok} 1"),
        "sluice_upstream_attempts_total{outcome=\"server_error\",provider=\"old-p\",upstream_model=\"old-u\"} 1".into(),
        "sluice_upstream_attempts_total{outcome=\"ok\",provider=\"up\",upstream_model=\"old-v\"} 1".into(),
        "sluice_key_requests_total{key=\"old-k\",outcome=\"ok\",tenant=\"old-t\"} 1".into(),
    ] {
        assert!(after.lines().any(|line| line == series), "{series}\n{after}");
    }
    assert!(connected >= 1.0, "a provider's connections outlive its absence: {connected}");
}

#[tokio::test]
async fn a_connection_is_active_while_it_carries_a_request_and_idle_after_it() {
    let gate = Gate::new();
    let upstream = Upstream::script([
        Answer::new().gate(&gate).then(Answer::json(CHAT_REPLY)),
        Answer::new().gate(&gate).then(Answer::chunked().chunk(chat_events(&["a"])).last_chunk()),
    ])
    .await;
    let gateway = Gateway::before(&upstream).await;
    let connections = async |active: f64, idle: f64| {
        for (state, count) in [("active", active), ("idle", idle)] {
            gateway
                .metric_is(
                    &format!("sluice_upstream_connections{{provider=\"up\",state=\"{state}\"}}"),
                    count,
                )
                .await;
        }
    };
    connections(0.0, 0.0).await;
    let requests = [chat(), crate::support::chat_stream()];
    let held = begin(requests.map(|body| Request::post(CHAT, body).bearer(KEY).send(gateway.api)));
    upstream.called(2).await;
    connections(2.0, 0.0).await;
    gate.open();
    for held in held {
        let _ = held.await.unwrap().expect(200);
    }
    connections(0.0, 2.0).await;
    drop(upstream);
    connections(0.0, 0.0).await;
}

#[tokio::test]
async fn each_stage_is_observed_once_per_request_and_without_its_waits() {
    let gate = Gate::new();
    let upstream = Upstream::script([
        Answer::new().gate(&gate).then(Answer::error(500, "{}")),
        Answer::json(CHAT_REPLY),
        Answer::json(CHAT_REPLY),
    ])
    .await;
    let gateway =
        limited(&upstream, "limits: {concurrency: 1, queue: {size: 5, max_wait: 20s}}").start().await;
    let stages = async |counts: [f64; 6]| {
        let mut shown = Vec::new();
        for stage in ["auth", "decode", "route", "cache", "limit", "encode"] {
            shown.push(
                gateway.metric(&format!("sluice_stage_duration_seconds_count{{stage=\"{stage}\"}}")).await,
            );
        }
        assert_eq!(shown, counts);
    };
    let ask = || crate::support::by_limited(chat_of(10)).send(gateway.api);
    let first = begin([ask()]);
    upstream.called(1).await;
    let second = begin([ask()]);
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    gate.open();
    for held in first.into_iter().chain(second) {
        let _ = held.await.unwrap();
    }
    in_flight(&gateway, 0).await;
    stages([2.0; 6]).await;
    let _ = Request::post(CHAT, chat()).send(gateway.api).await.expect(401);
    let _ = Request::post(CHAT, "{").bearer(KEY).send(gateway.api).await.expect(400);
    in_flight(&gateway, 0).await;
    // Of a refused body there is no call: neither is it decoded.
    stages([4.0, 2.0, 2.0, 2.0, 3.0, 2.0]).await;
    for stage in ["limit", "encode"] {
        let spent = gateway.metric(&format!("sluice_stage_duration_seconds_sum{{stage=\"{stage}\"}}")).await;
        assert!(spent < 0.3, "{stage}: {spent}");
    }
}

#[tokio::test]
async fn what_a_providers_prompt_cache_saves_is_told_apart_from_ours() {
    let usage = r#""usage":{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010,"prompt_tokens_details":{"cached_tokens":800}}"#;
    let (before, after) = CHAT_REPLY.split_once("\"usage\"").unwrap();
    let rest = after.split_once('}').unwrap().1;
    let upstream = Upstream::script([Answer::json(format!("{before}{usage}{rest}"))]).await;
    let gateway = Config::to(&upstream)
        .section("cache: {mode: seeded, memory: 1MiB}\nprices: [{provider: up, model: m, input: 2, cached_input: 0.5, output: 8}]")
        .start()
        .await;
    let saved = async |by: &str| {
        gateway.metric(&format!("sluice_cost_saved_usd_total{{by=\"{by}\",model=\"m\"}}")).await
    };
    for _ in 0..3 {
        let _ = Request::post(CHAT, chat()).bearer(KEY).send(gateway.api).await.expect(200);
    }
    in_flight(&gateway, 0).await;
    let shown = saved("prompt_cache").await;
    assert!((shown - 3.0 * 800.0 * 1.5e-6).abs() < 1e-9, "{shown}");
    assert_eq!(saved("response_cache").await, 0.0);
}

#[tokio::test]
async fn the_runtime_tells_how_it_fares() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Gateway::before(&upstream).await;
    sluice_tests::soon("a look at the runtime", async {
        while gateway.metric("sluice_runtime_event_loop_lag_seconds_count").await < 3.0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
    assert!(gateway.metric("sluice_runtime_tasks").await >= 3.0);
    let busy = gateway.metric("sluice_runtime_busy_ratio").await;
    assert!((0.0..=1.0).contains(&busy), "{busy}");
}
