//! What holds of any import: secrets stay out, wrong shapes are told, and the master key goes on working.

use super::*;
use std::{collections::BTreeMap, path::PathBuf};

/// Imports a text; a folder of its own, so that tests do not meet.
fn imported(yaml: &str, env: &[(&str, &str)]) -> Result<Imported, Report> {
    let folder =
        std::env::temp_dir().join(format!("sluice-import-{}-{:p}", std::process::id(), yaml.as_ptr()));
    std::fs::create_dir_all(&folder).unwrap();
    let path: PathBuf = folder.join("config.yaml");
    std::fs::write(&path, yaml).unwrap();
    let env: BTreeMap<String, String> =
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let result = import(&path, &Env::Map(env));
    std::fs::remove_dir_all(&folder).unwrap();
    result
}

fn yaml(text: &str) -> String {
    imported(text, &[]).unwrap_or_else(|report| panic!("{}", report.render(false))).yaml
}

const MODEL: &str =
    "model_list: [{model_name: m, litellm_params: {model: openai/gpt-4o, api_key: os.environ/K}}]\n";

#[test]
fn a_master_key_in_a_variable_is_hashed_when_it_is_set_and_told_when_it_is_not() {
    let text = format!("{MODEL}general_settings: {{master_key: os.environ/MASTER}}\n");
    let set = imported(&text, &[("MASTER", "sk-old")]).unwrap();
    let hash = format!("blake3:{}", blake3::hash(b"sk-old").to_hex());
    assert!(set.yaml.contains(&hash) && !set.yaml.contains("sk-old") && set.open == 0, "{}", set.yaml);
    let unset = imported(&text, &[]).unwrap();
    assert!(!unset.yaml.contains("blake3:c") && unset.open == 1, "{}", unset.yaml);
    assert!(unset.yaml.contains("LiteLLM asked for MASTER"), "{}", unset.yaml);
}

#[test]
fn a_dollar_sign_stays_one() {
    let text =
        yaml("model_list: [{model_name: 'a$b', litellm_params: {model: 'groq/x$y', api_key: os.environ/K}}]");
    assert!(text.contains("name: \"a$$b\"") && text.contains("model: \"x$$y\""), "{text}");
}

#[test]
fn values_of_the_wrong_type_are_left_with_the_reason() {
    let text = yaml(
        "model_list:\n  - model_name: m\n    litellm_params:\n      model: openai/gpt-4o\n      api_key: os.environ/K\n      rpm: many\n      timeout: [1]\n  - 7\nrouter_settings: []\nlitellm_settings: {cache: perhaps}\n",
    );
    for part in [
        "config.yaml:6: rpm: many  -- a number is expected here",
        "config.yaml:7: timeout: [1]  -- one value is expected here",
        "config.yaml:8: - 7  -- an entry with `model_name`",
        "config.yaml:9: router_settings: []  -- a map is expected here",
        "config.yaml:10: cache: perhaps  -- true or false is expected here",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}

#[test]
fn keys_are_pooled_where_they_serve_the_same_models_and_nowhere_else() {
    let entry = |group: &str, model: &str, key: &str| {
        format!(
            "  - {{model_name: {group}, litellm_params: {{model: openai/{model}, api_key: os.environ/{key}}}}}\n"
        )
    };
    let both =
        |model: &str| entry(model, model, "OPENAI_API_KEY_A") + &entry(model, model, "OPENAI_API_KEY_B");
    let text = yaml(&format!("model_list:\n{}{}", both("gpt-4o"), both("gpt-4o-mini")));
    assert_eq!(text.matches("- name: openai\n").count(), 1, "{text}");
    assert_eq!(text.matches("kind: openai").count(), 1, "{text}");
    let text =
        yaml(&format!("model_list:\n{}{}", both("gpt-4o"), entry("mini", "gpt-4o-mini", "OPENAI_API_KEY_A")));
    assert_eq!(text.matches("kind: openai").count(), 2, "the second account is not used for mini:\n{text}");
}

#[test]
fn limits_that_cannot_be_said_are_left() {
    let entry = |group: &str, model: &str, rpm: &str| {
        format!(
            "  - {{model_name: {group}, litellm_params: {{model: {model}, api_key: os.environ/K{rpm}}}}}\n"
        )
    };
    let shared = entry("a", "openai/gpt-4o", ", rpm: 10")
        + &entry("a", "groq/l", "")
        + &entry("b", "openai/gpt-4.1", "");
    let text = yaml(&format!("model_list:\n{shared}"));
    assert!(text.contains("rpm: 10  -- its provider serves other models as well"), "{text}");
    assert!(!text.contains("limits: {requests"), "{text}");
}
