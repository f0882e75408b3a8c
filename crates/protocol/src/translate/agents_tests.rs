//! What coding agents send with every request, towards targets that speak otherwise.

use super::{Toward, Untranslatable, request};
use crate::capability;
use crate::dialect::{Dialect, Profile};
use crate::envelope::Envelope;
use crate::provider::ProviderKind;

/// An agent of the Responses API: functions, a tool that is called with a text, tools of its provider, and settings
/// that only its provider knows.
const CODEX: &str = r#"{"model":"m","instructions":"You code.","input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"Sandboxed."}]},{"type":"message","role":"user","content":[{"type":"input_text","text":"Fix it"}]},{"type":"reasoning","summary":[],"content":null,"encrypted_content":"gAAA"},{"type":"custom_tool_call","call_id":"call_1","name":"apply_patch","input":"*** Begin Patch\n","status":"completed"},{"type":"custom_tool_call_output","call_id":"call_1","output":"Done"}],"tools":[{"type":"function","name":"shell","strict":false,"parameters":{"type":"object","properties":{"command":{"type":"string"}}}},{"type":"custom","name":"apply_patch","description":"Edits","format":{"type":"grammar","syntax":"lark","definition":"start: x"}},{"type":"web_search","external_web_access":false},{"type":"odd kind\n"}],"tool_choice":"auto","parallel_tool_calls":true,"reasoning":{"effort":"medium","summary":"auto"},"store":false,"stream":true,"include":["reasoning.encrypted_content"],"prompt_cache_key":"k","text":{"verbosity":"low"},"client_metadata":{"a":"b"}}"#;

fn written(body: &str, wire: Dialect) -> Result<String, Untranslatable> {
    let (kind, preset, model) = match wire {
        Dialect::Messages => (ProviderKind::Anthropic, "anthropic", "claude-opus-4-8"),
        _ => (ProviderKind::OpenAiCompatible, "openai_compatible", "open"),
    };
    let family = capability::family(preset, model);
    let toward = Toward { kind, model, family, max_output: None, ask_usage: true, prompt_template: None };
    let call = Envelope::scan(body.to_owned().into(), Dialect::Responses, Profile::Open).expect("a body");
    let written = request(&call, wire, &toward)?;
    Ok(format!("{}\nlost: {:?}", written.body, written.losses.into_names()))
}

#[test]
fn an_agent_of_responses_is_served_by_a_chat_target() {
    insta::assert_snapshot!(written(CODEX, Dialect::Chat).expect("a body"));
}

#[test]
fn an_agent_of_responses_is_served_by_claude() {
    insta::assert_snapshot!(written(CODEX, Dialect::Messages).expect("a body"));
}

#[test]
fn a_tool_of_the_provider_that_has_to_be_called_is_refused() {
    let body = r#"{"model":"m","input":"Hi","tools":[{"type":"web_search"}],"tool_choice":"required"}"#;
    for wire in [Dialect::Chat, Dialect::Messages] {
        let fault = written(body, wire).expect_err("nothing could be called");
        assert_eq!(fault.to_string(), "tools[0]: the target has no tool of type `web_search`");
    }
}

#[test]
fn without_any_tool_left_nothing_is_said_of_tools() {
    let body = r#"{"model":"m","input":"Hi","tools":[{"type":"web_search"}],"tool_choice":"auto","parallel_tool_calls":false}"#;
    for wire in [Dialect::Chat, Dialect::Messages] {
        let written = written(body, wire).expect("a body");
        assert!(
            !written.contains("tool_choice") && written.ends_with(r#"lost: ["tools[web_search]"]"#),
            "{written}"
        );
    }
}
