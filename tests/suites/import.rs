//! `sluice import litellm`: what a LiteLLM configuration becomes passes the check, holds no secret, and serves.
//!
//! `tests/litellm/*.yaml` are configurations after the variety of LiteLLM's public documentation, and
//! `tests/litellm/imported/` what they become; `SLUICE_WRITE_IMPORTED=1` writes that anew. That no value and no field
//! of them gets lost is a test of the importer's own.

use crate::{
    anthropic::MESSAGE,
    support::{CHAT, CHAT_REPLY, COMPLETION_REPLY, COMPLETIONS, EMBEDDINGS, chat_to},
    tidy::root,
};
use serde_json::json;
use sluice_config::{
    Env, Options, Source,
    model::{Model, RedisMode, Secret, Settings},
};
use sluice_core::LedgerPlace;
use sluice_tests::{
    client::{Answer as Reply, Request},
    gateway::{Gateway, KEY},
    process::{command, run},
    redis::Redis,
    upstream::{Answer, Received, Upstream},
};
use std::{collections::BTreeMap, fs, path::PathBuf, process::Output};

/// Part of every secret in the configurations.
const SECRET: &str = "s3cr3t";
/// What a person searches for; in two parts, because no such word is left in the project's code.
const OPEN: &str = concat!("TO", "DO");

fn folder() -> PathBuf {
    root().join("tests/litellm")
}

/// Names of the configurations.
fn names() -> Vec<String> {
    let files = fs::read_dir(folder()).unwrap().flatten().map(|entry| entry.path());
    let yaml = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let mut names: Vec<String> =
        yaml.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert!(names.len() >= 12, "{names:?}");
    names
}

fn import(name: &str) -> Output {
    run(&["import", "litellm", folder().join(format!("{name}.yaml")).to_str().unwrap()])
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn imported(name: &str) -> String {
    text(&import(name).stdout)
}

/// The exit code of an import of this text, and everything that was said.
fn import_text(yaml: &[u8]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, yaml).unwrap();
    let output = run(&["import", "litellm", path.to_str().unwrap()]);
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn every_result_passes_the_check_and_says_what_is_left() {
    for name in names() {
        let output = import(&name);
        let (yaml, said) = (text(&output.stdout), text(&output.stderr));
        let open = yaml.lines().filter(|line| line.trim_start().starts_with(&format!("# {OPEN} "))).count();
        assert_eq!(output.status.code(), Some(i32::from(open > 0)), "{name}: {said}\n{yaml}");
        let left = match open {
            0 => "nothing is left to you".to_owned(),
            1 => "1 place is left to you".to_owned(),
            _ => format!("{open} places are left to you"),
        };
        assert!(said.contains(&left), "{name}: {said}\n{yaml}");

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sluice.yaml");
        fs::write(&path, &yaml).unwrap();
        let check = run(&["check", "--env-optional", path.to_str().unwrap()]);
        assert_eq!(check.status.code(), Some(0), "{name}: {}\n{yaml}", text(&check.stdout));
    }
}

#[test]
fn no_secret_of_a_source_is_ever_shown() {
    let mut guarded = 0;
    for name in names() {
        let source = fs::read_to_string(folder().join(format!("{name}.yaml"))).unwrap();
        guarded += source.matches(SECRET).count();
        let output = import(&name);
        for channel in [&output.stdout, &output.stderr] {
            assert!(!text(channel).contains(SECRET), "{name}: {}", text(channel));
        }
    }
    assert!(guarded >= 15, "the configurations hold {guarded} secrets");
}

#[test]
fn results_are_as_they_were() {
    let kept = folder().join("imported");
    for name in names() {
        let path = kept.join(format!("{name}.yaml"));
        let yaml = imported(&name);
        if std::env::var_os("SLUICE_WRITE_IMPORTED").is_some() {
            fs::create_dir_all(&kept).unwrap();
            fs::write(&path, &yaml).unwrap();
        }
        let before = fs::read_to_string(&path).unwrap_or_default();
        assert!(before == yaml, "{name} has become\n{yaml}\nwrite it anew with SLUICE_WRITE_IMPORTED=1");
    }
    let results = fs::read_dir(kept).unwrap().count();
    assert_eq!(results, names().len(), "a result without its source");
}

#[test]
fn what_is_no_litellm_configuration_is_refused_with_its_place() {
    for (yaml, says) in [
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        ("- model_name: m\n", "the file must be a map of sections"),
        ("hello", "the file must be a map of sections"),
        ("general_settings: {}\n", "has no `model_list`"),
        ("model_list: 7\n", "`model_list` must be a list"),
        ("model_list:\n  gpt-4o: {model: openai/gpt-4o}\n", "config.yaml:2:"),
        ("model_list: [\n", "not valid YAML"),
        ("model_list:\n\t- x\n", "config.yaml:"),
        ("a: &a [*a]\n", "alias"),
        ("model_list: []\n---\nmodel_list: []\n", "a second document"),
    ] {
        let (code, said) = import_text(yaml.as_bytes());
        assert_eq!(code, Some(2), "{yaml:?}: {said}");
        assert!(said.starts_with("error[SL") && said.contains(says), "{yaml:?}: {said}");
    }
    assert_eq!(import_text(b"model_list: \xff").0, Some(2));
    let output = run(&["import", "litellm", "/no/such/file.yaml"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("does not exist"), "{}", text(&output.stderr));
}

#[test]
fn a_file_that_is_there_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sluice.yaml");
    let source = self::folder().join("minimal.yaml");
    let write = || run(&["import", "litellm", source.to_str().unwrap(), "-o", path.to_str().unwrap()]);
    assert_eq!(write().status.code(), Some(0));
    let written = fs::read_to_string(&path).unwrap();
    assert_eq!(written, imported("minimal"));
    let again = write();
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("cannot write"), "{}", text(&again.stderr));
    assert_eq!(fs::read_to_string(&path).unwrap(), written);
}

#[test]
fn the_master_key_of_the_environment_goes_on_working() {
    let source = folder().join("balancing.yaml");
    let mut set = command(&["import", "litellm", source.to_str().unwrap()]);
    let output = set.env("LITELLM_MASTER_KEY", "sk-of-before").output().unwrap();
    let yaml = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{yaml}");
    assert!(yaml.contains(&sluice_tests::gateway::hash("sk-of-before")), "{yaml}");
    assert!(!yaml.contains("sk-of-before"), "{yaml}");
}

/// What a variable of an imported file is set to.
fn variable(name: &str) -> String {
    match name {
        _ if name.ends_with("_API_BASE") => "https://base.example/v1".to_owned(),
        "REDIS_PORT" => "6379".to_owned(),
        "REDIS_HOST" => "redis.example".to_owned(),
        // The URL of a Redis, in a file that had it as one secret.
        "SLUICE_IMPORTED_KEY_5" => "redis://:word@redis.example:6379".to_owned(),
        _ => format!("value-of-{name}"),
    }
}

/// The settings of an imported file, all of its variables set.
fn settings(yaml: &str) -> Settings {
    let mut env = BTreeMap::new();
    for part in yaml.split("${").skip(1) {
        let name = part.split('}').next().unwrap();
        if !name.contains(":-") {
            env.insert(name.to_owned(), variable(name));
        }
    }
    let source = Source::Text { name: "sluice.yaml", text: yaml, base: &std::env::temp_dir() };
    let options = Options { env: Env::Map(env), env_optional: false };
    let loaded = sluice_config::load(source, &options);
    loaded.unwrap_or_else(|report| panic!("{}\n{yaml}", report.render(false))).settings
}

/// Everything goes to the upstream of the test; Redis is one that is there.
async fn gateway(name: &str, upstream: &Upstream, redis: Option<&Redis>) -> (Gateway, Vec<Model>) {
    let mut settings = settings(&imported(name));
    for provider in &mut settings.providers {
        let path = provider.base_url.split('/').skip(3).collect::<Vec<_>>().join("/");
        provider.base_url = format!("http://{}/{path}", upstream.address()).trim_end_matches('/').to_owned();
        provider.allow_private = true;
    }
    settings.listeners.api.bind = "127.0.0.1:0".parse().unwrap();
    settings.listeners.admin.bind = "127.0.0.1:0".parse().unwrap();
    match (&mut settings.redis, redis) {
        (Some(section), Some(redis)) if section.mode == RedisMode::Single => {
            section.urls = vec![Secret::new(redis.url())];
        }
        (section, _) => {
            *section = None;
            settings.cache.iter_mut().for_each(|cache| cache.redis = false);
        }
    }
    let models = settings.models.clone();
    (Gateway::with(settings, LedgerPlace::Memory).await, models)
}

/// What the configurations' master keys are.
fn key(name: &str) -> &'static str {
    match name {
        "enterprise" => "sk-s3cr3t-master",
        "literal_secrets" => "s3cr3t with spaces",
        _ => KEY,
    }
}

fn answer(request: &Received) -> Answer {
    let path = request.head.split_whitespace().nth(1).unwrap().split('?').next().unwrap();
    Answer::json(match path.rsplit('/').next().unwrap() {
        "messages" => MESSAGE.to_owned(),
        "embeddings" => json!({"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
            "usage": {"prompt_tokens": 1, "total_tokens": 1}})
        .to_string(),
        _ if path.ends_with("/chat/completions") => CHAT_REPLY.to_owned(),
        _ => COMPLETION_REPLY.to_owned(),
    })
}

/// The model that an upstream is asked for.
fn asked(request: &Received) -> String {
    request.json()["model"].as_str().unwrap_or_default().to_owned()
}

/// Asks a model for what it has.
async fn ask(gateway: &Gateway, name: &str, model: &Model, asked_for: &str) -> Reply {
    let embeds = model.targets.iter().any(|target| target.model.contains("embed"));
    let completes = model.targets.iter().any(|target| target.endpoints.is_some());
    let (path, body) = if embeds {
        (EMBEDDINGS, json!({"model": asked_for, "input": "hi"}).to_string())
    } else if completes {
        (COMPLETIONS, json!({"model": asked_for, "prompt": "hi"}).to_string())
    } else {
        (CHAT, chat_to(asked_for))
    };
    Request::post(path, body).bearer(key(name)).send(gateway.api).await
}

#[tokio::test]
async fn every_model_of_every_result_answers_under_all_its_names() {
    let redis = Redis::start();
    let mut served = 0;
    for name in names() {
        let upstream = Upstream::with(|_, request| answer(request)).await;
        let (gateway, models) = gateway(&name, &upstream, Some(&redis)).await;
        for model in &models {
            for asked_for in model.names() {
                let before = upstream.calls();
                let asked_for = asked_for.replace('*', "some-model");
                let reply = ask(&gateway, &name, model, &asked_for).await;
                assert_eq!(reply.status(), 200, "{name}: {asked_for}: {}", reply.text());
                let due: Vec<String> = model
                    .targets
                    .iter()
                    .map(|target| target.upstream_model(&model.name, &asked_for).into_owned())
                    .collect();
                // An answer that is kept is asked for once.
                if let Some(request) = upstream.requests().get(before) {
                    assert!(
                        due.contains(&asked(request)),
                        "{name}: {asked_for}: {} of {due:?}",
                        asked(request)
                    );
                    served += 1;
                }
            }
        }
    }
    assert!(served >= 40, "{served} models were asked for");
}

#[tokio::test]
async fn every_fallback_answers_when_the_own_targets_fail() {
    let mut fallen_back = 0;
    for name in names() {
        let settings = settings(&imported(&name));
        for model in settings.models.iter().filter(|model| !model.fallbacks.is_empty()) {
            let own: Vec<String> = model.targets.iter().map(|target| target.model.clone()).collect();
            let first = settings.models.iter().find(|other| other.name == model.fallbacks[0]).unwrap();
            let theirs: Vec<String> = first.targets.iter().map(|target| target.model.clone()).collect();
            if own.iter().any(|model| theirs.contains(model) || model.contains("{rest}")) {
                continue;
            }
            let down = own.clone();
            let upstream = Upstream::with(move |_, request| {
                if down.contains(&asked(request)) {
                    return Answer::error(503, r#"{"error":{"message":"down"}}"#);
                }
                answer(request)
            })
            .await;
            let (gateway, _) = gateway(&name, &upstream, None).await;
            let reply = ask(&gateway, &name, model, &model.name).await;
            assert_eq!(reply.status(), 200, "{name}: {}: {}", model.name, reply.text());
            let last = asked(upstream.requests().last().unwrap());
            assert!(theirs.contains(&last), "{name}: {}: {last} of {theirs:?}", model.name);
            fallen_back += 1;
        }
    }
    assert!(fallen_back >= 4, "{fallen_back} models fell back");
}

#[tokio::test]
async fn upstreams_get_the_address_the_credential_and_the_headers_that_the_source_has() {
    for (name, model, line, headers) in [
        (
            "minimal",
            "gpt-4o",
            "POST /v1/chat/completions ",
            &["authorization: Bearer value-of-OPENAI_API_KEY"][..],
        ),
        ("minimal", "claude", "POST /v1/messages ", &["x-api-key: value-of-ANTHROPIC_API_KEY"]),
        ("balancing", "gpt-4", "POST /openai/deployments/gpt-4o-", &["api-key: value-of-AZURE_API_KEY_"]),
        (
            "own_servers",
            "partner",
            "POST /inference/v2/chat/completions ",
            &[
                "authorization: Bearer value-of-PARTNER_KEY",
                "x-team: platform",
                "authorization-scope: value-of-PARTNER_SCOPE",
            ],
        ),
        ("own_servers", "local", "POST /v1/chat/completions ", &[]),
        ("wildcard", "team-gpt-4.1", "POST /v1/chat/completions ", &["openai-organization: org-"]),
        (
            "literal_secrets",
            "partner",
            "POST /v1/chat/completions ",
            &["authorization: Bearer value-of-SLUICE_IMPORTED_KEY_"],
        ),
        (
            "text_completion",
            "flash",
            "POST /v1beta/openai/chat/completions ",
            &["authorization: Bearer value-of-GEMINI_API_KEY"],
        ),
        (
            "anchors",
            "stored",
            "POST /openai/deployments/stored/chat/completions?api-version=",
            &["api-key: value-of-AZURE_API_KEY_STORED"],
        ),
    ] {
        let upstream = Upstream::with(|_, request| answer(request)).await;
        let (gateway, _) = gateway(name, &upstream, None).await;
        let reply = Request::post(CHAT, chat_to(model)).bearer(key(name)).send(gateway.api).await;
        assert_eq!(reply.status(), 200, "{name}: {model}: {}", reply.text());
        let head = upstream.request().head;
        assert!(head.starts_with(line), "{name}: {model}: {head}");
        for header in headers {
            assert!(head.contains(header), "{name}: {model}: {header}: {head}");
        }
    }
}

#[tokio::test]
async fn the_old_master_key_is_asked_for_where_there_was_one() {
    let upstream = Upstream::with(|_, request| answer(request)).await;
    let (gateway, _) = gateway("enterprise", &upstream, None).await;
    let with = |key: &str| Request::post(CHAT, chat_to("gpt-4o")).bearer(key).send(gateway.api);
    assert_eq!(with("sk-another").await.status(), 401);
    assert_eq!(with(key("enterprise")).await.status(), 200);
}
