//! A message of an OpenAI-compatible upstream, or a delta, which is a piece of one: what is said in it, in one order.
//!
//! Upstreams differ in where they put what was thought; of several places that say the same, one is read. What nobody
//! would miss is passed over; text in a form that nobody knows makes the message [`Garbled`].

use std::borrow::Cow;

use crate::canonical::Text;
use crate::json::Scanner;
use crate::lenient::is_filled;
use crate::raw::{Garbled, Object, items};

/// Something that is said. Never empty.
#[derive(Debug)]
pub(super) enum Part<'a> {
    Text(Text<'a>),
    Thinking(Thought<'a>),
    Redacted(Text<'a>),
    Refusal(Text<'a>),
}

/// Something that is thought.
#[derive(Debug, Default)]
pub(super) struct Thought<'a> {
    pub(super) text: Option<Text<'a>>,
    pub(super) signature: Option<Text<'a>>,
    /// Which of the message's blocks it belongs to, where the upstream tells.
    pub(super) index: Option<u64>,
}

/// A call of a tool.
#[derive(Debug)]
pub(super) struct Called<'a> {
    pub(super) place: Place,
    pub(super) id: Option<Text<'a>>,
    pub(super) name: Option<Text<'a>>,
    /// JSON text as a JSON string.
    pub(super) arguments: Option<Text<'a>>,
}

/// By what the pieces of a call are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// `index`.
    Index(u64),
    /// The one call of `function_call`.
    Legacy,
    /// The upstream does not tell.
    Unknown,
}

/// Strings for what was thought, each with all of it: LiteLLM's, DeepSeek's and older vLLM's; OpenRouter's and newer
/// vLLM's; Ollama's.
const REASONING: [&str; 3] = ["reasoning_content", "reasoning", "thinking"];

/// What is said, calls apart: first what was thought.
pub(super) fn parts<'a>(message: &Object<'a>) -> Result<Vec<Part<'a>>, Garbled> {
    let mut parts = Vec::new();
    push_thinking(message, &mut parts)?;
    push_content(message, &mut parts)?;
    parts.extend(text(message, "refusal").map(Part::Refusal));
    Ok(parts)
}

fn push_thinking<'a>(message: &Object<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Garbled> {
    let mut blocks = Vec::new();
    for block in objects(message, "thinking_blocks") {
        let block = block?;
        if block.string("type").as_deref() == Some("redacted_thinking") {
            blocks.extend(text(&block, "data").map(Part::Redacted));
            continue;
        }
        let thought = Thought {
            text: text(&block, "thinking"),
            signature: text(&block, "signature"),
            index: block.count("index"),
        };
        if thought.text.is_some() || thought.signature.is_some() {
            blocks.push(Part::Thinking(thought));
        }
    }
    // Who has blocks says the same in a string beside them, unless there is nothing but a seal in the blocks.
    if !blocks.iter().any(|part| matches!(part, Part::Thinking(Thought { text: Some(_), .. }))) {
        match (REASONING.iter().find_map(|name| text(message, name)), blocks.first_mut()) {
            (Some(said), Some(Part::Thinking(sealed))) => sealed.text = Some(said),
            (Some(said), _) => parts.push(thinking(said)),
            (None, _) => parts.extend(reasoning_details(message)?.into_iter().map(thinking)),
        }
    }
    parts.append(&mut blocks);
    Ok(())
}

/// OpenRouter's details, where it has no string beside them.
fn reasoning_details<'a>(message: &Object<'a>) -> Result<Vec<Text<'a>>, Garbled> {
    let mut texts = Vec::new();
    for detail in objects(message, "reasoning_details") {
        let detail = detail?;
        texts.extend(text(&detail, "text").or_else(|| text(&detail, "summary")));
    }
    Ok(texts)
}

fn push_content<'a>(message: &Object<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Garbled> {
    if !message.is_filled("content") {
        return Ok(());
    }
    if let Some(said) = text(message, "content") {
        parts.push(Part::Text(said));
        return Ok(());
    }
    for item in message.items("content")? {
        if let Some(said) = Text::read(item) {
            parts.extend((!said.is_empty()).then_some(Part::Text(said)));
            continue;
        }
        let part = Object::parse(item)?;
        // Mistral's thinking is a part of the content, and a list of texts itself.
        if part.string("type").as_deref() == Some("thinking") {
            let whole = text(&part, "thinking");
            parts.extend(whole.map(thinking));
            for piece in objects(&part, "thinking") {
                parts.extend(text(&piece?, "text").map(thinking));
            }
            continue;
        }
        parts.extend(text(&part, "text").map(Part::Text));
        parts.extend(text(&part, "refusal").map(Part::Refusal));
    }
    Ok(())
}

fn thinking(text: Text<'_>) -> Part<'_> {
    Part::Thinking(Thought { text: Some(text), ..Thought::default() })
}

/// The calls, in order.
pub(super) fn calls<'a>(message: &Object<'a>) -> Result<Vec<Called<'a>>, Garbled> {
    let mut calls = Vec::new();
    if message.is_filled("tool_calls") {
        for call in message.items("tool_calls")? {
            let call = Object::parse(call)?;
            let place = call.count("index").map_or(Place::Unknown, Place::Index);
            calls.push(called(&call, place)?);
        }
    }
    if message.is_filled("function_call") {
        let function = message.object("function_call")?;
        calls.push(Called { id: None, ..read_function(&function, "arguments", Place::Legacy)? });
    }
    Ok(calls)
}

fn called<'a>(call: &Object<'a>, place: Place) -> Result<Called<'a>, Garbled> {
    let id = text(call, "id");
    for (kind, input) in [("function", "arguments"), ("custom", "input")] {
        if call.is_filled(kind) {
            return Ok(Called { id, ..read_function(&call.object(kind)?, input, place)? });
        }
    }
    Ok(Called { place, id, name: None, arguments: None })
}

fn read_function<'a>(function: &Object<'a>, input: &str, place: Place) -> Result<Called<'a>, Garbled> {
    let arguments = match function.some(input) {
        None => None,
        Some(json) if json.starts_with('"') => Text::read(json),
        // Some give the arguments themselves, not their text.
        Some(json) if json.starts_with('{') => Some(Text::of(json)),
        Some(_) => return Err(Garbled),
    };
    let arguments = arguments.filter(|arguments| !arguments.is_empty());
    Ok(Called { place, id: None, name: text(function, "name"), arguments })
}

/// An id for a call to which the upstream gave none: the answer's own, so that it comes once in a conversation, and
/// the number of the call.
pub(super) fn made_id(answer: Option<&Text<'_>>, choice: u64, call: usize) -> Text<'static> {
    let answer = answer.map_or(Cow::Borrowed(""), Text::meant);
    let known: String = answer.chars().filter(|char| char.is_ascii_alphanumeric() || *char == '-').collect();
    Text::of(&format!("call_{known}_{choice}_{call}"))
}

/// A string that says something.
pub(super) fn text<'a>(object: &Object<'a>, name: &str) -> Option<Text<'a>> {
    object.get(name).and_then(Text::read).filter(|text| !text.is_empty())
}

/// The objects of an array; none where the member is something else.
fn objects<'a>(object: &Object<'a>, name: &str) -> impl Iterator<Item = Result<Object<'a>, Garbled>> {
    let items = object.get(name).and_then(|json| items(json).ok()).unwrap_or_default();
    items.into_iter().filter(|item| item.starts_with('{')).map(Object::parse)
}

/// `logprobs` that tell of a token.
pub(super) fn logprobs<'a>(choice: &Object<'a>) -> Option<&'a str> {
    let json = choice.get("logprobs")?;
    let lists = Object::parse(json).ok()?;
    let is_told = |name| {
        lists.get(name).is_some_and(|list| is_filled(&mut Scanner::new(list.as_bytes())).unwrap_or(false))
    };
    (is_told("content") || is_told("refusal")).then_some(json)
}
