//! `POST /v1/completions`.

use serde_json::{Value, json};

use super::Server;

const PATH: &str = "/v1/completions";

#[tokio::test]
async fn a_stream_tells_the_plain_answer_and_counts_the_same_tokens() {
    let server = Server::start();
    let mut body = json!({ "model": "m", "prompt": "Once", "seed": 7 });
    let plain = server.post(PATH, body.clone()).await.json();
    body["stream"] = true.into();
    body["stream_options"] = json!({ "include_usage": true });
    let stream = server.post(PATH, body).await;
    assert_eq!(stream.header("content-type"), Some("text/event-stream; charset=utf-8"));
    assert!(stream.is_done());
    assert_eq!(stream.joined("/choices/0/text"), plain["choices"][0]["text"].as_str().unwrap());
    let events = stream.events();
    let (last, chunks) = events.split_last().unwrap();
    assert_eq!((&last["choices"], &last["usage"]), (&json!([]), &plain["usage"]));
    assert!(chunks.iter().all(|chunk| chunk.get("usage") == Some(&Value::Null)));
    assert!(chunks.iter().all(|chunk| chunk["object"] == "text_completion" && chunk["id"] == last["id"]));
    let reasons: Vec<_> = chunks.iter().map(|chunk| &chunk["choices"][0]["finish_reason"]).collect();
    let (end, before) = reasons.split_last().unwrap();
    assert!(**end == "stop" && before.iter().all(|reason| reason.is_null()));
}

#[tokio::test]
async fn without_include_usage_a_stream_has_no_usage_at_all() {
    let server = Server::start();
    let stream = server.post(PATH, json!({ "model": "m", "prompt": "x", "stream": true })).await;
    assert!(stream.is_done());
    assert!(stream.events().iter().all(|chunk| chunk.get("usage").is_none()));
}

#[tokio::test]
async fn max_tokens_and_stop_are_obeyed() {
    let server = Server::start();
    let short =
        server.post(PATH, json!({ "model": "m", "prompt": "Once", "seed": 7, "max_tokens": 5 })).await.json();
    assert_eq!(short["choices"][0]["finish_reason"], "length");
    assert_eq!(short["usage"]["completion_tokens"], 5);
    let whole = server.post(PATH, json!({ "model": "m", "prompt": "Once", "seed": 7 })).await.json();
    let text = whole["choices"][0]["text"].as_str().unwrap();
    let word = text.split_whitespace().nth(4).unwrap();
    let cut =
        server.post(PATH, json!({ "model": "m", "prompt": "Once", "seed": 7, "stop": word })).await.json();
    assert_eq!(cut["choices"][0]["text"].as_str().unwrap(), text.split(word).next().unwrap());
}

#[tokio::test]
async fn every_prompt_of_a_list_gets_its_choices() {
    let server = Server::start();
    let body = json!({ "model": "m", "prompt": ["Once", "The"], "n": 2, "seed": 1 });
    let answer = server.post(PATH, body).await.json();
    let indexes: Vec<_> =
        answer["choices"].as_array().unwrap().iter().map(|choice| &choice["index"]).collect();
    assert_eq!(indexes, [0, 1, 2, 3]);
    for (prompt, tokens) in [(json!([1, 2, 3]), 3), (json!([[1, 2], [3]]), 3), (json!(""), 0)] {
        let answer = server.post(PATH, json!({ "model": "m", "prompt": prompt })).await;
        assert_eq!(answer.json()["usage"]["prompt_tokens"], tokens);
    }
}

#[tokio::test]
async fn numbers_may_be_written_in_any_way_and_unknown_members_are_ignored() {
    let server = Server::start();
    let body = r#"{"model":"m","prompt":"x","seed":7.0,"max_tokens":1e1,"n":"three","cache_control":{"type":"ephemeral"},
        "stop":null,"stream":null,"stream_options":null,"temperature":null,"min_p":0.5,"seed2":9007199254740993}"#;
    assert_eq!(server.raw(PATH, body).await.status, 200);
}

#[tokio::test]
async fn a_repeated_prompt_is_reported_as_cached() {
    let server = Server::start();
    let body = json!({ "model": "m", "prompt": "word ".repeat(200), "seed": 1 });
    let cached = async || {
        server.post(PATH, body.clone()).await.json()["usage"]["prompt_tokens_details"]["cached_tokens"]
            .clone()
    };
    assert_eq!((cached().await, cached().await), (json!(0), json!(192)));
}
