use super::*;
use sluice_config::{Env, Options, Source, load};
use std::{collections::BTreeMap, path::Path};

fn settings(more: &str) -> Settings {
    let yaml = format!(
        "
providers:
- {{name: a, kind: vllm, max_concurrency: 40}}
- {{name: b, kind: vllm, limits: {{requests: {{rate: 10/s}}, on_redis_down: open}}}}
- {{name: unasked, kind: vllm, max_concurrency: 1}}
models:
- name: m
  targets: [{{provider: b, model: x}}, {{provider: a, model: y}}, {{provider: b, model: z}}]
  limits: {{concurrency: 30, queue: {{max_wait: 1500ms, size: 7}}}}
  max_output_tokens: 500
- {{name: bare, targets: [{{provider: a, model: x}}]}}
- {{name: other, targets: [{{provider: a, model: x}}], limits: {{concurrency: 1}}}}
listeners: {{api: {{max_in_flight: 1000}}}}
tenants:
- name: t
  limits: {{tokens: {{rate: 100/min}}, tenant_share: 12.5%}}
  budget: {{usd: 500.5, per: month, warn_at: [7%, 90%]}}
- {{name: u}}
keys:
- {{name: plain, tenant: u, hash: 'blake3:{0:064}', models: ['*']}}
- name: own
  tenant: t
  hash: 'blake3:{1:064}'
  models: ['*']
  limits: {{tokens: {{rate: 5/h, burst: 2}}, cached_input_weight: 20%, on_redis_down: closed}}
  budget: {{usd: 20, per: day}}
- {{name: free, hash: 'blake3:{2:064}', models: ['*'], limits: {{}}}}
{more}",
        0, 1, 2
    );
    let options = Options { env: Env::Map(BTreeMap::new()), env_optional: false };
    let source = Source::Text { name: "test", text: &yaml, base: Path::new(".") };
    load(source, &options).unwrap_or_else(|report| panic!("{report}")).settings
}

const COMMON: &str = "limits: {requests: {rate: 600/min, burst: 100}, concurrency: 50}";

fn told(more: &str, key: Option<&str>, tenant: &str, model: &str, redis: bool) -> Vec<String> {
    let facts = in_force(&settings(more), Asked { key, tenant, model, redis });
    let line = |fact: &LimitFact| {
        let LimitFact { scope, name, limit, value, from } = fact;
        format!("{scope} {}: {limit} {value} ({from})", name.as_deref().unwrap_or("-"))
    };
    facts.iter().map(line).collect()
}

#[test]
fn every_scope_tells_its_limits_and_whose_word_they_are() {
    assert_eq!(
        told(COMMON, Some("own"), "t", "m", true),
        [
            "key own: tokens 5/h, burst 2 (keys[].limits)",
            "key own: cached_input_weight 20% (keys[].limits)",
            "key own: on_redis_down closed: refused (keys[].limits)",
            "key own: budget $20 a day (keys[].budget)",
            "tenant t: tokens 100/min, burst 100 (tenants[].limits)",
            "tenant t: on_redis_down local: this replica's share (default)",
            "tenant t: tenant_share 12.5% of 1000: 125 in flight (tenants[].limits)",
            "tenant t: budget $500.5 a month, a warning at 7%, 90% (tenants[].budget)",
            "model m: concurrency 30 in flight (models[].limits)",
            "model m: queue at most 7 wait, each at most 1.5s (models[].limits)",
            "model m: max_output_tokens 500 tokens (models[].max_output_tokens)",
            "provider b: requests 10/s, burst 600 (providers[].limits)",
            "provider b: on_redis_down open: not limited (providers[].limits)",
            "provider a: max_concurrency 40 in flight (providers[].max_concurrency)",
        ]
    );
}

#[test]
fn a_key_without_a_block_of_its_own_has_the_common_one() {
    for key in [Some("plain"), None] {
        let name = key.unwrap_or("-");
        assert_eq!(
            told(COMMON, key, "u", "bare", false),
            [
                format!("key {name}: requests 600/min, burst 100 (limits)"),
                format!("key {name}: concurrency 50 in flight (limits)"),
                "tenant u: tenant_share 50% of 1000: 500 in flight (limits)".to_owned(),
                "provider a: max_concurrency 40 in flight (providers[].max_concurrency)".to_owned(),
            ]
        );
    }
}

#[test]
fn a_block_of_a_keys_own_replaces_the_common_one_whole() {
    let of_key = |key| {
        told(COMMON, Some(key), "default", "bare", false).into_iter().filter(|line| line.starts_with("key"))
    };
    assert_eq!(of_key("free").count(), 0);
    let replaced = |key| replaced(&settings(COMMON), Some(key));
    assert!(replaced("free").unwrap().ends_with("lifts requests, concurrency"));
    assert!(replaced("own").unwrap().ends_with("lifts requests, concurrency"));
    assert_eq!(replaced("plain"), None);
    assert_eq!(super::replaced(&settings(""), Some("free")), None, "nothing common, nothing lifted");
}

#[test]
fn without_limits_nothing_is_told() {
    let told = told("", Some("plain"), "u", "bare", true);
    assert_eq!(told, ["provider a: max_concurrency 40 in flight (providers[].max_concurrency)"]);
}
