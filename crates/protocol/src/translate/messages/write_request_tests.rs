//! Golden bodies: what each kind of request becomes.
//!
//! Requests are given as Messages bodies, read, and said to come from another client; what only the other dialects
//! can say is put in by hand.

use std::fmt::Write as _;

use super::*;
use crate::canonical::{Content, Format, Media, Reasoning, Source, Text, Tool, ToolChoice};
use crate::capability::{Family, PLAIN, Thinking};
use crate::dialect::Profile;
use crate::envelope::Envelope;
use crate::provider::ProviderKind;
use crate::translate::messages::read_request;

/// Changes a request to what the other dialect said.
type Patch = for<'a> fn(&mut Request<'a>);

const AS_IS: Patch = |_| {};

pub(super) fn family(thinking: Thinking) -> &'static Family {
    Box::leak(Box::new(Family { thinking, ..PLAIN }))
}

pub(super) fn scan(body: &str) -> Envelope {
    Envelope::scan(body.to_owned().into(), Dialect::Messages, Profile::Open)
        .expect("a body that passes its checks")
}

/// Writes `body`, as if a client of `dialect` had sent it.
pub(super) fn write(
    body: &str,
    dialect: Dialect,
    family: &'static Family,
    patch: Patch,
) -> Result<(String, Vec<String>), Untranslatable> {
    let call = scan(body);
    let mut request = read_request(&call)?;
    request.dialect = dialect;
    patch(&mut request);
    let toward = Toward {
        kind: ProviderKind::Anthropic,
        model: "claude-x",
        family,
        max_output: None,
        ask_usage: true,
        prompt_template: None,
    };
    let mut losses = Losses::default();
    let body = write_request(&request, &toward, &mut losses)?;
    crate::json::validate(body.as_bytes()).expect("JSON");
    crate::raw::Object::parse(&body).expect("no name comes twice");
    Ok((body, losses.into_names()))
}

/// All cases of a theme, one after the other.
fn golden(thinking: Thinking, cases: &[(&str, &str, Patch)]) -> String {
    let mut out = String::new();
    for (name, body, patch) in cases {
        let _ = writeln!(out, "# {name}");
        match write(body, Dialect::Chat, family(thinking), *patch) {
            Ok((body, losses)) => {
                let _ = writeln!(out, "{body}\nlost: {losses:?}\n");
            }
            Err(refusal) => {
                let _ = writeln!(out, "refused: {refusal}\n");
            }
        }
    }
    out
}

fn text(json: &str) -> Text<'_> {
    Text::read(json).expect("a string")
}

/// The content of the last block of the last turn.
fn last<'r, 'a>(request: &'r mut Request<'a>) -> &'r mut Content<'a> {
    let turn = request.turns.last_mut().expect("a turn");
    &mut turn.blocks.last_mut().expect("a block").content
}

fn say<'a>(request: &mut Request<'a>, content: Content<'a>) {
    *last(request) = content;
}

const HELLO: &str = r#"{"model":"m","max_tokens":300,"messages":[{"role":"user","content":"Hello"}]}"#;

#[path = "write_request/thinking_tests.rs"]
mod thinking_tests;

#[test]
fn instructions() {
    insta::assert_snapshot!(golden(
        Thinking::Budget,
        &[
            (
                "a plain system prompt is a string",
                r#"{"model":"m","max_tokens":1,"system":"Be \"brief\" \u00e9","messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            (
                "a marked one is a block",
                r#"{"model":"m","max_tokens":1,"system":[{"type":"text","text":"Be brief","cache_control":{"ttl":"1h","type":"ephemeral","x_new":1.0}}],"messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            (
                "several are blocks",
                r#"{"model":"m","max_tokens":1,"system":"One","messages":[{"role":"system","content":[{"type":"text","text":"Two"},{"type":"text","text":" \n","cache_control":{"type":"ephemeral"}}]},{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            (
                "between turns they are set apart in what the user says",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"role":"system","content":"Now in \"French\""},{"role":"user","content":"Bye"}]}"#,
                AS_IS
            ),
            (
                "instructions alone are a message",
                r#"{"model":"m","max_tokens":1,"system":"Tell a joke","messages":[{"role":"user","content":"x"}]}"#,
                |request| {
                    request.turns.pop();
                }
            ),
            (
                "an empty prompt is none",
                r#"{"model":"m","max_tokens":1,"system":"","messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            (
                "pictures are no instructions",
                r#"{"model":"m","max_tokens":1,"system":"x","messages":[{"role":"user","content":"Hi"}]}"#,
                |request| {
                    let url = Source::Url(Text::of("https://example.com/a.png"));
                    let media = Media { source: url, detail: None, name: None, is_image: true };
                    request.turns[0].blocks[0].content = Content::Media(media);
                }
            ),
            (
                "nor between turns",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"Hi"},{"role":"system","content":[{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}]},{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
        ]
    ));
}

#[test]
fn turns() {
    insta::assert_snapshot!(golden(
        Thinking::Budget,
        &[
            (
                "one side speaks in one message",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"One"},{"role":"user","content":"Two"},{"role":"assistant","content":"Three"},{"role":"assistant","content":"Four"},{"role":"user","content":"Five"}]}"#,
                AS_IS
            ),
            (
                "results of parallel calls come at once and first",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"Weather?"},{"role":"assistant","content":[{"type":"text","text":"Let me look. \n"},{"type":"tool_use","id":"call_1","name":"weather","input":{"city":"Oslo"}},{"type":"tool_use","id":"call_2","name":"weather","input":{ "city" : "Rome" }}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"3 degrees"}]},{"role":"user","content":"And?"},{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_2","is_error":true,"content":[{"type":"text","text":"Down"},{"type":"image","source":{"type":"url","url":"https://example.com/m.png"}}]}]}]}"#,
                AS_IS
            ),
            (
                "a result may be nothing",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":""}]}]}"#,
                AS_IS
            ),
            (
                "marks within a result go to the result",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]}]}"#,
                AS_IS
            ),
            ("arguments may be nothing", HELLO, |request| {
                say(
                    request,
                    Content::ToolCall { id: Text::of("c"), name: Text::of("f"), arguments: " \n".into() },
                );
                request.turns[0].role = crate::canonical::Role::Assistant;
            }),
            ("arguments that were cut off stand whole under one name", HELLO, |request| {
                say(
                    request,
                    Content::ToolCall {
                        id: Text::of("c"),
                        name: Text::of("f"),
                        arguments: r#"{"city":"Os"#.into(),
                    },
                );
            }),
            ("so do arguments that are no object", HELLO, |request| {
                say(
                    request,
                    Content::ToolCall { id: Text::of("c"), name: Text::of("f"), arguments: "[1]".into() },
                );
            }),
            (
                "ids of calls are brought to the letters that are taken",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"functions.weather:0","name":"weather","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"functions.weather:0","content":"3"}]}]}"#,
                AS_IS
            ),
            (
                "an answer to go on with ends with a word",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"Sun?"},{"role":"assistant","content":[{"type":"text","text":"It is called \n\u00a0"},{"type":"text","text":""}]}]}"#,
                AS_IS
            ),
            (
                "white space says nothing",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":""},{"role":"user","content":[{"type":"text","text":" \t"},{"type":"text","text":"there"}]}]}"#,
                AS_IS
            ),
            (
                "nothing said is refused",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":" \n"}]}"#,
                AS_IS
            ),
            (
                "a refusal is text",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"x"},{"role":"user","content":"x"}]}"#,
                |request| {
                    request.turns[1].blocks[0].content =
                        Content::Refusal(text(r#""I cannot help with that.""#));
                }
            ),
            ("names of participants are left out", HELLO, |request| request.turns[0].name =
                Some(Text::of("Ann"))),
            ("what only the client's dialect has is refused", HELLO, |request| {
                say(
                    request,
                    Content::Native { kind: "input_audio".into(), json: r#"{"type":"input_audio"}"#.into() },
                );
            }),
        ]
    ));
}

#[test]
fn media() {
    let picture = r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="},"cache_control":{"type":"ephemeral"}}]}]}"#;
    insta::assert_snapshot!(golden(
        Thinking::Budget,
        &[
            ("a picture in the request", picture, AS_IS),
            (
                "a picture at an address",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https:\/\/example.com\/a.jpg"}}]}]}"#,
                AS_IS
            ),
            ("how closely to look is left out", picture, |request| {
                let Content::Media(media) = last(request) else { panic!("a picture") };
                media.detail = Some(Text::of("high"));
            }),
            ("jpg is jpeg", picture, |request| {
                let Content::Media(media) = last(request) else { panic!("a picture") };
                media.source = Source::Base64 { media_type: "image/JPG".into(), data: "AAAA".into() };
            }),
            ("other kinds of pictures are refused", picture, |request| {
                let Content::Media(media) = last(request) else { panic!("a picture") };
                media.source = Source::Base64 { media_type: "image/bmp".into(), data: "AAAA".into() };
            }),
            (
                "a document in the request",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"document","title":"Plan.pdf","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="}}]}]}"#,
                AS_IS
            ),
            (
                "a document at an address, and one of text",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"url","url":"https://example.com/a.pdf"}},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"One\ntwo"}}]}]}"#,
                AS_IS
            ),
            (
                "a file that another provider keeps is refused",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"file-1"}}]}]}"#,
                AS_IS
            ),
        ]
    ));
}

#[test]
fn tools() {
    let one = r#"{"model":"m","max_tokens":1,"tools":[{"name":"weather","description":"Tells the weather","input_schema":{"type":"object","properties":{"city":{"type":"string","maxLength":1e2}},"required":["city"]}}],"messages":[{"role":"user","content":"Hi"}]}"#;
    insta::assert_snapshot!(golden(
        Thinking::Budget,
        &[
            ("a function with its schema as it is", one, AS_IS),
            (
                "marks and strictness",
                r#"{"model":"m","max_tokens":1,"tools":[{"name":"f","strict":true,"input_schema":{"type":"object"}},{"name":"g","strict":false,"cache_control":{"type":"ephemeral","ttl":"1h"},"input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            (
                "a function that takes nothing",
                r#"{"model":"m","max_tokens":1,"tools":[{"name":"f"},{"name":"g","description":"","input_schema":{}},{"name":"h","input_schema":{ "properties":{}}}],"messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            ("any of them", one, |request| request.tool_choice = Some(ToolChoice::Required)),
            ("this one, once", one, |request| {
                request.tool_choice = Some(ToolChoice::Function(Text::of("weather")));
                request.parallel_tool_calls = Some(false);
            }),
            ("one at a time", one, |request| request.parallel_tool_calls = Some(false)),
            ("none", one, |request| {
                request.tool_choice = Some(ToolChoice::None);
                request.parallel_tool_calls = Some(false);
            }),
            ("no choice without tools", HELLO, |request| {
                request.tool_choice = Some(ToolChoice::Auto);
                request.parallel_tool_calls = Some(false);
            }),
            ("a choice among some is refused", one, |request| {
                request.tool_choice = Some(ToolChoice::Native(r#"{"type":"allowed_tools"}"#.into()));
            }),
            ("a tool that another provider runs is refused", one, |request| {
                let json = r#"{"type":"web_search"}"#.into();
                request.tools.push(Tool::Native { kind: "web_search".into(), name: None, json });
            }),
        ]
    ));
}

#[test]
fn other_members() {
    insta::assert_snapshot!(golden(
        Thinking::Budget,
        &[
            ("the least", HELLO, AS_IS),
            ("a limit for a client that has none", HELLO, |request| request.max_tokens = None),
            ("a limit above what the model can give", HELLO, |request| request.max_tokens =
                Some("1e6".into())),
            (
                "a stream",
                r#"{"model":"m","max_tokens":1,"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            (
                "hot",
                r#"{"model":"m","max_tokens":1,"temperature":1.7,"top_p":1.0,"top_k":40,"messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            (
                "what changes nothing is left out",
                r#"{"model":"m","max_tokens":1,"temperature":1,"top_p":0.5,"messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            (
                "stops, but not at white space",
                r#"{"model":"m","max_tokens":1,"stop_sequences":["\n","END"," \u0020"],"messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            (
                "the end user",
                r#"{"model":"m","max_tokens":1,"metadata":{"user_id":"u-\u00e9"},"messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            (
                "the usual tier",
                r#"{"model":"m","max_tokens":1,"service_tier":"default","messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            (
                "a tier that is only there",
                r#"{"model":"m","max_tokens":1,"service_tier":"flex","messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            (
                "a mark for all",
                r#"{"model":"m","max_tokens":1,"cache_control":{"type":"ephemeral","ttl":"1h","n":9007199254740993},"messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            (
                "five marks and one for all",
                r#"{"model":"m","max_tokens":1,"cache_control":{"type":"ephemeral"},"tools":[{"name":"f","input_schema":{"type":"object"},"cache_control":{"n":1}}],"system":[{"type":"text","text":"s","cache_control":{"n":2}}],"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"n":3}},{"type":"text","text":"b","cache_control":{"n":4}}]},{"role":"assistant","content":"c"},{"role":"user","content":[{"type":"text","text":"d","cache_control":{"n":5}}]}]}"#,
                AS_IS
            ),
            (
                "a mark on nothing goes to what is before",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"","cache_control":{"type":"ephemeral"}}]}]}"#,
                AS_IS
            ),
            (
                "or is lost",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"","cache_control":{"type":"ephemeral"}},{"type":"text","text":"a"}]}]}"#,
                AS_IS
            ),
            (
                "any JSON",
                r#"{"model":"m","max_tokens":1,"system":"Be brief","messages":[{"role":"user","content":"In JSON"}]}"#,
                |request| {
                    request.format = Some(Format::JsonObject);
                }
            ),
            ("a shape that is only there", HELLO, |request| {
                request.format = Some(Format::Native(r#"{"type":"grammar"}"#.into()));
            }),
            (
                "what is not taken is told",
                r#"{"model":"m","max_tokens":1,"seed":7,"logit_bias":{"50256":-100},"messages":[{"role":"user","content":[{"type":"text","text":"Hi","citations":[{"type":"char_location"}]}]}]}"#,
                AS_IS
            ),
        ]
    ));
}

#[test]
fn a_members_name_never_comes_twice() {
    // Completions' members go as they are, those that are written from elsewhere excepted.
    let body = r#"{"model":"m","max_tokens":1,"top_p":0.5,"system_":1,"best_of":2,"messages":[{"role":"user","content":"Hi"}]}"#;
    let patch: Patch = |request| {
        for name in ["thinking", "system", "metadata"] {
            request.extras.push(Extra { name: name.into(), value: r#"{"a":1}"#.into() });
        }
        request.user = Some(Text::of("u"));
    };
    let (body, losses) = write(body, Dialect::Completions, family(Thinking::Budget), patch).expect("a body");
    insta::assert_snapshot!(body, @r#"{"model":"claude-x","max_tokens":1,"metadata":{"user_id":"u"},"top_p":0.5,"system_":1,"best_of":2,"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}]}"#);
    assert_eq!(losses, ["thinking", "system", "metadata"]);
}

#[test]
fn an_operators_limit_goes_before_the_tables() {
    let call = scan(HELLO);
    let mut request = read_request(&call).expect("a request");
    let mut toward = Toward {
        kind: ProviderKind::Anthropic,
        model: "m",
        family: &PLAIN,
        max_output: Some(200),
        ask_usage: false,
        prompt_template: None,
    };
    assert_eq!(sampling::max_tokens(&request, &toward), "200");
    request.max_tokens = None;
    assert_eq!(sampling::max_tokens(&request, &toward), "200");
    (toward.max_output, toward.family) = (None, Box::leak(Box::new(Family { max_output: None, ..PLAIN })));
    assert_eq!(sampling::max_tokens(&request, &toward), "4096");
}

#[test]
fn a_request_of_the_same_dialect_is_kept_whole() {
    let body = r#"{"model":"m","max_tokens":9,"service_tier":"standard_only","stop_sequences":["x"],"temperature":1,"thinking":{"type":"disabled"},"output_config":{"effort":"low"},"context_management":{"edits":[]},"tool_choice":{"type":"any","disable_parallel_tool_use":true},"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":3}],"system":"s","messages":[{"role":"user","content":[{"type":"search_result","source":"a","title":"b","content":[],"cache_control":{"type":"ephemeral"}}]},{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}}]},{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"f"}}]}]}"#;
    let (written, losses) = write(body, Dialect::Messages, family(Thinking::Budget), AS_IS).expect("a body");
    assert_eq!(losses, [""; 0]);
    let (mut written, mut sent): (serde_json::Value, serde_json::Value) =
        (serde_json::from_str(&written).expect("JSON"), serde_json::from_str(body).expect("JSON"));
    assert_eq!(written["model"].take(), "claude-x");
    sent["model"].take();
    assert_eq!(written, sent);
}

#[test]
fn a_fault_is_told_by_the_place_that_the_client_knows() {
    let result = r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"base64","media_type":"image/bmp","data":""}}]}]}]}"#;
    let spoken = r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"base64","media_type":"image/bmp","data":""}}]}]}"#;
    for (body, client, member) in [
        (result, Dialect::Chat, "messages[1].content[1]"),
        (result, Dialect::Responses, "input[1].output[1]"),
        (result, Dialect::Messages, "messages[1].content[0].content[1]"),
        (spoken, Dialect::Chat, "messages[0].content[1]"),
        (spoken, Dialect::Responses, "input[0].content[1]"),
        (spoken, Dialect::Completions, "prompt"),
    ] {
        let refusal = write(body, client, family(Thinking::Budget), AS_IS).expect_err("a fault");
        assert_eq!(refusal.member, member, "{client:?}: {}", refusal.why);
    }
}

#[test]
fn how_sharp_a_picture_is_has_no_place() {
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://e.org/a"}}]}]}"#;
    let sharp = |request: &mut Request<'_>| match &mut request.turns[0].blocks[0].content {
        Content::Media(media) => media.detail = Some(Text::of("high")),
        other => panic!("{other:?}"),
    };
    for (client, name) in [
        (Dialect::Chat, "messages[].content[].image_url.detail"),
        (Dialect::Responses, "input[].content[].detail"),
    ] {
        let (_, losses) = write(body, client, family(Thinking::Budget), sharp).expect("a body");
        assert_eq!(losses, [name]);
    }
}

#[test]
fn losses_are_told_in_the_clients_words() {
    let body = r#"{"model":"m","max_tokens":900,"stop_sequences":[" "],"output_config":{"effort":"high"},"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"a"},{"type":"text","text":"b"}]},{"role":"user","content":"Hi"}]}"#;
    for (client, names) in [
        (Dialect::Chat, ["thinking", "reasoning_effort", "stop"].as_slice()),
        (Dialect::Responses, &["reasoning", "stop"]),
        (Dialect::Messages, &["thinking", "stop_sequences"]),
    ] {
        let (_, losses) = write(body, client, family(Thinking::Budget), AS_IS).expect("a body");
        assert_eq!(losses, names, "{client:?}");
    }
}

#[path = "write_request/stable_tests.rs"]
mod stable;
