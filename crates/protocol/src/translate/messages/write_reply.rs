//! Writes a whole answer as one of the Messages API.
//!
//! Owns the form of a message, for the start of a stream as well. A message is one answer: of several choices the
//! first is written. What Messages has no place for is left out: probabilities, when the answer was made, which
//! machine made it, and blocks that only the upstream's dialect knows, which a client would send back as they came.

use super::stop::{Said, write_stop};
use super::tokens::write_usage;
use crate::canonical::{Block, Content, Head, Reply, Stop, Text};
use crate::json;
use crate::raw::{Writer, array};
use crate::translate::Asked;

/// Under this name a tool gets arguments that are no JSON object.
const INVALID: &str = "INVALID_JSON";

/// Writes a message.
pub(in crate::translate) fn write_reply(reply: &Reply<'_>, asked: &Asked) -> String {
    let first = reply.choices.iter().min_by_key(|choice| choice.index);
    let blocks = first.map(|choice| &*choice.blocks).unwrap_or_default();
    let stop = first.and_then(|choice| choice.stop.as_ref());
    let usage = write_usage(reply.tokens.as_ref());
    write_message(&reply.head, asked, blocks, stop, &usage)
}

/// A message, whole or with nothing in it yet.
pub(super) fn write_message(
    head: &Head<'_>,
    asked: &Asked,
    blocks: &[Block<'_>],
    stop: Option<&Stop<'_>>,
    usage: &str,
) -> String {
    let contents = || blocks.iter().map(|block| &block.content);
    let said = Said {
        calls: contents().any(|content| matches!(content, Content::ToolCall { .. })),
        refusal: contents().any(|content| matches!(content, Content::Refusal(text) if !text.is_empty())),
    };
    let mut out = Writer::new();
    match &head.id {
        Some(id) => out.raw("id", id.json()),
        None => out.string("id", &format!("msg_{}", asked.id)),
    };
    out.string("type", "message").string("role", "assistant");
    match &head.model {
        Some(model) => out.raw("model", model.json()),
        None => out.string("model", &asked.call.model()),
    };
    out.raw("content", &array(contents().filter_map(write_block)));
    write_stop(stop, said, &mut out);
    out.raw("usage", usage).finish()
}

/// A block, unless there is nothing in it: Messages refuses empty texts when they are sent back.
fn write_block(content: &Content<'_>) -> Option<String> {
    match content {
        Content::Text(text) | Content::Refusal(text) => (!text.is_empty()).then(|| text_block(text.json())),
        Content::Thinking { text, signature } => (!text.is_empty() || signature.is_some())
            .then(|| thinking_block(text.json(), signature.as_ref().map_or("\"\"", Text::json))),
        Content::RedactedThinking(data) => Some(sealed_block(data)),
        Content::ToolCall { id, name, arguments } => Some(call_block(id, name, &input(arguments))),
        Content::Media(_) | Content::ToolResult { .. } | Content::Native { .. } => None,
    }
}

pub(super) fn text_block(text: &str) -> String {
    Writer::new().string("type", "text").raw("text", text).finish()
}

/// The signature is required by the clients' types.
pub(super) fn thinking_block(thinking: &str, signature: &str) -> String {
    Writer::new().string("type", "thinking").raw("thinking", thinking).raw("signature", signature).finish()
}

pub(super) fn sealed_block(data: &Text<'_>) -> String {
    Writer::new().string("type", "redacted_thinking").raw("data", data.json()).finish()
}

pub(super) fn call_block(id: &Text<'_>, name: &Text<'_>, input: &str) -> String {
    let mut out = Writer::new();
    out.string("type", "tool_use").raw("id", id.json()).raw("name", name.json()).raw("input", input).finish()
}

/// A call's arguments, which in Messages are an object. None at all are an empty one.
///
/// What a model was cut off in, or wrote wrongly, stands whole under one name, as Anthropic advises for input that is
/// no JSON: an empty object in its place would be a call that the model has not made, and that a tool might carry out.
pub(super) fn input(arguments: &str) -> String {
    let arguments = arguments.trim_ascii();
    if arguments.starts_with('{') && json::validate(arguments.as_bytes()).is_ok() {
        return arguments.to_owned();
    }
    match arguments {
        "" | "null" => "{}".to_owned(),
        other => Writer::new().string(INVALID, other).finish(),
    }
}
