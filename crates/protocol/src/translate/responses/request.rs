//! A request's members, one by one: what they say in the middle form, what is refused, what is neutral.

use std::borrow::Cow;

use super::tools::boolean;
use super::{input, tools};
use crate::canonical::{Block, Content, Format, Reasoning, Request, Role, Text, Turn};
use crate::dialect::Dialect;
use crate::envelope::Envelope;
use crate::json::{Number, integer};
use crate::raw::{self, Object};
use crate::translate::Untranslatable;
use crate::translate::strays::Strays;

const STATEFUL: &str = "keeps state at one provider, and the target has no Responses API";

/// Reads a request.
pub(crate) fn read_request(call: &Envelope) -> Result<Request<'_>, Untranslatable> {
    let body = std::str::from_utf8(call.body()).ok().and_then(|body| Object::parse(body).ok());
    let body = body.ok_or_else(|| Untranslatable::new("body", "expected an object"))?;
    let mut request = empty(call);
    let mut lost = Strays::default();
    // Before all that is said in turn.
    if let Some(instructions) = body.some("instructions") {
        let text = Text::read(instructions)
            .ok_or_else(|| Untranslatable::new("instructions", "expected a string"))?;
        if !text.is_empty() {
            let blocks = vec![Block { content: Content::Text(text), mark: None }];
            request.turns.push(Turn { role: Role::System, developer: false, name: None, blocks, at: 0 });
        }
    }
    for (name, value) in body.iter().filter(|(_, value)| *value != "null") {
        member(name, value, &mut request, &mut lost)?;
    }
    let items = body.some("input");
    if let Some(items) = items {
        input::read(items, &mut request.turns, &mut lost)?;
    }
    if items.is_none() || request.turns.is_empty() {
        return Err(Untranslatable::new("input", "there is nothing to answer"));
    }
    request.extras = lost.into_extras();
    Ok(request)
}

fn empty(call: &Envelope) -> Request<'_> {
    Request {
        dialect: Dialect::Responses,
        turns: Vec::new(),
        tools: Vec::new(),
        tool_choice: None,
        parallel_tool_calls: None,
        max_tokens: None,
        temperature: None,
        top_p: None,
        top_k: None,
        stop: Vec::new(),
        format: None,
        reasoning: None,
        stream: call.stream(),
        user: None,
        cache_control: None,
        extras: Vec::new(),
    }
}

/// Reads one member that is not null.
fn member<'a>(
    name: &str,
    value: &'a str,
    request: &mut Request<'a>,
    lost: &mut Strays<'a>,
) -> Result<(), Untranslatable> {
    let json = Some(Cow::Borrowed(value));
    match name {
        "previous_response_id" | "conversation" | "prompt" => {
            return Err(Untranslatable::new(name, STATEFUL));
        }
        "background" if value != "false" => return Err(Untranslatable::new(name, STATEFUL)),
        "tools" => request.tools = tools::read(value, lost)?,
        "tool_choice" => request.tool_choice = Some(tools::choice(value)),
        "parallel_tool_calls" => request.parallel_tool_calls = boolean(Some(value)),
        "max_output_tokens" => request.max_tokens = json,
        "temperature" => request.temperature = json,
        "top_p" => request.top_p = json,
        "cache_control" => request.cache_control = json,
        "text" => text(value, request, lost)?,
        "reasoning" => request.reasoning = reasoning(value, lost)?,
        // The newer name of the same thing; where both are sent, `user` is what every target knows.
        "user" => request.user = Text::read(value).or(request.user.take()),
        "safety_identifier" => request.user = request.user.take().or_else(|| Text::read(value)),
        "include" => include(value, lost)?,
        "top_logprobs" if is_zero(value) => {}
        "top_logprobs" => {
            lost.add("logprobs", "true");
            lost.add(name.to_owned(), value);
        }
        // Not of this API, but open servers take them here as in chat.
        "top_k" => request.top_k = json,
        "stop" => request.stop = stop(value)?,
        _ if is_neutral(name, value) => {}
        _ => lost.add(name.to_owned(), value),
    }
    Ok(())
}

/// Members that ask for nothing, or for what is done anyway.
fn is_neutral(name: &str, value: &str) -> bool {
    match name {
        // Read elsewhere.
        "model" | "input" | "instructions" | "stream" => true,
        // Only about how the answer is told; `metadata` is repeated in it.
        "stream_options" | "metadata" | "$schema" => true,
        // Nothing is kept here, and the answer says so.
        "store" => true,
        // Counts calls that a provider makes itself, of which there are none.
        "max_tool_calls" => true,
        "background" => value == "false",
        "truncation" => value == "\"disabled\"",
        "service_tier" => value == "\"auto\"",
        "frequency_penalty" | "presence_penalty" => is_zero(value),
        "n" => integer(value) == Some(1),
        _ => false,
    }
}

fn is_zero(value: &str) -> bool {
    value.starts_with(['-', '0']) && Number::new(value).is_integer() && integer(value) == Some(0)
}

/// `text`: the shape of the answer, and how wordy it is.
fn text<'a>(value: &'a str, request: &mut Request<'a>, lost: &mut Strays<'a>) -> Result<(), Untranslatable> {
    let text = object("text", value)?;
    if let Some(value) = text.some("format") {
        request.format = format(value)?;
    }
    match text.some("verbosity") {
        None | Some("\"medium\"") => {}
        Some(verbosity) => lost.add("verbosity", verbosity),
    }
    lost.look(&text, &["format", "verbosity"], "text");
    Ok(())
}

fn format(value: &str) -> Result<Option<Format<'_>>, Untranslatable> {
    let format = object("text.format", value)?;
    Ok(match format.string("type").as_deref() {
        Some("text") => None,
        Some("json_object") => Some(Format::JsonObject),
        Some("json_schema") => Some(Format::JsonSchema {
            name: format.some("name").and_then(Text::read),
            description: format.some("description").and_then(Text::read),
            schema: format.some("schema").map(Cow::Borrowed),
            strict: boolean(format.get("strict")),
        }),
        _ => Some(Format::Native(Cow::Borrowed(value))),
    })
}

fn reasoning<'a>(value: &'a str, lost: &mut Strays<'a>) -> Result<Option<Reasoning<'a>>, Untranslatable> {
    let settings = object("reasoning", value)?;
    let text = |name| settings.some(name).and_then(Text::read);
    let reasoning = Reasoning {
        effort: text("effort"),
        thinking: None,
        summary: text("summary").or_else(|| text("generate_summary")),
    };
    lost.look(&settings, &["effort", "summary", "generate_summary"], "reasoning");
    Ok((reasoning.effort.is_some() || reasoning.summary.is_some()).then_some(reasoning))
}

/// What else is to be in the answer. Sealed reasoning is there anyway.
fn include<'a>(value: &'a str, lost: &mut Strays<'a>) -> Result<(), Untranslatable> {
    let wanted = raw::items(value).map_err(|_| Untranslatable::new("include", "expected a list"))?;
    let mut others = Vec::new();
    for item in wanted {
        match raw::string(item).as_deref() {
            Some("reasoning.encrypted_content") => {}
            Some("message.output_text.logprobs") => lost.add("logprobs", "true"),
            _ => others.push(item),
        }
    }
    if !others.is_empty() {
        lost.add("include", raw::array(others));
    }
    Ok(())
}

fn stop(value: &str) -> Result<Vec<Text<'_>>, Untranslatable> {
    let items = if value.starts_with('"') { Ok(vec![value]) } else { raw::items(value) };
    let texts = items.ok().and_then(|items| items.into_iter().map(Text::read).collect());
    texts.ok_or_else(|| Untranslatable::new("stop", "expected strings"))
}

fn object<'a>(name: &str, value: &'a str) -> Result<Object<'a>, Untranslatable> {
    Object::parse(value)
        .map_err(|_| Untranslatable::new(name, "expected an object in which no name comes twice"))
}
