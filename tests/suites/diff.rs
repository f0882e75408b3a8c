//! `sluice diff`, through the binary: what an operator is told before a reload, and what a script reads from it.

use serde_json::{Value, json};
use sluice_tests::process::run;
use std::fs;
use tempfile::TempDir;

const OLD: &str = "\
listeners: {api: {bind: \"127.0.0.1:4000\"}}
providers: [{name: up, kind: openai, keys: [{name: main, value: \"sk-old-secret\"}]}]
models:
- {name: smart, targets: [{provider: up, model: big}]}
limits: {requests: {rate: 60/min}}
";

/// Runs it over two files; the exit code and what it printed.
fn diff(old: &str, new: &str, more: &[&str]) -> (i32, String, String) {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (old, new) = (file("old.yaml", old), file("new.yaml", new));
    let output = run(&[&["diff", &old, &new], more].concat());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn another_spelling_is_no_difference() {
    let new = format!("# said otherwise\nshutdown: {{drain: 2m}}\n{OLD}");
    assert_eq!(diff(OLD, &new, &[]), (0, "no difference\n".to_owned(), String::new()));
}

#[test]
fn what_a_reload_can_do_is_told_apart_from_what_it_cannot() {
    let new = OLD.replace("60/min", "600/min").replace("sk-old-secret", "sk-new-secret");
    let new = format!("{new}- {{name: mini, targets: [{{provider: up, model: small}}]}}\n");
    let new =
        new.replace("limits: {requests: {rate: 600/min}}\n", "") + "limits: {requests: {rate: 600/min}}\n";
    let (code, told, _) = diff(OLD, &new, &[]);
    let lines: Vec<_> = told.lines().collect();
    assert_eq!((code, lines.last()), (1, Some(&"3 changes; a reload is enough")), "{told}");
    for line in [
        "~ providers[up].keys[main].value: another secret",
        "+ models[mini]: {targets: [{provider: up, model: small}]}",
        "~ limits.requests.rate: 60/min → 600/min",
    ] {
        assert!(lines.contains(&line), "{line} in {told}");
    }

    let (code, told, _) = diff(OLD, &new.replace("4000", "4005"), &[]);
    assert_eq!(code, 3);
    assert!(
        told.contains("~ listeners.api.bind: 127.0.0.1:4000 → 127.0.0.1:4005  (needs a restart)\n"),
        "{told}"
    );
    let refused =
        "4 changes; a reload would be refused, since a running gateway cannot change listeners.api.bind\n";
    assert!(told.ends_with(refused), "{told}");
    assert!(!told.contains("secret\"") && !told.contains("sk-"), "{told}");

    let (code, told, _) = diff(OLD, &new.replace("4000", "4005"), &["--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["needs_restart"]), (3, &json!(["listeners.api.bind"])));
    let change =
        told["changes"].as_array().unwrap().iter().find(|change| change["path"] == "limits.requests.rate");
    let expected = json!({"path": "limits.requests.rate", "change": "changed", "from": "60/min", "to": "600/min", "needs_restart": false});
    assert_eq!(change, Some(&expected));
}

#[test]
fn what_is_not_valid_is_reported_of_both() {
    let (code, told, said) = diff("a: 1", "b: 1", &[]);
    assert_eq!((code, told.as_str()), (2, ""));
    assert!(said.contains("old.yaml:1:1") && said.contains("new.yaml:1:1"), "{said}");
    assert_eq!(diff(OLD, "limits: {requests: {rate: \"${NOT_THERE}\"}}", &[]).0, 2);
}
