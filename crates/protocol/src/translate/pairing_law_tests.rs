//! What holds of every pair of dialects: an answer or a request says the same on the other side.
//!
//! Written and read here with a general JSON library, and not with the rooms' own readers and writers, so that two
//! faults cannot make up for each other.

use super::*;
use crate::capability;
use crate::dialect::Profile;
use crate::observe::observe_reply;
use crate::provider::{PRESETS, Preset};
use crate::replay;
use crate::sse::Decoder;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A call of a tool: its name, and a value of its arguments.
type Call = (String, String);

/// What an answer says, in no dialect.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    thought: String,
    text: String,
    calls: Vec<Call>,
    /// Prompt, of which read from and written to the cache; answer.
    tokens: [u64; 4],
}

fn words() -> impl Strategy<Value = String> {
    // Letters that JSON escapes, that take several bytes, and that look like syntax of a stream.
    prop::collection::vec(
        prop_oneof![
            Just("a "),
            Just("\"\\"),
            Just("é"),
            Just("😀"),
            Just("\n\n"),
            Just("data: "),
            Just("{}"),
            Just("\u{1}")
        ],
        1..6,
    )
    .prop_map(|parts| parts.concat())
}

fn answers() -> impl Strategy<Value = Said> {
    let calls = prop::collection::vec(("[a-z]{1,8}", words()), 0..3);
    let tokens = (1_u64..1000, 0_u64..1000, 0_u64..1000, 1_u64..1000);
    (prop::option::of(words()), words(), calls, tokens).prop_map(|(thought, text, calls, tokens)| Said {
        thought: thought.unwrap_or_default(),
        text,
        calls,
        tokens: [tokens.0 + tokens.1 + tokens.2, tokens.1, tokens.2, tokens.3],
    })
}

/// The answer as an upstream gives it.
fn upstream(wire: Dialect, said: &Said) -> Value {
    let Said { thought, text, calls, tokens: [input, read, written, output] } = said;
    let stop = |call: &'static str, end: &'static str| if calls.is_empty() { end } else { call };
    if wire == Dialect::Messages {
        let mut content = Vec::new();
        if !thought.is_empty() {
            content.push(json!({"type": "thinking", "thinking": thought, "signature": "c2ln"}));
        }
        content.push(json!({"type": "text", "text": text}));
        content.extend(calls.iter().enumerate().map(|(at, (name, value))| {
            json!({"type": "tool_use", "id": format!("toolu_{at}"), "name": name, "input": {"value": value}})
        }));
        return json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
            "stop_reason": stop("tool_use", "end_turn"), "stop_sequence": null,
            "usage": {"input_tokens": input - read - written, "cache_read_input_tokens": read,
                "cache_creation_input_tokens": written, "output_tokens": output}});
    }
    let mut message = json!({"role": "assistant", "content": text});
    if !thought.is_empty() {
        message["reasoning_content"] = json!(thought);
    }
    if !calls.is_empty() {
        let call = |(at, (name, value)): (usize, &Call)| {
            let arguments = json!({"value": value}).to_string();
            json!({"id": format!("call_{at}"), "type": "function", "function": {"name": name, "arguments": arguments}})
        };
        message["tool_calls"] = calls.iter().enumerate().map(call).collect();
    }
    json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": stop("tool_calls", "stop")}],
        "usage": {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
            "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written}}})
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn arguments_of(text: &Value) -> String {
    let arguments: Value = serde_json::from_str(text.as_str().expect("arguments are a text")).expect("JSON");
    text_of(&arguments["value"])
}

/// What a client reads in it.
fn heard(client: Dialect, body: &[u8]) -> Said {
    let usage = observe_reply(client, body).expect("an answer").usage.expect("usage");
    let body: Value = serde_json::from_slice(body).expect("JSON");
    let tokens = [usage.input, usage.cache_read, usage.cache_write, usage.output];
    let mut said = Said { thought: String::new(), text: String::new(), calls: Vec::new(), tokens };
    match client {
        Dialect::Messages => {
            for block in body["content"].as_array().expect("blocks") {
                match block["type"].as_str().expect("a type") {
                    "thinking" => said.thought += &text_of(&block["thinking"]),
                    "text" => said.text += &text_of(&block["text"]),
                    "tool_use" => {
                        said.calls.push((text_of(&block["name"]), text_of(&block["input"]["value"])));
                    }
                    other => panic!("a block of {other}"),
                }
            }
        }
        Dialect::Responses => {
            for item in body["output"].as_array().expect("items") {
                match item["type"].as_str().expect("a type") {
                    "reasoning" => said.thought += &text_of(&item["summary"][0]["text"]),
                    "message" => said.text += &text_of(&item["content"][0]["text"]),
                    "function_call" => {
                        said.calls.push((text_of(&item["name"]), arguments_of(&item["arguments"])));
                    }
                    other => panic!("an item of {other}"),
                }
            }
        }
        Dialect::Completions => said.text = text_of(&body["choices"][0]["text"]),
        _ => {
            let message = &body["choices"][0]["message"];
            said.thought = text_of(&message["reasoning_content"]);
            said.text = text_of(&message["content"]);
            let calls = message["tool_calls"].as_array().into_iter().flatten();
            said.calls.extend(calls.map(|call| {
                let function = &call["function"];
                (text_of(&function["name"]), arguments_of(&function["arguments"]))
            }));
        }
    }
    said
}

/// A completion has no place for thoughts and calls, and asks for none.
fn as_heard_by(client: Dialect, said: &Said) -> Said {
    match client {
        Dialect::Completions => Said { thought: String::new(), calls: Vec::new(), ..said.clone() },
        _ => said.clone(),
    }
}

fn question(client: Dialect) -> Envelope {
    let own = match client {
        Dialect::Completions => r#""prompt":"p""#,
        Dialect::Responses => r#""input":"i""#,
        _ => r#""max_tokens":9,"messages":[{"role":"user","content":"c"}]"#,
    };
    Envelope::scan(format!(r#"{{"model":"m",{own}}}"#).into(), client, Profile::Open).expect("a body")
}

const CLIENTS: [Dialect; 4] = [Dialect::Chat, Dialect::Completions, Dialect::Responses, Dialect::Messages];
const WIRES: [Dialect; 2] = [Dialect::Chat, Dialect::Messages];

/// The pairs that are translated.
fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    WIRES
        .into_iter()
        .flat_map(|wire| CLIENTS.into_iter().map(move |client| (client, wire)))
        .filter(|(client, wire)| client != wire)
}

/// A whole stream, turned, as the bytes that a client gets.
fn turned(translation: &Translation, stream: &[u8], cut: usize) -> Vec<u8> {
    let (mut translator, mut decoder, mut out) = (translation.stream(), Decoder::new(1 << 20), Vec::new());
    for piece in stream.chunks(cut) {
        decoder.push(Bytes::copy_from_slice(piece));
        while let Ok(Some(event)) = decoder.next() {
            for event in translator.event(&event).expect("a sound event") {
                out.extend_from_slice(&event.raw);
            }
        }
    }
    for event in translator.end() {
        out.extend_from_slice(&event.raw);
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn an_answer_says_the_same_on_the_other_side_plain_and_streamed(said in answers(), cut in 1_usize..200) {
        for (client, wire) in pairs() {
            let translation = Translation::new(&question(client), wire, 7, "id");
            let upstream = upstream(wire, &said).to_string();
            let plain = translation.reply(upstream.as_bytes()).expect("an answer");
            prop_assert_eq!(heard(client, &plain), as_heard_by(client, &said), "{:?} of {:?}", client, wire);
            let stream = replay::to_stream(wire, upstream.as_bytes()).expect("can be streamed").events;
            let turned = turned(&translation, &stream, cut);
            let joined = replay::to_plain(client, &turned)
                .unwrap_or_else(|_| panic!("{client:?} of {wire:?}: {}", String::from_utf8_lossy(&turned)));
            prop_assert_eq!(heard(client, &joined), as_heard_by(client, &said), "streamed {:?} of {:?}", client, wire);
        }
    }
}

/// A turn of a conversation.
#[derive(Debug, Clone, PartialEq)]
enum Turn {
    User(String),
    Assistant(String, Vec<Call>),
    /// What the calls before gave, one for each.
    Results(Vec<String>),
}

fn conversations() -> impl Strategy<Value = (String, Vec<Turn>)> {
    let exchange = (words(), words(), prop::collection::vec(("[a-z]{1,8}", words(), words()), 0..3));
    (words(), prop::collection::vec(exchange, 1..4), words()).prop_map(|(system, exchanges, last)| {
        let mut turns = Vec::new();
        for (asked, said, calls) in exchanges {
            turns.push(Turn::User(asked));
            let made = calls.iter().map(|(name, value, _)| (name.clone(), value.clone())).collect();
            turns.push(Turn::Assistant(said, made));
            if !calls.is_empty() {
                turns.push(Turn::Results(calls.into_iter().map(|(.., gave)| gave).collect()));
            }
        }
        turns.push(Turn::User(last));
        (system, turns)
    })
}

/// The conversation as a client sends it.
fn asked(client: Dialect, system: &str, turns: &[Turn]) -> String {
    let mut list: Vec<Value> = Vec::new();
    let mut ids = 0..;
    let mut open: Vec<usize> = Vec::new();
    for turn in turns {
        match turn {
            Turn::User(text) => list.push(json!({"role": "user", "content": text})),
            Turn::Assistant(text, calls) => {
                open = calls.iter().map(|_| ids.next().expect("a number")).collect();
                let calls = open.iter().zip(calls);
                match client {
                    Dialect::Messages => {
                        let mut content = vec![json!({"type": "text", "text": text})];
                        content.extend(calls.map(|(id, (name, value))| {
                            json!({"type": "tool_use", "id": format!("c{id}"), "name": name, "input": {"value": value}})
                        }));
                        list.push(json!({"role": "assistant", "content": content}));
                    }
                    Dialect::Responses => {
                        list.push(json!({"role": "assistant", "content": text}));
                        list.extend(calls.map(|(id, (name, value))| {
                            let arguments = json!({"value": value}).to_string();
                            json!({"type": "function_call", "call_id": format!("c{id}"), "name": name, "arguments": arguments})
                        }));
                    }
                    _ => {
                        let mut message = json!({"role": "assistant", "content": text});
                        let calls: Vec<_> = calls
                            .map(|(id, (name, value))| {
                                let function =
                                    json!({"name": name, "arguments": json!({"value": value}).to_string()});
                                json!({"id": format!("c{id}"), "type": "function", "function": function})
                            })
                            .collect();
                        if !calls.is_empty() {
                            message["tool_calls"] = calls.into();
                        }
                        list.push(message);
                    }
                }
            }
            Turn::Results(given) => {
                let results = open.iter().zip(given);
                match client {
                    Dialect::Messages => {
                        let blocks: Vec<_> = results
                            .map(|(id, text)| json!({"type": "tool_result", "tool_use_id": format!("c{id}"), "content": text}))
                            .collect();
                        list.push(json!({"role": "user", "content": blocks}));
                    }
                    Dialect::Responses => list.extend(results.map(|(id, text)| {
                        json!({"type": "function_call_output", "call_id": format!("c{id}"), "output": text})
                    })),
                    _ => list.extend(results.map(|(id, text)| {
                        json!({"role": "tool", "tool_call_id": format!("c{id}"), "content": text})
                    })),
                }
            }
        }
    }
    match client {
        Dialect::Messages => json!({"model": "x", "max_tokens": 99, "system": system, "messages": list}),
        Dialect::Responses => json!({"model": "x", "instructions": system, "input": list}),
        _ => {
            list.insert(0, json!({"role": "system", "content": system}));
            json!({"model": "x", "messages": list})
        }
    }
    .to_string()
}

/// All texts of a content, one after the other.
fn texts(content: &Value) -> String {
    match content {
        Value::Array(parts) => {
            parts.iter().filter(|part| part["type"] == "text").map(|part| text_of(&part["text"])).collect()
        }
        one => text_of(one),
    }
}

/// What the upstream reads: each text with who says it, each call and each result with its id.
fn received(wire: Dialect, body: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(body).expect("JSON");
    let mut told = Vec::new();
    if wire == Dialect::Messages {
        told.push(format!("system {}", texts(&body["system"])));
    }
    for message in body["messages"].as_array().expect("messages") {
        let role = message["role"].as_str().expect("a role");
        if role == "tool" {
            told.push(format!("result {} {}", text_of(&message["tool_call_id"]), texts(&message["content"])));
            continue;
        }
        let blocks = message["content"].as_array().cloned().unwrap_or_default();
        for block in blocks.iter().filter(|block| block["type"] == "tool_result") {
            told.push(format!("result {} {}", text_of(&block["tool_use_id"]), texts(&block["content"])));
        }
        let text = texts(&message["content"]);
        if !text.is_empty() {
            told.push(format!("{role} {text}"));
        }
        for block in blocks.iter().filter(|block| block["type"] == "tool_use") {
            let (id, name) = (text_of(&block["id"]), text_of(&block["name"]));
            told.push(format!("call {id} {name} {}", text_of(&block["input"]["value"])));
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            let (id, name) = (text_of(&call["id"]), text_of(&function["name"]));
            told.push(format!("call {id} {name} {}", arguments_of(&function["arguments"])));
        }
    }
    told
}

/// The same of what was asked. Anthropic takes no white space at the end of what the model has said, and no text of
/// white space alone: both stay away.
fn meant(wire: Dialect, system: &str, turns: &[Turn]) -> Vec<String> {
    let is_blank = |text: &str| wire == Dialect::Messages && text.trim().is_empty();
    let mut told = vec![format!("system {system}")];
    let mut ids = 0..;
    let mut open: Vec<usize> = Vec::new();
    for turn in turns {
        match turn {
            Turn::User(text) => told.push(format!("user {text}")),
            Turn::Assistant(text, calls) => {
                let ends_so = wire == Dialect::Messages && calls.is_empty();
                let said = if ends_so { text.trim_end() } else { text };
                if !is_blank(said) {
                    told.push(format!("assistant {said}"));
                }
                open = calls.iter().map(|_| ids.next().expect("a number")).collect();
                told.extend(
                    open.iter().zip(calls).map(|(id, (name, value))| format!("call c{id} {name} {value}")),
                );
            }
            Turn::Results(given) => {
                told.extend(
                    open.iter()
                        .zip(given)
                        .map(|(id, text)| format!("result c{id} {}", if is_blank(text) { "" } else { text })),
                );
            }
        }
    }
    told
}

/// With what the user says twice in a row as one: where nothing is left of an answer between, it is one message.
fn merged(told: Vec<String>) -> Vec<String> {
    let mut merged: Vec<String> = Vec::new();
    for line in told {
        match (merged.last_mut(), line.strip_prefix("user ")) {
            (Some(last), Some(text)) if last.starts_with("user ") => last.push_str(text),
            _ => merged.push(line),
        }
    }
    merged
}

/// A provider of each wire.
fn provider(wire: Dialect) -> &'static Preset {
    let id = if wire == Dialect::Messages { "anthropic" } else { "openai_compatible" };
    PRESETS.iter().find(|preset| preset.id == id).expect("a preset")
}

fn put(client: Dialect, wire: Dialect, body: &str) -> String {
    let call = Envelope::scan(body.to_owned().into(), client, Profile::Open).expect("a body");
    let preset = provider(wire);
    let family = capability::family(preset.id, "claude-sonnet-4-5");
    let toward = Toward {
        kind: preset.kind,
        model: "m",
        family,
        max_output: None,
        ask_usage: true,
        prompt_template: None,
    };
    let written = request(&call, wire, &toward).unwrap_or_else(|fault| panic!("{fault}: {body}"));
    assert_eq!(written.losses, Losses::default(), "{body}");
    written.body
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_conversation_arrives_whole_and_begins_as_the_one_a_turn_shorter((system, turns) in conversations()) {
        // White space alone says nothing, which is a matter of its own.
        prop_assume!(!system.trim().is_empty());
        let blank = |turn: &Turn| matches!(turn, Turn::User(text) if text.trim().is_empty());
        prop_assume!(!turns.iter().any(blank));
        for (client, wire) in pairs().filter(|(client, _)| *client != Dialect::Completions) {
            let body = put(client, wire, &asked(client, &system, &turns));
            let (told, meant) = (received(wire, &body), meant(wire, &system, &turns));
            prop_assert_eq!(merged(told), merged(meant), "{:?} to {:?}", client, wire);
            // A turn ago the client had the same but for what was said last by the user.
            if let Some(shorter) = turns.len().checked_sub(1).and_then(|length| turns.get(..length))
                && matches!(shorter.last(), Some(Turn::Assistant(..) | Turn::Results(_)))
            {
                let before = put(client, wire, &asked(client, &system, shorter));
                let prefix = before.strip_suffix("]}").expect("messages come last");
                // A message to which the user adds goes on where it was closed.
                let prefix = prefix.strip_suffix("]}").unwrap_or(prefix);
                prop_assert!(body.starts_with(prefix), "{:?} to {:?}\n{}\n{}", client, wire, before, body);
            }
        }
    }
}
