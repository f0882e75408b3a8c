//! The blocks of system and messages: their members, and where each may stand.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::thinking;
use super::{Object, Terms, Verdict, only, text};

/// Judges the system prompt.
pub(super) fn system(system: Option<&Value>) -> Verdict {
    match system {
        None | Some(Value::Null | Value::String(_)) => Ok(()),
        Some(Value::Array(blocks)) => blocks.iter().enumerate().try_for_each(|(at, block)| {
            let place = format!("system.{at}");
            let block = block.as_object().ok_or_else(|| format!("{place}: Input should be an object"))?;
            if text(block, "type") != "text" {
                return Err(format!("{place}.type: Input should be 'text'"));
            }
            self::text_block(block, &place)
        }),
        Some(_) => Err("system: Input should be a valid string or list".to_owned()),
    }
}

/// Judges one message; the last one may be an empty beginning of an answer.
pub(super) fn message(message: &Value, at: usize, last: bool, terms: Terms) -> Verdict {
    let place = format!("messages.{at}");
    let message = message.as_object().ok_or_else(|| format!("{place}: Input should be an object"))?;
    only(message, &["role", "content"], &format!("{place}."))?;
    let role = text(message, "role");
    let between = role == "system" && terms.newer && at > 0;
    if !matches!(role, "user" | "assistant") && !between {
        return Err(format!("{place}.role: Input should be 'user' or 'assistant'"));
    }
    if at == 0 && role != "user" {
        return Err("messages: first message must use the \"user\" role".to_owned());
    }
    let empty = match message.get("content") {
        Some(Value::String(text)) => text.trim().is_empty(),
        Some(Value::Array(blocks)) => {
            for (at, block) in blocks.iter().enumerate() {
                let place = format!("{place}.content.{at}");
                let block = block.as_object().ok_or_else(|| format!("{place}: Input should be an object"))?;
                self::block(block, role, &place)?;
            }
            blocks.is_empty()
        }
        _ => return Err(format!("{place}.content: Input should be a valid string or list")),
    };
    if empty && !(last && role == "assistant") {
        return Err(format!("{place}: all messages must have non-empty content"));
    }
    Ok(())
}

fn block(block: &Object, role: &str, place: &str) -> Verdict {
    let kind = text(block, "type");
    let inner = format!("{place}.{kind}");
    let only = |known: &[&str]| only(block, known, &format!("{inner}."));
    let allowed = match kind {
        "text" => return text_block(block, &inner),
        "image" | "document" | "search_result" | "tool_result" => role == "user",
        "tool_use" | "thinking" | "redacted_thinking" => role == "assistant",
        // Other blocks are the provider's own; no translation makes them.
        "" | "image_url" | "input_text" | "output_text" | "refusal" | "function_call" => false,
        _ => return Ok(()),
    };
    if !allowed {
        return Err(format!("{place}.type: `{kind}` is no block of a message with the role `{role}`"));
    }
    match kind {
        "image" => {
            only(&["type", "source", "cache_control"])?;
            image(block.get("source"), &inner)
        }
        "tool_use" => {
            only(&["type", "id", "name", "input", "cache_control", "caller", "toolset_name"])?;
            let id = text(block, "id");
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if id.is_empty() || !id.chars().all(fits) {
                return Err(format!("{inner}.id: String should match pattern '^[a-zA-Z0-9_-]+$'"));
            }
            if text(block, "name").is_empty() || !block.get("input").is_some_and(Value::is_object) {
                return Err(format!("{inner}.input: Input should be an object"));
            }
            Ok(())
        }
        "tool_result" => {
            only(&["type", "tool_use_id", "content", "is_error", "cache_control", "toolset_name"])?;
            result(block.get("content"), &inner)
        }
        "thinking" => {
            only(&["type", "thinking", "signature"])?;
            if text(block, "signature") != thinking::sign(text(block, "thinking")) {
                return Err(format!("{place}: Invalid `signature` in `thinking` block"));
            }
            Ok(())
        }
        "redacted_thinking" => {
            only(&["type", "data"])?;
            if text(block, "data") != thinking::redacted() {
                return Err(format!("{place}: Invalid `data` in `redacted_thinking` block"));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn text_block(block: &Object, place: &str) -> Verdict {
    only(block, &["type", "text", "cache_control", "citations"], &format!("{place}."))?;
    let text = block.get("text").and_then(Value::as_str);
    let text = text.ok_or_else(|| format!("{place}.text: Input should be a valid string"))?;
    if text.is_empty() {
        return Err(format!("{place}: text content blocks must be non-empty"));
    }
    if text.trim().is_empty() {
        return Err(format!("{place}: text content blocks must contain non-whitespace text"));
    }
    Ok(())
}

fn image(source: Option<&Value>, place: &str) -> Verdict {
    let place = format!("{place}.source");
    let source = source.and_then(Value::as_object).ok_or_else(|| format!("{place}: Field required"))?;
    match text(source, "type") {
        "base64" => {
            only(source, &["type", "media_type", "data"], &format!("{place}.base64."))?;
            const TYPES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];
            if !TYPES.contains(&text(source, "media_type")) {
                return Err(format!("{place}.base64.media_type: Input should be one of {TYPES:?}"));
            }
            let data = text(source, "data");
            if data.is_empty() || STANDARD.decode(data).is_err() {
                return Err(format!("{place}.base64: invalid base64 data"));
            }
            Ok(())
        }
        "url" => {
            only(source, &["type", "url"], &format!("{place}.url."))?;
            if text(source, "url").starts_with("https://") || text(source, "url").starts_with("http://") {
                return Ok(());
            }
            Err(format!("{place}.url: Only HTTP URLs are supported"))
        }
        "file" => only(source, &["type", "file_id"], &format!("{place}.file.")),
        _ => Err(format!("{place}.type: Input should be 'base64', 'url' or 'file'")),
    }
}

/// The content of a tool's result may be empty, but what blocks it has are whole ones.
fn result(content: Option<&Value>, place: &str) -> Verdict {
    match content {
        None | Some(Value::Null | Value::String(_)) => Ok(()),
        Some(Value::Array(blocks)) => blocks.iter().enumerate().try_for_each(|(at, block)| {
            let place = format!("{place}.content.{at}");
            let block = block.as_object().ok_or_else(|| format!("{place}: Input should be an object"))?;
            match text(block, "type") {
                "text" | "image" | "document" | "search_result" => self::block(block, "user", &place),
                "tool_reference" | "browser_state" => Ok(()),
                kind => Err(format!("{place}.type: `{kind}` is no block of a tool's result")),
            }
        }),
        Some(_) => Err(format!("{place}.content: Input should be a valid string or list")),
    }
}
