//! What holds for every answer and every request, whatever is in them.

use proptest::prelude::*;

use super::samples::{block, call, called, deltas, plain, read, reply, said, stop, stream, thought};
use super::{StreamWriter, read_request, samples};
use crate::canonical::{Block, Choice, Content, Delta, Head, Opening, Piece, Reply, Stop, Text, Tokens};
use crate::dialect::Dialect;
use crate::fitness;
use crate::observe::{Finish, StreamObserver, Verdict, observe_reply};
use crate::raw::Object;
use crate::replay;
use crate::translate::Events;
use crate::usage::Usage;

const ASKED: &str = r#"{"model":"m","input":"Hi","tools":[{"type":"function","name":"f","parameters":{"type":"object"}}],"temperature":0.10}"#;

fn texts() -> impl Strategy<Value = String> {
    // Escapes, line ends, letters of more than one byte.
    proptest::string::string_regex("[a-c \"\\\\\n\u{1}é😀{}:]{0,12}").expect("a pattern")
}

fn blocks() -> impl Strategy<Value = Block<'static>> {
    prop_oneof![
        4 => texts().prop_map(|text| said(&text)),
        1 => texts().prop_map(|text| block(Content::Refusal(Text::of(&text)))),
        2 => (texts(), proptest::option::of("[A-Z]{1,6}")).prop_map(|(text, seal)| thought(&text, seal.as_deref())),
        1 => texts().prop_map(|data| block(Content::RedactedThinking(Text::of(&data)))),
        3 => (texts(), texts()).prop_map(|(id, arguments)| called(&id, "f", &arguments)),
        1 => Just(block(Content::Native { kind: "server_tool_use".into(), json: r#"{"type":"server_tool_use"}"#.into() })),
    ]
}

fn stops() -> impl Strategy<Value = Option<Stop<'static>>> {
    prop_oneof![
        Just(None),
        Just(Some(stop(Finish::Stop, "end_turn"))),
        Just(Some(stop(Finish::ToolCalls, "tool_use"))),
        Just(Some(stop(Finish::Length, "max_tokens"))),
        Just(Some(stop(Finish::ContentFilter, "content_filter"))),
        Just(Some(stop(Finish::Other, "pause_turn"))),
        Just(Some(stop(Finish::Other, "some\"thing"))),
    ]
}

fn replies() -> impl Strategy<Value = Reply<'static>> {
    let tokens = proptest::option::of((0_u64..1000, 0_u64..1000, 0_u64..9, 0_u64..9));
    (proptest::collection::vec(blocks(), 0..6), stops(), tokens, any::<bool>()).prop_map(
        |(blocks, stop, tokens, named)| Reply {
            head: if named {
                reply(vec![], samples::stop(Finish::Stop, "stop")).head
            } else {
                Head::default()
            },
            choices: vec![Choice { index: 0, blocks, stop, logprobs: None }],
            tokens: tokens.map(|(fresh, answer, cache_read, reasoning)| Tokens {
                usage: Usage {
                    input: fresh + cache_read,
                    output: answer + reasoning,
                    cache_read,
                    reasoning,
                    ..Usage::default()
                },
                native: vec![("vendor".into(), "1.50".into())],
            }),
        },
    )
}

/// What the answer's parts of one kind say, all together.
fn meant(reply: &Reply<'_>, of: fn(&Content<'_>) -> Option<String>) -> String {
    reply.choices[0].blocks.iter().filter_map(|block| of(&block.content)).collect()
}

fn text_of(content: &Content<'_>) -> Option<String> {
    match content {
        Content::Text(text) | Content::Refusal(text) => Some(text.meant().into_owned()),
        _ => None,
    }
}

/// The same of a response object: texts and refusals of its messages.
fn said_in(response: &str) -> String {
    let response = Object::parse(response).expect("an object");
    let mut said = String::new();
    for item in response.items("output").expect("a list") {
        for part in Object::parse(item).expect("an object").items("content").expect("a list") {
            let part = Object::parse(part).expect("an object");
            said += &part.string("text").or_else(|| part.string("refusal")).expect("a text");
        }
    }
    said
}

/// The events of a stream, as they are decoded.
fn events(stream: &str) -> Vec<crate::sse::Event> {
    let decoded = replay::decode(stream.as_bytes());
    assert!(!decoded.cut, "{stream}");
    decoded.events
}

/// All pieces of one kind of event.
fn pieces(stream: &str, kind: &str) -> String {
    let mut all = String::new();
    for event in events(stream) {
        let data = std::str::from_utf8(event.data.as_deref().unwrap_or_default()).expect("UTF-8").to_owned();
        let data = Object::parse(&data).expect("an object");
        if data.string("type").as_deref() == Some(kind) {
            all += &data.string("delta").expect("a piece");
        }
    }
    all
}

proptest! {
    #[test]
    fn a_stream_ends_with_what_the_plain_answer_says(reply in replies(), size in 1_usize..5) {
        let plain = plain(ASKED, &reply);
        let streamed = stream(ASKED, &deltas(&reply, size));
        let ended = replay::to_plain(Dialect::Responses, streamed.as_bytes());
        prop_assert_eq!(ended.as_deref().map(String::from_utf8_lossy).expect("a whole stream"), plain.as_str());
    }

    #[test]
    fn text_out_is_text_in(reply in replies(), size in 1_usize..5) {
        let expected = meant(&reply, text_of);
        prop_assert_eq!(said_in(&plain(ASKED, &reply)), expected.as_str());
        let streamed = stream(ASKED, &deltas(&reply, size));
        let texts = meant(&reply, |content| match content {
            Content::Text(text) => Some(text.meant().into_owned()),
            _ => None,
        });
        prop_assert_eq!(pieces(&streamed, "response.output_text.delta"), texts);
        let refusals = meant(&reply, |content| match content {
            Content::Refusal(text) => Some(text.meant().into_owned()),
            _ => None,
        });
        prop_assert_eq!(pieces(&streamed, "response.refusal.delta"), refusals);
        let thoughts = meant(&reply, |content| match content {
            Content::Thinking { text, .. } => Some(text.meant().into_owned()),
            _ => None,
        });
        prop_assert_eq!(pieces(&streamed, "response.reasoning_summary_text.delta"), thoughts);
    }

    /// Events count up by one, items are told as done once, in order, as they stand in the whole, and the observer takes the stream for one
    /// that is whole, with the usage that was counted.
    #[test]
    fn a_stream_is_one_of_the_dialect(reply in replies(), size in 1_usize..5) {
        let streamed = stream(ASKED, &deltas(&reply, size));
        let mut observer = StreamObserver::new(Dialect::Responses, false);
        let (mut added, mut done, mut items, mut output) = (Vec::new(), Vec::new(), Vec::new(), String::new());
        for (index, event) in events(&streamed).iter().enumerate() {
            prop_assert!(!matches!(observer.observe(event), Verdict::Error | Verdict::Malformed | Verdict::Withhold));
            let data = std::str::from_utf8(event.data.as_deref().unwrap_or_default()).expect("UTF-8");
            let data = Object::parse(data).expect("an object");
            prop_assert_eq!(data.string("type").map(|kind| kind.into_owned().into_bytes()), event.name.as_ref().map(|name| name.to_vec()));
            prop_assert_eq!(data.count("sequence_number"), u64::try_from(index).ok());
            match &*data.string("type").expect("a type") {
                "response.output_item.added" => added.push(data.count("output_index")),
                "response.output_item.done" => {
                    done.push(data.count("output_index"));
                    items.push(data.get("item").expect("an item").to_owned());
                }
                "response.completed" | "response.incomplete" => {
                    let response = data.object("response").expect("an object");
                    output = response.get("output").expect("a list").to_owned();
                }
                _ => {}
            }
        }
        prop_assert_eq!(&added, &done);
        prop_assert_eq!(crate::raw::array(&items), output);
        prop_assert_eq!(added, (0..done.len() as u64).map(Some).collect::<Vec<_>>());
        prop_assert!(observer.terminal_seen() && observer.ended_well());
        prop_assert_eq!(observer.facts().usage, reply.tokens.as_ref().map(|tokens| tokens.usage));
        let says = reply.choices[0].blocks.iter().any(|block| match &block.content {
            Content::Text(text) | Content::Refusal(text) => !text.is_empty(),
            Content::Thinking { text, .. } => !text.is_empty(),
            Content::ToolCall { .. } => true,
            _ => false,
        });
        prop_assert_eq!(observer.facts().content_tokens > 0, says);
    }

    /// An answer that comes back with the next request is what it was: text, calls, thinking with its seal.
    #[test]
    fn an_answer_that_comes_back_is_what_it_was(reply in replies()) {
        let response = plain(ASKED, &reply);
        let output = Object::parse(&response).expect("an object").get("output").expect("a list").to_owned();
        let items = output.trim_start_matches('[').trim_end_matches(']');
        let comma = if items.is_empty() { "" } else { "," };
        let back = format!(r#"{{"model":"m","input":[{{"role":"user","content":"Hi"}}{comma}{items}]}}"#);
        let back = call(&back);
        let turns = read_request(&back).expect("a request").turns;
        let shown = |blocks: &[Block<'_>]| -> Vec<String> {
            blocks.iter().filter_map(|block| match &block.content {
                // In other words than they were written in.
                Content::Text(text) | Content::Refusal(text) if text.is_empty() => None,
                Content::Text(text) => Some(format!("text {:?}", text.meant())),
                Content::Refusal(text) => Some(format!("refusal {:?}", text.meant())),
                Content::ToolCall { id, name, arguments } => {
                    // Nothing at all was meant for an empty object, unless the call was cut.
                    let arguments = if arguments.is_empty() { "{}" } else { arguments };
                    Some(format!("call {:?} {:?} {arguments}", id.meant(), name.meant()))
                }
                Content::Thinking { text, signature: None } if text.is_empty() => None,
                Content::Thinking { text, signature } => {
                    Some(format!("thinking {:?} {:?}", text.meant(), signature.as_ref().map(|text| text.meant().into_owned())))
                }
                Content::RedactedThinking(data) => Some(format!("redacted {:?}", data.meant())),
                _ => None,
            }).collect()
        };
        let before = shown(&reply.choices[0].blocks);
        let led_to_something = before.iter().any(|block| !block.starts_with("thinking") && !block.starts_with("redacted"));
        let after = turns.get(1).map(|turn| shown(&turn.blocks)).unwrap_or_default();
        prop_assert_eq!(after, if led_to_something { before } else { Vec::new() });
        prop_assert!(turns.len() <= 2);
    }

    /// Steps in any order, as no reader gives them: events stay well-formed.
    #[test]
    fn a_writer_takes_steps_in_any_order(steps in proptest::collection::vec(any_step(), 0..24)) {
        let mut writer = StreamWriter::new(samples::asked(ASKED));
        let mut bytes = String::new();
        for step in &steps {
            let mut out = Events::default();
            writer.write(step, &mut out);
            for event in out.0 {
                let data = event.data.as_deref().expect("data");
                prop_assert!(crate::json::validate(data).is_ok());
                bytes += std::str::from_utf8(&event.raw).expect("UTF-8");
            }
        }
        if steps.iter().any(|step| matches!(step, Delta::End)) {
            prop_assert!(replay::to_plain(Dialect::Responses, bytes.as_bytes()).is_ok(), "{}", bytes);
        }
    }

    /// Whatever stands where, it is read or refused.
    #[test]
    fn odd_requests_are_read_or_refused(values in proptest::collection::vec((0..MEMBERS.len(), 0..ODD.len()), 1..5)) {
        let mut body = String::from(r#"{"model":"m""#);
        let mut seen = Vec::new();
        for (name, value) in values {
            if !seen.contains(&name) {
                seen.push(name);
                body += &format!(",\"{}\":{}", MEMBERS[name], ODD[value]);
            }
        }
        body.push('}');
        let bytes = bytes::Bytes::from(body.clone());
        if crate::envelope::Envelope::scan(bytes, Dialect::Responses, crate::dialect::Profile::Open).is_ok() {
            prop_assert!(!read(&body).is_empty());
        }
    }
}

const MEMBERS: &[&str] = &[
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
    "include",
    "user",
    "safety_identifier",
    "top_logprobs",
    "stop",
    "top_k",
    "cache_control",
    "store",
    "metadata",
    "background",
    "truncation",
    "max_output_tokens",
    "frequency_penalty",
    "vendor",
];

const ODD: &[&str] = &[
    "null",
    "7",
    "-0.0",
    "1e999",
    "true",
    "\"\"",
    "\"\\ud800\"",
    "[]",
    "[[]]",
    "[null]",
    "[\"x\"]",
    "{}",
    "[{}]",
    r#"[{"type":"message"}]"#,
    r#"[{"role":"user","content":[{"type":"input_text"}]}]"#,
    r#"[{"role":"user","content":{"type":"input_text"}}]"#,
    r#"[{"role":"assistant","content":null},{"type":"reasoning","summary":7,"content":[7]}]"#,
    r#"[{"type":"reasoning","encrypted_content":7}]"#,
    r#"[{"type":"function_call","call_id":"","name":"","arguments":{"a":1}}]"#,
    r#"[{"type":"function_call_output","call_id":"c","output":{}}]"#,
    r#"[{"type":"function_call_output","call_id":"c"}]"#,
    r#"[{"type":"function","name":7}]"#,
    r#"[{"type":7}]"#,
    r#"{"type":"function","name":null}"#,
    r#"{"format":{"type":"json_schema"},"verbosity":7}"#,
    r#"{"format":[]}"#,
    r#"{"effort":7,"summary":[]}"#,
    r#"{"a":1,"a":2}"#,
    r#"[{"role":"user","content":[{"type":"input_file","file_data":"data:;base64,","filename":7},{"type":"input_image","image_url":"data:image/png;base64"}]}]"#,
];

fn any_step() -> impl Strategy<Value = Delta<'static>> {
    let (choice, block) = (0_u64..2, 0_u64..3);
    (choice, block, 0..14, texts()).prop_map(|(choice, block, kind, text)| {
        let text = Text::of(&text);
        match kind {
            0 => Delta::Begin(Head::default()),
            1 => Delta::Open { choice, block, opening: Opening::Text },
            2 => Delta::Open { choice, block, opening: Opening::Thinking },
            3 => Delta::Open { choice, block, opening: Opening::Refusal },
            4 => Delta::Open { choice, block, opening: Opening::RedactedThinking(text) },
            5 => Delta::Open { choice, block, opening: Opening::ToolCall { id: text.clone(), name: text } },
            6 => Delta::Piece { choice, block, piece: Piece::Text(text) },
            7 => Delta::Piece { choice, block, piece: Piece::Arguments(text) },
            8 => Delta::Piece { choice, block, piece: Piece::Signature(text) },
            9 => Delta::Close { choice, block },
            10 => Delta::Logprobs { choice, json: r#"{"content":[{"token":"a"}]}"#.into() },
            11 => Delta::Finish { choice, stop: stop(Finish::Length, "length") },
            12 => Delta::Tokens(Tokens::default()),
            _ => Delta::End,
        }
    })
}

#[test]
fn whole_answers_may_be_kept_and_others_not() {
    let judge = |blocks: Vec<Block<'static>>, finish: Finish, native: &str| {
        let reply = reply(blocks, stop(finish, native));
        let (plain, streamed) = (plain(ASKED, &reply), stream(ASKED, &deltas(&reply, 3)));
        let facts = observe_reply(Dialect::Responses, plain.as_bytes()).expect("an answer");
        assert_eq!(facts.usage, reply.tokens.as_ref().map(|tokens| tokens.usage));
        let verdict = fitness::plain(Dialect::Responses, plain.as_bytes());
        assert_eq!(fitness::stream(Dialect::Responses, streamed.as_bytes()), verdict, "{streamed}");
        // A stream that is made of the plain answer says the same.
        let again = replay::to_stream(Dialect::Responses, plain.as_bytes()).expect("a stream").events;
        assert_eq!(replay::to_plain(Dialect::Responses, &again).as_deref(), Ok(plain.as_bytes()));
        verdict
    };
    use fitness::Unfit;
    let call = || called("call_1", "f", r#"{"a":1}"#);
    assert_eq!(judge(vec![said("Hi")], Finish::Stop, "stop"), Ok(()));
    assert_eq!(
        judge(vec![thought("Hm", Some("S")), said("Hi"), call(), call()], Finish::ToolCalls, "tool_calls"),
        Ok(())
    );
    assert_eq!(judge(vec![called("call_1", "f", "")], Finish::ToolCalls, "tool_calls"), Ok(()));
    assert_eq!(judge(vec![said("Once")], Finish::Length, "length"), Ok(()));
    assert_eq!(judge(vec![call()], Finish::Length, "length"), Err(Unfit::ToolCall));
    assert_eq!(judge(vec![called("c", "f", "{")], Finish::ToolCalls, "tool_calls"), Err(Unfit::ToolCall));
    assert_eq!(judge(vec![said("I c")], Finish::ContentFilter, "refusal"), Err(Unfit::Filtered));
    assert_eq!(
        judge(vec![block(Content::Refusal(Text::of("No")))], Finish::Stop, "stop"),
        Err(Unfit::Refused)
    );
    assert_eq!(judge(vec![said("Hi")], Finish::Other, "abort"), Err(Unfit::Stopped));
}

/// Half of a character in each of two pieces is one character in the whole.
#[test]
fn a_character_that_was_cut_in_two_is_whole_again() {
    let piece =
        |json| Delta::Piece { choice: 0, block: 0, piece: Piece::Text(Text::read(json).expect("a string")) };
    let steps = [
        Delta::Open { choice: 0, block: 0, opening: Opening::Text },
        piece(r#""\ud83d""#),
        piece(r#""\ude00""#),
        Delta::Close { choice: 0, block: 0 },
        Delta::End,
    ];
    let whole =
        replay::to_plain(Dialect::Responses, stream(ASKED, &steps).as_bytes()).expect("a whole stream");
    assert_eq!(said_in(&String::from_utf8(whole).expect("UTF-8")), "😀");
}

#[test]
fn nothing_is_written_after_the_end() {
    let mut steps = deltas(&reply(vec![said("Hi")], stop(Finish::Stop, "stop")), 9);
    let ended = stream(ASKED, &steps);
    steps.extend([Delta::Open { choice: 0, block: 7, opening: Opening::Text }, Delta::End]);
    assert_eq!(stream(ASKED, &steps), ended);
}
