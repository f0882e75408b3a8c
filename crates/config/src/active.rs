//! What is accepted and checked, but does nothing yet. Whoever makes a thing work deletes its line here.

use crate::{
    codes, path,
    problems::{Problem, Problems},
};
use config::{Value, ValueKind};
use std::collections::{BTreeMap, BTreeSet};

/// When a written field deserves the note.
enum When {
    Always,
    /// Unless it says what happens anyway.
    Not(&'static str),
    /// For this value alone.
    Is(&'static str),
}
use When::{Always, Is, Not};

/// Path without indices, when, and what the note calls it.
const NOT_YET: &[(&str, When, &str)] = &[
    ("listeners.api.cors", Always, "listeners.api.cors"),
    (
        "providers[].kind",
        Is("anthropic"),
        "providers[].kind: anthropic (its targets are passed over; a model with no other answers 501)",
    ),
    (
        "providers[].kind",
        Is("azure"),
        "providers[].kind: azure (its targets are passed over; a model with no other answers 501)",
    ),
    ("providers[].proxy", Always, "providers[].proxy"),
    ("models[].strict", Not("false"), "models[].strict"),
    ("telemetry.traces", Always, "telemetry.traces"),
];

/// One note for each thing that is written and not active yet, at its first place.
pub(crate) fn notes(effective: &Value, problems: &mut Problems) {
    // Sections set by variables alone are written too: every ancestor of a written path is.
    let mut written: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for at in problems.index.paths().flat_map(path::ancestors) {
        written.entry(path::general(at)).or_default().insert(at);
    }
    let mut found = Vec::new();
    for (pattern, when, label) in NOT_YET {
        let applies = |at: &&&str| match (when, find(effective, at).map(|value| &value.kind)) {
            (Always, value) => value.is_some(),
            (Not(quiet), Some(value)) => plain(value) != *quiet,
            (Is(loud), Some(value)) => plain(value) == *loud,
            (_, None) => false,
        };
        let places = written.get(*pattern).into_iter().flatten().filter(applies);
        let first = places.min_by_key(|at| problems.index.spot(at).map(|spot| spot.value.start));
        found.extend(first.map(|at| ((*at).to_owned(), *label)));
    }
    for (at, label) in found {
        let note = Problem::note(codes::NOT_ACTIVE, format!("not active yet: {label}"));
        match problems.index.spot(&at) {
            Some(_) => problems.push_key(&at, note),
            None => problems.push_global(note),
        }
    }
}

/// The value at a path.
fn find<'a>(root: &'a Value, at: &str) -> Option<&'a Value> {
    at.split(['.', '[']).try_fold(root, |value, part| match &value.kind {
        ValueKind::Table(table) => table.get(part),
        ValueKind::Array(items) => items.get(part.trim_end_matches(']').parse::<usize>().ok()?),
        _ => None,
    })
}

fn plain(value: &ValueKind) -> String {
    match value {
        ValueKind::Boolean(value) => value.to_string(),
        ValueKind::String(text) => text.clone(),
        _ => String::new(),
    }
}

#[cfg(test)]
#[path = "active_tests.rs"]
mod tests;
