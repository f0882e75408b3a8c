//! Answers of chat upstreams as completions clients get them.

use bytes::Bytes;

use crate::dialect::Dialect;
use crate::observe::ReplyFault;
use crate::translate::answer_samples::{COMPLETION, envelope, events, lines};
use crate::translate::{Events, StreamFault, Translation};

const WITH_LOGPROBS: &str = r#"{"model":"ours","prompt":"Hi","logprobs":2}"#;

fn translation(question: &str) -> Translation {
    Translation::new(&envelope(question), Dialect::Chat, 1_700_000_000, "made")
}

fn plain(question: &str, body: &str) -> String {
    let written = translation(question).reply(body.as_bytes()).expect("an answer");
    String::from_utf8(written.to_vec()).expect("UTF-8")
}

fn streamed(question: &str, stream: &str) -> String {
    let mut stream_of = translation(question).stream();
    let mut out = Events::default();
    for event in events(stream) {
        out.0.extend(stream_of.event(&event).expect("a chunk"));
    }
    out.0.extend(stream_of.end());
    lines(&out)
}

#[test]
fn a_plain_text_with_its_counts() {
    insta::assert_snapshot!(plain(
        COMPLETION,
        r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000001,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"Hello \"you\"","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":2,"audio_tokens":0}},"service_tier":"default","system_fingerprint":"fp_1"}"#
    ));
}

#[test]
fn several_texts_with_probabilities() {
    let body = r#"{"choices":[{"index":1,"message":{"content":"uno"},"finish_reason":"length"},{"index":0,"message":{"content":"oné two","reasoning_content":"hm"},"logprobs":{"content":[{"token":"oné","logprob":-0.50,"bytes":null,"top_logprobs":[{"token":"oné","logprob":-0.50,"bytes":null},{"token":"\"a\"","logprob":-1e-7,"bytes":null}]},{"token":" two","logprob":-9999.0,"bytes":null,"top_logprobs":[{"token":"\ufffd","logprob":-1.0},{"token":"\ufffd","logprob":-2.0}]}],"refusal":null},"finish_reason":"stop"}]}"#;
    insta::assert_snapshot!(plain(WITH_LOGPROBS, body));
    let unasked = plain(COMPLETION, body);
    assert!(!unasked.contains("token_logprobs") && unasked.contains("\"logprobs\":null"), "{unasked}");
}

#[test]
fn every_reason_is_a_word_that_completions_have() {
    for (choice, expected) in [
        (
            r#"{"message":{"content":"a"},"finish_reason":"content_filter"}"#,
            r#""finish_reason":"content_filter"}"#,
        ),
        (
            r#"{"message":{"content":"a"},"finish_reason":"abort"}"#,
            r#""finish_reason":"stop","native_finish_reason":"abort"}"#,
        ),
        (
            r#"{"message":{"content":"a","tool_calls":[{"id":"x","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}"#,
            r#""finish_reason":"stop","native_finish_reason":"tool_calls"}"#,
        ),
        (
            r#"{"message":{"content":"a"},"finish_reason":"stop","stop_reason":"\n"}"#,
            r#""finish_reason":"stop","stop_reason":"\n"}"#,
        ),
        (r#"{"message":{"content":"a"}}"#, r#""finish_reason":"stop"}"#),
        (
            r#"{"message":{"content":null,"refusal":"a"},"finish_reason":"stop"}"#,
            r#""finish_reason":"stop"}"#,
        ),
    ] {
        let written = plain(COMPLETION, &format!(r#"{{"choices":[{choice}]}}"#));
        assert!(written.contains(expected), "{written}");
        assert!(written.contains(r#"[{"text":"a","index":0,"logprobs":null"#), "{written}");
    }
}

#[test]
fn a_stream_with_probabilities_and_thinking() {
    insta::assert_snapshot!(streamed(
        WITH_LOGPROBS,
        r#"
{"id":"c","created":1,"model":"m","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}
{"id":"c","created":1,"model":"m","system_fingerprint":"fp","choices":[{"index":0,"delta":{"reasoning_content":"hm"},"logprobs":{"content":[{"token":"hm","logprob":-1,"top_logprobs":[]}]},"finish_reason":null}]}
{"id":"c","created":1,"model":"m","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"oné"},"logprobs":{"content":[{"token":"oné","logprob":-0.5,"top_logprobs":[{"token":"one","logprob":-0.5}]}]},"finish_reason":null}]}
{"id":"c","created":1,"model":"m","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":" two"},"logprobs":{"content":[{"token":" two","logprob":-0.25,"top_logprobs":[]}]},"finish_reason":null}]}
{"id":"c","created":1,"model":"m","system_fingerprint":"fp","choices":[{"index":0,"delta":{},"logprobs":{"content":[{"token":"<end>","logprob":-0.1}]},"finish_reason":"length"}]}
{"id":"c","created":1,"model":"m","system_fingerprint":"fp","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":4,"total_tokens":11,"completion_tokens_details":{"reasoning_tokens":1}}}
[DONE]
"#
    ));
}

#[test]
fn a_stream_of_two_choices_without_an_end_mark_gets_one() {
    insta::assert_snapshot!(streamed(
        COMPLETION,
        r#"
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"a\ud83d"}},{"index":1,"delta":{"content":"b"}}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"\ude00"},"finish_reason":"stop"}]}
{"id":"c","created":1,"model":"m","choices":[{"index":1,"delta":{"refusal":"No."},"finish_reason":"content_filter"}]}
"#
    ));
}

#[test]
fn a_stream_that_breaks_off_gets_no_end_mark() {
    let broken = streamed(COMPLETION, r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#);
    assert_eq!(
        broken,
        "{\"id\":\"cmpl-made\",\"object\":\"text_completion\",\"created\":1700000000,\"model\":\"ours\",\"choices\":[{\"text\":\"a\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}]}\n"
    );
}

#[test]
fn errors_are_told_and_nothing_is_written_of_them() {
    let of = translation(COMPLETION);
    assert_eq!(of.reply(br#"{"error":{"message":"x"}}"#), Err(ReplyFault::Error));
    assert_eq!(of.reply(br#"{"choices":[{"message":{"content":1}}]}"#), Err(ReplyFault::Shape("choices")));
    let error = &events(r#"{"error":{"message":"x"}}"#)[0];
    let data = Bytes::from_static(br#"{"error":{"message":"x"}}"#);
    assert_eq!(of.stream().event(error), Err(StreamFault::Error(data)));
    assert_eq!(of.stream().event(&events("{")[0]), Err(StreamFault::Malformed));
}

/// What the contract's schema asks of an answer and of a chunk.
#[test]
fn the_contract_s_schema_holds() {
    let is_count = |value: &serde_json::Value| value.is_u64();
    let bodies = [
        plain(
            COMPLETION,
            r#"{"id":"c","created":1.5,"choices":[{"message":{"content":null}}],"usage":{"prompt_tokens":1}}"#,
        ),
        plain(COMPLETION, r#"{"choices":[]}"#),
        streamed(
            COMPLETION,
            "{\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"error\"}],\"usage\":{\"completion_tokens\":1}}\n[DONE]",
        ),
    ];
    for line in bodies.iter().flat_map(|body| body.lines()).filter(|line| *line != "[DONE]") {
        let answer: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(answer["object"], "text_completion");
        assert!(is_count(&answer["created"]) && answer["model"].is_string(), "{line}");
        for choice in answer["choices"].as_array().expect("choices") {
            assert!(choice["text"].is_string() && is_count(&choice["index"]), "{line}");
            assert!(choice["finish_reason"].is_string() || choice["finish_reason"].is_null(), "{line}");
        }
        if let Some(usage) = answer.get("usage") {
            for name in ["prompt_tokens", "completion_tokens", "total_tokens"] {
                assert!(is_count(&usage[name]), "{line}");
            }
        }
    }
}
