//! Which requests may be gone on with, and by which method.
//!
//! Two upstreams write an appended answer, and neither sees the whole of it: only members that are known to be obeyed
//! all the same are let through. A repeated answer is whole, and the client gets its end.

use super::appended::prompt_text;
use crate::cacheable::{self, Repeatable, is_integer, set};
use crate::dialect::Dialect;
use crate::envelope::{Envelope, Member};
use crate::json::{JsonError, Kind, Scanner};

/// Whether the rest of the answer can be had with the text so far behind the prompt ([`Method::Append`]): a
/// streamed text completion of one prompt that is text, where no member looks at the answer as a whole.
///
/// A grammar would begin anew at the seam, and so would a least length; a `suffix` follows the whole, and `echo` and
/// `logprobs` tell of it. A member that is not known may be such a one, and speaks against it. Null is as good as
/// absent.
///
/// [`Method::Append`]: super::Method::Append
#[must_use]
pub fn may_append(call: &Envelope) -> bool {
    call.dialect() == Dialect::Completions
        && call.stream()
        && prompt_text(call).is_some()
        && call.members().all(|member| is_kept_across_the_seam(call, member))
}

/// Whether an upstream that has the text so far in its prompt obeys a member as one would that wrote all of it.
fn is_kept_across_the_seam(call: &Envelope, member: &Member) -> bool {
    let Some(value) = call.body().get(member.value.clone()) else { return false };
    let Some(name) = call.name(member).map(|name| name.decode()) else { return false };
    if value == b"null" {
        return true;
    }
    match &*name {
        // What is asked, how it is sent, and how long it may be: a limit is lowered, a stop sequence looked for.
        "model"
        | "prompt"
        | "stream"
        | "stream_options"
        | "max_tokens"
        | "max_completion_tokens"
        | "stop" => true,
        // Each token is drawn by them alone.
        "temperature" | "top_p" | "top_k" | "min_p" | "typical_p" | "logit_bias" | "seed" => true,
        // Who asks, and what becomes of it elsewhere.
        "user" | "metadata" | "store" | "service_tier" | "safety_identifier" | "$schema" => true,
        "cache_control" | "prompt_cache_key" | "prompt_cache_retention" => true,
        // Most servers count only what they wrote themselves, some the prompt as well.
        "frequency_penalty" | "presence_penalty" => is_integer(value, 0),
        "repetition_penalty" => is_integer(value, 1),
        "n" | "best_of" => is_integer(value, 1),
        "echo" => value == b"false",
        _ => false,
    }
}

/// Whether asking again can be expected to give the same answer ([`Method::Repeat`]): a streamed completion or chat
/// that is [repeatable](cacheable::repeatable) by its own word, with one answer, in text only, and nothing told
/// beside it (`echo`, `logprobs`).
///
/// Members that are not known do not matter here. The request is the same word for word, so that the new upstream
/// obeys them over the whole of its answer; and that answer has to begin with the very text that the client has, or
/// nothing of it is sent.
///
/// [`Method::Repeat`]: super::Method::Repeat
#[must_use]
pub fn may_repeat(call: &Envelope) -> bool {
    let known = match call.dialect() {
        Dialect::Completions => is_one_prompt(call),
        Dialect::Chat => !cacheable::speaks(call),
        Dialect::Embeddings | Dialect::Responses | Dialect::Messages | Dialect::CountTokens => false,
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
