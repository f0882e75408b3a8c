//! What goes one way comes back the other, and nothing passes that would not.

use super::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A short text with what is hard in it: quotes, escapes, line ends, all of Unicode.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z \"\\\\\n\r\u{2028}é😀]{0,12}"]
}

fn usage() -> impl Strategy<Value = Option<Value>> {
    prop::option::of((0_u64..99, 1_u64..99).prop_map(|(prompt, completion)| {
        json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion })
    }))
}

fn answer(object: &'static str, choices: Vec<Value>, usage: Option<Value>) -> Value {
    let choices: Vec<Value> = choices
        .into_iter()
        .enumerate()
        .map(|(index, mut choice)| {
            choice["index"] = index.into();
            choice
        })
        .collect();
    let mut answer = json!({ "id": "c-1", "object": object, "created": 17, "model": "m", "choices": choices, "system_fingerprint": "fp", "vendor": { "a": [1.5, null] } });
    if let Some(usage) = usage {
        answer["usage"] = usage;
    }
    answer
}

fn logprobs() -> impl Strategy<Value = Value> {
    let token = text().prop_map(|token| json!({ "token": token, "logprob": -0.25, "top_logprobs": [] }));
    let content = prop::collection::vec(token, 1..4);
    prop::option::of(content).prop_map(|content| {
        content.map_or(Value::Null, |content| json!({ "content": content, "refusal": null }))
    })
}

fn chat() -> impl Strategy<Value = Value> {
    let call = (text(), prop::bool::ANY).prop_map(|(argument, custom)| {
        if custom {
            json!({ "id": "call_c", "type": "custom", "custom": { "name": "g", "input": argument } })
        } else {
            let arguments = json!({ "a": argument }).to_string();
            json!({ "id": "call_f", "type": "function", "function": { "name": "f", "arguments": arguments } })
        }
    });
    let calls = prop::collection::vec(call, 0..3);
    let choice = (text(), prop::option::of(text()), calls, logprobs()).prop_map(
        |(content, reasoning, calls, logprobs)| {
            let mut message = json!({ "role": "assistant", "content": content, "refusal": null });
            if let Some(reasoning) = reasoning {
                message["reasoning_content"] = reasoning.into();
            }
            let reason = if calls.is_empty() { "stop" } else { "tool_calls" };
            if !calls.is_empty() {
                message["tool_calls"] = calls.into();
            }
            json!({ "message": message, "logprobs": logprobs, "finish_reason": reason })
        },
    );
    (prop::collection::vec(choice, 1..4), usage())
        .prop_map(|(choices, usage)| answer("chat.completion", choices, usage))
}

fn completions() -> impl Strategy<Value = Value> {
    let tokens = prop::collection::vec(text(), 0..4);
    let choice = (text(), prop::option::of(tokens)).prop_map(|(text, tokens)| {
        let logprobs = tokens.map(|tokens| {
            let offsets: Vec<usize> = (0..tokens.len()).collect();
            let values: Vec<f64> = offsets.iter().map(|_| -0.5).collect();
            json!({ "tokens": tokens, "token_logprobs": values, "top_logprobs": null, "text_offset": offsets })
        });
        json!({ "text": text, "logprobs": logprobs, "finish_reason": "length" })
    });
    (prop::collection::vec(choice, 1..4), usage())
        .prop_map(|(choices, usage)| answer("text_completion", choices, usage))
}

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

/// A source of decisions for cuts: any bytes, used over and over.
struct Dice<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Dice<'_> {
    fn below(&mut self, bound: usize) -> usize {
        self.at += 1;
        usize::from(self.bytes[self.at % self.bytes.len()]) % bound
    }

    /// Cuts a text into pieces at character borders.
    fn cut(&mut self, text: &str) -> Vec<String> {
        let mut pieces = vec![String::new()];
        for character in text.chars() {
            if self.below(3) == 0 {
                pieces.push(String::new());
            }
            pieces.last_mut().expect("one").push(character);
        }
        pieces
    }
}

/// The deltas by which a vendor might have sent a choice.
fn deltas(choice: &Value, dice: &mut Dice<'_>) -> Vec<Value> {
    let index = &choice["index"];
    let mut chunks = Vec::new();
    let mut push = |delta: Value| {
        chunks.push(json!({ "index": index, "delta": delta, "finish_reason": null, "obfuscation": "x" }));
    };
    let message = &choice["message"];
    push(json!({ "role": "assistant", "content": "", "refusal": null }));
    for name in ["reasoning_content", "content"] {
        for piece in message[name].as_str().map(|text| dice.cut(text)).unwrap_or_default() {
            push(json!({ name: piece }));
        }
        if message[name] == "" {
            push(json!({ name: "" }));
        }
    }
    for (at, call) in message["tool_calls"].as_array().into_iter().flatten().enumerate() {
        let (kind, grows) =
            if call["type"] == "custom" { ("custom", "input") } else { ("function", "arguments") };
        push(
            json!({ "tool_calls": [{ "index": at, "id": call["id"], "type": kind, kind: { "name": call[kind]["name"], grows: "" } }] }),
        );
        for piece in dice.cut(call[kind][grows].as_str().expect("text")) {
            push(json!({ "tool_calls": [{ "index": at, kind: { grows: piece } }] }));
        }
    }
    if let Some(tokens) = choice["logprobs"]["content"].as_array() {
        for token in tokens {
            chunks.push(json!({ "index": index, "delta": {}, "logprobs": { "content": [token], "refusal": null }, "finish_reason": null }));
        }
    }
    chunks.push(
        json!({ "index": index, "delta": {}, "logprobs": null, "finish_reason": choice["finish_reason"] }),
    );
    chunks
}

/// The pieces of a text completion's choice.
fn texts(choice: &Value, dice: &mut Dice<'_>) -> Vec<Value> {
    let index = &choice["index"];
    let piece =
        |text: String| json!({ "index": index, "text": text, "logprobs": null, "finish_reason": null });
    let mut chunks: Vec<Value> =
        dice.cut(choice["text"].as_str().expect("text")).into_iter().map(piece).collect();
    for at in 0..choice["logprobs"]["tokens"].as_array().map_or(0, Vec::len) {
        let mut logprobs = Map::new();
        for name in ["tokens", "token_logprobs", "text_offset"] {
            logprobs.insert(name.to_owned(), json!([choice["logprobs"][name][at]]));
        }
        logprobs.insert("top_logprobs".to_owned(), Value::Null);
        chunks.push(json!({ "index": index, "text": "", "logprobs": logprobs, "finish_reason": null }));
    }
    chunks.push(
        json!({ "index": index, "text": "", "logprobs": null, "finish_reason": choice["finish_reason"] }),
    );
    chunks
}

/// A stream that says the same as a plain answer, its choices taking turns.
fn cut_up(dialect: Dialect, plain: &Value, dice: &mut Dice<'_>) -> Vec<u8> {
    let cut = if dialect == Dialect::Chat { deltas } else { texts };
    let choices = plain["choices"].as_array().expect("choices");
    let mut queues: Vec<_> = choices.iter().map(|choice| cut(choice, dice).into_iter().peekable()).collect();
    let mut frame = plain.clone();
    let usage = frame.as_object_mut().expect("object").remove("usage");
    let mut stream = Vec::new();
    loop {
        queues.retain_mut(|queue| queue.peek().is_some());
        if queues.is_empty() {
            break;
        }
        let turn = dice.below(queues.len());
        frame["choices"] = json!([queues[turn].next()]);
        stream.extend_from_slice(format!(": beat\n\ndata: {frame}\n\n").as_bytes());
    }
    if let Some(usage) = usage {
        frame["choices"] = json!([]);
        frame["usage"] = usage;
        stream.extend_from_slice(format!("data: {frame}\n\n").as_bytes());
    }
    stream.extend_from_slice(b"data: [DONE]\n\n");
    stream
}

fn check(dialect: Dialect, body: &Value, dice: &[u8]) -> Result<(), TestCaseError> {
    let text = body.to_string();
    let replayed = to_stream(dialect, text.as_bytes()).expect("converts");
    let observer = watched(dialect, &replayed.events);
    let facts = crate::observe_reply(dialect, text.as_bytes()).expect("an answer");
    prop_assert_eq!(observer.facts().usage, facts.usage);
    prop_assert_eq!(fitness::plain(dialect, text.as_bytes()), fitness::stream(dialect, &replayed.events));
    prop_assert_eq!(&value(&to_plain(dialect, &replayed.events).expect("converts")), body);
    prop_assert_eq!(replayed.usage.is_some(), body.get("usage").is_some());
    if let Some(usage) = replayed.usage {
        prop_assert_eq!(&*usage_events(dialect, &replayed.events), std::slice::from_ref(&usage));
        let mut without = replayed.events;
        without.drain(usage);
        let mut expected = body.clone();
        expected.as_object_mut().expect("object").remove("usage");
        prop_assert_eq!(value(&to_plain(dialect, &without).expect("converts")), expected);
    }
    let stream = cut_up(dialect, body, &mut Dice { bytes: dice, at: 0 });
    // A choice whose logprobs are null in every chunk need not say so.
    let strip = |mut answer: Value| {
        for choice in answer["choices"].as_array_mut().expect("choices") {
            if choice["logprobs"].is_null() {
                choice.as_object_mut().expect("object").remove("logprobs");
            }
            if choice["logprobs"].get("tokens").is_some_and(|tokens| tokens == &json!([])) {
                choice.as_object_mut().expect("object").remove("logprobs");
            }
        }
        answer
    };
    let assembled = value(&to_plain(dialect, &stream).expect("converts"));
    prop_assert_eq!(strip(assembled), strip(body.clone()), "{}", String::from_utf8_lossy(&stream));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_chat_answer_survives_both_ways_and_any_cut(body in chat(), dice in prop::collection::vec(any::<u8>(), 1..64)) {
        check(Dialect::Chat, &body, &dice)?;
    }

    #[test]
    fn a_text_completion_survives_both_ways_and_any_cut(body in completions(), dice in prop::collection::vec(any::<u8>(), 1..64)) {
        check(Dialect::Completions, &body, &dice)?;
    }

    #[test]
    fn a_damaged_answer_never_harms(body in chat(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let text = body.to_string();
        let events = to_stream(Dialect::Chat, text.as_bytes()).expect("converts").events;
        for dialect in Dialect::ALL {
            for mut bytes in [text.clone().into_bytes(), events.clone()] {
                let at = at.index(bytes.len());
                bytes[at] = byte;
                let _ = (fitness::plain(dialect, &bytes), fitness::stream(dialect, &bytes));
                let _ = usage_events(dialect, &bytes);
                if let Ok(plain) = to_plain(dialect, &bytes) {
                    prop_assert!(crate::json::validate(&plain).is_ok());
                }
                if let Ok(replayed) = to_stream(dialect, &bytes) {
                    watched(dialect, &replayed.events);
                }
            }
        }
    }
}

#[test]
fn usage_chunks_are_found_wherever_they_stand() {
    let said = ": beat\n\ndata: {\"choices\":[{\"index\":0,\"text\":\"a\",\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1}}\r\n\r\n";
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n";
    let filters = "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\ndata:\n\n";
    let done = "data: [DONE]\n\n";
    let stream = [filters, usage, said, usage, usage, done].concat();
    let ranges = usage_events(Dialect::Chat, stream.as_bytes());
    assert_eq!(ranges.len(), 3);
    assert!(ranges.iter().all(|range| &stream[range.clone()] == usage));
    assert_eq!(ranges[0].start, filters.len());
    for dialect in [Dialect::Responses, Dialect::Messages] {
        assert!(usage_events(dialect, stream.as_bytes()).is_empty());
    }
}

#[test]
fn streams_that_lose_meaning_are_not_converted() {
    let chat = |pieces: &[&str]| {
        let mut stream: String = pieces
            .iter()
            .map(|delta| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n"))
            .collect();
        stream.push_str(
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        );
        to_plain(Dialect::Chat, stream.as_bytes()).is_ok()
    };
    assert!(chat(&[r#"{"content":"a"}"#, r#"{"content":null}"#, r#"{"vendor":1}"#, r#"{"vendor":1}"#]));
    assert!(!chat(&[r#"{"vendor":"a"}"#, r#"{"vendor":"b"}"#]), "pieces or values?");
    assert!(!chat(&[r#"{"content":[{"type":"text","text":"a"}]}"#]), "parts");
    assert!(!chat(&[r#"{"content":"a","content":"b"}"#]), "which?");
    assert!(
        !chat(&[r#"{"tool_calls":[{"index":0,"id":"a"}]}"#, r#"{"tool_calls":[{"index":0,"id":"b"}]}"#]),
        "two calls at one place"
    );
    assert!(!chat(&[r#"{"tool_calls":[{"index":-1,"id":"a"}]}"#]));
    assert!(!chat(&["7"]));
    for (dialect, stream) in [
        (
            Dialect::Chat,
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n",
        ),
        (Dialect::Chat, "data: [DONE]\n\n"),
        (Dialect::Chat, ""),
        (
            Dialect::Chat,
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {",
        ),
        (Dialect::Chat, "data: {\"error\":{\"message\":\"x\"}}\n\ndata: [DONE]\n\n"),
        (Dialect::Embeddings, "data: [DONE]\n\n"),
        (Dialect::Responses, "data: {\"type\":\"response.completed\"}\n\n"),
        (
            Dialect::Responses,
            "data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"output\":[]}}\n\n",
        ),
        (Dialect::Messages, "data: {\"type\":\"message_stop\"}\n\n"),
        (Dialect::Messages, "data: {\"type\":\"vendor\"}\n\ndata: {\"type\":\"message_stop\"}\n\n"),
    ] {
        assert_eq!(to_plain(dialect, stream.as_bytes()), Err(Unconvertible), "{stream}");
    }
}

#[test]
fn messages_with_deltas_that_nobody_knows_are_not_converted() {
    let stream = |block: &str, delta: &str| {
        let start = r#"{"type":"message_start","message":{"content":[],"stop_reason":null}}"#;
        let block = format!(r#"{{"type":"content_block_start","index":0,"content_block":{block}}}"#);
        let delta = format!(r#"{{"type":"content_block_delta","index":0,"delta":{delta}}}"#);
        let end = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#;
        let events = [start, &block, &delta, end, r#"{"type":"message_stop"}"#];
        events.map(|event| format!("data: {event}\n\n")).concat()
    };
    let converts = |block, delta| to_plain(Dialect::Messages, stream(block, delta).as_bytes()).is_ok();
    let (text, tool) = (r#"{"type":"text","text":""}"#, r#"{"type":"tool_use","input":{}}"#);
    assert!(converts(text, r#"{"type":"text_delta","text":"a"}"#));
    assert!(!converts(text, r#"{"type":"vendor_delta","text":"a"}"#));
    assert!(!converts(text, r#"{"type":"text_delta"}"#));
    assert!(!converts(text, r#"{"type":"input_json_delta","partial_json":"{}"}"#), "no input to replace");
    assert!(converts(tool, r#"{"type":"input_json_delta","partial_json":"{}"}"#));
    assert!(!converts(tool, r#"{"type":"input_json_delta","partial_json":"{"}"#));
}

#[test]
fn plain_bodies_that_no_stream_can_carry_are_not_converted() {
    for (dialect, body) in [
        (Dialect::Chat, r#"{"choices":[]}"#),
        (Dialect::Chat, r#"{"choices":[{"message":{"content":"a"},"finish_reason":null}]}"#),
        (Dialect::Chat, r#"{"choices":[{"finish_reason":"stop"}]}"#),
        (
            Dialect::Chat,
            r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"error":{"a":1}}"#,
        ),
        (Dialect::Chat, r#"{"choices":[{"message":{"audio":{"data":"x"}},"finish_reason":"stop"}]}"#),
        (Dialect::Completions, r#"{"choices":[{"index":0,"finish_reason":"stop"}]}"#),
        (Dialect::Responses, r#"{"status":"in_progress","output":[]}"#),
        (Dialect::Responses, r#"{"status":"completed"}"#),
        (
            Dialect::Responses,
            r#"{"status":"completed","output":[{"type":"function_call","arguments":"{}"}]}"#,
        ),
        (
            Dialect::Responses,
            r#"{"status":"completed","output":[{"type":"message","id":"m","content":[{"type":"vendor"}]}]}"#,
        ),
        (Dialect::Messages, r#"{"content":[],"stop_reason":null}"#),
        (Dialect::Messages, r#"{"stop_reason":"end_turn"}"#),
        (
            Dialect::Messages,
            r#"{"content":[],"stop_reason":"end_turn","usage":{"input_tokens":1,"input_tokens":1}}"#,
        ),
        (Dialect::Embeddings, r#"{"data":[{"embedding":[1]}]}"#),
        (Dialect::Chat, "nonsense"),
    ] {
        assert_eq!(to_stream(dialect, body.as_bytes()), Err(Unconvertible), "{body}");
    }
}
