//! What comes out of a query: which labels, and how many series at most.

use std::collections::{BTreeMap, BTreeSet};

/// Labels by name.
pub type Labels = BTreeMap<String, Values>;

/// What a label can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// Names of a configuration, statuses, addresses.
    Open,
    /// These alone.
    Closed(BTreeSet<String>),
}

impl Values {
    fn count(&self) -> Option<usize> {
        match self {
            Self::Open => None,
            Self::Closed(values) => Some(values.len()),
        }
    }

    fn or(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Closed(own), Self::Closed(other)) => Self::Closed(own.union(other).cloned().collect()),
            _ => Self::Open,
        }
    }
}

/// The result of an expression.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    pub labels: Labels,
    /// More is cut off, as by `topk`.
    cap: Option<usize>,
    /// Alerts carry what their rules give them.
    pub any_label: bool,
}

impl Shape {
    pub fn of(labels: Labels) -> Self {
        Self { labels, ..Self::default() }
    }

    pub fn any(labels: Labels) -> Self {
        Self { labels, cap: None, any_label: true }
    }

    pub fn has(&self, label: &str) -> bool {
        self.any_label || self.labels.contains_key(label)
    }

    /// Most series that there can be; `None` is without bound.
    pub fn most(&self) -> Option<usize> {
        let product =
            self.labels.values().try_fold(1_usize, |product, values| Some(product * values.count()?));
        match (self.cap, product.filter(|_| !self.any_label)) {
            (Some(cap), Some(product)) => Some(cap.min(product)),
            (cap, product) => cap.or(product),
        }
    }

    pub fn capped(mut self, most: Option<usize>) -> Self {
        self.cap = match (self.cap, most) {
            (Some(own), Some(most)) => Some(own.min(most)),
            (own, most) => own.or(most),
        };
        self
    }

    /// With these labels alone.
    pub fn only(&self, names: &[String]) -> Self {
        let values =
            |name: &String| self.labels.get(name).cloned().or(self.any_label.then_some(Values::Open));
        Self::of(names.iter().filter_map(|name| Some((name.clone(), values(name)?))).collect())
    }

    /// Without these.
    pub fn without(mut self, names: &[&str]) -> Self {
        self.labels.retain(|name, _| !names.contains(&name.as_str()));
        self
    }

    /// What is here or there.
    pub fn or(mut self, other: &Self) -> Self {
        self.cap = None;
        self.any_label |= other.any_label;
        for (name, values) in &other.labels {
            let known = self.labels.remove(name);
            self.labels.insert(name.clone(), known.map_or_else(|| values.clone(), |known| known.or(values)));
        }
        self
    }
}
