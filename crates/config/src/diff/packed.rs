//! A tree as one text, a fifteenth of its memory: what is in force rests until a reload compares it.

use crate::layers::empty;
use config::{Value, ValueKind};
use serde::{Serialize, Serializer};

/// `value` as JSON.
pub(super) fn packed(value: &Value) -> Box<str> {
    // Names are texts and no value refuses, so there is nothing to fail.
    serde_json::to_string(&Tree(value)).unwrap_or_default().into()
}

/// The tree that was packed, without the origins of its values.
pub(super) fn unpacked(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| empty())
}

struct Tree<'a>(&'a Value);

impl Serialize for Tree<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0.kind {
            ValueKind::Nil => serializer.serialize_unit(),
            ValueKind::Boolean(value) => serializer.serialize_bool(*value),
            ValueKind::I64(value) => serializer.serialize_i64(*value),
            ValueKind::Float(value) => serializer.serialize_f64(*value),
            ValueKind::String(text) => serializer.serialize_str(text),
            ValueKind::Table(table) => {
                serializer.collect_map(table.iter().map(|(name, value)| (name, Tree(value))))
            }
            ValueKind::Array(items) => serializer.collect_seq(items.iter().map(Tree)),
            // Larger numbers: a `Value` is read with none, and their digits compare and show as well.
            kind => serializer.collect_str(kind),
        }
    }
}
