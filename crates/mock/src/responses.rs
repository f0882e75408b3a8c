//! `POST …/responses`: a message, or function calls, plain or as named events without `[DONE]`.

mod write;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::answer::{Ask, Wish};
use crate::input::{self, Tool, choose_tools, integer, json_format};
use crate::talk::Dialect;

pub(crate) use write::Responses;

/// The members of a request that the mock looks at.
#[derive(Debug, Deserialize)]
pub(crate) struct Request<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow, default)]
    input: Option<Input<'a>>,
    #[serde(default)]
    instructions: Option<String>,
    #[serde(default)]
    tools: Option<Vec<Tool>>,
    #[serde(default)]
    tool_choice: Value,
    #[serde(default)]
    parallel_tool_calls: Option<bool>,
    #[serde(default)]
    text: Value,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default, deserialize_with = "integer")]
    max_output_tokens: Option<i64>,
    #[serde(default)]
    stream: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Items(#[serde(borrow)] Vec<Item<'a>>),
}

#[derive(Debug, Deserialize)]
struct Item<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    role: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<input::Content<'a>>,
    /// A function's result.
    #[serde(borrow, default)]
    output: Option<input::Content<'a>>,
}

impl Item<'_> {
    fn text(&self) -> String {
        let mut text = String::new();
        for content in [&self.content, &self.output].into_iter().flatten() {
            content.push_text(&mut text);
        }
        text
    }

    fn is_result(&self) -> bool {
        self.kind == "function_call_output"
    }
}

/// Reads a request.
///
/// # Errors
/// With the message of a 400 when there is no input.
pub(crate) fn read(request: Request<'_>) -> Result<(Ask, Box<dyn Dialect>), String> {
    let mut prompt = request.instructions.unwrap_or_default();
    let (topic, result, from_user) = match request.input.ok_or("Missing required parameter: 'input'.")? {
        Input::Text(text) => (text.into_owned(), None, true),
        Input::Items(items) => {
            let last = items.last().ok_or("Invalid 'input': empty array.")?;
            // Calls in parallel have their results one after the other.
            let mut results: Vec<String> =
                items.iter().rev().take_while(|item| item.is_result()).map(Item::text).collect();
            results.reverse();
            let result = (!results.is_empty()).then(|| results.join("\n"));
            let topic = items.iter().rfind(|item| item.role == "user").map_or_else(String::new, Item::text);
            let from_user = last.role == "user";
            for item in items.iter().filter(|item| item.role != "user" || item.text() != topic) {
                prompt.push_str(&item.text());
                prompt.push('\n');
            }
            (topic, result, from_user)
        }
    };
    prompt.push_str(&topic);
    let tools = request.tools.filter(|_| from_user).unwrap_or_default();
    let single = request.parallel_tool_calls == Some(false);
    let tools = choose_tools(tools, &request.tool_choice, &topic, single);
    let format = request.text.get("format").and_then(json_format);
    let ask = Ask {
        model: request.model.into_owned(),
        prompts: vec![prompt.into()],
        topic,
        wish: Wish::of_conversation(result, tools, format),
        temperature: request.temperature,
        max_tokens: request.max_output_tokens,
        stream: request.stream.unwrap_or(false),
        ..Ask::default()
    };
    Ok((ask, Box::new(Responses { max_output_tokens: request.max_output_tokens, sequence: 0 })))
}
