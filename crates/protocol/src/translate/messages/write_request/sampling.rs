//! How tokens are chosen, how many, and where they end.

use std::cmp::Ordering;

use super::MAX_TOKENS;
use super::spaces::is_blank;
use crate::canonical::Request;
use crate::capability::{Thinking, Treatment};
use crate::dialect::Dialect;
use crate::json::{self, Number};
use crate::raw::{Writer, array};
use crate::translate::{Losses, Toward};

/// `max_tokens`, which the upstream wants in every request. What is more than the model can give is brought down to
/// that: the answer is the same, and the upstream would refuse.
pub(super) fn max_tokens(request: &Request<'_>, toward: &Toward<'_>) -> String {
    let most = toward.max_output.or(toward.family.max_output);
    let Some(wanted) = &request.max_tokens else { return most.unwrap_or(MAX_TOKENS).to_string() };
    match (json::integer(wanted), most.and_then(|most| i64::try_from(most).ok())) {
        (Some(wanted), Some(most)) => wanted.min(most).to_string(),
        (Some(wanted), None) => wanted.to_string(),
        (None, _) => wanted.clone().into_owned(),
    }
}

/// `stop_sequences`, without those of white space alone, which the upstream refuses.
pub(super) fn write_stop(out: &mut Writer, request: &Request<'_>, losses: &mut Losses) {
    let sequences: Vec<_> = request.stop.iter().filter(|text| !is_blank(text)).collect();
    if sequences.len() < request.stop.len() {
        losses.add(if request.dialect == Dialect::Messages { "stop_sequences" } else { "stop" });
    }
    if !sequences.is_empty() {
        out.raw("stop_sequences", &array(sequences.iter().map(|text| text.json())));
    }
}

/// `temperature`, `top_p` and `top_k`. A value that changes nothing is not worth a refusal: it is left out where
/// the upstream does not take it, and nobody is told.
pub(super) fn write_sampling(
    out: &mut Writer,
    request: &Request<'_>,
    toward: &Toward<'_>,
    is_thinking: bool,
    losses: &mut Losses,
) {
    let given = [("temperature", &request.temperature), ("top_p", &request.top_p), ("top_k", &request.top_k)];
    let has_temperature = request.temperature.as_deref().is_some_and(|value| !is_one(value));
    for (name, value) in given {
        let Some(value) = value.as_deref() else { continue };
        let is_neutral = name != "top_k" && is_one(value);
        let is_taken = !is_refused(request, toward, name)
            && match name {
                // While it thinks, it chooses its words freely.
                "temperature" => !is_thinking,
                // Newer models take one of the two; the client's temperature is the more telling.
                "top_p" if is_thinking => value.parse::<f64>().is_ok_and(|share| share >= 0.95),
                "top_p" => !has_temperature || request.dialect == Dialect::Messages,
                _ => !is_thinking,
            };
        let is_plain = is_neutral && request.dialect != Dialect::Messages;
        match (is_taken, is_plain) {
            (true, false) => {
                // OpenAI's scale goes up to 2.
                let is_above = name == "temperature" && Number::new(value).compare(1) == Ordering::Greater;
                if is_above {
                    losses.add(name);
                }
                out.raw(name, if is_above { "1" } else { value });
            }
            (false, false) if !is_neutral => losses.add(name),
            _ => {}
        }
    }
}

/// Models that think by an effort may choose their words by themselves at all times; the table says which.
fn is_refused(request: &Request<'_>, toward: &Toward<'_>, name: &str) -> bool {
    toward.family.thinking == Thinking::Adaptive
        && matches!(toward.family.treatment(request.dialect, name), Treatment::Dropped | Treatment::Refused)
}

fn is_one(number: &str) -> bool {
    Number::new(number).compare(1) == Ordering::Equal
}
