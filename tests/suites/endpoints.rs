//! Paths, methods, the model list, and the bounds that a model sets.

use crate::support::{CHAT, CHAT_REPLY, COMPLETION_REPLY, COMPLETIONS, STRICT, chat, completion};
use serde_json::json;
use sluice_tests::{
    client::Request,
    gateway::{Config, Gateway, KEY},
    upstream::{Answer, Upstream},
};

async fn gateway() -> (Gateway, Upstream) {
    let upstream = Upstream::script([Answer::json(COMPLETION_REPLY)]).await;
    let config = Config::to(&upstream)
        .model("poolside/laguna-m.1")
        .model_entry(r#"{name: small, targets: [{provider: up, model: small}], context_window: 4096, max_output_tokens: 1000}"#);
    (config.start().await, upstream)
}

#[tokio::test]
async fn models_are_listed_in_openais_shape() {
    let (gateway, _upstream) = gateway().await;
    for path in ["/v1/models", "/openai/v1/models"] {
        let list = gateway.get(path).await.expect(200).json();
        assert_eq!(list["object"], "list");
        let ids: Vec<&str> =
            list["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["m", "poolside/laguna-m.1", "small"], "{path}");
        for model in list["data"].as_array().unwrap() {
            assert_eq!(model["object"], "model");
            assert!(model["created"].is_u64() && model["owned_by"].is_string(), "{model}");
        }
    }
}

#[tokio::test]
async fn aliases_are_listed_beside_their_models_for_the_keys_that_may_use_them() {
    const NICK: &str = "sk-sluice-nick";
    let upstream = Upstream::script([Answer::json(COMPLETION_REPLY)]).await;
    let gateway = Config::to(&upstream)
        .model_entry("{name: real, aliases: [nick, other], targets: [{provider: up, model: theirs}]}")
        .model_entry("{name: \"wild-*\", targets: [{provider: up, model: \"*\"}]}")
        .key("nick", NICK, "models: [nick, wild-1]")
        .start()
        .await;
    for (key, expected) in [(KEY, &["m", "real", "nick", "other"][..]), (NICK, &["nick", "wild-1"])] {
        let list = Request::get("/v1/models").bearer(key).send(gateway.api).await.expect(200).json();
        let data = list["data"].as_array().unwrap();
        let ids: Vec<&str> = data.iter().map(|model| model["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected);
        for model in data {
            let path = format!("/v1/models/{}", model["id"].as_str().unwrap());
            let one = Request::get(&path).bearer(key).send(gateway.api).await.expect(200).json();
            assert_eq!(one, *model);
        }
    }
}

#[tokio::test]
async fn a_models_id_may_hold_slashes_plain_or_encoded() {
    let (gateway, _upstream) = gateway().await;
    for id in ["poolside/laguna-m.1", "poolside%2Flaguna-m.1", "poolside%2flaguna-m.1"] {
        for family in ["", "/openai"] {
            let model = gateway.get(&format!("{family}/v1/models/{id}")).await.expect(200).json();
            assert_eq!(model["id"], "poolside/laguna-m.1");
        }
    }
}

#[tokio::test]
async fn an_unknown_models_id_is_404_in_both_families() {
    let (gateway, _upstream) = gateway().await;
    for family in ["", "/openai"] {
        let answer = gateway.get(&format!("{family}/v1/models/laguna")).await.expect(404);
        assert_eq!(answer.code(), "model_not_found");
    }
}

#[tokio::test]
async fn unknown_model_is_400_on_the_contracts_paths_and_404_elsewhere() {
    let (gateway, upstream) = gateway().await;
    let body = completion("").replace("\"m\"", "\"smal\"");
    let strict = gateway.post(STRICT, body.clone()).await.expect(400);
    assert_eq!(strict.json()["code"], "model-not-found");
    assert_eq!(strict.code(), "model-not-found");
    assert_eq!(strict.json()["error"]["param"], "model");
    let open = gateway.post(COMPLETIONS, body).await.expect(404);
    assert_eq!(open.code(), "model_not_found");
    assert_ne!(open.json()["code"], "model_not_found", "top level holds only the contract's two codes");
    assert!(
        open.message().contains("'smal' is not configured") && open.message().contains("'small'"),
        "{}",
        open.message()
    );
    let chat = gateway.post("/openai/v1/chat/completions", chat().replace("\"m\"", "\"\"")).await;
    assert_eq!(chat.expect(400).json()["code"], "model-not-found");
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_name_longer_than_256_bytes_is_unknown_even_to_a_wildcard() {
    let upstream = Upstream::script([Answer::json(COMPLETION_REPLY)]).await;
    let gateway = Config::to(&upstream)
        .model_entry(r#"{name: "vendor/*", targets: [{provider: up, model: "*"}]}"#)
        .start()
        .await;
    for (length, status) in [(256, 200), (257, 404), (300, 404)] {
        let name = format!("vendor/{}", "x".repeat(length - "vendor/".len()));
        let body = completion("").replace("\"m\"", &format!("\"{name}\""));
        let _ = gateway.post(COMPLETIONS, body).await.expect(status);
    }
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn asking_for_more_tokens_than_the_model_has_is_refused() {
    let (gateway, upstream) = gateway().await;
    let body = completion(r#","max_tokens":1001"#).replace("\"m\"", "\"small\"");
    assert_eq!(gateway.post(STRICT, body.clone()).await.expect(400).json()["code"], "max-tokens-exceeded");
    assert_eq!(gateway.post(COMPLETIONS, body).await.expect(400).code(), "context_length_exceeded");
    assert_eq!(upstream.calls(), 0);
    let just = completion(r#","max_tokens":1000,"max_completion_tokens":5"#).replace("\"m\"", "\"small\"");
    let _ = gateway.post(STRICT, just).await.expect(200);
}

#[tokio::test]
async fn all_faults_of_a_body_are_told_at_once_and_in_words() {
    let (gateway, upstream) = gateway().await;
    let body = r#"{"model":"m","temperature":3,"stop":["a",1],"stream_options":{"include_usage":"yes"}}"#;
    let answer = gateway.post(STRICT, body).await.expect(400);
    let error = answer.json();
    let mut places: Vec<&str> =
        error["errors"].as_array().unwrap().iter().map(|e| e["location"].as_str().unwrap()).collect();
    places.sort_unstable();
    assert_eq!(places, ["body", "body.stop[1]", "body.stream_options.include_usage", "body.temperature"]);
    assert!(error.get("code").is_none(), "the contract's code is for its two cases alone: {error}");
    assert_eq!(error["status"], 400);
    assert_eq!(error["detail"], error["error"]["message"]);
    assert!(
        answer.message().contains("expected number <= 2") || answer.message().contains("prompt"),
        "{error}"
    );
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn open_paths_take_openais_wider_types() {
    let (gateway, upstream) = gateway().await;
    for more in [r#","stop":"\n""#, r#","seed":null,"stop":null,"stream_options":null"#] {
        let _ = gateway.post(COMPLETIONS, completion(more)).await.expect(200);
        assert_eq!(upstream.requests().last().unwrap().text(), completion(more));
        let _ = gateway.post(STRICT, completion(more)).await.expect(400);
    }
    let _ = gateway.post(COMPLETIONS, r#"{"model":"m","prompt":["a","b"]}"#).await.expect(200);
    let _ = gateway.post(COMPLETIONS, r#"{"model":"m","prompt":[[1,2],[3]]}"#).await.expect(200);
}

#[tokio::test]
async fn errors_are_problem_json_for_those_who_ask_for_it() {
    let (gateway, _upstream) = gateway().await;
    let request = Request::post(STRICT, "{}").bearer(KEY);
    let plain = request.send(gateway.api).await.expect(400);
    assert_eq!(plain.get("content-type"), "application/json");
    let asked =
        request.header("accept", "application/json, application/problem+json").send(gateway.api).await;
    assert_eq!(asked.expect(400).get("content-type"), "application/problem+json");
}

#[tokio::test]
async fn unknown_paths_are_404_and_known_ones_say_their_method() {
    let (gateway, upstream) = gateway().await;
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/chat",
        "/v2/chat/completions",
        "/openai/chat/completions",
        "/metrics",
        "/livez",
    ] {
        let answer = gateway.get(path).await.expect(404);
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error", "{path}");
    }
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY", "BREW"] {
        let answer = Request::new(method, CHAT).bearer(KEY).send(gateway.api).await.expect(405);
        assert_eq!(answer.get("allow"), "POST", "{method}");
    }
    for method in ["POST", "DELETE"] {
        let answer = Request::new(method, "/v1/models").bearer(KEY).send(gateway.api).await.expect(405);
        assert!(answer.get("allow").contains("GET"));
    }
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn private_addresses_are_refused_unless_the_provider_allows_them() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).public_only().start().await;
    let answer = gateway.post(CHAT, chat()).await.expect(502);
    assert!(!answer.text().contains("127.0.0.1"), "{}", answer.text());
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn request_ids_of_clients_are_kept_when_they_are_harmless() {
    let (gateway, _upstream) = gateway().await;
    for name in ["x-request-id", "x-client-request-id"] {
        let answer =
            Request::post(STRICT, completion("")).bearer(KEY).header(name, "abc.DEF:1_2-3").send(gateway.api);
        assert_eq!(answer.await.expect(200).get("x-request-id"), "abc.DEF:1_2-3");
    }
    let long = "x".repeat(200);
    for bad in [long.as_str(), "a b", "a<b>", "\"", "é"] {
        let answer =
            Request::post(STRICT, completion("")).bearer(KEY).header("x-request-id", bad).send(gateway.api);
        let id = answer.await.expect(200).get("x-request-id").to_owned();
        assert!(!id.is_empty() && id != bad, "{id}");
    }
}

#[tokio::test]
async fn error_bodies_suit_the_contract_and_the_sdks() {
    let (gateway, _upstream) = gateway().await;
    let error = gateway.post(STRICT, r#"{"model":"m"}"#).await.expect(400).json();
    assert_eq!(error["title"], "Bad Request");
    assert_eq!(
        error["errors"],
        json!([{"location": "body", "message": "expected required property prompt to be present"}])
    );
    assert_eq!(error["error"]["type"], "invalid_request_error");
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("expected required property prompt to be present")
    );
}
