//! The account of every value of the source: taken over, told about, or left to a person. Nothing gets lost, because
//! what is in none of these at the end is left to a person, too.
//!
//! Also kept here is what the written file asks of its environment: variables, and secrets that stood in the source.

use super::{
    shown,
    source::{Data, Entry, Node, Place},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

/// Where in the written file a remark belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Spot {
    /// A section.
    Section(&'static str),
    /// The model of this name; with the other models when it is not written.
    Model(String),
}

/// What a remark asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// A person has to look at it.
    Open,
    /// Understood; said because it does not show otherwise.
    Told,
}

/// Something said about lines of the source.
pub(super) struct Remark {
    pub(super) weight: Weight,
    pub(super) spot: Spot,
    /// The lines, masked.
    pub(super) lines: Vec<(Place, String)>,
    pub(super) why: String,
}

/// A secret that stood in the source.
pub(super) struct Imported {
    pub(super) variable: String,
    value: String,
    /// The fields that hold it.
    pub(super) places: Vec<(Place, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Taken,
    Left,
}

/// See the module.
#[derive(Default)]
pub(super) struct Account {
    marks: RefCell<BTreeMap<(Place, Option<Place>), Mark>>,
    remarks: RefCell<Vec<Remark>>,
    imported: RefCell<Vec<Imported>>,
    variables: RefCell<BTreeSet<String>>,
}

/// How many values there were, and what became of them.
pub(super) struct Totals {
    pub(super) taken: usize,
    pub(super) left: usize,
}

impl Account {
    /// The value, and all within it, is taken over.
    pub(super) fn take(&self, node: &Node) {
        self.mark(node, Mark::Taken);
    }

    fn mark(&self, node: &Node, mark: Mark) {
        let mut marks = self.marks.borrow_mut();
        node.leaves(&mut |leaf| {
            marks.insert((leaf.place, leaf.alias), mark);
        });
    }

    /// Is there a value within it that nobody has said anything about?
    pub(super) fn is_open(&self, node: &Node) -> bool {
        let marks = self.marks.borrow();
        let mut open = false;
        node.leaves(&mut |leaf| open |= !marks.contains_key(&(leaf.place, leaf.alias)));
        open
    }

    /// Has nothing within it been looked at?
    fn is_untouched(&self, node: &Node) -> bool {
        let marks = self.marks.borrow();
        let mut untouched = true;
        node.leaves(&mut |leaf| untouched &= !marks.contains_key(&(leaf.place, leaf.alias)));
        untouched
    }

    /// Says something about a whole field: of weight [`Weight::Open`] it is left, else it is taken.
    pub(super) fn remark(&self, weight: Weight, spot: &Spot, entry: &Entry, why: &str) {
        self.remark_at(weight, spot, &entry.key, entry, why);
    }

    /// The same under a name that says what it is in.
    pub(super) fn remark_at(&self, weight: Weight, spot: &Spot, path: &str, entry: &Entry, why: &str) {
        self.mark(&entry.value, if weight == Weight::Open { Mark::Left } else { Mark::Taken });
        self.push(weight, spot, shown::field(path, entry), why);
    }

    /// The same of an item of a list, or of a value without a name; `name` is shown before it.
    pub(super) fn remark_item(&self, weight: Weight, spot: &Spot, name: &str, node: &Node, why: &str) {
        self.mark(node, if weight == Weight::Open { Mark::Left } else { Mark::Taken });
        self.push(weight, spot, shown::item(name, node), why);
    }

    /// Says something about those values of a field that nobody has said anything about.
    pub(super) fn remark_rest(&self, weight: Weight, spot: &Spot, path: &str, entry: &Entry, why: &str) {
        if self.is_untouched(&entry.value) {
            return self.remark_at(weight, spot, path, entry, why);
        }
        self.remark_within(weight, spot, path, &entry.value, why);
    }

    fn remark_within(&self, weight: Weight, spot: &Spot, path: &str, node: &Node, why: &str) {
        match &node.data {
            Data::Map(entries) => {
                for inner in entries.iter().filter(|inner| self.is_open(&inner.value)) {
                    self.remark_rest(weight, spot, &format!("{path}.{}", inner.key), inner, why);
                }
            }
            Data::List(items) => {
                for item in items.iter().filter(|item| self.is_open(item)) {
                    if self.is_untouched(item) {
                        self.remark_item(weight, spot, path, item, why);
                    } else {
                        self.remark_within(weight, spot, path, item, why);
                    }
                }
            }
            Data::Scalar(_) => {}
        }
    }

    /// Says something more about a field, and leaves its account as it is.
    pub(super) fn say(&self, weight: Weight, spot: &Spot, entry: &Entry, why: &str) {
        self.push(weight, spot, shown::field(&entry.key, entry), why);
    }

    fn push(&self, weight: Weight, spot: &Spot, lines: Vec<(Place, String)>, why: &str) {
        let mut remarks = self.remarks.borrow_mut();
        // What an alias or a credential repeats is said once.
        let same = |known: &Remark| known.lines == lines && known.why == why && known.spot == *spot;
        if !remarks.iter().any(same) {
            remarks.push(Remark { weight, spot: spot.clone(), lines, why: why.to_owned() });
        }
    }

    /// `${NAME}`, and that the file reads it.
    pub(super) fn variable(&self, name: &str) -> String {
        self.variables.borrow_mut().insert(name.to_owned());
        format!("${{{name}}}")
    }

    /// A variable in place of a secret of the source.
    pub(super) fn secret(&self, value: &str, field: &str, place: Place) -> String {
        let mut imported = self.imported.borrow_mut();
        let position = imported.iter().position(|known| known.value == value);
        let number = position.unwrap_or(imported.len()) + 1;
        let variable = format!("SLUICE_IMPORTED_KEY_{number}");
        match position.and_then(|position| imported.get_mut(position)) {
            Some(known) if !known.places.iter().any(|(known, _)| *known == place) => {
                known.places.push((place, field.to_owned()));
            }
            Some(_) => {}
            None => imported.push(Imported {
                variable: variable.clone(),
                value: value.to_owned(),
                places: vec![(place, field.to_owned())],
            }),
        }
        format!("${{{variable}}}")
    }

    /// Does the written file read this variable?
    pub(super) fn reads(&self, name: &str) -> bool {
        self.variables.borrow().contains(name)
    }

    /// What became of the values.
    pub(super) fn totals(&self) -> Totals {
        let marks = self.marks.borrow();
        let left = marks.values().filter(|mark| **mark == Mark::Left).count();
        Totals { taken: marks.len() - left, left }
    }

    /// Everything that was said, at the end.
    pub(super) fn close(self) -> (Vec<Remark>, Vec<Imported>, BTreeSet<String>) {
        let mut remarks = self.remarks.into_inner();
        // In the order of the source.
        remarks.sort_by_key(|remark| remark.lines.first().map(|(place, _)| *place));
        (remarks, self.imported.into_inner(), self.variables.into_inner())
    }
}
