//! A plain answer for a chat client.

use crate::canonical::{Block, Choice, Content, Reply, Stop, Text};
use crate::observe::Finish;
use crate::raw::{Writer, array};
use crate::translate::Asked;
use crate::translate::openai_answer::{Front, put_finish};
use crate::translate::openai_usage;

use super::write_parts::{CHAT, call, redacted_block, thinking_block};

/// Writes an answer.
pub(in crate::translate) fn write_reply(reply: &Reply<'_>, asked: &Asked) -> String {
    let choices = array(reply.choices.iter().map(write_choice));
    let usage = reply.tokens.as_ref().map(openai_usage::write);
    Front::new(CHAT, &reply.head, asked).with(&choices, usage.as_deref())
}

fn write_choice(choice: &Choice<'_>) -> String {
    let mut out = Writer::new();
    out.number("index", choice.index)
        .raw("message", &write_message(&choice.blocks, choice.stop.as_ref()))
        .raw("logprobs", choice.logprobs.as_deref().unwrap_or("null"));
    match &choice.stop {
        Some(stop) => put_finish(&mut out, stop, true),
        None => {
            out.raw("finish_reason", "null");
        }
    }
    out.finish()
}

/// All texts are one: chat's message has no blocks.
fn write_message(blocks: &[Block<'_>], stop: Option<&Stop<'_>>) -> String {
    let (mut texts, mut refusals, mut thoughts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut thinking, mut calls) = (Vec::new(), Vec::new());
    for block in blocks {
        let number = u64::try_from(thinking.len()).unwrap_or(u64::MAX);
        match &block.content {
            Content::Text(text) => texts.push(text),
            Content::Refusal(text) => refusals.push(text),
            Content::Thinking { text, signature } => {
                thoughts.push(text);
                thinking.push(thinking_block(number, text.json(), signature.as_ref()));
            }
            Content::RedactedThinking(data) => thinking.push(redacted_block(number, data)),
            Content::ToolCall { id, name, arguments } => {
                calls.push(call(None, id, name, whole(arguments, stop)));
            }
            Content::Media(_) | Content::ToolResult { .. } | Content::Native { .. } => {}
        }
    }
    let mut out = Writer::new();
    out.string("role", "assistant");
    let is_elsewhere = texts.is_empty() && !(calls.is_empty() && refusals.is_empty());
    put_text(&mut out, "content", (!is_elsewhere).then(|| Text::joined(texts, "")).as_ref());
    put_text(&mut out, "refusal", (!refusals.is_empty()).then(|| Text::joined(refusals, "")).as_ref());
    let thought = Text::joined(thoughts, "");
    if !thought.is_empty() {
        out.raw("reasoning_content", thought.json());
    }
    if !thinking.is_empty() {
        out.raw("thinking_blocks", &array(thinking));
    }
    if !calls.is_empty() {
        out.raw("tool_calls", &array(calls));
    }
    out.finish()
}

fn put_text(out: &mut Writer, name: &str, text: Option<&Text<'_>>) {
    out.raw(name, text.map_or("null", Text::json));
}

/// Clients read the arguments as JSON, which an empty text is not: where a call is whole and has none, they are an
/// empty object.
fn whole<'a>(arguments: &'a str, stop: Option<&Stop<'_>>) -> &'a str {
    let is_cut = stop.is_some_and(|stop| stop.finish == Finish::Length);
    if arguments.is_empty() && !is_cut { "{}" } else { arguments }
}
