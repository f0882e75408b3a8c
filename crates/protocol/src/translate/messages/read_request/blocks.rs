//! What is said in a message: a string, or a list of blocks.
//!
//! A block that only Messages has (what a hosted tool gave, a search result) is kept whole, its mark within.

use std::borrow::Cow;

use super::{object, odd};
use crate::canonical::{Block, Content, Media, Source, Text};
use crate::raw::{Object, between_quotes, items};
use crate::translate::Untranslatable;
use crate::translate::strays::Strays;

/// Where blocks are, for members that have no place.
const PATH: &str = "messages[].content[]";

/// Reads a `content` or a `system`, which is at `at`.
pub(super) fn read_content<'a>(
    json: &'a str,
    at: &str,
    strays: &mut Strays<'a>,
) -> Result<Vec<Block<'a>>, Untranslatable> {
    if let Some(text) = Text::read(json) {
        return Ok(vec![Block { content: Content::Text(text), mark: None }]);
    }
    let blocks = items(json).map_err(|_| odd(at, "neither text nor a list of blocks"))?;
    let read = |(index, json)| read_block(json, &format!("{at}[{index}]"), strays);
    blocks.into_iter().enumerate().map(read).collect()
}

fn read_block<'a>(json: &'a str, at: &str, strays: &mut Strays<'a>) -> Result<Block<'a>, Untranslatable> {
    let block = object(json, at)?;
    let kind = block.string("type").ok_or_else(|| odd(format!("{at}.type"), "missing"))?;
    let text = |name: &str| text(&block, name, at);
    let (content, known): (_, &[&str]) = match &*kind {
        "text" => (Content::Text(text("text")?), &["text"]),
        "image" | "document" => match read_media(&block, kind == "image", at)? {
            Some(media) => (Content::Media(media), &["source", "title"]),
            None => return Ok(native(kind, json)),
        },
        "tool_use" => (
            Content::ToolCall {
                id: text("id")?,
                name: text("name")?,
                arguments: block.some("input").unwrap_or("{}").into(),
            },
            &["id", "name", "input"],
        ),
        "tool_result" => {
            let id = text("tool_use_id")?;
            let content = match block.some("content") {
                Some(content) => read_content(content, &format!("{at}.content"), strays)?,
                None => Vec::new(),
            };
            let is_error = block.get("is_error") == Some("true");
            (Content::ToolResult { id, content, is_error }, &["tool_use_id", "content", "is_error"])
        }
        "thinking" => {
            let signature = block.some("signature").and_then(Text::read);
            let signature = signature.filter(|signature| !signature.is_empty());
            (Content::Thinking { text: text("thinking")?, signature }, &["thinking", "signature"])
        }
        "redacted_thinking" => (Content::RedactedThinking(text("data")?), &["data"]),
        _ => return Ok(native(kind, json)),
    };
    let known: Vec<_> = known.iter().copied().chain(["type", "cache_control"]).collect();
    strays.look(&block, &known, PATH);
    Ok(Block { content, mark: block.some("cache_control").map(Cow::Borrowed) })
}

fn native<'a>(kind: Cow<'a, str>, json: &'a str) -> Block<'a> {
    Block { content: Content::Native { kind, json: json.into() }, mark: None }
}

/// Reads a picture or a document; nothing where its source is one that only Messages has.
fn read_media<'a>(block: &Object<'a>, is_image: bool, at: &str) -> Result<Option<Media<'a>>, Untranslatable> {
    let at = format!("{at}.source");
    let source = object(block.get("source").unwrap_or_default(), &at)?;
    let text = |name: &str| text(&source, name, &at);
    let inside = |name: &str| {
        let json = source.get(name).and_then(between_quotes);
        json.map(Cow::Borrowed).ok_or_else(|| odd(format!("{at}.{name}"), "not a string"))
    };
    let source = match source.string("type").as_deref() {
        Some("base64") => Source::Base64 { media_type: inside("media_type")?, data: inside("data")? },
        Some("url") => Source::Url(text("url")?),
        Some("file") => Source::File(text("file_id")?),
        Some("text") => Source::Text(text("data")?),
        _ => return Ok(None),
    };
    let name = block.some("title").and_then(Text::read);
    Ok(Some(Media { source, detail: None, name, is_image }))
}

fn text<'a>(object: &Object<'a>, name: &str, at: &str) -> Result<Text<'a>, Untranslatable> {
    object.get(name).and_then(Text::read).ok_or_else(|| odd(format!("{at}.{name}"), "not a string"))
}
