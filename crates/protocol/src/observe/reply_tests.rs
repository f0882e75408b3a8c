use super::*;
use crate::observe::Finish;
use crate::usage::Usage;

/// `content` is how many tokens its text is estimated at, where there is any content: 0 for a whole answer that brings
/// its count.
fn facts(input: u64, output: u64, content: Option<u64>, finish: Option<Finish>) -> Result<Facts, ReplyFault> {
    let usage = Some(Usage { input, output, ..Usage::default() });
    let content_events = u64::from(content.is_some());
    Ok(Facts { usage, content_events, content_tokens: content.unwrap_or_default(), finish })
}

#[test]
fn plain_answers_of_every_dialect_are_believed() {
    for (dialect, body, expected) in [
        (
            Dialect::Completions,
            r#"{"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"text":" a","index":0,"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
            facts(1, 2, Some(0), Some(Finish::Length)),
        ),
        (
            Dialect::Chat,
            r#" {"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2}} "#,
            facts(1, 2, Some(0), Some(Finish::ToolCalls)),
        ),
        (
            Dialect::Chat,
            r#"{"error":null,"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":0}}"#,
            facts(1, 0, None, None),
        ),
        (
            Dialect::Embeddings,
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2e-3]}],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}"#,
            facts(8, 0, Some(0), None),
        ),
        (
            Dialect::Responses,
            r#"{"id":"r","object":"response","status":"completed","error":null,"output":[{"type":"message"}],"usage":{"input_tokens":1,"output_tokens":2}}"#,
            facts(1, 2, Some(0), Some(Finish::Stop)),
        ),
        (
            Dialect::Responses,
            r#"{"object":"response","status":"queued","error":null,"usage":{"input_tokens":0}}"#,
            facts(0, 0, None, None),
        ),
        (
            Dialect::Messages,
            r#"{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}"#,
            facts(1, 2, Some(0), Some(Finish::Stop)),
        ),
    ] {
        assert_eq!(observe_reply(dialect, body.as_bytes()), expected, "{dialect:?}");
    }
}

#[test]
fn a_success_that_is_not_an_answer_is_a_fault_with_a_short_text() {
    for (dialect, body, expected) in [
        (Dialect::Chat, "", "the answer is not valid JSON: unexpected end at byte 0"),
        (Dialect::Chat, "<html></html>", "the answer is not valid JSON: expected an object at byte 0"),
        (Dialect::Chat, "[]", "the answer is not valid JSON: expected an object at byte 0"),
        (Dialect::Chat, r#"{"choices":[]"#, "the answer is not valid JSON: unexpected end at byte 13"),
        (Dialect::Chat, r#"{"choices":[]}{}"#, "the answer is not valid JSON: expected the end at byte 14"),
        (Dialect::Chat, "{}", "the answer has no `choices` array"),
        (Dialect::Completions, r#"{"choices":{}}"#, "the answer has no `choices` array"),
        (Dialect::Completions, r#"{"choices":[],"choices":null}"#, "the answer has no `choices` array"),
        (
            Dialect::Chat,
            r#"{"error":{"message":"secret"}}"#,
            "the answer is an error with the status of a success",
        ),
        (
            Dialect::Chat,
            r#"{"object":"error","message":"x"}"#,
            "the answer is an error with the status of a success",
        ),
        (Dialect::Embeddings, r#"{"data":{}}"#, "the answer has no `data` array"),
        (Dialect::Responses, r#"{"object":"list"}"#, "the answer has no `output` array"),
        (Dialect::Messages, r#"{"content":"x"}"#, "the answer has no `content` array"),
        (
            Dialect::Messages,
            r#"{"type":"error","error":{}}"#,
            "the answer is an error with the status of a success",
        ),
    ] {
        let fault = observe_reply(dialect, body.as_bytes()).expect_err(body);
        assert_eq!(fault.to_string(), expected, "{body}");
    }
}

#[test]
fn of_two_usage_objects_the_last_counts() {
    let body = r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1},"usage":{"prompt_tokens":5,"completion_tokens":6}}"#;
    assert_eq!(observe_reply(Dialect::Chat, body.as_bytes()), facts(5, 6, None, None));
}

#[test]
fn the_text_is_weighed_where_its_count_is_missing_or_may_be_of_half_of_it() {
    let text = "Two words, and then some more of them.";
    let choice =
        |finish: &str| format!(r#"{{"index":0,"message":{{"content":"{text}"}},"finish_reason":{finish}}}"#);
    for (finish, usage, is_weighed) in [
        (r#""stop""#, r#"{"prompt_tokens":1,"completion_tokens":2}"#, false),
        (r#""stop""#, "null", true),
        ("null", r#"{"prompt_tokens":1,"completion_tokens":2}"#, true),
    ] {
        let body = format!(r#"{{"choices":[{}],"usage":{usage}}}"#, choice(finish));
        let told = observe_reply(Dialect::Chat, body.as_bytes()).expect(&body).content_tokens;
        let expected = if is_weighed { crate::tokens::estimate_text(text.as_bytes()) } else { 0 };
        assert_eq!(told, expected, "{body}");
    }
}

#[test]
fn megabytes_of_numbers_are_read() {
    let numbers = "0.0123456789,".repeat(100_000);
    let body = format!(r#"{{"data":[{{"embedding":[{numbers}0]}}],"usage":{{"prompt_tokens":8}}}}"#);
    assert_eq!(observe_reply(Dialect::Embeddings, body.as_bytes()), facts(8, 0, Some(0), None));
}
