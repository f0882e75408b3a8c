use super::*;
use sluice_config::{Env, Options, Source, load};
use std::path::Path;

fn snapshot(yaml: &str) -> Snapshot {
    let source = Source::Text { name: "test", text: yaml, base: Path::new(".") };
    let options = Options { env: Env::Map(std::collections::BTreeMap::new()), env_optional: false };
    let settings = load(source, &options).unwrap().settings;
    Snapshot::build(Arc::new(settings), &Shared::default(), &Metrics::new().unwrap()).unwrap()
}

const PROVIDERS: &str = "
auth: {mode: open}
providers:
- {name: a, kind: openai_compatible, base_url: 'http://127.0.0.1:1/v1', allow_private: true}
- {name: b, kind: openai_compatible, base_url: 'http://127.0.0.1:2/v1', allow_private: true}
";

#[test]
fn an_exact_name_beats_the_longest_prefix_and_that_the_catch_all() {
    let yaml = format!(
        "{PROVIDERS}models:
- {{name: '*', targets: [{{provider: a, model: '*'}}]}}
- {{name: 'gpt-*', targets: [{{provider: a, model: '*'}}]}}
- {{name: 'gpt-4*', targets: [{{provider: a, model: '*'}}]}}
- {{name: gpt-4o, targets: [{{provider: a, model: x}}]}}
"
    );
    let snapshot = snapshot(&yaml);
    let found = |name: &str| snapshot.models.find(name).map(|entry| entry.name.clone());
    for (asked, expected) in
        [("gpt-4o", "gpt-4o"), ("gpt-4o-mini", "gpt-4*"), ("gpt-3", "gpt-*"), ("claude", "*")]
    {
        assert_eq!(found(asked).as_deref(), Some(expected), "{asked}");
    }
    assert_eq!(found(""), None, "no name is no model");
}

#[test]
fn targets_stand_in_the_order_of_their_priorities() {
    let yaml = format!(
        "{PROVIDERS}models: [{{name: m, targets: [{{provider: a, model: late, priority: 1}}, {{provider: b, model: early}}]}}]"
    );
    let snapshot = snapshot(&yaml);
    let order: Vec<_> =
        snapshot.models.find("m").unwrap().targets.iter().map(|target| &*target.model).collect();
    assert_eq!(order, ["early", "late"]);
}

#[test]
fn labels_beyond_their_cap_share_one_value() {
    let models: String =
        (0..5).map(|n| format!("- {{name: m{n}, targets: [{{provider: a, model: x}}]}}\n")).collect();
    let snapshot =
        snapshot(&format!("{PROVIDERS}telemetry: {{metrics: {{max_models: 3}}}}\nmodels:\n{models}"));
    let labels: Vec<_> = snapshot.models.all().iter().map(|entry| entry.metrics.label().to_owned()).collect();
    assert_eq!(labels, ["m0", "m1", "m2", "_other", "_other"]);
}

#[test]
fn equal_settings_share_connections_and_buckets_across_snapshots() {
    let shared = Shared::default();
    let limit = model::RateLimit {
        rate: model::Rate { amount: 3, per: std::time::Duration::from_secs(60) },
        burst: 3,
    };
    let first = shared.limits.bucket("k", limit);
    first.take().unwrap();
    assert_eq!(shared.limits.bucket("k", limit).take().unwrap().remaining, 1, "the same bucket");
    let changed = model::RateLimit { burst: 9, ..limit };
    assert_eq!(shared.limits.bucket("k", changed).take().unwrap().remaining, 8, "a new one for a new limit");
}

#[test]
fn the_hash_tells_configurations_apart_and_does_not_depend_on_secrets() {
    let with = |key: &str, model: &str| {
        let yaml = format!(
            "auth: {{mode: open}}\nproviders: [{{name: a, kind: openai, keys: [{{name: k, value: '{key}'}}]}}]\nmodels: [{{name: {model}, targets: [{{provider: a, model: x}}]}}]"
        );
        snapshot(&yaml).hash
    };
    assert_eq!(with("one", "m"), with("two", "m"));
    assert_ne!(with("one", "m"), with("one", "n"));
}

#[test]
fn what_a_model_can_fall_back_to_is_counted_from_zero() {
    let yaml = format!(
        "{PROVIDERS}- {{name: c, kind: openai_compatible, base_url: 'http://127.0.0.1:3/v1', allow_private: true}}
models:
- {{name: m, targets: [{{provider: a, model: x}}, {{provider: a, model: y}}], fallbacks: [spare]}}
- {{name: spare, targets: [{{provider: b, model: x}}]}}
- {{name: ruled, targets: [{{provider: a, model: x}}], rules: [{{when: {{stream: true}}, targets: [{{provider: c, model: x}}]}}]}}"
    );
    let source = Source::Text { name: "test", text: &yaml, base: Path::new(".") };
    let options = Options { env: Env::Map(std::collections::BTreeMap::new()), env_optional: false };
    let settings = load(source, &options).unwrap().settings;
    let metrics = Metrics::new().unwrap();
    Snapshot::build(Arc::new(settings), &Shared::default(), &metrics).unwrap();
    let text = String::from_utf8(metrics.text(|_, _| true)).unwrap();
    let edge = |model: &str, from: &str, to: &str| {
        let labels = format!(
            "{{from_provider=\"{from}\",model=\"{model}\",reason=\"timeout\",to_provider=\"{to}\"}} 0"
        );
        text.contains(&format!("sluice_fallbacks_total{labels}"))
    };
    assert!(edge("m", "a", "b") && edge("m", "b", "a") && edge("ruled", "a", "c"), "{text}");
    assert!(!edge("m", "a", "a") && !edge("spare", "a", "b") && !edge("m", "a", "c"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("sluice_fallbacks_total{")).count(), 4 * 6);
}

#[tokio::test]
async fn settings_that_cannot_be_made_ready_leave_the_state_of_those_in_force_alone() {
    let (shared, metrics) = (Shared::default(), Metrics::new().unwrap());
    let build = |yaml: &str| {
        let source = Source::Text { name: "test", text: yaml, base: Path::new(".") };
        let options = Options { env: Env::Map(std::collections::BTreeMap::new()), env_optional: false };
        Snapshot::build(Arc::new(load(source, &options).unwrap().settings), &shared, &metrics)
    };
    let provider = |timeout: &str| {
        format!(
            "auth: {{mode: open}}
providers: [{{name: a, kind: openai_compatible, base_url: 'http://127.0.0.1:1/v1', allow_private: true, timeouts: {{connect: {timeout}}}, keys: [{{name: k, value: secret}}]}}]
models: [{{name: m, targets: [{{provider: a, model: x}}]}}]
"
        )
    };
    let good = format!(
        "{}cache: {{memory: 8MiB}}\ntelemetry: {{traces: {{otlp: 'http://127.0.0.1:1/v1/traces'}}}}\n",
        provider("5s")
    );
    // Of two providers the second cannot be made ready: nothing is a certificate here.
    let garbage = std::env::temp_dir().join(format!("sluice-garbage-{}.pem", std::process::id()));
    std::fs::write(&garbage, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let other = format!(
        "}}]}}, {{name: b, kind: openai_compatible, base_url: 'https://127.0.0.1:1/v1', ca_file: '{}'}}]\nmodels",
        garbage.display()
    );
    let bad = format!(
        "{}cache: {{memory: 9MiB}}\nresilience: {{retry_budget: {{ratio: 1%, per_second: 1}}}}\n",
        provider("6s").replace("secret", "another").replace("}]}]\nmodels", &other)
    );
    let first = build(&good).unwrap();
    let (now, hint) = (std::time::Instant::now(), std::time::Duration::from_secs(60));
    first.providers[0].pool.rate_limited(0, "x", Some(hint), now);
    let budget = format!("{:?}", first.providers[0].retries);
    assert!(matches!(build(&bad), Err(ProviderError::Tls(..))));
    std::fs::remove_file(garbage).unwrap();
    assert_eq!(format!("{:?}", first.providers[0].retries), budget, "the rules of the budget in use");

    let again = build(&good).unwrap();
    let answers = |snapshot: &Snapshot| snapshot.cache.as_ref().unwrap().cache.clone();
    assert!(Arc::ptr_eq(&answers(&first), &answers(&again)), "what is stored");
    assert!(Arc::ptr_eq(first.tracer.as_ref().unwrap(), again.tracer.as_ref().unwrap()), "traces");
    let limited = again.providers[0].pool.tally(now).cooling;
    assert_eq!(limited, 1, "what is known of a key whose secret came back");
}
