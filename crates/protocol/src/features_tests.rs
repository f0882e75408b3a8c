use super::*;
use crate::dialect::Profile;
use Dialect::{Chat, Completions, CountTokens, Embeddings, Messages, Responses};
use Feature::{Images, Logprobs, Samples, StructuredOutput, Tools};

/// A call of a dialect with further members; a conversation among them goes in place of the usual one.
fn call(dialect: Dialect, more: &str) -> Envelope {
    let own = match dialect {
        Completions => r#""prompt":"an image""#,
        Embeddings => r#""input":"image""#,
        Responses if more.contains("\"input\"") => r#""x":1"#,
        Responses => r#""input":"image""#,
        Chat | Messages | CountTokens if more.contains("\"messages\"") => r#""max_tokens":1"#,
        Chat | Messages | CountTokens => {
            r#""max_tokens":1,"messages":[{"role":"user","content":"an image"}]"#
        }
    };
    let comma = if more.is_empty() { "" } else { "," };
    let body = format!(r#"{{"model":"m",{own}{comma}{more}}}"#);
    Envelope::scan(body.into(), dialect, Profile::Open).expect("a good body")
}

#[track_caller]
fn check(dialect: Dialect, more: &str, expected: &[Feature]) {
    let needs = needs(&call(dialect, more));
    assert_eq!(needs.iter().collect::<Vec<_>>(), expected, "{}: {more}", dialect.as_str());
}

#[test]
fn plain_requests_need_nothing() {
    for dialect in Dialect::ALL {
        check(dialect, "", &[]);
        check(dialect, r#""x":{"tools":[1],"logprobs":true},"stream":true"#, &[]);
        assert!(needs(&call(dialect, "")).is_empty());
    }
}

#[test]
fn tools_are_needed_when_there_are_any() {
    for (more, expected) in [
        (r#""tools":[{"type":"function"}]"#, &[Tools][..]),
        (r#""\u0074ools":[1]"#, &[Tools]),
        (r#""functions":[{"name":"f"}]"#, &[Tools]),
        (r#""tools":[ ]"#, &[]),
        (r#""tools":null,"functions":[]"#, &[]),
        (r#""tools":"all","tool_choice":"auto""#, &[]),
    ] {
        for dialect in [Chat, Responses, Messages] {
            check(dialect, more, expected);
            assert_eq!(has_tools(&call(dialect, more)), !expected.is_empty(), "{more}");
        }
    }
}

#[test]
fn a_picture_is_found_wherever_a_dialect_has_one() {
    for (dialect, more) in [
        (
            Chat,
            r#""messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"u"}}]}]"#,
        ),
        (
            Chat,
            r#""messages":[{"role":"user","content":"x"},{"role":"tool","content":[{"type":"image_url"}]}]"#,
        ),
        (Chat, r#""messages":[{"content":[{"ty\u0070e":"im\u0061ge_url"}],"role":"user"}]"#),
        (
            Messages,
            r#""messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"u"}}]}]"#,
        ),
        (
            Messages,
            r#""messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"image"}]}]}]"#,
        ),
        (Responses, r#""input":[{"role":"user","content":[{"type":"input_image","image_url":"u"}]}]"#),
        (Responses, r#""input":[{"type":"function_call_output","output":[{"type":"input_image"}]}]"#),
        (Responses, r#""input":[{"type":"computer_call_output","output":{"type":"computer_screenshot"}}]"#),
    ] {
        check(dialect, more, &[Images]);
    }
}

#[test]
fn the_word_image_is_no_picture() {
    for (dialect, more) in [
        (Chat, r#""messages":[{"role":"user","content":"{\"type\":\"image_url\"}"}]"#),
        (Chat, r#""messages":[{"role":"user","content":[{"type":"text","text":"image"}]}]"#),
        (
            Chat,
            r#""messages":[{"role":"assistant","tool_calls":[{"function":{"arguments":{"type":"image"}}}]}]"#,
        ),
        (
            Messages,
            r#""messages":[{"role":"user","content":[{"type":"tool_use","input":{"type":"image"}}]}]"#,
        ),
        (Responses, r#""input":[{"type":"image_generation_call"}]"#),
        (Responses, r#""input":[["x",{"type":"input_image"}]]"#),
        (Chat, r#""metadata":{"type":"image"}"#),
        (Embeddings, r#""y":[{"type":"image_url"}]"#),
    ] {
        check(dialect, more, &[]);
    }
}

#[test]
fn structured_output_is_needed_when_the_format_is_json() {
    for (dialect, more, expected) in [
        (Chat, r#""response_format":{"type":"json_schema","json_schema":{}}"#, &[StructuredOutput][..]),
        (Chat, r#""response_format":{"json_schema":{},"type":"json_object"}"#, &[StructuredOutput]),
        (Completions, r#""response_format":{"type":"json_object"}"#, &[StructuredOutput]),
        (Chat, r#""response_format":{"type":"text"}"#, &[]),
        (Chat, r#""response_format":null"#, &[]),
        (Chat, r#""response_format":"json_object""#, &[]),
        (Chat, r#""response_format":{"x":{"type":"json_object"}}"#, &[]),
        (Chat, r#""text":{"format":{"type":"json_object"}}"#, &[]),
        (Responses, r#""text":{"verbosity":"low","format":{"type":"json_schema"}}"#, &[StructuredOutput]),
        (Responses, r#""text":{"format":{"type":"text"}}"#, &[]),
        (Responses, r#""text":{"format":null}"#, &[]),
        (Messages, r#""output_format":{"type":"json_schema","schema":{}}"#, &[StructuredOutput]),
        (Messages, r#""output_config":{"format":{"type":"json_schema"}}"#, &[StructuredOutput]),
        (Messages, r#""output_config":{"effort":"low"}"#, &[]),
    ] {
        check(dialect, more, expected);
    }
}

#[test]
fn logprobs_are_needed_when_they_are_asked_for() {
    for (dialect, more, expected) in [
        (Chat, r#""logprobs":true,"top_logprobs":5"#, &[Logprobs][..]),
        (Chat, r#""logprobs":false,"top_logprobs":0"#, &[]),
        (Chat, r#""logprobs":null,"top_logprobs":null"#, &[]),
        (Chat, r#""logprobs":"true""#, &[]),
        (Completions, r#""logprobs":5"#, &[Logprobs]),
        (Completions, r#""logprobs":0"#, &[Logprobs]),
        (Responses, r#""top_logprobs":3"#, &[Logprobs]),
        (Responses, r#""include":["a",1,"message.output_text.logprobs"]"#, &[Logprobs]),
        (Responses, r#""include":["file_search_call.results"]"#, &[]),
        (Responses, r#""include":"message.output_text.logprobs""#, &[]),
    ] {
        check(dialect, more, expected);
    }
}

#[test]
fn several_answers_are_needed_above_one() {
    for (more, expected) in [
        (r#""n":2"#, &[Samples][..]),
        (r#""n":1,"best_of":4"#, &[Samples]),
        (r#""n":1"#, &[]),
        (r#""n":0"#, &[]),
        (r#""n":null"#, &[]),
    ] {
        check(Completions, more, expected);
    }
}

#[test]
fn needs_are_a_set_in_the_order_of_declaration() {
    let more = r#""n":2,"logprobs":true,"response_format":{"type":"json_object"},"tools":[1],"messages":[{"role":"user","content":[{"type":"image_url"}]}]"#;
    check(Chat, more, &Feature::ALL);
    let needs: Needs = [Samples, Tools, Samples].into_iter().collect();
    assert!(needs.has(Tools) && needs.has(Samples) && !needs.has(Images));
    assert_eq!(needs.iter().map(Feature::as_str).collect::<Vec<_>>(), ["tools", "samples"]);
}
