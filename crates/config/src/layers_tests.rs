//! The environment over the file over the defaults.

use crate::{Env, Loaded, Options, Report, Source, load, model::*};
use std::{path::Path, time::Duration};

fn load_with(yaml: &str, env: &[(&str, &str)]) -> Result<Loaded, Report> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let options = Options { env: Env::Map(env), env_optional: false };
    load(Source::Text { name: "f", text: yaml, base: Path::new("") }, &options)
}

fn messages(yaml: &str, env: &[(&str, &str)]) -> Vec<String> {
    let report = load_with(yaml, env).unwrap_err();
    report.iter().filter(|one| one.level == crate::Level::Error).map(|one| one.message.clone()).collect()
}

#[test]
fn the_environment_beats_the_file_and_the_file_the_defaults() {
    let yaml =
        "listeners: {api: {bind: '127.0.0.1:1', max_body: 1MiB}}\nresilience: {circuit: {window: 20s}}";
    let env = [
        ("SLUICE__LISTENERS__API__BIND", "127.0.0.1:2"),
        ("SLUICE__RESILIENCE__ATTEMPTS", "7"),
        ("SLUICE__LEDGER__KEEP_USER", "true"),
        ("SLUICE__STATE_DIR", "123"),
        ("SLUICE__TELEMETRY__LOGS__FORMAT", "text"),
        ("SLUICE_LOG", "debug"),
    ];
    let settings = load_with(yaml, &env).unwrap().settings;
    assert_eq!(settings.listeners.api.bind.port(), 2);
    assert_eq!(settings.listeners.api.max_body, Bytes(1 << 20));
    assert_eq!(settings.listeners.api.body_timeout, Duration::from_secs(30));
    assert_eq!(settings.resilience.attempts, 7);
    assert_eq!(settings.resilience.circuit.window, Duration::from_secs(20));
    assert_eq!(settings.resilience.circuit.min_requests, 20);
    assert!(settings.ledger.keep_user);
    assert_eq!(settings.state_dir, Path::new("123"));
    assert_eq!(settings.telemetry.logs.format, LogFormat::Text);
}

#[test]
fn a_variable_can_bring_a_section_of_its_own() {
    let settings = load_with("version: 1", &[("SLUICE__CACHE__TTL", "5m")]).unwrap().settings;
    assert_eq!(settings.cache.map(|cache| (cache.ttl, cache.redis)), Some((Duration::from_secs(300), false)));
}

#[test]
fn a_section_that_is_absent_enables_nothing() {
    let settings = load_with("version: 1", &[]).unwrap().settings;
    assert!(settings.cache.is_none() && settings.redis.is_none() && settings.limits.is_none());
}

#[test]
fn variables_that_set_nothing_are_errors() {
    let env = [
        ("SLUICE__LISTENERS__API", "x"),
        ("SLUICE__LISTENERS__API__BIND__PORT", "x"),
        ("SLUICE__LISTENER__API__BIND", "x"),
        ("SLUICE__PROVIDERS__OPENAI__BASE_URL", "x"),
        ("SLUICE__LISTENERS__API__TRUSTED_PROXIES", "x"),
        ("SLUICE__", "x"),
    ];
    insta::assert_snapshot!(load_with("version: 1", &env).unwrap_err().render(false));
}

#[test]
fn a_bad_value_names_its_variable() {
    let env = [("SLUICE__LISTENERS__API__BIND", "4000"), ("SLUICE__RESILIENCE__ATTEMPTS", "many")];
    let mut said = messages("version: 1", &env);
    said.sort();
    assert_eq!(
        said,
        [
            "environment variable SLUICE__LISTENERS__API__BIND: `4000` is not an address to listen on",
            "environment variable SLUICE__RESILIENCE__ATTEMPTS: `attempts` must be a whole number, not text",
        ]
    );
}

#[test]
fn text_from_a_variable_may_be_a_number_where_one_is_due_and_stays_text_elsewhere() {
    let yaml = "state_dir: ${N}\nresilience: {attempts: '${N}'}\nledger: {keep_user: '${YES}'}";
    let settings = load_with(yaml, &[("N", "5"), ("YES", "true")]).unwrap().settings;
    assert_eq!((settings.state_dir.to_str(), settings.resilience.attempts), (Some("5"), 5));
    assert!(settings.ledger.keep_user);
    assert_eq!(messages("resilience: {attempts: '5'}", &[]), ["`attempts` must be a whole number, not text"]);
}

#[test]
fn a_dot_in_a_field_is_no_path() {
    let said = messages("listeners.api.bind: x\nproviders: [{name: p, kind: vllm, headers: {a.b: c}}]", &[]);
    assert_eq!(said, ["unknown field `listeners.api.bind`"]);
}
