//! Events that are known by their frame, beside the same ones read as a whole.

use super::StreamObserver;
use crate::dialect::Dialect;
use crate::sse::Event;
use bytes::Bytes;
use proptest::prelude::*;

/// Events whose `%` is a piece of the answer, beside others; the same one can come again and again.
const SHAPES: [(Dialect, &str, &[&str]); 3] = [
    (
        Dialect::Chat,
        "",
        &[
            r#"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"%"},"finish_reason":null}]}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{"content":"%"},"finish_reason":null}],"usage":null}"#,
            r#"{"id":"c","choices":[{"index":1,"delta":{"content":"%"}}]}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{"content":"%","content":"%"}}]}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{"reasoning_content":"%"}}]}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{"content":"%","reasoning":"%"}}]}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{"content":"%"}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{"content":"%"},"finish_reason":"stop"}]}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"%"}}]}}]}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"function":{"arguments":{"%":1}}}],"content":"%"}}]}"#,
            r#"{"id":"c","choices":[{"index":0,"text":"%"}]}"#,
            r#"{"id":"c","choices":[],"object":"error","message":"%"}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{"content":"%","reasoning":","}}]}"#,
            r#"{"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":7}}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#,
        ],
    ),
    (
        Dialect::Messages,
        "content_block_delta",
        &[
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%"}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"%"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"%","stop_reason":"end_turn"}}"#,
            r#"{"index":0,"delta":{"text":"%"}}"#,
            r#"{"type":"message_stop","delta":{"text":"%"}}"#,
        ],
    ),
    (
        Dialect::Responses,
        "response.output_text.delta",
        &[
            r#"{"type":"response.output_text.delta","item_id":"i","delta":"%"}"#,
            r#"{"type":"response.audio.delta","item_id":"i","delta":"%"}"#,
            r#"{"item_id":"i","delta":"%"}"#,
            r#"{"type":"response.output_text.delta","sequence_number":1,"delta":"%"}"#,
            r#"{"type":"response.output_text.delta","sequence_number":2,"delta":"%"}"#,
            r#"{"type":"response.output_item.added","item":{"type":"function_call","name":"%"}}"#,
        ],
    ),
];

/// Pieces as they come: words, numbers and marks that go on in the next, escapes, ends of strings, nothing.
const PIECES: [&str; 14] =
    ["!", ",", "", " ", "Two", " words", "12", "34", "é日", r"\n", r"\u00e9", r#"","x":""#, "\u{1}", ":: {}"];

#[test]
fn an_event_like_the_last_is_known_and_no_other() {
    let chat = |piece: &str, more: &str| {
        format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{piece}"}}}}]{more}}}"#)
    };
    let text =
        |piece: &str| format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"text":"{piece}"}}}}"#);
    let numbered = |number: u8| {
        format!(r#"{{"type":"response.output_text.delta","sequence_number":{number},"delta":"a"}}"#)
    };
    let usage = r#","usage":{"prompt_tokens":1,"completion_tokens":2}"#;
    for (dialect, name, first, next, is_known) in [
        (Dialect::Chat, "", chat("one", ""), chat("two", ""), true),
        (Dialect::Chat, "", chat("one", usage), chat("two", usage), true),
        (Dialect::Chat, "", chat("one", ""), chat("two", usage), false),
        (Dialect::Chat, "", chat("", ""), chat("two", ""), false),
        (
            Dialect::Chat,
            "",
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#.into(),
            chat("two", ""),
            false,
        ),
        (Dialect::Messages, "content_block_delta", text("one"), text("two"), true),
        (Dialect::Messages, "content_block_delta", text(r"one\n"), text("two"), true),
        (Dialect::Messages, "content_block_delta", text("one"), text(r"two\n"), false),
        (Dialect::Responses, "", numbered(1), numbered(1), true),
        (Dialect::Responses, "", numbered(1), numbered(2), false),
    ] {
        let mut observer = StreamObserver::new(dialect, true);
        let of = |name: &'static str| (!name.is_empty()).then(|| Bytes::from_static(name.as_bytes()));
        observer.observe(&Event {
            raw: Bytes::new(),
            name: of(name),
            data: Some(Bytes::from(first.clone())),
        });
        assert_eq!(observer.knows(name, &next), is_known, "{first} {next}");
    }
}

proptest! {
    #[test]
    fn an_event_that_is_known_says_what_it_would_say_if_it_were_read(
        shape in 0..SHAPES.len(),
        events in proptest::collection::vec((any::<u8>(), any::<u8>(), 0..3_u8), 0..40),
    ) {
        let (dialect, name, shapes) = SHAPES[shape];
        let (mut observer, mut reader) = (StreamObserver::new(dialect, true), StreamObserver::new(dialect, true));
        let mut at = 0;
        for (chosen, piece, change) in events {
            // Mostly the same as before.
            if change == 0 {
                at = usize::from(chosen) % shapes.len();
            }
            let data = shapes[at].replace('%', PIECES[usize::from(piece) % PIECES.len()]);
            let name = (chosen % 5 > 0 && !name.is_empty()).then(|| Bytes::from_static(name.as_bytes()));
            let data = Some(Bytes::from(data));
            let event = Event { raw: Bytes::new(), name, data };
            reader.forget_frame();
            prop_assert_eq!(observer.observe(&event), reader.observe(&event), "{:?}", event);
            prop_assert_eq!(observer.facts(), reader.facts(), "{:?}", event);
            prop_assert_eq!(observer.ended_well(), reader.ended_well());
        }
    }
}
