//! What the tests of this dialect share: requests shown line by line, answers as plain objects and as streams.

use std::fmt::Write;

use bytes::Bytes;

use super::{StreamWriter, read_request, write_reply};
use crate::canonical::{
    Block, Choice, Content, Delta, Format, Head, Opening, Piece, Reply, Request, Role, Source, Stop, Text,
    Tokens, Tool, ToolChoice,
};
use crate::dialect::{Dialect, Profile};
use crate::envelope::Envelope;
use crate::observe::Finish;
use crate::translate::{Asked, Events};
use crate::usage::Usage;

pub(super) fn call(body: &str) -> Envelope {
    let body = Bytes::copy_from_slice(body.as_bytes());
    Envelope::scan(body, Dialect::Responses, Profile::Open).expect("a body of the dialect")
}

pub(super) fn asked(body: &str) -> Asked {
    Asked { call: call(body), now: 1_790_000_000, id: "01req".to_owned() }
}

/// What is read from a request, or why it is refused.
pub(super) fn read(body: &str) -> String {
    let call = call(body);
    match read_request(&call) {
        Ok(request) => show(&request),
        Err(fault) => format!("refused: {fault}\n"),
    }
}

fn show(request: &Request<'_>) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("a string takes all");
    for tool in &request.tools {
        line(match tool {
            Tool::Function(function) => format!("tool {function:?}"),
            Tool::Native { kind, name, json } => format!("native tool {kind} {name:?} {json}"),
        });
    }
    for (name, value) in [
        ("tool_choice", request.tool_choice.as_ref().map(choice)),
        ("parallel", request.parallel_tool_calls.map(|value| value.to_string())),
        ("max_tokens", request.max_tokens.as_ref().map(ToString::to_string)),
        ("temperature", request.temperature.as_ref().map(ToString::to_string)),
        ("top_p", request.top_p.as_ref().map(ToString::to_string)),
        ("top_k", request.top_k.as_ref().map(ToString::to_string)),
        ("stop", (!request.stop.is_empty()).then(|| format!("{:?}", request.stop))),
        ("format", request.format.as_ref().map(format_of)),
        ("reasoning", request.reasoning.as_ref().map(|value| format!("{value:?}"))),
        ("stream", request.stream.then(|| "yes".to_owned())),
        ("user", request.user.as_ref().map(|user| user.json().to_owned())),
        ("cache_control", request.cache_control.as_ref().map(ToString::to_string)),
    ] {
        if let Some(value) = value {
            line(format!("{name}: {value}"));
        }
    }
    for extra in &request.extras {
        line(format!("extra {}: {}", extra.name, extra.value));
    }
    for turn in &request.turns {
        let role = match (turn.role, turn.developer) {
            (Role::System, true) => "developer",
            (Role::System, false) => "system",
            (Role::User, _) => "user",
            (Role::Assistant, _) => "assistant",
        };
        let name = turn.name.as_ref().map(|name| format!(" {}", name.json())).unwrap_or_default();
        line(format!("[{}] {role}{name}", turn.at));
        for block in &turn.blocks {
            line(format!("    {}", show_block(block)));
        }
    }
    out
}

fn choice(choice: &ToolChoice<'_>) -> String {
    format!("{choice:?}")
}

fn format_of(format: &Format<'_>) -> String {
    format!("{format:?}")
}

fn show_block(block: &Block<'_>) -> String {
    let mark = block.mark.as_ref().map(|mark| format!("  <- {mark}")).unwrap_or_default();
    let content = match &block.content {
        Content::Text(text) => format!("text {}", text.json()),
        Content::Refusal(text) => format!("refusal {}", text.json()),
        Content::Media(media) => {
            let what = if media.is_image { "image" } else { "file" };
            let source = match &media.source {
                Source::Url(url) => format!("at {}", url.json()),
                Source::Base64 { media_type, data } => format!("{media_type} {data}"),
                Source::Text(text) => format!("text {}", text.json()),
                Source::File(id) => format!("kept as {}", id.json()),
            };
            let said = |text: &Option<Text<'_>>| {
                text.as_ref().map(|text| text.json().to_owned()).unwrap_or_default()
            };
            format!("{what} {source} detail={} name={}", said(&media.detail), said(&media.name))
        }
        Content::ToolCall { id, name, arguments } => {
            format!("call {} {} {arguments}", id.json(), name.json())
        }
        Content::ToolResult { id, content, .. } => {
            let content: Vec<String> = content.iter().map(show_block).collect();
            format!("result {} [{}]", id.json(), content.join("; "))
        }
        Content::Thinking { text, signature } => format!(
            "thinking {} signature={}",
            text.json(),
            signature.as_ref().map(|text| text.json().to_owned()).unwrap_or_default()
        ),
        Content::RedactedThinking(data) => format!("redacted {}", data.json()),
        Content::Native { kind, json } => format!("native {kind} {json}"),
    };
    content + &mark
}

pub(super) fn block(content: Content<'static>) -> Block<'static> {
    Block { content, mark: None }
}

pub(super) fn said(text: &str) -> Block<'static> {
    block(Content::Text(Text::of(text)))
}

pub(super) fn thought(text: &str, signature: Option<&str>) -> Block<'static> {
    block(Content::Thinking { text: Text::of(text), signature: signature.map(Text::of) })
}

pub(super) fn called(id: &str, name: &str, arguments: &str) -> Block<'static> {
    block(Content::ToolCall {
        id: Text::of(id),
        name: Text::of(name),
        arguments: arguments.to_owned().into(),
    })
}

pub(super) fn stop(finish: Finish, native: &str) -> Stop<'static> {
    Stop { finish, native: native.to_owned().into(), sequence: None }
}

/// An answer of a chat upstream.
pub(super) fn reply(blocks: Vec<Block<'static>>, stop: Stop<'static>) -> Reply<'static> {
    Reply {
        head: Head {
            id: Some(Text::of("chatcmpl-7")),
            model: Some(Text::of("open-model-1")),
            created: Some("1789999999".into()),
            ..Head::default()
        },
        choices: vec![Choice { index: 0, blocks, stop: Some(stop), logprobs: None }],
        tokens: Some(Tokens {
            usage: Usage { input: 36, output: 12, cache_read: 8, cache_write: 0, cache_write_long: 0, reasoning: 5 },
            native: Vec::new(),
        }),
    }
}

/// The steps of a stream that gives the same answer, each text in pieces of so many characters.
pub(super) fn deltas(reply: &Reply<'static>, size: usize) -> Vec<Delta<'static>> {
    let mut deltas = vec![Delta::Begin(reply.head.clone())];
    for choice in &reply.choices {
        for (block, content) in (0..).zip(&choice.blocks) {
            steps(choice.index, block, &content.content, size, &mut deltas);
        }
        if let Some(stop) = &choice.stop {
            deltas.push(Delta::Finish { choice: choice.index, stop: stop.clone() });
        }
    }
    deltas.extend(reply.tokens.clone().map(Delta::Tokens));
    deltas.push(Delta::End);
    deltas
}

fn steps(choice: u64, block: u64, content: &Content<'static>, size: usize, deltas: &mut Vec<Delta<'static>>) {
    let (opening, text) = match content {
        Content::Text(text) => (Opening::Text, text.meant().into_owned()),
        Content::Refusal(text) => (Opening::Refusal, text.meant().into_owned()),
        Content::Thinking { text, .. } => (Opening::Thinking, text.meant().into_owned()),
        Content::RedactedThinking(data) => (Opening::RedactedThinking(data.clone()), String::new()),
        Content::ToolCall { id, name, arguments } => {
            (Opening::ToolCall { id: id.clone(), name: name.clone() }, arguments.to_string())
        }
        Content::Native { json, .. } => (Opening::Native(json.clone()), String::new()),
        Content::Media(_) | Content::ToolResult { .. } => return,
    };
    deltas.push(Delta::Open { choice, block, opening });
    let letters: Vec<char> = text.chars().collect();
    for piece in letters.chunks(size.max(1)) {
        let piece = Text::of(&piece.iter().collect::<String>());
        let piece = match content {
            Content::ToolCall { .. } => Piece::Arguments(piece),
            _ => Piece::Text(piece),
        };
        deltas.push(Delta::Piece { choice, block, piece });
    }
    if let Content::Thinking { signature: Some(signature), .. } = content {
        deltas.push(Delta::Piece { choice, block, piece: Piece::Signature(signature.clone()) });
    }
    deltas.push(Delta::Close { choice, block });
}

/// The bytes of a stream.
pub(super) fn stream(body: &str, deltas: &[Delta<'_>]) -> String {
    let mut writer = StreamWriter::new(asked(body));
    let mut events = Vec::new();
    for delta in deltas {
        // Each comes with an event of its own.
        let mut out = Events::default();
        writer.write(delta, &mut out);
        events.append(&mut out.0);
    }
    events.iter().map(|event| std::str::from_utf8(&event.raw).expect("UTF-8")).collect()
}

/// The plain answer.
pub(super) fn plain(body: &str, reply: &Reply<'_>) -> String {
    write_reply(reply, &asked(body))
}
