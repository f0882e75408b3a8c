//! Bodies that cannot be read, and where the fault is; what can be read is shown by what is written.

use super::*;
use crate::canonical::{Content, Text};
use crate::dialect::{Dialect, Profile};

fn call(members: &str) -> Envelope {
    let body = format!(r#"{{"model":"m",{members}}}"#);
    Envelope::scan(body.into(), Dialect::Chat, Profile::Open).expect("a body")
}

#[test]
fn a_fault_is_told_with_its_place() {
    let user = |content: &str| {
        format!(r#""messages":[{{"role":"system","content":"a"}},{{"role":"user","content":{content}}}]"#)
    };
    let model = |members: &str| format!(r#""messages":[{{"role":"assistant",{members}}}]"#);
    let tools = |tools: &str| format!(r#""messages":[{{"role":"user"}}],"tools":{tools}"#);
    for (members, expected) in [
        (user("7"), "messages[1].content: expected a string or an array of parts"),
        (user("[7]"), "messages[1].content[0]: expected an object in which no name comes twice"),
        (
            user(r#"[{"type":"text","text":"a","text":"b"}]"#),
            "messages[1].content[0]: expected an object in which no name comes twice",
        ),
        (user(r#"[{"type":"text"}]"#), "messages[1].content[0]: expected `text`, a string"),
        (
            user(r#"[{"type":"text","text":"a"},{"type":"image_url"}]"#),
            "messages[1].content[1]: expected `image_url`, an object with a `url`",
        ),
        (
            user(r#"[{"type":"image_url","image_url":{"url":"data:image/png,a"}}]"#),
            "messages[1].content[0]: a data URL that is not in Base64",
        ),
        (
            user(r#"[{"type":"image_url","image_url":{"url":"a.png"}}]"#),
            "messages[1].content[0]: expected an address or a data URL",
        ),
        (
            user(r#"[{"type":"file","file":{"filename":"a"}}]"#),
            "messages[1].content[0]: expected `file`, an object with `file_data` or a `file_id`",
        ),
        (r#""messages":[{"role":"narrator","content":"a"}]"#.into(), "messages[0].role: an unknown role"),
        (
            r#""messages":[{"role":"tool","content":"a"}]"#.into(),
            "messages[0].tool_call_id: expected a string",
        ),
        (
            r#""messages":[{"role":"function","name":"f","content":"a"}]"#.into(),
            "messages[0]: no call of this function precedes it",
        ),
        (model(r#""tool_calls":7"#), "messages[0].tool_calls: expected an array"),
        (model(r#""tool_calls":[{}]"#), "messages[0].tool_calls[0]: expected `function`, an object"),
        (
            model(r#""tool_calls":[{"function":{"name":"f"}}]"#),
            "messages[0].tool_calls[0]: expected `id`, a string",
        ),
        (
            model(r#""tool_calls":[{"id":"1","function":{}}]"#),
            "messages[0].tool_calls[0]: expected `function.name`, a string",
        ),
        (model(r#""function_call":{}"#), "messages[0].function_call: expected an object with a `name`"),
        (
            model(r#""thinking_blocks":[{"type":"text"}]"#),
            "messages[0].thinking_blocks[0]: nothing that a model has thought",
        ),
        (tools("{}"), "tools: expected an array"),
        (tools("[1]"), "tools[0]: expected an object in which no name comes twice"),
        (tools(r#"[{"type":"function"}]"#), "tools[0]: expected `function`, an object"),
        (tools(r#"[{"function":{}}]"#), "tools[0]: expected the function's `name`, a string"),
        (tools(r#"[],"tool_choice":7"#), "tool_choice: expected a string or an object"),
        (tools(r#"[],"function_call":{}"#), "function_call: expected a `name`"),
    ] {
        let told = read_request(&call(&members)).map(|_| ()).map_err(|fault| fault.to_string());
        assert_eq!(told, Err(expected.to_owned()), "{members}");
    }
}

/// The blocks of the first message, in a few words each.
fn blocks(message: &str) -> Vec<String> {
    let call = call(&format!(r#""messages":[{{"role":"assistant",{message}}}]"#));
    let request = read_request(&call).expect("a request");
    let told = |content: &Content<'_>| match content {
        Content::Text(text) => format!("text {}", text.json()),
        Content::Thinking { text, signature } => {
            format!("thinking {} {}", text.json(), signature.as_ref().map_or("-", Text::json))
        }
        Content::RedactedThinking(data) => format!("sealed {}", data.json()),
        Content::ToolCall { id, name, arguments } => {
            format!("call {} {} {arguments}", id.json(), name.json())
        }
        Content::Native { kind, .. } => format!("native {kind}"),
        other => format!("{other:?}"),
    };
    request.turns[0].blocks.iter().map(|block| told(&block.content)).collect()
}

#[test]
fn thoughts_come_first_with_their_seals() {
    let expected = [r#"thinking "a" "sig""#, r#"sealed "xyz""#, r#"text "c""#, r#"call "1" "f" {}"#];
    let called = r#""tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]"#;
    let ours = r#""thinking_blocks":[{"type":"thinking","thinking":"a","signature":"sig"},{"type":"redacted_thinking","data":"xyz"}]"#;
    // The text alone says the same once more.
    assert_eq!(blocks(&format!(r#""content":"c",{called},{ours},"reasoning_content":"a""#)), expected);
    let openrouter = r#""reasoning_details":[{"type":"reasoning.text","text":"a","signature":"sig","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"xyz"}]"#;
    assert_eq!(blocks(&format!(r#""content":"c",{called},{openrouter},"reasoning":"a""#)), expected);
    let parts = r#""content":[{"type":"thinking","thinking":"a","signature":"sig"},{"type":"redacted_thinking","data":"xyz"},{"type":"text","text":"c"}]"#;
    assert_eq!(blocks(&format!("{parts},{called}")), expected);
}

#[test]
fn thoughts_without_a_seal_are_text() {
    assert_eq!(blocks(r#""reasoning_content":"a","reasoning":"b""#), [r#"thinking "a" -"#]);
    assert_eq!(blocks(r#""reasoning_content":null,"reasoning":"b""#), [r#"thinking "b" -"#]);
    assert_eq!(blocks(r#""reasoning_content":"","content":"x""#), [r#"text "x""#]);
    let unsigned = r#""thinking_blocks":[{"type":"thinking","thinking":"a","signature":""}]"#;
    assert_eq!(blocks(unsigned), [r#"thinking "a" -"#]);
}

#[test]
fn seals_of_another_provider_are_accounted_for() {
    let foreign = r#""reasoning":"a","reasoning_details":[{"type":"reasoning.encrypted","data":"x","format":"openai-responses-v1"}]"#;
    assert_eq!(blocks(foreign), [r#"thinking "a" -"#]);
    let call = call(&format!(r#""messages":[{{"role":"assistant",{foreign}}}]"#));
    let extras = read_request(&call).expect("a request").extras;
    assert_eq!(extras.first().map(|extra| &*extra.name), Some("messages[].reasoning_details"));
}

#[test]
fn a_message_is_a_turn_of_its_own() {
    let call = call(
        r#""messages":[{"role":"developer","content":"a"},{"role":"tool","tool_call_id":"1","content":"b"},{"role":"tool","tool_call_id":"2","content":"c"}]"#,
    );
    let turns = read_request(&call).expect("a request").turns;
    assert_eq!(turns.iter().map(|turn| turn.at).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(turns[0].developer);
    assert!(matches!(&turns[2].blocks[0].content, Content::ToolResult { content, .. } if content.len() == 1));
}

#[test]
fn a_result_with_the_function_s_name_is_nobody_s() {
    let call = call(r#""messages":[{"role":"tool","tool_call_id":"1","name":"f","content":"b"}]"#);
    assert_eq!(read_request(&call).expect("a request").turns[0].name, None);
}

#[test]
fn a_function_is_read_in_the_form_of_responses_too() {
    let call = call(
        r#""messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":false,"cache_control":{"a":1}}]"#,
    );
    let request = read_request(&call).expect("a request");
    let Some(crate::canonical::Tool::Function(function)) = request.tools.first() else {
        panic!("a function")
    };
    assert_eq!((function.name.json(), function.strict), (r#""f""#, Some(false)));
    assert_eq!(function.parameters.as_deref(), Some(r#"{"type":"object"}"#));
    assert_eq!(function.mark.as_deref(), Some(r#"{"a":1}"#));
    assert_eq!(request.extras, []);
}

#[test]
fn a_mark_on_a_message_with_nothing_in_it_is_accounted_for() {
    let call = call(r#""messages":[{"role":"user","content":[],"cache_control":{"type":"ephemeral"}}]"#);
    let extras = read_request(&call).expect("a request").extras;
    assert_eq!(extras.first().map(|extra| &*extra.name), Some("cache_control"));
}

#[test]
fn earlier_sound_is_content() {
    assert_eq!(blocks(r#""content":"x","audio":{"id":"audio_1"}"#), [r#"text "x""#, "native audio"]);
    assert_eq!(blocks(r#""content":"x","audio":null"#), [r#"text "x""#]);
}
