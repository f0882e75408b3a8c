use super::*;
use crate::replay;

/// What becomes of a chat answer with this choice and this usage, plain and as a stream.
fn both(choice: &str, usage: &str) -> (Result<(), Unfit>, Result<(), Unfit>) {
    let body = format!(r#"{{"id":"c","choices":[{choice}],"usage":{usage}}}"#);
    let chunk = body.replace("\"message\"", "\"delta\"");
    let events = format!("data: {chunk}\n\ndata: [DONE]\n\n");
    (plain(Dialect::Chat, body.as_bytes()), stream(Dialect::Chat, events.as_bytes()))
}

#[test]
fn a_chat_answer_is_judged_alike_in_both_forms() {
    use Unfit::{Empty, Filtered, Incomplete, Refused, Stopped, ToolCall};
    let ended = |reason: &str| {
        format!(r#"{{"index":0,"message":{{"role":"assistant","content":"Hi"}},"finish_reason":{reason}}}"#)
    };
    let calls = |calls: &str| {
        format!(
            r#"{{"index":0,"message":{{"content":null,"tool_calls":{calls}}},"finish_reason":"tool_calls"}}"#
        )
    };
    let said = |message: &str| format!(r#"{{"finish_reason":"stop","message":{message},"index":0}}"#);
    for (choice, expected) in [
        (ended("\"stop\""), Ok(())),
        (ended("\"length\""), Ok(())),
        (ended("\"tool_calls\""), Err(ToolCall)),
        (ended("\"end_turn\""), Ok(())),
        (ended("null"), Err(Incomplete)),
        (ended("\"\""), Err(Incomplete)),
        (ended("7"), Err(Incomplete)),
        (ended("\"content_filter\""), Err(Filtered)),
        (ended("\"refusal\""), Err(Refused)),
        (ended("\"abort\""), Err(Stopped)),
        (ended("\"error\""), Err(Stopped)),
        (ended("\"something new\""), Err(Stopped)),
        (format!("{},{}", ended("\"stop\""), ended("\"abort\"").replace(":0", ":1")), Err(Stopped)),
        (format!("{},{}", ended("\"stop\""), ended("null").replace(":0", ":1")), Err(Incomplete)),
        (said(r#"{"content":null,"refusal":"No."}"#), Err(Refused)),
        (said(r#"{"content":"","refusal":null}"#), Err(Empty)),
        (said(r#"{"content":null,"tool_calls":[]}"#), Err(Empty)),
        (said(r#"{"content":"","reasoning":"hm"}"#), Ok(())),
        (calls(r#"[{"id":"a","function":{"name":"f","arguments":"{\"a\":1}"}}]"#), Ok(())),
        (calls(r#"[{"id":"a","function":{"name":"f","arguments":""}}]"#), Ok(())),
        (calls(r#"[{"id":"a","function":{"name":"f"}}]"#), Ok(())),
        (calls(r#"[{"id":"a","function":{"name":"f","arguments":"{\"a\":"}}]"#), Err(ToolCall)),
        (calls(r#"[{"id":"a","function":{"name":"f","arguments":{"a":1}}}]"#), Err(ToolCall)),
        (calls(r#"[{"id":"a","type":"custom","custom":{"name":"f","input":"not JSON"}}]"#), Ok(())),
        (said(r#"{"content":null,"function_call":{"name":"f","arguments":"{"}}"#), Err(ToolCall)),
        (said(r#"{"content":null,"function_call":{"name":"f","arguments":"{}"}}"#), Ok(())),
        (String::new(), Err(Incomplete)),
    ] {
        assert_eq!(both(&choice, "null"), (expected, expected), "{choice}");
    }
    let empty = said(r#"{"content":""}"#);
    for (usage, expected) in [
        (r#"{"prompt_tokens":3,"completion_tokens":0}"#, Err(Empty)),
        (r#"{"prompt_tokens":3,"completion_tokens":9}"#, Ok(())),
    ] {
        assert_eq!(both(&empty, usage), (expected, expected), "{usage}");
    }
}

#[test]
fn a_plain_body_has_to_be_one_of_the_dialect() {
    use Unfit::{Empty, Error, Incomplete};
    for (dialect, body, expected) in [
        (Dialect::Chat, r#"{"error":{"message":"x"}}"#, Err(Error)),
        (
            Dialect::Chat,
            r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"error":{"code":1}}"#,
            Err(Error),
        ),
        (
            Dialect::Chat,
            r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"error":null}"#,
            Ok(()),
        ),
        (
            Dialect::Chat,
            r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]"#,
            Err(Incomplete),
        ),
        (Dialect::Chat, r#"{"id":"x"}"#, Err(Incomplete)),
        (Dialect::Chat, "<html>", Err(Incomplete)),
        (Dialect::Completions, r#"{"choices":[{"text":"a","index":0,"finish_reason":"length"}]}"#, Ok(())),
        (Dialect::Completions, r#"{"choices":[{"text":"","index":0,"finish_reason":"stop"}]}"#, Err(Empty)),
        (Dialect::Embeddings, r#"{"data":[{"embedding":[0.5]}]}"#, Ok(())),
        (Dialect::Embeddings, r#"{"data":[]}"#, Err(Empty)),
        (Dialect::Embeddings, r#"{"data":null}"#, Err(Incomplete)),
    ] {
        assert_eq!(plain(dialect, body.as_bytes()), expected, "{body}");
    }
}

#[test]
fn a_stream_has_to_have_come_to_its_end_without_a_fault() {
    use Unfit::{Error, Incomplete, ToolCall};
    let said = "data: {\"choices\":[{\"index\":0,\"text\":\"a\",\"finish_reason\":null}]}\n\n";
    let ended = "data: {\"choices\":[{\"index\":0,\"text\":\"\",\"finish_reason\":\"stop\"}]}\n\n";
    let done = "data: [DONE]\n\n";
    for (events, expected) in [
        (vec![said, ended, done], Ok(())),
        (vec![": keep-alive\n\n", said, "data:\n\n", ended, done], Ok(())),
        (vec![said, ended], Err(Incomplete)),
        (vec![said, done], Err(Incomplete)),
        (vec![done], Err(Incomplete)),
        (vec![], Err(Incomplete)),
        (vec![said, ended, "data: [DONE]\n"], Err(Incomplete)),
        (vec![said, ended, done, "data: {"], Err(Incomplete)),
        (vec![said, "data: {\n\n", ended, done], Err(Incomplete)),
        (vec![said, "data: {\"error\":{\"message\":\"x\"}}\n\n", ended, done], Err(Error)),
        (vec![said, ended, done, "event: error\ndata: {}\n\n"], Err(Error)),
    ] {
        assert_eq!(stream(Dialect::Completions, events.concat().as_bytes()), expected, "{events:?}");
    }
    let piece = |call: u64, arguments: &str| {
        let arguments = serde_json::Value::from(arguments);
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":{call},\"function\":{{\"name\":\"f\",\"arguments\":{arguments}}}}}]}}}}]}}\n\n"
        )
    };
    let end = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n";
    for (pieces, expected) in [
        (vec![(0, "{\"a\""), (1, "{"), (0, ":1}"), (1, "}")], Ok(())),
        (vec![(0, "{\"a\""), (1, "{}")], Err(ToolCall)),
        // Some give all calls the same index.
        (vec![(0, "{}"), (0, "{}")], Err(ToolCall)),
    ] {
        let events: String = pieces.iter().map(|(call, arguments)| piece(*call, arguments)).collect();
        let events = format!("{events}{end}{done}");
        assert_eq!(stream(Dialect::Chat, events.as_bytes()), expected, "{pieces:?}");
    }
}

#[test]
fn responses_are_judged_by_their_status_and_their_items() {
    use Unfit::{Empty, Error, Filtered, Incomplete, Refused, Stopped, ToolCall};
    let text = r#"{"id":"m","type":"message","content":[{"type":"output_text","text":"Hi"}]}"#;
    for (members, expected) in [
        (format!(r#""status":"completed","output":[{text}]"#), Ok(())),
        (
            format!(r#""status":"incomplete","incomplete_details":{{"reason":"max_output_tokens"}},"output":[{text}]"#),
            Ok(()),
        ),
        (
            format!(r#""status":"incomplete","incomplete_details":{{"reason":"content_filter"}},"output":[{text}]"#),
            Err(Filtered),
        ),
        (format!(r#""status":"incomplete","output":[{text}]"#), Err(Stopped)),
        (format!(r#""status":"cancelled","output":[{text}]"#), Err(Stopped)),
        (format!(r#""status":"in_progress","output":[{text}]"#), Err(Incomplete)),
        (format!(r#""output":[{text}]"#), Err(Incomplete)),
        (r#""status":"completed","output":[]"#.to_owned(), Err(Empty)),
        (r#""status":"completed","output":[{"type":"message","content":[]}]"#.to_owned(), Err(Empty)),
        (r#""status":"completed","output":[{"type":"reasoning","summary":[]}]"#.to_owned(), Err(Empty)),
        (
            r#""status":"completed","output":[{"type":"message","content":[{"type":"refusal","refusal":"No"}]}]"#.to_owned(),
            Err(Refused),
        ),
        (r#""status":"completed","output":[{"type":"function_call","name":"f","arguments":"{}"}]"#.to_owned(), Ok(())),
        (
            r#""status":"completed","output":[{"type":"function_call","name":"f","arguments":"{}"},{"type":"function_call","name":"f","arguments":"{"}]"#.to_owned(),
            Err(ToolCall),
        ),
        (
            r#""status":"completed","output":[{"type":"custom_tool_call","name":"f","input":"{"}]"#.to_owned(),
            Ok(()),
        ),
    ] {
        let body = format!(r#"{{"object":"response",{members}}}"#);
        assert_eq!(plain(Dialect::Responses, body.as_bytes()), expected, "{body}");
        let kind = if body.contains("\"incomplete\"") { "response.incomplete" } else { "response.completed" };
        let events = format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"response\":{body}}}\n\n");
        assert_eq!(stream(Dialect::Responses, events.as_bytes()), expected, "{events}");
    }
    let failed = r#"{"object":"response","status":"failed","error":{"code":"x"},"output":[]}"#;
    assert_eq!(plain(Dialect::Responses, failed.as_bytes()), Err(Error));
    // The last event lacks the items; those that came before count.
    let last =
        "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"output\":[]}}\n\n";
    let item = "data: {\"item\":{\"type\":\"function_call\",\"arguments\":\"{\"},\"type\":\"response.output_item.done\"}\n\n";
    assert_eq!(stream(Dialect::Responses, format!("{item}{last}").as_bytes()), Err(ToolCall));
    let refusal = "event: response.refusal.delta\ndata: {\"delta\":\"No\"}\n\n";
    assert_eq!(stream(Dialect::Responses, format!("{refusal}{last}").as_bytes()), Err(Refused));
    assert_eq!(stream(Dialect::Responses, refusal.as_bytes()), Err(Incomplete));
}

#[test]
fn a_message_is_judged_alike_in_both_forms() {
    use Unfit::{Empty, Incomplete, Refused, Stopped};
    let message = |content: &str, reason: &str| {
        format!(
            r#"{{"type":"message","role":"assistant","content":{content},"stop_reason":{reason},"usage":{{"input_tokens":1,"output_tokens":0}}}}"#
        )
    };
    let text = r#"[{"type":"text","text":"Hi"}]"#;
    for (content, reason, expected) in [
        (text, "\"end_turn\"", Ok(())),
        (text, "\"max_tokens\"", Ok(())),
        (text, "\"stop_sequence\"", Ok(())),
        (text, "\"refusal\"", Err(Refused)),
        (text, "\"pause_turn\"", Err(Stopped)),
        (r#"[{"type":"tool_use","id":"t","name":"f","input":{"a":1}}]"#, "\"tool_use\"", Ok(())),
        (r#"[{"type":"text","text":""}]"#, "\"end_turn\"", Err(Empty)),
        ("[]", "\"end_turn\"", Err(Empty)),
    ] {
        let body = message(content, reason);
        assert_eq!(plain(Dialect::Messages, body.as_bytes()), expected, "{body}");
        let events = replay::to_stream(Dialect::Messages, body.as_bytes()).expect("converts").events;
        assert_eq!(stream(Dialect::Messages, &events), expected, "{body}");
    }
    assert_eq!(plain(Dialect::Messages, message(text, "null").as_bytes()), Err(Incomplete));
    assert_eq!(plain(Dialect::Messages, br#"{"content":[{"type":"text","text":"Hi"}]}"#), Err(Incomplete));
}

#[test]
fn the_pieces_of_an_input_have_to_make_json() {
    let events = |pieces: &[&str], last: &str| {
        let start = "data: {\"type\":\"message_start\",\"message\":{}}\n\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"name\":\"f\",\"input\":{}}}\n\n";
        let piece = |piece: &&str| {
            let piece = serde_json::Value::from(*piece);
            format!(
                "data: {{\"delta\":{{\"partial_json\":{piece},\"type\":\"input_json_delta\"}},\"index\":0,\"type\":\"content_block_delta\"}}\n\n"
            )
        };
        let end = "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"}}\n\n";
        format!("{start}{}{end}{last}", pieces.iter().map(piece).collect::<String>())
    };
    let judged = |pieces: &[&str], last| stream(Dialect::Messages, events(pieces, last).as_bytes());
    let stop = "event: message_stop\ndata: {}\n\n";
    assert_eq!(judged(&["{\"a\"", ":1}"], stop), Ok(()));
    assert_eq!(judged(&[], stop), Ok(()));
    assert_eq!(judged(&[""], stop), Ok(()));
    assert_eq!(judged(&["{\"a\""], stop), Err(Unfit::ToolCall));
    assert_eq!(judged(&["{}"], ""), Err(Unfit::Incomplete));
}
