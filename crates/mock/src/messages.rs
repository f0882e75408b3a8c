//! `POST /v1/messages` and `/v1/messages/count_tokens`: Anthropic's dialect.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::{Answer, Ask, Choice, Content, Finish, Wish};
use crate::input::{self, Tool, choose_tool, integer, json_format};
use crate::openai::Message;
use crate::sse;
use crate::talk::{Dialect, Part};

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
    output_config: Value,
    #[serde(default)]
    stop_sequences: Option<Vec<String>>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    stream: Option<bool>,
}

/// Reads a request; `marked` says whether it asks for prompt caching anywhere.
///
/// # Errors
/// With the message of a 400 when it lacks what Anthropic requires.
pub(crate) fn read(request: Request<'_>, marked: bool) -> Result<(Ask, Box<dyn Dialect>), String> {
    let max_tokens = request.max_tokens.ok_or("max_tokens: Field required")?;
    if max_tokens < 1 {
        return Err("max_tokens: Input should be greater than or equal to 1".to_owned());
    }
    let prompt = prompt(&request);
    let last = request.messages.last().ok_or("messages: at least one message is required")?;
    let result = tool_result(last);
    let text =
        |message: &Message<'_>| message.content.as_ref().map_or_else(String::new, input::Content::text);
    let topic =
        request.messages.iter().rfind(|message| message.role == "user").map_or_else(String::new, text);
    let tools = request.tools.filter(|_| last.role == "user").unwrap_or_default();
    let tool = choose_tool(tools, &request.tool_choice, &topic);
    let format = request.output_config.get("format").and_then(json_format);
    let ask = Ask {
        model: request.model.into_owned(),
        prompts: vec![prompt.into()],
        topic,
        wish: Wish::of_conversation(result, tool, format),
        temperature: request.temperature,
        max_tokens: Some(max_tokens),
        stop: request.stop_sequences.unwrap_or_default(),
        stream: request.stream.unwrap_or(false),
        ..Ask::default()
    };
    Ok((ask, Box::new(Messages { marked })))
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

/// The text of a message that brings the result of a tool.
fn tool_result(message: &Message<'_>) -> Option<String> {
    let Some(input::Content::Parts(parts)) = &message.content else { return None };
    let result = parts.iter().rfind(|part| part.kind == "tool_result")?;
    Some(result.content.as_ref().map_or_else(String::new, input::Content::text))
}

/// Writes answers as `message`.
#[derive(Default)]
pub(crate) struct Messages {
    marked: bool,
}

#[derive(Serialize)]
struct DeltaEvent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    index: usize,
    delta: Delta<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Delta<'a> {
    TextDelta { text: &'a str },
    InputJsonDelta { partial_json: &'a str },
}

fn stop_reason(finish: &Finish) -> (&'static str, Option<&str>) {
    match finish {
        Finish::Stop => ("end_turn", None),
        Finish::StopSequence(stop) => ("stop_sequence", Some(stop)),
        Finish::Length => ("max_tokens", None),
        Finish::Call => ("tool_use", None),
    }
}

/// The content block; an unfinished one is empty, as the event that opens it shows it.
fn block(choice: &Choice, finished: bool) -> Value {
    match &choice.content {
        Content::Call { id, name, arguments } => {
            let input = Some(arguments).filter(|_| finished).and_then(|json| serde_json::from_str(json).ok());
            let input: Value = input.unwrap_or(json!({}));
            json!({ "type": "tool_use", "id": format!("toolu_{id}"), "name": name, "input": input })
        }
        text => json!({ "type": "text", "text": if finished { text.text() } else { Cow::default() } }),
    }
}

impl Messages {
    /// `input_tokens` leaves out what was read from or written to the cache.
    fn usage(&self, answer: &Answer, output: u64) -> Value {
        let usage = answer.usage;
        let (read, written) = (usage.cache_read, if self.marked { usage.cache_write } else { 0 });
        json!({
            "input_tokens": usage.prompt - read - written,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "cache_creation": { "ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0 },
            "output_tokens": output,
            "service_tier": "standard",
        })
    }

    fn message(&self, answer: &Answer, finished: bool) -> Value {
        let reason = answer.choices.first().filter(|_| finished).map(|choice| stop_reason(&choice.finish));
        let content = answer.choices.iter().filter(|_| finished).map(|choice| block(choice, true));
        json!({
            "id": format!("msg_{}", answer.id),
            "type": "message",
            "role": "assistant",
            "model": answer.model,
            "content": content.collect::<Vec<_>>(),
            "stop_reason": reason.map(|(reason, _)| reason),
            "stop_sequence": reason.and_then(|(_, stop)| stop),
            "usage": self.usage(answer, if finished { answer.usage.completion } else { 1 }),
        })
    }
}

impl Dialect for Messages {
    fn plain(&self, answer: &Answer) -> Vec<u8> {
        self.message(answer, true).to_string().into_bytes()
    }

    fn part(&mut self, answer: &Answer, part: Part<'_>, out: &mut Vec<u8>) {
        let mut event = |name: &str, document: Value| sse::named(out, name, &document);
        match part {
            Part::Open => {
                let message = self.message(answer, false);
                event("message_start", json!({ "type": "message_start", "message": message }));
            }
            Part::Start(index, choice) => {
                let block = block(choice, false);
                let start = json!({ "type": "content_block_start", "index": index, "content_block": block });
                event("content_block_start", start);
                event("ping", json!({ "type": "ping" }));
            }
            Part::Piece(index, choice, text) => {
                let delta = match choice.content {
                    Content::Call { .. } => Delta::InputJsonDelta { partial_json: text },
                    _ => Delta::TextDelta { text },
                };
                sse::named(
                    out,
                    "content_block_delta",
                    &DeltaEvent { kind: "content_block_delta", index, delta },
                );
            }
            Part::Finish(index, _) => {
                event("content_block_stop", json!({ "type": "content_block_stop", "index": index }));
            }
            Part::Close => {
                let (reason, stop) =
                    answer.choices.first().map_or(("end_turn", None), |one| stop_reason(&one.finish));
                let delta = json!({
                    "type": "message_delta",
                    "delta": { "stop_reason": reason, "stop_sequence": stop },
                    "usage": self.usage(answer, answer.usage.completion),
                });
                event("message_delta", delta);
                event("message_stop", json!({ "type": "message_stop" }));
            }
            Part::Fail => {
                let error = json!({ "type": "overloaded_error", "message": "Overloaded" });
                event("error", json!({ "type": "error", "error": error }));
            }
        }
    }
}
