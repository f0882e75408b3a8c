//! What stands around the choices of an answer, and why a choice ended.

use crate::canonical::{Head, Stop, Text};
use crate::observe::Finish;
use crate::raw::Object;

use super::read_message::text;

/// The members around the choices, those left out that say nothing: Azure opens its streams with a chunk in which
/// they are all there and empty.
pub(super) fn head<'a>(answer: &Object<'a>) -> Head<'a> {
    let created =
        answer.get("created").filter(|_| answer.count("created").is_some_and(|created| created > 0));
    Head {
        id: text(answer, "id"),
        model: text(answer, "model"),
        created: created.map(Into::into),
        fingerprint: text(answer, "system_fingerprint"),
        service_tier: text(answer, "service_tier"),
    }
}

/// Why a choice ended; nothing while it goes on, which some say with an empty string.
pub(super) fn stop<'a>(choice: &Object<'a>, has_calls: bool) -> Option<Stop<'a>> {
    let native = choice.string("finish_reason").filter(|reason| !reason.is_empty())?;
    let finish = match Finish::parse(&native) {
        // Where a function is prescribed, or by habit, some say so though the client has calls to run.
        Finish::Stop if has_calls => Finish::ToolCalls,
        finish => finish,
    };
    // vLLM's and SGLang's names; a number there is a token.
    let sequence =
        ["stop_reason", "matched_stop"].iter().find_map(|name| choice.get(name).and_then(Text::read));
    let sequence = sequence.filter(|_| finish == Finish::Stop);
    Some(Stop { finish, native, sequence })
}
