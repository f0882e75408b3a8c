//! `sluice explain` on routing, through the binary: which rule holds, who is asked in which order, who is not and why.

use serde_json::{Value, json};
use sluice_tests::{gateway::Config, process::run};
use std::fs;
use tempfile::TempDir;

/// A model with rules, targets that cannot take everything, and a fallback that not every key may use.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let url = "http://127.0.0.1:9/v1";
    let yaml = Config::to_url(url)
        .also("small", url)
        .also("long", url)
        .model_entry(
            "name: smart
    targets:
      - {provider: small, model: s, priority: 1, lacks: [tools], context_window: 4000, max_output_tokens: 100}
      - {provider: up, model: u}
      - {provider: up, model: never, weight: 0}
    rules:
      - {when: {tenant: search, stream: true}, targets: [{provider: long, model: fast}]}
      - {when: {min_input_tokens: 1000}, targets: [{provider: long, model: l}, {provider: small, model: s, context_window: 500}]}
    fallbacks: [spare]",
        )
        .model_entry("{name: spare, targets: [{provider: long, model: last}]}")
        .tenant("search", "limits: {}")
        .key("web", "sk-sluice-web", "tenant: search, models: [smart]")
        .yaml("127.0.0.1:0", "127.0.0.1:0");
    fs::write(folder.path().join("sluice.yaml"), yaml).unwrap();
    folder
}

fn explain(body: &str, key: &str, more: &[&str]) -> (i32, String) {
    explain_any(Some(body), key, more)
}

fn explain_any(body: Option<&str>, key: &str, more: &[&str]) -> (i32, String) {
    let folder = folder();
    let (config, file) = (folder.path().join("sluice.yaml"), folder.path().join("body.json"));
    fs::write(&file, body.unwrap_or_default()).unwrap();
    let (config, file) = (config.to_str().unwrap(), file.to_str().unwrap());
    let with_body: &[&str] = if body.is_some() { &["--body", file] } else { &[] };
    let args = [&["explain", config, "--model", "smart", "--key", key], with_body, more].concat();
    let output = run(&args);
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code().unwrap(), said)
}

fn told(body: &str, key: &str) -> Value {
    let (code, said) = explain(body, key, &["--json"]);
    assert_eq!(code, 0, "{said}");
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"))
}

/// The targets that are asked, in their order, and those that are not with the reason.
fn targets(told: &Value) -> (Vec<String>, Vec<String>) {
    let name = |target: &Value| {
        format!("{}/{}", target["provider"].as_str().unwrap(), target["model"].as_str().unwrap())
    };
    let all = told["targets"].as_array().unwrap();
    let (asked, not): (Vec<_>, Vec<_>) = all.iter().partition(|target| target["served"] == true);
    let why = |target: &&Value| format!("{}: {}", name(target), target["skipped"].as_str().unwrap());
    (asked.iter().map(|target| name(target)).collect(), not.iter().map(why).collect())
}

/// A chat request of about so many words with more members.
fn body(words: usize, more: &str) -> String {
    let text = "word ".repeat(words);
    format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}]{more}}}"#)
}

#[test]
fn targets_come_by_priority_and_fallbacks_after_them() {
    let told = told(&body(1, ""), "test");
    assert_eq!(told["rule"], Value::Null);
    let (asked, not) = targets(&told);
    assert_eq!(asked, ["up/u", "up/never", "small/s", "long/last"], "{told:#}");
    assert_eq!(not, Vec::<String>::new());
}

#[test]
fn a_fallback_that_the_key_may_not_use_is_none() {
    let (asked, _) = targets(&told(&body(1, ""), "web"));
    assert_eq!(asked, ["up/u", "up/never", "small/s"]);
}

#[test]
fn fallbacks_are_marked_and_so_is_what_no_try_is_left_for() {
    for body in [Some(body(1, "")), None] {
        let (code, said) = explain_any(body.as_deref(), "test", &["--json"]);
        assert_eq!(code, 0, "{said}");
        let told: Value = serde_json::from_str(&said).unwrap();
        let facts = |member: &str| {
            let all = told["targets"].as_array().unwrap().iter();
            all.map(|target| target[member].clone()).collect::<Vec<_>>()
        };
        assert_eq!(facts("provider"), ["up", "up", "small", "long"], "{told:#}");
        assert_eq!(facts("fallback"), [Value::Null, Value::Null, Value::Null, json!("spare")]);
        assert_eq!(facts("reachable"), [true, true, true, false], "three tries");
        let (_, said) = explain_any(body.as_deref(), "test", &[]);
        let line = said.lines().find(|line| line.contains("long / last")).unwrap();
        assert!(line.contains("fallback spare") && line.ends_with("beyond the 3 tries"), "{said}");
        assert_eq!(said.matches("beyond").count(), 1, "{said}");
    }
    let long = told(&body(2000, ""), "test");
    let reachable = |at: usize| long["targets"][at]["reachable"].clone();
    // What is skipped uses up no try, and is not asked.
    assert_eq!([reachable(0), reachable(1), reachable(2)], [true, true, false], "{long:#}");
}

#[test]
fn of_equals_each_may_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = Config::to_url("http://127.0.0.1:9/v1")
        .model_entry(
            "{name: smart, fallbacks: [m], targets: [{provider: up, model: a}, {provider: up, model: b}, \
             {provider: up, model: c, priority: 1}], resilience: {attempts: 1}}",
        )
        .yaml("127.0.0.1:0", "127.0.0.1:0");
    let config = folder.path().join("sluice.yaml");
    fs::write(&config, yaml).unwrap();
    let output = run(&["explain", config.to_str().unwrap(), "--model", "smart", "--key", "test"]);
    let said = String::from_utf8(output.stdout).unwrap();
    let beyond: Vec<bool> = said
        .lines()
        .filter(|line| line.contains("priority "))
        .map(|line| line.contains("beyond the 1 try"))
        .collect();
    assert_eq!(beyond, [false, false, true, true], "{said}");
}

#[test]
fn what_a_target_cannot_take_is_told_as_the_reason_why_it_is_not_asked() {
    let tools = r#","tools":[{"type":"function","function":{"name":"f"}}]"#;
    for (request, reason) in [
        (body(1, tools), "small/s: cannot take tools"),
        (body(1, r#","max_tokens":200"#), "small/s: gives at most 100 tokens"),
    ] {
        let told = told(&request, "test");
        let (asked, not) = targets(&told);
        assert_eq!(
            (asked, not),
            (vec!["up/u".into(), "up/never".into(), "long/last".into()], vec![reason.to_owned()])
        );
    }
    let (code, said) = explain(&body(1, tools), "test", &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("skipped: cannot take tools"), "{said}");
}

#[test]
fn the_rule_that_holds_is_told_with_what_it_asks_for() {
    let long = told(&body(2000, ""), "test");
    assert_eq!(long["rule"], json!({"number": 2, "when": "at least 1000 input tokens"}), "{long:#}");
    let (asked, not) = targets(&long);
    assert_eq!(asked, ["long/l", "long/last"]);
    assert_eq!(not, ["small/s: prompt and answer do not fit into 500 tokens"]);
    let stream = told(&body(2000, r#","stream":true"#), "web");
    assert_eq!(
        stream["rule"],
        json!({"number": 1, "when": "tenant search, streams"}),
        "the first that holds"
    );
    assert_eq!(targets(&stream).0, ["long/fast"]);
    let (_, said) = explain(&body(2000, ""), "test", &[]);
    assert!(said.contains("number 2 replaces the targets: at least 1000 input tokens"), "{said}");
}

#[test]
fn a_model_that_the_key_may_not_use_is_refused_in_the_gateways_words() {
    let folder = folder();
    let config = folder.path().join("sluice.yaml");
    let output = run(&["explain", config.to_str().unwrap(), "--model", "spare", "--key", "web"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("403 model_not_allowed: Your key may not use model 'spare'"), "{said}");
}
