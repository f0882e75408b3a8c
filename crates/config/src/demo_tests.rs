//! The built-in demo.

use super::*;
use crate::model::{AuthMode, Bytes};

fn demo(env: &[(&str, &str)]) -> Result<Settings, Report> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Settings::demo("127.0.0.1:9".parse().unwrap(), &Env::Map(env))
}

#[test]
fn the_demo_needs_nothing_but_the_mock() {
    let settings = demo(&[]).unwrap();
    assert_eq!(settings.listeners.api.bind.to_string(), "127.0.0.1:4000");
    assert_eq!(settings.listeners.admin.bind.to_string(), "127.0.0.1:4001");
    assert_eq!(settings.auth.mode, AuthMode::Open);
    assert_eq!(settings.cache.unwrap().memory, Bytes(64 << 20));
    let [provider] = settings.providers.as_slice() else { panic!("one provider") };
    assert_eq!(
        (provider.base_url.as_str(), provider.allow_private, provider.keys.len()),
        ("http://127.0.0.1:9/v1", true, 0)
    );
    let models: Vec<_> = settings
        .models
        .iter()
        .map(|model| {
            let targets: Vec<_> =
                model.targets.iter().map(|target| (target.model.as_str(), target.priority)).collect();
            (model.name.as_str(), targets)
        })
        .collect();
    assert_eq!(
        models,
        [
            ("demo", vec![("demo", 0)]),
            ("demo-slow", vec![("demo-slow", 0)]),
            ("demo-flaky", vec![("demo-flaky", 0)]),
            ("demo-limited", vec![("demo-limited", 0)]),
            ("demo-down", vec![("demo-down", 0)]),
            ("demo-resilient", vec![("demo-down", 0), ("demo", 1)]),
        ]
    );
}

#[test]
fn providers_whose_variable_is_set_are_reached_by_a_wildcard() {
    let settings =
        demo(&[("OPENAI_API_KEY", "sk-1"), ("POOLSIDE_API_KEY", " "), ("ANTHROPIC_API_KEY", "k")]).unwrap();
    let names: Vec<_> = settings.providers.iter().map(|provider| provider.name.as_str()).collect();
    assert_eq!(names, ["demo", "openai", "anthropic"], "an empty key is none");
    let model = settings.models.iter().find(|model| model.name == "openai/*").unwrap();
    let [target] = model.targets.as_slice() else { panic!("one target") };
    assert_eq!(target.upstream_model(&model.name, "openai/gpt-4o"), "gpt-4o");
    assert_eq!(settings.providers[1].keys[0].value.expose(), "sk-1");
}

#[test]
fn every_preset_with_a_variable_can_be_in_the_demo() {
    let keys: Vec<_> = PRESETS.iter().filter_map(|preset| Some((preset.key_env?, "key"))).collect();
    let settings = demo(&keys).unwrap();
    assert!(settings.providers.len() > 5);
}

#[test]
fn keys_that_cannot_be_sent_are_left_out() {
    let settings = demo(&[("OPENAI_API_KEY", "sk-1\nsk-2"), ("GROQ_API_KEY", "")]).unwrap();
    assert_eq!(settings.providers.len(), 1);
}

#[test]
fn overrides_count_and_safety_too() {
    let settings = demo(&[("SLUICE__LISTENERS__API__BIND", "127.0.0.1:1")]).unwrap();
    assert_eq!(settings.listeners.api.bind.port(), 1);
    assert!(demo(&[("SLUICE__LISTENERS__API__BIND", "0.0.0.0:4000")]).is_err());
}
