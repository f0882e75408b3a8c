//! How many tokens an answer is said to have, in every dialect and however it is cut.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::observe::{Facts, StreamObserver, observe_reply};
use crate::sse::Event;
use crate::tokens::estimate_text;

/// Prose, code, data, an accent in every third word, no spaces at all, numbers.
const TEXTS: &[&str] = &[
    "A gateway stands between its callers and the models that answer them. It checks who is asking, decides which \
     upstream shall answer, and keeps account of what was used; nothing of it is said to the caller.",
    "fn sum(values: &[u32]) -> u32 {\n    values.iter().filter(|value| **value > 10).sum()\n}\n\n/// \"Quoted\".\n",
    r#"{"type":"object","properties":{"location":{"type":"string","description":"City and country"}},"required":["location"]}"#,
    "Es prüft, wer fragt, und wählt aus, welcher Anbieter für die Größe und Güte der Antwort zuständig wäre.",
    "网关位于调用者与模型之间。它检查谁在提问,决定由哪个上游来回答,并记录所使用的数量。",
    "In 2024 there were 1234567 of them, 42.5 % more than the 866,200 of 1998; see https://example.com/a/b?c=1.",
];

const TALKING: [Dialect; 4] = [Dialect::Completions, Dialect::Chat, Dialect::Responses, Dialect::Messages];

fn stream(dialect: Dialect, events: &[Value]) -> Facts {
    let mut observer = StreamObserver::new(dialect, true);
    for event in events {
        let data = Some(Bytes::from(event.to_string()));
        observer.observe(&Event { raw: Bytes::new(), name: None, data });
    }
    *observer.facts()
}

fn tokens(dialect: Dialect, events: &[Value]) -> u64 {
    stream(dialect, events).content_tokens
}

fn plain(dialect: Dialect, answer: &Value) -> u64 {
    observe_reply(dialect, answer.to_string().as_bytes()).unwrap().content_tokens
}

fn delta(delta: &Value) -> Value {
    json!({"id": "chatcmpl-1", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn piece(dialect: Dialect, text: &str) -> Value {
    match dialect {
        Dialect::Completions => json!({"id": "cmpl-1", "choices": [{"index": 0, "text": text}]}),
        Dialect::Responses => {
            json!({"type": "response.output_text.delta", "item_id": "msg_1", "delta": text, "logprobs": []})
        }
        Dialect::Messages | Dialect::CountTokens => {
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
        }
        Dialect::Chat | Dialect::Embeddings => delta(&json!({"content": text})),
    }
}

fn answer(dialect: Dialect, text: &str) -> Value {
    match dialect {
        Dialect::Completions => json!({"choices": [{"index": 0, "text": text}]}),
        Dialect::Responses => json!({"object": "response", "output": [
            {"id": "msg_1", "type": "message", "role": "assistant",
             "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]}
        ]}),
        Dialect::Messages | Dialect::CountTokens => {
            json!({"role": "assistant", "model": "claude", "content": [{"type": "text", "text": text}]})
        }
        Dialect::Chat | Dialect::Embeddings => {
            json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]})
        }
    }
}

/// Whether two counts differ by no more than a token and 4 %.
fn are_near(one: u64, other: u64) -> bool {
    one.abs_diff(other) <= 1 + one.max(other) * 4 / 100
}

fn cut(text: &str, length: usize) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(length).map(|piece| piece.iter().collect()).collect()
}

#[test]
fn an_answer_has_the_tokens_of_its_text_wherever_a_stream_is_cut() {
    for (text, dialect) in TEXTS.iter().flat_map(|text| TALKING.map(|dialect| (text, dialect))) {
        // As the upstream writes it: a line feed in JSON weighs less than one alone.
        let written = Value::from(*text).to_string();
        let whole = estimate_text(written.trim_matches('"').as_bytes());
        let found = plain(dialect, &answer(dialect, text));
        assert!(are_near(found, whole), "{dialect:?}: {found} for {whole}: {text}");
        for length in 1..=text.chars().count() {
            let pieces = cut(text, length);
            let events: Vec<Value> = pieces.iter().map(|text| piece(dialect, text)).collect();
            let found = tokens(dialect, &events);
            let expected = whole.max(pieces.len().try_into().unwrap());
            assert!(are_near(found, expected), "{dialect:?} by {length}: {found} for {expected}: {text}");
        }
    }
}

#[test]
fn an_event_with_content_has_a_token_at_least() {
    let events = vec![piece(Dialect::Chat, "a"); 100];
    assert_eq!(tokens(Dialect::Chat, &events), 100);
    assert_eq!(plain(Dialect::Chat, &answer(Dialect::Chat, &"a".repeat(100))), 24, "one text, one estimate");
}

#[test]
fn everything_that_a_model_writes_counts() {
    let text = TEXTS[0];
    let whole = estimate_text(text.as_bytes());
    let arguments = format!(r#"{{"note":"{text}"}}"#);
    for said in [
        json!({"content": text}),
        json!({"content": [{"type": "text", "text": text}]}),
        json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]}),
        json!({"refusal": text, "content": null}),
        json!({"reasoning_content": text}),
        json!({"reasoning": text}),
        json!({"reasoning_details": [{"type": "reasoning.text", "text": text, "signature": text}]}),
        json!({"reasoning_details": [{"type": "reasoning.summary", "summary": text, "id": text}]}),
        json!({"reasoning": text, "reasoning_content": text, "reasoning_details": [{"text": text}]}),
        json!({"thinking": text}),
        json!({"audio": {"id": "a", "data": "UklGRg".repeat(200), "transcript": text}}),
        json!({"function_call": {"name": "", "arguments": text}}),
        json!({"tool_calls": [{"index": 0, "id": text, "type": "function", "function": {"arguments": text}}]}),
        json!({"tool_calls": [{"type": "custom", "custom": {"input": text}}]}),
        json!({"tool_calls": [{"function": {"arguments": {"note": text}}}]}),
        json!({"tool_calls": [{"function": {"arguments": arguments}}, {"function": {"name": ""}}]}),
    ] {
        let streamed = tokens(Dialect::Chat, &[delta(&said)]);
        let answered = plain(Dialect::Chat, &json!({"choices": [{"index": 0, "message": said}]}));
        for found in [streamed, answered] {
            // Arguments have some marks on top.
            assert!((whole..=whole + 5).contains(&found), "{found} for {whole}: {said}");
        }
    }
}

#[test]
fn all_choices_count() {
    let text = TEXTS[0];
    let whole = estimate_text(text.as_bytes());
    let both = json!({"choices": [{"index": 0, "text": text}, {"index": 1, "text": text}]});
    assert!(are_near(plain(Dialect::Completions, &both), 2 * whole));
    let chunk =
        |index: u64, text: &String| json!({"choices": [{"index": index, "delta": {"content": text}}]});
    let events: Vec<Value> = cut(text, 7).iter().flat_map(|text| [chunk(0, text), chunk(1, text)]).collect();
    assert!(are_near(tokens(Dialect::Chat, &events), 2 * whole));
}

#[test]
fn what_is_said_again_at_the_end_of_a_stream_does_not_count_again() {
    let text = TEXTS[0];
    let item = json!({"type": "message", "content": [{"type": "output_text", "text": text}]});
    let call = json!({"type": "function_call", "name": "weather", "arguments": text, "call_id": text});
    let call_opens = json!({"type": "function_call", "name": "weather", "arguments": "", "call_id": text});
    let events = [
        json!({"type": "response.created", "response": {"output": []}}),
        json!({"type": "response.output_item.added", "item": {"type": "message", "content": []}}),
        json!({"type": "response.content_part.added", "part": {"type": "output_text", "text": ""}}),
        json!({"type": "response.output_text.delta", "delta": text}),
        json!({"type": "response.output_text.done", "text": text}),
        json!({"type": "response.content_part.done", "part": {"type": "output_text", "text": text}}),
        json!({"type": "response.output_item.done", "item": item}),
        json!({"type": "response.output_item.added", "item": call_opens}),
        json!({"delta": text, "type": "response.function_call_arguments.delta"}),
        json!({"type": "response.function_call_arguments.done", "name": "weather", "arguments": text}),
        json!({"type": "response.output_item.done", "item": call}),
        json!({"type": "response.output_audio.delta", "delta": "UklGRg".repeat(200)}),
        json!({"type": "response.completed", "response": {"output": [item, call], "usage": {"output_tokens": 9}}}),
    ];
    let expected = 2 * estimate_text(text.as_bytes()) + estimate_text(b"weather");
    let found = tokens(Dialect::Responses, &events);
    assert!(are_near(found, expected), "{found} for {expected}");
    let found = plain(Dialect::Responses, &json!({"object": "response", "output": [item, call]}));
    assert!(are_near(found, expected), "{found} for {expected}");
}

#[test]
fn thoughts_and_calls_of_the_messages_api_count_and_what_its_tools_found_does_not() {
    let text = TEXTS[0];
    let found = json!([{"type": "web_search_result", "title": text, "text": text, "content": text}]);
    let result = json!({"type": "web_search_tool_result", "tool_use_id": "t", "content": found});
    let block = |block: &Value| json!({"type": "content_block_start", "index": 0, "content_block": block});
    let delta = |delta: &Value| json!({"type": "content_block_delta", "index": 0, "delta": delta});
    let input = json!({"note": text}).to_string();
    let events = [
        json!({"type": "message_start", "message": {"content": [], "usage": {"output_tokens": 1}}}),
        block(&json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(&json!({"type": "thinking_delta", "thinking": text})),
        delta(&json!({"type": "signature_delta", "signature": "EqQBCgIYAh".repeat(100)})),
        block(&result),
        block(&json!({"type": "tool_use", "id": text, "name": "weather", "input": {}})),
        delta(&json!({"type": "input_json_delta", "partial_json": input})),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 15}}),
    ];
    let expected =
        estimate_text(text.as_bytes()) + estimate_text(b"weather") + estimate_text(input.as_bytes());
    let found = tokens(Dialect::Messages, &events);
    assert!(are_near(found, expected), "{found} for {expected}");
    let content = json!([
        {"type": "thinking", "thinking": text, "signature": text},
        {"type": "redacted_thinking", "data": text},
        result,
        {"type": "tool_use", "id": text, "name": "weather", "input": {"note": text}},
    ]);
    let found = plain(Dialect::Messages, &json!({"content": content}));
    assert!(are_near(found, expected), "{found} for {expected}");
}

#[test]
fn usage_roles_ids_and_ends_have_no_tokens() {
    for (dialect, events) in [
        (
            Dialect::Chat,
            vec![
                delta(&json!({"role": "assistant", "content": "", "refusal": null})),
                delta(&json!({"vendor_note": "something long that nobody has asked for"})),
                json!({"choices": [], "usage": {"prompt_tokens": 900, "completion_tokens": 800}}),
                json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
                json!({"error": {"message": "something long that went wrong"}}),
            ],
        ),
        (Dialect::Messages, vec![json!({"type": "ping"}), json!({"type": "message_stop"})]),
        (
            Dialect::Responses,
            vec![
                json!({"type": "response.in_progress", "response": {"instructions": "Be kind.", "output": []}}),
            ],
        ),
    ] {
        assert_eq!(tokens(dialect, &events), 0, "{dialect:?}");
    }
    let vectors = json!({"data": [{"embedding": [0.1, 0.2]}, {"embedding": "AAAAAA=="}], "usage": {"prompt_tokens": 8}});
    assert_eq!(plain(Dialect::Embeddings, &vectors), 0);
}

#[test]
fn a_malformed_event_leaves_no_tokens() {
    let mut observer = StreamObserver::new(Dialect::Chat, true);
    for data in [
        r#"{"choices":[{"index":0,"delta":{"content":"something that breaks off"}}]"#,
        r#"{"choices":[{"index":0,"delta":{"content":"something that breaks off"#,
        r#"{"choices":[{"index":0,"delta":{"content":"something that goes on"}}]} and on"#,
    ] {
        observer.observe(&Event { raw: Bytes::new(), name: None, data: Some(Bytes::from(data)) });
        assert_eq!(observer.facts().content_tokens, 0, "{data}");
    }
}
