use super::*;
use crate::capability;
use crate::dialect::Profile;
use crate::json;
use crate::provider::ProviderKind;
use std::fmt::Write as _;

fn scan(dialect: Dialect, body: &str) -> Envelope {
    Envelope::scan(Bytes::copy_from_slice(body.as_bytes()), dialect, Profile::Open).expect("a good body")
}

fn toward(model: &str, ask_usage: bool) -> Toward<'_> {
    let kind = ProviderKind::OpenAiCompatible;
    Toward { kind, model, family: &capability::PLAIN, max_output: None, ask_usage, prompt_template: None }
}

fn drop(fields: &[&str]) -> DropFields {
    let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
    DropFields::parse(&fields).expect("good fields")
}

/// Before, after, and what was reported, for one body under several settings.
fn edits(dialect: Dialect, fields: &[&str], ask_usage: bool, bodies: &[&str]) -> String {
    let (fields, mut table) = (drop(fields), String::new());
    for body in bodies {
        let encoding = Encoding { toward: toward("m", ask_usage), drop: &fields };
        let encoded = encode(&scan(dialect, body), dialect, &encoding).expect("served");
        let after = String::from_utf8(encoded.body.into_bytes().to_vec()).expect("UTF-8");
        json::validate(after.as_bytes()).expect("still JSON");
        let after = if after == *body { "(as it came)".to_owned() } else { after };
        let strip = if encoded.strip_usage { " +strip" } else { "" };
        let dropped = if encoded.dropped.is_empty() {
            String::new()
        } else {
            format!(" -{}", encoded.dropped.join(" -"))
        };
        writeln!(table, "{body}\n  {after}{strip}{dropped}").expect("a string takes everything");
    }
    table
}

#[test]
fn only_the_model_is_replaced_and_only_when_it_differs() {
    insta::assert_snapshot!(edits(Dialect::Completions, &[], true, &[
        r#"{"model":"m","prompt":"x"}"#,
        r#"{"prompt":"x", "model" : "alias" ,"seed":9007199254740993,"top_p":1.0e0,"x":{"b":1,"a":2}}"#,
        r#"{"model":"\u006d","prompt":"\ud83d\ude00"}"#,
        r#"{"$schema":"https://example.com/s.json","model":"m","prompt":"x"}"#,
        r#"{"model":"m","prompt":"x","\u0024schema":"https://example.com/s.json"}"#,
    ]), @r#"
    {"model":"m","prompt":"x"}
      (as it came)
    {"prompt":"x", "model" : "alias" ,"seed":9007199254740993,"top_p":1.0e0,"x":{"b":1,"a":2}}
      {"prompt":"x", "model" : "m" ,"seed":9007199254740993,"top_p":1.0e0,"x":{"b":1,"a":2}}
    {"model":"\u006d","prompt":"\ud83d\ude00"}
      (as it came)
    {"$schema":"https://example.com/s.json","model":"m","prompt":"x"}
      {"model":"m","prompt":"x"}
    {"model":"m","prompt":"x","\u0024schema":"https://example.com/s.json"}
      {"model":"m","prompt":"x"}
    "#);
}

#[test]
fn usage_is_asked_for_when_the_client_did_not() {
    insta::assert_snapshot!(edits(Dialect::Completions, &[], true, &[
        r#"{"model":"m","prompt":"x","stream":false}"#,
        r#"{"model":"m","prompt":"x","stream":true}"#,
        r#"{"model":"m","prompt":"x","stream":true,"stream_options":null}"#,
        r#"{"model":"m","prompt":"x","stream":true,"stream_options":{}}"#,
        r#"{"model":"m","prompt":"x","stream":true,"stream_options":{"include_usage":false,"z":1.10}}"#,
        r#"{"model":"m","prompt":"x","stream":true,"stream_options":{ "include_obfuscation": false }}"#,
        r#"{"model":"m","prompt":"x","stream":true,"stream_options":{"include_us\u0061ge":null}}"#,
        r#"{"model":"m","prompt":"x","stream":true,"stream_options":{"include_usage":true}}"#,
    ]), @r#"
    {"model":"m","prompt":"x","stream":false}
      (as it came)
    {"model":"m","prompt":"x","stream":true}
      {"model":"m","prompt":"x","stream":true,"stream_options":{"include_usage":true}} +strip
    {"model":"m","prompt":"x","stream":true,"stream_options":null}
      {"model":"m","prompt":"x","stream":true,"stream_options":{"include_usage":true}} +strip
    {"model":"m","prompt":"x","stream":true,"stream_options":{}}
      {"model":"m","prompt":"x","stream":true,"stream_options":{"include_usage":true}} +strip
    {"model":"m","prompt":"x","stream":true,"stream_options":{"include_usage":false,"z":1.10}}
      {"model":"m","prompt":"x","stream":true,"stream_options":{"include_usage":true,"z":1.10}} +strip
    {"model":"m","prompt":"x","stream":true,"stream_options":{ "include_obfuscation": false }}
      {"model":"m","prompt":"x","stream":true,"stream_options":{ "include_obfuscation": false,"include_usage":true }} +strip
    {"model":"m","prompt":"x","stream":true,"stream_options":{"include_us\u0061ge":null}}
      {"model":"m","prompt":"x","stream":true,"stream_options":{"include_us\u0061ge":true}} +strip
    {"model":"m","prompt":"x","stream":true,"stream_options":{"include_usage":true}}
      (as it came)
    "#);
    insta::assert_snapshot!(edits(Dialect::Completions, &[], false, &[
        r#"{"model":"m","prompt":"x","stream":true}"#,
        r#"{"model":"m","prompt":"x","stream":true,"stream_options":{"include_usage":false}}"#,
    ]), @r#"
    {"model":"m","prompt":"x","stream":true}
      (as it came)
    {"model":"m","prompt":"x","stream":true,"stream_options":{"include_usage":false}}
      (as it came)
    "#);
    insta::assert_snapshot!(edits(Dialect::Chat, &["stream_options"], true, &[
        r#"{"model":"m","messages":[{"role":"user"}],"stream":true}"#,
        r#"{"model":"m","messages":[{"role":"user"}],"stream":true,"stream_options":{"include_usage":true}}"#,
    ]), @r#"
    {"model":"m","messages":[{"role":"user"}],"stream":true}
      (as it came)
    {"model":"m","messages":[{"role":"user"}],"stream":true,"stream_options":{"include_usage":true}}
      {"model":"m","messages":[{"role":"user"}],"stream":true} -stream_options
    "#);
    insta::assert_snapshot!(edits(Dialect::Responses, &[], true, &[
        r#"{"model":"m","input":"x","stream":true}"#,
    ]), @r#"
    {"model":"m","input":"x","stream":true}
      (as it came)
    "#);
}

#[test]
fn fields_are_dropped_where_the_dialect_has_them_and_nowhere_else() {
    let marks = ["cache_control", "**.cache_control"];
    insta::assert_snapshot!(edits(Dialect::Chat, &marks, false, &[
        r#"{"model":"m","messages":[{"role":"user","content":"cache_control"}],"cache_control":{"type":"ephemeral"}}"#,
        r#"{"cache_control":null,"model":"m","messages":[{"cache_control":{"ttl":"1h"},"role":"user","content":[{"type":"text","text":"{\"cache_control\":1}","cache_control":{"type":"ephemeral"}},{"cache_control":1}]}]}"#,
        r#"{"model":"m","messages":[{"role":"user"}],"tools":[{"type":"function","cache_control":1,"function":{"name":"f","cache_control":2,"parameters":{"properties":{"cache_control":{"type":"object"}},"cache_control":3}}}]}"#,
        r#"{"model":"m","messages":[{"role":"user"}],"metadata":{"cache_control":"mine"},"tool_choice":{"cache_control":1},"other":[{"cache_control":1}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"x","c\u0061che_control":1}]}"#,
    ]), @r#"
    {"model":"m","messages":[{"role":"user","content":"cache_control"}],"cache_control":{"type":"ephemeral"}}
      {"model":"m","messages":[{"role":"user","content":"cache_control"}]} -cache_control
    {"cache_control":null,"model":"m","messages":[{"cache_control":{"ttl":"1h"},"role":"user","content":[{"type":"text","text":"{\"cache_control\":1}","cache_control":{"type":"ephemeral"}},{"cache_control":1}]}]}
      {"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"{\"cache_control\":1}"},{}]}]} -cache_control -**.cache_control
    {"model":"m","messages":[{"role":"user"}],"tools":[{"type":"function","cache_control":1,"function":{"name":"f","cache_control":2,"parameters":{"properties":{"cache_control":{"type":"object"}},"cache_control":3}}}]}
      {"model":"m","messages":[{"role":"user"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"cache_control":{"type":"object"}},"cache_control":3}}}]} -**.cache_control
    {"model":"m","messages":[{"role":"user"}],"metadata":{"cache_control":"mine"},"tool_choice":{"cache_control":1},"other":[{"cache_control":1}]}
      (as it came)
    {"model":"m","messages":[{"role":"user","content":"x","c\u0061che_control":1}]}
      {"model":"m","messages":[{"role":"user","content":"x"}]} -**.cache_control
    "#);
    insta::assert_snapshot!(edits(Dialect::Chat, &["cache_control"], false, &[
        r#"{"model":"m","messages":[{"role":"user","content":"x","cache_control":1}],"cache_control":2}"#,
    ]), @r#"
    {"model":"m","messages":[{"role":"user","content":"x","cache_control":1}],"cache_control":2}
      {"model":"m","messages":[{"role":"user","content":"x","cache_control":1}]} -cache_control
    "#);
    insta::assert_snapshot!(edits(Dialect::Chat, &["**.cache_control"], false, &[
        r#"{"model":"m","messages":[{"role":"user","content":"x","cache_control":1}],"cache_control":2}"#,
    ]), @r#"
    {"model":"m","messages":[{"role":"user","content":"x","cache_control":1}],"cache_control":2}
      {"model":"m","messages":[{"role":"user","content":"x"}],"cache_control":2} -**.cache_control
    "#);
    insta::assert_snapshot!(edits(Dialect::Responses, &marks, false, &[
        r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"a","cache_control":1}],"cache_control":2},{"type":"function_call_output","output":[{"cache_control":3}]}],"tools":[{"type":"function","parameters":{"cache_control":4},"cache_control":5}]}"#,
        r#"{"model":"m","input":"cache_control","cache_control":1}"#,
    ]), @r#"
    {"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"a","cache_control":1}],"cache_control":2},{"type":"function_call_output","output":[{"cache_control":3}]}],"tools":[{"type":"function","parameters":{"cache_control":4},"cache_control":5}]}
      {"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"a"}]},{"type":"function_call_output","output":[{}]}],"tools":[{"type":"function","parameters":{"cache_control":4}}]} -**.cache_control
    {"model":"m","input":"cache_control","cache_control":1}
      {"model":"m","input":"cache_control"} -cache_control
    "#);
    insta::assert_snapshot!(edits(Dialect::Completions, &marks, false, &[
        r#"{"model":"m","prompt":"x","messages":[{"cache_control":1}],"cache_control":2}"#,
    ]), @r#"
    {"model":"m","prompt":"x","messages":[{"cache_control":1}],"cache_control":2}
      {"model":"m","prompt":"x","messages":[{"cache_control":1}]} -cache_control
    "#);
}

#[test]
fn nothing_to_change_gives_the_client_s_own_bytes() {
    let call =
        scan(Dialect::Chat, r#"{"model":"m","messages":[{"role":"user"}],"cache_control":{"b":1,"a":2}}"#);
    let fields = DropFields::default();
    let encoding = Encoding { toward: toward("m", true), drop: &fields };
    let body = encode(&call, call.dialect(), &encoding).expect("served").body.into_bytes();
    assert_eq!((body.as_ptr(), body.len()), (call.body().as_ptr(), call.body().len()));
}

#[test]
fn a_model_s_name_is_escaped() {
    let call = scan(Dialect::Chat, r#"{"model":"a","messages":[{"role":"user"}]}"#);
    let fields = DropFields::default();
    let encoding = Encoding { toward: toward("we\"ird\\名", false), drop: &fields };
    let body = encode(&call, call.dialect(), &encoding).expect("served").body.into_bytes();
    assert_eq!(body, r#"{"model":"we\"ird\\名","messages":[{"role":"user"}]}"#.as_bytes());
}
