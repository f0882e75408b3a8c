//! Configurations as YAML text: the annotated defaults, and what is in force with where it came from.

use crate::{
    Options, Report, Source,
    index::Index,
    mask::has_credentials,
    path,
    schema::{Kind, Shape},
    tree::Point,
};
use config::{Value, ValueKind};
use std::fmt::Write;

/// The running defaults as annotated YAML: loads as it is and changes nothing.
#[must_use]
pub fn default_yaml() -> String {
    include_str!("../../../config/default.yaml").to_owned()
}

/// The YAML entry of a client key, to be put under `keys:`.
#[must_use]
pub fn key_entry(name: &str, tenant: &str, hash: &str) -> String {
    let [name, tenant, hash] = [name, tenant, hash].map(quoted);
    format!("- {{name: {name}, tenant: {tenant}, hash: {hash}, models: [\"*\"]}}\n")
}

/// The effective configuration as YAML, secrets masked, with the origin of each value as a comment.
///
/// # Errors
/// The report, when the configuration has errors.
pub fn show(source: Source<'_>, options: &Options) -> Result<String, Report> {
    let reading = crate::read(source, options);
    if reading.settings.is_none() || reading.report.has_errors() {
        return Err(reading.report);
    }
    let name = match source {
        Source::File(path) => path.display().to_string(),
        Source::Text { name, .. } => name.to_owned(),
    };
    let out = format!("# In force, from {name}; after each value where it comes from. Secrets are masked.\n");
    let mut writer = Writer { index: &reading.index, out };
    writer.value(Shape::root(), &reading.effective, "", 0);
    Ok(writer.out)
}

struct Writer<'a> {
    index: &'a Index,
    out: String,
}

impl Writer<'_> {
    /// A map's fields or a list's items, each on lines of its own.
    fn value(&mut self, shape: Shape<'_>, value: &Value, at: &str, indent: usize) {
        match &value.kind {
            ValueKind::Table(table) => {
                // As in the file; what nobody wrote comes after it.
                let line = |name: &str| self.index.spot(&path::field(at, name)).map(|spot| spot.value.start);
                let mut fields: Vec<_> = table.iter().collect();
                fields.sort_by_key(|(name, _)| {
                    line(name).map_or((true, Point::default()), |line| (false, line))
                });
                for (name, value) in fields {
                    if let Some(inner) = shape.inside(name) {
                        let _ = write!(self.out, "{:indent$}{}:", "", key(name));
                        self.entry(inner, value, &path::field(at, name), indent + 2);
                    }
                }
            }
            ValueKind::Array(items) => {
                let Kind::List(inner) = shape.kind() else { return };
                for (index, value) in items.iter().enumerate() {
                    let start = self.out.len() + indent;
                    if matches!(value.kind, ValueKind::Table(_) | ValueKind::Array(_)) {
                        self.value(inner, value, &path::item(at, index), indent + 2);
                    } else {
                        let _ = write!(self.out, "{:indent$} ", "");
                        self.entry(inner, value, &path::item(at, index), indent + 2);
                    }
                    // The item's first line has room for its dash.
                    if self.out.get(start..=start) == Some(" ") {
                        self.out.replace_range(start..=start, "-");
                    }
                }
            }
            _ => {}
        }
    }

    /// What follows a field's colon. Writing to a String cannot fail.
    fn entry(&mut self, shape: Shape<'_>, value: &Value, at: &str, indent: usize) {
        let text = match &value.kind {
            ValueKind::Table(table) if table.is_empty() => "{}".to_owned(),
            ValueKind::Array(items) if items.is_empty() => "[]".to_owned(),
            ValueKind::Table(_) | ValueKind::Array(_) => {
                self.out.push('\n');
                return self.value(shape, value, at, indent);
            }
            _ if shape.is_secret() => "\"***\"".to_owned(),
            ValueKind::String(text) if has_credentials(text) => "\"***\"".to_owned(),
            ValueKind::String(text) => quoted(text),
            scalar => scalar.to_string(),
        };
        let _ = writeln!(self.out, " {text}  # {}", self.origin(at));
    }

    fn origin(&self, at: &str) -> String {
        match (self.index.variable(at), self.index.spot(at)) {
            (Some(variable), _) => variable.to_owned(),
            (None, Some(spot)) => format!("line {}", spot.value.start.line),
            (None, None) => "default".to_owned(),
        }
    }
}

/// A field's name; quoted where YAML would read it as something else.
fn key(name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if plain && !name.is_empty() { name.to_owned() } else { quoted(name) }
}

/// JSON's quoting is YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
#[path = "show_tests.rs"]
mod tests;
