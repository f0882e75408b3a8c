//! Laws of answers: what is written for a chat client and read again says the same, whatever is said and however it
//! is cut; and nothing that an upstream may send makes the reader say what was not said, or panic.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::answer_speech::{Heard, Listener, Said, grown, heard, opening, pieces, said};
use super::{StreamReader, StreamWriter, read_reply, write_reply};
use crate::canonical::{Block, Choice, Content, Delta, Head, Reply, Stop, Text, Tokens};
use crate::dialect::Dialect;
use crate::observe::Finish;
use crate::sse::{self, Event};
use crate::translate::answer_samples::{CHAT, COMPLETION, asked, envelope};
use crate::translate::{Events, Translation};
use crate::usage::Usage;

fn written(choices: &[Vec<Said>], finish: Finish, usage: Usage) -> Vec<Event> {
    let (mut writer, mut out) = (StreamWriter::new(asked(CHAT)), Events::default());
    let mut give = |delta: Delta<'_>| writer.write(&delta, &mut out);
    give(Delta::Begin(Head { id: Some(Text::of("x")), ..Head::default() }));
    for (choice, said) in (0..).zip(choices) {
        for (block, said) in (0..).zip(said) {
            give(Delta::Open { choice, block, opening: opening(said) });
            for piece in grown(said) {
                give(Delta::Piece { choice, block, piece });
            }
            give(Delta::Close { choice, block });
        }
    }
    give(Delta::Tokens(Tokens { usage, native: vec![("cost".into(), "0.10".into())] }));
    for (choice, _) in (0..).zip(choices) {
        let stop = Stop { finish, native: finish.as_str().into(), sequence: None };
        give(Delta::Finish { choice, stop });
    }
    give(Delta::End);
    out.0
}

fn listen(events: &[Event]) -> (Listener, StreamReader, bool) {
    let (mut listener, mut reader) = (Listener::default(), StreamReader::default());
    for event in events {
        if reader.read(event, &mut |delta| listener.hear(&delta)).is_err() {
            return (listener, reader, false);
        }
        if listener.ended {
            break;
        }
    }
    (listener, reader, true)
}

fn usage() -> impl Strategy<Value = Usage> {
    (0_u64..1000, 0_u64..1000, 0_u64..1000, 0_u64..1000, 0_u64..1000).prop_map(
        |(rest, cache_read, cache_write, output, reasoning)| Usage {
            input: rest + cache_read + cache_write,
            // All of it reasoning with a total that fits would be read as reasoning beside the answer.
            output: output + reasoning,
            cache_read,
            cache_write,
            reasoning,
            ..Usage::default()
        },
    )
}

fn finish() -> impl Strategy<Value = Finish> {
    select(vec![Finish::Stop, Finish::Length, Finish::ToolCalls, Finish::ContentFilter])
}

/// Any JSON in which the members that matter often stand where they matter.
fn odd_chunk() -> impl Strategy<Value = serde_json::Value> {
    const NAMES: [&str; 24] = [
        "choices",
        "delta",
        "message",
        "content",
        "refusal",
        "reasoning_content",
        "reasoning",
        "thinking_blocks",
        "tool_calls",
        "function_call",
        "function",
        "index",
        "id",
        "name",
        "arguments",
        "type",
        "text",
        "thinking",
        "signature",
        "finish_reason",
        "logprobs",
        "usage",
        "prompt_tokens",
        "model",
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        (0_u64..3).prop_map(Into::into),
        "[a-c]{0,2}".prop_map(Into::into),
        select(vec!["stop", "length", "thinking", "redacted_thinking"]).prop_map(Into::into),
    ];
    let value = leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Into::into),
            vec((select(NAMES.to_vec()), inner), 0..5).prop_map(|members| {
                members
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect::<serde_json::Value>()
            }),
        ]
    });
    let delta = vec((select(NAMES[3..10].to_vec()), value.clone()), 0..3)
        .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    let choice = (delta, value.clone(), 0_u64..2).prop_map(|(delta, finish, index): (serde_json::Value, _, _)| {
        serde_json::json!({"index": index, "delta": delta, "finish_reason": finish})
    });
    prop_oneof![
        3 => vec(choice, 0..3).prop_map(|choices| serde_json::json!({"choices": choices})),
        1 => value,
    ]
}

proptest! {
    #[test]
    fn a_stream_that_is_written_and_read_again_says_the_same(
        choices in vec(vec(said(), 0..5), 1..3),
        finish in finish(),
        usage in usage(),
    ) {
        let events = written(&choices, finish, usage);
        let (listener, reader, whole) = listen(&events);
        prop_assert!(whole && listener.ended && reader.is_finished());
        prop_assert_eq!(listener.usage, Some(usage));
        let expected: Vec<Heard> = choices.iter().map(|said| heard(said, finish)).collect();
        prop_assert_eq!(listener.into_heard(), expected);
    }

    #[test]
    fn an_answer_that_is_written_and_read_again_says_the_same(
        choices in vec(vec(said(), 0..5), 1..3),
        finish in finish(),
        usage in usage(),
    ) {
        let content = |said: &Said| match said {
            Said::Text(text) => Content::Text(text.joined()),
            Said::Refusal(text) => Content::Refusal(text.joined()),
            Said::Thinking(text, seal) => {
                Content::Thinking { text: text.joined(), signature: seal.as_deref().map(Text::of) }
            }
            Said::Redacted(data) => Content::RedactedThinking(Text::of(data)),
            Said::Call(id, name, arguments) => Content::ToolCall {
                id: Text::of(id),
                name: Text::of(name),
                arguments: arguments.meant().into(),
            },
        };
        let whole = |(index, said): (u64, &Vec<Said>)| Choice {
            index,
            blocks: said.iter().map(|said| Block { content: content(said), mark: None }).collect(),
            stop: Some(Stop { finish, native: finish.as_str().into(), sequence: None }),
            logprobs: None,
        };
        let reply = Reply {
            head: Head::default(),
            choices: (0..).zip(&choices).map(whole).collect(),
            tokens: Some(Tokens { usage, native: vec![] }),
        };
        let body = write_reply(&reply, &asked(CHAT));
        let again = read_reply(&body).expect("an answer");
        prop_assert_eq!(again.tokens.as_ref().map(|tokens| tokens.usage), Some(usage));
        for (choice, said) in again.choices.iter().zip(&choices) {
            let mut found = Heard { finish: choice.stop.as_ref().map(|stop| stop.finish), ..Heard::default() };
            for block in &choice.blocks {
                match &block.content {
                    Content::Text(text) => found.text += &text.meant(),
                    Content::Refusal(text) => found.refusal += &text.meant(),
                    Content::Thinking { text, signature } => {
                        let seal = signature.as_ref().map(|seal| seal.meant().into_owned());
                        found.thoughts.push((text.meant().into_owned(), seal));
                    }
                    Content::RedactedThinking(data) => {
                        found.thoughts.push((format!("redacted {}", data.meant()), None));
                    }
                    Content::ToolCall { id, name, arguments } => {
                        let (id, name) = (id.meant().into_owned(), name.meant().into_owned());
                        found.calls.push((id, name, arguments.to_string()));
                    }
                    other => panic!("{other:?}"),
                }
            }
            prop_assert_eq!(found, heard(said, finish));
        }
    }

    #[test]
    fn a_completions_client_gets_every_piece_of_text_and_no_half_of_a_character(
        said in vec((0_u64..3, pieces(), any::<bool>()), 0..6),
    ) {
        let mut stream = Translation::new(&envelope(COMPLETION), Dialect::Chat, 1, "made").stream();
        let (mut expected, mut found) = (BTreeMap::<u64, String>::new(), BTreeMap::<u64, String>::new());
        let mut chunks = Vec::new();
        for (choice, pieces, refuses) in &said {
            let member = if *refuses { "refusal" } else { "content" };
            for json in &pieces.0 {
                chunks.push(format!(r#"{{"choices":[{{"index":{choice},"delta":{{"{member}":{json}}}}}]}}"#));
            }
            *expected.entry(*choice).or_default() += &pieces.meant();
        }
        expected.retain(|_, text| !text.is_empty());
        chunks.extend((0..3).map(|choice| {
            format!(r#"{{"choices":[{{"index":{choice},"delta":{{}},"finish_reason":"stop"}}]}}"#)
        }));
        let mut events = Vec::new();
        for chunk in &chunks {
            events.extend(stream.event(&sse::event(None, chunk)).expect("a chunk"));
        }
        for event in &events {
            // This reader takes no half of a character.
            let chunk: serde_json::Value = serde_json::from_slice(event.data.as_ref().expect("data")).expect("JSON");
            let choice = &chunk["choices"][0];
            *found.entry(choice["index"].as_u64().expect("an index")).or_default() +=
                choice["text"].as_str().expect("a text");
        }
        found.retain(|_, text| !text.is_empty());
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn odd_chunks_never_break_the_order(chunks in vec(odd_chunk(), 0..6), done: bool) {
        let mut events: Vec<Event> = chunks.iter().map(|chunk| sse::event(None, &chunk.to_string())).collect();
        if done {
            events.push(sse::event(None, "[DONE]"));
        }
        let (listener, _, _) = listen(&events);
        let _ = listener.into_heard();
        for question in [CHAT, COMPLETION] {
            let of = Translation::new(&envelope(question), Dialect::Chat, 1, "made");
            let mut stream = of.stream();
            for event in &events {
                if let Ok(events) = stream.event(event) {
                    let _ = events;
                }
            }
            let _ = stream.end();
            for chunk in &chunks {
                let body = chunk.to_string().replace("\"delta\"", "\"message\"");
                if let Ok(answer) = of.reply(body.as_bytes()) {
                    prop_assert!(serde_json::from_slice::<serde_json::Value>(&answer).is_ok());
                }
            }
        }
    }

    #[test]
    fn damaged_streams_never_panic(
        choices in vec(vec(said(), 0..4), 1..3),
        damage in vec((any::<Index>(), any::<Index>(), any::<u8>(), 0_u8..3), 1..4),
    ) {
        let mut data: Vec<Vec<u8>> = written(&choices, Finish::Stop, Usage::default())
            .iter()
            .map(|event| event.data.as_ref().expect("data").to_vec())
            .collect();
        for (event, at, byte, kind) in damage {
            let event = event.index(data.len());
            let bytes = &mut data[event];
            let at = at.index(bytes.len() + 1);
            match kind {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, byte),
                _ => {
                    if let Some(old) = bytes.get_mut(at) {
                        *old = byte;
                    }
                }
            }
        }
        let event = |data| Event { raw: Bytes::new(), name: None, data: Some(Bytes::from(data)) };
        let events: Vec<Event> = data.into_iter().map(event).collect();
        let _ = listen(&events);
        for question in [CHAT, COMPLETION] {
            let mut stream = Translation::new(&envelope(question), Dialect::Chat, 1, "made").stream();
            for event in &events {
                let _ = stream.event(event);
            }
            let _ = stream.end();
        }
    }
}
