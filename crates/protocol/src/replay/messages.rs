//! Anthropic's Messages API: a message that grows block by block.

use std::collections::BTreeMap;

use super::merge::{How, Merged, Slot};
use super::{Piece, Unconvertible};
use crate::json;
use crate::raw::{Object, Writer, array, quoted, string};
use crate::sse::encode_named;

/// Where a block's input gathers until it is whole JSON. No block has a member of this name.
const PARTIAL: &str = "partial_json";

fn message(name: &str) -> How {
    match name {
        "usage" => How::Members(|_| How::Last),
        _ => How::Last,
    }
}

fn block(name: &str) -> How {
    match name {
        "text" | "thinking" => How::Concat,
        "citations" => How::Append,
        _ => How::Last,
    }
}

pub(super) fn to_plain(pieces: &[Piece]) -> Result<String, Unconvertible> {
    let mut whole = Merged::default();
    let mut blocks: BTreeMap<u64, Merged<'_>> = BTreeMap::new();
    for piece in pieces {
        let data = Object::parse(piece.json()?)?;
        let index = || data.count("index").ok_or(Unconvertible);
        match &*piece.kind(&data)? {
            "message_start" => {
                let start = data.object("message")?;
                if start.is_filled("content") || whole.get("content").is_some() {
                    return Err(Unconvertible);
                }
                whole.add(&start, message)?;
            }
            "content_block_start" => {
                let start = data.object("content_block")?;
                let mut begun = Merged::default();
                begun.add(&start, block)?;
                if start.get(PARTIAL).is_some() || blocks.insert(index()?, begun).is_some() {
                    return Err(Unconvertible);
                }
            }
            "content_block_delta" => {
                let block = blocks.get_mut(&index()?).ok_or(Unconvertible)?;
                add_delta(block, &data.object("delta")?)?;
            }
            "message_delta" => {
                whole.add(&data.object("delta")?, message)?;
                for (name, value) in data.iter().filter(|(name, _)| !matches!(&***name, "type" | "delta")) {
                    whole.put(name.clone(), value, message(name))?;
                }
            }
            "content_block_stop" | "ping" | "message_stop" => {}
            _ => return Err(Unconvertible),
        }
    }
    if whole.get("stop_reason").is_none_or(Slot::is_null) {
        return Err(Unconvertible);
    }
    let blocks = blocks.values().map(write_block).collect::<Result<Vec<_>, _>>()?;
    whole.get("content").ok_or(Unconvertible)?;
    let mut out = Writer::new();
    for (name, slot) in whole.iter() {
        out.raw(name, &if name == "content" { array(&blocks) } else { slot.write() });
    }
    Ok(out.finish())
}

fn add_delta<'a>(block: &mut Merged<'a>, delta: &Object<'a>) -> Result<(), Unconvertible> {
    let (from, to, how) = match delta.string("type").as_deref() {
        Some("text_delta") => ("text", "text", How::Concat),
        Some("thinking_delta") => ("thinking", "thinking", How::Concat),
        Some("signature_delta") => ("signature", "signature", How::Last),
        Some("input_json_delta") => (PARTIAL, PARTIAL, How::Concat),
        Some("citations_delta") => {
            return block.push("citations", delta.get("citation").ok_or(Unconvertible)?);
        }
        _ => return Err(Unconvertible),
    };
    block.put(to.into(), delta.get(from).ok_or(Unconvertible)?, how)
}

fn write_block(block: &Merged<'_>) -> Result<String, Unconvertible> {
    let partial = match block.get(PARTIAL) {
        Some(Slot::Text(text)) => string(&format!("\"{text}\"")).map(|text| text.into_owned()),
        _ => None,
    };
    let input = partial.filter(|input| !input.trim_ascii().is_empty());
    if let Some(input) = &input {
        json::validate(input.as_bytes())?;
        block.get("input").ok_or(Unconvertible)?;
    }
    let mut out = Writer::new();
    for (name, slot) in block.iter().filter(|(name, _)| *name != PARTIAL) {
        match &input {
            Some(input) if name == "input" => out.raw(name, input),
            _ => out.raw(name, &slot.write()),
        };
    }
    Ok(out.finish())
}

pub(super) fn to_stream(body: &str) -> Result<Vec<u8>, Unconvertible> {
    let message = Object::parse(body)?;
    let stop_reason = message.some("stop_reason").ok_or(Unconvertible)?;
    if message.is_filled("error") || message.get("content").is_none() {
        return Err(Unconvertible);
    }
    let usage = message.some("usage");
    // It stands in two events, which clients join member by member.
    usage.map(Object::parse).transpose()?;
    let mut out = Vec::new();
    let mut begun = Writer::new();
    for (name, value) in message.iter() {
        begun.raw(
            name,
            match &**name {
                "content" => "[]",
                "stop_reason" | "stop_sequence" => "null",
                _ => value,
            },
        );
    }
    event(&mut out, "message_start", |event| {
        event.raw("message", &begun.finish());
    });
    for (index, block) in message.items("content")?.into_iter().enumerate() {
        push_block(&mut out, index, &Object::parse(block)?)?;
    }
    let mut delta = Writer::new();
    delta
        .raw("stop_reason", stop_reason)
        .raw("stop_sequence", message.get("stop_sequence").unwrap_or("null"));
    event(&mut out, "message_delta", |event| {
        event.raw("delta", &delta.finish());
        if let Some(usage) = usage {
            event.raw("usage", usage);
        }
    });
    event(&mut out, "message_stop", |_| {});
    Ok(out)
}

fn event(out: &mut Vec<u8>, name: &str, members: impl FnOnce(&mut Writer)) {
    let mut event = Writer::new();
    event.string("type", name);
    members(&mut event);
    out.extend_from_slice(&encode_named(name, event.finish().as_bytes()));
}

/// A block as it begins, and the deltas that fill it. What does not grow, such as a search's result, begins
/// whole.
fn push_block(out: &mut Vec<u8>, index: usize, block: &Object<'_>) -> Result<(), Unconvertible> {
    let kind = block.string("type").ok_or(Unconvertible)?;
    let takes_input = matches!(&*kind, "tool_use" | "server_tool_use" | "mcp_tool_use");
    let (mut begun, mut deltas) = (Writer::new(), Vec::new());
    let mut delta = |kind: &str, member: &str, value: &str| {
        let mut delta = Writer::new();
        delta.string("type", kind).raw(member, value);
        deltas.push(delta.finish());
    };
    for (name, value) in block.iter() {
        let grown = match (&*kind, &**name) {
            ("text", "text") => Some(("text_delta", "\"\"")),
            ("thinking", "thinking") => Some(("thinking_delta", "\"\"")),
            ("thinking", "signature") => Some(("signature_delta", "\"\"")),
            _ => None,
        };
        if let Some((kind, empty)) = grown {
            begun.raw(name, empty);
            delta(kind, name, value);
        } else if takes_input && name == "input" && value.starts_with('{') {
            begun.raw(name, "{}");
            delta("input_json_delta", PARTIAL, &quoted(value));
        } else if kind == "text" && name == "citations" && value != "null" {
            begun.raw(name, "[]");
            for citation in block.items("citations")? {
                delta("citations_delta", "citation", citation);
            }
        } else {
            begun.raw(name, value);
        }
    }
    event(out, "content_block_start", |event| {
        event.number("index", index).raw("content_block", &begun.finish());
    });
    for delta in deltas {
        event(out, "content_block_delta", |event| {
            event.number("index", index).raw("delta", &delta);
        });
    }
    event(out, "content_block_stop", |event| {
        event.number("index", index);
    });
    Ok(())
}
