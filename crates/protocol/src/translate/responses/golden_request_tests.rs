//! Requests of this dialect, and what is read from them.

use super::samples::read;

/// Each case is named after what it shows.
const CASES: &[(&str, &str)] = &[
    (
        "a_text_with_instructions",
        r#"{"model":"m","instructions":"Be \"brief\".","input":"Hi \ud83d\ude00","store":true,"metadata":{"a":"b"},"stream":true,"stream_options":{"include_obfuscation":false}}"#,
    ),
    (
        "messages_of_all_roles",
        r#"{"model":"m","input":[
        {"role":"system","content":"Rules"},
        {"type":"message","role":"developer","content":[{"type":"input_text","text":"More rules"}]},
        {"role":"user","name":"ann","content":"One"},
        {"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Two","annotations":[],"logprobs":[]}]},
        {"role":"user","content":[{"type":"input_text","text":"Three"},{"type":"input_text","text":"Four"}]}]}"#,
    ),
    (
        "what_a_model_did_at_once_is_one_turn",
        r#"{"model":"m","input":[
        {"role":"user","content":"Weather in Paris and Rome?"},
        {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Two calls."}]},
        {"type":"message","role":"assistant","content":[{"type":"output_text","text":"I look."}]},
        {"type":"function_call","id":"fc_1","call_id":"call_1","name":"weather","arguments":"{\"city\": \"Paris\"}","status":"completed"},
        {"type":"function_call","call_id":"call_2","name":"weather","arguments":"{\"city\":\"Rome\",\"n\":9007199254740993}"},
        {"type":"function_call_output","call_id":"call_1","output":"rain"},
        {"type":"function_call_output","call_id":"call_2","output":[{"type":"input_text","text":"sun"},{"type":"input_image","detail":"low","image_url":"https://e.org/sun.png"}]},
        {"role":"user","content":"And Oslo?"}]}"#,
    ),
    (
        "function_tools",
        r#"{"model":"m","input":"Hi","parallel_tool_calls":false,"tool_choice":"required","tools":[
        {"type":"function","name":"weather","description":"Tells","parameters":{"type":"object","properties":{"n":{"const":1.50}}},"strict":true,"cache_control":{"type":"ephemeral","ttl":"1h"}},
        {"type":"function","name":"now","parameters":null,"strict":false,"defer_loading":true}]}"#,
    ),
    (
        "one_tool_is_to_be_called",
        r#"{"model":"m","input":"Hi","tools":[{"type":"function","name":"f","parameters":{}}],"tool_choice":{"type":"function","name":"f"}}"#,
    ),
    (
        "hosted_tools_are_left_to_the_target_and_custom_ones_are_functions",
        r#"{"model":"m","input":"Hi","tool_choice":{"type":"allowed_tools","mode":"auto","tools":[]},"tools":[{"type":"web_search","search_context_size":"low"},{"type":"custom","name":"patch","format":{"type":"text"}},{"type":"custom","name":"sql","description":"Runs it","format":{"type":"grammar","syntax":"lark","definition":"start: \"x\"\n"}}]}"#,
    ),
    (
        "pictures_by_address_and_in_place",
        r#"{"model":"m","input":[{"role":"user","content":[
        {"type":"input_text","text":"What is this?"},
        {"type":"input_image","detail":"high","image_url":"https://e.org/a.png"},
        {"type":"input_image","detail":"auto","image_url":"data:image\/png;base64,iVBO\/w=="},
        {"type":"input_image","image_url":"data:image/jpeg;charset=x;base64,/9j/"},
        {"type":"input_image","image_url":{"url":"https://e.org/b.png"}},
        {"type":"input_image","detail":"auto","file_id":"file-1"}]}]}"#,
    ),
    (
        "files_in_every_form",
        r#"{"model":"m","input":[{"role":"user","content":[
        {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0x"},
        {"type":"input_file","filename":"b.pdf","file_data":"JVBERi0x"},
        {"type":"input_file","file_data":"AAAA"},
        {"type":"input_file","file_url":"https://e.org/c.pdf","detail":"low"},
        {"type":"input_file","file_id":"file-2"}]}]}"#,
    ),
    (
        "a_schema_for_the_answer",
        r#"{"model":"m","input":"Hi","text":{"format":{"type":"json_schema","name":"person","description":"Who","schema":{"type":"object", "maximum":1e2},"strict":true},"verbosity":"low"}}"#,
    ),
    (
        "any_object_as_answer",
        r#"{"model":"m","input":"Hi","text":{"format":{"type":"json_object"},"verbosity":"medium"}}"#,
    ),
    ("plain_text_as_answer", r#"{"model":"m","input":"Hi","text":{"format":{"type":"text"}}}"#),
    (
        "a_grammar_is_left_to_the_target",
        r#"{"model":"m","input":"Hi","text":{"format":{"type":"grammar","grammar":"x"},"vendor":1}}"#,
    ),
    (
        "sampling_and_limits",
        r#"{"model":"m","input":"Hi","max_output_tokens":256,"temperature":0.70,"top_p":1e-1,"top_k":40,"stop":["a","b"],"max_tool_calls":3,"seed":9007199254740993,"presence_penalty":0.0,"frequency_penalty":0.5,"n":1}"#,
    ),
    (
        "reasoning_settings",
        r#"{"model":"m","input":"Hi","reasoning":{"effort":"high","summary":"auto","context":"all_turns"}}"#,
    ),
    (
        "an_older_name_of_summary",
        r#"{"model":"m","input":"Hi","reasoning":{"effort":null,"generate_summary":"concise"}}"#,
    ),
    (
        "probabilities",
        r#"{"model":"m","input":"Hi","include":["message.output_text.logprobs","reasoning.encrypted_content"],"top_logprobs":5}"#,
    ),
    ("no_probabilities", r#"{"model":"m","input":"Hi","include":[],"top_logprobs":0}"#),
    (
        "what_cannot_be_included_is_told",
        r#"{"model":"m","input":"Hi","include":["file_search_call.results","reasoning.encrypted_content",7]}"#,
    ),
    (
        "who_asks_and_at_what_price",
        r#"{"model":"m","input":"Hi","safety_identifier":"s1","prompt_cache_key":"k","service_tier":"flex","truncation":"auto","background":false,"previous_response_id":null,"vendor":{"a": 1.0}}"#,
    ),
    (
        "both_names_of_the_user",
        r#"{"model":"m","input":"Hi","safety_identifier":"s1","user":"u1","service_tier":"auto","truncation":"disabled"}"#,
    ),
    (
        "marks_of_the_prompt_cache",
        r#"{"model":"m","cache_control":{"type":"ephemeral"},"input":[
        {"role":"system","cache_control":{"type":"ephemeral","ttl":"1h","vendor":1.0},"content":"Long"},
        {"role":"user","content":[{"type":"input_text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"input_text","text":"b","prompt_cache_breakpoint":{"mode":"explicit"}}]},
        {"type":"function_call","call_id":"c","name":"f","arguments":"{}","cache_control":{"x":1}},
        {"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"r","cache_control":{"x":2}}],"cache_control":{"x":3}}]}"#,
    ),
    (
        "our_sealed_reasoning_is_opened",
        r#"{"model":"m","input":[
        {"role":"user","content":"Hi"},
        {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm"}],"encrypted_content":"sluice1.W3sidHlwZSI6InRoaW5raW5nIiwidGhpbmtpbmciOiJIbSBcIngiLCJzaWduYXR1cmUiOiJFcVFCIn0seyJ0eXBlIjoicmVkYWN0ZWRfdGhpbmtpbmciLCJkYXRhIjoiQUJDIn1d"},
        {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
        {"type":"function_call_output","call_id":"c","output":"1"}]}"#,
    ),
    (
        "sealed_reasoning_of_others_is_left_out",
        r#"{"model":"m","input":[
        {"role":"user","content":"Hi"},
        {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm"}],"encrypted_content":"gAAAAABo"},
        {"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"sluice1.broken!"},
        {"type":"message","role":"assistant","content":"Hello"},
        {"role":"user","content":"Go on"}]}"#,
    ),
    (
        "open_reasoning_is_kept_with_what_it_led_to",
        r#"{"model":"m","input":[
        {"role":"user","content":"Hi"},
        {"type":"reasoning","summary":[{"type":"summary_text","text":"short"}],"content":[{"type":"reasoning_text","text":"all "},{"type":"reasoning_text","text":"of it"}]},
        {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
        {"type":"function_call_output","call_id":"c","output":"1"},
        {"type":"reasoning","summary":[{"type":"summary_text","text":"led to nothing"}]},
        {"role":"user","content":"Go on"}]}"#,
    ),
    (
        "a_refusal_of_before",
        r#"{"model":"m","input":[{"role":"user","content":"Hi"},{"type":"message","role":"assistant","content":[{"type":"refusal","refusal":"No."}]},{"role":"user","content":"Please"}]}"#,
    ),
    (
        "a_call_with_broken_arguments",
        r#"{"model":"m","input":[{"role":"user","content":"Hi"},{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":"},{"type":"function_call_output","call_id":"c","output":"fault"}]}"#,
    ),
    (
        "tools_of_a_namespace",
        r#"{"model":"m","input":[{"type":"function_call","call_id":"c","namespace":"crm","name":"find","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"x"}],"tools":[{"type":"namespace","name":"crm","description":"Customers","tools":[{"type":"function","name":"find","parameters":{"type":"object"}},{"type":"custom","name":"note"}]}]}"#,
    ),
    (
        "refused_tool_of_a_namespace_without_a_name",
        r#"{"model":"m","input":"Hi","tools":[{"type":"namespace","name":"crm","tools":[{"type":"function"}]}]}"#,
    ),
    ("refused_previous_response", r#"{"model":"m","input":"Hi","previous_response_id":"resp_1"}"#),
    ("refused_conversation", r#"{"model":"m","input":"Hi","conversation":{"id":"conv_1"}}"#),
    ("refused_background", r#"{"model":"m","input":"Hi","background":true}"#),
    ("refused_stored_prompt", r#"{"model":"m","prompt":{"id":"pmpt_1"}}"#),
    ("refused_without_input", r#"{"model":"m","instructions":"Go"}"#),
    (
        "refused_with_nothing_in_it",
        r#"{"model":"m","input":[{"role":"assistant","content":null},{"type":"reasoning","summary":[]}]}"#,
    ),
    (
        "refused_reference",
        r#"{"model":"m","input":[{"role":"user","content":"Hi"},{"type":"item_reference","id":"rs_1"}]}"#,
    ),
    ("refused_reference_without_a_type", r#"{"model":"m","input":[{"id":"msg_1"}]}"#),
    (
        "refused_hosted_call",
        r#"{"model":"m","input":[{"role":"user","content":"Hi"},{"type":"web_search_call","id":"ws_1","status":"completed"}]}"#,
    ),
    (
        "calls_of_custom_tools",
        r#"{"model":"m","input":[{"type":"custom_tool_call","id":"ctc_1","status":"completed","call_id":"c","name":"patch","input":"*** \"x\"\n"},{"type":"custom_tool_call_output","call_id":"c","output":"Done"}]}"#,
    ),
    (
        "refused_custom_call_without_an_input",
        r#"{"model":"m","input":[{"type":"custom_tool_call","call_id":"c","name":"patch"}]}"#,
    ),
    ("refused_compaction", r#"{"model":"m","input":[{"type":"compaction","encrypted_content":"x"}]}"#),
    (
        "refused_sound",
        r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_audio","input_audio":{"data":"x","format":"wav"}}]}]}"#,
    ),
    (
        "refused_part_in_a_result",
        r#"{"model":"m","input":[{"type":"function_call_output","call_id":"c","output":[{"type":"computer_screenshot"}]}]}"#,
    ),
    (
        "refused_picture_of_nothing",
        r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_image","detail":"auto"}]}]}"#,
    ),
    (
        "refused_call_without_an_id",
        r#"{"model":"m","input":[{"type":"function_call","name":"f","arguments":"{}"}]}"#,
    ),
    ("refused_role", r#"{"model":"m","input":[{"role":"tool","content":"x"}]}"#),
    (
        "refused_tool_without_a_name",
        r#"{"model":"m","input":"Hi","tools":[{"type":"function","function":{"name":"f"}}]}"#,
    ),
    ("refused_name_twice", r#"{"model":"m","input":[{"role":"user","role":"system","content":"Hi"}]}"#),
    ("refused_item_that_is_none", r#"{"model":"m","input":["Hi"]}"#),
];

#[test]
fn requests_are_read_as_meant() {
    let table = CASES.iter().map(|(name, body)| format!("# {name}\n{body}\n=>\n{}\n", read(body)));
    insta::assert_snapshot!("requests", table.collect::<String>());
}

#[test]
fn a_conversation_that_goes_on_is_read_the_same_up_to_there() {
    let begun = r#"{"role":"user","content":"Hi"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"1"}"#;
    let more = r#"{"role":"assistant","content":"One"},{"role":"user","content":"Go on"}"#;
    let before = read(&format!(r#"{{"model":"m","temperature":1,"input":[{begun}]}}"#));
    let after = read(&format!(r#"{{"model":"m","temperature":1,"input":[{begun},{more}]}}"#));
    assert!(after.starts_with(&before), "{before}\n{after}");
}
