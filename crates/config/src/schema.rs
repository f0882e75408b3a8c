//! The JSON schema of the file, and a small view on it for the walker.
//!
//! It stands in `config/sluice.schema.json`; a test makes it from the model's types and writes it there.

use serde_json::{Map, Value};
use std::sync::LazyLock;

/// The schema of the file, pretty and stable: what `sluice schema` prints and `config/sluice.schema.json` holds.
#[must_use]
pub fn schema() -> &'static str {
    include_str!("../../../config/sluice.schema.json")
}

/// Read from the file that holds it: to make it from the model takes a start longer, and more memory.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    // A test holds it against the model. Were it no JSON, every field of a configuration would be an unknown one.
    serde_json::from_str(schema()).unwrap_or_default()
});

/// One place in the schema, references followed.
#[derive(Clone, Copy)]
pub(crate) struct Shape<'a> {
    /// What the referring property says: description, default, `x-…`.
    own: &'a Value,
    /// What it refers to.
    target: &'a Value,
}

/// What may stand at a place.
pub(crate) enum Kind<'a> {
    /// Fields that are known.
    Fields(&'a Map<String, Value>),
    /// Any names, one kind of value.
    Names(Shape<'a>),
    List(Shape<'a>),
    Choice(Vec<&'a str>),
    Boolean,
    Integer,
    Number,
    Text,
}

impl<'a> Shape<'a> {
    /// The whole file.
    pub(crate) fn root() -> Shape<'static> {
        Shape::new(&SCHEMA)
    }

    pub(crate) fn new(own: &'a Value) -> Self {
        let target = own
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| SCHEMA.pointer(reference.strip_prefix('#')?));
        Self { own, target: target.unwrap_or(own) }
    }

    pub(crate) fn kind(self) -> Kind<'a> {
        let choices = self.target.get("oneOf").and_then(Value::as_array);
        if let Some(choices) = choices {
            return Kind::Choice(choices.iter().filter_map(|choice| choice.get("const")?.as_str()).collect());
        }
        match self.target.get("type").and_then(Value::as_str) {
            Some("object") => {
                match (self.target.get("properties"), self.target.get("additionalProperties")) {
                    (Some(Value::Object(fields)), _) => Kind::Fields(fields),
                    (_, Some(names)) => Kind::Names(Shape::new(names)),
                    _ => Kind::Text,
                }
            }
            Some("array") => {
                self.target.get("items").map_or(Kind::Text, |items| Kind::List(Shape::new(items)))
            }
            Some("boolean") => Kind::Boolean,
            Some("integer") => Kind::Integer,
            Some("number") => Kind::Number,
            _ => Kind::Text,
        }
    }

    /// A field of a map with known fields.
    pub(crate) fn field(self, name: &str) -> Option<Shape<'a>> {
        match self.kind() {
            Kind::Fields(fields) => fields.get(name).map(Shape::new),
            _ => None,
        }
    }

    /// What stands under `name` in a map, of known fields or of any names.
    pub(crate) fn inside(self, name: &str) -> Option<Shape<'a>> {
        match self.kind() {
            Kind::Names(inner) => Some(inner),
            _ => self.field(name),
        }
    }

    pub(crate) fn required(self, name: &str) -> bool {
        let required = self.target.get("required").and_then(Value::as_array);
        required.is_some_and(|required| required.iter().any(|field| field == name))
    }

    pub(crate) fn default(self) -> Option<&'a Value> {
        self.own.get("default")
    }

    /// A word of the schema, of the property itself or of its type.
    pub(crate) fn word(self, word: &str) -> Option<&'a Value> {
        self.own.get(word).or_else(|| self.target.get(word))
    }

    pub(crate) fn text(self, word: &str) -> Option<&'a str> {
        self.word(word).and_then(Value::as_str)
    }

    /// A valid value, as text.
    pub(crate) fn example(self) -> Option<&'a str> {
        self.word("examples")?.get(0)?.as_str()
    }

    pub(crate) fn is_secret(self) -> bool {
        self.word("x-secret").is_some()
    }

    /// May a scalar at this place be shown in a report?
    pub(crate) fn is_public_scalar(self) -> bool {
        let scalar = !matches!(self.kind(), Kind::Fields(_) | Kind::Names(_) | Kind::List(_));
        scalar && !self.is_secret()
    }
}

#[cfg(test)]
mod made;
#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
