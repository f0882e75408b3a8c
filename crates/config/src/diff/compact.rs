//! A value in a few words: YAML on one line, without what is a default anyway, secrets masked, cut where it is long.

use crate::{
    layers::of_json,
    mask::has_credentials,
    schema::{Kind, Shape},
};
use config::{Value, ValueKind};

/// Characters; a change is told on one line.
const LONGEST: usize = 160;
/// What is shown of a long value before the place where another one differs.
const BEFORE: usize = 40;

/// `value` on one line.
pub(super) fn compact(shape: Shape<'_>, value: &Value) -> String {
    cut(&whole(shape, value), 0)
}

/// Both on one line each: where they are long, from shortly before they differ.
pub(super) fn compact_both(shape: Shape<'_>, old: &Value, new: &Value) -> (String, String) {
    let (old, new) = (whole(shape, old), whole(shape, new));
    let longest = old.chars().count().max(new.chars().count());
    let same = old.chars().zip(new.chars()).take_while(|(old, new)| old == new).count();
    let start = if longest > LONGEST { same.saturating_sub(BEFORE) } else { 0 };
    (cut(&old, start), cut(&new, start))
}

fn whole(shape: Shape<'_>, value: &Value) -> String {
    let mut out = String::new();
    write(shape, value, true, &mut out);
    out
}

fn cut(text: &str, start: usize) -> String {
    let mut rest = text.chars().skip(start);
    let mut out = String::from(if start > 0 { "…" } else { "" });
    out.extend(rest.by_ref().take(LONGEST));
    out.extend(rest.next().map(|_| '…'));
    out
}

fn write(shape: Shape<'_>, value: &Value, is_top: bool, out: &mut String) {
    match &value.kind {
        ValueKind::Table(table) => {
            out.push('{');
            let mut separator = "";
            for (name, value) in table {
                let Some(inner) = shape.inside(name) else { continue };
                // The path has it already.
                let is_said = is_top && name == "name";
                let is_default = inner.default().is_some_and(|default| of_json(default).kind == value.kind);
                if is_said || is_default || is_empty(inner, value) {
                    continue;
                }
                out.push_str(separator);
                separator = ", ";
                out.push_str(name);
                out.push_str(": ");
                write(inner, value, false, out);
            }
            out.push('}');
        }
        ValueKind::Array(items) => {
            let Kind::List(inner) = shape.kind() else { return };
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write(inner, item, false, out);
            }
            out.push(']');
        }
        _ if shape.is_secret() => out.push_str("***"),
        ValueKind::String(text) if has_credentials(text) => out.push_str("***"),
        ValueKind::String(text) => out.push_str(&scalar(text)),
        ValueKind::Nil => out.push_str("null"),
        kind => out.push_str(&kind.to_string()),
    }
}

/// A section in which nothing differs from what holds without it.
fn is_empty(shape: Shape<'_>, value: &Value) -> bool {
    match &value.kind {
        ValueKind::Table(table) => {
            !table.is_empty()
                && table.iter().all(|(name, value)| {
                    shape.inside(name).is_none_or(|inner| {
                        inner.default().is_some_and(|default| of_json(default).kind == value.kind)
                            || is_empty(inner, value)
                    })
                })
        }
        _ => false,
    }
}

/// Bare where nobody could take it for something else.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:%*+".contains(c);
    let is_plain = !text.is_empty() && !text.starts_with(['*', '%', '-']) && text.chars().all(plain);
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
