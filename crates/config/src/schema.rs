//! The JSON schema of the file, made from the model's types, and a small view on it for the walker.

use crate::model::Settings;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The schema of the file, pretty and stable: what `sluice schema` prints and `config/sluice.schema.json` holds.
#[must_use]
pub fn schema() -> String {
    let mut text = format!("{:#}", *SCHEMA);
    text.push('\n');
    text
}

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Settings>().to_value();
    tidy(&mut schema);
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".to_owned(), json!("Sluice"));
        root.insert("description".to_owned(), json!("The configuration of Sluice."));
    }
    if let Some(properties) = schema.pointer_mut("/properties").and_then(Value::as_object_mut) {
        let version = json!({
            "description": "Version of the format.", "type": "integer", "minimum": 1, "maximum": 1, "default": 1,
        });
        properties.insert("version".to_owned(), version);
    }
    schema
});

/// Habits of the generator that are not ours: absent and `null` are not the same here (a field with nothing
/// after its colon is a mistake), and what has a default or is worked out is not required.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(object) => {
            without_null(object);
            if let Some(Value::String(description)) = object.get_mut("description") {
                // Links of the code's own documentation lead nowhere in an editor.
                *description = description.replace("[`", "`").replace("`]", "`");
            }
            if let (Some(properties), Some(required)) =
                (object.get("properties").cloned(), object.get_mut("required"))
            {
                let optional = |name: &Value| {
                    let property = name.as_str().and_then(|name| properties.get(name));
                    property.is_some_and(|p| p.get("default").is_some() || p.get("x-derived").is_some())
                };
                if let Some(required) = required.as_array_mut() {
                    required.retain(|name| !optional(name));
                }
            }
            if object.get("required").and_then(Value::as_array).is_some_and(Vec::is_empty) {
                object.remove("required");
            }
            object.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

fn without_null(object: &mut Map<String, Value>) {
    if object.get("default") == Some(&Value::Null) {
        object.remove("default");
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = object.get("anyOf")
        && let [Value::Object(some), null] = choices.as_slice()
        && null == &json!({"type": "null"})
    {
        let some = some.clone();
        object.remove("anyOf");
        object.extend(some);
    }
}

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
#[path = "schema_tests.rs"]
mod tests;
