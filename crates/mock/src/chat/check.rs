//! What a strict provider finds wrong with a chat request: members and parts of other dialects, calls without results,
//! results without calls.
//!
//! The open provider does none of it, so that a test sees the gateway's own checks.

use serde_json::{Map, Value};

use crate::door::House;
use crate::refusal::Refusal;
use crate::strict::{self, Rigour, only};

type Object = Map<String, Value>;

/// Judges a body; what is no JSON is left to the parser.
///
/// # Errors
/// With the first fault.
pub(crate) fn check(body: &[u8], house: House) -> Result<(), Refusal> {
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else { return Ok(()) };
    let rigour = Rigour::of(house, &body);
    if rigour == Rigour::None {
        return Ok(());
    }
    only(rigour, &body, &strict::CHAT, "")?;
    settings(&body)?;
    for (at, tool) in items(&body, "tools").enumerate() {
        self::tool(rigour, tool, &format!("tools[{at}]"))?;
    }
    choice(&body)?;
    for (at, message) in items(&body, "messages").enumerate() {
        let place = format!("messages[{at}]");
        let object = message.as_object().ok_or_else(|| Refusal::invalid(&place, "expected an object"))?;
        self::message(rigour, object, &place)?;
    }
    order(&body)
}

fn items<'a>(object: &'a Object, name: &str) -> impl Iterator<Item = &'a Value> {
    object.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(object: &'a Object, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn has_text(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).is_some_and(Value::is_string)
}

fn settings(body: &Object) -> Result<(), Refusal> {
    let given = |name| body.get(name).filter(|value| !value.is_null());
    let is_true = |name| given(name).is_some_and(|value| value == true);
    if given("stream_options").is_some() && !is_true("stream") {
        return Err(Refusal::invalid("stream_options", "only allowed when 'stream' is enabled"));
    }
    if given("max_tokens").is_some() && given("max_completion_tokens").is_some() {
        return Err(Refusal::invalid("max_tokens", "set it or 'max_completion_tokens', not both"));
    }
    for name in ["max_tokens", "max_completion_tokens", "n"] {
        if given(name).is_some_and(|value| value.as_i64().is_none_or(|value| value < 1)) {
            return Err(Refusal::invalid(name, "expected an integer of at least 1"));
        }
    }
    if items(body, "stop").count() > 4 {
        return Err(Refusal::invalid("stop", "expected at most 4 sequences"));
    }
    if given("top_logprobs").is_some() && !is_true("logprobs") {
        return Err(Refusal::invalid("top_logprobs", "only allowed when 'logprobs' is enabled"));
    }
    let effort = given("reasoning_effort").map(|effort| effort.as_str().unwrap_or_default());
    if effort.is_some_and(|effort| !EFFORTS.contains(&effort)) {
        return Err(Refusal::invalid("reasoning_effort", "not one of the supported values"));
    }
    let format = given("response_format");
    if format.is_some_and(|format| format["type"] == "json_schema" && !has_text(format, "/json_schema/name"))
    {
        return Err(Refusal::invalid("response_format.json_schema.name", "missing required parameter"));
    }
    Ok(())
}

const EFFORTS: [&str; 6] = ["none", "minimal", "low", "medium", "high", "xhigh"];

fn tool(rigour: Rigour, tool: &Value, place: &str) -> Result<(), Refusal> {
    let tool = tool.as_object().ok_or_else(|| Refusal::invalid(place, "expected an object"))?;
    if text(tool, "type") != "function" {
        return Err(Refusal::invalid(&format!("{place}.type"), "not one of the supported values"));
    }
    only(rigour, tool, &["type", "function"], &format!("{place}."))?;
    let place = format!("{place}.function");
    let function = tool.get("function").and_then(Value::as_object);
    let function = function.ok_or_else(|| Refusal::invalid(&place, "expected an object"))?;
    only(rigour, function, &["name", "description", "parameters", "strict"], &format!("{place}."))?;
    let name = text(function, "name");
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
        return Err(Refusal::invalid(
            &format!("{place}.name"),
            "expected letters, digits, _ and -, at most 64",
        ));
    }
    Ok(())
}

fn choice(body: &Object) -> Result<(), Refusal> {
    let Some(choice) = body.get("tool_choice").filter(|choice| !choice.is_null()) else { return Ok(()) };
    if items(body, "tools").next().is_none() {
        return Err(Refusal::invalid("tool_choice", "only allowed when 'tools' are specified"));
    }
    let fits = match choice {
        Value::String(word) => ["none", "auto", "required"].contains(&&**word),
        choice => {
            choice.pointer("/function/name").is_some_and(Value::is_string) && choice["type"] == "function"
        }
    };
    if fits { Ok(()) } else { Err(Refusal::invalid("tool_choice", "not one of the supported values")) }
}

fn message(rigour: Rigour, message: &Object, place: &str) -> Result<(), Refusal> {
    let role = text(message, "role");
    let known: &[&str] = match role {
        "system" | "developer" | "user" => &["role", "content", "name"],
        "assistant" => {
            &["role", "content", "name", "refusal", "audio", "tool_calls", "function_call", "annotations"]
        }
        "tool" => &["role", "content", "tool_call_id"],
        "function" => &["role", "content", "name"],
        _ => return Err(Refusal::invalid(&format!("{place}.role"), "not one of the supported values")),
    };
    // Reasoning goes back to those that gave it.
    let reasoning = ["reasoning_content", "reasoning", "reasoning_details"];
    let known = match rigour {
        Rigour::Vendors if role == "assistant" => [known, &reasoning].concat(),
        _ => known.to_vec(),
    };
    only(rigour, message, &known, &format!("{place}."))?;
    let calls = items(message, "tool_calls").count();
    match message.get("content") {
        Some(Value::String(_)) => {}
        Some(Value::Array(parts)) if !parts.is_empty() => {
            for (at, part) in parts.iter().enumerate() {
                self::part(rigour, role, part, &format!("{place}.content[{at}]"))?;
            }
        }
        None | Some(Value::Null) if role == "assistant" && (calls > 0 || message.contains_key("refusal")) => {
        }
        _ => {
            return Err(Refusal::invalid(
                &format!("{place}.content"),
                "expected a string or a list of parts",
            ));
        }
    }
    for (at, call) in items(message, "tool_calls").enumerate() {
        let fits = call["id"].is_string()
            && call["type"] == "function"
            && has_text(call, "/function/name")
            && has_text(call, "/function/arguments");
        if !fits {
            return Err(Refusal::invalid(&format!("{place}.tool_calls[{at}]"), "no call of a function"));
        }
    }
    Ok(())
}

fn part(rigour: Rigour, role: &str, part: &Value, place: &str) -> Result<(), Refusal> {
    let part = part.as_object().ok_or_else(|| Refusal::invalid(place, "expected an object"))?;
    let kind = text(part, "type");
    let fits = match kind {
        "text" => part.get("text").is_some_and(Value::is_string),
        "refusal" => role == "assistant" && part.get("refusal").is_some_and(Value::is_string),
        "image_url" => role == "user" && part.get("image_url").is_some_and(is_image),
        "input_audio" | "file" => role == "user",
        _ => false,
    };
    if !fits {
        return Err(Refusal::invalid(
            place,
            &format!("a '{role}' message takes no such part of type '{kind}'"),
        ));
    }
    only(rigour, part, &["type", kind, "prompt_cache_breakpoint"], &format!("{place}."))
}

fn is_image(image: &Value) -> bool {
    image.get("url").and_then(Value::as_str).is_some_and(|url| {
        let embedded = url.starts_with("data:image/") && url.contains(";base64,");
        embedded || url.starts_with("https://") || url.starts_with("http://")
    })
}

/// Every call is answered by a tool message right after it, and there are no other tool messages.
fn order(body: &Object) -> Result<(), Refusal> {
    let mut open: Vec<&str> = Vec::new();
    for (at, message) in items(body, "messages").filter_map(Value::as_object).enumerate() {
        let place = format!("messages[{at}]");
        if text(message, "role") == "tool" {
            let id = text(message, "tool_call_id");
            let Some(found) = open.iter().position(|call| *call == id) else {
                return Err(Refusal::invalid(&place, "a 'tool' message must respond to a preceding call"));
            };
            open.remove(found);
            continue;
        }
        unanswered(&open, &place)?;
        open = items(message, "tool_calls").filter_map(|call| call["id"].as_str()).collect();
    }
    unanswered(&open, "messages")
}

fn unanswered(open: &[&str], place: &str) -> Result<(), Refusal> {
    match open.first() {
        Some(id) => {
            Err(Refusal::invalid(place, &format!("the call '{id}' is not followed by its 'tool' message")))
        }
        None => Ok(()),
    }
}
