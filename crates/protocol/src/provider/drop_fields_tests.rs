use super::*;
use crate::dialect::{Dialect, Profile};
use crate::splice::Splice;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

fn fields(fields: &[&str]) -> DropFields {
    let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
    DropFields::parse(&fields).expect("good fields")
}

fn without(dialect: Dialect, entries: &[&str], body: &str) -> String {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let call = Envelope::scan(body, dialect, Profile::Open).expect("a good body");
    let mut splice = Splice::from(&call);
    for (member, _) in fields(entries).find(&call) {
        splice.remove_member(&member);
    }
    String::from_utf8(splice.into_segments().into_bytes().to_vec()).expect("UTF-8")
}

#[test]
fn drop_fields_are_names_or_deep_names() {
    let parse = |field: &str| DropFields::parse(&[field.to_owned()]).map_err(|fault| fault.to_string());
    assert!(parse("cache_control").is_ok() && parse("**.x-y").is_ok() && parse("**.model").is_ok());
    for field in ["", "**.", "*.a", "a.b", "**.a.b", "a b", "naïve", "a\"b"] {
        assert!(
            parse(field).is_err_and(|text| text.starts_with(&format!("`{field}` is neither"))),
            "{field}"
        );
    }
    assert_eq!(parse("model").unwrap_err(), "`model` cannot be dropped: no request works without it");
}

#[test]
fn the_messages_dialect_has_blocks_within_blocks() {
    let body = r#"{"model":"m","max_tokens":1,"system":[{"type":"text","text":"s","cache_control":1}],"messages":[{"role":"user","cache_control":2,"content":[{"type":"tool_result","cache_control":3,"content":[{"type":"text","text":"t","cache_control":4}]},{"type":"tool_use","input":{"cache_control":"mine"}}]}],"tools":[{"name":"f","input_schema":{"cache_control":"mine"},"cache_control":5}]}"#;
    let after = without(Dialect::Messages, &["**.cache_control"], body);
    assert_eq!(after.matches("cache_control").count(), 2, "{after}");
    assert_eq!(after.matches(r#"{"cache_control":"mine"}"#).count(), 2, "{after}");
}

/// An object that may carry a mark, with the given further members.
fn marked(members: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (members, any::<bool>()).prop_map(|(mut object, mark)| {
        if mark && let Some(object) = object.as_object_mut() {
            object.insert("cache_control".to_owned(), json!({"type": "ephemeral", "cache_control": 1}));
        }
        object
    })
}

fn chat() -> impl Strategy<Value = Value> {
    let list = |item| prop::collection::vec(item, 1..4);
    let schema = json!({"type": "object", "properties": {"cache_control": {"x": 1}}, "cache_control": [2]});
    let part = marked(Just(json!({"type": "text", "text": "\"cache_control\":\"}]"})));
    let content =
        prop_oneof![Just(json!("plain")), Just(Value::Null), list(part.boxed()).prop_map(Value::from)];
    let message = marked(content.prop_map(|content| json!({"role": "user", "content": content})));
    let function = marked(Just(json!({"name": "f", "parameters": schema})));
    let tool = marked(function.prop_map(|function| json!({"type": "function", "function": function})));
    let body = (list(message.boxed()), list(tool.boxed())).prop_map(|(messages, tools)| {
        json!({"model": "m", "messages": messages, "tools": tools, "metadata": {"cache_control": "mine"}})
    });
    marked(body)
}

/// The same removal on a tree.
fn strip(value: &mut Value, inside: &[&str]) {
    for object in value.as_array_mut().map_or(&mut [][..], Vec::as_mut_slice) {
        strip(object, inside);
    }
    if let Some(object) = value.as_object_mut() {
        object.remove("cache_control");
        for (at, name) in inside.iter().enumerate() {
            object.get_mut(*name).into_iter().for_each(|value| strip(value, &inside[at + 1..]));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn marks_go_from_everywhere_that_chat_has_them_and_from_nowhere_else(body in chat(), escape: bool) {
        let mut text = body.to_string();
        if escape {
            text = text.replace("\"cache_control\":{\"type", "\"cache\\u005fcontrol\":{\"type");
        }
        let after = without(Dialect::Chat, &["cache_control", "**.cache_control"], &text);
        let mut expected = body;
        if let Some(object) = expected.as_object_mut() {
            object.remove("cache_control");
            strip(&mut object["messages"], &["content"]);
            strip(&mut object["tools"], &["function"]);
        }
        prop_assert_eq!(serde_json::from_str::<Value>(&after).expect("still JSON"), expected);
    }
}
