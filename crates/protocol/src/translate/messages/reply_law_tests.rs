//! Laws of answers: what is written is read as it was, and whatever an upstream sends, what comes out is what came
//! in or a fault.

use std::borrow::Cow;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;

use super::reply_heard::{Heard, Said};
use super::reply_samples::{Step, asked, events, written};
use super::{StreamReader, StreamWriter, read_reply, write_reply};
use crate::canonical::{Block, Choice, Content, Delta, Head, Opening, Piece, Reply, Stop, Text, Tokens};
use crate::dialect::Dialect;
use crate::json;
use crate::observe::{Finish, StreamObserver, Verdict};
use crate::raw::{Object, quoted};
use crate::replay;
use crate::sse::{self, Decoder, Event};
use crate::translate::Events;
use crate::usage::Usage;

fn said() -> impl Strategy<Value = Said> {
    let text = || "[ -~é😀\n]{1,12}";
    prop_oneof![
        text().prop_map(Said::Text),
        (text(), proptest::option::of("[A-Za-z=]{1,8}")).prop_map(|(text, seal)| Said::Thinking(text, seal)),
        "[A-Za-z=]{1,8}".prop_map(Said::Sealed),
        ("[a-z]{1,4}", text()).prop_map(|(name, value)| {
            Said::Call(name, format!("{{\"a\": {}, \"n\":1.50}}", quoted(&value)))
        }),
    ]
}

fn usage() -> impl Strategy<Value = Usage> {
    (0..1000_u64, 0..1000_u64, 0..1000_u64, 0..1000_u64, 0..1000_u64).prop_map(
        |(new, read, write, plain, thought)| {
            let (input, output) = (new + read + write, plain + thought);
            Usage {
                input,
                output,
                cache_read: read,
                cache_write: write,
                reasoning: thought,
                ..Usage::default()
            }
        },
    )
}

fn content(said: &Said) -> Content<'static> {
    match said {
        Said::Text(text) => Content::Text(Text::of(text)),
        Said::Thinking(text, seal) => {
            Content::Thinking { text: Text::of(text), signature: seal.as_deref().map(Text::of) }
        }
        Said::Sealed(data) => Content::RedactedThinking(Text::of(data)),
        Said::Call(name, arguments) => Content::ToolCall {
            id: Text::of("id"),
            name: Text::of(name),
            arguments: arguments.clone().into(),
        },
    }
}

fn stop() -> Stop<'static> {
    Stop { finish: Finish::Length, native: "length".into(), sequence: None }
}

/// The steps of a stream that says this, each text cut after every `cut` characters. Calls in a row are open side by
/// side, their pieces taken in turns.
fn steps_of(answer: &[Said], cut: usize, usage: Usage) -> Vec<Step> {
    let mut steps = vec![Step::Begin];
    let mut number = 0;
    let mut rest = answer;
    while let Some(first) = rest.first() {
        let calls = rest.iter().take_while(|said| matches!(said, Said::Call(..))).count();
        let (group, behind) = rest.split_at(calls.max(1));
        rest = behind;
        let mut rows: Vec<Vec<Step>> = Vec::new();
        for (number, said) in (number..).zip(group) {
            let pieces = |text: &str, kind: fn(Text<'static>) -> Piece<'static>| {
                let characters: Vec<char> = text.chars().collect();
                let cuts = characters.chunks(cut).map(|piece| piece.iter().collect::<String>());
                cuts.map(|piece| Step::Piece(number, kind(Text::of(&piece)))).collect::<Vec<_>>()
            };
            rows.push(match said {
                Said::Text(text) => {
                    steps.push(Step::Open(number, Opening::Text));
                    pieces(text, Piece::Text)
                }
                Said::Thinking(text, seal) => {
                    steps.push(Step::Open(number, Opening::Thinking));
                    let mut row = pieces(text, Piece::Text);
                    row.extend(seal.iter().map(|seal| Step::Piece(number, Piece::Signature(Text::of(seal)))));
                    row
                }
                Said::Sealed(data) => {
                    steps.push(Step::Open(number, Opening::RedactedThinking(Text::of(data))));
                    Vec::new()
                }
                Said::Call(name, arguments) => {
                    steps.push(Step::Open(
                        number,
                        Opening::ToolCall { id: Text::of("id"), name: Text::of(name) },
                    ));
                    pieces(arguments, Piece::Arguments)
                }
            });
        }
        let longest = rows.iter().map(Vec::len).max().unwrap_or_default();
        for turn in 0..longest {
            steps.extend(rows.iter().rev().filter_map(|row| row.get(turn).cloned()));
        }
        let count = group.len() as u64;
        steps.extend((number..number + count).map(Step::Close));
        number += count;
        let _ = first;
    }
    steps.push(Step::Finish(stop()));
    steps.push(Step::Tokens(Tokens { usage, native: Vec::new() }));
    steps.push(Step::End);
    steps
}

/// Events as they come over the wire.
fn over_the_wire(events: &[Event]) -> Vec<Event> {
    let bytes: Vec<u8> = events.iter().flat_map(|event| event.raw.to_vec()).collect();
    let mut decoder = Decoder::new(1 << 20);
    decoder.push(bytes.into());
    std::iter::from_fn(|| decoder.next().expect("small events")).collect()
}

/// A stream with all that Anthropic streams.
fn whole_stream() -> Vec<String> {
    [
        r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"c","content":[],"stop_reason":null,"usage":{"input_tokens":9,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm \ud83d"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"\ude00"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"Eq"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"be"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"gun"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#,
        r#"{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"u","name":"g","input":{"b":2}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"content_block_stop","index":3}"#,
        r#"{"type":"content_block_start","index":4,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}"#,
        r#"{"type":"content_block_stop","index":4}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","explanation":"no"}},"usage":{"output_tokens":5}}"#,
        r#"{"type":"message_stop"}"#,
    ]
    .map(str::to_owned)
    .to_vec()
}

/// What can happen to a stream.
#[derive(Debug, Clone)]
enum Damage {
    Drop(Index),
    Repeat(Index),
    Swap(Index, Index),
    /// Another byte in one event.
    Byte(Index, Index, u8),
    /// A value of another kind where one stands behind a colon.
    Value(Index, Index, &'static str),
}

fn damage() -> impl Strategy<Value = Damage> {
    let value = prop::sample::select(vec![
        "null",
        "7",
        "\"x\"",
        "[]",
        "{}",
        "true",
        "-1",
        "1e99",
        "{\"type\":\"text\"}",
    ]);
    prop_oneof![
        any::<Index>().prop_map(Damage::Drop),
        any::<Index>().prop_map(Damage::Repeat),
        any::<(Index, Index)>().prop_map(|(one, other)| Damage::Swap(one, other)),
        any::<(Index, Index, u8)>().prop_map(|(event, at, byte)| Damage::Byte(event, at, byte)),
        (any::<Index>(), any::<Index>(), value)
            .prop_map(|(event, at, value)| Damage::Value(event, at, value)),
    ]
}

/// Puts `value` in the place of one that stands behind a colon.
fn with_value(text: &[u8], at: Index, value: &str) -> Vec<u8> {
    let colons: Vec<usize> = (0..text.len()).filter(|at| text[*at] == b':').collect();
    if colons.is_empty() {
        return text.to_vec();
    }
    let start = colons[at.index(colons.len())] + 1;
    let length = std::str::from_utf8(&text[start..])
        .ok()
        .and_then(|rest| json::Scanner::new(rest.as_bytes()).skip().ok())
        .map_or(0, |range| range.end);
    [&text[..start], value.as_bytes(), &text[start + length..]].concat()
}

fn damaged(mut data: Vec<Vec<u8>>, damages: &[Damage]) -> Vec<Vec<u8>> {
    for damage in damages {
        if data.is_empty() {
            break;
        }
        let place = |index: &Index, data: &Vec<Vec<u8>>| index.index(data.len());
        match damage {
            Damage::Drop(index) => drop(data.remove(place(index, &data))),
            Damage::Repeat(index) => {
                let place = place(index, &data);
                let again = data[place].clone();
                data.insert(place, again);
            }
            Damage::Swap(one, other) => {
                let (one, other) = (place(one, &data), place(other, &data));
                data.swap(one, other);
            }
            Damage::Byte(event, at, byte) => {
                let place = place(event, &data);
                if !data[place].is_empty() {
                    let at = at.index(data[place].len());
                    data[place][at] = *byte;
                }
            }
            Damage::Value(event, at, value) => {
                let place = place(event, &data);
                data[place] = with_value(&data[place], *at, value);
            }
        }
    }
    data
}

/// All texts of content in what is written to a client.
fn texts_written(events: &[Event]) -> String {
    let mut texts = String::new();
    for event in events {
        let data = std::str::from_utf8(event.data.as_deref().expect("data")).expect("UTF-8");
        let delta = Object::parse(data).expect("an object").object("delta").unwrap_or_default();
        for name in ["text", "thinking"] {
            texts.push_str(delta.get(name).and_then(Text::read).as_ref().map_or("", Text::inside));
        }
    }
    texts
}

proptest! {
    #[test]
    fn a_stream_that_is_written_is_read_as_it_was(
        answer in proptest::collection::vec(said(), 0..6), cut in 1..9_usize, usage in usage()
    ) {
        let written = written(&steps_of(&answer, cut, usage));
        let (mut reader, mut heard) = (StreamReader::default(), Heard::default());
        for event in over_the_wire(&written) {
            prop_assert_eq!(reader.read(&event, &mut |delta| heard.take(&delta)), Ok(()));
        }
        prop_assert!(heard.finished && heard.ended);
        prop_assert_eq!(heard.blocks, answer);
        prop_assert_eq!(heard.usage, Some(usage));
    }

    #[test]
    fn a_stream_that_is_written_is_a_good_one_to_those_who_only_watch(
        answer in proptest::collection::vec(said(), 0..6), cut in 1..9_usize, usage in usage()
    ) {
        let written = written(&steps_of(&answer, cut, usage));
        let mut observer = StreamObserver::new(Dialect::Messages, true);
        for event in &written {
            let verdict = observer.observe(event);
            prop_assert!(matches!(verdict, Verdict::Forward | Verdict::Content | Verdict::Terminal));
        }
        prop_assert!(observer.ended_well());
        prop_assert_eq!(observer.facts().finish, Some(Finish::Length));
        let seen = observer.facts().usage.map(|seen| Usage { reasoning: usage.reasoning, ..seen });
        prop_assert_eq!(seen, Some(usage));
        let bytes: Vec<u8> = written.iter().flat_map(|event| event.raw.to_vec()).collect();
        let plain = String::from_utf8(replay::to_plain(Dialect::Messages, &bytes).expect("whole")).expect("UTF-8");
        let read = read_reply(&plain).expect("an answer");
        prop_assert_eq!(Said::of(&read.choices[0].blocks), answer);
    }

    #[test]
    fn a_whole_answer_that_is_written_is_read_as_it_was(
        answer in proptest::collection::vec(said(), 0..6), usage in usage()
    ) {
        let blocks = answer.iter().map(|said| Block { content: content(said), mark: None }).collect();
        let reply = Reply {
            head: Head { id: Some(Text::of("é\"")), ..Head::default() },
            choices: vec![Choice { index: 0, blocks, stop: Some(stop()), logprobs: None }],
            tokens: Some(Tokens { usage, native: vec![(Cow::Borrowed("cost"), "0.10".into())] }),
        };
        let body = write_reply(&reply, &asked());
        let read = read_reply(&body).expect("an answer");
        prop_assert_eq!(Said::of(&read.choices[0].blocks), answer);
        prop_assert_eq!(read.head.id, reply.head.id);
        prop_assert_eq!(read.choices[0].stop.as_ref().map(|stop| stop.finish), Some(Finish::Length));
        let tokens = read.tokens.expect("counts");
        prop_assert_eq!(tokens.usage, usage);
        prop_assert!(tokens.native.contains(&(Cow::Borrowed("cost"), "0.10".into())));
    }

    #[test]
    fn of_a_damaged_stream_comes_what_came_in_or_a_fault(damages in proptest::collection::vec(damage(), 1..4)) {
        let data = whole_stream().into_iter().map(String::into_bytes).collect();
        let data = damaged(data, &damages);
        let all: Vec<u8> = data.concat();
        let (mut reader, mut heard) = (StreamReader::default(), Heard::default());
        let (mut writer, mut out) = (StreamWriter::new(asked()), Events::default());
        for data in data {
            let data = bytes::Bytes::from(data);
            let event = Event { raw: data.clone(), name: None, data: Some(data) };
            let mut give = |delta: Delta<'_>| {
                heard.take(&delta);
                writer.write(&delta, &mut out);
            };
            if reader.read(&event, &mut give).is_err() || heard.ended {
                break;
            }
        }
        for piece in &heard.pieces {
            prop_assert!(memchr::memmem::find(&all, piece.as_bytes()).is_some(), "{} came from nowhere", piece);
        }
        let texts = texts_written(&out.0);
        prop_assert!(heard.pieces.concat().starts_with(&texts));
        if heard.ended {
            prop_assert_eq!(texts, heard.pieces.concat());
        }
    }

    #[test]
    fn of_a_damaged_answer_comes_what_came_in_or_a_fault(damages in proptest::collection::vec(damage(), 1..4)) {
        let body = br#"{"id":"m","type":"message","model":"c","content":[{"type":"thinking","thinking":"hm","signature":"Eq"},{"type":"text","text":"be\ud83dgun"},{"type":"tool_use","id":"t","name":"f","input":{"a":[1]}},{"type":"redacted_thinking","data":"Em"}],"stop_reason":"refusal","stop_sequence":null,"stop_details":{"explanation":"no"},"usage":{"input_tokens":9,"output_tokens":1,"cache_creation":{"a":1}}}"#;
        let body = damaged(vec![body.to_vec()], &damages).concat();
        let Ok(text) = String::from_utf8(body) else { return Ok(()) };
        let Ok(reply) = read_reply(&text) else { return Ok(()) };
        for block in &reply.choices[0].blocks {
            if let Content::Text(said) | Content::Refusal(said) | Content::Thinking { text: said, .. } = &block.content {
                prop_assert!(text.contains(said.inside()));
            }
        }
        let written = write_reply(&reply, &asked());
        prop_assert!(json::validate(written.as_bytes()).is_ok(), "{}", written);
        prop_assert!(read_reply(&written).is_ok());
    }

    #[test]
    fn noise_is_a_fault(noise in proptest::collection::vec(any::<u8>(), 0..40)) {
        let event = Event { raw: noise.clone().into(), name: None, data: Some(noise.clone().into()) };
        let read = StreamReader::default().read(&event, &mut |delta| panic!("{delta:?} of noise"));
        prop_assert!(read.is_err());
        prop_assert!(read_reply(&String::from_utf8_lossy(&noise)).is_err());
    }
}

#[test]
fn the_whole_stream_of_these_tests_is_whole() {
    let mut heard = Heard::default();
    let mut reader = StreamReader::default();
    for event in events(&whole_stream()) {
        assert_eq!(reader.read(&event, &mut |delta| heard.take(&delta)), Ok(()));
    }
    assert!(heard.ended);
    assert_eq!(heard.blocks.len(), 6);
    assert_eq!(heard.native, BTreeSet::from([4]));
    assert!(
        matches!(&heard.blocks[3], Said::Call(name, arguments) if name == "g" && arguments == "{\"b\":2}")
    );
    assert!(reader.read(&sse::event(None, "[DONE]"), &mut |_| ()).is_ok(), "many end so once more");
}
