//! Whole answers of the Messages API, in the shapes of its public documentation, and what is read in them.

use std::fmt::Write as _;

use super::read_reply;
use super::reply_samples::shown_reply;

/// A message with this content, these members of the end and this usage.
fn message(content: &str, stop: &str, usage: &str) -> String {
    format!(
        r#"{{"id":"msg_01A","type":"message","role":"assistant","model":"claude-opus-4-6","content":{content},{stop},"usage":{usage}}}"#
    )
}

const END_TURN: &str = r#""stop_reason":"end_turn","stop_sequence":null"#;
const USAGE: &str = r#"{"input_tokens":12,"output_tokens":6}"#;

fn read_cases() -> Vec<(&'static str, String)> {
    vec![
        ("plain text", message(r#"[{"type":"text","text":"Hi! \u00e9"}]"#, END_TURN, USAGE)),
        (
            "a tool is used after a text",
            message(
                r#"[{"type":"text","text":"Let me look."},{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{"city": "Oslo", "days": 1.50},"caller":{"type":"direct"}}]"#,
                r#""stop_reason":"tool_use","stop_sequence":null"#,
                USAGE,
            ),
        ),
        (
            "two tools at once, one without arguments",
            message(
                r#"[{"type":"tool_use","id":"toolu_1","name":"now","input":{}},{"type":"tool_use","id":"toolu_2","name":"roll","input":{"n":2}}]"#,
                r#""stop_reason":"tool_use","stop_sequence":null"#,
                USAGE,
            ),
        ),
        (
            "thinking with its signature",
            message(
                r#"[{"type":"thinking","thinking":"27 * 453…","signature":"EqQBCg=="},{"type":"text","text":"12231"}]"#,
                END_TURN,
                r#"{"input_tokens":20,"output_tokens":90,"output_tokens_details":{"thinking_tokens":71}}"#,
            ),
        ),
        (
            "redacted thinking, and thinking whose text is not shown",
            message(
                r#"[{"type":"redacted_thinking","data":"EmwKAh"},{"type":"thinking","thinking":"","signature":"Er8B"},{"type":"text","text":"Yes."}]"#,
                END_TURN,
                USAGE,
            ),
        ),
        (
            "a refusal with details",
            message(
                "[]",
                r#""stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":"cyber","explanation":"Not this."}"#,
                r#"{"input_tokens":12,"output_tokens":1}"#,
            ),
        ),
        (
            "a refusal in the middle, without an explanation",
            message(
                r#"[{"type":"text","text":"First, "}]"#,
                r#""stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":null,"explanation":null}"#,
                USAGE,
            ),
        ),
        (
            "cut off by max_tokens",
            message(
                r#"[{"type":"text","text":"Once upon"}]"#,
                r#""stop_reason":"max_tokens","stop_sequence":null"#,
                USAGE,
            ),
        ),
        (
            "ended by a stop sequence",
            message(
                r#"[{"type":"text","text":"1, 2, "}]"#,
                r#""stop_reason":"stop_sequence","stop_sequence":"3""#,
                USAGE,
            ),
        ),
        (
            "paused in a search of the provider's own",
            message(
                r#"[{"type":"text","text":"I will search."},{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"otters"}},{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","url":"https://example.com/","title":"Otters","encrypted_content":"Eq","page_age":null}]}]"#,
                r#""stop_reason":"pause_turn","stop_sequence":null"#,
                r#"{"input_tokens":105,"output_tokens":60,"server_tool_use":{"web_search_requests":1}}"#,
            ),
        ),
        (
            "a text that cites",
            message(
                r#"[{"type":"text","text":"The grass is green","citations":[{"type":"char_location","cited_text":"The grass is green.","document_index":0,"document_title":"Example","start_char_index":0,"end_char_index":20}]},{"type":"text","text":"."}]"#,
                END_TURN,
                USAGE,
            ),
        ),
        (
            "the prompt cache read and written for five minutes and an hour",
            message(
                r#"[{"type":"text","text":"ok"}]"#,
                END_TURN,
                r#"{"input_tokens":50,"cache_read_input_tokens":1800,"cache_creation_input_tokens":248,"cache_creation":{"ephemeral_5m_input_tokens":148,"ephemeral_1h_input_tokens":100},"output_tokens":503,"service_tier":"standard","inference_geo":"us","server_tool_use":null}"#,
            ),
        ),
        (
            "the context window is full",
            message(
                r#"[{"type":"text","text":"…"}]"#,
                r#""stop_reason":"model_context_window_exceeded","stop_sequence":null"#,
                USAGE,
            ),
        ),
        ("no content at all", message("[]", END_TURN, r#"{"input_tokens":9,"output_tokens":2}"#)),
        (
            "a block and a reason of the future, and no counts",
            r#"{"content":[{"type":"hologram","beam":[1]}],"stop_reason":"dimmed"}"#.to_owned(),
        ),
        ("odd but clear", r#"{"id":7,"content":[{"type":"text","text":null},{"type":"tool_use","id":"t","name":"f","input":null}],"stop_reason":null,"usage":[]}"#.to_owned()),
        ("no content", r#"{"id":"msg_1","stop_reason":"end_turn"}"#.to_owned()),
        ("content that is no list", r#"{"content":"Hi"}"#.to_owned()),
        ("a block that is no object", r#"{"content":["Hi"]}"#.to_owned()),
        ("a text that is none", r#"{"content":[{"type":"text","text":["Hi"]}]}"#.to_owned()),
        ("a call without an id", r#"{"content":[{"type":"tool_use","name":"f","input":{}}]}"#.to_owned()),
        ("a block without a type", r#"{"content":[{"text":"Hi"}]}"#.to_owned()),
    ]
}

#[test]
fn whole_answers_are_read() {
    let mut out = String::new();
    for (name, body) in read_cases() {
        let shown = read_reply(&body).map_or_else(|_| "  garbled\n".to_owned(), |reply| shown_reply(&reply));
        let _ = writeln!(out, "# {name}\n{shown}");
    }
    insta::assert_snapshot!(out);
}
