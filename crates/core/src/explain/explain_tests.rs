//! What is told is what the stages decide.

use super::*;
use crate::cache::key::{Draft, Scope};
use serde_json::{Value, json};
use sluice_config::{Env, Options, Source, load};
use sluice_protocol::Envelope;
use std::{collections::BTreeMap, path::Path};

const SEEDED: &str = r#"{"model":"m","prompt":"p","seed":7}"#;

fn settings(more: &str) -> Settings {
    let yaml = format!(
        "
providers: [{{name: a, kind: openai_compatible, base_url: 'http://127.0.0.1:1/v1', allow_private: true}}]
models:
- name: m
  targets: [{{provider: a, model: never, weight: 0}}, {{provider: a, model: one}}]
- {{name: 'two-*', targets: [{{provider: a, model: x-*}}, {{provider: a, model: y-*}}], cache: {{ttl: 5m, mode: all}}}}
- {{name: off, targets: [{{provider: a, model: x}}], cache: {{mode: disabled}}}}
tenants: [{{name: t}}]
redis: {{urls: ['redis://127.0.0.1:1']}}
keys:
- {{name: k, tenant: t, hash: 'blake3:{0:064}', models: ['*']}}
- {{name: own, tenant: t, hash: 'blake3:{1:064}', models: ['two-*', m, off], cache: {{scope: key, mode: all}}, limits: {{requests: {{rate: 5/h, burst: 2}}}}}}
limits: {{requests: {{rate: 600/min}}}}
{more}",
        0, 1
    );
    let options = Options { env: Env::Map(BTreeMap::new()), env_optional: false };
    let source = Source::Text { name: "test", text: &yaml, base: Path::new(".") };
    load(source, &options).unwrap_or_else(|report| panic!("{report}")).settings
}

fn question(model: &str, key: &str, body: &str) -> Question {
    Question {
        model: model.to_owned(),
        key: Some(key.to_owned()),
        body: (!body.is_empty()).then(|| Bytes::copy_from_slice(body.as_bytes())),
        ..Question::default()
    }
}

fn told(cache: &str, question: &Question) -> Value {
    json!(explain(settings(cache), question).unwrap_or_else(|why| panic!("{why}")))
}

#[test]
fn the_key_is_the_one_of_the_parts_that_are_told() {
    for (cache, key, scope) in [
        ("cache: {}", "k", Scope::Tenant("t")),
        ("cache: {scope: global}", "k", Scope::Global),
        ("cache: {}", "own", Scope::Key { tenant: "t", key: "own" }),
    ] {
        let mut question = question("m", key, SEEDED);
        question.headers.insert("openai-beta", "b".parse().unwrap());
        question.headers.insert("x-sluice-cache-namespace", "n".parse().unwrap());
        let told = told(cache, &question);
        let call = Envelope::scan(SEEDED.into(), Dialect::Completions, Profile::Open).unwrap();
        let draft = Draft::new(scope, "n", &question.headers, &call);
        let parts = &told["cache"]["key"];
        assert_eq!(parts["key"], draft.key("a", "one").to_string(), "{told:#}");
        assert_eq!(parts["body"], draft.body_digest());
        assert_eq!(parts["scope"], scope.to_string());
        assert_eq!(parts["namespace"], "n");
        assert_eq!(parts["target"], "a / one");
        assert_eq!(parts["headers"], json!(["openai-beta: b"]));
    }
}

#[test]
fn each_setting_has_whose_word_it_is() {
    let setting = |told: &Value, name: &str| {
        let all = told["cache"]["settings"].as_array().unwrap();
        let found = all.iter().find(|setting| setting["name"] == name).unwrap();
        format!("{} {}", found["value"].as_str().unwrap(), found["from"].as_str().unwrap())
    };
    for (model, key, mode, ttl, scope) in [
        ("m", "k", "seeded cache", "3600s cache", "tenant cache"),
        ("two-b", "k", "all model", "300s model", "tenant cache"),
        ("two-b", "own", "all key", "300s model", "key key"),
        // What the model has disabled stays disabled.
        ("off", "own", "disabled model", "3600s cache", "key key"),
    ] {
        let told = told("cache: {}", &question(model, key, ""));
        let found = ["mode", "ttl", "scope"].map(|name| setting(&told, name));
        assert_eq!(found, [mode, ttl, scope], "{model} {key}");
    }
    let mut asked = question("m", "k", SEEDED);
    asked.headers.insert("x-sluice-cache-ttl", "9".parse().unwrap());
    assert_eq!(setting(&told("cache: {}", &asked), "ttl"), "9s x-sluice-cache-ttl");
}

#[test]
fn what_decides_the_first_target_is_told() {
    let first = |model: &str, body: &str| {
        let told = told("cache: {}", &question(model, "k", body));
        let target = told["targets"][0]["model"].as_str().unwrap().to_owned();
        (told["first_by"].as_str().unwrap().to_owned(), target)
    };
    // Weight 0 is written first and never drawn.
    assert_eq!(first("m", ""), ("priority".to_owned(), "one".to_owned()));
    assert_eq!(first("m", SEEDED), ("priority".to_owned(), "one".to_owned()));
    assert_eq!(first("two-b", "").0, "body");
    let (by, target) = first("two-b", r#"{"prompt":"p"}"#);
    assert_eq!(by, "request");
    assert_eq!(first("two-b", r#"{"prompt":"p"}"#).1, target);
    assert_eq!(first("two-b", r#"{"prompt":"p","store":true}"#).0, "lot");
    let drawn: std::collections::BTreeSet<String> =
        (0..32).map(|n| first("two-b", &format!(r#"{{"prompt":"{n}"}}"#)).1).collect();
    assert_eq!(drawn.into_iter().collect::<Vec<_>>(), ["x-b", "y-b"]);
}

#[test]
fn limits_are_told_with_their_scope_and_where_they_come_from() {
    let told = |key: &str| told("", &question("m", key, ""));
    let of_key = |key: &str| {
        let all = told(key)["limits"].as_array().unwrap().clone();
        all.into_iter().filter(|fact| fact["scope"] == "key").collect::<Vec<_>>()
    };
    let requests = |key: &str, value: &str, from: &str| json!({"scope": "key", "name": key, "limit": "requests", "value": value, "from": from});
    let on_redis_down = |key: &str, from: &str| {
        let value = "local: this replica's share";
        json!({"scope": "key", "name": key, "limit": "on_redis_down", "value": value, "from": from})
    };
    assert_eq!(of_key("k"), [requests("k", "600/min, burst 600", "limits"), on_redis_down("k", "limits")]);
    assert_eq!(
        of_key("own"),
        [requests("own", "5/h, burst 2", "keys[].limits"), on_redis_down("own", "default")]
    );
    let text = explain(settings(""), &question("m", "own", "")).unwrap().to_string();
    for line in [
        "  key own\n    requests       5/h, burst 2",
        "  tenant t\n    tenant_share   50% of 20000: 10000 in flight",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn what_a_keys_own_block_lifts_is_noted() {
    let notes = |key: &str| {
        let mut settings = settings("");
        let own = settings.keys.iter_mut().find(|own| own.name == "own").unwrap();
        own.limits = Some(sluice_config::model::Limits::default());
        json!(explain(settings, &question("m", key, "")).unwrap())["notes"].clone()
    };
    assert!(notes("own")[0].as_str().unwrap().contains("lifts requests"));
    assert_eq!(notes("k"), json!([]));
}

#[test]
fn refusals_are_the_gateways_own() {
    let refused = |question: &Question| explain(settings("cache: {}"), question).unwrap_err();
    for (model, key, body, status, code) in [
        ("nope", "k", "", 404, "model_not_found"),
        ("other", "own", "", 404, "model_not_found"),
        ("m", "k", "{", 400, "invalid_json"),
        ("m", "k", r#"{"prompt":"p","seed":"x"}"#, 400, "invalid_body"),
        ("m", "k", r#"{"model":7,"prompt":"p"}"#, 400, "invalid_body"),
    ] {
        let why = refused(&question(model, key, body));
        assert!(matches!(why, Unexplained::Refused(_)), "{model} {body}: {why}");
        let json = why.to_json();
        assert_eq!(
            (&json["error"]["status"], &json["error"]["code"]),
            (&json!(status), &json!(code)),
            "{json}"
        );
    }
    let mut asked = question("m", "k", r#"{"prompt":"p"}"#);
    asked.headers.insert("cache-control", "only-if-cached".parse().unwrap());
    assert_eq!(refused(&asked).to_json()["error"]["status"], 504);
    assert!(matches!(refused(&question("m", "kk", "")), Unexplained::Question(text) if text.contains("`k`")));
    assert!(matches!(refused(&question("m", "k", r#"{"seed":1}"#)), Unexplained::Question(_)));
}
