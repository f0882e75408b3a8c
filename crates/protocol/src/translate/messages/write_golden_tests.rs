//! Answers and streams as clients of the Messages API get them.

use std::fmt::Write as _;

use super::reply_samples::{asked, steps, write_steps};
use super::write_reply;
use crate::canonical::{Block, Choice, Content, Head, Reply, Stop, Text, Tokens};
use crate::observe::Finish;
use crate::usage::Usage;

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
    let usage =
        Usage { input: 100, output: 20, cache_read: 64, cache_write: 0, reasoning: 0, ..Usage::default() };
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
        usage: Usage {
            input: 100,
            output: 20,
            cache_read: 64,
            cache_write: 16,
            reasoning: 12,
            ..Usage::default()
        },
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
        let written = write_steps(&steps(script));
        let _ = writeln!(out, "# {name}\n{written}");
    }
    insta::assert_snapshot!(out);
}
