//! What answers cost, as the statistics say.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, Server, headers};
use crate::{Cut, Finished, ModelTokens};

const COMPLETIONS: &str = "/v1/completions";
const CHAT: &str = "/v1/chat/completions";

/// Asks, and leaves after a while if the answer does not end.
async fn ask(server: &Server, path: &str, body: Value) -> Answer {
    server.send("POST", path, headers(path), &body.to_string(), Duration::from_millis(300)).await
}

/// What was counted, once nothing is in flight, and forgets it.
async fn spent(server: &Server) -> (Finished, Cut) {
    while server.handle.stats().in_flight > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let stats = server.handle.stats();
    server.handle.reset();
    (stats.finished, stats.cut)
}

fn finished(answers: u64, input_tokens: u64, output_tokens: u64) -> (Finished, Cut) {
    (Finished { answers, input_tokens, output_tokens, ..Finished::default() }, Cut::default())
}

fn cut(answers: u64, input_tokens: u64, output_tokens: u64) -> (Finished, Cut) {
    (Finished::default(), Cut { answers, input_tokens, output_tokens })
}

fn number(usage: &Value, names: [&str; 2]) -> u64 {
    names.iter().find_map(|name| usage[name].as_u64()).unwrap()
}

#[tokio::test]
async fn whole_answers_count_as_their_usage_says_whether_or_not_it_was_asked_for() {
    let server = Server::start();
    let question = json!([{ "role": "user", "content": "Tell me of the sea." }]);
    for (path, mut body) in [
        (COMPLETIONS, json!({ "model": "m", "prompt": "Once upon a time", "seed": 7, "n": 2 })),
        (CHAT, json!({ "model": "m", "messages": question, "seed": 7 })),
        ("/v1/responses", json!({ "model": "m", "input": "Tell me of the sea.", "temperature": 0 })),
        ("/v1/messages", json!({ "model": "m", "messages": question, "max_tokens": 50, "temperature": 0 })),
    ] {
        let usage = ask(&server, path, body.clone()).await.json()["usage"].clone();
        let input = number(&usage, ["prompt_tokens", "input_tokens"]);
        let output = number(&usage, ["completion_tokens", "output_tokens"]);
        assert!(input > 3 && output > 20, "{path}: {usage}");
        assert_eq!(spent(&server).await, finished(1, input, output), "{path}");
        body["stream"] = true.into();
        assert!(ask(&server, path, body).await.complete);
        assert_eq!(spent(&server).await, finished(1, input, output), "{path}, streamed");
    }
}

#[tokio::test]
async fn cached_tokens_are_part_of_the_input() {
    let server = Server::start();
    let body = json!({ "model": "m", "prompt": "the sea was calm and wide ".repeat(50), "max_tokens": 1 });
    let mut read = 0;
    for _ in 0..2 {
        let usage = ask(&server, COMPLETIONS, body.clone()).await.json()["usage"].clone();
        read += usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or_default();
    }
    let (finished, _) = spent(&server).await;
    assert_eq!((finished.input_tokens, finished.cached_tokens), (600, read));
    assert!(read >= 256, "{read}");
}

#[tokio::test]
async fn a_stream_that_breaks_off_counts_what_was_sent_of_it() {
    let server = Server::start();
    for fault in ["cut", "eof", "error", "hang"] {
        for pieces in [0, 1, 20] {
            let body =
                json!({ "model": format!("mock-{fault}-{pieces}"), "prompt": "Once upon", "stream": true });
            let sent = ask(&server, COMPLETIONS, body).await.joined("/choices/0/text");
            let tokens = crate::tokens::count(&sent);
            assert!(tokens >= pieces, "{sent}");
            assert_eq!(spent(&server).await, cut(1, 2, tokens), "{fault} after {pieces}");
        }
    }
}

#[tokio::test]
async fn a_stream_counts_by_the_choices_and_calls_that_were_sent_of_it() {
    let server = Server::start();
    let body = json!({ "model": "mock-cut-70", "prompt": "Once", "n": 3, "max_tokens": 40, "stream": true });
    let answer = ask(&server, COMPLETIONS, body).await;
    let sent = |index: u64| -> String {
        let events = answer.events();
        let of_choice = events.iter().filter(|event| event["choices"][0]["index"] == index);
        of_choice.filter_map(|event| event["choices"][0]["text"].as_str().map(str::to_owned)).collect()
    };
    let tokens = [0, 1, 2].map(|index| crate::tokens::count(&sent(index)));
    assert!(tokens[0] == 40 && tokens[1] > 20, "{tokens:?}");
    assert_eq!(spent(&server).await, cut(1, 1, tokens.iter().sum()));

    let tool = json!({ "type": "function", "function": {
        "name": "weather", "parameters": { "type": "object", "required": ["city"], "properties": { "city": { "type": "string" } } }
    } });
    let question = json!([{ "role": "user", "content": "What is the weather in Oslo?" }]);
    let body = json!({ "model": "mock-cut-1", "messages": question, "tools": [tool], "stream": true });
    let arguments = ask(&server, CHAT, body).await.joined("/choices/0/delta/tool_calls/0/function/arguments");
    assert!(!arguments.is_empty());
    let (_, counted) = spent(&server).await;
    assert_eq!(counted.output_tokens, 1 + crate::tokens::count(&arguments), "the name is sent, too");
}

#[tokio::test]
async fn a_plain_answer_that_breaks_off_counts_half() {
    let server = Server::start();
    let body = |model: &str| json!({ "model": model, "prompt": "Once", "seed": 7, "max_tokens": 40 });
    ask(&server, COMPLETIONS, body("mock-cut-1")).await;
    assert_eq!(spent(&server).await, cut(1, 1, 20));
}

#[tokio::test]
async fn a_reader_who_leaves_makes_an_answer_a_cut_one() {
    let server = Server::start();
    let body = json!({ "model": "mock-pace-40-100", "prompt": "Once", "stream": true });
    let sent = ask(&server, COMPLETIONS, body).await.joined("/choices/0/text");
    let (finished, counted) = spent(&server).await;
    // What is written while the reader leaves has not arrived any more.
    let missed = counted.output_tokens - crate::tokens::count(&sent);
    assert!(missed <= 2 && counted.output_tokens > 3, "{missed} of {}", counted.output_tokens);
    assert_eq!((finished.answers, counted.answers, counted.input_tokens), (0, 1, 1));
    ask(&server, COMPLETIONS, json!({ "model": "mock-slow-60000", "prompt": "Once upon a time" })).await;
    assert_eq!(spent(&server).await, cut(1, 4, 0), "before the head");
}

#[tokio::test]
async fn errors_and_what_is_no_model_s_answer_cost_nothing() {
    let server = Server::start();
    for model in
        ["mock-500", "mock-429", "mock-html", "mock-garbage", "mock-drop", "mock-error-1", "demo-down"]
    {
        ask(&server, COMPLETIONS, json!({ "model": model, "prompt": "Once" })).await;
    }
    let script =
        json!([{ "status": 418 }, { "body": "text" }, { "chunks": ["data: {}\n\n"], "then": "cut" }]);
    server.post("/__mock/config", json!({ "models": [{ "model": "x", "script": script }] })).await;
    for _ in 0..3 {
        ask(&server, COMPLETIONS, json!({ "model": "x", "prompt": "Once", "stream": true })).await;
    }
    let messages = json!([{ "role": "user", "content": "Hello" }]);
    ask(&server, "/v1/messages/count_tokens", json!({ "model": "m", "messages": messages })).await;
    ask(&server, COMPLETIONS, json!({ "model": 7 })).await;
    assert_eq!(spent(&server).await, (Finished::default(), Cut::default()));
}

#[tokio::test]
async fn embeddings_cost_their_input() {
    let server = Server::start();
    ask(&server, "/v1/embeddings", json!({ "model": "m", "input": ["one two", "three"] })).await;
    assert_eq!(spent(&server).await, finished(1, 3, 0));
    ask(&server, "/v1/embeddings", json!({ "model": "mock-cut-1", "input": "one two" })).await;
    assert_eq!(spent(&server).await, cut(1, 2, 0));
}

#[tokio::test]
async fn bench_models_count_their_constants() {
    let server = Server::start();
    server.raw("/__mock/config?chunks=7", "").await;
    for stream in [false, true] {
        ask(&server, CHAT, json!({ "model": "bench", "messages": [], "stream": stream })).await;
    }
    assert_eq!(spent(&server).await, finished(2, 500, 14));
    server.raw("/__mock/config?chunks=100&gap_us=40000", "").await;
    let answer = ask(&server, CHAT, json!({ "model": "bench", "messages": [], "stream": true })).await;
    let sent = answer.joined("/choices/0/delta/content").split_whitespace().count() as u64;
    let (_, counted) = spent(&server).await;
    assert_eq!((counted.answers, counted.input_tokens), (1, 250));
    assert!(sent > 3 && counted.output_tokens - sent <= 2, "{sent} of {}", counted.output_tokens);
}

#[tokio::test]
async fn models_are_counted_apart_and_reset_forgets_them() {
    let server = Server::start();
    for (model, stream) in [("mock-stream-3", true), ("mock-stream-3", true), ("mock-cut-0", true)] {
        ask(&server, COMPLETIONS, json!({ "model": model, "prompt": "Once", "stream": stream })).await;
    }
    let stats = server.get("/__mock/stats").await.json();
    assert_eq!(
        stats["by_model_tokens"]["mock-stream-3"],
        json!({
            "finished": { "answers": 2, "input_tokens": 2, "cached_tokens": 0, "output_tokens": 6 },
            "cut": { "answers": 0, "input_tokens": 0, "output_tokens": 0 },
        })
    );
    assert_eq!(stats["by_model_tokens"]["mock-cut-0"]["cut"]["answers"], 1);
    assert_eq!((&stats["finished"]["answers"], &stats["cut"]["answers"]), (&json!(2), &json!(1)));
    let stats = server.raw("/__mock/reset", "").await.json();
    assert_eq!(stats["by_model_tokens"], json!({}));
    assert_eq!(stats["finished"], serde_json::to_value(ModelTokens::default().finished).unwrap());
}
