//! Keys: nobody gets in without one, nobody gets more than theirs, and a refusal tells nothing.

use crate::support::{CHAT, CHAT_REPLY, STRICT, chat, completion};
use sluice_tests::{
    client::{Answer as Reply, Client, Request},
    gateway::{Config, Gateway, KEY},
    upstream::{Answer, Upstream},
};
use std::collections::BTreeSet;

async fn gateway() -> (Gateway, Upstream) {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let config = Config::to(&upstream)
        .model("team/a")
        .model("team/b")
        .model("secret-model")
        .key("narrow", "narrow key, spaces and all", "models: [\"team/*\", m]")
        .key("nothing", "sk-sluice-nothing", "models: []")
        .key("expired", "sk-sluice-expired", "models: [\"*\"], expires: 2020-01-01")
        .key("later", "sk-sluice-later", "models: [\"*\"], expires: 2999-12-31");
    (config.start().await, upstream)
}

async fn with(gateway: &Gateway, header: &str, value: &str) -> Reply {
    Request::post(CHAT, chat()).header(header, value).send(gateway.api).await
}

#[tokio::test]
async fn no_key_wrong_key_and_expired_key_are_401() {
    let (gateway, upstream) = gateway().await;
    let nothing = Request::post(CHAT, chat()).send(gateway.api).await.expect(401);
    assert_eq!(nothing.get("www-authenticate"), "Bearer");
    assert!(
        nothing.message().contains("No API key. Send 'Authorization: Bearer sk-sluice-"),
        "{}",
        nothing.message()
    );
    assert_eq!(nothing.json()["error"]["type"], "authentication_error");
    assert_eq!(nothing.code(), "invalid_api_key");

    let mut texts = BTreeSet::new();
    for wrong in ["sk-sluice-unknown", "sk-sluice-expired", "sk-sluice-", "x", &"k".repeat(4_000)] {
        let answer = with(&gateway, "authorization", &format!("Bearer {wrong}")).await.expect(401);
        assert!(!answer.text().contains(wrong) || wrong.len() < 12, "the key is echoed: {}", answer.text());
        texts.insert(answer.message());
    }
    assert_eq!(texts.len(), 1, "unknown and expired cannot be told apart: {texts:?}");
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn another_vendors_key_is_recognised_by_its_prefix() {
    let (gateway, _upstream) = gateway().await;
    for (key, vendor) in [("sk-proj-abc", "OpenAI"), ("sk-ant-abc", "Anthropic")] {
        let answer = with(&gateway, "authorization", &format!("Bearer {key}")).await.expect(401);
        let text = answer.message();
        assert!(text.contains(vendor) && text.contains("sk-sluice-") && !text.contains(key), "{text}");
    }
}

#[tokio::test]
async fn keys_in_other_places_or_schemes_are_no_keys() {
    let (gateway, upstream) = gateway().await;
    for (header, value) in [
        ("authorization", format!("Basic {KEY}")),
        ("authorization", KEY.to_owned()),
        ("authorization", format!("Bearer {KEY}x")),
        ("authorization", format!("Bearer {KEY} {KEY}")),
        ("authorization", "Bearer".to_owned()),
        ("cookie", format!("authorization=Bearer {KEY}")),
        ("x-authorization", format!("Bearer {KEY}")),
        ("proxy-authorization", format!("Bearer {KEY}")),
    ] {
        let _ = with(&gateway, header, &value).await.expect(401);
    }
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn two_credentials_are_refused() {
    let (gateway, _upstream) = gateway().await;
    let request = Request::post(CHAT, chat()).bearer(KEY).header("authorization", "Bearer other");
    let _ = request.send(gateway.api).await.expect(401);
}

#[tokio::test]
async fn the_scheme_is_case_insensitive() {
    let (gateway, _upstream) = gateway().await;
    for scheme in ["bearer", "BEARER"] {
        let _ = with(&gateway, "authorization", &format!("{scheme} {KEY}")).await.expect(200);
    }
}

#[tokio::test]
async fn keys_work_until_they_expire() {
    let (gateway, _upstream) = gateway().await;
    let _ = with(&gateway, "authorization", "Bearer sk-sluice-later").await.expect(200);
}

#[tokio::test]
async fn the_path_and_the_method_are_judged_before_the_key_and_the_body_after_it() {
    let (gateway, _upstream) = gateway().await;
    let _ = Request::post("/nope", "{").send(gateway.api).await.expect(404);
    let _ = Request::get(CHAT).send(gateway.api).await.expect(405);
    let _ = Request::post(CHAT, "{").set("content-type", "text/plain").send(gateway.api).await.expect(401);
    let _ = Request::post(CHAT, "{")
        .bearer(KEY)
        .set("content-type", "text/plain")
        .send(gateway.api)
        .await
        .expect(415);
    let _ = Request::get("/v1/models").send(gateway.api).await.expect(401);
}

#[tokio::test]
async fn a_key_asks_only_for_its_models() {
    let (gateway, upstream) = gateway().await;
    let narrow = |model: &str| {
        Request::post(CHAT, chat().replace("\"m\"", &format!("\"{model}\"")))
            .bearer("narrow key, spaces and all")
    };
    for model in ["m", "team/a", "team/b"] {
        let _ = narrow(model).send(gateway.api).await.expect(200);
    }
    let asked = upstream.calls();
    let answer = narrow("secret-model").send(gateway.api).await.expect(403);
    assert_eq!(answer.code(), "model_not_allowed");
    assert_eq!(answer.json()["error"]["type"], "permission_error");
    let typo = narrow("secret-mode").send(gateway.api).await.expect(404);
    assert!(!typo.text().contains("secret-model"), "names what the key may not use: {}", typo.text());
    let _ = Request::post(CHAT, chat()).bearer("sk-sluice-nothing").send(gateway.api).await.expect(403);
    assert_eq!(upstream.calls(), asked);
}

#[tokio::test]
async fn the_model_list_holds_only_what_the_key_may_use() {
    let (gateway, _upstream) = gateway().await;
    let list = async |key: &str| -> Vec<String> {
        let answer = Request::get("/v1/models").bearer(key).send(gateway.api).await.expect(200).json();
        answer["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list(KEY).await, ["m", "team/a", "team/b", "secret-model"]);
    assert_eq!(list("narrow key, spaces and all").await, ["m", "team/a", "team/b"]);
    assert!(list("sk-sluice-nothing").await.is_empty());
    let hidden =
        Request::get("/v1/models/secret-model").bearer("narrow key, spaces and all").send(gateway.api).await;
    assert!(matches!(hidden.status(), 403 | 404), "{}", hidden.text());
}

#[tokio::test]
async fn a_refused_client_may_go_on_with_its_connection_or_is_closed_but_never_misread() {
    let (gateway, upstream) = gateway().await;
    let mut client = Client::connect(gateway.api).await;
    // The refused body holds a whole request with a good key.
    let hidden = Request::post(CHAT, chat()).bearer(KEY).wire();
    client.send(&Request::post(CHAT, hidden).wire()).await;
    let _ = client.answer().await.expect(401);
    assert!(
        client.try_head().await.is_none_or(|head| head.status == 408),
        "the body was served as a request"
    );
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn open_mode_serves_everybody_on_loopback() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).open().start().await;
    let _ = Request::post(CHAT, chat()).send(gateway.api).await.expect(200);
    let _ = Request::post(CHAT, chat()).bearer("anything").send(gateway.api).await.expect(200);
}

#[tokio::test]
async fn open_mode_refuses_hosts_that_a_web_page_could_have_rebound() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).open().start().await;
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "[::2]"] {
        let answer = Request::post(CHAT, chat()).set("host", host).send(gateway.api).await;
        assert!(matches!(answer.status(), 400 | 403 | 421), "{host}: {}", answer.text());
    }
    assert_eq!(upstream.calls(), 0);
    for host in ["localhost", "localhost:4000", "127.0.0.1:4000", "[::1]:4000"] {
        let _ = Request::post(CHAT, chat()).set("host", host).send(gateway.api).await.expect(200);
    }
}

#[tokio::test]
async fn open_mode_serves_no_pages_of_other_sites() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).open().start().await;
    for (header, value) in
        [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
    {
        let answer = with(&gateway, header, value).await.expect(403);
        assert_eq!(answer.code(), "host_not_allowed", "{header}: {value}");
    }
    assert_eq!(upstream.calls(), 0);
    let _ = with(&gateway, "origin", "http://localhost:3000").await.expect(200);
}

#[tokio::test]
async fn no_secret_is_ever_logged() {
    let upstream =
        Upstream::script([Answer::error(401, r#"{"error":{"message":"bad key sk-provider-secret"}}"#)]).await;
    let gateway = Gateway::before(&upstream).await;
    let _ = gateway.post(CHAT, chat().replace("hi", "my private prompt")).await;
    let _ = with(&gateway, "authorization", "Bearer sk-sluice-wrong-one").await;
    let _ = gateway.post(STRICT, completion(r#","temperature":9"#)).await;
    sluice_tests::eventually("three log lines", || gateway.log.text().lines().count() >= 3).await;
    let log = gateway.log.text();
    for secret in [KEY, "sk-provider-secret", "my private prompt", "sk-sluice-wrong-one"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
