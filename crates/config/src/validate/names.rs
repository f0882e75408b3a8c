//! Named things: told apart within their list, and found by those that refer to them.

use super::Check;
use crate::{
    codes, path,
    problems::{Problem, Problems},
    suggest,
};
use std::collections::HashMap;

/// The names of one list.
pub(super) struct Names {
    /// What one of them is.
    what: &'static str,
    /// Where they stand in the file.
    list: &'static str,
    all: Vec<String>,
    /// Those that may be shown: typed as they are, not the value of a variable.
    typed: Vec<String>,
}

impl Names {
    /// Collects the names and reports those that stand twice.
    pub(super) fn new<'n>(
        what: &'static str,
        list: &'static str,
        names: impl Iterator<Item = &'n str> + Clone,
        problems: &mut Problems,
    ) -> Self {
        unique(what, list, names.clone(), problems);
        let is_typed = |index| {
            let at = path::field(&path::item(list, index), "name");
            !problems.is_unusable(&at) && problems.index.spot(&at).is_some_and(|spot| !spot.expanded)
        };
        let typed = names.clone().enumerate().filter(|(index, _)| is_typed(*index));
        let typed = typed.map(|(_, name)| name.to_owned()).collect();
        Self { what, list, all: names.map(str::to_owned).collect(), typed }
    }

    /// With one more, which exists without being listed.
    pub(super) fn and(mut self, name: &str) -> Self {
        self.all.push(name.to_owned());
        self.typed.push(name.to_owned());
        self
    }

    /// Those that stand for one thing each.
    pub(super) fn without_wildcards(&self) -> Self {
        let exact = |names: &[String]| names.iter().filter(|name| !name.contains('*')).cloned().collect();
        Self { what: self.what, list: self.list, all: exact(&self.all), typed: exact(&self.typed) }
    }

    /// Is there one of this name?
    pub(super) fn contains(&self, name: &str) -> bool {
        self.all.iter().any(|known| known == name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The nearest name that may be shown.
    pub(super) fn closest(&self, name: &str) -> Option<String> {
        let near = suggest::closest(name, self.typed.iter().map(String::as_str));
        near.map(|near| format!("did you mean `{near}`?"))
    }
}

/// Names in one list are told apart.
pub(super) fn unique<'n>(
    what: &str,
    list: &str,
    names: impl Iterator<Item = &'n str>,
    problems: &mut Problems,
) {
    let mut seen: HashMap<&str, String> = HashMap::new();
    for (index, name) in names.enumerate() {
        let at = path::field(&path::item(list, index), "name");
        if problems.is_unusable(&at) {
            continue;
        }
        match seen.get(name) {
            Some(first) => second(what, name, &at, first, problems),
            None => drop(seen.insert(name, at)),
        }
    }
}

/// The name at `at` has been given to something else, at `first`.
pub(super) fn second(what: &str, name: &str, at: &str, first: &str, problems: &mut Problems) {
    let first = problems.index.spot(first).map(|spot| spot.value.start);
    let first = first.map(|at| format!("line {}, column {}", at.line, at.column)).unwrap_or_default();
    let shown = problems.index.written(at).unwrap_or(name);
    let message = format!("a second {what} `{shown}`: the first stands at {first}");
    problems.push(at, Problem::error(codes::DUPLICATE_NAME, message).help("give it another name"));
}

impl Check<'_> {
    /// A reference by name must lead somewhere.
    pub(super) fn known(&mut self, names: &Names, at: &str, name: &str) {
        if names.contains(name) || self.problems.is_unusable(names.list) {
            return;
        }
        let list = || match names.typed.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => format!("no {} is defined", names.what),
            some => format!("known: {some}"),
        };
        let help = names.closest(name).unwrap_or_else(list);
        let message = format!("unknown {} `{}`", names.what, self.written(at, name));
        self.error(at, codes::UNKNOWN_NAME, message, help);
    }
}
