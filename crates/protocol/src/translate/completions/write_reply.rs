//! A plain answer for a completions client.
//!
//! Its text is what the model says: texts and a refusal, one after the other. What was thought has no place there, nor
//! have calls, which nobody could have asked for.

use crate::canonical::{Choice, Content, Reply, Text};
use crate::raw::{Writer, array};
use crate::translate::Asked;
use crate::translate::openai_answer::{Front, Shape, put_finish};
use crate::translate::openai_usage;

use super::logprobs;

/// A plain answer, or a piece of a stream.
pub(super) const COMPLETION: Shape = Shape { id_prefix: "cmpl-", object: "text_completion", has_tier: false };

/// Writes an answer.
pub(in crate::translate) fn write_reply(reply: &Reply<'_>, asked: &Asked) -> String {
    let with_logprobs = logprobs::is_asked(asked);
    let choices = array(reply.choices.iter().map(|choice| write_choice(choice, with_logprobs)));
    let usage = reply.tokens.as_ref().map(openai_usage::write);
    Front::new(COMPLETION, &reply.head, asked).with(&choices, usage.as_deref())
}

fn write_choice(choice: &Choice<'_>, with_logprobs: bool) -> String {
    let texts = choice.blocks.iter().filter_map(|block| match &block.content {
        Content::Text(text) | Content::Refusal(text) => Some(text),
        _ => None,
    });
    let logprobs = choice.logprobs.as_ref().filter(|_| with_logprobs);
    let logprobs = logprobs.and_then(|json| logprobs::write(json, 0)).map(|(lists, _)| lists);
    let mut out = Writer::new();
    out.raw("text", Text::joined(texts, "").json())
        .number("index", choice.index)
        .raw("logprobs", logprobs.as_deref().unwrap_or("null"));
    match &choice.stop {
        Some(stop) => put_finish(&mut out, stop, false),
        // The contract knows no answer without a reason.
        None => {
            out.string("finish_reason", "stop");
        }
    }
    out.finish()
}
