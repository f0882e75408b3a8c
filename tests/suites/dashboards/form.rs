//! The one form of a dashboard's file: what fits in a line stays in one, and members have an order that does not
//! change with who wrote them, so that a difference shows what was changed.

use serde_json::{Map, Value};
use std::fmt::Write;

/// Longest line, but for texts that are longer themselves.
const WIDTH: usize = 118;
/// Members that say what the rest is about; the others follow by name.
const FIRST: &[&str] = &[
    "id",
    "uid",
    "type",
    "title",
    "description",
    "name",
    "refId",
    "expr",
    "legendFormat",
    "gridPos",
    "datasource",
];

/// The file's text.
pub fn text(content: &Value) -> String {
    let mut out = String::new();
    write(content, 0, 0, &mut out);
    out.push('\n');
    out
}

/// `before` is how much of the line is taken by a member's name.
fn write(value: &Value, indent: usize, before: usize, out: &mut String) {
    let line = in_a_line(value);
    let (open, close, parts) = match value {
        Value::Object(members) if !members.is_empty() && !fits(value, &line, indent + before) => (
            "{",
            "}",
            ordered(members).into_iter().map(|(name, value)| (Some(name), value)).collect::<Vec<_>>(),
        ),
        Value::Array(items) if !items.is_empty() && !fits(value, &line, indent + before) => {
            ("[", "]", items.iter().map(|item| (None, item)).collect())
        }
        _ => return out.push_str(&line),
    };
    out.push_str(open);
    for (number, (name, part)) in parts.into_iter().enumerate() {
        let inner = indent + 2;
        write!(out, "{}\n{:inner$}", if number == 0 { "" } else { "," }, "").unwrap();
        let name = name.map(|name| format!("{}: ", Value::from(name))).unwrap_or_default();
        out.push_str(&name);
        write(part, inner, name.len() + 1, out);
    }
    write!(out, "\n{:indent$}{close}", "").unwrap();
}

fn fits(value: &Value, line: &str, before: usize) -> bool {
    // Rows are panels too, and look like them.
    line.chars().count() + before <= WIDTH && value.get("panels").is_none()
}

fn in_a_line(value: &Value) -> String {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let parts = ordered(members).into_iter();
            let parts: Vec<String> =
                parts.map(|(name, value)| format!("{}: {}", Value::from(name), in_a_line(value))).collect();
            format!("{{ {} }}", parts.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(in_a_line).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

fn ordered(members: &Map<String, Value>) -> Vec<(&str, &Value)> {
    let mut all: Vec<(&str, &Value)> = members.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let place = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
    all.sort_by_key(|(name, _)| (place(name), *name));
    all
}
