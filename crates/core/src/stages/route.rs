//! Which targets may answer, and in which order.
//!
//! The model must exist and the key must have the right to it, in this order of telling: a name that does not
//! exist is unknown to everybody. Suggestions name only what the key may use.

use crate::{
    cache::key::Draft,
    error::{ErrorKind, GatewayError},
    facts::{Call, Plan},
    state::snapshot::{KeyEntry, ModelEntry, Pattern, Snapshot, Target},
    telemetry::{labels::AuthFailure, metrics::Metrics},
};
use sluice_protocol::SchemaFault;
use smallvec::SmallVec;
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

/// Makes the plan. `draft` is there when the answer may be kept: then the request itself draws its target.
///
/// # Errors
/// `NotActive` when the model leads nowhere that this version can speak to.
pub fn plan(entry: Arc<ModelEntry>, call: &Call, draft: Option<&Draft>) -> Result<Plan, GatewayError> {
    let requested = call.envelope.model().into_owned();
    let targets = match draft {
        Some(draft) => by_rendezvous(&entry, &requested, draft),
        None => by_lot(&entry.targets),
    };
    if targets.is_empty() {
        let text = format!(
            "Model '{}' leads only to providers of a kind that this version does not serve yet.",
            entry.name
        );
        return Err(GatewayError::new(ErrorKind::NotActive, text));
    }
    Ok(Plan { targets, entry, requested, passed_over: 0 })
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

/// Targets that this version can speak to.
fn active(targets: &[Arc<Target>]) -> SmallVec<[Arc<Target>; 2]> {
    targets.iter().filter(|target| target.provider.kind.is_active()).cloned().collect()
}

/// Equal priorities share by weight, and the request decides: equal requests meet the same upstream, on every
/// replica and after every restart. The configured choice alone counts, so an outage changes no key.
fn by_rendezvous(entry: &ModelEntry, requested: &str, draft: &Draft) -> SmallVec<[Arc<Target>; 2]> {
    let mut ordered = active(&entry.targets);
    if ordered.len() > 1 {
        let score = |target: &Arc<Target>| {
            draft.score(&target.provider.name, &target.upstream_model(entry, requested), target.weight)
        };
        ordered.sort_by_cached_key(|target| (target.priority, std::cmp::Reverse(score(target).to_bits())));
    }
    ordered
}

/// Equal priorities share by weight: one of them, drawn, goes first; the others follow as fallbacks.
fn by_lot(targets: &[Arc<Target>]) -> SmallVec<[Arc<Target>; 2]> {
    let mut ordered = active(targets);
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
mod tests {
    use super::*;
    use crate::{cache::key::Scope, state::shared::Shared};
    use http::HeaderMap;
    use sluice_config::{Env, Options, Source, load};
    use sluice_protocol::{Dialect, Envelope, Profile};
    use std::{collections::BTreeMap, path::Path};

    fn entry() -> Arc<ModelEntry> {
        let yaml = "
auth: {mode: open}
providers: [{name: a, kind: openai_compatible, base_url: 'http://127.0.0.1:1/v1', allow_private: true}]
models:
- name: m
  targets:
  - {provider: a, model: heavy, weight: 3}
  - {provider: a, model: light, weight: 1}
  - {provider: a, model: never, weight: 0}
  - {provider: a, model: last, priority: 1}
";
        let source = Source::Text { name: "test", text: yaml, base: Path::new(".") };
        let options = Options { env: Env::Map(BTreeMap::new()), env_optional: false };
        let settings = load(source, &options).unwrap().settings;
        let snapshot =
            Snapshot::build(Arc::new(settings), &Shared::default(), &Metrics::new().unwrap()).unwrap();
        snapshot.models.find("m").unwrap().clone()
    }

    /// How often each target came first in 4000 plans.
    fn firsts(plans: impl Iterator<Item = SmallVec<[Arc<Target>; 2]>>) -> BTreeMap<String, u32> {
        let mut first = BTreeMap::<String, u32>::new();
        for ordered in plans {
            assert_eq!(ordered.len(), 4);
            assert_eq!(&*ordered.last().unwrap().model, "last");
            *first.entry(ordered.first().unwrap().model.to_string()).or_default() += 1;
        }
        assert_eq!(first.get("never"), None);
        let heavy = first["heavy"];
        assert!((2700..3300).contains(&heavy), "three quarters of 4000, give or take: {heavy}");
        first
    }

    #[test]
    fn equal_targets_are_drawn_by_weight_and_fallbacks_stay_behind_them() {
        let entry = entry();
        firsts((0..4000).map(|_| by_lot(&entry.targets)));
    }

    #[test]
    fn equal_requests_meet_the_same_target_and_different_ones_share_by_weight() {
        let entry = entry();
        let order = |seed: u32| {
            let body = format!(r#"{{"model":"m","prompt":"p","seed":{seed}}}"#);
            let call = Envelope::scan(body.into(), Dialect::Completions, Profile::Open).unwrap();
            let draft = Draft::new(Scope::Tenant("t"), "", &HeaderMap::new(), &call);
            by_rendezvous(&entry, "m", &draft)
        };
        assert_eq!(firsts((0..4000).map(order)), firsts((0..4000).map(order)));
    }
}
