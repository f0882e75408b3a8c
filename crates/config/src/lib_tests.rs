//! Whole files: what loads, what does not, and that one run says everything.

use super::*;
use crate::model::*;
use std::time::Duration;

/// Loads a text with no environment but `env`.
fn load_with(yaml: &str, env: &[(&str, &str)]) -> Result<Loaded, Report> {
    load(text(yaml), &options(env))
}

fn text(text: &str) -> Source<'_> {
    Source::Text { name: "sluice.yaml", text, base: Path::new("") }
}

fn options(env: &[(&str, &str)]) -> Options {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Options { env: Env::Map(env), env_optional: false }
}

/// The report of a text, good or bad.
fn report(yaml: &str) -> String {
    report_with(yaml, &[])
}

fn report_with(yaml: &str, env: &[(&str, &str)]) -> String {
    match load_with(yaml, env) {
        Ok(loaded) => loaded.report.render(false),
        Err(report) => report.render(false),
    }
}

fn shipped() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

#[test]
fn every_shipped_file_loads_as_it_is() {
    let files: Vec<_> = std::fs::read_dir(shipped()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let yaml = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let mut seen = 0;
    for path in yaml {
        seen += 1;
        let loaded = load(Source::File(path), &options(&[]));
        assert!(loaded.is_ok(), "{}", loaded.unwrap_err());
    }
    assert!(seen >= 2);
}

#[test]
fn the_default_file_says_what_an_empty_one_means() {
    let written = load_with(&default_yaml(), &[]).unwrap().settings;
    let empty = load_with("", &[]).unwrap().settings;
    assert_eq!(written, empty);
}

#[test]
fn the_default_file_names_every_default_there_is() {
    let reading = read(text(&default_yaml()), &options(&[]));
    let mut missing = Vec::new();
    let mut walk = vec![(String::new(), reading.effective)];
    while let Some((at, value)) = walk.pop() {
        match value.kind {
            config::ValueKind::Table(table) => {
                walk.extend(table.into_iter().map(|(name, value)| (path::field(&at, &name), value)));
            }
            _ if reading.index.spot(&at).is_none() => missing.push(at),
            _ => {}
        }
    }
    assert_eq!(missing, ["auth.mode"]);
}

#[test]
fn the_example_is_typed_as_it_is_written() {
    let path = shipped().join("sluice.example.yaml");
    let settings = load(Source::File(&path), &options(&[])).unwrap().settings;

    assert!(settings.state_dir.ends_with("config/./sluice-data"));
    assert_eq!(settings.listeners.api.max_body, Bytes(20 * 1024 * 1024));
    assert_eq!(settings.listeners.admin.token, None);
    let redis = settings.redis.unwrap();
    assert_eq!(redis.urls, [Secret::new("redis://127.0.0.1:6379".to_owned())]);
    assert_eq!(redis.timeout, Duration::from_millis(50));

    let openai = &settings.providers[0];
    assert_eq!(openai.base_url, "https://api.openai.com/v1");
    assert_eq!(openai.keys[0].weight, 3);
    assert_eq!(openai.drop_fields, ["cache_control", "**.cache_control"]);
    assert_eq!(openai.timeouts.total, Duration::from_secs(30 * 60));
    let requests = openai.limits.as_ref().unwrap().requests.unwrap();
    assert_eq!((requests.rate.amount, requests.burst), (10_000, 10_000));
    let gpu = settings.providers.iter().find(|provider| provider.name == "gpu").unwrap();
    assert_eq!(gpu.headers, [("x-team".to_owned(), Secret::new("platform".to_owned()))]);

    let smart = settings.models.iter().find(|model| model.name == "smart").unwrap();
    assert_eq!(
        smart.targets.iter().map(|target| (target.weight, target.priority)).collect::<Vec<_>>(),
        [(80, 0), (20, 0), (1, 1)]
    );
    assert_eq!(smart.rules[1].when.header.as_ref().unwrap().equals, "gold");
    assert_eq!(smart.hedge, Some(Hedge { after: 0.95, max_ratio: Ratio(0.02) }));
    assert_eq!(smart.resilience.as_ref().unwrap().attempts, Some(4));

    let cache = settings.cache.unwrap();
    assert!(cache.redis && cache.coalesce);
    assert_eq!(settings.limits.unwrap().tokens.unwrap().burst, 200_000);
    assert_eq!(
        settings.tenants.iter().map(|tenant| tenant.name.as_str()).collect::<Vec<_>>(),
        ["search", "batch", "default"]
    );
    assert_eq!(settings.auth.mode, AuthMode::Keys);
    assert_eq!(settings.keys[1].hash, KeyHash([0x11; 32]));
    // The end of the day that is named.
    assert_eq!(settings.keys[0].expires, Some(Expiry(1_814_400_000)));
    assert_eq!(settings.ledger.retention, Duration::from_secs(400 * 86_400));
    assert_eq!(settings.telemetry.traces, None);
}

const UGLY: &str = r#"
version: 1
listeners:
  api: {bind: "0.0.0.0:4000", max_body: 20, header_timeout: 10 seconds, max_conections: 5}
  admin: {bind: "0.0.0.0:4000"}
providers:
  - name: openai
    kind: opnai
    keys:
      - {name: main, value: sk-live-abcdefgh}
      - {name: main, value: "${UNSET_KEY}"}
  - name: gpu
    kind: openai_compatible
    base_url: "http://10.0.0.7:8000"
    headers: {connection: close, "bad name": x}
    http2: yes
  - name: gpu
    kind: openai_compatible
models:
  - name: smart
    name: smarter
    targets: [{provider: opena, model: gpt-4o, weight: 0}, {model: gpt-4o, weight: 0}]
    cache: {mode: off, ttl: 25h}
    rules: [{when: {}, targets: []}]
  - name: "a*b"
    targets: {provider: openai, model: x}
limits: {requests: {rate: 600}, concurrency: -1}
tenants: [{name: search, budget: {usd: 0, per: month}}]
keys:
  - {name: k, tenant: serch, hash: "blake3:12", models: [smrt]}
  - {name: old, hash: "blake3:0000000000000000000000000000000000000000000000000000000000000000", models: ["*"], expires: 2020-01-01}
cache:
shutdown: 5s
"#;

#[test]
fn one_run_lists_every_problem_of_an_ugly_file() {
    insta::assert_snapshot!(report_with(
        UGLY,
        &[("SLUICE__LISTENERS__API__BNID", "x"), ("SLUICE__KEYS__0__NAME", "x")]
    ));
}
