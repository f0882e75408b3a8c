//! Answers that look whole and are damaged within.

use super::*;

/// Each answer in its place in the frame, plain and as the one event of a stream that says anything.
fn chat(choice: &str, expected: Result<(), Unfit>) {
    let body = format!(r#"{{"id":"c","choices":[{choice}],"usage":{{"completion_tokens":9}}}}"#);
    assert_eq!(plain(Dialect::Chat, body.as_bytes()), expected, "{choice}");
    let events = format!("data: {}\n\ndata: [DONE]\n\n", body.replace("\"message\"", "\"delta\""));
    assert_eq!(stream(Dialect::Chat, events.as_bytes()), expected, "stream of {choice}");
}

#[test]
fn every_item_of_embeddings_holds_a_vector() {
    use Unfit::{Empty, Error, Incomplete};
    for (items, expected) in [
        (r#"{"object":"embedding","index":0,"embedding":[0.5,-1,2e-9]}"#, Ok(())),
        (r#"{"embedding":[ 1 , 2 ],"error":null}"#, Ok(())),
        (r#"{"embedding":[1]},{"embedding":[2]}"#, Ok(())),
        (r#"{"embedding":"AACAPw=="}"#, Ok(())),
        (r#"{"embedding":[[0.5,1],[2,3]]}"#, Ok(())),
        (r#"{"embedding":null}"#, Err(Incomplete)),
        (r#"{"embedding":[]}"#, Err(Incomplete)),
        (r#"{"embedding":""}"#, Err(Incomplete)),
        (r#"{"embedding":7}"#, Err(Incomplete)),
        (r#"{"embedding":{"0":0.5}}"#, Err(Incomplete)),
        (r#"{"embedding":[null,null]}"#, Err(Incomplete)),
        (r#"{"embedding":[0.5,null]}"#, Err(Incomplete)),
        (r#"{"embedding":[0.5,"NaN"]}"#, Err(Incomplete)),
        (r#"{"embedding":[0.5,true]}"#, Err(Incomplete)),
        (r#"{"embedding":[0.5,NaN]}"#, Err(Incomplete)),
        (r#"{"embedding":[[0.5],[]]}"#, Err(Incomplete)),
        (r#"{"embedding":[[0.5],[null]]}"#, Err(Incomplete)),
        (r#"{"embedding":[[0.5],1]}"#, Err(Incomplete)),
        (r#"{"embedding":[1]},{"embedding":null}"#, Err(Incomplete)),
        (r#"{"embedding":null},{"embedding":[1]}"#, Err(Incomplete)),
        (r#"{"index":0}"#, Err(Incomplete)),
        ("null,7", Err(Incomplete)),
        (r#"{"embedding":[1]},[1]"#, Err(Incomplete)),
        (r#"{"embedding":[1]},{"error":{"message":"overloaded"}}"#, Err(Error)),
        (r#"{"embedding":[1],"error":"overloaded"}"#, Err(Error)),
        ("", Err(Empty)),
    ] {
        let body = format!(r#"{{"object":"list","data":[{items}],"model":"m"}}"#);
        assert_eq!(plain(Dialect::Embeddings, body.as_bytes()), expected, "{items}");
    }
    for (body, expected) in [
        (r#"{"data":[{"embedding":[1]}],"error":null}"#, Ok(())),
        (r#"{"data":[{"embedding":[1]}],"error":{"code":1}}"#, Err(Error)),
        (r#"{"object":"error","message":"no"}"#, Err(Error)),
        (r#"{"data":{"embedding":[1]}}"#, Err(Incomplete)),
        (r#"{"data":[{"embedding":[1]}]}]"#, Err(Incomplete)),
        (r#"{"data":[{"embedding":[1,"#, Err(Incomplete)),
        ("[1]", Err(Incomplete)),
    ] {
        assert_eq!(plain(Dialect::Embeddings, body.as_bytes()), expected, "{body}");
    }
}

#[test]
fn an_error_within_a_chat_answer_spoils_it() {
    use Unfit::{Error, Incomplete};
    for (choice, expected) in [
        (r#"{"index":0,"message":{"content":"a"},"finish_reason":"stop","error":null}"#, Ok(())),
        (r#"{"index":0,"message":{"content":"a","error":{}},"finish_reason":"stop"}"#, Ok(())),
        (r#"{"index":0,"message":{"content":"a"},"finish_reason":"stop","error":{"code":502}}"#, Err(Error)),
        (r#"{"error":"late","message":{"content":"a"},"finish_reason":"stop"}"#, Err(Error)),
        (r#"{"index":0,"message":{"content":"a","error":{"code":1}},"finish_reason":"stop"}"#, Err(Error)),
        // The gravest reason is named.
        (r#"{"error":{"code":502},"message":{},"finish_reason":"error"}"#, Err(Error)),
        (r#"{"index":0,"message":{"content":{"error":"x"}},"finish_reason":"stop"}"#, Err(Incomplete)),
        (r#"{"index":0,"message":{"content":7},"finish_reason":"stop"}"#, Err(Incomplete)),
        (r#"{"index":0,"message":{"content":[{"type":"text","text":"a"}]},"finish_reason":"stop"}"#, Ok(())),
        (r#"{"index":0,"message":null,"finish_reason":"stop"}"#, Err(Incomplete)),
        (r#"{"index":0,"finish_reason":"stop"}"#, Err(Incomplete)),
        (r#"{"index":0,"text":"","finish_reason":"stop"}"#, Ok(())),
        (r#"{"index":0,"text":null,"finish_reason":"stop"}"#, Err(Incomplete)),
        (r#"{"index":0,"text":["a"],"finish_reason":"stop"}"#, Err(Incomplete)),
        ("null", Err(Incomplete)),
    ] {
        chat(choice, expected);
    }
}

#[test]
fn a_chat_answer_that_ends_for_calls_has_calls_that_run() {
    use Unfit::ToolCall;
    let call = r#"[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]"#;
    let choice = |message: &str, reason: &str| {
        format!(r#"{{"index":0,"message":{{"content":null,{message}}},"finish_reason":"{reason}"}}"#)
    };
    for (message, reason, expected) in [
        (format!(r#""tool_calls":{call}"#), "tool_calls", Ok(())),
        // What the calls say counts, not the word for the end.
        (format!(r#""tool_calls":{call}"#), "stop", Ok(())),
        (format!(r#""tool_calls":{call}"#).replace("{}", "{"), "stop", Err(ToolCall)),
        (format!(r#""tool_calls":{call}"#).replace("{}", "{"), "length", Err(ToolCall)),
        (format!(r#""tool_calls":{call}"#).replace("\"f\"", "\"\""), "tool_calls", Err(ToolCall)),
        (format!(r#""tool_calls":{call}"#).replace("\"f\"", "null"), "stop", Err(ToolCall)),
        (format!(r#""tool_calls":{call}"#).replace("\"name\":\"f\",", ""), "tool_calls", Err(ToolCall)),
        (r#""tool_calls":[]"#.into(), "tool_calls", Err(ToolCall)),
        (r#""tool_calls":null"#.into(), "tool_calls", Err(ToolCall)),
        (r#""tool_calls":null"#.into(), "stop", Ok(())),
        (r#""role":"assistant""#.into(), "tool_calls", Err(ToolCall)),
        (r#""role":"assistant""#.into(), "function_call", Err(ToolCall)),
        (r#""tool_calls":[{"id":"a","type":"function"}]"#.into(), "tool_calls", Err(ToolCall)),
        (r#""tool_calls":[{"id":"a","type":"function","function":null}]"#.into(), "stop", Err(ToolCall)),
        (r#""tool_calls":[{"id":"a","custom":{"name":"f","input":"{"}}]"#.into(), "tool_calls", Ok(())),
        (r#""tool_calls":[{"id":"a","custom":{}}]"#.into(), "tool_calls", Err(ToolCall)),
        (r#""tool_calls":[null]"#.into(), "tool_calls", Err(ToolCall)),
        (r#""tool_calls":[7]"#.into(), "stop", Err(ToolCall)),
        (r#""tool_calls":{"function":{"name":"f"}}"#.into(), "tool_calls", Err(ToolCall)),
        (r#""tool_calls":"f()""#.into(), "stop", Err(ToolCall)),
        (r#""function_call":{"name":"f","arguments":"{}"}"#.into(), "function_call", Ok(())),
        (r#""function_call":{"arguments":"{}"}"#.into(), "function_call", Err(ToolCall)),
        (r#""function_call":"f""#.into(), "function_call", Err(ToolCall)),
        (r#""function_call":null"#.into(), "function_call", Err(ToolCall)),
        (r#""function_call":null"#.into(), "stop", Ok(())),
    ] {
        chat(&choice(&message, reason), expected);
    }
    // Each choice keeps its own word.
    let first = choice(&format!(r#""tool_calls":{call}"#), "tool_calls");
    let second = choice("\"role\":null", "tool_calls").replacen(":0", ":1", 1);
    chat(&format!("{first},{second}"), Err(ToolCall));
    chat(&format!("{first},{}", second.replace("tool_calls", "stop")), Ok(()));
}

#[test]
fn a_damaged_responses_answer_is_known_by_its_items() {
    use Unfit::{Error, Incomplete, ToolCall};
    let text = r#"{"type":"message","status":"completed","content":[{"type":"output_text","text":"Hi"}]}"#;
    let call = r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{}","status":"completed"}"#;
    let custom = r#"{"type":"custom_tool_call","call_id":"c","name":"f","input":"{"}"#;
    let search = r#"{"type":"web_search_call","status":"completed"}"#;
    for (item, expected) in [
        (text.into(), Ok(())),
        (text.replace("\"completed\"", "null"), Ok(())),
        (text.replace("completed", "incomplete"), Err(Incomplete)),
        (text.replace("completed", "in_progress"), Err(Incomplete)),
        (text.replace("completed", "failed"), Err(Error)),
        (text.replace("\"Hi\"", "7"), Err(Incomplete)),
        (text.replace("\"Hi\"", "\"Hi\",\"error\":\"x\""), Err(Error)),
        (r#"{"type":"message","content":[null]}"#.into(), Err(Incomplete)),
        (r#"{"type":"message","content":null}"#.into(), Err(Incomplete)),
        ("null".into(), Err(Incomplete)),
        ("{}".into(), Err(Incomplete)),
        (call.into(), Ok(())),
        (call.replace("{}", ""), Ok(())),
        (call.replace(",\"arguments\":\"{}\"", ""), Err(ToolCall)),
        (call.replace("\"{}\"", "null"), Err(ToolCall)),
        (call.replace("\"{}\"", "{}"), Err(ToolCall)),
        (call.replace("\"name\":\"f\",", ""), Err(ToolCall)),
        (call.replace("\"f\"", "\"\""), Err(ToolCall)),
        (custom.into(), Ok(())),
        (custom.replace(",\"input\":\"{\"", ""), Err(ToolCall)),
        (custom.replace("\"f\"", "null"), Err(ToolCall)),
        (search.into(), Ok(())),
        (search.replace("completed", "failed"), Err(Error)),
        (r#"{"type":"mcp_call","name":"f","arguments":"{}","output":"a","error":null}"#.into(), Ok(())),
        (r#"{"type":"mcp_call","name":"f","arguments":"{}","error":"HTTP 500"}"#.into(), Err(Error)),
    ] {
        responses(&item, "completed", expected);
        responses(&format!("{text},{item}"), "completed", expected);
    }
    // Where the limit cut the whole, the last item is cut with it; a call that is cut cannot be run.
    responses(&text.replace("completed", "incomplete"), "incomplete", Ok(()));
    responses(&call.replace("completed", "incomplete").replace("{}", ""), "incomplete", Err(ToolCall));
}

/// The answer alone, at the end of a stream, and with its items in events before a last one without them.
fn responses(items: &str, status: &str, expected: Result<(), Unfit>) {
    let body = |items: &str| {
        format!(
            r#"{{"object":"response","status":"{status}","error":null,"incomplete_details":{{"reason":"max_output_tokens"}},"output":[{items}],"usage":{{"output_tokens":9}}}}"#
        )
    };
    let last =
        |items: &str| format!("data: {{\"type\":\"response.{status}\",\"response\":{}}}\n\n", body(items));
    assert_eq!(plain(Dialect::Responses, body(items).as_bytes()), expected, "{items}");
    assert_eq!(stream(Dialect::Responses, last(items).as_bytes()), expected, "stream of {items}");
    let items: serde_json::Value = serde_json::from_str(&format!("[{items}]")).expect("JSON");
    let done = |item: &serde_json::Value| {
        format!("data: {{\"type\":\"response.output_item.done\",\"item\":{item}}}\n\n")
    };
    let events = items.as_array().expect("array").iter().map(done).collect::<String>() + &last("");
    assert_eq!(stream(Dialect::Responses, events.as_bytes()), expected, "{events}");
}

#[test]
fn an_error_within_a_responses_stream_spoils_it() {
    let last = r#"data: {"type":"response.completed","response":{"status":"completed","error":null,"output":[{"type":"message","content":[{"type":"output_text","text":"Hi"}]}]}}"#;
    let failed = "data: {\"type\":\"response.mcp_call.failed\",\"output_index\":0}";
    for (events, expected) in [
        (last.to_owned(), Ok(())),
        (last.replace("null", "{\"code\":\"server_error\"}"), Err(Unfit::Error)),
        (format!("{failed}\n\n{last}"), Err(Unfit::Error)),
    ] {
        assert_eq!(stream(Dialect::Responses, format!("{events}\n\n").as_bytes()), expected, "{events}");
    }
}

#[test]
fn a_damaged_message_is_known_by_its_blocks() {
    use Unfit::{Error, Incomplete, ToolCall};
    let text = r#"{"type":"text","text":"Hi"}"#;
    let call = r#"{"type":"tool_use","id":"t","name":"f","input":{"a":1}}"#;
    let searched = r#"{"type":"web_search_tool_result","tool_use_id":"s","content":[{"type":"web_search_result","url":"u"}]}"#;
    let failed = r#"{"type":"web_search_tool_result","tool_use_id":"s","content":{"type":"web_search_tool_result_error","error_code":"unavailable"}}"#;
    let mcp = r#"{"type":"mcp_tool_result","is_error":false,"content":[{"type":"text","text":"a"}]}"#;
    for (block, reason, expected) in [
        (text.to_owned(), "end_turn", Ok(())),
        (text.into(), "tool_use", Err(ToolCall)),
        (text.replace("\"Hi\"", "{}"), "end_turn", Err(Incomplete)),
        (text.replace("}", ",\"error\":{\"type\":\"overloaded_error\"}}"), "end_turn", Err(Error)),
        ("null".into(), "end_turn", Err(Incomplete)),
        (r#"{"text":"Hi"}"#.into(), "end_turn", Err(Incomplete)),
        (call.into(), "tool_use", Ok(())),
        (call.into(), "max_tokens", Ok(())),
        (call.replace("{\"a\":1}", "{\"error\":\"an argument\"}"), "tool_use", Ok(())),
        (call.replace("\"f\"", "\"\""), "tool_use", Err(ToolCall)),
        (call.replace("\"name\":\"f\",", ""), "tool_use", Err(ToolCall)),
        (call.replace("{\"a\":1}", "\"{}\""), "tool_use", Err(ToolCall)),
        (call.replace("{\"a\":1}", "[1]"), "tool_use", Err(ToolCall)),
        (call.replace("tool_use", "server_tool_use").replace("\"f\"", "null"), "end_turn", Err(ToolCall)),
        (searched.into(), "end_turn", Ok(())),
        (failed.into(), "end_turn", Err(Error)),
        (mcp.into(), "end_turn", Ok(())),
        (mcp.replace("false", "true"), "end_turn", Err(Error)),
    ] {
        let body = format!(
            r#"{{"type":"message","content":[{text},{block}],"stop_reason":"{reason}","usage":{{"output_tokens":9}}}}"#
        );
        assert_eq!(plain(Dialect::Messages, body.as_bytes()), expected, "{body}");
        let events = message(&block, &[], reason);
        assert_eq!(stream(Dialect::Messages, events.as_bytes()), expected, "{events}");
    }
    let absent = call.replace(",\"input\":{\"a\":1}", "");
    let body = format!(r#"{{"content":[{absent}],"stop_reason":"tool_use"}}"#);
    assert_eq!(plain(Dialect::Messages, body.as_bytes()), Err(ToolCall));
    for (pieces, expected) in [
        (&[][..], Ok(())),
        (&["{\"a\"", ":1}"], Ok(())),
        (&["{\"a\""], Err(ToolCall)),
        (&["7"], Err(ToolCall)),
    ] {
        let events = message(&absent, pieces, "tool_use");
        assert_eq!(stream(Dialect::Messages, events.as_bytes()), expected, "{events}");
    }
}

/// A stream with this block, and these pieces of its input.
fn message(block: &str, pieces: &[&str], reason: &str) -> String {
    let pieces = pieces.iter().map(|piece| {
        let piece = serde_json::Value::from(*piece);
        format!(r#"{{"type":"content_block_delta","index":1,"delta":{{"type":"input_json_delta","partial_json":{piece}}}}}"#)
    });
    let events = [
        r#"{"type":"message_start","message":{"content":[],"stop_reason":null}}"#.to_owned(),
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#.to_owned(),
        format!(r#"{{"type":"content_block_start","content_block":{block},"index":1}}"#),
    ];
    let end = [
        r#"{"type":"content_block_stop","index":1}"#.to_owned(),
        format!(
            r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}"}},"usage":{{"output_tokens":9}}}}"#
        ),
        r#"{"type":"message_stop"}"#.to_owned(),
    ];
    events.into_iter().chain(pieces).chain(end).map(|event| format!("data: {event}\n\n")).collect()
}

#[test]
fn an_error_within_a_message_stream_spoils_it() {
    let whole = message(r#"{"type":"text","text":"Hi"}"#, &[], "end_turn");
    for (from, to, expected) in [
        ("", "", Ok(())),
        ("\"content\":[]", "\"content\":[],\"error\":{\"type\":\"api_error\"}", Err(Unfit::Error)),
        ("\"end_turn\"", "\"end_turn\",\"error\":{\"type\":\"api_error\"}", Err(Unfit::Error)),
        ("message_start", "ping", Err(Unfit::Incomplete)),
    ] {
        let mut events = whole.replacen(from, to, 1);
        if to == "ping" {
            events = events.split_inclusive("\n\n").skip(1).collect();
        }
        assert_eq!(stream(Dialect::Messages, events.as_bytes()), expected, "{events}");
    }
}
