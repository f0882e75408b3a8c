//! What Anthropic's API finds wrong with a request. It judges everything, so a wrong translation is noticed.

mod blocks;
mod settings;
mod turns;

use http::HeaderMap;
use serde_json::{Map, Value};

use super::marks::Marks;
use crate::refusal::Refusal;

/// The version whose models take no sampling settings, and a system message between others.
const STRICTER_VERSION: &str = "2026-10-21";

type Object = Map<String, Value>;
type Verdict = Result<(), String>;

/// What the headers say.
#[derive(Debug, Clone, Copy)]
struct Terms {
    /// The version is the stricter one or newer.
    newer: bool,
    /// Some beta is asked for, and beta members are taken.
    beta: bool,
    /// The request is for a count.
    count: bool,
}

/// Judges headers and body; gives the marks for the prompt cache. What is no JSON object is left to the parser.
///
/// # Errors
/// With the first fault.
pub(crate) fn check(body: &[u8], headers: &HeaderMap, count: bool) -> Result<Marks, Refusal> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if header("x-api-key").or(header("authorization")).is_none() {
        return Err(Refusal::new(401, "x-api-key header is required", None));
    }
    let version = header("anthropic-version").ok_or("anthropic-version: header is required")?;
    let beta = header("anthropic-beta").is_some();
    let terms = Terms { newer: version >= STRICTER_VERSION, beta, count };
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else { return Ok(Marks::default()) };
    Ok(judge(&body, terms)?)
}

fn judge(body: &Object, terms: Terms) -> Result<Marks, String> {
    settings::check(body, terms)?;
    blocks::system(body.get("system"))?;
    let messages = given(body, "messages").ok_or("messages: Field required")?;
    let messages = messages.as_array().ok_or("messages: Input should be a valid list")?;
    for (at, message) in messages.iter().enumerate() {
        blocks::message(message, at, at + 1 == messages.len(), terms)?;
    }
    turns::check(messages, body)?;
    let marks = Marks::of(body);
    marks.check()?;
    Ok(marks)
}

/// Looks for members that are not known; the place ends in a dot where it is not the top.
fn only(object: &Object, known: &[&str], place: &str) -> Verdict {
    match object.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("{place}{name}: Extra inputs are not permitted")),
        None => Ok(()),
    }
}

/// A member that is there and not null.
fn given<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

fn text<'a>(object: &'a Object, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Whether thoughts are wanted.
fn thinks(body: &Object) -> bool {
    let kind = body.get("thinking").and_then(|thinking| thinking.get("type")?.as_str());
    matches!(kind, Some("enabled" | "adaptive"))
}
