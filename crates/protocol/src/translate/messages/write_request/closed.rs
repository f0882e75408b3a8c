//! Schemas of answers, closed: Anthropic takes only objects that say `additionalProperties: false`.
//!
//! An answer by the closed schema is one by the client's own, so adding the word where none stands changes nothing for
//! whoever reads the answer. A schema that says otherwise itself is left as it is: that is for the upstream to judge.

use std::borrow::Cow;

use crate::json::MAX_DEPTH;
use crate::raw::{Object, Writer, array, items};

const WORD: &str = "additionalProperties";

/// The schema with every object closed that does not say whether it is. What is no schema stays as it is.
pub(super) fn closed(schema: &str) -> Cow<'_, str> {
    schema_of(schema, MAX_DEPTH)
}

/// `left` bounds the nesting, which a body's own check has bounded before.
fn schema_of(json: &str, left: usize) -> Cow<'_, str> {
    let same = Cow::Borrowed(json);
    let (Some(left), Ok(object)) = (left.checked_sub(1), Object::parse(json)) else { return same };
    let mut changed = false;
    let mut out = Writer::new();
    for (name, value) in object.iter() {
        let inner = match &**name {
            "properties" | "patternProperties" | "$defs" | "definitions" => each_member(value, left),
            "anyOf" | "allOf" | "oneOf" | "prefixItems" => each_item(value, left),
            "items" | "not" | "if" | "then" | "else" => schema_of(value, left),
            _ => Cow::Borrowed(value),
        };
        changed |= matches!(inner, Cow::Owned(_));
        out.raw(name, &inner);
    }
    let is_object = object.string("type").is_some_and(|kind| kind == "object")
        || object.get("type").is_some_and(|kinds| kinds.contains("\"object\""))
        || object.get("properties").is_some_and(|value| value.starts_with('{'));
    if is_object && object.get(WORD).is_none() {
        changed = true;
        out.raw(WORD, "false");
    }
    if changed { Cow::Owned(out.finish()) } else { same }
}

/// A map from names to schemas.
fn each_member(json: &str, left: usize) -> Cow<'_, str> {
    let Ok(object) = Object::parse(json) else { return Cow::Borrowed(json) };
    let mut changed = false;
    let mut out = Writer::new();
    for (name, value) in object.iter() {
        let inner = schema_of(value, left);
        changed |= matches!(inner, Cow::Owned(_));
        out.raw(name, &inner);
    }
    if changed { Cow::Owned(out.finish()) } else { Cow::Borrowed(json) }
}

fn each_item(json: &str, left: usize) -> Cow<'_, str> {
    let Ok(items) = items(json) else { return Cow::Borrowed(json) };
    let inner: Vec<_> = items.into_iter().map(|item| schema_of(item, left)).collect();
    let changed = inner.iter().any(|item| matches!(item, Cow::Owned(_)));
    if changed { Cow::Owned(array(inner)) } else { Cow::Borrowed(json) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_closed_at_every_depth_and_nothing_else_changes() {
        for (schema, expected) in [
            (r#"{"type":"object"}"#, r#"{"type":"object","additionalProperties":false}"#),
            (
                r#"{"type":"object","properties":{"type":{"type":["object","null"]},"properties":{"type":"string","const":{"type":"object"}}}}"#,
                r#"{"type":"object","properties":{"type":{"type":["object","null"],"additionalProperties":false},"properties":{"type":"string","const":{"type":"object"}}},"additionalProperties":false}"#,
            ),
            (
                r#"{"type":"array","items":{"anyOf":[{"properties":{}},{"type":"string"}]},"maximum":1.50}"#,
                r#"{"type":"array","items":{"anyOf":[{"properties":{},"additionalProperties":false},{"type":"string"}]},"maximum":1.50}"#,
            ),
            (
                r##"{"$defs":{"a":{"type":"object"}},"$ref":"#/$defs/a"}"##,
                r##"{"$defs":{"a":{"type":"object","additionalProperties":false}},"$ref":"#/$defs/a"}"##,
            ),
        ] {
            assert_eq!(closed(schema), expected);
        }
        for same in [
            r#"{ "type" : "object", "additionalProperties": false }"#,
            r#"{"type":"object","additionalProperties":true}"#,
            r#"{"type":"string","enum":["object"]}"#,
            r#"{"type":"object","type":"string"}"#,
            "true",
            "[]",
        ] {
            assert!(matches!(closed(same), Cow::Borrowed(text) if text == same), "{same}");
        }
    }
}
