//! Streams of the Messages API, in the shapes of its public documentation, and the steps that are read in them.

use std::fmt::Write as _;

use bytes::Bytes;

use super::reply_samples::{anthropic_error, events, read_events};
use crate::translate::StreamFault;

const START: &str = r#"{"type":"message_start","message":{"id":"msg_01A","type":"message","role":"assistant","model":"claude-opus-4-6","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":1}}}"#;
const PING: &str = r#"{"type":"ping"}"#;
const END: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

fn start(index: u64, block: &str) -> String {
    format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#)
}

fn delta(index: u64, delta: &str) -> String {
    format!(r#"{{"type":"content_block_delta","index":{index},"delta":{delta}}}"#)
}

fn text(index: u64, text: &str) -> String {
    delta(index, &format!(r#"{{"type":"text_delta","text":"{text}"}}"#))
}

fn input(index: u64, json: &str) -> String {
    delta(index, &format!(r#"{{"type":"input_json_delta","partial_json":{}}}"#, crate::raw::quoted(json)))
}

fn stop(index: u64) -> String {
    format!(r#"{{"type":"content_block_stop","index":{index}}}"#)
}

fn ended(reason: &str) -> String {
    format!(
        r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}","stop_sequence":null}},"usage":{{"output_tokens":15}}}}"#
    )
}

const TEXT: &str = r#"{"type":"text","text":""}"#;
const THINKING: &str = r#"{"type":"thinking","thinking":"","signature":""}"#;

fn tool(id: &str) -> String {
    format!(r#"{{"type":"tool_use","id":"{id}","name":"get_weather","input":{{}}}}"#)
}

fn thought(index: u64, text: &str) -> String {
    delta(index, &format!(r#"{{"type":"thinking_delta","thinking":"{text}"}}"#))
}

fn signature(index: u64, text: &str) -> String {
    delta(index, &format!(r#"{{"type":"signature_delta","signature":"{text}"}}"#))
}

fn stream(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}

macro_rules! stream {
    ($($part:expr),* $(,)?) => { stream(&[$(&$part),*]) };
}

fn text_cases() -> Vec<(&'static str, Vec<String>)> {
    vec![
        (
            "plain text with pings in between",
            stream![
                START,
                start(0, TEXT),
                PING,
                text(0, "Hel"),
                PING,
                text(0, r"lo \ud83d"),
                text(0, r"\ude00"),
                stop(0),
                END,
                STOP
            ],
        ),
        (
            "ended by a stop sequence",
            stream![
                START,
                start(0, TEXT),
                text(0, "1, "),
                stop(0),
                r#"{"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"2"},"usage":{"output_tokens":3}}"#,
                STOP
            ],
        ),
        ("no content at all", stream![START, ended("end_turn"), STOP]),
        (
            "the prompt cache in the first counts, kept by the last",
            stream![
                r#"{"type":"message_start","message":{"id":"msg_01A","model":"claude-opus-4-6","content":[],"usage":{"input_tokens":3,"cache_creation_input_tokens":10,"cache_read_input_tokens":100,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":6},"output_tokens":1,"service_tier":"standard"}}}"#,
                END,
                STOP,
            ],
        ),
        (
            "extended thinking",
            stream![
                START,
                start(0, THINKING),
                thought(0, "Let me "),
                thought(0, "see."),
                signature(0, "EqQB"),
                stop(0),
                start(1, TEXT),
                text(1, "27"),
                stop(1),
                END,
                STOP
            ],
        ),
        (
            "thinking between calls, and sealed",
            stream![
                START,
                start(0, THINKING),
                thought(0, "First"),
                signature(0, "old"),
                signature(0, "new"),
                stop(0),
                start(1, r#"{"type":"redacted_thinking","data":"EmwK"}"#),
                stop(1),
                start(2, &tool("toolu_1")),
                input(2, "{}"),
                stop(2),
                ended("tool_use"),
                STOP,
            ],
        ),
    ]
}

fn tool_cases() -> Vec<(&'static str, Vec<String>)> {
    vec![
        (
            "a tool is used after a text",
            stream![
                START,
                start(0, TEXT),
                text(0, "Let me look."),
                stop(0),
                start(1, &tool("toolu_1")),
                input(1, ""),
                input(1, "{\"city\": \"Os"),
                input(1, "lo\"}"),
                stop(1),
                ended("tool_use"),
                STOP,
            ],
        ),
        (
            "two tools at once, one without arguments and one whose arguments come at once",
            stream![
                START,
                start(0, &tool("toolu_1")),
                input(0, ""),
                stop(0),
                start(1, r#"{"type":"tool_use","id":"toolu_2","name":"roll","input":{"n": 2}}"#),
                stop(1),
                ended("tool_use"),
                STOP,
            ],
        ),
        (
            "tools side by side",
            stream![
                START,
                start(0, &tool("toolu_1")),
                start(1, &tool("toolu_2")),
                input(1, "{\"b\":"),
                input(0, "{\"a\":1}"),
                input(1, "2}"),
                stop(0),
                stop(1),
                ended("tool_use"),
                STOP,
            ],
        ),
        (
            "cut off by max_tokens in a call",
            stream![
                START,
                start(0, &tool("toolu_1")),
                input(0, "{\"city\": \"O"),
                stop(0),
                ended("max_tokens"),
                STOP
            ],
        ),
        (
            "a search of the provider's own, cited",
            stream![
                START,
                start(0, r#"{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}"#),
                input(0, "{\"query\":\"otters\"}"),
                stop(0),
                start(1, r#"{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}"#),
                stop(1),
                start(2, r#"{"type":"text","text":"","citations":[]}"#),
                delta(
                    2,
                    r#"{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"https://example.com/","title":"Otters","encrypted_index":"Eo","cited_text":"They float."}}"#
                ),
                text(2, "They float."),
                stop(2),
                r#"{"type":"message_delta","delta":{"stop_reason":"pause_turn","stop_sequence":null},"usage":{"input_tokens":2000,"cache_read_input_tokens":5,"output_tokens":15,"server_tool_use":{"web_search_requests":1}}}"#,
                STOP,
            ],
        ),
    ]
}

fn end_cases() -> Vec<(&'static str, Vec<String>)> {
    vec![
        (
            "a refusal with details after a text",
            stream![
                START,
                start(0, TEXT),
                text(0, "First, "),
                stop(0),
                r#"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":"bio","explanation":"Not this."}},"usage":{"output_tokens":3}}"#,
                STOP,
            ],
        ),
        ("an error after a text", stream![START, start(0, TEXT), text(0, "Hel"), anthropic_error()]),
        (
            "events and pieces of the future",
            stream![
                START,
                r#"{"type":"weather","index":0}"#,
                start(0, TEXT),
                delta(0, r#"{"type":"glow_delta","glow":1}"#),
                text(0, "x"),
                stop(0),
                END,
                STOP
            ],
        ),
        (
            "odd but clear: blocks left open, numbers left out, a second start, an end of nothing",
            stream![
                START,
                START,
                start(3, TEXT),
                text(3, "a"),
                start(7, TEXT),
                text(7, "b"),
                stop(9),
                END,
                ended("max_tokens"),
                STOP
            ],
        ),
        ("whole without a reason to stop", stream![START, start(0, TEXT), text(0, "a"), STOP]),
        ("an end mark of OpenAI's after the reason to stop", stream![START, END, "[DONE]"]),
    ]
}

/// Streams of which a text would be lost or guessed at.
fn fault_cases() -> Vec<(&'static str, Vec<String>)> {
    vec![
        ("an end mark of OpenAI's before it", stream![START, start(0, TEXT), "[DONE]"]),
        ("a piece of no block", stream![START, text(0, "a")]),
        ("a piece behind the block's end", stream![START, start(0, TEXT), stop(0), text(0, "a")]),
        ("a piece of another kind", stream![START, start(0, TEXT), input(0, "{}")]),
        ("a block before the message", stream![start(0, TEXT)]),
        ("a block behind the message's end", stream![START, END, start(0, TEXT)]),
        ("a number twice", stream![START, start(0, TEXT), stop(0), start(0, TEXT)]),
        ("a second start after a text", stream![START, start(0, TEXT), text(0, "a"), START]),
        ("content in the start", stream![START.replace("[]", r#"[{"type":"text","text":"a"}]"#)]),
        (
            "a chunk of chat completions",
            stream![r#"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"}}]}"#],
        ),
        ("broken", stream![START, r#"{"type":"content_block_start","index":0,"#]),
    ]
}

#[test]
fn streams_are_read() {
    let mut out = String::new();
    for (name, data) in [text_cases(), tool_cases(), end_cases(), fault_cases()].concat() {
        let _ = write!(out, "# {name}\n{}\n", read_events(&events(&data)));
    }
    insta::assert_snapshot!(out);
}

#[test]
fn an_event_without_a_type_goes_by_its_name() {
    let mut data = events(&stream![START, start(0, TEXT), text(0, "Hi"), stop(0), END, STOP]);
    let whole = read_events(&data);
    for event in &mut data {
        let bare = String::from_utf8(event.data.clone().expect("data").to_vec()).expect("UTF-8");
        let (head, rest) = bare.split_once(r#""type":""#).expect("a type");
        let rest = rest.split_once('"').expect("its end").1.trim_start_matches(',');
        event.data = Some(Bytes::from(format!("{head}{rest}")));
    }
    assert_eq!(read_events(&data), whole);
}

#[test]
fn an_error_event_is_given_as_it_is() {
    let data = anthropic_error();
    let mut reader = super::StreamReader::default();
    let fault = reader.read(&events(std::slice::from_ref(&data))[0], &mut |_| panic!("nothing to read"));
    assert_eq!(fault, Err(StreamFault::Error(data.into())));
    let named = crate::sse::event(Some("error"), "overloaded");
    assert_eq!(reader.read(&named, &mut |_| ()), Err(StreamFault::Error("overloaded".into())));
}
