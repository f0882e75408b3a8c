//! Typed reading of one map of the source. Whatever is asked for and fits is taken; what does not fit is left to a
//! person with the reason, and reads as absent.

use super::{
    account::{Account, Spot, Weight},
    source::{Data, Entry, Node},
};
use sluice_config::yaml::{Scalar, Value};

/// A map, where it is spoken of, and what stands behind it.
#[derive(Clone)]
pub(super) struct Section<'a> {
    pub(super) entries: &'a [Entry],
    /// Fields that count where the map has none of that name.
    under: &'a [Entry],
    pub(super) account: &'a Account,
    pub(super) spot: Spot,
}

/// One value as LiteLLM reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Text {
    /// As it is written.
    Plain(String),
    /// `os.environ/NAME`.
    Variable(String),
}

/// What is said of a field that is not taken over.
pub(super) struct Reason(pub(super) &'static str, pub(super) Weight, pub(super) &'static str);

/// What is counted in tokens, requests or tries is smaller.
const LARGEST: f64 = 1e9;

impl<'a> Section<'a> {
    pub(super) fn new(entries: &'a [Entry], account: &'a Account, spot: Spot) -> Self {
        Self { entries, under: &[], account, spot }
    }

    /// With fields of another map in place of those that are not there.
    pub(super) fn over(&self, under: &'a [Entry]) -> Self {
        Self { under, ..self.clone() }
    }

    /// The same map, spoken of at a section.
    pub(super) fn at(&self, section: &'static str) -> Self {
        Self { spot: Spot::Section(section), ..self.clone() }
    }

    /// A field, whatever it holds; it is not taken by that.
    pub(super) fn get(&self, key: &str) -> Option<&'a Entry> {
        let named = |entry: &&Entry| entry.key == key && !entry.repeated;
        self.entries.iter().find(named).or_else(|| self.under.iter().find(named))
    }

    /// Leaves a field to a person.
    pub(super) fn leave(&self, key: &str, why: &str) {
        if let Some(entry) = self.get(key) {
            self.account.remark(Weight::Open, &self.spot, entry, why);
        }
    }

    /// Takes a field, and says so.
    pub(super) fn tell(&self, key: &str, why: &str) {
        if let Some(entry) = self.get(key) {
            self.account.remark(Weight::Told, &self.spot, entry, why);
        }
    }

    fn scalar(&self, key: &str) -> Option<&'a Scalar> {
        let entry = self.get(key)?;
        match &entry.value.data {
            Data::Scalar(Scalar { value: Value::Null, .. }) => {
                self.account.take(&entry.value);
                None
            }
            Data::Scalar(scalar) => Some(scalar),
            Data::List(_) | Data::Map(_) => {
                self.leave(key, "one value is expected here");
                None
            }
        }
    }

    fn take(&self, key: &str) {
        if let Some(entry) = self.get(key) {
            self.account.take(&entry.value);
        }
    }

    pub(super) fn text(&self, key: &str) -> Option<Text> {
        let scalar = self.scalar(key)?;
        let Some(text) = Text::read(&scalar.written) else {
            self.leave(key, "not the name of an environment variable");
            return None;
        };
        self.take(key);
        Some(text)
    }

    /// A text that cannot come from the environment, because what follows from it is decided here.
    pub(super) fn word(&self, key: &str) -> Option<String> {
        match self.text(key)? {
            Text::Plain(text) => Some(text),
            Text::Variable(_) => {
                self.leave(key, "cannot come from the environment here: write the value");
                None
            }
        }
    }

    pub(super) fn number(&self, key: &str) -> Option<f64> {
        let scalar = self.scalar(key)?;
        let number = scalar.written.replace('_', "").parse::<f64>().ok();
        match number.filter(|number| number.is_finite() && *number >= 0.0) {
            Some(number) => {
                self.take(key);
                Some(number)
            }
            None => {
                self.leave(key, "a number is expected here");
                None
            }
        }
    }

    /// A count, of the size that counts have here.
    pub(super) fn whole(&self, key: &str) -> Option<u64> {
        let number = self.number(key)?;
        if number > LARGEST {
            self.leave(key, "too large");
            return None;
        }
        if number.fract() != 0.0 {
            self.leave(key, "a whole number is expected here");
            return None;
        }
        format!("{number:.0}").parse().ok()
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        let scalar = self.scalar(key)?;
        // As Python's YAML reader has it.
        let flag = match scalar.written.to_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        };
        match flag {
            Some(_) => self.take(key),
            None => self.leave(key, "true or false is expected here"),
        }
        flag
    }

    /// A map in a field.
    pub(super) fn section(&self, key: &str, spot: &Spot) -> Option<Section<'a>> {
        let entry = self.get(key)?;
        match &entry.value.data {
            Data::Map(entries) => {
                if entries.is_empty() {
                    self.account.take(&entry.value);
                }
                Some(Section::new(entries, self.account, spot.clone()))
            }
            _ if entry.value.is_null() => {
                self.account.take(&entry.value);
                None
            }
            _ => {
                self.leave(key, "a map is expected here");
                None
            }
        }
    }

    /// The items of a list, or the one value that stands in its place.
    pub(super) fn items(&self, key: &str) -> Vec<&'a Node> {
        let Some(entry) = self.get(key) else { return Vec::new() };
        match &entry.value.data {
            Data::List(items) => {
                if items.is_empty() {
                    self.account.take(&entry.value);
                }
                items.iter().collect()
            }
            _ if entry.value.is_null() => {
                self.account.take(&entry.value);
                Vec::new()
            }
            _ => vec![&entry.value],
        }
    }

    /// Says something about every field that nobody has asked for: its own reason, or the common one.
    pub(super) fn rest(&self, reasons: &[Reason], common: &str) {
        for entry in self.entries.iter().filter(|entry| self.account.is_open(&entry.value)) {
            let (weight, why) = match reasons.iter().find(|reason| reason.0 == entry.key) {
                _ if entry.repeated => (Weight::Open, "stands again further down, and that counts"),
                Some(Reason(_, weight, why)) => (*weight, *why),
                None => (Weight::Open, common),
            };
            self.account.remark_rest(weight, &self.spot, &entry.key, entry, why);
        }
    }
}

impl Text {
    /// `None`: it is to name a variable, and does not.
    pub(super) fn read(written: &str) -> Option<Self> {
        let Some(name) = written.strip_prefix("os.environ/") else {
            return Some(Self::Plain(written.to_owned()));
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        (!name.is_empty() && name.chars().all(fits)).then(|| Self::Variable(name.to_owned()))
    }

    /// As our file has it: `${NAME}`, and a dollar sign as two.
    pub(super) fn ours(&self, account: &Account) -> String {
        match self {
            Self::Plain(text) => text.replace('$', "$$"),
            Self::Variable(name) => account.variable(name),
        }
    }
}
