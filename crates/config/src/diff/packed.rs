//! What is in force rests as one text until a reload compares it: a tree takes some 13 times as much memory.

use crate::layers::empty;
use config::{Value, ValueKind};
use serde::{Serialize, Serializer};

/// `value` as JSON.
pub(super) fn packed(value: &Value) -> Box<str> {
    // Every name is a text, so that nothing can fail.
    serde_json::to_string(&Tree(value)).unwrap_or_default().into()
}

/// The tree that was packed, without the origins of its values. What was written here can be read: trees are less deep
/// than serde_json bears, and their numbers are finite.
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
            // A larger number, which no reader of a `Value` takes: as text it compares and shows the same.
            kind => serializer.collect_str(kind),
        }
    }
}
