//! What a client is told when no target has delivered.

use crate::{
    error::{ErrorKind, GatewayError},
    facts::Plan,
    telemetry::{
        exchange::{Attempt, Recorder},
        labels::AttemptOutcome,
    },
    upstream::{errand::Unfit, failure::Failure, itinerary::Itinerary},
};
use std::{fmt::Write, sync::Arc};

/// Names every try: provider, status, time, and its words; and who was passed by for want of a key.
pub fn summary(plan: &Plan, way: &Itinerary, recorder: &Recorder, last: &Failure) -> String {
    let attempts = &recorder.attempts;
    let model: String = plan.requested.chars().filter(|c| !c.is_control()).collect();
    let mut text = match attempts.len() {
        0 => return format!("The upstream of model '{model}' was not asked: {}.", trimmed(&last.message)),
        1 => format!("The upstream of model '{model}' failed: "),
        2 => format!("Both tries for model '{model}' failed: "),
        tries => format!("All {tries} tries for model '{model}' failed: "),
    };
    for (index, attempt) in attempts.iter().enumerate() {
        text.push_str(if index == 0 { "" } else { "; " });
        tell(&mut text, attempt);
    }
    for (choice, unready) in way.unready(plan) {
        let asked = |attempt: &Attempt| {
            Arc::ptr_eq(&attempt.target.provider, &choice.target.provider) && attempt.model == choice.model
        };
        if !attempts.iter().any(asked) {
            let name = &choice.target.provider.name;
            let why = if unready.refused { "refused" } else { "rate-limited" };
            // Writing into a String cannot fail.
            let _ = write!(text, "; {name} was not asked: its keys are {why}");
        }
    }
    text.push('.');
    text
}

fn tell(text: &mut String, attempt: &Attempt) {
    let took = attempt.took().as_millis();
    let name = &attempt.target.provider.name;
    // Writing into a String cannot fail.
    let _ = match attempt.status {
        Some(status) if status != 200 => write!(text, "{name} answered {status} after {took} ms"),
        _ => write!(text, "{name} {} after {took} ms", in_words(attempt.outcome)),
    };
    // What only repeats the status says nothing.
    let said = attempt.said.as_deref().map(trimmed).filter(|said| !said.starts_with("status "));
    if let Some(said) = said.filter(|said| !said.is_empty()) {
        let _ = write!(text, ": {said}");
    }
}

fn trimmed(text: &str) -> &str {
    text.trim_end_matches(['.', '!', '?'])
}

fn in_words(outcome: AttemptOutcome) -> &'static str {
    match outcome {
        AttemptOutcome::ConnectError => "could not be connected to",
        AttemptOutcome::Timeout => "took too long",
        _ => "gave no usable answer",
    }
}

/// Nobody was asked: no target can take the request as it is. Tells of the one that comes first.
pub fn unfit(plan: &Plan, at: usize, unfit: &Unfit) -> GatewayError {
    let name = plan.choices.get(at).map_or("", |choice| &choice.target.provider.name);
    let text = format!(
        "No target of model '{}' can take this request: {name}: {}: {}.",
        plan.entry.name, unfit.member, unfit.why
    );
    GatewayError::new(ErrorKind::Unserved, text).param(unfit.member.clone())
}

/// Nobody was asked: all keys of all targets are limited or refused.
pub fn nobody_asked(plan: &Plan, way: &Itinerary) -> GatewayError {
    let Some((choice, unready)) =
        way.unready(plan).min_by_key(|(_, unready)| (unready.refused, unready.wait))
    else {
        return GatewayError::new(ErrorKind::Internal, "The model has no target.");
    };
    let name = &choice.target.provider.name;
    let keys = match unready.keys {
        1 if !choice.target.provider.has_keys() => format!("Provider '{name}' is"),
        1 => format!("The key of provider '{name}' is"),
        2 => format!("Both keys of provider '{name}' are"),
        keys => format!("All {keys} keys of provider '{name}' are"),
    };
    if unready.refused {
        let text = format!("{keys} refused by the upstream; it is asked again from time to time.");
        return GatewayError::new(ErrorKind::UpstreamAuth, text);
    }
    let rest = if plan.choices.len() == 1 && plan.entry.fallbacks.is_empty() {
        format!("; no fallback is configured for '{}'", plan.entry.name)
    } else {
        String::new()
    };
    let seconds = unready.wait.as_secs_f64().ceil().max(1.0);
    let text = format!("{keys} rate-limited upstream; next free in {seconds} s{rest}.");
    GatewayError::new(ErrorKind::UpstreamLimited, text).retry_after(Some(unready.wait))
}
