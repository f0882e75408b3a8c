//! What is in force, and where it comes from.

use super::*;
use crate::Env;
use std::path::Path;

fn options() -> Options {
    let env = [("SLUICE__RESILIENCE__ATTEMPTS", "4"), ("KEY", "sk-secret"), ("DIR", "data")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Options { env: Env::Map(env), env_optional: false }
}

fn source(text: &str) -> Source<'_> {
    Source::Text { name: "f.yaml", text, base: Path::new("") }
}

#[test]
fn every_value_has_its_origin_and_secrets_are_masked() {
    let yaml = "state_dir: '${DIR}'\nproviders:\n- name: up\n  kind: openai\n  keys: [{name: main, value: '${KEY}'}]\n  headers: {x-a: b}\nmodels:\n- {name: 'a: b', targets: [{provider: up, model: m}]}\n";
    let shown = show(source(yaml), &options()).unwrap();
    insta::assert_snapshot!(shown);
}

#[test]
fn what_is_shown_loads_again() {
    let shown = show(source(&default_yaml()), &options()).unwrap();
    assert!(crate::load(source(&shown), &options()).is_ok(), "{shown}");
}

#[test]
fn a_bad_file_is_reported_instead() {
    assert!(show(source("a: 1"), &options()).unwrap_err().has_errors());
}

#[test]
fn the_entry_of_a_key_can_be_pasted() {
    let hash = format!("blake3:{}", "0".repeat(64));
    let entry = key_entry("night \"ly\"", "default", &hash);
    let settings = crate::load(source(&format!("keys:\n{entry}")), &options()).unwrap().settings;
    assert_eq!(settings.keys[0].name, "night \"ly\"");
    assert_eq!(settings.keys[0].models, ["*"]);
}
