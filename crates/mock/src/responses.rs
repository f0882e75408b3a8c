//! `POST /v1/responses`: one message or one function call, plain or as named events without `[DONE]`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::{Answer, Ask, Choice, Content, Finish, Wish};
use crate::input::{self, Tool, choose_tool, integer, json_format};
use crate::sse;
use crate::talk::{Dialect, Part};

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
            let result = last.is_result().then(|| last.text());
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
    let tool = choose_tool(tools, &request.tool_choice, &topic);
    let format = request.text.get("format").and_then(json_format);
    let ask = Ask {
        model: request.model.into_owned(),
        prompts: vec![prompt.into()],
        topic,
        wish: Wish::of_conversation(result, tool, format),
        temperature: request.temperature,
        max_tokens: request.max_output_tokens,
        stream: request.stream.unwrap_or(false),
        ..Ask::default()
    };
    Ok((ask, Box::new(Responses { max_output_tokens: request.max_output_tokens, sequence: 0 })))
}

/// Writes answers as `response`.
#[derive(Default)]
pub(crate) struct Responses {
    pub(crate) max_output_tokens: Option<i64>,
    pub(crate) sequence: u64,
}

#[derive(Serialize)]
struct Delta<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    sequence_number: u64,
    item_id: &'a str,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<usize>,
    delta: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<[(); 0]>,
}

fn item_id(answer: &Answer, choice: &Choice) -> String {
    let prefix = if matches!(choice.content, Content::Call { .. }) { "fc" } else { "msg" };
    format!("{prefix}_{}", answer.id)
}

fn text_part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

/// The output item; an unfinished one is empty, as the event that opens it shows it.
fn item(answer: &Answer, choice: &Choice, finished: bool) -> Value {
    let id = item_id(answer, choice);
    let status = match (finished, &choice.finish) {
        (false, _) => "in_progress",
        (true, Finish::Length) => "incomplete",
        (true, _) => "completed",
    };
    match &choice.content {
        Content::Call { id: call, name, arguments } => json!({
            "type": "function_call", "id": id, "call_id": format!("call_{call}"), "name": name,
            "status": status, "arguments": if finished { arguments } else { "" },
        }),
        text => json!({
            "type": "message", "id": id, "status": status, "role": "assistant",
            "content": if finished { vec![text_part(&text.text())] } else { Vec::new() },
        }),
    }
}

fn is_cut(answer: &Answer) -> bool {
    answer.choices.iter().any(|choice| choice.finish == Finish::Length)
}

impl Responses {
    fn response(&self, answer: &Answer, finished: bool) -> Value {
        let cut = is_cut(answer);
        let incomplete = (finished && cut).then(|| json!({ "reason": "max_output_tokens" }));
        let output: Vec<Value> = answer.choices.iter().map(|choice| item(answer, choice, true)).collect();
        let usage = json!({
            "input_tokens": answer.usage.prompt,
            "input_tokens_details": { "cached_tokens": answer.usage.cache_read },
            "output_tokens": answer.usage.completion,
            "output_tokens_details": { "reasoning_tokens": 0 },
            "total_tokens": answer.usage.prompt + answer.usage.completion,
        });
        json!({
            "id": format!("resp_{}", answer.id),
            "object": "response",
            "created_at": answer.created,
            "model": answer.model,
            "status": match (finished, cut) {
                (false, _) => "in_progress",
                (true, true) => "incomplete",
                (true, false) => "completed",
            },
            "output": if finished { output } else { Vec::new() },
            "usage": if finished { usage } else { Value::Null },
            "incomplete_details": incomplete,
            "max_output_tokens": self.max_output_tokens,
            "background": false, "error": null, "instructions": null, "metadata": {},
            "parallel_tool_calls": true, "previous_response_id": null,
            "reasoning": { "effort": null, "summary": null }, "service_tier": "default", "store": false,
            "temperature": 1.0, "text": { "format": { "type": "text" } }, "tool_choice": "auto", "tools": [],
            "top_p": 1.0, "truncation": "disabled", "user": null,
        })
    }

    fn event(&mut self, out: &mut Vec<u8>, name: &str, mut members: Value) {
        if let Some(members) = members.as_object_mut() {
            members.insert("type".to_owned(), name.into());
            members.insert("sequence_number".to_owned(), self.sequence.into());
        }
        self.sequence += 1;
        sse::named(out, name, &members);
    }

    fn start(&mut self, answer: &Answer, index: usize, choice: &Choice, out: &mut Vec<u8>) {
        let added = json!({ "output_index": index, "item": item(answer, choice, false) });
        self.event(out, "response.output_item.added", added);
        if !matches!(choice.content, Content::Call { .. }) {
            let part = json!({
                "item_id": item_id(answer, choice), "output_index": index, "content_index": 0,
                "part": text_part(""),
            });
            self.event(out, "response.content_part.added", part);
        }
    }

    fn piece(&mut self, answer: &Answer, index: usize, choice: &Choice, text: &str, out: &mut Vec<u8>) {
        let call = matches!(choice.content, Content::Call { .. });
        let kind = if call { "response.function_call_arguments.delta" } else { "response.output_text.delta" };
        let delta = Delta {
            kind,
            sequence_number: self.sequence,
            item_id: &item_id(answer, choice),
            output_index: index,
            content_index: (!call).then_some(0),
            delta: text,
            logprobs: (!call).then_some([]),
        };
        self.sequence += 1;
        sse::named(out, kind, &delta);
    }

    fn finish(&mut self, answer: &Answer, index: usize, choice: &Choice, out: &mut Vec<u8>) {
        let id = item_id(answer, choice);
        match &choice.content {
            Content::Call { name, arguments, .. } => {
                let done =
                    json!({ "item_id": id, "output_index": index, "name": name, "arguments": arguments });
                self.event(out, "response.function_call_arguments.done", done);
            }
            content => {
                let text = content.text();
                let done = json!({
                    "item_id": id, "output_index": index, "content_index": 0, "text": text, "logprobs": [],
                });
                self.event(out, "response.output_text.done", done);
                let done = json!({
                    "item_id": id, "output_index": index, "content_index": 0, "part": text_part(&text),
                });
                self.event(out, "response.content_part.done", done);
            }
        }
        let done = json!({ "output_index": index, "item": item(answer, choice, true) });
        self.event(out, "response.output_item.done", done);
    }
}

impl Dialect for Responses {
    fn plain(&self, answer: &Answer) -> Vec<u8> {
        self.response(answer, true).to_string().into_bytes()
    }

    fn part(&mut self, answer: &Answer, part: Part<'_>, out: &mut Vec<u8>) {
        match part {
            Part::Open => {
                let response = self.response(answer, false);
                self.event(out, "response.created", json!({ "response": &response }));
                self.event(out, "response.in_progress", json!({ "response": &response }));
            }
            Part::Start(index, choice) => self.start(answer, index, choice, out),
            Part::Piece(index, choice, text) => self.piece(answer, index, choice, text, out),
            Part::Finish(index, choice) => self.finish(answer, index, choice, out),
            Part::Close => {
                let response = self.response(answer, true);
                let name = if is_cut(answer) { "response.incomplete" } else { "response.completed" };
                self.event(out, name, json!({ "response": response }));
            }
            Part::Fail => {
                let message = "The server had an error while processing your request. Sorry about that!";
                self.event(
                    out,
                    "error",
                    json!({ "code": "server_error", "message": message, "param": null }),
                );
            }
        }
    }
}
