//! The schema as the model's types make it. The program has no use for the making, which takes a start longer than
//! reading what was made.

use crate::model::Settings;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// The schema that the model's types make, pretty and stable.
pub(super) fn from_the_model() -> String {
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
    format!("{schema:#}\n")
}

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
