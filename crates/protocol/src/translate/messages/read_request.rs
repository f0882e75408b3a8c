//! A request as Messages' clients send it, read into the middle form.
//!
//! Owns the top level of the body and the list of messages; blocks and tools have rooms of their own. Nothing is
//! judged that the upstream will judge: only what cannot be understood as a conversation at all is turned down.

mod blocks;
mod tools;

use std::borrow::Cow;

use crate::canonical::{Extra, Format, Reasoning, Request, Role, Text, Turn};
use crate::dialect::Dialect;
use crate::envelope::Envelope;
use crate::raw::{self, Object};
use crate::translate::Untranslatable;
use crate::translate::strays::Strays;

/// The members that have a place of their own in the middle form, or that say nothing to an upstream.
const PLACED: &[&str] = &[
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "thinking",
    "output_config",
    "output_format",
    "metadata",
    "stream",
    "stream_options",
    "cache_control",
    "$schema",
];

/// Reads a body that was scanned as Messages.
pub(in crate::translate) fn read_request(call: &Envelope) -> Result<Request<'_>, Untranslatable> {
    let text = std::str::from_utf8(call.body()).unwrap_or_default();
    let body = object(text, "the body")?;
    let mut strays = Strays::default();

    let mut turns = Vec::new();
    if let Some(system) = body.some("system") {
        let blocks = blocks::read_content(system, "system", &mut strays)?;
        turns.push(Turn { role: Role::System, developer: false, name: None, blocks, at: 0 });
    }
    let messages = body.items("messages").map_err(|_| odd("messages", "not a list"))?;
    for (at, message) in messages.into_iter().enumerate() {
        turns.push(read_message(message, at, &mut strays)?);
    }

    let tools = tools::read_tools(&body, &mut strays)?;
    let (tool_choice, parallel_tool_calls) = tools::read_choice(&body)?;
    let (reasoning, format) = read_output(&body, &mut strays)?;
    let user = read_user(&body, &mut strays);
    let number = |name| body.some(name).map(Cow::Borrowed);
    let mut extras = read_extras(&body);
    extras.extend(strays.into_extras());
    Ok(Request {
        dialect: Dialect::Messages,
        turns,
        tools,
        tool_choice,
        parallel_tool_calls,
        max_tokens: number("max_tokens"),
        temperature: number("temperature"),
        top_p: number("top_p"),
        top_k: number("top_k"),
        stop: read_stop(&body)?,
        format,
        reasoning,
        stream: call.stream(),
        user,
        cache_control: number("cache_control"),
        extras,
    })
}

fn read_message<'a>(json: &'a str, at: usize, strays: &mut Strays<'a>) -> Result<Turn<'a>, Untranslatable> {
    let place = format!("messages[{at}]");
    let message = object(json, &place)?;
    let role = match message.string("role").as_deref() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        // Newer models take instructions between turns.
        Some("system") => Role::System,
        _ => return Err(odd(format!("{place}.role"), "neither user nor assistant nor system")),
    };
    strays.look(&message, &["role", "content"], "messages[]");
    let place = format!("{place}.content");
    let content = message.some("content").ok_or_else(|| odd(&*place, "missing"))?;
    let blocks = blocks::read_content(content, &place, strays)?;
    Ok(Turn { role, developer: false, name: None, blocks, at })
}

fn read_stop<'a>(body: &Object<'a>) -> Result<Vec<Text<'a>>, Untranslatable> {
    let sequences = body.items("stop_sequences").map_err(|_| odd("stop_sequences", "not a list"))?;
    let read = |(index, json): (usize, &'a str)| {
        Text::read(json).ok_or_else(|| odd(format!("stop_sequences[{index}]"), "not a string"))
    };
    sequences.into_iter().enumerate().map(read).collect()
}

/// How much is thought first, and the shape of what comes then.
type Output<'a> = (Option<Reasoning<'a>>, Option<Format<'a>>);

/// Reads `thinking`, `output_config`, and `output_format`, as the latter's `format` was called before.
fn read_output<'a>(body: &Object<'a>, strays: &mut Strays<'a>) -> Result<Output<'a>, Untranslatable> {
    let thinking = body.some("thinking").map(Cow::Borrowed);
    let mut effort = None;
    let mut format = body.some("output_format");
    if let Some(config) = body.some("output_config") {
        let config = object(config, "output_config")?;
        strays.look(&config, &["effort", "format"], "output_config");
        effort = config.some("effort").and_then(Text::read);
        format = config.some("format").or(format);
    }
    let reasoning =
        (thinking.is_some() || effort.is_some()).then_some(Reasoning { effort, thinking, summary: None });
    Ok((reasoning, format.map(read_format).transpose()?))
}

fn read_format(json: &str) -> Result<Format<'_>, Untranslatable> {
    let format = object(json, "output_config.format")?;
    if format.string("type").as_deref() != Some("json_schema") {
        return Ok(Format::Native(json.into()));
    }
    let schema = format.some("schema").map(Cow::Borrowed);
    Ok(Format::JsonSchema {
        name: format.some("name").and_then(Text::read),
        description: None,
        schema,
        strict: None,
    })
}

fn read_user<'a>(body: &Object<'a>, strays: &mut Strays<'a>) -> Option<Text<'a>> {
    let metadata = body.object("metadata").ok()?;
    strays.look(&metadata, &["user_id"], "metadata");
    metadata.some("user_id").and_then(Text::read)
}

/// What else the body says. An empty value or `false` says nothing, and two words mean what goes without saying.
fn read_extras<'a>(body: &Object<'a>) -> Vec<Extra<'a>> {
    let says = |name: &str| {
        let usual = match name {
            "service_tier" => Some("auto"),
            "speed" => Some("standard"),
            _ => None,
        };
        body.is_filled(name) && (usual.is_none() || body.string(name).as_deref() != usual)
    };
    body.iter()
        .filter(|(name, _)| !PLACED.contains(&&***name) && says(name))
        .map(|(name, value)| Extra { name: name.clone(), value: value.into() })
        .collect()
}

fn object<'a>(json: &'a str, at: &str) -> Result<Object<'a>, Untranslatable> {
    Object::parse(json).map_err(|raw::Garbled| odd(at, "not an object whose names are all different"))
}

fn odd(at: impl Into<String>, why: &'static str) -> Untranslatable {
    Untranslatable::new(at, why)
}

#[cfg(test)]
#[path = "read_request_tests.rs"]
mod tests;
