//! What is written, for whom, and what is lost: one snapshot per group, one heading per case.

use super::*;
use crate::capability::PLAIN;
use crate::dialect::{Dialect, Profile};
use crate::envelope::Envelope;
use crate::provider::ProviderKind;
use crate::translate::Written;

pub(super) fn toward(kind: ProviderKind) -> Toward<'static> {
    Toward { kind, model: "up/m", family: &PLAIN, max_output: None, ask_usage: true, prompt_template: None }
}

pub(super) const OPEN: ProviderKind = ProviderKind::OpenAiCompatible;
pub(super) const OPENAI: ProviderKind = ProviderKind::OpenAi;

pub(super) fn told(written: Result<Written, Untranslatable>) -> String {
    match written {
        Ok(written) => {
            serde_json::from_str::<serde_json::Value>(&written.body).expect("valid JSON");
            let lost = written.losses.into_names().join(", ");
            let lost = if lost.is_empty() { lost } else { format!("\nlost: {lost}") };
            format!("{}{lost}", written.body)
        }
        Err(fault) => format!("refused: {fault}"),
    }
}

/// A client's body, as it is written for both kinds of target; once where that is the same.
fn both(dialect: Dialect, body: &str) -> String {
    let call = Envelope::scan(body.to_owned().into(), dialect, Profile::Open).expect("a body");
    let [open, openai] =
        [OPEN, OPENAI].map(|kind| told(crate::translate::request(&call, Dialect::Chat, &toward(kind))));
    if open == openai { open } else { format!("{open}\n-- openai --\n{openai}") }
}

fn chat(members: &str) -> String {
    both(Dialect::Chat, &format!(r#"{{"model":"m",{members}}}"#))
}

fn completion(members: &str) -> String {
    both(Dialect::Completions, &format!(r#"{{"model":"m",{members}}}"#))
}

pub(super) fn table<const N: usize>(cases: [(&str, String); N]) -> String {
    cases.map(|(name, told)| format!("# {name}\n{told}\n")).join("\n")
}

const HI: &str = r#""messages":[{"role":"user","content":"Hi"}]"#;

#[test]
fn members() {
    let told = table([
        ("plain", chat(HI)),
        (
            "the order is ours, the numbers are the client's",
            chat(&format!(
                r#"{HI},"top_p":0.90,"temperature":1e0,"max_tokens":7,"top_k":40,"stop":"\n","stream":true,"user":"u-1","seed":7"#
            )),
        ),
        ("several stops", chat(&format!(r#"{HI},"stop":["a","b\u0022"]"#))),
        ("five stops", chat(&format!(r#"{HI},"stop":["a","b","c","d","e"]"#))),
        ("more tokens than the model gives", chat(&format!(r#"{HI},"max_completion_tokens":100000"#))),
        ("tokens without a bound", chat(&format!(r#"{HI},"max_tokens":-1"#))),
        ("a long name of the user", chat(&format!(r#"{HI},"user":"{}""#, "u".repeat(65)))),
        (
            "a mark on the whole prompt",
            chat(&format!(r#"{HI},"cache_control":{{"type":"ephemeral", "ttl":"1h","x":1.0}}"#)),
        ),
        ("plain text is no format", chat(&format!(r#"{HI},"response_format":{{"type":"text"}}"#))),
        ("JSON of any shape", chat(&format!(r#"{HI},"response_format":{{"type":"json_object"}}"#))),
        (
            "JSON by a schema",
            chat(&format!(
                r#"{HI},"response_format":{{"type":"json_schema","json_schema":{{"name":"n","schema":{{"b":1.0, "a":[]}},"strict":true,"description":"d"}}}}"#
            )),
        ),
        (
            "JSON by a schema without a name",
            chat(&format!(
                r#"{HI},"response_format":{{"type":"json_schema","json_schema":{{"schema":{{}}}}}}"#
            )),
        ),
        ("an effort", chat(&format!(r#"{HI},"reasoning_effort":"xhigh""#))),
        ("a small budget", chat(&format!(r#"{HI},"thinking":{{"type":"enabled","budget_tokens":4000}}"#))),
        (
            "a budget in between",
            chat(&format!(r#"{HI},"thinking":{{"type":"enabled","budget_tokens":10000}}"#)),
        ),
        ("a large budget", chat(&format!(r#"{HI},"thinking":{{"type":"enabled","budget_tokens":31999}}"#))),
        ("no thinking", chat(&format!(r#"{HI},"thinking":{{"type":"disabled"}}"#))),
        (
            "members that only the client knows",
            chat(&format!(r#"{HI},"x":{{"a":1}},"n":2,"logit_bias":{{"5":1}},"n_probs":null"#)),
        ),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn conversations() {
    let told = table([
        (
            "instructions of both kinds, wherever they stand",
            chat(
                r#""messages":[{"role":"system","content":"Be brief."},{"role":"developer","content":"Be kind."},{"role":"user","name":"ann","content":"Hi \u00e9"},{"role":"system","content":"Now."}]"#,
            ),
        ),
        (
            "one part is a string",
            chat(r#""messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}]"#),
        ),
        (
            "several texts",
            chat(
                r#""messages":[{"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"user","content":[{"type":"text","text":"c"},{"type":"text","text":"d"}]},{"role":"assistant","content":[{"type":"text","text":"e"},{"type":"text","text":"f"}]}]"#,
            ),
        ),
        (
            "marks on parts and messages",
            chat(
                r#""messages":[{"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral", "ttl":"1h"}}]},{"role":"user","content":"c","cache_control":{"type":"ephemeral"}},{"role":"assistant","content":"d","cache_control":{"type":"x"}}]"#,
            ),
        ),
        (
            "a part's own mark stays",
            chat(
                r#""messages":[{"role":"user","cache_control":{"type":"message"},"content":[{"type":"text","text":"c","cache_control":{"type":"part"}}]}]"#,
            ),
        ),
        (
            "pictures",
            chat(
                r#""messages":[{"role":"user","content":[{"type":"text","text":"See"},{"type":"image_url","image_url":{"url":"https://x.example/a.png?b=c","detail":"low"}},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"},"cache_control":{"type":"ephemeral"}}]}]"#,
            ),
        ),
        (
            "an address as it stands",
            chat(
                r#""messages":[{"role":"user","content":[{"type":"image_url","image_url":"https://x.example/a"}]}]"#,
            ),
        ),
        (
            "files",
            chat(
                r#""messages":[{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0x"}},{"type":"file","file":{"file_data":"JVBERi0xLjQ="}},{"type":"file","file":{"file_id":"file-1"}}]}]"#,
            ),
        ),
        (
            "sound has no place",
            chat(
                r#""messages":[{"role":"user","content":[{"type":"text","text":"Hear"},{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]}]"#,
            ),
        ),
        (
            "a refusal",
            chat(
                r#""messages":[{"role":"assistant","content":null,"refusal":"No."},{"role":"user","content":"Please"}]"#,
            ),
        ),
        (
            "a refusal as a part",
            chat(
                r#""messages":[{"role":"assistant","content":[{"type":"text","text":"Well."},{"type":"refusal","refusal":"No."}]}]"#,
            ),
        ),
        (
            "thoughts are left out",
            chat(
                r#""messages":[{"role":"assistant","content":"4","reasoning_content":"2+2"},{"role":"assistant","content":"5","thinking_blocks":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"}]}]"#,
            ),
        ),
        (
            "an answer that was only thought",
            chat(
                r#""messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"reasoning":"hm"},{"role":"user","content":"b"}]"#,
            ),
        ),
        (
            "a silent user and a silent model",
            chat(
                r#""messages":[{"role":"user","content":[]},{"role":"assistant"},{"role":"system","content":[]}]"#,
            ),
        ),
        (
            "members of messages that nobody knows",
            chat(
                r#""messages":[{"role":"user","weight":1,"content":[{"type":"text","text":"a","prompt_cache_breakpoint":{"mode":"explicit"}}]},{"role":"assistant","content":"b","annotations":[],"weight":0}]"#,
            ),
        ),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn tools() {
    let told = table([
        (
            "a tool with everything",
            chat(&format!(
                r#"{HI},"tools":[{{"type":"function","function":{{"name":"f","strict":true,"description":"d","parameters":{{"type":"object", "properties":{{"z":{{}},"a":{{"const":1.50}}}}}}}},"cache_control":{{"type":"ephemeral","ttl":"5m"}}}},{{"type":"function","function":{{"name":"g","cache_control":{{"type":"inner"}}}}}}],"tool_choice":"required","parallel_tool_calls":false"#
            )),
        ),
        (
            "one is chosen",
            chat(&format!(
                r#"{HI},"tools":[{{"type":"function","function":{{"name":"f"}}}}],"tool_choice":{{"type":"function","function":{{"name":"f"}}}}"#
            )),
        ),
        (
            "some are allowed",
            chat(&format!(
                r#"{HI},"tools":[{{"type":"function","function":{{"name":"f"}}}},{{"type":"function","function":{{"name":"g"}}}}],"tool_choice":{{"type":"allowed_tools","allowed_tools":{{"mode":"required","tools":[{{"type":"function","function":{{"name":"g"}}}}]}}}}"#
            )),
        ),
        (
            "without tools there is nothing to choose",
            chat(&format!(r#"{HI},"tools":[],"tool_choice":"auto","parallel_tool_calls":true"#)),
        ),
        (
            "a choice that nobody knows",
            chat(&format!(
                r#"{HI},"tools":[{{"type":"function","function":{{"name":"f"}}}}],"tool_choice":"often""#
            )),
        ),
        (
            "a custom tool",
            chat(&format!(
                r#"{HI},"tools":[{{"type":"function","function":{{"name":"f"}}}},{{"type":"custom","custom":{{"name":"g"}}}}]"#
            )),
        ),
        (
            "parallel calls, and their results",
            chat(
                r#""messages":[{"role":"user","content":"Both?"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\": 1.50,\n \"é\":\"\\u00e9\"}"}},{"id":"call_2","type":"function","function":{"name":"g","arguments":""}}]},{"role":"tool","tool_call_id":"call_1","content":"one"},{"role":"tool","tool_call_id":"call_2","content":[{"type":"text","text":"two"},{"type":"text","text":"three"}]},{"role":"user","content":"Go on"}]"#,
            ),
        ),
        (
            "a call with text, and marks",
            chat(
                r#""messages":[{"role":"assistant","content":"Let me see.","tool_calls":[{"id":"1","function":{"name":"f","arguments":{"a":1}},"cache_control":{"type":"call"}},{"id":"2","function":{"name":"f"}}]},{"role":"tool","tool_call_id":"1","content":"one","cache_control":{"type":"result"}},{"role":"tool","tool_call_id":"2","content":[],"cache_control":{"type":"empty"}}]"#,
            ),
        ),
        (
            "the older form",
            chat(
                r#""functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"},"messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"r"}]"#,
            ),
        ),
        (
            "a result of no call",
            chat(
                r#""messages":[{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"g","content":"r"}]"#,
            ),
        ),
        (
            "a custom call",
            chat(
                r#""messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"custom","custom":{"name":"f","input":"x"}}]}]"#,
            ),
        ),
        (
            "a picture as a result",
            chat(
                r#""messages":[{"role":"tool","tool_call_id":"1","content":[{"type":"text","text":"a map"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}}]}]"#,
            ),
        ),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn completions() {
    let told = table([
        (
            "a prompt is what the user says",
            completion(r#""prompt":"Once \u00e9","max_tokens":16,"temperature":0.0"#),
        ),
        (
            "the contract's members, and others",
            completion(
                r#""prompt":["Once"],"max_completion_tokens":5,"min_p":0.10,"top_k":-1,"seed":9007199254740993,"stop":["\n"],"stream":true,"stream_options":{"include_usage":false},"cache_control":{"type":"ephemeral","ttl":"1h"},"skip_special_tokens":false,"n":2,"$schema":"s","presence_penalty":0.5,"guided_json":{"b":1, "a":2}"#,
            ),
        ),
        ("likely tokens", completion(r#""prompt":"a","logprobs":3"#)),
        ("the chosen tokens", completion(r#""prompt":"a","logprobs":0"#)),
        ("a suffix", completion(r#""prompt":"a","suffix":"b""#)),
        ("an echo", completion(r#""prompt":"a","echo":true"#)),
        ("the best of three", completion(r#""prompt":"a","best_of":3"#)),
        ("all of three", completion(r#""prompt":"a","best_of":3,"n":3"#)),
        (
            "what says nothing",
            completion(r#""prompt":"a","best_of":1,"echo":false,"suffix":"","logprobs":null"#),
        ),
        (
            "a conversation in disguise",
            completion(
                r#""prompt":"a","messages":[{"role":"system","content":"x"}],"tools":[1],"stream_options":null,"tool_choice":"auto""#,
            ),
        ),
        (
            "an answer's shape",
            completion(r#""prompt":"a","response_format":{"type":"grammar","grammar":"g"}"#),
        ),
        ("two prompts", completion(r#""prompt":["a","b"]"#)),
    ]);
    insta::assert_snapshot!(told);
}
