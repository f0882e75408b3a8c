//! Every series that a query may ask for, with its labels and their values: what the code declares, what Prometheus adds,
//! and what the rules record.

use super::shape::{Labels, Shape, Values};
use sluice_core::telemetry::metrics::{FAMILIES, Family, Kind, PROCESS};
use std::collections::BTreeMap;

/// What a series is read with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// `rate`, `increase`.
    Counter,
    /// As it stands.
    Gauge,
}

/// A series by name.
#[derive(Debug, Clone)]
pub struct Series {
    pub read: Read,
    pub labels: Labels,
    /// Alerts carry what their rules give them.
    pub any_label: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Names(BTreeMap<String, Series>);

impl Names {
    /// What the code declares, and what Prometheus knows of a target.
    pub fn declared() -> Self {
        let mut names = Self::default();
        for family in FAMILIES.iter().chain(PROCESS) {
            names.add_family(family);
        }
        names.add("up", Read::Gauge, BTreeMap::new());
        // Rules keep the job; an alert of a whole installation has no instance.
        let labels = BTreeMap::from([("job".to_owned(), Values::Open)]);
        names.0.insert("ALERTS".to_owned(), Series { read: Read::Gauge, labels, any_label: true });
        names
    }

    fn add_family(&mut self, family: &Family) {
        let values = |words: &[&str]| Values::Closed(words.iter().map(|word| (*word).to_owned()).collect());
        let labels: Labels = family
            .labels
            .iter()
            .map(|label| (label.name.to_owned(), label.values.map_or(Values::Open, values)))
            .collect();
        match family.kind {
            Kind::Counter => self.add(family.name, Read::Counter, labels),
            Kind::Gauge => self.add(family.name, Read::Gauge, labels),
            Kind::Histogram => {
                let bounds = family.buckets.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
                let mut with_bounds = labels.clone();
                with_bounds.insert("le".to_owned(), Values::Closed(bounds.collect()));
                self.add(&format!("{}_bucket", family.name), Read::Counter, with_bounds);
                self.add(&format!("{}_sum", family.name), Read::Counter, labels.clone());
                self.add(&format!("{}_count", family.name), Read::Counter, labels);
            }
        }
    }

    fn add(&mut self, name: &str, read: Read, mut labels: Labels) {
        // Prometheus says of each series where it has it from.
        for own in ["job", "instance"] {
            labels.insert(own.to_owned(), Values::Open);
        }
        self.0.insert(name.to_owned(), Series { read, labels, any_label: false });
    }

    /// What a rule records.
    pub fn record(&mut self, name: &str, shape: Shape) {
        let labels = shape.labels;
        self.0.insert(name.to_owned(), Series { read: Read::Gauge, labels, any_label: false });
    }

    pub fn find(&self, name: &str) -> Option<&Series> {
        self.0.get(name)
    }
}
