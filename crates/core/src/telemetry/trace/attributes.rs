//! Attributes of a span, in the making.

use super::otlp::{AnyValue, ArrayValue, KeyValue, Value};

/// No text of a span is longer, bytes: names of models may come from clients.
const LONGEST: usize = 256;

/// Names and values, those that are known.
#[derive(Default)]
pub(super) struct Attributes(Vec<KeyValue>);

impl Attributes {
    pub(super) fn with_room(room: usize) -> Self {
        Self(Vec::with_capacity(room))
    }

    pub(super) fn text(&mut self, key: &'static str, text: &str) -> &mut Self {
        self.put(key, Value::Text(cut(text).to_owned()))
    }

    pub(super) fn number(&mut self, key: &'static str, number: u64) -> &mut Self {
        self.put(key, Value::Int(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    pub(super) fn double(&mut self, key: &'static str, number: f64) -> &mut Self {
        self.put(key, Value::Double(number))
    }

    pub(super) fn flag(&mut self, key: &'static str, flag: bool) -> &mut Self {
        self.put(key, Value::Bool(flag))
    }

    /// A list of one text, where the conventions want a list.
    pub(super) fn list_of(&mut self, key: &'static str, text: &str) -> &mut Self {
        let value = Some(Value::Text(cut(text).to_owned()));
        self.put(key, Value::List(ArrayValue { values: vec![AnyValue { value }] }))
    }

    /// What is not known is left out.
    pub(super) fn some<T>(
        &mut self,
        key: &'static str,
        value: Option<T>,
        put: impl for<'a> FnOnce(&'a mut Self, &'static str, T) -> &'a mut Self,
    ) -> &mut Self {
        match value {
            Some(value) => put(self, key, value),
            None => self,
        }
    }

    pub(super) fn take(&mut self) -> Vec<KeyValue> {
        std::mem::take(&mut self.0)
    }

    fn put(&mut self, key: &'static str, value: Value) -> &mut Self {
        self.0.push(KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) });
        self
    }
}

/// As much of a text as a span may hold.
pub(super) fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let long = format!("{}é", "x".repeat(LONGEST - 1));
        assert_eq!(cut(&long), "x".repeat(LONGEST - 1));
    }
}
