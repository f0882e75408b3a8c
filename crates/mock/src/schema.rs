//! A plausible instance of a JSON schema: tool arguments and structured answers.
//!
//! Covers what tool definitions use: objects, arrays, scalars with bounds, `enum`, `const`, `$ref` within the
//! schema, `anyOf`/`oneOf`/`allOf`, and the common formats. Patterns are not followed.

use serde_json::Value;

use crate::rng::Rng;

/// References may go round in circles; below this depth only what is required is written, and below twice it
/// nothing.
const MAX_DEPTH: usize = 6;

/// Writes an instance of the schema as compact JSON, required members first.
///
/// Strings are words of `topic`, those that look like names first, from the word `used` on; numbers come from the
/// generator.
pub(crate) fn instance(schema: &Value, topic: &str, used: usize, rng: &mut Rng) -> String {
    let mut writer = Writer { root: schema, words: telling_words(topic), used, rng, out: String::new() };
    writer.value(schema, 0);
    writer.out
}

struct Writer<'a> {
    root: &'a Value,
    words: Vec<&'a str>,
    used: usize,
    rng: &'a mut Rng,
    out: String,
}

impl<'a> Writer<'a> {
    fn value(&mut self, schema: &'a Value, depth: usize) {
        let schema = self.resolve(schema);
        if let Some(fixed) = fixed(schema) {
            self.out.push_str(&fixed.to_string());
            return;
        }
        if let Some(branch) = branch(schema)
            && depth < 2 * MAX_DEPTH
        {
            return self.value(branch, depth + 1);
        }
        match kind(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "integer" => {
                let number = self.number(schema).round();
                self.out.push_str(&format!("{number:.0}"));
            }
            "number" => {
                let number = (self.number(schema) * 10.0).round() / 10.0;
                self.out.push_str(&Value::from(number).to_string());
            }
            "boolean" => self.out.push_str("true"),
            "null" => self.out.push_str("null"),
            _ => {
                let text = self.string(schema);
                self.out.push_str(&Value::from(text).to_string());
            }
        }
    }

    fn object(&mut self, schema: &'a Value, depth: usize) {
        let required: Vec<&str> = list(schema, "required").filter_map(Value::as_str).collect();
        let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        let is_required = |name: &str| required.contains(&name);
        let mut members: Vec<(&String, &Value)> = properties
            .filter(|(name, _)| depth < MAX_DEPTH || (depth < 2 * MAX_DEPTH && is_required(name)))
            .collect();
        // A stable sort: the required ones come to the front and all else stays as it was.
        members.sort_by_key(|(name, _)| !is_required(name));
        self.out.push('{');
        for (at, (name, property)) in members.into_iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            self.out.push_str(&Value::from(name.as_str()).to_string());
            self.out.push(':');
            self.value(property, depth + 1);
        }
        self.out.push('}');
    }

    fn array(&mut self, schema: &'a Value, depth: usize) {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        let most = schema.get("maxItems").and_then(Value::as_u64).unwrap_or(u64::MAX);
        let count = if depth < MAX_DEPTH { least.max(1).min(most).min(16) } else { 0 };
        self.out.push('[');
        for at in 0..count {
            if at > 0 {
                self.out.push(',');
            }
            match schema.get("items") {
                Some(items) => self.value(items, depth + 1),
                None => self.value(&Value::Null, depth + 1),
            }
        }
        self.out.push(']');
    }

    fn number(&mut self, schema: &Value) -> f64 {
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        let low = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|low| low + 1.0));
        let high = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|high| high - 1.0));
        let chance = self.rng.below(100) as f64;
        match (low, high) {
            (Some(low), Some(high)) => low + (high - low).max(0.0) * chance / 100.0,
            (Some(low), None) => low + chance,
            (None, Some(high)) => high - chance,
            (None, None) => chance + 1.0,
        }
    }

    fn string(&mut self, schema: &Value) -> String {
        let text = match schema.get("format").and_then(Value::as_str) {
            Some("date-time") => return "2026-03-14T09:30:00Z".to_owned(),
            Some("date") => return "2026-03-14".to_owned(),
            Some("time") => return "09:30:00Z".to_owned(),
            Some("email") => return "keeper@example.com".to_owned(),
            Some("uri" | "url") => return "https://example.com/".to_owned(),
            Some("uuid") => return "3f2b8c1e-5d47-4a6b-9c0d-1e2f3a4b5c6d".to_owned(),
            _ => self.word().to_owned(),
        };
        let length =
            |name: &str| schema.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let mut text = text;
        while length("minLength").is_some_and(|least| text.chars().count() < least.min(4096)) {
            text.push('x');
        }
        match length("maxLength").and_then(|most| text.char_indices().nth(most)) {
            Some((cut, _)) => text.get(..cut).unwrap_or_default().to_owned(),
            None => text,
        }
    }

    /// The topic's words one after the other, from the start again when they are used up.
    fn word(&mut self) -> &'a str {
        let word = self.words.get(self.used % self.words.len().max(1)).copied();
        self.used += 1;
        word.unwrap_or("harbour")
    }

    /// Follows `#/…` references, a few times at most.
    fn resolve(&self, mut schema: &'a Value) -> &'a Value {
        for _ in 0..MAX_DEPTH {
            let reference =
                schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
            match reference.and_then(|path| self.root.pointer(path)) {
                Some(target) => schema = target,
                None => break,
            }
        }
        schema
    }
}

/// A value that the schema itself gives.
fn fixed(schema: &Value) -> Option<&Value> {
    let first = |name| list(schema, name).next();
    schema
        .get("const")
        .or_else(|| first("enum"))
        .or_else(|| schema.get("default"))
        .or_else(|| first("examples"))
}

fn list<'a>(schema: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    schema.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// The alternative to take: the first that is not null.
fn branch(schema: &Value) -> Option<&Value> {
    let all = ["anyOf", "oneOf", "allOf"].into_iter().find_map(|name| schema.get(name)?.as_array())?;
    all.iter().find(|one| kind(one) != "null").or_else(|| all.first())
}

fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    }
}

/// Words that tell nothing about what a question is about.
const EMPTY_WORDS: [&str; 16] = [
    "about", "could", "does", "from", "have", "please", "tell", "that", "there", "this", "what", "when",
    "where", "which", "with", "would",
];

/// The words that carry the meaning: those with a capital inside a sentence first, then the long ones.
fn telling_words(topic: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut others = Vec::new();
    for (at, word) in topic.split_whitespace().enumerate().take(1000) {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let capital = bare.chars().next().is_some_and(char::is_uppercase);
        if at > 0 && capital && bare.len() > 1 {
            names.push(bare);
        } else if bare.len() > 3 && !EMPTY_WORDS.contains(&bare.to_lowercase().as_str()) {
            others.push(bare);
        }
    }
    names.append(&mut others);
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn make(schema: &Value, topic: &str) -> Value {
        let text = instance(schema, topic, 0, &mut Rng::new(1));
        serde_json::from_str(&text).unwrap_or_else(|fault| panic!("{fault}: {text}"))
    }

    #[test]
    fn a_tools_arguments_are_taken_from_the_question() {
        let schema = json!({"type": "object", "required": ["city", "unit"], "properties": {
            "city": {"type": "string"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            "days": {"type": "integer", "minimum": 1, "maximum": 7},
            "note": {"type": ["null", "string"], "maxLength": 3}
        }});
        let made = make(&schema, "What is the weather in Oslo today?");
        assert_eq!(
            (&made["city"], &made["unit"], &made["note"]),
            (&json!("Oslo"), &json!("celsius"), &json!("wea"))
        );
        assert!((1..=7).contains(&made["days"].as_i64().unwrap()));
        let text = instance(&schema, "Oslo", 0, &mut Rng::new(1));
        assert!(text.starts_with(r#"{"city":"#), "required members come first: {text}");
    }

    #[test]
    fn references_alternatives_and_arrays_are_followed() {
        let schema = json!({
            "$defs": {"step": {"type": "object", "properties": {"explanation": {"type": "string"}}, "required": ["explanation"]}},
            "type": "object",
            "properties": {
                "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}, "minItems": 2},
                "kind": {"const": "proof"},
                "score": {"anyOf": [{"type": "null"}, {"type": "number"}]}
            }
        });
        let made = make(&schema, "Prove something beautiful");
        assert_eq!(made["steps"].as_array().unwrap().len(), 2);
        assert_eq!(made["kind"], "proof");
        assert!(made["score"].is_number() && made["steps"][1]["explanation"].is_string());
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let schema = json!({"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}, "also": {"$ref": "#"}}});
        assert!(make(&schema, "x").is_object());
        assert!(make(&json!({"$ref": "#"}), "x").is_string());
        assert!(make(&json!({"anyOf": [{"$ref": "#"}]}), "x").is_string());
    }
}
