//! Answers of other dialects as chat clients get them.

use super::{StreamWriter, write_reply};
use crate::canonical::{Block, Choice, Content, Delta, Head, Opening, Piece, Reply, Stop, Tokens};
use crate::observe::Finish;
use crate::translate::Events;
use crate::translate::answer_samples::{CHAT, asked, lines, text};
use crate::usage::Usage;

fn head() -> Head<'static> {
    Head { id: Some(text(r#""msg_01""#)), model: Some(text(r#""claude-4""#)), ..Head::default() }
}

/// As Anthropic counts: what its cache had no part in is told apart.
fn tokens() -> Tokens<'static> {
    Tokens {
        usage: Usage {
            input: 3210,
            output: 42,
            cache_read: 3000,
            cache_write: 200,
            reasoning: 0,
            ..Usage::default()
        },
        native: vec![
            ("cache_creation_input_tokens".into(), "200".into()),
            ("cache_read_input_tokens".into(), "3000".into()),
            (
                "cache_creation".into(),
                r#"{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":0}"#.into(),
            ),
            ("service_tier".into(), r#""standard""#.into()),
        ],
    }
}

fn stop(finish: Finish, native: &'static str) -> Stop<'static> {
    Stop { finish, native: native.into(), sequence: None }
}

fn plain(head: Head<'_>, contents: Vec<Content<'_>>, stop: Option<Stop<'_>>) -> String {
    let blocks = contents.into_iter().map(|content| Block { content, mark: None }).collect();
    let choices = vec![Choice { index: 0, blocks, stop, logprobs: None }];
    write_reply(&Reply { head, choices, tokens: Some(tokens()) }, &asked(CHAT))
}

fn call(id: &'static str, name: &'static str, arguments: &'static str) -> Content<'static> {
    Content::ToolCall { id: text(id), name: text(name), arguments: arguments.into() }
}

fn streamed(deltas: &[Delta<'_>]) -> String {
    let (mut writer, mut out) = (StreamWriter::new(asked(CHAT)), Events::default());
    for delta in deltas {
        writer.write(delta, &mut out);
    }
    lines(&out)
}

fn open(block: u64, opening: Opening<'static>) -> Delta<'static> {
    Delta::Open { choice: 0, block, opening }
}

fn piece(block: u64, json: &'static str) -> Delta<'static> {
    Delta::Piece { choice: 0, block, piece: Piece::Text(text(json)) }
}

fn arguments(block: u64, json: &'static str) -> Delta<'static> {
    Delta::Piece { choice: 0, block, piece: Piece::Arguments(text(json)) }
}

fn close(block: u64) -> Delta<'static> {
    Delta::Close { choice: 0, block }
}

#[test]
fn a_text_and_the_cache_s_counts() {
    let contents = vec![Content::Text(text(r#""Hel""#)), Content::Text(text(r#""lo \u00e9""#))];
    insta::assert_snapshot!(plain(head(), contents, Some(stop(Finish::Stop, "end_turn"))));
}

#[test]
fn thinking_is_shown_as_one_text_and_kept_as_signed_blocks() {
    let contents = vec![
        Content::Thinking { text: text(r#""One. ""#), signature: Some(text(r#""c2ln""#)) },
        Content::RedactedThinking(text(r#""c2VhbGVk""#)),
        Content::Thinking { text: text(r#""Two.""#), signature: None },
        Content::Text(text(r#""Hi""#)),
    ];
    insta::assert_snapshot!(plain(head(), contents, Some(stop(Finish::Stop, "end_turn"))));
}

#[test]
fn parallel_calls_and_no_text() {
    let contents = vec![
        call(r#""toolu_1""#, r#""get_weather""#, r#"{"city": "Rome"}"#),
        Content::Native { kind: "server_tool_use".into(), json: r#"{"type":"server_tool_use"}"#.into() },
        call(r#""toolu_2""#, r#""now""#, ""),
    ];
    insta::assert_snapshot!(plain(head(), contents, Some(stop(Finish::ToolCalls, "tool_use"))));
}

#[test]
fn a_call_that_was_cut_off_stays_cut_off() {
    let contents = vec![call(r#""toolu_1""#, r#""f""#, "{\"a\": \"b"), call(r#""toolu_2""#, r#""g""#, "")];
    let written = plain(head(), contents, Some(stop(Finish::Length, "max_tokens")));
    assert!(written.contains(r#""arguments":"{\"a\": \"b""#), "{written}");
    assert!(written.contains(r#""name":"g","arguments":"""#), "{written}");
}

#[test]
fn reasons_that_openai_has_no_word_for_keep_their_own() {
    for (finish, native, expected) in [
        (Finish::Stop, "stop_sequence", r#""finish_reason":"stop"}"#),
        (Finish::Length, "max_tokens", r#""finish_reason":"length"}"#),
        (Finish::ToolCalls, "tool_use", r#""finish_reason":"tool_calls"}"#),
        (Finish::ContentFilter, "refusal", r#""finish_reason":"content_filter"}"#),
        (Finish::Other, "pause_turn", r#""finish_reason":"stop","native_finish_reason":"pause_turn"}"#),
    ] {
        let written = plain(head(), vec![], Some(stop(finish, native)));
        assert!(written.contains(expected), "{native}: {written}");
        assert!(written.contains(r#"{"role":"assistant","content":"","refusal":null}"#), "{written}");
    }
    let unknown = plain(head(), vec![Content::Refusal(text(r#""No.""#))], None);
    let expected = r#"{"index":0,"message":{"role":"assistant","content":null,"refusal":"No."},"logprobs":null,"finish_reason":null}"#;
    assert!(unknown.contains(expected), "{unknown}");
}

#[test]
fn what_the_upstream_does_not_name_is_named_here_and_a_stop_text_is_told() {
    let sequence = Some(text(r#""END""#));
    let stop = Stop { sequence, ..stop(Finish::Stop, "stop_sequence") };
    insta::assert_snapshot!(plain(Head::default(), vec![Content::Text(text(r#""Hi""#))], Some(stop)));
}

#[test]
fn a_stream_of_thinking_text_and_parallel_calls() {
    let name = |name| text(name);
    insta::assert_snapshot!(streamed(&[
        Delta::Begin(head()),
        Delta::Tokens(Tokens { usage: Usage { input: 3210, output: 1, ..Usage::default() }, native: vec![] }),
        open(0, Opening::Thinking),
        piece(0, r#""Let \u00e9""#),
        piece(0, r#""me""#),
        Delta::Piece { choice: 0, block: 0, piece: Piece::Signature(text(r#""c2ln""#)) },
        close(0),
        open(1, Opening::RedactedThinking(text(r#""c2VhbGVk""#))),
        close(1),
        open(2, Opening::Text),
        piece(2, r#""I look""#),
        Delta::Piece { choice: 0, block: 2, piece: Piece::Native },
        close(2),
        open(3, Opening::Native),
        Delta::Piece { choice: 0, block: 3, piece: Piece::Native },
        close(3),
        open(4, Opening::ToolCall { id: name(r#""toolu_1""#), name: name(r#""get_weather""#) }),
        arguments(4, r#""""#),
        arguments(4, r#""{\"city\": \"Ro""#),
        arguments(4, r#""me\"}""#),
        close(4),
        open(5, Opening::ToolCall { id: name(r#""toolu_2""#), name: name(r#""now""#) }),
        arguments(5, r#""""#),
        close(5),
        Delta::Finish { choice: 0, stop: stop(Finish::ToolCalls, "tool_use") },
        Delta::Tokens(tokens()),
        Delta::End,
    ]));
}

#[test]
fn a_stream_with_a_refusal_probabilities_and_no_counts() {
    insta::assert_snapshot!(streamed(&[
        Delta::Begin(Head { created: Some("7".into()), fingerprint: Some(text(r#""fp""#)), ..head() }),
        Delta::Logprobs { choice: 0, json: r#"{"content":[1]}"#.into() },
        Delta::Logprobs { choice: 0, json: "{\n \"content\":[2]\n}".into() },
        open(0, Opening::Text),
        piece(0, r#""I""#),
        close(0),
        open(1, Opening::Refusal),
        piece(1, r#""No.""#),
        close(1),
        Delta::Logprobs { choice: 0, json: r#"{"content":[3]}"#.into() },
        Delta::Finish { choice: 0, stop: stop(Finish::Other, "pause_turn") },
        Delta::End,
    ]));
}

#[test]
fn a_stream_that_says_nothing_still_has_a_role_and_a_reason() {
    insta::assert_snapshot!(streamed(&[
        Delta::Begin(head()),
        Delta::Finish { choice: 0, stop: stop(Finish::ContentFilter, "refusal") },
        Delta::End,
    ]));
}

#[test]
fn a_call_that_was_cut_off_before_its_arguments_gets_none() {
    let cut = streamed(&[
        Delta::Begin(head()),
        open(0, Opening::ToolCall { id: text(r#""x""#), name: text(r#""f""#) }),
        close(0),
        Delta::Finish { choice: 0, stop: stop(Finish::Length, "max_tokens") },
    ]);
    assert!(!cut.contains("{}\""), "{cut}");
}
