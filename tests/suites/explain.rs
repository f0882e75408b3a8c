//! `sluice explain`, through the binary: what an operator is told of a request that is never sent.

use serde_json::{Value, json};
use sluice_tests::{
    gateway::{Config, KEY, hash},
    process::{command, run},
};
use std::{fs, io::Write, path::Path, process::Stdio};
use tempfile::TempDir;

const SEEDED: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"seed":7}"#;

/// Two tenants, a key each beside the one that every configuration has; Redis and a
/// collector of traces at an address where none is.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let yaml = Config::to_url("http://127.0.0.1:9/v1")
        .key("web", "sk-sluice-web", "tenant: search, models: [m]")
        .key("loud", "sk-sluice-loud", "tenant: search, models: [m], cache: {mode: disabled}")
        .section("tenants: [{name: search}]")
        .section("redis: {urls: [\"redis://:redis-secret@127.0.0.1:9\"]}")
        .section("cache: {ttl: 10m}")
        .section(
            "telemetry: {traces: {otlp: \"http://127.0.0.1:9\", headers: {authorization: trace-secret}}}",
        )
        .yaml("127.0.0.1:0", "127.0.0.1:0");
    fs::write(folder.path().join("sluice.yaml"), yaml).unwrap();
    folder
}

/// Runs it; the exit code and what it printed, on both channels.
fn explain(folder: &Path, body: Option<&str>, more: &[&str]) -> (i32, String) {
    let (config, file) = (folder.join("sluice.yaml"), folder.join("body.json"));
    let mut args = vec!["explain", config.to_str().unwrap(), "--model", "m"];
    if let Some(body) = body {
        fs::write(&file, body).unwrap();
        args.extend(["--body", file.to_str().unwrap()]);
    }
    args.extend(more);
    let output = run(&args);
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code().unwrap(), said)
}

fn told(body: &str, more: &[&str]) -> Value {
    let folder = folder();
    let (code, said) = explain(folder.path(), Some(body), &[more, &["--json"]].concat());
    assert_eq!(code, 0, "{said}");
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"))
}

fn key(body: &str, more: &[&str]) -> String {
    let told = told(body, more);
    assert_eq!(told["cache"]["eligible"], true, "{told:#}");
    told["cache"]["key"]["key"].as_str().unwrap().to_owned()
}

#[test]
fn an_eligible_request_is_told_with_its_target_and_its_key() {
    let (folder, body) = (folder(), SEEDED.replace("\"seed\"", "\"stream\":true,\"seed\""));
    let (code, said) = explain(folder.path(), Some(&body), &["--key", "web"]);
    assert_eq!(code, 0, "{said}");
    for part in [
        "m, by the entry `m`",
        "web of tenant search",
        "may use it by `m`",
        "up / m",
        "eligible",
        "600s",
        "sluice-cache/1",
        "tenant search",
        "guessed from the body's `messages`: chat",
        "left out  stream",
    ] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
}

#[test]
fn each_kind_of_bypass_is_told_in_the_words_of_the_headers() {
    let with = |member: &str| SEEDED.replace("\"seed\":7", member);
    for (body, more, reason) in [
        (with("\"n\":1"), &["--key", "test"][..], "no-seed"),
        (with("\"temperature\":0"), &["--key", "test"], "no-seed"),
        (SEEDED.to_owned(), &["--key", "loud"], "disabled"),
        (SEEDED.to_owned(), &["--key", "test", "--header", "x-sluice-cache: off"], "off"),
        (SEEDED.to_owned(), &["--key", "test", "--header", "Cache-Control: no-store"], "no-store"),
        (with("\"n\":1"), &["--key", "test", "--header", "x-sluice-cache: force"], "force-not-allowed"),
        (with("\"seed\":7,\"store\":true"), &["--key", "test"], "store"),
        (with("\"seed\":7,\"audio\":{}"), &["--key", "test"], "audio"),
        (with("\"seed\":7,\"web_search_options\":{}"), &["--key", "test"], "hosted-tools"),
        (r#"{"model":"m","input":"hi","seed":7}"#.to_owned(), &["--endpoint", "responses"], "stateful"),
    ] {
        let told = told(&body, more);
        let cache = &told["cache"];
        assert_eq!((&cache["eligible"], &cache["reason"]), (&json!(false), &json!(reason)), "{body}");
        assert!(cache["because"].is_string() && cache["key"].is_null(), "{cache:#}");
    }
}

#[test]
fn equal_requests_have_one_key_and_tenants_have_their_own() {
    let plain = key(SEEDED, &["--key", "web"]);
    let other_spelling =
        r#" {"user":"u1", "seed":7.0, "messages":[{"content":"h\u0069","role":"user"}], "stream":true} "#;
    assert_eq!(key(other_spelling, &["--key", "web"]), plain);
    assert_ne!(key(SEEDED, &["--key", "test"]), plain, "another tenant");
    assert_ne!(key(&SEEDED.replace("hi", "ho"), &["--key", "web"]), plain, "another prompt");
    let namespace = ["--key", "web", "--header", "x-sluice-cache-namespace: n"];
    assert_ne!(key(SEEDED, &namespace), plain, "another namespace");
}

#[test]
fn without_a_body_or_a_key_it_tells_what_it_can() {
    let folder = folder();
    let (code, said) = explain(folder.path(), None, &[]);
    assert_eq!(code, 0, "{said}");
    for part in ["none; tenant default", "depends on the body", "note: no key was named"] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
}

#[test]
fn the_body_is_read_from_standard_input_too() {
    let folder = folder();
    let config = folder.path().join("sluice.yaml");
    let args = ["explain", config.to_str().unwrap(), "--model", "m", "--key", "web", "--body", "-", "--json"];
    let mut sluice = command(&args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    sluice.stdin.take().unwrap().write_all(SEEDED.as_bytes()).unwrap();
    let output = sluice.wait_with_output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["cache"]["key"]["key"], key(SEEDED, &["--key", "web"]));
}

#[test]
fn refusals_are_the_gateways_and_end_with_2() {
    let folder = folder();
    for (body, more, part) in [
        (None, &["--model", "nope"][..], "error"),
        (None, &["--key", "wbe"], "did you mean `web`?"),
        (Some("{"), &["--key", "web"], "400 invalid_json"),
        (Some(r#"{"prompt":"p","seed":"x"}"#), &["--key", "web"], "body.seed"),
        (Some(r#"{"seed":1}"#), &["--key", "web"], "neither `messages`"),
        (Some(SEEDED), &["--key", "web", "--header", "x-sluice-cache: maybe"], "400 "),
        (None, &["--header", "no colon"], "name: value"),
        (None, &["--body", "/no/such/file"], "/no/such/file"),
    ] {
        let (code, said) = explain(folder.path(), body, more);
        assert!(code == 2 && said.contains(part), "{more:?}: {code}\n{said}");
    }
    let (code, said) = explain(folder.path(), Some("{"), &["--key", "web", "--json"]);
    let error: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &error["error"]["status"]), (2, &json!(400)), "{said}");
    fs::write(folder.path().join("sluice.yaml"), "version: 1\nnope: 1\n").unwrap();
    let (code, said) = explain(folder.path(), None, &[]);
    assert!(code == 2 && said.contains("nope"), "{code}\n{said}");
}

#[test]
fn no_secret_is_told() {
    let folder = folder();
    let secret = "Authorization: Bearer sk-sluice-web";
    for more in [&["--key", "web", "--header", secret][..], &["--key", "web", "--header", secret, "--json"]] {
        let (code, said) = explain(folder.path(), Some(SEEDED), more);
        assert_eq!(code, 0, "{said}");
        let hash = hash("sk-sluice-web");
        let secrets = ["sk-provider-secret", "redis-secret", "trace-secret", "sk-sluice-web", KEY];
        for secret in [&secrets[..], &["blake3:", &hash[7..]]].concat() {
            assert!(!said.contains(secret), "{secret}:\n{said}");
        }
    }
}
