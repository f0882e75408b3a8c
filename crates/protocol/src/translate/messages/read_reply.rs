//! Reads a whole answer of the Messages API.
//!
//! Owns what each kind of block is in the middle form, for streams as well. Which source a text cites has no place
//! there: of a text with citations only the text is read.

use std::borrow::Cow;

use super::stop::{read_explanation, read_stop};
use super::tokens::Counted;
use crate::canonical::{Block, Choice, Content, Head, Reply, Text};
use crate::raw::{Garbled, Object, items};

/// Reads a message.
pub(in crate::translate) fn read_reply(text: &str) -> Result<Reply<'_>, Garbled> {
    let message = Object::parse(text)?;
    let mut blocks = Vec::new();
    for block in items(message.get("content").ok_or(Garbled)?)? {
        blocks.push(read_block(block)?);
    }
    let stop = read_stop(&message);
    if let Some(explanation) = stop.as_ref().and_then(|stop| read_explanation(&message, stop)) {
        blocks.push(Content::Refusal(explanation));
    }
    let mut counted = Counted::default();
    if let Some(usage) = message.get("usage") {
        counted.add(usage);
    }
    let blocks = blocks.into_iter().map(|content| Block { content, mark: None }).collect();
    Ok(Reply {
        head: read_head(&message),
        choices: vec![Choice { index: 0, blocks, stop, logprobs: None }],
        tokens: counted.tokens(),
    })
}

/// What stands around the content. `usage.service_tier` is not OpenAI's member of that name: it stays with the
/// counts.
pub(super) fn read_head<'a>(message: &Object<'a>) -> Head<'a> {
    let text = |name| message.get(name).and_then(Text::read).filter(|text| !text.is_empty());
    Head { id: text("id"), model: text("model"), ..Head::default() }
}

/// Reads a block, whole or as it begins in a stream. A kind that is known has what makes it one; what is not known is
/// native.
pub(super) fn read_block(json: &str) -> Result<Content<'_>, Garbled> {
    let block = Object::parse(json)?;
    let kind = block.string("type").ok_or(Garbled)?;
    Ok(match &*kind {
        "text" => Content::Text(text(&block, "text")?),
        "thinking" => Content::Thinking {
            text: text(&block, "thinking")?,
            signature: Some(text(&block, "signature")?).filter(|signature| !signature.is_empty()),
        },
        "redacted_thinking" => Content::RedactedThinking(required(&block, "data")?),
        "tool_use" => Content::ToolCall {
            id: required(&block, "id")?,
            name: required(&block, "name")?,
            arguments: Cow::Borrowed(block.some("input").unwrap_or("{}")),
        },
        _ => Content::Native { kind, json: Cow::Borrowed(json) },
    })
}

/// A text that may be missing or null, but is nothing else: it would be lost.
pub(super) fn text<'a>(object: &Object<'a>, name: &str) -> Result<Text<'a>, Garbled> {
    object.some(name).map_or(Ok(Text::of("")), |value| Text::read(value).ok_or(Garbled))
}

/// A text without which the rest is of no use.
fn required<'a>(object: &Object<'a>, name: &str) -> Result<Text<'a>, Garbled> {
    object.get(name).and_then(Text::read).ok_or(Garbled)
}
