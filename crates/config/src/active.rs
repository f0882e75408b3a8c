//! What is accepted and checked, but does nothing yet. Whoever makes a thing work deletes its line here.

use crate::{
    codes, path,
    problems::{Problem, Problems},
};
use config::{Value, ValueKind};
use std::collections::{BTreeMap, BTreeSet};

/// Paths without indices.
const NOT_YET: &[&str] = &["providers[].proxy"];

/// One note for each thing that is written and not active yet, at its first place.
pub(crate) fn notes(effective: &Value, problems: &mut Problems) {
    // Sections set by variables alone are written too: every ancestor of a written path is.
    let mut written: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for at in problems.index.paths().flat_map(path::ancestors) {
        written.entry(path::general(at)).or_default().insert(at);
    }
    let mut found = Vec::new();
    for pattern in NOT_YET {
        let is_set = |at: &&&str| find(effective, at).is_some();
        let places = written.get(*pattern).into_iter().flatten().filter(is_set);
        let first = places.min_by_key(|at| problems.index.spot(at).map(|spot| spot.value.start));
        found.extend(first.map(|at| ((*at).to_owned(), *pattern)));
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

#[cfg(test)]
#[path = "active_tests.rs"]
mod tests;
