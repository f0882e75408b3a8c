//! Completions and chat: chunks that say `delta` or a piece of `text`, and the whole that they make.

use super::merge::{How, Merged, Slot};
use super::{Piece, Replayed, Unconvertible};
use crate::dialect::Dialect;
use crate::observe::Verdict;
use crate::raw::{Object, Writer, array, between_quotes};
use crate::sse::{DONE, encode_data};

/// Members that every chunk repeats, in OpenAI's order; `object` stands behind the first.
const HEAD: [&str; 5] = ["id", "created", "model", "service_tier", "system_fingerprint"];

fn chunk(name: &str) -> How {
    match name {
        // Azure opens with a chunk that has them all empty.
        name if HEAD.contains(&name) => How::First,
        "choices" => How::Indexed(choice),
        "object" | "obfuscation" => How::Drop,
        _ => How::Last,
    }
}

fn choice(name: &str) -> How {
    match name {
        "text" => How::Concat,
        "delta" => How::Members(delta),
        "logprobs" => How::Members(logprobs),
        "token_ids" => How::Append,
        // Some send the message so far beside each delta.
        "message" | "obfuscation" => How::Drop,
        _ => How::Last,
    }
}

fn delta(name: &str) -> How {
    match name {
        "content" | "refusal" | "thinking" => How::Concat,
        "tool_calls" => How::Indexed(call),
        "function_call" => How::Members(function),
        "annotations" | "images" | "token_ids" => How::Append,
        "reasoning_details" => How::Indexed(reasoning),
        // A seal holds for its own thought alone.
        "thinking_blocks" => How::Numbered(thinking),
        "obfuscation" => How::Drop,
        name if name.starts_with("reasoning") => How::Concat,
        // The role; and what nobody knows, which may be a value or may be a piece.
        _ => How::Once,
    }
}

fn call(name: &str) -> How {
    match name {
        "index" => How::Drop,
        "id" | "type" => How::Once,
        "function" | "custom" => How::Members(function),
        _ => How::Last,
    }
}

fn function(name: &str) -> How {
    match name {
        "arguments" | "input" => How::Concat,
        _ => How::Once,
    }
}

fn reasoning(name: &str) -> How {
    match name {
        "text" | "summary" | "data" => How::Concat,
        "type" => How::Once,
        _ => How::Last,
    }
}

fn thinking(name: &str) -> How {
    match name {
        "thinking" | "signature" | "data" => How::Concat,
        "type" => How::Once,
        _ => How::Last,
    }
}

fn logprobs(name: &str) -> How {
    match name {
        "content" | "refusal" | "tokens" | "token_logprobs" | "top_logprobs" | "text_offset" => How::Append,
        _ => How::Last,
    }
}

pub(super) fn to_plain(dialect: Dialect, pieces: &[Piece]) -> Result<String, Unconvertible> {
    let mut whole = Merged::default();
    for piece in pieces.iter().filter(|piece| piece.verdict != Verdict::Terminal) {
        whole.add(&Object::parse(piece.json()?)?, chunk)?;
    }
    let Some(Slot::Indexed(choices)) = whole.get("choices") else { return Err(Unconvertible) };
    let choices: Vec<String> = choices
        .iter()
        .map(|(index, choice)| plain_choice(dialect, *index, choice))
        .collect::<Result<_, _>>()?;
    let object = if dialect == Dialect::Chat { "chat.completion" } else { "text_completion" };
    let mut out = Writer::new();
    let copy = |out: &mut Writer, name: &str| {
        if let Some(slot) = whole.get(name) {
            out.raw(name, &slot.write());
        }
    };
    copy(&mut out, "id");
    out.string("object", object);
    copy(&mut out, "created");
    copy(&mut out, "model");
    out.raw("choices", &array(choices));
    if whole.get("usage").is_some_and(|usage| !usage.is_null()) {
        copy(&mut out, "usage");
    }
    let written = ["id", "created", "model", "choices", "usage"];
    for (name, slot) in whole.iter().filter(|(name, _)| !written.contains(name)) {
        out.raw(name, &slot.write());
    }
    Ok(out.finish())
}

fn plain_choice(dialect: Dialect, index: u64, choice: &Merged<'_>) -> Result<String, Unconvertible> {
    if choice.get("finish_reason").is_none_or(Slot::is_null) {
        return Err(Unconvertible);
    }
    let mut out = Writer::new();
    if choice.get("index").is_none() {
        out.number("index", index);
    }
    let (inside, outside) = if dialect == Dialect::Chat { ("delta", "message") } else { ("text", "text") };
    let content = match choice.get(inside) {
        Some(Slot::Members(delta)) => plain_message(delta),
        Some(text @ Slot::Text(_)) => text.write(),
        _ if dialect == Dialect::Chat => plain_message(&Merged::default()),
        _ => "\"\"".to_owned(),
    };
    if choice.get(inside).is_none() {
        out.raw(outside, &content);
    }
    for (name, slot) in choice.iter() {
        if name == inside {
            out.raw(outside, &content);
        } else {
            out.raw(name, &slot.write());
        }
    }
    Ok(out.finish())
}

/// A plain message always has a role and content, if only null.
fn plain_message(delta: &Merged<'_>) -> String {
    let mut out = Writer::new();
    for (name, default) in [("role", "\"assistant\""), ("content", "null")] {
        out.raw(name, &delta.get(name).map_or_else(|| default.to_owned(), Slot::write));
    }
    for (name, slot) in delta.iter().filter(|(name, _)| !matches!(*name, "role" | "content")) {
        out.raw(name, &slot.write());
    }
    out.finish()
}

pub(super) fn to_stream(dialect: Dialect, body: &str) -> Result<Replayed, Unconvertible> {
    let body = Object::parse(body)?;
    let choices = body.items("choices")?;
    if body.is_filled("error") || choices.is_empty() {
        return Err(Unconvertible);
    }
    let mut chunks = Chunks { dialect, body: &body, events: Vec::new() };
    for (position, choice) in choices.into_iter().enumerate() {
        let choice = Object::parse(choice)?;
        if choice.string("finish_reason").is_none_or(|reason| reason.is_empty()) {
            return Err(Unconvertible);
        }
        match dialect {
            Dialect::Chat => chunks.push_chat(position, &choice)?,
            _ => chunks.push_text(position, &choice)?,
        }
    }
    let start = chunks.events.len();
    let usage = body.some("usage").filter(|usage| usage.starts_with('{'));
    let usage = usage.map(|usage| {
        chunks.push("[]", Some(usage));
        start..chunks.events.len()
    });
    chunks.events.extend_from_slice(DONE);
    Ok(Replayed { events: chunks.events, usage })
}

/// A stream as far as it is written.
struct Chunks<'a> {
    dialect: Dialect,
    body: &'a Object<'a>,
    events: Vec<u8>,
}

impl Chunks<'_> {
    fn push(&mut self, choices: &str, usage: Option<&str>) {
        let mut out = Writer::new();
        for name in HEAD {
            if let Some(value) = self.body.get(name) {
                out.raw(name, value);
            }
            if name == "id" {
                let chat = self.dialect == Dialect::Chat;
                out.string("object", if chat { "chat.completion.chunk" } else { "text_completion" });
            }
        }
        out.raw("choices", choices);
        if let Some(usage) = usage {
            out.raw("usage", usage);
        }
        if self.events.is_empty() {
            let known = |name: &str| HEAD.contains(&name) || matches!(name, "object" | "choices" | "usage");
            for (name, value) in self.body.iter().filter(|(name, _)| !known(name)) {
                out.raw(name, value);
            }
        }
        self.events.extend_from_slice(&encode_data(out.finish().as_bytes()));
    }

    /// The text with its end: one chunk is what a short completion is to every client.
    fn push_text(&mut self, position: usize, choice: &Object<'_>) -> Result<(), Unconvertible> {
        choice.string("text").ok_or(Unconvertible)?;
        let mut out = Writer::new();
        put_index(&mut out, position, choice);
        for (name, value) in choice.iter() {
            out.raw(name, value);
        }
        self.push(&array([out.finish()]), None);
        Ok(())
    }

    /// The message and then its end, each in a chunk of its own: clients look for the end in an empty delta.
    fn push_chat(&mut self, position: usize, choice: &Object<'_>) -> Result<(), Unconvertible> {
        let delta = delta_of(&choice.object("message")?)?;
        let (mut said, mut ended) = (Writer::new(), Writer::new());
        for out in [&mut said, &mut ended] {
            put_index(out, position, choice);
        }
        for (name, value) in choice.iter() {
            match &**name {
                "message" => {
                    said.raw("delta", &delta);
                    ended.raw("delta", "{}");
                }
                "index" => {
                    said.raw(name, value);
                    ended.raw(name, value);
                }
                "finish_reason" | "stop_reason" => {
                    said.raw(name, "null");
                    ended.raw(name, value);
                }
                "logprobs" => {
                    said.raw(name, value);
                    ended.raw(name, "null");
                }
                "delta" => return Err(Unconvertible),
                _ => {
                    said.raw(name, value);
                }
            }
        }
        self.push(&array([said.finish()]), None);
        self.push(&array([ended.finish()]), None);
        Ok(())
    }
}

fn put_index(out: &mut Writer, position: usize, choice: &Object<'_>) {
    if choice.get("index").is_none() {
        out.number("index", position);
    }
}

fn delta_of(message: &Object<'_>) -> Result<String, Unconvertible> {
    // Streamed audio is cut by time, which a plain answer does not tell.
    if message.is_filled("audio") {
        return Err(Unconvertible);
    }
    let mut out = Writer::new();
    for (name, value) in message.iter() {
        // What a client joins as text has to be one.
        if matches!(delta(name), How::Concat) && value != "null" && between_quotes(value).is_none() {
            return Err(Unconvertible);
        }
        if name == "tool_calls" && value != "null" {
            out.raw(name, &indexed(message)?);
        } else {
            out.raw(name, value);
        }
    }
    Ok(out.finish())
}

/// The tool calls, each with the index by which a client joins its pieces.
fn indexed(message: &Object<'_>) -> Result<String, Unconvertible> {
    let mut calls = Vec::new();
    for (position, call) in message.items("tool_calls")?.into_iter().enumerate() {
        let call = Object::parse(call)?;
        let mut out = Writer::new();
        out.number("index", position);
        for (name, value) in call.iter().filter(|(name, _)| *name != "index") {
            out.raw(name, value);
        }
        calls.push(out.finish());
    }
    Ok(array(calls))
}
