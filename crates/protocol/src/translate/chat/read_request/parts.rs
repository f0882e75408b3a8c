//! What a message says: one text, or parts.

use super::images;
use crate::canonical::{Block, Content, Json};
use crate::raw::Object;
use crate::translate::Untranslatable;
use crate::translate::openai_request::text;
use crate::translate::strays::Strays;

/// Reads `content`; there may be none.
pub(super) fn read<'a>(
    message: &Object<'a>,
    place: &str,
    strays: &mut Strays<'a>,
) -> Result<Vec<Block<'a>>, Untranslatable> {
    if let Some(text) = text(message, "content") {
        return Ok(vec![Block { content: Content::Text(text), mark: None }]);
    }
    let place = format!("{place}.content");
    let list = message.items("content");
    let list = list.map_err(|_| Untranslatable::new(&*place, "expected a string or an array of parts"))?;
    list.into_iter().enumerate().map(|(at, part)| block(part, &format!("{place}[{at}]"), strays)).collect()
}

fn block<'a>(json: &'a str, place: &str, strays: &mut Strays<'a>) -> Result<Block<'a>, Untranslatable> {
    let odd = |why: &'static str| Untranslatable::new(place, why);
    let part = Object::parse(json).map_err(|_| odd("expected an object in which no name comes twice"))?;
    let kind = part.string("type").unwrap_or_default();
    let known: &[&str] = match &*kind {
        "text" => &["text"],
        "refusal" => &["refusal"],
        "image_url" => &["image_url"],
        "file" => &["file"],
        "thinking" => &["thinking", "signature"],
        "redacted_thinking" => &["data"],
        // It is kept whole.
        _ => &[],
    };
    let content = match &*kind {
        "text" => Content::Text(text(&part, "text").ok_or_else(|| odd("expected `text`, a string"))?),
        "refusal" => {
            Content::Refusal(text(&part, "refusal").ok_or_else(|| odd("expected `refusal`, a string"))?)
        }
        "image_url" => Content::Media(images::image(&part, place)?),
        "file" => Content::Media(images::file(&part, place)?),
        "thinking" | "redacted_thinking" => {
            super::thinking::block(&part).ok_or_else(|| odd("expected what was thought, a string"))?
        }
        _ => Content::Native { kind, json: json.into() },
    };
    if !known.is_empty() {
        let known: Vec<&str> = known.iter().copied().chain(["type", "cache_control"]).collect();
        strays.look(&part, &known, "messages[].content[]");
    }
    Ok(Block { content, mark: part.some("cache_control").map(Json::Borrowed) })
}
