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

/// `tests/litellm/*.yaml`.
fn configurations() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/litellm");
    let files = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

/// Fields' names and single values of a document that stand on one line.
fn words(node: &sluice_config::yaml::Node, found: &mut Vec<sluice_config::yaml::Span>) {
    use sluice_config::yaml::Data;
    match &node.data {
        Data::Scalar(_) if node.span.start < node.span.end && node.span.start.line == node.span.end.line => {
            found.push(node.span);
        }
        Data::Scalar(_) => {}
        Data::List(items) => items.iter().for_each(|item| words(item, found)),
        Data::Map(entries) => {
            for entry in entries {
                found.push(entry.key_span);
                words(&entry.value, found);
            }
        }
    }
}

/// Whatever stands in place of a value, the result is one that can be served, or the source is refused.
#[test]
fn every_result_is_valid_whatever_the_source_holds() {
    let strange = [
        "[]",
        "{a: {b: 1}}",
        "~",
        "0",
        "-1",
        "99999999999999999999",
        "99999999999",
        "1000000000",
        "0.5",
        "\"\"",
        "\"a b\"",
        "\"*\"",
        "'${X'",
    ];
    let folder = std::env::temp_dir().join(format!("sluice-import-valid-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (mut invalid, mut valid) = (Vec::new(), 0);
    for path in configurations() {
        let text = std::fs::read_to_string(&path).unwrap();
        let copy = folder.join(path.file_name().unwrap());
        let mut spans = Vec::new();
        words(&sluice_config::yaml::read(&path).unwrap().unwrap(), &mut spans);
        for (number, span) in spans.into_iter().enumerate() {
            // Each place sees some of them, all places together see each often.
            for turn in 0..2 {
                let new = strange[(number + turn * 6) % strange.len()];
                std::fs::write(&copy, replaced(&text, span, new).1).unwrap();
                let Ok(Imported { yaml, .. }) = import(&copy, &Env::Map(BTreeMap::new())) else { continue };
                let source =
                    sluice_config::Source::Text { name: "sluice.yaml", text: &yaml, base: Path::new("") };
                let options = sluice_config::Options { env: Env::Map(BTreeMap::new()), env_optional: true };
                match sluice_config::load(source, &options) {
                    Ok(_) => valid += 1,
                    Err(report) => {
                        let place = format!("{}:{}", path.display(), span.start.line);
                        invalid.push(format!("{place}: {new}\n{}", report.render(false)));
                    }
                }
            }
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(invalid.is_empty(), "{} of {}:\n{}", invalid.len(), invalid.len() + valid, invalid.join("\n"));
    assert!(valid > 1000, "{valid} results were checked");
}

/// The text with something else in a place, and what stood there.
fn replaced(text: &str, span: sluice_config::yaml::Span, new: &str) -> (String, String) {
    let mut lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
    let place = span.start.column - 1..span.end.column - 1;
    let old = lines[span.start.line - 1].splice(place, new.chars()).collect();
    let lines: Vec<String> = lines.into_iter().map(|line| line.into_iter().collect()).collect();
    (old, lines.join("\n") + "\n")
}

/// Every value and every field's name of every configuration is replaced, one at a time: had the importer passed over
/// it in silence, the result would be the same.
#[test]
fn no_value_and_no_field_gets_lost() {
    const STRANGE: &str = "zz-strange-9";
    let folder = std::env::temp_dir().join(format!("sluice-import-strange-{}", std::process::id()));
    let (mut tried, mut lost) = (0, Vec::new());
    for path in configurations() {
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::create_dir_all(folder.join("included")).unwrap();
        let included = path.parent().unwrap().join("included/more_models.yaml");
        std::fs::copy(included, folder.join("included/more_models.yaml")).unwrap();
        let copy = folder.join(path.file_name().unwrap());
        let env = Env::Map(BTreeMap::new());
        let before = import(&path, &env).unwrap_or_else(|report| panic!("{}", report.render(false))).yaml;
        let mut spans = Vec::new();
        words(&sluice_config::yaml::read(&path).unwrap().unwrap(), &mut spans);
        spans.sort_unstable();
        spans.dedup();
        for span in spans {
            let (old, changed) = replaced(&text, span, STRANGE);
            // What an alias stands for is replaced at its anchor.
            if old.starts_with('*') {
                continue;
            }
            // Whose value is masked was told about, or its secret was.
            let at = format!("{}:{}", path.file_name().unwrap().to_str().unwrap(), span.start.line);
            let told = |line: &str| {
                line.contains(&format!("{at} ("))
                    || (line.contains(&format!("{at}: ")) && line.contains("***"))
            };
            // The name of what is there for its anchor alone means nothing.
            if before.lines().any(told) || old == "x-azure" {
                continue;
            }
            std::fs::write(&copy, changed).unwrap();
            tried += 1;
            // A document that cannot be read any more has not been passed over.
            if let Ok(after) = import(&copy, &env)
                && after.yaml == before
            {
                lost.push(format!("{}:{}: {old}", path.display(), span.start.line));
            }
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(lost.is_empty(), "nobody would notice another value here:\n{}", lost.join("\n"));
    assert!(tried > 600, "{tried} values and names were replaced");
}

/// Every field that is not known is named with its line.
#[test]
fn unknown_fields_are_named_wherever_they_stand() {
    for path in configurations() {
        let text = std::fs::read_to_string(&path).unwrap();
        let folder = std::env::temp_dir().join(format!("sluice-import-unknown-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("included")).unwrap();
        std::fs::copy(
            path.parent().unwrap().join("included/more_models.yaml"),
            folder.join("included/more_models.yaml"),
        )
        .unwrap();
        let copy = folder.join(path.file_name().unwrap());
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            // Before every field of a block, one more with its indentation.
            let indent = line.len() - line.trim_start().len();
            let is_field =
                line.trim_start().starts_with(|c: char| c.is_ascii_alphabetic()) && line.contains(':');
            if !is_field {
                continue;
            }
            let mut more = lines.clone();
            let unknown = format!("{:indent$}surely_unknown: 1", "");
            more.insert(index, &unknown);
            std::fs::write(&copy, more.join("\n") + "\n").unwrap();
            let yaml = import(&copy, &Env::Map(BTreeMap::new()))
                .unwrap_or_else(|report| panic!("{}: {line}", report.render(false)))
                .yaml;
            let name = path.file_name().unwrap().to_str().unwrap();
            let at = format!("{name}:{}: ", index + 1);
            let told = yaml.lines().any(|line| line.contains(&at) && line.contains("surely_unknown: "));
            assert!(told, "{at}{line}\n{yaml}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn a_pattern_is_no_fallback_and_what_only_a_pattern_matches_becomes_a_model() {
    let text = yaml(
        "model_list:\n  - {model_name: m, litellm_params: {model: groq/l, api_key: os.environ/K}}\n  - {model_name: 'openai/*', litellm_params: {model: 'openai/*', api_key: os.environ/K}}\nrouter_settings:\n  fallbacks: [{m: ['openai/*', openai/gpt-4o]}]\n",
    );
    assert!(text.contains("config.yaml:5: fallback: openai/*  -- a fallback is one model"), "{text}");
    assert!(text.contains("fallbacks: [openai/gpt-4o]"), "{text}");
    assert!(text.contains("name: openai/gpt-4o\n    targets: [{provider: openai, model: gpt-4o}]"), "{text}");
}

#[test]
fn a_master_key_is_found_where_litellm_finds_it() {
    let hash = |secret: &str| format!("blake3:{}", blake3::hash(secret.as_bytes()).to_hex());
    let of_process = imported(MODEL, &[("LITELLM_MASTER_KEY", "sk-old")]).unwrap();
    assert!(of_process.yaml.contains(&hash("sk-old")), "{}", of_process.yaml);
    let in_file = format!(
        "{MODEL}general_settings: {{master_key: os.environ/MASTER}}\nenvironment_variables: {{MASTER: s3cr3t-file}}\n"
    );
    let in_file = imported(&in_file, &[("MASTER", "sk-other")]).unwrap().yaml;
    assert!(in_file.contains(&hash("s3cr3t-file")) && !in_file.contains("s3cr3t"), "{in_file}");
}
