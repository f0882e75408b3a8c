//! What two configurations differ in.

use super::*;
use crate::{Env, Options, Source, layers, load, problems::Problems};
use std::path::Path;

const BASE: &str = "\
redis: {urls: ['redis://:pw@cache:6379']}
providers:
- {name: up, kind: openai, keys: [{name: main, value: sk-one}, {name: spare, value: sk-two}]}
- {name: gpu, kind: openai_compatible, base_url: 'http://gpu.example.com/v1', headers: {x-team: a}}
models:
- {name: smart, targets: [{provider: up, model: big, weight: 3}, {provider: gpu, model: small}]}
- {name: \"gpt-*\", targets: [{provider: up, model: \"gpt-*\"}]}
limits: {requests: {rate: 60/min}}
";

fn loaded(text: &str) -> Loaded {
    let source = Source::Text { name: "sluice.yaml", text, base: Path::new("") };
    let options = Options { env: Env::Map([].into()), ..Options::default() };
    load(source, &options).unwrap_or_else(|report| panic!("{}\n{text}", report.render(false)))
}

fn changes(old: &str, new: &str) -> Vec<String> {
    loaded(new).since(&loaded(old).effective).iter().map(ToString::to_string).collect()
}

fn replaced(from: &str, to: &str) -> Vec<String> {
    let new = BASE.replace(from, to);
    assert_ne!(new, BASE, "{from}");
    changes(BASE, &new)
}

#[test]
fn every_section_has_its_place() {
    let Kind::Fields(fields) = Shape::root().kind() else { panic!("a map") };
    let mut known = SECTIONS.to_vec();
    known.sort_unstable();
    let mut all: Vec<_> = fields.keys().map(String::as_str).collect();
    all.sort_unstable();
    assert_eq!(known, all);
}

#[test]
fn what_means_the_same_is_no_change() {
    assert_eq!(changes(BASE, BASE), [""; 0]);
    for (from, to) in [
        ("limits:", "shutdown: {delay: 3000ms, drain: 2m}\nresilience: {attempts: 3}\nlimits:"),
        (
            "[{name: main, value: sk-one}, {name: spare, value: sk-two}]",
            "[{name: spare, value: sk-two}, {value: sk-one, name: main}]",
        ),
    ] {
        assert_eq!(replaced(from, to), [""; 0], "{to}");
    }
}

#[test]
fn what_rests_as_a_text_is_the_same_tree_again() {
    let text =
        "{n: null, b: true, i: -9007199254740993, f: 0.1, s: 'a\"\\u00e9\\n', l: [1, [], {}], z: 1, a: 2}";
    let tree = layers::of_file(
        &crate::parse::document(text, &mut Problems::default()).unwrap(),
        &mut Problems::default(),
    );
    assert_eq!(unpacked(&packed(&tree)), tree);
    // In the same order, in which changes are told.
    assert_eq!(packed(&unpacked(&packed(&tree))), packed(&tree));
    assert!(packed(&tree).ends_with("\"z\":1,\"a\":2}"));
    // Larger than what a `Value` can be read with.
    let large = Value::new(None, ValueKind::U64(u64::MAX));
    assert_eq!(unpacked(&packed(&large)).kind, ValueKind::String(u64::MAX.to_string()));
}

#[test]
fn each_change_is_told_by_name_and_on_one_line() {
    for (from, to, told) in [
        ("60/min", "600/min", "~ limits.requests.rate: 60/min → 600/min"),
        ("limits: {", "limits: {concurrency: 5, ", "+ limits.concurrency: 5"),
        ("limits: {requests: {rate: 60/min}}\n", "", "- limits"),
        (
            "{provider: up, model: big, weight: 3}, {provider: gpu, model: small}",
            "{provider: gpu, model: small}, {provider: up, model: big, weight: 3}",
            "~ models[smart].targets: [{provider: up, model: big, weight: 3}, {provider: gpu, model: small}] → [{provider: gpu, model: small}, {provider: up, model: big, weight: 3}]",
        ),
        ("weight: 3", "weight: 4", "~ models[smart].targets[0].weight: 3 → 4"),
        ("x-team: a", "x-group: a", "+ providers[gpu].headers.x-group: ***"),
        (
            ", {provider: gpu, model: small}]",
            "]",
            "~ models[smart].targets: [{provider: up, model: big, weight: 3}, {provider: gpu, model: small}] → [{provider: up, model: big, weight: 3}]",
        ),
        ("- {name: \"gpt-*\", targets: [{provider: up, model: \"gpt-*\"}]}\n", "", "- models[gpt-*]"),
        (
            "limits:",
            "tenants: [{name: a b, budget: {usd: 5, per: day}}]\nlimits:",
            "+ tenants[a b]: {budget: {usd: 5, per: day}}",
        ),
    ] {
        assert_eq!(replaced(from, to).first().map(String::as_str), Some(told), "{to}");
    }
}

#[test]
fn a_changed_secret_is_told_and_not_shown() {
    assert_eq!(replaced("sk-one", "sk-other"), ["~ providers[up].keys[main].value: another secret"]);
    assert_eq!(replaced("x-team: a", "x-team: b"), ["~ providers[gpu].headers.x-team: another secret"]);
    assert_eq!(replaced("redis://:pw@cache", "redis://:qq@cache"), ["~ redis.urls: another secret"]);
    let told = replaced("limits:", "listeners: {admin: {token: topsecret}}\nlimits:");
    assert_eq!(told, ["+ listeners.admin.token: ***"]);
}

#[test]
fn what_is_kept_for_a_comparison_holds_no_secret() {
    let kept = format!("{:?}", loaded(BASE).effective.text);
    for secret in ["sk-one", "sk-two", ":pw@"] {
        assert!(BASE.contains(secret) && !kept.contains(secret), "{secret}");
    }
    assert!(kept.contains("gpu.example.com"), "{kept}");
}

#[test]
fn what_needs_a_restart_is_named_once_and_the_rest_is_not() {
    let new = format!(
        "listeners: {{api: {{bind: '127.0.0.1:4', header_timeout: 3s, max_connections: 7, reuse_port: true}}, admin: {{bind: '127.0.0.1:5'}}}}\nledger: {{retention: 9d}}\ntelemetry: {{logs: {{format: text, level: debug}}, traces: {{otlp: 'http://127.0.0.1:4318'}}}}\nshutdown: {{delay: 1s}}\nstate_dir: ./elsewhere\n{BASE}"
    );
    let changes = loaded(&new).since(&loaded(BASE).effective);
    let fields = restart_only(&changes);
    assert_eq!(
        fields,
        [
            "state_dir",
            "listeners.api.bind",
            "listeners.api.max_connections",
            "listeners.api.reuse_port",
            "listeners.admin.bind",
            "ledger.retention",
            "telemetry.logs.format",
        ]
    );
    assert_eq!(changes.len(), fields.len() + 4, "{changes:?}");
    assert_eq!(changes.first().map(|change| change.path.as_str()), Some("state_dir"));
}

#[test]
fn a_long_value_is_cut() {
    let models: String = (0..50).map(|n| format!(", \"m{n:04}\"")).collect();
    let hash = format!("blake3:{}", "0".repeat(64));
    let told = changes(BASE, &format!("{BASE}keys: [{{name: k, hash: '{hash}', models: [smart{models}]}}]"));
    let added = told.iter().find(|line| line.starts_with("+ keys[k]")).unwrap();
    assert!(added.ends_with('…') && added.chars().count() < 200, "{added}");

    let with = |last: &str| {
        format!(
            "{BASE}auth: {{mode: keys}}\nkeys: [{{name: k, hash: '{hash}', models: [smart{models}, {last}]}}]"
        )
    };
    let told = changes(&with("one"), &with("two"));
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert!(told.starts_with("~ keys[k].models: …") && told.contains("m0049, one] → …"), "{told}");
    assert!(told.ends_with("m0049, two]") && told.chars().count() < 200, "{told}");
}
