//! Answers as response objects and as streams.

use super::samples::{block, called, deltas, plain, reply, said, stop, stream, thought};
use crate::canonical::{Content, Delta, Head, Opening, Piece, Reply, Text, Tokens};
use crate::observe::Finish;
use crate::usage::Usage;

const HI: &str = r#"{"model":"alias","input":"Hi"}"#;

const CUSTOM: &str = r#"{"model":"alias","input":"Hi","tools":[{"type":"custom","name":"patch"},{"type":"function","name":"weather","parameters":{}}]}"#;

const NAMESPACE: &str = r#"{"model":"alias","input":"Hi","tools":[{"type":"namespace","name":"crm","description":"","tools":[{"type":"function","name":"find"},{"type":"custom","name":"note"}]}]}"#;

/// Much of a request is repeated in the answer.
const ALL: &str = r#"{
  "model": "alias", "input": "Hi", "instructions": "Be \u0062rief.", "max_output_tokens": 256, "max_tool_calls": null,
  "metadata": {"a": "b"}, "parallel_tool_calls": false, "prompt_cache_key": "k", "safety_identifier": "s", "user": "u",
  "reasoning": {"effort": "low"}, "service_tier": "auto", "store": true, "temperature": 0.70, "top_p": 0.9,
  "text": {"format": {"type": "json_object"}, "verbosity": "low"}, "tool_choice": "required", "top_logprobs": 2,
  "tools": [{"type": "function", "name": "f",
             "parameters": {"type": "object"}, "strict": null}], "truncation": "disabled", "background": false
}"#;

fn refused(text: &str) -> crate::canonical::Block<'static> {
    block(Content::Refusal(Text::of(text)))
}

/// An answer of Anthropic: its own ids, no time, its own members of usage.
fn of_anthropic(
    blocks: Vec<crate::canonical::Block<'static>>,
    end: crate::canonical::Stop<'static>,
) -> Reply<'static> {
    let mut reply = reply(blocks, end);
    reply.head = Head { id: Some(Text::of("msg_01X")), model: Some(Text::of("claude-x")), ..Head::default() };
    reply.tokens = Some(Tokens {
        usage: Usage {
            input: 3210,
            output: 42,
            cache_read: 3000,
            cache_write: 200,
            reasoning: 0,
            ..Usage::default()
        },
        native: vec![
            ("cache_creation".into(), r#"{"ephemeral_5m_input_tokens":200}"#.into()),
            ("output_tokens".into(), "7".into()),
            ("cache_creation".into(), "1".into()),
        ],
    });
    reply
}

/// Calls of tools that the upstream knows as functions and the client as something else.
fn calls_of_another_kind() -> Vec<(&'static str, &'static str, Reply<'static>)> {
    let for_calls = || stop(Finish::ToolCalls, "tool_calls");
    vec![
        (
            "a_call_of_a_custom_tool",
            CUSTOM,
            reply(
                vec![
                    called("call_1", "patch", r#"{"input":"*** \"x\"\n"}"#),
                    called("call_2", "weather", r#"{"city":"Rome"}"#),
                ],
                for_calls(),
            ),
        ),
        (
            "calls_of_tools_of_a_namespace",
            NAMESPACE,
            reply(
                vec![called("call_1", "crm__find", "{}"), called("call_2", "crm__note", r#"{"input":"x"}"#)],
                for_calls(),
            ),
        ),
        (
            "a_call_of_a_custom_tool_that_was_cut",
            CUSTOM,
            reply(vec![called("call_1", "patch", r#"{"input":"***"#)], stop(Finish::Length, "length")),
        ),
    ]
}

fn answers() -> Vec<(&'static str, &'static str, Reply<'static>)> {
    let ended = || stop(Finish::Stop, "stop");
    let for_calls = || stop(Finish::ToolCalls, "tool_calls");
    vec![
        ("a_text", HI, reply(vec![said("Hello \"you\" 😀")], ended())),
        ("what_was_asked_is_repeated", ALL, reply(vec![said("{}")], ended())),
        (
            "calls_side_by_side",
            HI,
            reply(
                vec![
                    called("call_1", "weather", r#"{"city":"Paris"}"#),
                    called("call_2", "weather", r#"{"city":"Rome"}"#),
                ],
                for_calls(),
            ),
        ),
        (
            "a_text_and_a_call_without_arguments",
            HI,
            reply(vec![said("I look."), called("call_1", "now", "")], for_calls()),
        ),
        (
            "an_empty_text_before_a_call",
            HI,
            reply(vec![said(""), called("call_1", "now", "{}")], for_calls()),
        ),
        ("reasoning_that_nobody_signed", HI, reply(vec![thought("Let me see", None), said("42")], ended())),
        (
            "signed_reasoning_before_a_call",
            HI,
            of_anthropic(
                vec![
                    thought("Let me see", Some("EqQB")),
                    block(Content::RedactedThinking(Text::of("ABC"))),
                    said("I look."),
                    called("toolu_1", "weather", "{}"),
                ],
                stop(Finish::ToolCalls, "tool_use"),
            ),
        ),
        (
            "signed_reasoning_that_is_not_shown",
            HI,
            of_anthropic(vec![thought("", Some("EqQB")), said("42")], ended()),
        ),
        ("a_refusal", HI, reply(vec![refused("I will not.")], ended())),
        ("a_refusal_after_some_text", HI, reply(vec![said("Well,"), refused("no.")], ended())),
        (
            "stopped_for_a_refusal",
            HI,
            of_anthropic(vec![said("I c")], stop(Finish::ContentFilter, "refusal")),
        ),
        (
            "cut_at_the_limit",
            HI,
            reply(vec![thought("Hm", None), said("Once upon")], stop(Finish::Length, "length")),
        ),
        (
            "a_call_that_was_cut",
            HI,
            reply(
                vec![said("I look."), called("call_1", "f", r#"{"city":"#)],
                stop(Finish::Length, "length"),
            ),
        ),
        (
            "a_call_that_was_cut_at_its_name",
            HI,
            reply(vec![called("call_1", "f", "")], stop(Finish::Length, "length")),
        ),
        (
            "texts_in_several_blocks",
            HI,
            of_anthropic(vec![said("One. "), said("Two.")], stop(Finish::Stop, "end_turn")),
        ),
        ("nothing_at_all", HI, reply(vec![], ended())),
        ("an_end_that_nobody_knows", HI, reply(vec![said("Hi")], stop(Finish::Other, "eos"))),
        ("broken_off", HI, reply(vec![said("Hi")], stop(Finish::Other, "abort"))),
        (
            "bare_of_all_that_may_be_missing",
            HI,
            Reply { head: Head::default(), tokens: None, ..reply(vec![said("Hi")], ended()) },
        ),
        ("an_id_that_has_the_prefix", HI, {
            let mut reply = reply(vec![said("Hi")], ended());
            reply.head.id = Some(Text::of("resp_9"));
            reply.head.service_tier = Some(Text::of("priority"));
            reply
        }),
        ("probabilities", HI, {
            let mut reply = reply(vec![said("Hi you")], ended());
            reply.choices[0].logprobs = Some(
                r#"{"content":[{"token":"Hi","logprob":-0.10,"bytes":[72,105],"top_logprobs":[]},
                {"token":" you","logprob":-1e-7,"bytes":null,"top_logprobs":[]}],"refusal":null}"#
                    .into(),
            );
            reply
        }),
    ]
}

#[test]
fn answers_are_response_objects() {
    let table = answers()
        .into_iter()
        .chain(calls_of_another_kind())
        .map(|(name, body, reply)| format!("# {name}\n{}\n\n", plain(body, &reply)));
    insta::assert_snapshot!("answers", table.collect::<String>());
}

#[test]
fn streams_are_named_events() {
    // Those with probabilities have a test of their own.
    let table =
        answers().into_iter().chain(calls_of_another_kind()).filter(|(name, ..)| *name != "probabilities");
    let table = table.map(|(name, body, reply)| format!("# {name}\n\n{}", stream(body, &deltas(&reply, 6))));
    insta::assert_snapshot!("streams", table.collect::<String>());
}

#[test]
fn calls_that_grow_side_by_side_are_told_in_order() {
    let open = |block, id: &str| Delta::Open {
        choice: 0,
        block,
        opening: Opening::ToolCall { id: Text::of(id), name: Text::of("f") },
    };
    let piece =
        |block, text: &str| Delta::Piece { choice: 0, block, piece: Piece::Arguments(Text::of(text)) };
    let close = |block| Delta::Close { choice: 0, block };
    let steps = [
        Delta::Begin(Head::default()),
        open(0, "a"),
        open(1, "b"),
        piece(0, "{\"n\""),
        piece(1, "{}"),
        close(1),
        piece(0, ":1}"),
        close(0),
        Delta::Finish { choice: 0, stop: stop(Finish::ToolCalls, "tool_calls") },
        Delta::End,
    ];
    insta::assert_snapshot!("stream_calls_that_grow_side_by_side", stream(HI, &steps));
}

#[test]
fn probabilities_are_told_with_their_text() {
    let text = |text: &str| Delta::Piece { choice: 0, block: 0, piece: Piece::Text(Text::of(text)) };
    let logprobs = |token: &str| Delta::Logprobs {
        choice: 0,
        json: format!(r#"{{"content":[{{"token":"{token}","logprob":-0.50}}]}}"#).into(),
    };
    let steps = [
        Delta::Begin(Head::default()),
        logprobs("a"),
        Delta::Open { choice: 0, block: 0, opening: Opening::Text },
        text("a"),
        logprobs("b"),
        text("b"),
        // Of an end that has no text.
        logprobs("<end>"),
        Delta::Close { choice: 0, block: 0 },
        Delta::Finish { choice: 0, stop: stop(Finish::Stop, "stop") },
        Delta::End,
    ];
    insta::assert_snapshot!("stream_probabilities", stream(HI, &steps));
}

#[test]
fn another_choice_is_not_mixed_in() {
    let mut reply = reply(vec![said("one")], stop(Finish::Stop, "stop"));
    let mut other = reply.choices[0].clone();
    other.index = 1;
    other.blocks = vec![said("two")];
    reply.choices.push(other);
    assert!(!plain(HI, &reply).contains("two"));
    assert!(!stream(HI, &deltas(&reply, 9)).contains("two"));
}
