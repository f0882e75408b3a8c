//! What is told without a body is what holds with any.

use super::super::{Question, explain};
use bytes::Bytes;
use serde_json::{Value, json};
use sluice_config::{Env, Options, Source, load};
use std::{collections::BTreeMap, path::Path};

const BODIES: [&str; 2] =
    [r#"{"messages":[{"role":"user","content":"hi"}]}"#, r#"{"prompt":"hi","stream":true,"seed":1}"#];

fn told(key: &str, header: Option<(&'static str, &str)>, body: Option<&str>, more: &str) -> Value {
    let yaml = format!(
        "
providers: [{{name: a, kind: openai_compatible, base_url: 'http://127.0.0.1:1/v1', allow_private: true}}]
models:
- name: m
  targets: [{{provider: a, model: own}}]
  rules:
  - {{when: {{tenant: batch}}, targets: [{{provider: a, model: batch}}]}}
  - {{when: {{tenant: chat, stream: true}}, targets: [{{provider: a, model: streams}}]}}
  - {{when: {{header: {{name: x-lane, equals: fast}}}}, targets: [{{provider: a, model: fast}}]}}
  - {{when: {{key: k}}, targets: [{{provider: a, model: k}}]}}
- name: s
  strategy: session
  targets: [{{provider: a, model: x}}, {{provider: a, model: y}}, {{provider: a, model: z, context_window: 1}}]
tenants: [{{name: batch}}, {{name: chat}}, {{name: t}}]
keys:
- {{name: b, tenant: batch, hash: 'blake3:{0:064}', models: ['*']}}
- {{name: c, tenant: chat, hash: 'blake3:{1:064}', models: ['*']}}
- {{name: k, tenant: t, hash: 'blake3:{2:064}', models: ['*']}}
- {{name: l, tenant: t, hash: 'blake3:{3:064}', models: ['*']}}
{more}",
        0, 1, 2, 3
    );
    let options = Options { env: Env::Map(BTreeMap::new()), env_optional: false };
    let source = Source::Text { name: "test", text: &yaml, base: Path::new(".") };
    let settings = load(source, &options).unwrap_or_else(|report| panic!("{report}")).settings;
    let model = if header.is_some_and(|(name, _)| name == "x-sluice-session") { "s" } else { "m" };
    let mut question = Question { model: model.to_owned(), key: Some(key.to_owned()), ..Question::default() };
    question.body = body.map(|body| Bytes::copy_from_slice(body.as_bytes()));
    if let Some((name, value)) = header {
        question.headers.insert(name, value.parse().unwrap());
    }
    json!(explain(settings, &question).unwrap_or_else(|why| panic!("{why}")))
}

#[test]
fn a_rule_that_asks_for_the_caller_or_a_header_holds_without_a_body() {
    let fast = Some(("x-lane", "fast"));
    for (key, header, number, model) in [
        ("b", None, json!(1), "batch"),
        ("b", fast, json!(1), "batch"),
        // The rule of streams is another tenant's.
        ("l", fast, json!(3), "fast"),
        ("l", Some(("x-lane", "slow")), Value::Null, "own"),
        ("k", None, json!(4), "k"),
        ("l", None, Value::Null, "own"),
    ] {
        for body in BODIES.map(Some).into_iter().chain([None]) {
            let told = told(key, header, body, "");
            let found = (&told["rule"]["number"], &told["targets"][0]["model"], &told["first_by"]);
            assert_eq!(found, (&number, &json!(model), &json!("priority")), "{key} {body:?}: {told:#}");
        }
    }
}

#[test]
fn a_rule_that_asks_for_the_body_leaves_it_open_where_it_may_still_hold() {
    for header in [None, Some(("x-lane", "fast"))] {
        let told = told("c", header, None, "");
        assert_eq!((&told["rule"], &told["first_by"]), (&Value::Null, &json!("body")), "{told:#}");
        assert_eq!(told["targets"][0]["model"], "own");
    }
}

#[test]
fn a_session_that_a_header_names_has_its_order_without_a_body() {
    let models = |told: &Value| {
        let targets = told["targets"].as_array().unwrap();
        targets.iter().map(|target| target["model"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut firsts = std::collections::BTreeSet::new();
    for session in 0..16 {
        let session = session.to_string();
        let header = Some(("x-sluice-session", &*session));
        let without = told("l", header, None, "");
        assert_eq!(without["first_by"], "session", "{without:#}");
        let mut order = models(&without);
        firsts.insert(order[0].clone());
        // It has no room for any prompt, and is told last then.
        order.retain(|model| model != "z");
        let mut with = models(&told("l", header, Some(BODIES[0]), ""));
        with.retain(|model| model != "z");
        assert_eq!(order, with);
    }
    assert!(firsts.len() > 1, "{firsts:?}");
    let header = Some(("x-sluice-session", "s"));
    assert_eq!(
        told("l", header, None, "cache: {}")["first_by"],
        "body",
        "a kept answer belongs to no session"
    );
}
