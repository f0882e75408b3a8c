//! `POST …/chat/completions`: text, tool calls and structured answers.

pub(crate) mod check;
mod write;

use crate::answer::{Ask, Wish};
use crate::door::House;
use crate::input::{self, choose_tools, json_format};
use crate::openai::{Message, Request};
use crate::talk::Dialect;

pub(crate) use write::Chat;

/// Reads a request.
///
/// # Errors
/// With the message of a 400 when there are no messages.
pub(crate) fn read(mut request: Request<'_>, house: House) -> Result<(Ask, Box<dyn Dialect>), String> {
    let messages = request.messages.take().ok_or("Missing required parameter: 'messages'.")?;
    let last = messages.last().ok_or("Invalid 'messages': empty array.")?;
    let text =
        |message: &Message<'_>| message.content.as_ref().map_or_else(String::new, input::Content::text);
    // Calls in parallel have their results one after the other, and words of the user may follow.
    let is_result = |message: &&Message<'_>| matches!(&*message.role, "tool" | "function");
    let since = messages.iter().rposition(|message| message.role == "assistant").unwrap_or(messages.len());
    let results: Vec<String> = messages.iter().skip(since).filter(is_result).map(text).collect();
    let result = (!results.is_empty()).then(|| results.join("\n"));
    let topic = messages.iter().rfind(|message| message.role == "user").map_or_else(String::new, text);
    let tools = request.tools.take().filter(|_| last.role == "user").unwrap_or_default();
    let single = request.parallel_tool_calls == Some(false);
    let tools = choose_tools(tools, &request.tool_choice, &topic, single);
    let wish = Wish::of_conversation(result, tools, json_format(&request.response_format));
    let writer = Chat {
        include_usage: request.include_usage(),
        logprobs: request.logprobs(),
        filtered: house.is_azure(),
    };
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
