//! `POST /v1/chat/completions`: text, tool calls and structured answers.

use std::borrow::Cow;

use serde::Serialize;

use crate::answer::{Answer, Ask, Choice, Content, Wish};
use crate::input::{self, choose_tool, json_format};
use crate::openai::{ChunkUsage, Message, Request, UsageBody, failure, finish_reason};
use crate::sse;
use crate::talk::{Dialect, Part};

/// Reads a request.
///
/// # Errors
/// With the message of a 400 when there are no messages.
pub(crate) fn read(mut request: Request<'_>) -> Result<(Ask, Box<dyn Dialect>), String> {
    let messages = request.messages.take().ok_or("Missing required parameter: 'messages'.")?;
    let last = messages.last().ok_or("Invalid 'messages': empty array.")?;
    let text =
        |message: &Message<'_>| message.content.as_ref().map_or_else(String::new, input::Content::text);
    let result = matches!(&*last.role, "tool" | "function").then(|| text(last));
    let topic = messages.iter().rfind(|message| message.role == "user").map_or_else(String::new, text);
    let tools = request.tools.take().filter(|_| last.role == "user").unwrap_or_default();
    let tool = choose_tool(tools, &request.tool_choice, &topic);
    let wish = Wish::of_conversation(result, tool, json_format(&request.response_format));
    let writer = Chat { include_usage: request.include_usage() };
    let ask = Ask { prompts: vec![transcript(&messages).into()], topic, wish, ..request.ask() };
    Ok((ask, Box::new(writer)))
}

/// The conversation as one text, as a chat template would make it.
pub(crate) fn transcript(messages: &[Message<'_>]) -> String {
    let mut prompt = String::new();
    for message in messages {
        prompt.push_str(&message.role);
        prompt.push('\n');
        if let Some(content) = &message.content {
            content.push_text(&mut prompt);
        }
        prompt.push('\n');
    }
    prompt
}

/// Writes answers as `chat.completion` and `chat.completion.chunk`.
pub(crate) struct Chat {
    pub(crate) include_usage: bool,
}

#[derive(Serialize)]
struct Document<'a, C> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'a str,
    service_tier: &'static str,
    system_fingerprint: &'a str,
    choices: Vec<C>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: ChunkUsage,
}

#[derive(Serialize)]
struct Whole<'a> {
    index: usize,
    message: Said<'a>,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: Option<Cow<'a, str>>,
    refusal: Option<()>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall<'a>>,
    annotations: [(); 0],
}

#[derive(Serialize)]
struct Chunk<'a> {
    index: usize,
    delta: Delta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    /// The role's delta says null when a call follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[ToolCall<'a>; 1]>,
}

#[derive(Serialize)]
struct ToolCall<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: Cow<'a, str>,
}

fn document<'a, C>(
    answer: &'a Answer,
    object: &'static str,
    choices: Vec<C>,
    usage: ChunkUsage,
) -> Document<'a, C> {
    Document {
        id: format!("chatcmpl-{}", answer.id),
        object,
        created: answer.created,
        model: &answer.model,
        service_tier: "default",
        system_fingerprint: &answer.fingerprint,
        choices,
        usage,
    }
}

fn whole(index: usize, choice: &Choice) -> Whole<'_> {
    let (content, tool_calls) = match &choice.content {
        Content::Call { id, name, arguments } => (None, vec![call(None, id, name, arguments)]),
        text => (Some(text.text()), Vec::new()),
    };
    let message = Said { role: "assistant", content, refusal: None, tool_calls, annotations: [] };
    Whole { index, message, logprobs: None, finish_reason: finish_reason(&choice.finish) }
}

fn call<'a>(index: Option<usize>, id: &str, name: &'a str, arguments: &'a str) -> ToolCall<'a> {
    let function = Function { name: Some(name), arguments: arguments.into() };
    ToolCall { index, id: Some(format!("call_{id}")), kind: Some("function"), function }
}

/// The delta that opens a choice: the role, and a call's id and name.
fn opening(choice: &Choice) -> Delta<'_> {
    let role = Some("assistant");
    match &choice.content {
        Content::Call { id, name, .. } => {
            Delta { role, content: Some(None), tool_calls: Some([call(Some(0), id, name, "")]) }
        }
        _ => Delta { role, content: Some(Some("")), tool_calls: None },
    }
}

fn piece<'a>(choice: &Choice, text: &'a str) -> Delta<'a> {
    match choice.content {
        Content::Call { .. } => {
            let function = Function { name: None, arguments: text.into() };
            let call = ToolCall { index: Some(0), id: None, kind: None, function };
            Delta { tool_calls: Some([call]), ..Delta::default() }
        }
        _ => Delta { content: Some(Some(text)), ..Delta::default() },
    }
}

impl Dialect for Chat {
    fn plain(&self, answer: &Answer) -> Vec<u8> {
        let choices = answer.choices.iter().enumerate().map(|(index, choice)| whole(index, choice)).collect();
        let usage = Some(Some(UsageBody::from(answer.usage)));
        let mut out = Vec::with_capacity(1024);
        sse::json(&mut out, &document(answer, "chat.completion", choices, usage));
        out
    }

    fn part(&mut self, answer: &Answer, part: Part<'_>, out: &mut Vec<u8>) {
        const OBJECT: &str = "chat.completion.chunk";
        let (index, delta, reason) = match part {
            Part::Open => return,
            Part::Start(index, choice) => (index, opening(choice), None),
            Part::Piece(index, choice, text) => (index, piece(choice, text), None),
            Part::Finish(index, choice) => (index, Delta::default(), Some(finish_reason(&choice.finish))),
            Part::Close => {
                if self.include_usage {
                    let usage = Some(Some(UsageBody::from(answer.usage)));
                    sse::data(out, &document::<Chunk<'_>>(answer, OBJECT, Vec::new(), usage));
                }
                out.extend_from_slice(sse::DONE);
                return;
            }
            Part::Fail => return sse::data(out, &failure()),
        };
        let chunk = Chunk { index, delta, logprobs: None, finish_reason: reason };
        sse::data(out, &document(answer, OBJECT, vec![chunk], self.include_usage.then_some(None)));
    }
}
