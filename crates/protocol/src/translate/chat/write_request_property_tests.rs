//! Laws: a longer conversation begins with the same bytes, what is said is kept, and nothing makes us panic.

use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;

use super::*;
use crate::capability::PLAIN;
use crate::dialect::{Dialect, Profile};
use crate::envelope::Envelope;
use crate::provider::ProviderKind;
use crate::raw::{self, Object, quoted};
use crate::translate;

fn toward(kind: ProviderKind) -> Toward<'static> {
    Toward {
        kind,
        model: "up/m",
        family: &PLAIN,
        max_output: None,
        ask_usage: true,
        prompt_template: Some("Go on: {prompt}"),
    }
}

fn kinds() -> impl Strategy<Value = ProviderKind> {
    prop_oneof![Just(ProviderKind::OpenAi), Just(ProviderKind::OpenAiCompatible)]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z \"\\\\\n\u{e9}\u{1f600}]{0,12}"]
}

fn mark() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(""), Just(r#","cache_control":{"type":"ephemeral", "ttl":"1h"}"#)]
}

fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        (text(), mark())
            .prop_map(|(text, mark)| format!(r#"{{"type":"text","text":{}{mark}}}"#, quoted(&text))),
        mark().prop_map(|mark| format!(
            r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,iVBO"}}{mark}}}"#
        )),
    ]
}

fn message() -> BoxedStrategy<String> {
    let parts = || prop::collection::vec(part(), 0..4).prop_map(raw::array);
    let said = || prop_oneof![text().prop_map(|text| quoted(&text)), parts()];
    let texts = (text(), mark())
        .prop_map(|(text, mark)| format!(r#"[{{"type":"text","text":{}{mark}}}]"#, quoted(&text)));
    let calls = prop::collection::vec((text(), text(), text()), 0..3).prop_map(|calls| {
        raw::array(calls.iter().map(|(id, name, arguments)| {
            let [id, name, arguments] = [id, name, arguments].map(|text| quoted(text));
            format!(r#"{{"id":{id},"type":"function","function":{{"name":{name},"arguments":{arguments}}}}}"#)
        }))
    });
    prop_oneof![
        (prop_oneof![Just("system"), Just("developer")], texts)
            .prop_map(|(role, said)| format!(r#"{{"role":"{role}","content":{said}}}"#)),
        (said(), mark()).prop_map(|(said, mark)| format!(r#"{{"role":"user","content":{said}{mark}}}"#)),
        (text(), text(), calls, mark()).prop_map(|(said, thought, calls, mark)| {
            let [said, thought] = [said, thought].map(|text| quoted(&text));
            format!(r#"{{"role":"assistant","content":{said},"reasoning_content":{thought},"tool_calls":{calls}{mark}}}"#)
        }),
        (text(), said()).prop_map(|(id, said)| format!(r#"{{"role":"tool","tool_call_id":{},"content":{said}}}"#, quoted(&id))),
    ]
    .boxed()
}

fn written(kind: ProviderKind, dialect: Dialect, body: &str) -> Option<String> {
    let call = Envelope::scan(body.to_owned().into(), dialect, Profile::Open).ok()?;
    translate::request(&call, Dialect::Chat, &toward(kind)).ok().map(|written| written.body)
}

/// All texts of a body's messages, in order; with calls, ids and arguments.
fn heard(body: &str) -> Vec<String> {
    let body = Object::parse(body).expect("an object");
    let mut heard = Vec::new();
    for message in body.items("messages").expect("messages") {
        let message = Object::parse(message).expect("a message");
        let mut said = String::new();
        match message.string("content") {
            Some(text) => said.push_str(&text),
            None => {
                for part in message.items("content").expect("parts") {
                    let part = Object::parse(part).expect("a part");
                    said.push_str(&part.string("text").unwrap_or_default());
                }
            }
        }
        heard.push(said);
        for call in message.items("tool_calls").expect("calls") {
            let call = Object::parse(call).expect("a call");
            let function = call.object("function").expect("a function");
            heard.push(format!(
                "{:?} {:?} {:?}",
                call.string("id"),
                function.string("name"),
                function.string("arguments")
            ));
        }
        heard.extend(message.string("tool_call_id").map(String::from));
    }
    // Pictures of a result are in a message of their own, which says nothing; so may others.
    heard.retain(|text| !text.is_empty());
    heard
}

/// Any JSON, of the names and words that mean something here.
fn any_json() -> impl Strategy<Value = String> {
    const NAMES: &[&str] = &[
        "role",
        "content",
        "type",
        "text",
        "image_url",
        "url",
        "file",
        "file_data",
        "file_id",
        "tool_calls",
        "id",
        "function",
        "name",
        "arguments",
        "cache_control",
        "thinking_blocks",
        "reasoning_details",
        "tool_call_id",
        "function_call",
        "refusal",
        "parameters",
        "json_schema",
        "schema",
        "allowed_tools",
        "mode",
        "tools",
        "data",
    ];
    const WORDS: &[&str] = &[
        "\"user\"",
        "\"assistant\"",
        "\"tool\"",
        "\"function\"",
        "\"system\"",
        "\"text\"",
        "\"image_url\"",
        "\"file\"",
        "\"thinking\"",
        "\"json_schema\"",
        "\"allowed_tools\"",
        "\"required\"",
        "\"data:image/png;base64,AA\"",
        "\"data:\\u00e9\"",
        "\"\\ud83d\"",
        "null",
        "true",
        "-1.5e3",
        "\"\"",
    ];
    let leaf = prop_oneof![
        prop::sample::select(WORDS).prop_map(str::to_owned),
        text().prop_map(|text| quoted(&text))
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(raw::array),
            prop::collection::btree_map(prop::sample::select(NAMES), inner, 0..6).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(name, json)| format!("\"{name}\":{json}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

const MEMBERS: &[&str] = &[
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "response_format",
    "thinking",
    "reasoning",
    "user",
    "stop",
    "reasoning_effort",
    "logprobs",
    "best_of",
    "suffix",
    "top_k",
    "cache_control",
    "x\u{e9}",
];

/// A message that has a role, and else whatever there is.
fn any_message() -> impl Strategy<Value = String> {
    const NAMES: &[&str] = &[
        "content",
        "content",
        "tool_calls",
        "function_call",
        "refusal",
        "cache_control",
        "thinking_blocks",
        "reasoning_details",
        "reasoning",
        "name",
        "tool_call_id",
        "audio",
    ];
    let roles = prop::sample::select(&["system", "developer", "user", "assistant", "tool", "function"][..]);
    (roles, prop::collection::btree_map(prop::sample::select(NAMES), any_json(), 0..3)).prop_map(
        |(role, members)| {
            let members: String = members.iter().map(|(name, json)| format!(",\"{name}\":{json}")).collect();
            format!(r#"{{"role":"{role}"{members}}}"#)
        },
    )
}

proptest! {
    #[test]
    fn a_longer_conversation_begins_with_the_same_bytes(
        kind in kinds(),
        messages in prop::collection::vec(message(), 1..6),
        more in message(),
    ) {
        let body = |messages: &[String]| format!(
            r#"{{"messages":[{}],"tools":[{{"type":"function","function":{{"name":"f"}}}}],"model":"m","stream":true,"max_tokens":5}}"#,
            messages.join(","),
        );
        let longer: Vec<_> = messages.iter().cloned().chain([more]).collect();
        let (short, long) = (written(kind, Dialect::Chat, &body(&messages)), written(kind, Dialect::Chat, &body(&longer)));
        let (Some(short), Some(long)) = (short, long) else { return Ok(()) };
        let prefix = short.strip_suffix("]}").expect("messages are last");
        prop_assert!(long.starts_with(prefix), "{prefix}\n{long}");
    }

    #[test]
    fn text_and_calls_are_kept(messages in prop::collection::vec(message(), 1..6)) {
        let body = format!(r#"{{"model":"m","messages":[{}]}}"#, messages.join(","));
        let written = written(ProviderKind::OpenAi, Dialect::Chat, &body).expect("a body");
        prop_assert_eq!(heard(&written), heard(&body));
    }

    #[test]
    fn schemas_are_kept_to_the_letter(number in -1e9_f64..1e9, name in text(), description in text()) {
        let [name, description] = [name, description].map(|text| quoted(&text));
        let schema = format!(r#"{{ "type":"object", "z":{number:?} ,"a":{{"const":1.50}},"d":{description} }}"#);
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"a"}}],"tools":[{{"type":"function","function":{{"name":{name},"description":{description},"parameters":{schema}}}}}],"response_format":{{"type":"json_schema","json_schema":{{"name":"n","schema":{schema}}}}}}}"#
        );
        let written = written(ProviderKind::OpenAi, Dialect::Chat, &body).expect("a body");
        prop_assert_eq!(written.matches(&schema).count(), 2);
        let described = format!(r#""function":{{"name":{name},"description":{description},"#);
        prop_assert!(written.contains(&described));
    }

    #[test]
    fn whatever_comes_is_written_as_json_or_refused(
        kind in kinds(),
        messages in prop::collection::vec(any_message(), 1..4),
        name in prop::sample::select(MEMBERS),
        value in any_json(),
    ) {
        for (dialect, conversation) in [
            (Dialect::Chat, format!(r#""messages":[{}]"#, messages.join(","))),
            (Dialect::Chat, r#""messages":[{"role":"user","content":"a"}]"#.to_owned()),
            (Dialect::Completions, format!(r#""prompt":{}"#, quoted(&messages.join(",")))),
        ] {
            let body = format!(r#"{{"model":"m",{conversation},"{name}":{value}}}"#);
            if let Some(written) = written(kind, dialect, &body) {
                prop_assert!(Object::parse(&written).is_ok(), "{}", written);
                prop_assert!(written.contains(r#","messages":["#));
            }
        }
    }
}
