//! The body that asks for the rest of a text: the prompt with the answer so far behind it, and as many tokens less.
//!
//! Owns these edits; every other byte of the client's body stays. Where `max_tokens` is missing, the upstream's own
//! default counts from the seam on.

use std::ops::Range;

use bytes::Bytes;

use super::{Delivered, may_append};
use crate::dialect::Profile;
use crate::envelope::Envelope;
use crate::json::{self, JsonError, Kind, Scanner};
use crate::splice::Splice;

/// A longer stop sequence is not looked for at the seam. Vendors take a few words.
const MAX_STOP: usize = 128;

/// The request for the rest of the answer ([`Method::Append`](super::Method::Append)).
///
/// `None` when the request or the stream does not [allow it](may_append), when the answer has finished or has no
/// tokens left, and when the text ends within a stop sequence, which the next upstream would not recognise.
#[must_use]
pub fn appended(call: &Envelope, delivered: &Delivered) -> Option<Envelope> {
    if !may_append(call) || !delivered.is_resumable() || delivered.is_finished() {
        return None;
    }
    let text = delivered.texts.only_text()?;
    if ends_within_a_stop(call, text) {
        return None;
    }
    let mut splice = Splice::from(call);
    let closing_quote = prompt_text(call)?.end.checked_sub(1)?;
    splice.replace(closing_quote..closing_quote, escaped(text)?);
    for name in ["max_tokens", "max_completion_tokens"] {
        lower(call, name, delivered.content_events(), &mut splice)?;
    }
    // The open profile accepts whatever the strict one does, and no edit changes a type.
    Envelope::scan(splice.into_segments().into_bytes(), call.dialect(), Profile::Open).ok()
}

/// Where the only string of `prompt` stands in the body, quotes included; `None` for anything else.
pub(super) fn prompt_text(call: &Envelope) -> Option<Range<usize>> {
    let prompt = call.member("prompt")?.value.clone();
    let value = call.body().get(prompt.clone())?;
    let mut only = None;
    let mut scanner = Scanner::new(value);
    if scanner.kind().ok()? == Kind::String {
        return Some(prompt);
    }
    let read = scanner.array(|scanner, position| {
        only = if position == 0 && scanner.kind()? == Kind::String { Some(scanner.skip()?) } else { None };
        Ok::<_, JsonError>(())
    });
    read.ok()?;
    only.map(|item| prompt.start + item.start..prompt.start + item.end)
}

/// Takes the delivered tokens from a limit; `None` when nothing is left. Some upstreams have -1 for no limit, so
/// that what is negative stays.
fn lower(call: &Envelope, name: &str, delivered: u64, splice: &mut Splice) -> Option<()> {
    let Some(member) = call.member(name) else { return Some(()) };
    let value = call.body().get(member.value.clone()).and_then(|value| std::str::from_utf8(value).ok())?;
    let Some(limit) = (value != "null").then(|| json::integer(value)).flatten().filter(|limit| *limit >= 0)
    else {
        return Some(());
    };
    let left = limit.checked_sub_unsigned(delivered).filter(|left| *left > 0)?;
    if delivered > 0 {
        splice.replace(member.value.clone(), Bytes::from(left.to_string()));
    }
    Some(())
}

/// Whether the text may be the beginning of a stop sequence: the rest would come from an upstream that has not
/// written the beginning, and does not stop.
fn ends_within_a_stop(call: &Envelope, text: &str) -> bool {
    let Some(stops) = call.value("stop") else { return false };
    let mut within = false;
    let mut note = |scanner: &mut Scanner<'_>| {
        let stop = scanner.string()?.decode();
        let begun = |at| stop.get(..at).is_some_and(|begun| !begun.is_empty() && text.ends_with(begun));
        within |= stop.len() > MAX_STOP || (0..stop.len()).any(begun);
        Ok::<_, JsonError>(())
    };
    let mut scanner = Scanner::new(stops);
    let read = match scanner.kind() {
        Ok(Kind::String) => note(&mut scanner),
        Ok(Kind::Array) => scanner.array(|scanner, _| note(scanner)),
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    within || read.is_err()
}

/// A text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> Option<Bytes> {
    let quoted = Bytes::from(serde_json::to_string(text).ok()?);
    Some(quoted.slice(1..quoted.len().saturating_sub(1)))
}

#[cfg(test)]
#[path = "appended_tests.rs"]
mod tests;
