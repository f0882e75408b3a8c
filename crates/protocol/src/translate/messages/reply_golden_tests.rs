//! Answers of the Messages API in the shapes of its public documentation, read and written.
//!
//! What is read is shown step by step in a notation of these tests; what is written as it goes to the client.

use std::fmt::Write as _;

use bytes::Bytes;

use super::samples::{Step, anthropic_error, asked, events, read_events, shown_reply, steps, write_steps};
use super::{read_reply, write_reply};
use crate::canonical::{Block, Choice, Content, Head, Reply, Stop, Text, Tokens};
use crate::observe::Finish;
use crate::translate::StreamFault;
use crate::usage::Usage;

/// A message with this content, these members of the end and this usage.
fn message(content: &str, stop: &str, usage: &str) -> String {
    format!(
        r#"{{"id":"msg_01A","type":"message","role":"assistant","model":"claude-opus-4-6","content":{content},{stop},"usage":{usage}}}"#
    )
}

const END_TURN: &str = r#""stop_reason":"end_turn","stop_sequence":null"#;
const USAGE: &str = r#"{"input_tokens":12,"output_tokens":6}"#;

fn read_cases() -> Vec<(&'static str, String)> {
    vec![
        ("plain text", message(r#"[{"type":"text","text":"Hi! \u00e9"}]"#, END_TURN, USAGE)),
        (
            "a tool is used after a text",
            message(
                r#"[{"type":"text","text":"Let me look."},{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{"city": "Oslo", "days": 1.50},"caller":{"type":"direct"}}]"#,
                r#""stop_reason":"tool_use","stop_sequence":null"#,
                USAGE,
            ),
        ),
        (
            "two tools at once, one without arguments",
            message(
                r#"[{"type":"tool_use","id":"toolu_1","name":"now","input":{}},{"type":"tool_use","id":"toolu_2","name":"roll","input":{"n":2}}]"#,
                r#""stop_reason":"tool_use","stop_sequence":null"#,
                USAGE,
            ),
        ),
        (
            "thinking with its signature",
            message(
                r#"[{"type":"thinking","thinking":"27 * 453…","signature":"EqQBCg=="},{"type":"text","text":"12231"}]"#,
                END_TURN,
                r#"{"input_tokens":20,"output_tokens":90,"output_tokens_details":{"thinking_tokens":71}}"#,
            ),
        ),
        (
            "redacted thinking, and thinking whose text is not shown",
            message(
                r#"[{"type":"redacted_thinking","data":"EmwKAh"},{"type":"thinking","thinking":"","signature":"Er8B"},{"type":"text","text":"Yes."}]"#,
                END_TURN,
                USAGE,
            ),
        ),
        (
            "a refusal with details",
            message(
                "[]",
                r#""stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":"cyber","explanation":"Not this."}"#,
                r#"{"input_tokens":12,"output_tokens":1}"#,
            ),
        ),
        (
            "a refusal in the middle, without an explanation",
            message(
                r#"[{"type":"text","text":"First, "}]"#,
                r#""stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":null,"explanation":null}"#,
                USAGE,
            ),
        ),
        (
            "cut off by max_tokens",
            message(
                r#"[{"type":"text","text":"Once upon"}]"#,
                r#""stop_reason":"max_tokens","stop_sequence":null"#,
                USAGE,
            ),
        ),
        (
            "ended by a stop sequence",
            message(
                r#"[{"type":"text","text":"1, 2, "}]"#,
                r#""stop_reason":"stop_sequence","stop_sequence":"3""#,
                USAGE,
            ),
        ),
        (
            "paused in a search of the provider's own",
            message(
                r#"[{"type":"text","text":"I will search."},{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"otters"}},{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","url":"https://example.com/","title":"Otters","encrypted_content":"Eq","page_age":null}]}]"#,
                r#""stop_reason":"pause_turn","stop_sequence":null"#,
                r#"{"input_tokens":105,"output_tokens":60,"server_tool_use":{"web_search_requests":1}}"#,
            ),
        ),
        (
            "a text that cites",
            message(
                r#"[{"type":"text","text":"The grass is green","citations":[{"type":"char_location","cited_text":"The grass is green.","document_index":0,"document_title":"Example","start_char_index":0,"end_char_index":20}]},{"type":"text","text":"."}]"#,
                END_TURN,
                USAGE,
            ),
        ),
        (
            "the prompt cache read and written for five minutes and an hour",
            message(
                r#"[{"type":"text","text":"ok"}]"#,
                END_TURN,
                r#"{"input_tokens":50,"cache_read_input_tokens":1800,"cache_creation_input_tokens":248,"cache_creation":{"ephemeral_5m_input_tokens":148,"ephemeral_1h_input_tokens":100},"output_tokens":503,"service_tier":"standard","inference_geo":"us","server_tool_use":null}"#,
            ),
        ),
        (
            "the context window is full",
            message(
                r#"[{"type":"text","text":"…"}]"#,
                r#""stop_reason":"model_context_window_exceeded","stop_sequence":null"#,
                USAGE,
            ),
        ),
        ("no content at all", message("[]", END_TURN, r#"{"input_tokens":9,"output_tokens":2}"#)),
        (
            "a block and a reason of the future, and no counts",
            r#"{"content":[{"type":"hologram","beam":[1]}],"stop_reason":"dimmed"}"#.to_owned(),
        ),
        ("odd but clear", r#"{"id":7,"content":[{"type":"text","text":null},{"type":"tool_use","id":"t","name":"f","input":null}],"stop_reason":null,"usage":[]}"#.to_owned()),
        ("no content", r#"{"id":"msg_1","stop_reason":"end_turn"}"#.to_owned()),
        ("content that is no list", r#"{"content":"Hi"}"#.to_owned()),
        ("a block that is no object", r#"{"content":["Hi"]}"#.to_owned()),
        ("a text that is none", r#"{"content":[{"type":"text","text":["Hi"]}]}"#.to_owned()),
        ("a call without an id", r#"{"content":[{"type":"tool_use","name":"f","input":{}}]}"#.to_owned()),
        ("a block without a type", r#"{"content":[{"text":"Hi"}]}"#.to_owned()),
    ]
}

#[test]
fn whole_answers_are_read() {
    let mut out = String::new();
    for (name, body) in read_cases() {
        let shown = read_reply(&body).map_or_else(|_| "  garbled\n".to_owned(), |reply| shown_reply(&reply));
        let _ = writeln!(out, "# {name}\n{shown}");
    }
    insta::assert_snapshot!(out);
}

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

fn stream_cases() -> Vec<(&'static str, Vec<String>)> {
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
    for (name, data) in stream_cases() {
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

fn block(content: Content<'_>) -> Block<'_> {
    Block { content, mark: None }
}

fn said(text: &str) -> Block<'static> {
    block(Content::Text(Text::of(text)))
}

fn call(id: &str, arguments: &'static str) -> Block<'static> {
    block(Content::ToolCall { id: Text::of(id), name: Text::of("get_weather"), arguments: arguments.into() })
}

fn reply(blocks: Vec<Block<'static>>, native: &'static str) -> Reply<'static> {
    let stop = Stop { finish: Finish::parse(native), native: native.into(), sequence: None };
    let usage = Usage { input: 100, output: 20, cache_read: 64, cache_write: 0, reasoning: 0, ..Usage::default() };
    Reply {
        head: Head { id: Some(Text::of("chatcmpl-1")), model: Some(Text::of("gpt-5.2")), ..Head::default() },
        choices: vec![Choice { index: 0, blocks, stop: Some(stop), logprobs: None }],
        tokens: Some(Tokens { usage, native: Vec::new() }),
    }
}

fn write_cases() -> Vec<(&'static str, Reply<'static>)> {
    let mut bare = reply(vec![said("Hi")], "stop");
    bare.head = Head::default();
    bare.tokens = None;
    bare.choices[0].stop = None;
    let mut second = reply(vec![said("the first")], "stop");
    second
        .choices
        .insert(0, Choice { index: 1, blocks: vec![said("the second")], stop: None, logprobs: None });
    let mut none = reply(Vec::new(), "stop");
    none.choices.clear();
    let mut counted = reply(vec![said("Hi")], "stop");
    counted.tokens = Some(Tokens {
        usage: Usage { input: 100, output: 20, cache_read: 64, cache_write: 16, reasoning: 12, ..Usage::default() },
        native: vec![("cost".into(), "0.00120".into())],
    });
    let mut sequence = reply(vec![said("1, 2, ")], "stop");
    sequence.choices[0].stop.as_mut().expect("a stop").sequence = Some(Text::of("3"));
    let thinking = |text: &str, signature: Option<&str>| {
        block(Content::Thinking { text: Text::of(text), signature: signature.map(Text::of) })
    };
    vec![
        ("plain text", reply(vec![said("Hi! \"é\"")], "stop")),
        (
            "tools",
            reply(
                vec![
                    said("Let me look."),
                    call("call_1", "{ \"city\":\n \"Oslo\", \"n\": 1.50 }"),
                    call("call_2", ""),
                ],
                "tool_calls",
            ),
        ),
        ("tools of an upstream that says stop", reply(vec![said(""), call("call_1", "{}")], "stop")),
        ("a call that was cut off", reply(vec![call("call_1", "{\"city\": \"Os")], "length")),
        (
            "calls whose arguments are no object",
            reply(vec![call("call_1", "[1]"), call("call_2", "null"), call("call_3", "Oslo")], "tool_calls"),
        ),
        (
            "thinking of an upstream that does not sign",
            reply(vec![thinking("Hm.", None), thinking("", None), said("27")], "stop"),
        ),
        (
            "thinking that is signed or sealed",
            reply(
                vec![
                    thinking("Hm.", Some("EqQB")),
                    thinking("", Some("Er8B")),
                    block(Content::RedactedThinking(Text::of("EmwK"))),
                    said("27"),
                ],
                "stop",
            ),
        ),
        ("a refusal", reply(vec![block(Content::Refusal(Text::of("I cannot.")))], "stop")),
        ("a filter", reply(vec![said("First, ")], "content_filter")),
        ("cut off", reply(vec![said("Once upon")], "length")),
        ("a stop sequence that the upstream tells", sequence),
        ("a reason that only the upstream knows", reply(vec![said("Hi")], "abort")),
        ("no content", reply(vec![said("")], "stop")),
        ("no choice", none),
        ("no id, no model, no reason, no counts", bare),
        ("the first of two choices", second),
        ("counts with a cache, reasoning and a member of the upstream's", counted),
        (
            "a block that only the upstream knows",
            reply(
                vec![
                    block(Content::Native { kind: "audio".into(), json: r#"{"type":"audio"}"#.into() }),
                    said("Hi"),
                ],
                "stop",
            ),
        ),
    ]
}

#[test]
fn whole_answers_are_written() {
    let asked = asked();
    let mut out = String::new();
    for (name, reply) in write_cases() {
        let _ = writeln!(out, "# {name}\n{}\n", write_reply(&reply, &asked));
    }
    insta::assert_snapshot!(out);
}

fn write_stream_cases() -> Vec<(&'static str, &'static str)> {
    vec![
        (
            "plain text, counts behind the end",
            "begin; open 0 text; piece 0 text Hel; piece 0 text lo; close 0; finish stop; tokens 100 20 64 0 0; end",
        ),
        (
            "a text and a call",
            "begin; open 0 text; piece 0 text Look.; close 0; open 1 call call_1; piece 1 args {\"city\":; piece 1 args \"Oslo\"}; close 1; finish tool_calls; tokens 100 20 0 0 0; end",
        ),
        (
            "calls side by side are written one after the other",
            "begin; open 0 call a; piece 0 args {\"a\"; open 1 call b; piece 1 args {\"b\":1; piece 0 args :1}; piece 1 args }; open 2 call c; close 1; close 0; piece 2 args {}; close 2; finish tool_calls; end",
        ),
        (
            "thinking that is not signed, then a text",
            "begin; open 0 thinking; piece 0 text Hm.; close 0; open 1 text; piece 1 text 27; close 1; finish stop; end",
        ),
        (
            "thinking that is signed before its text ends, and sealed",
            "begin; open 0 thinking; piece 0 sign EqQB; piece 0 text Hm.; close 0; open 1 sealed EmwK; close 1; finish stop; end",
        ),
        (
            "blocks with nothing in them",
            "begin; open 0 text; close 0; open 1 thinking; close 1; open 2 refusal; close 2; finish stop; end",
        ),
        ("a refusal", "begin; open 0 refusal; piece 0 text I cannot.; close 0; finish stop; end"),
        (
            "calls without arguments, blank ones and none that are an object",
            "begin; open 0 call a; close 0; open 1 call b; piece 1 args  ; piece 1 args \t{; piece 1 args }; close 1; open 2 call c; piece 2 args [1; piece 2 args ]; close 2; open 3 call d; piece 3 args null; close 3; finish stop; end",
        ),
        ("a call that was cut off", "begin; open 0 call a; piece 0 args {\"city\": \"O; finish length; end"),
        (
            "a character cut in two",
            "begin; open 0 text; piece 0 raw a\\ud83d; piece 0 raw \\ude00b; piece 0 raw \\ud83d; close 0; finish stop; end",
        ),
        ("no reason to stop and no counts", "begin; end"),
        ("nothing but an end", "end"),
        (
            "a second choice and a native block are left out",
            "begin; other; open 0 native; close 0; open 1 text; piece 1 text Hi; close 1; finish stop; end",
        ),
        (
            "the last counts hold",
            "begin; tokens 10 1 0 0 0; open 0 text; piece 0 text Hi; tokens 100 30 60 10 7; close 0; finish stop; end",
        ),
    ]
}

#[test]
fn streams_are_written() {
    let mut out = String::new();
    for (name, script) in write_stream_cases() {
        let steps: Vec<Step> = steps(script);
        let written = write_steps(&steps);
        let _ = writeln!(out, "# {name}\n{written}");
    }
    insta::assert_snapshot!(out);
}
