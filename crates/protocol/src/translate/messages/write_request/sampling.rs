//! How tokens are chosen, how many, and where they end.

use std::cmp::Ordering;

use super::MAX_TOKENS;
use super::spaces::is_blank;
use crate::canonical::Request;
use crate::capability::Treatment;
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

/// `temperature`, `top_p` and `top_k`. Clients like to say what goes without saying, some models refuse even that, so
/// a temperature or a share of 1 is left out and nobody is told.
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
        if request.dialect == Dialect::Messages {
            out.raw(name, value);
            continue;
        }
        if name != "top_k" && is_one(value) {
            continue;
        }
        let is_taken = match name {
            // While it thinks, it chooses its words freely.
            "top_p" if is_thinking => value.parse::<f64>().is_ok_and(|share| share >= 0.95),
            // Newer models take one of the two; the client's temperature is the more telling.
            "top_p" => !has_temperature,
            _ => !is_thinking,
        };
        // OpenAI's scale goes up to 2.
        let is_above = name == "temperature" && Number::new(value).compare(1) == Ordering::Greater;
        let is_taken = is_taken && !is_refused(request, toward, name);
        if !is_taken || is_above {
            losses.add(name);
        }
        if is_taken {
            out.raw(name, if is_above { "1" } else { value });
        }
    }
}

/// Models that think by an effort may choose their words by themselves at all times; the table says which.
fn is_refused(request: &Request<'_>, toward: &Toward<'_>, name: &str) -> bool {
    let treatment = toward.family.treatment(request.dialect, name);
    toward.family.thinking.takes_efforts() && matches!(treatment, Treatment::Dropped | Treatment::Refused)
}

fn is_one(number: &str) -> bool {
    Number::new(number).compare(1) == Ordering::Equal
}
