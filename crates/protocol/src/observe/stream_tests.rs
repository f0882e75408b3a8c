//! Streams as vendors send them, and what the observer makes of each event.

use super::*;
use crate::dialect::Dialect;
use crate::json;
use crate::sse::{Decoder, Event};
use bytes::Bytes;
use proptest::prelude::*;
use std::fmt::Write as _;

/// What the observer makes of a stream; the same wherever the stream is cut in two.
fn watch(dialect: Dialect, strip_usage: bool, stream: &str) -> String {
    let whole = watch_parts(dialect, strip_usage, &[stream.as_bytes()]);
    for at in 1..stream.len() {
        let (head, tail) = stream.as_bytes().split_at(at);
        assert_eq!(watch_parts(dialect, strip_usage, &[head, tail]), whole, "cut at byte {at}");
    }
    whole
}

/// Runs a stream through decoder and observer; one line for each verdict, and one for what is known at the end.
fn watch_parts(dialect: Dialect, strip_usage: bool, parts: &[&[u8]]) -> String {
    let mut decoder = Decoder::new(1 << 20);
    let mut observer = StreamObserver::new(dialect, strip_usage);
    let mut log = String::new();
    for part in parts {
        decoder.push(Bytes::copy_from_slice(part));
        while let Some(event) = decoder.next().expect("within the limit") {
            let verdict = format!("{:?}", observer.observe(&event));
            let raw = String::from_utf8_lossy(&event.raw);
            let shown: String = raw.trim().replace('\n', " ⏎ ").chars().take(90).collect();
            writeln!(log, "{verdict:<9} {shown}").expect("a string takes everything");
        }
    }
    let Facts { usage, content_events, finish, .. } = observer.facts();
    let usage = usage.map_or("no usage".to_owned(), |u| {
        format!(
            "in {} ({} read, {} written) out {} ({} reasoning)",
            u.input, u.cache_read, u.cache_write, u.output, u.reasoning
        )
    });
    let end = match (observer.ended_well(), observer.terminal_seen()) {
        (true, true) => "end mark",
        (true, false) => "whole",
        (false, true) => "end mark, BROKEN",
        (false, false) => "CUT",
    };
    let finish = finish.map_or("-", Finish::as_str);
    write!(log, "= {end}; {usage}; {content_events} content; finish {finish}")
        .expect("a string takes everything");
    log
}

#[test]
fn an_openai_chat_stream() {
    let stream = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"x1"}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"Hé"},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":2,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":8,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}

data: [DONE]

"#;
    insta::assert_snapshot!(watch(Dialect::Chat, true, stream), @r#"
    Forward   data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini
    Content   data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini
    Forward   data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini
    Withhold  data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini
    Terminal  data: [DONE]
    = end mark; in 19 (8 read, 0 written) out 2 (0 reasoning); 1 content; finish stop
    "#);
    assert_eq!(
        watch(Dialect::Chat, false, stream),
        watch(Dialect::Chat, true, stream).replace("Withhold ", "Forward  "),
        "a client that asked for usage gets it"
    );
}

#[test]
fn tool_calls_reasoning_and_refusals_are_content() {
    let chunk = |delta: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}]}}\n\n")
    };
    let stream: String = [
        r#"{"role":"assistant","content":null}"#,
        r#"{"tool_calls":[]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":""}}]}"#,
        r#"{"reasoning_content":"hm"}"#,
        r#"{"reasoning":"hm"}"#,
        r#"{"reasoning_details":[{"type":"reasoning.text","text":"hm"}]}"#,
        r#"{"refusal":"No."}"#,
        r#"{"function_call":{"name":"f"}}"#,
        r#"{"content":[{"type":"text","text":"a"}]}"#,
        r#"{"c\u006fntent":"escaped"}"#,
        r#"{"vendor_note":"x"}"#,
    ]
    .iter()
    .map(|delta| chunk(delta))
    .collect();
    insta::assert_snapshot!(watch(Dialect::Chat, true, &stream), @r#"
    Forward   data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":n
    Forward   data: {"choices":[{"index":0,"delta":{"tool_calls":[]},"finish_reason":null}]}
    Content   data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":""}
    Content   data: {"choices":[{"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":null}]}
    Content   data: {"choices":[{"index":0,"delta":{"reasoning":"hm"},"finish_reason":null}]}
    Content   data: {"choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","text"
    Content   data: {"choices":[{"index":0,"delta":{"refusal":"No."},"finish_reason":null}]}
    Content   data: {"choices":[{"index":0,"delta":{"function_call":{"name":"f"}},"finish_reason":null}]
    Content   data: {"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"a"}]},"finish_reas
    Content   data: {"choices":[{"index":0,"delta":{"c\u006fntent":"escaped"},"finish_reason":null}]}
    Forward   data: {"choices":[{"index":0,"delta":{"vendor_note":"x"},"finish_reason":null}]}
    = CUT; no usage; 8 content; finish -
    "#);
}

#[test]
fn a_vllm_completions_stream_with_usage_on_every_chunk_and_no_end_mark() {
    let stream = r#"data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":" one","logprobs":null,"finish_reason":null,"stop_reason":null}],"usage":{"prompt_tokens":4,"total_tokens":5,"completion_tokens":1}}

data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"index":1,"text":" uno","logprobs":null,"finish_reason":"length","stop_reason":null}],"usage":{"prompt_tokens":4,"total_tokens":6,"completion_tokens":2}}

data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":"","logprobs":null,"finish_reason":"stop","stop_reason":null}],"usage":{"prompt_tokens":4,"total_tokens":7,"completion_tokens":3}}

"#;
    insta::assert_snapshot!(watch(Dialect::Completions, true, stream), @r#"
    Content   data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"index
    Content   data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"index
    Forward   data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"index
    = whole; in 4 (0 read, 0 written) out 3 (0 reasoning); 2 content; finish stop
    "#);
}

#[test]
fn a_deepseek_stream_with_reasoning_and_its_own_cache_counts() {
    let stream = r#": keep-alive

data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"deepseek-reasoner","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":null,"reasoning_content":"First"},"logprobs":null,"finish_reason":null}]}

data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"deepseek-reasoner","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"4","reasoning_content":null},"logprobs":null,"finish_reason":null}]}

data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"deepseek-reasoner","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"","reasoning_content":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":16},"completion_tokens_details":{"reasoning_tokens":7},"prompt_cache_hit_tokens":16,"prompt_cache_miss_tokens":4}}

data: [DONE]

"#;
    insta::assert_snapshot!(watch(Dialect::Chat, true, stream), @r#"
    Forward   : keep-alive
    Content   data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"deepseek-reasoner","
    Content   data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"deepseek-reasoner","
    Forward   data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"deepseek-reasoner","
    Terminal  data: [DONE]
    = end mark; in 20 (16 read, 0 written) out 9 (7 reasoning); 2 content; finish stop
    "#);
}

#[test]
fn a_responses_stream() {
    let stream = r#"event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","error":null,"incomplete_details":null,"output":[],"usage":null}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","content":[]}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Hi"}

event: response.function_call_arguments.delta
data: {"sequence_number":3,"item_id":"fc_1","output_index":1,"delta":"{\"a\""}

event: response.completed
data: {"type":"response.completed","sequence_number":4,"response":{"id":"resp_1","object":"response","status":"completed","error":null,"output":[{"id":"msg_1","type":"message"}],"usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":4},"output_tokens":87,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":123}}}

"#;
    insta::assert_snapshot!(watch(Dialect::Responses, true, stream), @r#"
    Forward   event: response.created ⏎ data: {"type":"response.created","sequence_number":0,"response":
    Forward   event: response.output_item.added ⏎ data: {"type":"response.output_item.added","sequence_n
    Content   event: response.output_text.delta ⏎ data: {"type":"response.output_text.delta","sequence_n
    Content   event: response.function_call_arguments.delta ⏎ data: {"sequence_number":3,"item_id":"fc_1
    Terminal  event: response.completed ⏎ data: {"type":"response.completed","sequence_number":4,"respon
    = end mark; in 36 (4 read, 0 written) out 87 (5 reasoning); 2 content; finish stop
    "#);
}

#[test]
fn responses_that_stop_early_or_fail() {
    let stream = r#"data: {"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"usage":{"input_tokens":1,"output_tokens":2}}}

data: {"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"It broke"}}}

data: {"type":"error","code":"x","message":"y"}

data: {"error":{"message":"z"}}

"#;
    insta::assert_snapshot!(watch(Dialect::Responses, true, stream), @r#"
    Terminal  data: {"type":"response.incomplete","response":{"status":"incomplete","incomplete_details"
    Error     data: {"type":"response.failed","response":{"status":"failed","error":{"code":"server_erro
    Error     data: {"type":"error","code":"x","message":"y"}
    Error     data: {"error":{"message":"z"}}
    = end mark, BROKEN; in 1 (0 read, 0 written) out 2 (0 reasoning); 0 content; finish other
    "#);
}

#[test]
fn an_anthropic_stream() {
    let stream = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"claude","stop_reason":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":100,"cache_read_input_tokens":1000,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":15}}

event: message_stop
data: {"type":"message_stop"}

"#;
    insta::assert_snapshot!(watch(Dialect::Messages, true, stream), @r#"
    Forward   event: message_start ⏎ data: {"type":"message_start","message":{"id":"msg_1","type":"messa
    Forward   event: content_block_start ⏎ data: {"type":"content_block_start","index":0,"content_block"
    Forward   event: ping ⏎ data: {"type":"ping"}
    Content   event: content_block_delta ⏎ data: {"type":"content_block_delta","index":0,"delta":{"type"
    Forward   event: content_block_stop ⏎ data: {"type":"content_block_stop","index":0}
    Forward   event: message_delta ⏎ data: {"type":"message_delta","delta":{"stop_reason":"tool_use","st
    Terminal  event: message_stop ⏎ data: {"type":"message_stop"}
    = end mark; in 1125 (1000 read, 100 written) out 15 (0 reasoning); 1 content; finish tool_calls
    "#);
    let broken = r#"event: message_start
data: {"type":"message_start","message":{"usage":{"input_tokens":25,"output_tokens":1}}}

event: error
data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}

"#;
    insta::assert_snapshot!(watch(Dialect::Messages, true, broken), @r#"
    Forward   event: message_start ⏎ data: {"type":"message_start","message":{"usage":{"input_tokens":25
    Error     event: error ⏎ data: {"type":"error","error":{"type":"overloaded_error","message":"Overloa
    = CUT; in 25 (0 read, 0 written) out 1 (0 reasoning); 0 content; finish -
    "#);
}

#[test]
fn errors_within_a_chat_stream_are_known_in_every_shape() {
    let stream = r#"data: {"error":{"message":"boom","type":"server_error"}}

event: error
data: something that is not JSON

data: {"id":"gen-1","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"Provider disconnected"}}

data: {"object":"error","message":"too long","type":"BadRequestError","code":400}

data: {"detail":"Internal Server Error"}

data: {"title":"Bad Gateway","status":502}

data: {"error":null,"choices":[{"index":0,"delta":{"content":"fine"},"finish_reason":null}]}

data: {"choices":[],"message":"not an error","usage":null}

"#;
    insta::assert_snapshot!(watch(Dialect::Chat, true, stream), @r#"
    Error     data: {"error":{"message":"boom","type":"server_error"}}
    Error     event: error ⏎ data: something that is not JSON
    Error     data: {"id":"gen-1","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]
    Error     data: {"object":"error","message":"too long","type":"BadRequestError","code":400}
    Error     data: {"detail":"Internal Server Error"}
    Error     data: {"title":"Bad Gateway","status":502}
    Content   data: {"error":null,"choices":[{"index":0,"delta":{"content":"fine"},"finish_reason":null}
    Forward   data: {"choices":[],"message":"not an error","usage":null}
    = CUT; no usage; 1 content; finish other
    "#);
}

#[test]
fn what_is_not_a_json_object_is_malformed_and_leaves_no_trace() {
    let stream = r#"data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]

data: {"choices":[{"index":0,"text":"a"}],"usage":{"prompt_tokens":9,"completion_tokens":9}} x

data: "text"

data: [1]

data: <html>

data: {"choices":[{"delta":{"content":"a
data: b"}}]}

data:

data: {"choices":[{"index":0,"delta":{"content":
data: "two lines"},"finish_reason":null}]}

"#;
    insta::assert_snapshot!(watch(Dialect::Chat, true, stream), @r#"
    Malformed data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]
    Malformed data: {"choices":[{"index":0,"text":"a"}],"usage":{"prompt_tokens":9,"completion_tokens":9
    Malformed data: "text"
    Malformed data: [1]
    Malformed data: <html>
    Malformed data: {"choices":[{"delta":{"content":"a ⏎ data: b"}}]}
    Withhold  data:
    Content   data: {"choices":[{"index":0,"delta":{"content": ⏎ data: "two lines"},"finish_reason":null
    = CUT; no usage; 1 content; finish -
    "#);
    let not_utf8 = b"data: {\"choices\":[{\"text\":\"\xff\"}]}\n\n";
    let mut decoder = Decoder::new(1 << 20);
    decoder.push(Bytes::from_static(not_utf8));
    let event = decoder.next().expect("small").expect("whole");
    assert_eq!(StreamObserver::new(Dialect::Completions, true).observe(&event), Verdict::Malformed);
}

#[test]
fn a_stream_is_whole_only_when_every_choice_has_finished() {
    let chunk = |index: &str, finish: &str| {
        format!("data: {{\"choices\":[{{\"index\":{index},\"text\":\"a\",\"finish_reason\":{finish}}}]}}\n\n")
    };
    let ends = |chunks: &[(&str, &str)]| {
        let stream: String = chunks.iter().map(|(index, finish)| chunk(index, finish)).collect();
        watch(Dialect::Completions, true, &stream)
            .lines()
            .last()
            .is_some_and(|end| end.starts_with("= whole"))
    };
    assert!(!ends(&[]));
    assert!(!ends(&[("0", "null")]));
    assert!(ends(&[("0", "null"), ("0", "\"stop\"")]));
    assert!(!ends(&[("0", "\"stop\""), ("1", "null")]));
    assert!(ends(&[("1", "null"), ("0", "\"stop\""), ("1", "\"abort\"")]));
    assert!(!ends(&[("0", "\"\"")]), "an empty reason is none");
    assert!(ends(&[("127", "\"stop\"")]));
    assert!(!ends(&[("0", "\"stop\""), ("128", "\"stop\"")]), "past what is followed");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn exactly_what_is_not_a_json_object_is_malformed(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 1..24),
        dialect in prop::sample::select(&Dialect::ALL[..]),
    ) {
        let data = pieces.concat();
        let event = Event { raw: Bytes::new(), name: None, data: Some(Bytes::from(data.clone())) };
        let verdict = StreamObserver::new(dialect, true).observe(&event);
        if data.trim().is_empty() {
            prop_assert_eq!(verdict, Verdict::Withhold);
            return Ok(());
        }
        let is_object = json::validate(data.as_bytes()).is_ok() && data.trim().starts_with('{');
        prop_assert_eq!(verdict == Verdict::Malformed, !is_object, "{}: {:?}", data, verdict);
    }
}

/// Enough pieces to meet valid objects by chance, and every member that is looked at.
const PIECES: &[&str] = &[
    "{",
    "}",
    "{}",
    "[",
    "]",
    ",",
    ":",
    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]",
    "\"usage\":{\"prompt_tokens\":1}",
    "{\"usage\":",
    "{\"choices\":",
    "{\"error\":",
    "{\"response\":",
    "{\"message\":",
    "{\"delta\":",
    "{\"type\":",
    "null",
    "1e400",
    "\"x\"",
    "-",
    "\u{0}",
    " ",
];
