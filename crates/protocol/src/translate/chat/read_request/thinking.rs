//! What a model thought before, in an answer that is sent back.
//!
//! Chat has no member for it that all agree on. `thinking_blocks` is the form in which signatures are handed to
//! clients here (and by LiteLLM), `reasoning_details` is OpenRouter's; texts alone come as `reasoning_content` or
//! `reasoning`. They tell the same, so the first that says something is taken.

use crate::canonical::{Block, Content};
use crate::raw::Object;
use crate::translate::Untranslatable;
use crate::translate::openai_request::text;
use crate::translate::strays::Strays;

/// Reads an answer's thoughts.
pub(super) fn read<'a>(
    message: &Object<'a>,
    place: &str,
    strays: &mut Strays<'a>,
) -> Result<Vec<Block<'a>>, Untranslatable> {
    let blocks = list(message, "thinking_blocks", place, block)?;
    if !blocks.is_empty() {
        return Ok(blocks);
    }
    let details = list(message, "reasoning_details", place, detail);
    match details {
        Ok(blocks) if !blocks.is_empty() => return Ok(blocks),
        Ok(_) => {}
        // Sealed by another provider: of no use to whom it is translated for.
        Err(_) => {
            if let Some(details) = message.some("reasoning_details") {
                strays.add("messages[].reasoning_details".to_owned(), details);
            }
        }
    }
    let thought = ["reasoning_content", "reasoning"].into_iter().find_map(|name| text(message, name));
    let thought = thought.filter(|thought| !thought.is_empty());
    Ok(thought.map(|text| unmarked(Content::Thinking { text, signature: None })).into_iter().collect())
}

fn list<'a>(
    message: &Object<'a>,
    name: &str,
    place: &str,
    read: impl Fn(&Object<'a>) -> Option<Content<'a>>,
) -> Result<Vec<Block<'a>>, Untranslatable> {
    let items = message.items(name);
    let items = items.map_err(|_| Untranslatable::new(format!("{place}.{name}"), "expected an array"))?;
    let read = |(at, json)| {
        let content = Object::parse(json).ok().and_then(|block| read(&block));
        let odd = || Untranslatable::new(format!("{place}.{name}[{at}]"), "nothing that a model has thought");
        content.map(unmarked).ok_or_else(odd)
    };
    items.into_iter().enumerate().map(read).collect()
}

fn unmarked(content: Content<'_>) -> Block<'_> {
    Block { content, mark: None }
}

/// A block as Messages has it.
pub(super) fn block<'a>(block: &Object<'a>) -> Option<Content<'a>> {
    match &*block.string("type")? {
        "thinking" => {
            let signature = text(block, "signature").filter(|signature| !signature.is_empty());
            Some(Content::Thinking { text: text(block, "thinking")?, signature })
        }
        "redacted_thinking" => Some(Content::RedactedThinking(text(block, "data")?)),
        _ => None,
    }
}

/// A block as OpenRouter has it. Seals have a format, and only Anthropic's is one that is asked for here.
fn detail<'a>(detail: &Object<'a>) -> Option<Content<'a>> {
    let format = detail.string("format");
    if format.is_some_and(|format| !format.starts_with("anthropic") && format != "unknown") {
        return None;
    }
    match &*detail.string("type")? {
        "reasoning.text" => {
            let signature = text(detail, "signature").filter(|signature| !signature.is_empty());
            Some(Content::Thinking { text: text(detail, "text")?, signature })
        }
        "reasoning.encrypted" => Some(Content::RedactedThinking(text(detail, "data")?)),
        "reasoning.summary" => Some(Content::Thinking { text: text(detail, "summary")?, signature: None }),
        _ => None,
    }
}
