//! A plain answer of an OpenAI-compatible upstream.

use crate::canonical::{Block, Choice, Content, Reply, Text};
use crate::raw::{Garbled, Object};
use crate::usage::Counts;

use super::read_head;
use super::read_message::{self, Called, Part};
use crate::translate::openai_usage;

/// Reads an answer.
pub(in crate::translate) fn read_reply(text: &str) -> Result<Reply<'_>, Garbled> {
    let answer = Object::parse(text)?;
    let head = read_head::head(&answer);
    let mut choices = Vec::new();
    for (position, choice) in (0..).zip(answer.items("choices")?) {
        choices.push(read_choice(&Object::parse(choice)?, position, head.id.as_ref())?);
    }
    let tokens = answer.get("usage").and_then(|usage| openai_usage::read(&mut Counts::default(), usage));
    Ok(Reply { head, choices, tokens })
}

fn read_choice<'a>(choice: &Object<'a>, position: u64, id: Option<&Text<'_>>) -> Result<Choice<'a>, Garbled> {
    let index = choice.count("index").unwrap_or(position);
    let mut blocks = Vec::new();
    let mut has_calls = false;
    if choice.is_filled("message") {
        let message = choice.object("message")?;
        blocks.extend(read_message::parts(&message)?.into_iter().map(content));
        for (number, call) in read_message::calls(&message)?.into_iter().enumerate() {
            let call = read_call(call, || read_message::made_id(id, index, number))?;
            has_calls |= call.is_some();
            blocks.extend(call);
        }
    }
    Ok(Choice {
        index,
        blocks: blocks.into_iter().map(|content| Block { content, mark: None }).collect(),
        stop: read_head::stop(choice, has_calls),
        logprobs: read_message::logprobs(choice).map(Into::into),
    })
}

fn content(part: Part<'_>) -> Content<'_> {
    match part {
        Part::Text(text) => Content::Text(text),
        Part::Thinking(thought) => Content::Thinking {
            text: thought.text.unwrap_or_else(|| Text::of("")),
            signature: thought.signature,
        },
        Part::Redacted(data) => Content::RedactedThinking(data),
        Part::Refusal(text) => Content::Refusal(text),
    }
}

/// A call; nothing where it says nothing. Arguments for nobody knows what are no answer.
fn read_call<'a>(call: Called<'a>, id: impl FnOnce() -> Text<'a>) -> Result<Option<Content<'a>>, Garbled> {
    let Some(name) = call.name else {
        return if call.arguments.is_some() { Err(Garbled) } else { Ok(None) };
    };
    let arguments = call.arguments.map_or_else(String::new, |arguments| arguments.meant().into_owned());
    Ok(Some(Content::ToolCall { id: call.id.unwrap_or_else(id), name, arguments: arguments.into() }))
}

#[cfg(test)]
#[path = "read_reply_tests.rs"]
mod tests;
