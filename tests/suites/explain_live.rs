//! `sluice explain --live`: the dry run with what a gateway that runs knows of its targets.

use crate::support::{CHAT, CHAT_REPLY, chat};
use serde_json::{Value, json};
use sluice_tests::{
    gateway::{Config, Gateway},
    process::run,
    upstream::{Answer, Upstream, nobody},
};
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
};
use tempfile::TempDir;

/// A model whose first target is down; one failure opens a circuit.
fn config(spare: &Upstream) -> Config {
    Config::to_url(&nobody())
        .also("spare", &spare.base_url())
        .model_entry(
            "{name: both, targets: [{provider: up, model: m}, {provider: spare, model: x, priority: 1}]}",
        )
        .model_entry("{name: \"wild-*\", targets: [{provider: spare, model: \"wild-*\"}]}")
        .section("resilience: {attempts: 2, circuit: {consecutive_failures: 1, open_for: 60s}}")
}

const ADMIN: &str = "admin: {bind: \"127.0.0.1:0\"}";

async fn upstream() -> Upstream {
    Upstream::with(|_, _| Answer::json(CHAT_REPLY)).await
}

/// The same configuration in a file, as an operator of a gateway with this admin listener has it.
fn file(config: &Config, admin: SocketAddr) -> TempDir {
    write(&config.yaml("127.0.0.1:0", &admin.to_string()))
}

fn write(yaml: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sluice.yaml"), yaml).unwrap();
    folder
}

/// Explains model `both`; the exit code and what it printed, on both channels. The gateway in this process goes on
/// meanwhile.
async fn explain(folder: &Path, more: &[&str]) -> (i32, String) {
    explain_model("both", folder, more).await
}

async fn explain_model(model: &'static str, folder: &Path, more: &[&str]) -> (i32, String) {
    let config = folder.join("sluice.yaml").to_str().unwrap().to_owned();
    let more: Vec<String> = more.iter().map(|arg| (*arg).to_owned()).collect();
    let output = tokio::task::spawn_blocking(move || {
        let mut args = vec!["explain", &config, "--model", model, "--key", "test"];
        args.extend(more.iter().map(String::as_str));
        run(&args)
    });
    let output = output.await.unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code().unwrap(), said)
}

/// Opens the circuit of the first target, and makes the second one known.
async fn first_down(gateway: &Gateway) {
    let answer = gateway.post(CHAT, chat().replace("\"m\"", "\"both\"")).await.expect(200);
    assert_eq!(answer.get("x-sluice-provider"), "spare");
}

#[tokio::test]
async fn an_open_circuit_and_a_healthy_target_are_told_when_a_gateway_runs() {
    let spare = upstream().await;
    let gateway = config(&spare).start().await;
    first_down(&gateway).await;
    let folder = file(&config(&spare), gateway.admin);
    let (code, said) = explain(folder.path(), &["--live"]).await;
    assert_eq!(code, 0, "{said}");
    let line = |provider: &str| said.lines().find(|line| line.contains(provider)).unwrap().to_owned();
    assert!(line("up / m").contains("circuit open, next probe in "), "{said}");
    assert!(
        line("spare / x").contains("healthy, ") && line("spare / x").contains(" ms, 0 in flight"),
        "{said}"
    );
    assert!(!said.contains("note:"), "{said}");

    let (code, said) = explain(folder.path(), &["--live", "--json"]).await;
    let told: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
    let text = |index: usize| told["targets"][index]["health_text"].as_str().unwrap().to_owned();
    assert_eq!(code, 0);
    assert!(text(0).starts_with("circuit open, next probe in "), "{told:#}");
    assert!(text(1).starts_with("healthy, "), "{told:#}");
    let health = |index: usize| &told["targets"][index]["health"];
    assert_eq!((&health(0)["circuit"], &health(0)["key_ready"]), (&json!("open"), &json!(true)), "{told:#}");
    assert!(health(0)["open_for_ms"].as_u64().unwrap() > 0, "{told:#}");
    assert_eq!((&health(1)["circuit"], &health(1)["in_flight"]), (&json!("closed"), &json!(0)), "{told:#}");
    assert!(health(1)["latency_ms"].is_number() && health(1).get("open_for_ms").is_none(), "{told:#}");
}

#[tokio::test]
async fn the_first_target_is_told_as_passed_by_while_its_circuit_is_open() {
    let spare = upstream().await;
    let gateway = config(&spare).start().await;
    let folder = file(&config(&spare), gateway.admin);
    let told = async || {
        let (_, text) = explain(folder.path(), &["--live"]).await;
        let (_, json) = explain(folder.path(), &["--live", "--json"]).await;
        let line = text.lines().find(|line| line.starts_with("targets ")).unwrap().to_owned();
        (line, serde_json::from_str::<Value>(&json).unwrap()["first_live"].clone())
    };
    let (line, first) = told().await;
    assert!(!line.contains("passed by"), "{line}");
    assert_eq!(first, json!({"provider": "up", "model": "m"}));
    first_down(&gateway).await;
    let (line, first) = told().await;
    assert!(
        line.contains("no rival of its priority (now passed by: its circuit is open); at most"),
        "{line}"
    );
    assert_eq!(first, json!({"provider": "spare", "model": "x"}));
    // The other model has that target alone.
    let (_, text) = explain_model("m", folder.path(), &["--live"]).await;
    assert!(text.contains("(now all circuits are open: "), "{text}");
    let (_, json) = explain_model("m", folder.path(), &["--live", "--json"]).await;
    assert!(!json.contains("first_live"), "{json}");
}

#[tokio::test]
async fn without_live_nobody_is_asked() {
    let spare = upstream().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let folder = file(&config(&spare), listener.local_addr().unwrap());
    let (code, said) = explain(folder.path(), &["--json"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains("\"health") && !said.contains("first_live"), "{said}");
    assert!(listener.accept().is_err(), "somebody has come");
}

#[tokio::test]
async fn a_target_that_depends_on_the_request_is_found_by_its_configured_name() {
    let spare = upstream().await;
    let gateway = config(&spare).start().await;
    let folder = file(&config(&spare), gateway.admin);
    let (code, said) = explain_model("wild-7", folder.path(), &["--live"]).await;
    assert_eq!(code, 0, "{said}");
    let line = said.lines().find(|line| line.contains("spare / wild-7")).unwrap();
    assert!(line.contains("healthy, 0 in flight"), "{said}");
}

#[tokio::test]
async fn where_no_gateway_answers_a_note_says_so_and_all_else_is_told() {
    let spare = upstream().await;
    let nowhere = nobody().replace("http://", "").replace("/v1", "").parse().unwrap();
    let folder = file(&config(&spare), nowhere);
    for more in [&["--live"][..], &["--live=nonsense"], &["--live", "--json"]] {
        let (code, said) = explain(folder.path(), more).await;
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("how the targets fare is not known: "), "{said}");
        assert!(said.contains("spare") && !said.contains("healthy"), "{said}");
    }
}

#[tokio::test]
async fn another_address_may_be_named_and_is_shown_the_configured_token() {
    let spare = upstream().await;
    let guarded = |token: &str| {
        let yaml = config(&spare).yaml("127.0.0.1:0", "127.0.0.1:0");
        yaml.replace(ADMIN, &format!("admin: {{bind: \"127.0.0.1:0\", token: {token}}}"))
    };
    let gateway = Gateway::start(&guarded("t0ken")).await;
    let live = format!("--live={}", gateway.admin);
    let (code, said) = explain(write(&guarded("t0ken")).path(), &[&live]).await;
    assert!(code == 0 && said.contains("healthy, 0 in flight"), "{said}");
    let (code, said) = explain(write(&guarded("s3cret")).path(), &[&live]).await;
    assert!(code == 0 && said.contains("wants another token"), "{said}");
    assert!(!said.contains("s3cret") && !said.contains("t0ken"), "a token is told:\n{said}");
}

#[tokio::test]
async fn targets_that_the_gateway_does_not_have_are_told_as_such() {
    let spare = upstream().await;
    let gateway = Config::to(&spare).start().await;
    let (code, said) = explain(file(&config(&spare), gateway.admin).path(), &["--live"]).await;
    assert_eq!(code, 0, "{said}");
    let line = said.lines().find(|line| line.contains("spare / x")).unwrap();
    assert!(line.contains("unknown to the running gateway"), "{said}");
    assert!(said.contains("note: the running gateway does not know all of these targets"), "{said}");
}

#[tokio::test]
async fn what_is_no_admin_listener_is_named_as_such() {
    let spare = upstream().await;
    let folder = file(&config(&spare), spare.address());
    let (code, said) = explain(folder.path(), &["--live"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("how the targets fare is not known: the status page at "), "{said}");
}
