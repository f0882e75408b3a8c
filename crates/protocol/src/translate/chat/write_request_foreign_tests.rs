//! What only Messages and Responses say, from requests made by hand.

use super::tests::{OPEN, OPENAI, table, told, toward};
use super::*;
use crate::canonical::{
    Block, Content, Extra, Format, Function, Json, Media, Reasoning, Role, Source, Text, Tool, ToolChoice,
    Turn,
};
use crate::capability::{Family, PLAIN, Thinking};
use crate::dialect::Dialect;
use crate::provider::ProviderKind;
use crate::translate::Written;

/// Models that answer in few words and do not think.
static DULL: Family = Family { max_output: Some(4_096), thinking: Thinking::None, ..Family::UNKNOWN };

fn asked(dialect: Dialect) -> Request<'static> {
    Request {
        dialect,
        turns: Vec::new(),
        tools: Vec::new(),
        tool_choice: None,
        parallel_tool_calls: None,
        max_tokens: None,
        temperature: None,
        top_p: None,
        top_k: None,
        stop: Vec::new(),
        format: None,
        reasoning: None,
        stream: false,
        user: None,
        cache_control: None,
        extras: Vec::new(),
    }
}

fn ask() -> Request<'static> {
    asked(Dialect::Messages)
}

fn write(kind: ProviderKind, family: &'static Family, request: &Request<'_>) -> String {
    let mut losses = Losses::default();
    let body = write_request(request, &Toward { family, ..toward(kind) }, &mut losses);
    told(body.map(|body| Written { body, losses }))
}

fn open(request: &Request<'_>) -> String {
    write(OPEN, &DULL, request)
}

fn openai(request: &Request<'_>) -> String {
    write(OPENAI, &DULL, request)
}

fn turn(role: Role, at: usize, contents: Vec<Content<'static>>) -> Turn<'static> {
    Turn { role, developer: false, name: None, blocks: blocks(contents), at }
}

fn blocks(contents: Vec<Content<'static>>) -> Vec<Block<'static>> {
    contents.into_iter().map(|content| Block { content, mark: None }).collect()
}

/// What a user says, as it is written for a server of OpenAI's format.
fn user(contents: Vec<Content<'static>>) -> String {
    open(&Request { turns: vec![turn(Role::User, 4, contents)], ..ask() })
}

fn said(text: &str) -> Content<'static> {
    Content::Text(Text::of(text))
}

fn media(source: Source<'static>, is_image: bool) -> Content<'static> {
    Content::Media(Media { source, detail: None, name: None, is_image })
}

fn base64(media_type: &'static str) -> Source<'static> {
    Source::Base64 { media_type: media_type.into(), data: "AAEC".into() }
}

fn result(id: &str, content: Vec<Content<'static>>, is_error: bool) -> Content<'static> {
    Content::ToolResult { id: Text::of(id), content: blocks(content), is_error }
}

fn native(kind: &'static str) -> Content<'static> {
    Content::Native { kind: kind.into(), json: "{}".into() }
}

fn function(parameters: Option<&'static str>) -> Function<'static> {
    let parameters = parameters.map(Json::Borrowed);
    Function { name: Text::of("f"), description: None, parameters, strict: None, mark: None }
}

fn mark() -> Option<Json<'static>> {
    Some(r#"{"type":"ephemeral", "ttl":"1h"}"#.into())
}

fn texts(count: usize) -> Vec<Text<'static>> {
    (0..count).map(|text| Text::of(&text.to_string())).collect()
}

fn thinks(
    thinking: Option<&'static str>,
    effort: Option<&str>,
    summary: Option<&str>,
) -> Option<Reasoning<'static>> {
    let thinking = thinking.map(Json::Borrowed);
    Some(Reasoning { effort: effort.map(Text::of), thinking, summary: summary.map(Text::of) })
}

#[test]
fn what_messages_say_in_turns() {
    let png = || media(base64("image/png"), true);
    let kept = |is_image| media(Source::File(Text::of("file_1")), is_image);
    let tale = Media {
        source: Source::Text(Text::of("Once")),
        detail: None,
        name: Some(Text::of("Tale")),
        is_image: false,
    };
    let marked = Block { mark: mark(), content: result("toolu_1", vec![said("a"), said("b")], false) };
    let told = table([
        (
            "results come first, what they show comes next",
            user(vec![
                said("By the way"),
                result("toolu_1", vec![said("a"), png(), said("b")], false),
                result("toolu_2", vec![png()], false),
                result("toolu_3", vec![], false),
            ]),
        ),
        ("a result that is an error", user(vec![result("toolu_1", vec![said("No such file")], true)])),
        (
            "a mark on a result",
            open(&Request {
                turns: vec![Turn { blocks: vec![marked], ..turn(Role::User, 1, vec![]) }],
                ..ask()
            }),
        ),
        ("a document in plain text", user(vec![Content::Media(tale), said("Sum up")])),
        (
            "a document by its address",
            user(vec![said("See"), media(Source::Url(Text::of("https://x.example/a.pdf")), false)]),
        ),
        ("a document that is kept elsewhere", user(vec![kept(false)])),
        (
            "a picture that is kept elsewhere",
            user(vec![result("toolu_1", vec![said("a"), kept(true)], false)]),
        ),
        (
            "documents without a name",
            user(vec![media(base64("application/pdf"), false), media(base64("text/csv"), false)]),
        ),
        ("a result within a result", user(vec![result("a", vec![result("b", vec![], false)], false)])),
        ("a search result", user(vec![said("a"), native("search_result")])),
        (
            "what a hosted tool gave",
            open(&Request {
                turns: vec![turn(Role::Assistant, 3, vec![said("a"), native("web_search_tool_result")])],
                ..ask()
            }),
        ),
        (
            "a picture among instructions",
            open(&Request { turns: vec![turn(Role::System, 0, vec![said("a"), png()])], ..ask() }),
        ),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn what_messages_say_of_tools() {
    let hosted = Tool::Native {
        kind: "web_search_20250305".into(),
        name: Some("web_search".into()),
        json: "{}".into(),
    };
    let marked = Function { mark: mark(), ..function(Some(r#"{"type":"object"}"#)) };
    let told = table([
        ("a hosted tool", openai(&Request { tools: vec![Tool::Function(function(None)), hosted], ..ask() })),
        ("marks on tools", openai(&Request { tools: vec![Tool::Function(marked)], ..ask() })),
        (
            "a call of one tool is forced, and of one at a time",
            open(&Request {
                tools: vec![Tool::Function(function(None))],
                tool_choice: Some(ToolChoice::Function(Text::of("f"))),
                parallel_tool_calls: Some(false),
                ..ask()
            }),
        ),
        (
            "a choice that only the client knows",
            open(&Request { tool_choice: Some(ToolChoice::Native("{}".into())), ..ask() }),
        ),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn what_messages_say_beside() {
    let budget = Some(r#"{"type":"enabled","budget_tokens":2048}"#);
    let schema = || Some(r#"{"type":"object"}"#.into());
    let format = Format::JsonSchema { name: None, description: None, schema: schema(), strict: None };
    let extras = [("service_tier", "\"standard_only\""), ("messages[].x", "1")];
    let extras = extras.map(|(name, value)| Extra { name: name.into(), value: value.into() });
    let told = table([
        ("a model that does not think", open(&Request { reasoning: thinks(budget, None, None), ..ask() })),
        (
            "a model that does not think, asked by effort",
            open(&Request { reasoning: thinks(Some(r#"{"type":"adaptive"}"#), Some("max"), None), ..ask() }),
        ),
        (
            "a model that does not think is asked not to",
            open(&Request { reasoning: thinks(None, Some("none"), None), ..ask() }),
        ),
        (
            "effort before budget",
            write(OPENAI, &PLAIN, &Request { reasoning: thinks(budget, Some("high"), None), ..ask() }),
        ),
        ("more tokens than the family gives", open(&Request { max_tokens: Some("32000".into()), ..ask() })),
        ("a schema without a name", openai(&Request { format: Some(format), ..ask() })),
        (
            "a shape that only the client knows",
            openai(&Request { format: Some(Format::Native("{}".into())), ..ask() }),
        ),
        (
            "members that have no counterpart",
            open(&Request {
                user: Some(Text::of("u")),
                top_k: Some("5".into()),
                stop: texts(5),
                extras: extras.into(),
                ..ask()
            }),
        ),
        (
            "what OpenAI refuses",
            openai(&Request {
                user: Some(Text::of(&"u".repeat(65))),
                top_k: Some("5".into()),
                stop: texts(4),
                cache_control: mark(),
                ..ask()
            }),
        ),
        ("too many stops for OpenAI", openai(&Request { stop: texts(5), ..ask() })),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn what_responses_say() {
    let ask = || asked(Dialect::Responses);
    let developer = Turn { developer: true, ..turn(Role::System, 0, vec![said("Be kind.")]) };
    let developer = Request { turns: vec![developer], ..ask() };
    let thoughts = vec![
        Content::Thinking { text: Text::of("hm"), signature: None },
        said("Let me see."),
        Content::ToolCall { id: Text::of("c"), name: Text::of("f"), arguments: "{\"a\":".into() },
    ];
    let kept = media(Source::File(Text::of("file-1")), false);
    let told = table([
        ("developers are known to OpenAI alone", format!("{}\n{}", open(&developer), openai(&developer))),
        (
            "a summary of what was thought",
            write(OPENAI, &PLAIN, &Request { reasoning: thinks(None, Some("low"), Some("auto")), ..ask() }),
        ),
        (
            "thoughts that are sent back",
            openai(&Request { turns: vec![turn(Role::Assistant, 1, thoughts)], ..ask() }),
        ),
        (
            "a file that OpenAI keeps",
            openai(&Request { turns: vec![turn(Role::User, 1, vec![kept])], ..ask() }),
        ),
        (
            "sound, and where it stands",
            openai(&Request {
                turns: vec![turn(Role::User, 3, vec![said("a"), native("input_audio")])],
                ..ask()
            }),
        ),
    ]);
    insta::assert_snapshot!(told);
}
