//! Where each value came from: its position in the file, or the environment variable that set it.

use crate::{path, tree::Span};
use std::collections::HashMap;

/// Where a value is written.
#[derive(Clone)]
pub(crate) struct Spot {
    /// The field's name; an item of a list has none.
    pub(crate) key: Option<Span>,
    pub(crate) value: Span,
    pub(crate) scalar: bool,
    /// A scalar's text as it is written, `${…}` unresolved.
    pub(crate) written: String,
    /// `${…}` stood in it.
    pub(crate) expanded: bool,
}

/// All values that the file or the environment set.
#[derive(Default)]
pub(crate) struct Index {
    spots: HashMap<String, Spot>,
    variables: HashMap<String, String>,
}

impl Index {
    /// The first of several spots counts, as the first of duplicate fields does.
    pub(crate) fn insert(&mut self, path: &str, spot: Spot) {
        self.spots.entry(path.to_owned()).or_insert(spot);
    }

    pub(crate) fn insert_variable(&mut self, path: &str, variable: &str) {
        self.variables.insert(path.to_owned(), variable.to_owned());
    }

    pub(crate) fn spot(&self, path: &str) -> Option<&Spot> {
        self.spots.get(path)
    }

    /// The environment variable that set `path`.
    pub(crate) fn variable(&self, path: &str) -> Option<&str> {
        self.variables.get(path).map(String::as_str)
    }

    /// A text that a number or boolean field may read as such: it comes from the environment.
    pub(crate) fn is_loose(&self, path: &str) -> bool {
        self.variable(path).is_some() || self.spot(path).is_some_and(|spot| spot.expanded)
    }

    /// Did somebody write it, or is it a default?
    pub(crate) fn is_set(&self, path: &str) -> bool {
        self.spot(path).is_some() || self.variable(path).is_some()
    }

    /// A scalar of the file as the operator wrote it.
    pub(crate) fn written(&self, path: &str) -> Option<&str> {
        self.spot(path).filter(|spot| spot.scalar).map(|spot| spot.written.as_str())
    }

    /// Is anything written inside `path`?
    pub(crate) fn has_fields(&self, path: &str) -> bool {
        self.paths().any(|written| written != path && path::ancestors(written).any(|outer| outer == path))
    }

    /// All paths that somebody wrote.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.spots.keys().chain(self.variables.keys()).map(String::as_str)
    }
}
