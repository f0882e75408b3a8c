//! What two configurations differ in: by meaning, by name, and never with a secret.
//!
//! Named things are compared by their names, whatever their order; values by what they mean, so that `60s` is `1m`;
//! defaults count as if they were written. What needs a restart is told by `restart`.

mod compact;
mod packed;
mod seal;

use crate::{
    Loaded,
    mask::has_credentials,
    model::{PemFile, Settings},
    path, restart,
    schema::{Kind, Shape},
    text,
};
use compact::{compact, compact_both};
use config::{Map, Value, ValueKind};
use packed::{packed, unpacked};
use std::fmt;

/// A configuration as it can be compared, without its secrets. `Debug` shows nothing: an address may hold some.
#[derive(Clone)]
pub struct Effective {
    /// Its tree, packed.
    text: Box<str>,
    /// Files that may change in their place, by the field that names them.
    files: Vec<(String, PemFile)>,
}

impl Effective {
    pub(crate) fn new(tree: Value, settings: &Settings) -> Self {
        Self { text: packed(&seal::sealed(Shape::root(), tree)), files: files(settings) }
    }
}

impl fmt::Debug for Effective {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Effective")
    }
}

/// Every file whose contents count besides its name.
fn files(settings: &Settings) -> Vec<(String, PemFile)> {
    let mut files = Vec::new();
    let mut add = |at: String, file: Option<&PemFile>| files.extend(file.map(|file| (at, file.clone())));
    let tls = settings.listeners.api.tls.as_ref();
    add("listeners.api.tls.cert".to_owned(), tls.map(|tls| &tls.cert));
    add("listeners.api.tls.key".to_owned(), tls.map(|tls| &tls.key));
    for provider in &settings.providers {
        add(format!("providers[{}].ca_file", provider.name), provider.ca_file.as_ref());
    }
    let traces = settings.telemetry.traces.as_ref();
    add("telemetry.traces.ca_file".to_owned(), traces.and_then(|traces| traces.ca_file.as_ref()));
    files
}

/// One difference. Prints as a line without its end: `~ limits.requests.rate: 600/min → 60/min`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where, with names in place of indices: `providers[openai].keys[main].value`.
    pub path: String,
    /// What.
    pub what: What,
    /// The field that a running gateway cannot change, where this is one or in one.
    pub fixed: Option<&'static str>,
}

/// What is different. Texts are short YAML, secrets masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Only the new one has it.
    Added(String),
    /// Only the old one has it.
    Removed,
    /// Both have it.
    Changed {
        /// In the old one.
        from: String,
        /// In the new one.
        to: String,
    },
    /// Both have it, and nobody may see what it is.
    Secret,
    /// The same file holds something else.
    Rewritten,
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.what {
            What::Added(value) => write!(formatter, "+ {path}: {value}"),
            What::Removed => write!(formatter, "- {path}"),
            What::Changed { from, to } => write!(formatter, "~ {path}: {from} → {to}"),
            What::Secret => write!(formatter, "~ {path}: another secret"),
            What::Rewritten => write!(formatter, "~ {path}: the file holds something else"),
        }
    }
}

/// The sections, as the documentation has them.
const SECTIONS: &[&str] = &[
    "version",
    "state_dir",
    "listeners",
    "redis",
    "providers",
    "prices",
    "models",
    "cache",
    "limits",
    "resilience",
    "tenants",
    "auth",
    "keys",
    "ledger",
    "telemetry",
    "shutdown",
];

/// What `new` has otherwise than `old`, section by section.
#[must_use]
pub fn diff(old: &Effective, new: &Effective) -> Vec<Change> {
    let mut changes = Changes(Vec::new());
    changes.value(Shape::root(), &unpacked(&old.text), &unpacked(&new.text), "");
    for (at, file) in &new.files {
        let before = old.files.iter().find(|(old, _)| old == at);
        if before.is_some_and(|(_, before)| before.was_rewritten(file)) {
            changes.push(at, What::Rewritten);
        }
    }
    let section = |change: &Change| SECTIONS.iter().position(|name| change.path.starts_with(name));
    changes.0.sort_by_key(section);
    changes.0
}

/// The fields that a running gateway cannot change, each once, in the order of the file.
#[must_use]
pub fn restart_only(changes: &[Change]) -> Vec<&'static str> {
    let changed = |field: &&str| changes.iter().any(|change| change.fixed == Some(*field));
    restart::FIXED.iter().copied().filter(changed).collect()
}

impl Loaded {
    /// What this one has otherwise than `old`.
    #[must_use]
    pub fn since(&self, old: &Effective) -> Vec<Change> {
        diff(old, &self.effective)
    }
}

struct Changes(Vec<Change>);

impl Changes {
    fn push(&mut self, path: &str, what: What) {
        self.0.push(Change { path: path.to_owned(), what, fixed: restart::fixed(path) });
    }

    fn value(&mut self, shape: Shape<'_>, old: &Value, new: &Value, at: &str) {
        match (&old.kind, &new.kind) {
            (ValueKind::Table(old), ValueKind::Table(new)) => self.table(shape, old, new, at),
            (ValueKind::Array(old_items), ValueKind::Array(new_items)) => match shape.kind() {
                Kind::List(item) if is_named(item) => self.named(item, old_items, new_items, at),
                Kind::List(item) if !is_scalar(item) && are_same_places(item, old_items, new_items) => {
                    for (index, (old, new)) in old_items.iter().zip(new_items).enumerate() {
                        self.value(item, old, new, &path::item(at, index));
                    }
                }
                _ if equal(shape, old, new) => {}
                _ => self.changed(shape, old, new, at),
            },
            _ if equal(shape, old, new) => {}
            _ => self.changed(shape, old, new, at),
        }
    }

    fn table(&mut self, shape: Shape<'_>, old: &Map<String, Value>, new: &Map<String, Value>, at: &str) {
        for (name, value) in new {
            let Some(inner) = shape.inside(name) else { continue };
            let at = path::field(at, name);
            match old.get(name) {
                Some(before) => self.value(inner, before, value, &at),
                None => self.push(&at, What::Added(compact(inner, value))),
            }
        }
        for name in old.keys().filter(|name| !new.contains_key(*name) && shape.inside(name).is_some()) {
            self.push(&path::field(at, name), What::Removed);
        }
    }

    /// A list whose items have names, which no two share.
    fn named(&mut self, item: Shape<'_>, old: &[Value], new: &[Value], at: &str) {
        let entry = |name: &str| format!("{at}[{name}]");
        for value in new {
            let Some(name) = name_of(value) else { continue };
            match old.iter().find(|old| name_of(old) == Some(name)) {
                Some(before) => self.value(item, before, value, &entry(name)),
                None => self.push(&entry(name), What::Added(compact(item, value))),
            }
        }
        let is_kept = |old: &str| new.iter().any(|new| name_of(new) == Some(old));
        for name in old.iter().filter_map(name_of).filter(|name| !is_kept(name)) {
            self.push(&entry(name), What::Removed);
        }
    }

    fn changed(&mut self, shape: Shape<'_>, old: &Value, new: &Value, at: &str) {
        let hidden = |value: &Value| matches!(&value.kind, ValueKind::String(text) if has_credentials(text));
        let (from, to) = compact_both(shape, old, new);
        // What differs where both look the same is what nobody may see.
        let what = if shape.is_secret() || hidden(old) || hidden(new) || from == to {
            What::Secret
        } else {
            What::Changed { from, to }
        };
        self.push(at, what);
    }
}

fn is_named(item: Shape<'_>) -> bool {
    item.field("name").is_some() && item.required("name")
}

/// Is each item of a list that has no names another version of the one in its place, rather than one that has moved?
fn are_same_places(item: Shape<'_>, old: &[Value], new: &[Value]) -> bool {
    let is_same = |old: &Value, new: &Value| {
        let mut changes = Changes(Vec::new());
        changes.value(item, old, new, "");
        changes.0.is_empty()
    };
    let has_moved = |(index, value): (usize, &Value)| {
        let stays = old.get(index).is_some_and(|old| is_same(old, value));
        !stays && old.iter().any(|old| is_same(old, value))
    };
    old.len() == new.len() && !new.iter().enumerate().any(has_moved)
}

fn is_scalar(item: Shape<'_>) -> bool {
    !matches!(item.kind(), Kind::Fields(_) | Kind::Names(_) | Kind::List(_))
}

fn name_of(value: &Value) -> Option<&str> {
    match &value.kind {
        ValueKind::Table(table) => match &table.get("name")?.kind {
            ValueKind::String(name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

/// Do both mean the same?
fn equal(shape: Shape<'_>, old: &Value, new: &Value) -> bool {
    match (&old.kind, &new.kind) {
        (ValueKind::String(old), ValueKind::String(new)) => {
            let known = shape.text("x-text").and_then(text::shape_named);
            old == new || known.is_some_and(|known| (known.same)(old, new))
        }
        (ValueKind::Array(old), ValueKind::Array(new)) => {
            let Kind::List(item) = shape.kind() else { return false };
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| equal(item, old, new))
        }
        (old, new) => old == new,
    }
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
