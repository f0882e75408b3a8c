//! The command line and the configuration, through the binary as an operator meets them.

use crate::support::{CHAT, CHAT_REPLY, chat};
use sluice_tests::{
    client::Request,
    gateway::{Config, KEY},
    process::{Process, command, free_port, run},
    upstream::{Answer, Upstream},
};
use std::{fs, net::SocketAddr, path::PathBuf, process::Output};
use tempfile::TempDir;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/sluice.example.yaml");
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/sluice.schema.json");

fn file(yaml: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sluice.yaml");
    fs::write(&path, yaml).unwrap();
    (folder, path)
}

fn valid() -> String {
    Config::to_url("http://127.0.0.1:9/v1").yaml("127.0.0.1:0", "127.0.0.1:0")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn check(yaml: &str, more: &[&str]) -> (i32, String) {
    let (_folder, path) = file(yaml);
    let mut args = vec!["check", path.to_str().unwrap()];
    args.extend(more);
    let output = run(&args);
    (output.status.code().unwrap(), text(&output))
}

fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

#[test]
fn check_accepts_a_valid_file() {
    let (code, said) = check(&valid(), &[]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn check_accepts_every_shipped_configuration() {
    for folder in ["config", "deploy"] {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        for path in
            entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        {
            let output = run(&["check", path.to_str().unwrap()]);
            assert_eq!(output.status.code(), Some(0), "{}: {}", path.display(), text(&output));
        }
    }
}

#[test]
fn everything_that_may_be_written_is_active() {
    let said = text(&run(&["check", EXAMPLE]));
    assert!(!said.contains("not active yet"), "{said}");
}

#[test]
fn check_tells_every_problem_at_once_with_place_and_suggestion() {
    let yaml = valid()
        .replace("provider: up", "provider: upp")
        .replace("kind: openai_compatible", "kind: openai_compatibel")
        .replace("connect: 1s", "connect: 1")
        + "shutdwn: {}\n";
    let (code, said) = check(&yaml, &[]);
    assert_eq!(code, 2, "{said}");
    for part in ["'up'", "openai_compatible", "connect", "shutdown", "error[SL", "sluice.yaml:"] {
        assert!(
            said.contains(part) || said.contains(&part.replace('\'', "`")),
            "{part} is missing in:\n{said}"
        );
    }
    assert!(said.matches("error[SL").count() >= 4, "all problems at once:\n{said}");
}

#[test]
fn check_warns_and_strict_makes_it_a_failure() {
    // No model: every request would be refused, which is worth a warning and no more.
    let warned = "version: 1\n";
    let (code, said) = check(warned, &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("warning[SL028]"), "{said}");
    let (code, said) = check(warned, &["--strict"]);
    assert_eq!(code, 1, "{said}");
}

#[test]
fn check_refuses_what_is_not_a_configuration() {
    for yaml in
        ["", "[]", "hello", "a: [", "version: 2\n", "version: 1\nversion: 1\n", "a: &a [*a]\n", "\t- x"]
    {
        let (code, said) = check(yaml, &[]);
        assert_eq!(code, 2, "{yaml:?}: {said}");
        assert!(said.contains("error"), "{yaml:?}: {said}");
    }
    let bomb = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
        format!("{text}a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1)
    });
    assert_eq!(check(&bomb, &[]).0, 2);
    let output = run(&["check", "/no/such/file.yaml"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
}

#[test]
fn missing_variables_are_errors_without_values() {
    let yaml = valid().replace("sk-provider-secret", "${SURELY_NOT_SET}");
    let (code, said) = check(&yaml, &[]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("SURELY_NOT_SET"), "{said}");
    assert_eq!(check(&yaml, &["--env-optional"]).0, 0);
    assert_eq!(check(&valid().replace("sk-provider-secret", "${SURELY_NOT_SET:-fallback}"), &[]).0, 0);
}

#[test]
fn listeners_beyond_loopback_want_keys_and_a_token() {
    let open = Config::to_url("http://127.0.0.1:9/v1").open();
    let (code, said) = check(&open.yaml("0.0.0.0:0", "127.0.0.1:0"), &[]);
    assert!(code == 2 && said.contains("keys"), "{code} {said}");
    let keys = Config::to_url("http://127.0.0.1:9/v1");
    let (code, said) = check(&keys.yaml("127.0.0.1:0", "0.0.0.0:0"), &[]);
    assert!(code == 2 && said.contains("token"), "{code} {said}");
}

#[test]
fn committed_schema_is_the_binarys_own() {
    let output = run(&["schema"]);
    assert!(output.status.success());
    let committed = fs::read_to_string(SCHEMA).unwrap();
    assert!(
        String::from_utf8_lossy(&output.stdout).trim() == committed.trim(),
        "run: sluice schema > config/sluice.schema.json"
    );
}

#[test]
fn default_configuration_is_valid_and_show_masks_secrets() {
    let output = run(&["config", "default"]);
    assert!(output.status.success(), "{}", text(&output));
    let (code, said) = check(&String::from_utf8(output.stdout).unwrap(), &[]);
    assert_eq!(code, 0, "{said}");

    let (_folder, path) = file(&valid());
    let mut show = command(&["config", "show", path.to_str().unwrap()]);
    let output = show.env("SLUICE__LISTENERS__API__MAX_BODY", "1MiB").output().unwrap();
    let said = text(&output);
    assert!(output.status.success() && said.contains("1MiB") && said.contains("***"), "{said}");
    assert!(!said.contains("sk-provider-secret"), "{said}");
}

#[tokio::test]
async fn key_new_makes_a_key_that_works() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let made = run(&["key", "new", "fresh", "--tenant", "default"]);
    assert!(made.status.success(), "{}", text(&made));
    let secret = String::from_utf8(made.stdout.clone()).unwrap().trim().to_owned();
    assert!(secret.starts_with("sk-sluice-") && !secret.contains(char::is_whitespace), "{secret}");
    let said = text(&made);
    let hash = said.split('"').find(|part| part.starts_with("blake3:")).unwrap_or_else(|| panic!("{said}"));
    assert_eq!(hash, sluice_tests::gateway::hash(&secret));

    let (api, admin) = (free_port(), free_port());
    let yaml = Config::to(&upstream).yaml(&local(api).to_string(), &local(admin).to_string())
        + &format!("  - {{name: fresh, hash: \"{hash}\", models: [m]}}\n");
    let (_folder, path) = file(&yaml);
    let sluice = Process::start(command(&["serve", "--config", path.to_str().unwrap()]));
    sluice.listens(local(api)).await;
    let _ = Request::post(CHAT, chat()).bearer(&secret).send(local(api)).await.expect(200);
    assert_ne!(run(&["key", "new", "other", "--tenant", "default"]).stdout, made.stdout);
}

#[tokio::test]
async fn serve_refuses_an_invalid_file_with_every_problem() {
    let (_folder, path) = file(&(valid().replace("provider: up", "provider: nope") + "unknown_one: 1\n"));
    let output = run(&["serve", "--config", path.to_str().unwrap()]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("nope") && said.contains("unknown_one"), "{said}");
}

#[tokio::test]
async fn port_in_use_names_the_address_and_the_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (_folder, path) = file(&Config::to_url("http://127.0.0.1:9/v1").yaml(&address, "127.0.0.1:0"));
    let output = run(&["serve", "--config", path.to_str().unwrap()]);
    let said = text(&output);
    assert!(!output.status.success());
    assert!(said.contains(&address) && said.contains("listeners.api.bind"), "{said}");
}

#[tokio::test]
async fn demo_answers_without_any_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let (api, admin) = (free_port(), free_port());
    let mut demo = command(&[]);
    demo.current_dir(folder.path())
        .env("SLUICE__LISTENERS__API__BIND", local(api).to_string())
        .env("SLUICE__LISTENERS__ADMIN__BIND", local(admin).to_string());
    let sluice = Process::start(demo);
    sluice.listens(local(api)).await;
    let ask = || {
        Request::post("/openai/v1/completions", r#"{"model":"demo","prompt":"Once","seed":7}"#)
            .send(local(api))
    };
    let (first, second) = (ask().await.expect(200).json(), ask().await.expect(200).json());
    assert_eq!(first["object"], "text_completion");
    assert_eq!(first["choices"][0]["text"], second["choices"][0]["text"], "the same seed, the same text");
    let list = Request::get("/v1/models").send(local(api)).await.expect(200).text();
    for model in ["demo", "demo-slow", "demo-flaky", "demo-limited", "demo-down", "demo-resilient"] {
        assert!(list.contains(&format!("\"{model}\"")), "{model}: {list}");
    }
    sluice.says("no config file: built-in demo").await;
}

#[tokio::test]
async fn environment_beats_the_file_and_health_finds_the_gateway() {
    let (api, admin) = (free_port(), free_port());
    let (_folder, path) = file(&valid());
    let mut serve = command(&["serve", "--config", path.to_str().unwrap()]);
    serve.env("SLUICE__LISTENERS__API__BIND", local(api).to_string());
    serve.env("SLUICE__LISTENERS__ADMIN__BIND", local(admin).to_string());
    let sluice = Process::start(serve);
    sluice.listens(local(api)).await;
    let health = || {
        let mut health = command(&["health", "--config", path.to_str().unwrap()]);
        health.env("SLUICE__LISTENERS__ADMIN__BIND", local(admin).to_string()).output().unwrap()
    };
    let healthy = health();
    assert_eq!(healthy.status.code(), Some(0), "{}", text(&healthy));
    drop(sluice);
    assert_ne!(health().status.code(), Some(0));
}

#[tokio::test]
async fn mock_serves_alone() {
    let address = local(free_port());
    let mock = Process::start(command(&["mock", "--listen", &address.to_string()]));
    mock.listens(address).await;
    let answer =
        Request::post(CHAT, chat().replace("\"m\"", "\"demo\"")).bearer(KEY).send(address).await.expect(200);
    assert_eq!(answer.json()["object"], "chat.completion");
    let stats = Request::get("/__mock/stats").send(address).await.expect(200).json();
    assert_eq!(stats["requests"], 1, "{stats}");
}

#[test]
fn help_names_every_command() {
    let said = text(&run(&["--help"]));
    for name in ["serve", "check", "schema", "config", "explain", "usage", "key", "import", "mock", "health"]
    {
        assert!(said.contains(name), "{name}: {said}");
    }
    assert!(run(&["--version"]).status.success());
    assert_eq!(run(&["--no-such-flag"]).status.code(), Some(2));
}
