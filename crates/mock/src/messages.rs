//! `POST …/messages` and `…/messages/count_tokens`: Anthropic's dialect.

pub(crate) mod check;
mod marks;
pub(crate) mod thinking;
mod write;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{Ask, Think, Wish};
use crate::input::{self, Tool, choose_tools, integer, json_format};
use crate::openai::Message;
use crate::talk::Dialect;
use marks::Marks;

pub(crate) use write::Messages;

/// The members of a request that the mock looks at.
#[derive(Debug, Deserialize)]
pub(crate) struct Request<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
    #[serde(borrow, default)]
    system: Option<input::Content<'a>>,
    #[serde(default, deserialize_with = "integer")]
    max_tokens: Option<i64>,
    #[serde(default)]
    tools: Option<Vec<Tool>>,
    #[serde(default)]
    tool_choice: Value,
    #[serde(default)]
    thinking: Value,
    #[serde(default)]
    output_config: Value,
    #[serde(default)]
    stop_sequences: Option<Vec<String>>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    stream: Option<bool>,
}

/// Reads a request that has been judged.
///
/// # Errors
/// With the message of a 400 when there is nothing to answer.
pub(crate) fn read(request: Request<'_>, marks: Marks) -> Result<(Ask, Box<dyn Dialect>), String> {
    let prompt = prompt(&request);
    let last = request.messages.last().ok_or("messages: at least one message is required")?;
    let result = tool_results(last);
    let text =
        |message: &Message<'_>| message.content.as_ref().map_or_else(String::new, input::Content::text);
    let topic =
        request.messages.iter().rfind(|message| message.role == "user").map_or_else(String::new, text);
    let tools = request.tools.filter(|_| last.role == "user").unwrap_or_default();
    let single = request.tool_choice.get("disable_parallel_tool_use") == Some(&Value::Bool(true));
    let tools = choose_tools(tools, &request.tool_choice, &topic, single);
    let format = request.output_config.get("format").and_then(json_format);
    let ask = Ask {
        model: request.model.into_owned(),
        prompts: vec![prompt.into()],
        topic,
        wish: Wish::of_conversation(result, tools, format),
        temperature: request.temperature,
        max_tokens: request.max_tokens,
        stop: request.stop_sequences.unwrap_or_default(),
        stream: request.stream.unwrap_or(false),
        think: think(&request.thinking),
        uncached: !marks.any(),
        ..Ask::default()
    };
    Ok((ask, Box::new(Messages { marks })))
}

fn think(thinking: &Value) -> Think {
    let member = |name: &str| thinking.get(name).and_then(Value::as_str);
    match (member("type"), member("display")) {
        (Some("enabled" | "adaptive"), Some("omitted")) => Think::Omitted,
        (Some("enabled" | "adaptive"), _) => Think::Shown,
        _ => Think::No,
    }
}

/// The answer to a request for a count, and its model.
pub(crate) fn count_tokens(request: &Request<'_>) -> (String, Vec<u8>) {
    let tokens = crate::tokens::count(&prompt(request));
    (request.model.clone().into_owned(), json!({ "input_tokens": tokens }).to_string().into_bytes())
}

fn prompt(request: &Request<'_>) -> String {
    let system = request.system.as_ref().map_or_else(String::new, input::Content::text);
    format!("{system}\n{}", crate::chat::transcript(&request.messages))
}

/// The texts of a message that brings the results of tools.
fn tool_results(message: &Message<'_>) -> Option<String> {
    let Some(input::Content::Parts(parts)) = &message.content else { return None };
    let results = parts.iter().filter(|part| part.kind == "tool_result");
    let texts: Vec<String> =
        results.map(|part| part.content.as_ref().map_or_else(String::new, input::Content::text)).collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}
