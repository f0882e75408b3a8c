//! Which requests may be gone on with, and by which method. What is not understood speaks against it.

use super::appended::prompt_text;
use crate::cacheable::{self, Repeatable, is_integer, set};
use crate::dialect::Dialect;
use crate::envelope::Envelope;
use crate::json::{JsonError, Kind, Scanner};

/// Whether the rest of the answer can be had with the text so far behind the prompt ([`Method::Append`]): a
/// streamed text completion of one prompt that is text, with one answer, nothing after it (`suffix`) and nothing
/// told beside it (`echo`, `logprobs`).
///
/// [`Method::Append`]: super::Method::Append
#[must_use]
pub fn may_append(call: &Envelope) -> bool {
    call.dialect() == Dialect::Completions
        && is_plain_text(call)
        && prompt_text(call).is_some()
        && set(call, "suffix").is_none()
}

/// Whether asking again can be expected to give the same answer ([`Method::Repeat`]): a streamed completion or chat
/// that is [repeatable](cacheable::repeatable) by its own word, with one answer, in text only, and nothing told
/// beside it (`echo`, `logprobs`).
///
/// [`Method::Repeat`]: super::Method::Repeat
#[must_use]
pub fn may_repeat(call: &Envelope) -> bool {
    let known = match call.dialect() {
        Dialect::Completions => is_one_prompt(call),
        Dialect::Chat => !cacheable::speaks(call),
        Dialect::Embeddings | Dialect::Responses | Dialect::Messages => false,
    };
    known && is_plain_text(call) && cacheable::repeatable(call) != Repeatable::No
}

/// Whether the answer is one stream of text and nothing else.
fn is_plain_text(call: &Envelope) -> bool {
    let is_one = |name: &&str| set(call, name).is_none_or(|value| is_integer(value, 1));
    let is_off = |name: &&str| set(call, name).is_none_or(|value| value == b"false");
    call.stream()
        && ["n", "best_of"].iter().all(is_one)
        && ["echo", "logprobs", "top_logprobs", "prompt_logprobs"].iter().all(is_off)
}

/// Whether `prompt` is one text or one list of tokens; several of either have an answer each.
fn is_one_prompt(call: &Envelope) -> bool {
    let Some(prompt) = call.value("prompt").filter(|prompt| prompt.starts_with(b"[")) else { return true };
    let (mut length, mut tokens) = (0_usize, true);
    let read = Scanner::new(prompt).array(|scanner, _| {
        length += 1;
        tokens &= scanner.kind()? == Kind::Number;
        Ok::<_, JsonError>(())
    });
    read.is_ok() && (tokens || length == 1)
}

#[cfg(test)]
#[path = "eligible_tests.rs"]
mod tests;
