//! Which targets may answer, and in which order.
//!
//! The model must exist and the key must have the right to it, in this order of telling: a name that does not
//! exist is unknown to everybody. Suggestions name only what the key may use. `plan` says who is asked, `order` in
//! which order equals come, `fit` who cannot take the request.

mod fit;
mod order;
mod plan;

pub use plan::{Asking, plan};

use crate::{
    error::{ErrorKind, GatewayError},
    facts::Call,
    state::snapshot::{KeyEntry, ModelEntry, Pattern, Snapshot},
    telemetry::{labels::AuthFailure, metrics::Metrics},
};
use sluice_protocol::SchemaFault;
use std::sync::Arc;

/// Longer names are nobody's.
const LONGEST_NAME: usize = 256;

/// Finds the model that was asked for, and whether it gives what was asked.
///
/// # Errors
/// `ModelUnknown`, `ModelForbidden`, `MaxTokens`.
pub fn resolve(
    snapshot: &Snapshot,
    key: &KeyEntry,
    call: &Call,
    metrics: &Metrics,
) -> Result<Arc<ModelEntry>, GatewayError> {
    let entry = find(snapshot, key, &call.envelope.model(), metrics)?;
    check_tokens(entry, call)?;
    Ok(entry.clone())
}

/// Finds a model that the key may use.
///
/// # Errors
/// `ModelUnknown`, `ModelForbidden`.
pub fn find<'a>(
    snapshot: &'a Snapshot,
    key: &KeyEntry,
    requested: &str,
    metrics: &Metrics,
) -> Result<&'a Arc<ModelEntry>, GatewayError> {
    // A wildcard would carry any name on, into headers and messages.
    let found = snapshot.models.find(requested).filter(|_| requested.len() <= LONGEST_NAME);
    let Some(entry) = found else { return Err(unknown(snapshot, key, requested)) };
    if key.may_use(requested) {
        return Ok(entry);
    }
    metrics.auth_failures.with_label_values(&[AuthFailure::ModelDenied.as_str()]).inc();
    let text = format!("Your key may not use model '{}'. {}", shown(requested), may_use(snapshot, key));
    Err(GatewayError::new(ErrorKind::ModelForbidden, text).param("model"))
}

fn check_tokens(entry: &ModelEntry, call: &Call) -> Result<(), GatewayError> {
    let Some(asked) = call.envelope.max_tokens().and_then(|tokens| u64::try_from(tokens).ok()) else {
        return Ok(());
    };
    let limits =
        [(entry.max_output_tokens, "gives at most"), (entry.context_window, "has a context window of")];
    for (limit, what) in limits {
        if let Some(limit) = limit.filter(|limit| asked > *limit) {
            let text = format!("Model '{}' {what} {limit} tokens; {asked} were asked for.", entry.name);
            let member = ["max_completion_tokens", "max_output_tokens", "max_tokens"]
                .into_iter()
                .find(|name| call.envelope.value(name).is_some())
                .unwrap_or("max_tokens");
            let fault = SchemaFault {
                location: format!("body.{member}"),
                message: format!("expected at most {limit}"),
                value: Some(asked.to_string()),
            };
            return Err(GatewayError::new(ErrorKind::MaxTokens, text).param(member).faults(vec![fault]));
        }
    }
    Ok(())
}

/// Names in messages are cut: they come from the wire.
pub fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// Names what the key may use: its own patterns, or the models themselves where it may use all.
fn may_use(snapshot: &Snapshot, key: &KeyEntry) -> String {
    const LISTED: usize = 10;
    let all = || snapshot.models.all().iter().map(|entry| entry.name.to_string());
    let everything = key.models.contains(&Pattern::Prefix(String::new()));
    let mut names: Vec<String> =
        if everything { all().collect() } else { key.models.iter().map(ToString::to_string).collect() };
    if names.is_empty() {
        return "Your key may use no model.".to_owned();
    }
    let whose = if snapshot.open.is_some() { "Configured" } else { "Your key may use" };
    if names.len() > LISTED {
        names.truncate(LISTED);
        names.push("…".to_owned());
    }
    format!("{whose}: {}.", names.join(", "))
}

fn unknown(snapshot: &Snapshot, key: &KeyEntry, requested: &str) -> GatewayError {
    let name = shown(requested);
    let closest = snapshot
        .models
        .all()
        .iter()
        .map(|entry| &*entry.name)
        .filter(|model| !model.ends_with('*') && key.may_use(model))
        .map(|model| (strsim::osa_distance(model, &name), model))
        .min()
        .filter(|(distance, model)| *distance <= 2.max(model.len() / 3));
    let hint = closest.map_or(String::new(), |(_, model)| format!(" Closest: '{model}'."));
    let text = format!("Model '{name}' is not configured.{hint} {}", may_use(snapshot, key));
    let value = serde_json::to_string(&name).ok();
    let fault = SchemaFault { location: "body.model".to_owned(), message: "unknown model".to_owned(), value };
    GatewayError::new(ErrorKind::ModelUnknown, text).param("model").faults(vec![fault])
}

#[cfg(test)]
#[path = "route/route_tests.rs"]
mod tests;
