//! What is read of requests as the public documentation shows them.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::canonical::{Block, Content, Function, Media, Source, Tool, ToolChoice};
use crate::capability::PLAIN;
use crate::dialect::Profile;
use crate::provider::ProviderKind;
use crate::translate::messages::write_request;
use crate::translate::{Losses, Toward};

fn scan(body: &str) -> Envelope {
    Envelope::scan(body.to_owned().into(), Dialect::Messages, Profile::Open)
        .expect("a body that passes its checks")
}

/// All cases, one after the other.
fn golden(cases: &[(&str, String)]) -> String {
    let mut out = String::new();
    for (name, body) in cases {
        let call = scan(body);
        let read = read_request(&call)
            .map_or_else(|refusal| format!("refused: {refusal}\n"), |request| shown(&request));
        let _ = writeln!(out, "# {name}\n{read}");
    }
    out
}

/// A request with these members around one question.
fn around(members: &str) -> String {
    format!(r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"Hi"}}]{members}}}"#)
}

/// A request in which this is said.
fn said(content: &str) -> String {
    format!(r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":{content}}}]}}"#)
}

/// A request, a line for each thing that it says beside a question and a limit.
fn shown(request: &Request<'_>) -> String {
    let mut out = String::new();
    let mut line = |text: String| out.extend([&*text, "\n"]);
    for turn in &request.turns {
        line(format!("{} {:?}", turn.at, turn.role));
        turn.blocks.iter().for_each(|block| line(format!("  {}", shown_block(block))));
    }
    for tool in &request.tools {
        line(match tool {
            Tool::Function(Function { name, description, parameters, strict, mark }) => {
                let description = description.as_ref().map(Text::json);
                format!(
                    "function {} {description:?} {parameters:?} strict {strict:?} mark {mark:?}",
                    name.json()
                )
            }
            Tool::Native { kind, name, json } => format!("tool {kind} {name:?} {json}"),
        });
    }
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Function(name)) => line(format!("choice {}", name.json())),
        Some(choice) => line(format!("choice {choice:?}")),
    }
    let Request { max_tokens, temperature, top_p, top_k, cache_control, .. } = request;
    let numbers =
        [("max_tokens", max_tokens), ("temperature", temperature), ("top_p", top_p), ("top_k", top_k)];
    for (name, value) in numbers.into_iter().chain([("mark", cache_control)]) {
        if let Some(value) = value.as_deref().filter(|value| *value != "9") {
            line(format!("{name} {value}"));
        }
    }
    if let Some(parallel) = request.parallel_tool_calls {
        line(format!("parallel {parallel}"));
    }
    request.stop.iter().for_each(|stop| line(format!("stop {}", stop.json())));
    match &request.format {
        None => {}
        Some(Format::JsonSchema { schema, .. }) => line(format!("schema {schema:?}")),
        Some(format) => line(format!("format {format:?}")),
    }
    if let Some(Reasoning { effort, thinking, .. }) = &request.reasoning {
        line(format!("reasoning {:?} {thinking:?}", effort.as_ref().map(Text::json)));
    }
    if request.stream {
        line("stream".to_owned());
    }
    request.user.iter().for_each(|user| line(format!("user {}", user.json())));
    request.extras.iter().for_each(|extra| line(format!("extra {} {}", extra.name, extra.value)));
    out
}

fn shown_block(block: &Block<'_>) -> String {
    let content = match &block.content {
        Content::Text(text) => format!("text {}", text.json()),
        Content::Refusal(text) => format!("refusal {}", text.json()),
        Content::Media(Media { source, name, is_image, .. }) => {
            let source = match source {
                Source::Url(url) => format!("at {}", url.json()),
                Source::Base64 { media_type, data } => format!("{media_type} {data}"),
                Source::Text(text) => format!("text {}", text.json()),
                Source::File(id) => format!("file {}", id.json()),
            };
            format!(
                "{} {source} {:?}",
                if *is_image { "image" } else { "document" },
                name.as_ref().map(Text::json)
            )
        }
        Content::ToolCall { id, name, arguments } => {
            format!("call {} {} {arguments}", id.json(), name.json())
        }
        Content::ToolResult { id, content, is_error } => {
            let content: Vec<_> = content.iter().map(shown_block).collect();
            format!("result {} error {is_error} {content:?}", id.json())
        }
        Content::Thinking { text, signature } => {
            format!("thought {} signed {:?}", text.json(), signature.as_ref().map(Text::json))
        }
        Content::RedactedThinking(data) => format!("sealed {}", data.json()),
        Content::Native { kind, json } => format!("native {kind} {json}"),
    };
    match &block.mark {
        Some(mark) => format!("{content} mark {mark}"),
        None => content,
    }
}

#[test]
fn content() {
    insta::assert_snapshot!(golden(&[
        ("text in both forms", r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi \u00e9"},{"role":"assistant","content":[{"type":"text","text":"Hello"}]}]}"#.to_owned()),
        ("a system prompt as a string", around(r#","system":"Be brief""#)),
        ("a system prompt in blocks", around(r#","system":[{"type":"text","text":"One"},{"type":"text","text":"Two","cache_control":{"type":"ephemeral","ttl":"1h"}}]"#)),
        ("instructions between turns", r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"},{"role":"system","content":"In French"}]}"#.to_owned()),
        ("pictures", said(r#"[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO\/w=="},"cache_control":{"type":"ephemeral"}},{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}},{"type":"image","source":{"type":"file","file_id":"file_1"}}]"#)),
        ("documents", said(r#"[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"},"title":"Plan","citations":{"enabled":false}},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a\nb"},"context":"from 1999","citations":{"enabled":true}},{"type":"document","source":{"type":"content","content":"x"}}]"#)),
        ("calls and what they gave", r#"{"model":"m","max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"f","input":{"a": 1.0},"caller":{"type":"direct"}},{"type":"tool_use","id":"toolu_2","name":"g","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"one"},{"type":"tool_result","tool_use_id":"toolu_2","is_error":true,"content":[{"type":"text","text":"two"},{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}],"cache_control":{"type":"ephemeral"}},{"type":"tool_result","tool_use_id":"toolu_3"}]}]}"#.to_owned()),
        ("thoughts", r#"{"model":"m","max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"Hm.","signature":"c2ln"},{"type":"thinking","thinking":"So.","signature":""},{"type":"redacted_thinking","data":"ZGF0"},{"type":"text","text":"Yes"}]}]}"#.to_owned()),
        ("what only Messages has", r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"search_result","source":"s","title":"t","content":[],"cache_control":{"type":"ephemeral"}}]},{"role":"assistant","content":[{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"x"}},{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}]}]}"#.to_owned()),
        ("citations are told apart", said(r#"[{"type":"text","text":"a","citations":[{"type":"page_location"}]},{"type":"text","text":"b","citations":[]},{"type":"text","text":"c","citations":null,"cache_control":null}]"#)),
    ]));
}

#[test]
fn members() {
    insta::assert_snapshot!(golden(&[
        (
            "tools of the client and of the provider",
            around(
                r#","tools":[{"name":"f","description":"Does","input_schema":{"type":"object","properties":{}},"cache_control":{"type":"ephemeral"},"input_examples":[{"a":1}]},{"type":"custom","name":"g","input_schema":{"type":"object"},"strict":true},{"type":"web_search_20250305","name":"web_search","max_uses":5}]"#
            )
        ),
        (
            "any of them, one at a time",
            around(r#","tool_choice":{"type":"any","disable_parallel_tool_use":true}"#)
        ),
        (
            "by the model's own choice",
            around(r#","tool_choice":{"type":"auto","disable_parallel_tool_use":false}"#)
        ),
        ("this one", around(r#","tool_choice":{"type":"tool","name":"f"}"#)),
        ("none", around(r#","tool_choice":{"type":"none"}"#)),
        ("a choice that nobody knows", around(r#","tool_choice":{"type":"some"}"#)),
        (
            "sampling as written",
            around(
                r#","temperature":0.70,"top_p":1e-1,"top_k":40,"stop_sequences":["\n\nHuman:","END"],"stream":true"#
            )
        ),
        ("a budget", around(r#","thinking":{"type":"enabled","budget_tokens":2048}"#)),
        (
            "an effort and a schema",
            around(
                r#","thinking":{"type":"adaptive"},"output_config":{"effort":"max","format":{"type":"json_schema","schema":{"type":"object"}},"task_budget":{"type":"tokens","total":9}}"#
            )
        ),
        (
            "a schema as it was asked for before",
            around(r#","output_format":{"type":"json_schema","schema":{"type":"object"}}"#)
        ),
        ("a format that nobody knows", around(r#","output_config":{"format":{"type":"grammar"}}"#)),
        (
            "who asks",
            around(
                r#","metadata":{"user_id":"u1","team":"a"},"cache_control":{"type":"ephemeral","ttl":"5m"}"#
            )
        ),
        (
            "what else there is, and what says nothing",
            around(
                r#","service_tier":"standard_only","container":null,"mcp_servers":[],"speed":"standard","inference_geo":"eu","context_management":{"edits":[1]},"seed":7,"stream":false,"stream_options":{"include_usage":true},"$schema":"x""#
            )
        ),
        ("the usual tier says nothing", around(r#","service_tier":"auto""#)),
        ("names in escapes", around(r#","\u0074ools":[{"\u006eame":"f"}]"#)),
    ]));
}

#[test]
fn what_cannot_be_understood_is_refused_by_its_place() {
    for (body, member) in [
        (said("7"), "messages[0].content"),
        (said("null"), "messages[0].content"),
        (said(r#"["Hi"]"#), "messages[0].content[0]"),
        (said("[{}]"), "messages[0].content[0].type"),
        (said(r#"[{"type":"text"}]"#), "messages[0].content[0].text"),
        (said(r#"[{"type":"text","text":"a","text":"b"}]"#), "messages[0].content[0]"),
        (said(r#"[{"type":"image"}]"#), "messages[0].content[0].source"),
        (said(r#"[{"type":"image","source":{"type":"url"}}]"#), "messages[0].content[0].source.url"),
        (said(r#"[{"type":"tool_use","id":1}]"#), "messages[0].content[0].id"),
        (
            said(r#"[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":1}]}]"#),
            "messages[0].content[0].content[0].text",
        ),
        (said(r#""a"},{"role":"tool","content":"b""#), "messages[1].role"),
        (around(r#","system":7"#), "system"),
        (around(r#","tools":{}"#), "tools"),
        (around(r#","tools":[{"input_schema":{}}]"#), "tools[0].name"),
        (around(r#","tools":[{"name":"f","input_schema":[]}]"#), "tools[0].input_schema"),
        (around(r#","tool_choice":"auto""#), "tool_choice"),
        (around(r#","tool_choice":{"type":"tool"}"#), "tool_choice.name"),
        (around(r#","stop_sequences":["a",1]"#), "stop_sequences[1]"),
        (around(r#","output_config":[]"#), "output_config"),
    ] {
        let call = scan(&body);
        let refusal = read_request(&call).expect_err("no request");
        assert_eq!(refusal.member, member, "{body}: {}", refusal.why);
    }
}

/// Any JSON, most often with names and words that mean something here.
fn json() -> impl Strategy<Value = String> {
    const WORDS: &str = "text|image|document|tool_use|tool_result|thinking|redacted_thinking|user|assistant|system|url|base64|file|auto|any|tool|json_schema|enabled|none| |";
    const NAMES: &str = "type|text|content|source|id|name|input|tool_use_id|thinking|signature|data|media_type|url|cache_control|role|effort|format|schema|input_schema|title|is_error|user_id|citations";
    let word = prop::sample::select(WORDS.split('|').collect::<Vec<_>>());
    let scalar = prop_oneof![
        4 => word.prop_map(|word| format!("\"{word}\"")),
        1 => prop::sample::select(vec!["null", "true", "false", "0", "-1e999", "1.5", r#""\ud83d""#, r#""a\\""#, "{}", "[]"])
            .prop_map(String::from),
    ];
    scalar.prop_recursive(5, 48, 6, move |inner| {
        let name = prop::sample::select(NAMES.split('|').collect::<Vec<_>>());
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            3 => prop::collection::btree_map(name, inner, 0..6).prop_map(|members| {
                let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_body_makes_it_panic_or_write_anything_but_an_object(
        content in json(),
        members in prop::collection::btree_map(prop::sample::select(
            "system|tools|tool_choice|thinking|output_config|output_format|metadata|stop_sequences|cache_control|top_k|service_tier|x"
                .split('|').collect::<Vec<_>>()
        ), json(), 0..4),
        role in prop::sample::select(vec!["user", "assistant", "system", "tool"]),
        client in prop::sample::select(vec![Dialect::Messages, Dialect::Chat, Dialect::Responses, Dialect::Completions]),
    ) {
        let mut body = format!(r#"{{"model":"m","max_tokens":2000,"messages":[{{"role":"{role}","content":{content}}}]"#);
        for (name, value) in &members {
            let _ = write!(body, ",\"{name}\":{value}");
        }
        body.push('}');
        let Ok(call) = Envelope::scan(body.into(), Dialect::Messages, Profile::Open) else { return Ok(()) };
        let Ok(mut request) = read_request(&call) else { return Ok(()) };
        request.dialect = client;
        let toward = Toward {
            kind: ProviderKind::Anthropic,
            model: "m",
            family: &PLAIN,
            max_output: None,
            ask_usage: false,
            prompt_template: None,
        };
        if let Ok(body) = write_request(&request, &toward, &mut Losses::default()) {
            prop_assert!(Object::parse(&body).is_ok(), "{}", body);
        }
    }
}
