//! Which targets may answer, and in which order.
//!
//! The model must exist and the key must have the right to it, in this order of telling: a name that does not
//! exist is unknown to everybody. Suggestions name only what the key may use.

use crate::{
    error::{ErrorKind, GatewayError},
    facts::{Call, Plan},
    state::snapshot::{KeyEntry, ModelEntry, Pattern, Snapshot, Target},
    telemetry::{labels::AuthFailure, metrics::Metrics},
};
use sluice_protocol::SchemaFault;
use smallvec::SmallVec;
use std::sync::Arc;

/// Makes the plan.
///
/// # Errors
/// `ModelUnknown`, `ModelForbidden`, `MaxTokens`.
pub fn plan(
    snapshot: &Snapshot,
    key: &KeyEntry,
    call: &Call,
    metrics: &Metrics,
) -> Result<Plan, GatewayError> {
    let requested = call.envelope.model();
    let entry = find(snapshot, key, &requested, metrics)?;
    check_tokens(entry, call)?;
    Ok(Plan { targets: in_order(&entry.targets), entry: entry.clone(), requested: requested.into_owned() })
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
    let Some(entry) = snapshot.models.find(requested) else { return Err(unknown(snapshot, key, requested)) };
    if key.may_use(requested) {
        return Ok(entry);
    }
    metrics.auth_failures.with_label_values(&[AuthFailure::ModelDenied.as_str()]).inc();
    let text = format!("Your key may not use model '{}'. {}", shown(requested), may_use(snapshot, key));
    Err(GatewayError::new(ErrorKind::ModelForbidden, text).param("model"))
}

/// Equal priorities share by weight: one of them, drawn, goes first; the others follow as fallbacks.
fn in_order(targets: &[Arc<Target>]) -> SmallVec<[Arc<Target>; 2]> {
    let mut ordered: SmallVec<[Arc<Target>; 2]> = targets.iter().cloned().collect();
    let mut from = 0;
    while let Some(rest) = ordered.get_mut(from..).filter(|rest| !rest.is_empty()) {
        let priority = rest.first().map_or(0, |target| target.priority);
        let equal = rest.iter().take_while(|target| target.priority == priority).count();
        if equal > 1
            && let Some(group) = rest.get_mut(..equal)
        {
            let total: u32 = group.iter().map(|target| target.weight).sum();
            let mut ticket = if total > 0 { fastrand::u32(0..total) } else { 0 };
            let drawn = group.iter().position(|target| match ticket.checked_sub(target.weight) {
                Some(left) => {
                    ticket = left;
                    false
                }
                None => true,
            });
            if let Some(group) = drawn.and_then(|drawn| group.get_mut(..=drawn)) {
                group.rotate_right(1);
            }
        }
        from += equal.max(1);
    }
    ordered
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
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// Names what the key may use: its own patterns, or the models themselves where it may use all.
fn may_use(snapshot: &Snapshot, key: &KeyEntry) -> String {
    const LISTED: usize = 10;
    let all = || snapshot.models.all().iter().map(|entry| entry.name.clone());
    let everything = key.models.contains(&Pattern::Prefix(String::new()));
    let mut names: Vec<String> =
        if everything { all().collect() } else { key.models.iter().map(ToString::to_string).collect() };
    if names.is_empty() {
        return "Your key may use no model.".to_owned();
    }
    if names.len() > LISTED {
        names.truncate(LISTED);
        names.push("…".to_owned());
    }
    format!("Your key may use: {}.", names.join(", "))
}

fn unknown(snapshot: &Snapshot, key: &KeyEntry, requested: &str) -> GatewayError {
    let name = shown(requested);
    let closest = snapshot
        .models
        .all()
        .iter()
        .map(|entry| entry.name.as_str())
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
