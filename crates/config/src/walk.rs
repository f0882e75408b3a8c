//! The merged tree against the schema: every structural problem at once, and a tree that the typed model can read.
//!
//! What is absent gets its default. What is unusable is reported once and replaced by something valid, marked as such,
//! so that the checks after us still see the rest of the file and do not talk about the stand-in.

use crate::{
    codes, layers, path,
    problems::{Problem, Problems},
    schema::{Kind, Shape},
    suggest, text,
};
use config::{Map, Value, ValueKind};

/// Checks `value` and completes it.
pub(crate) fn walk(value: Value, problems: &mut Problems) -> Value {
    let mut walker = Walker { problems, derived: true };
    let root = Shape::root();
    walker.value(root, value, "").unwrap_or_else(|| walker.stand_in(root, ""))
}

/// The lowest layer: what an empty file means, as far as it depends on nothing else.
pub(crate) fn defaults() -> Value {
    let mut problems = Problems::default();
    let mut walker = Walker { problems: &mut problems, derived: false };
    walker.value(Shape::root(), layers::empty(), "").unwrap_or_else(layers::empty)
}

struct Walker<'p> {
    problems: &'p mut Problems,
    /// Values worked out from others are already in the tree.
    derived: bool,
}

impl Walker<'_> {
    /// `None`: unusable, and reported.
    fn value(&mut self, shape: Shape<'_>, value: Value, at: &str) -> Option<Value> {
        if let ValueKind::Nil = value.kind {
            let message = format!("`{}` has no value", last(at));
            let empty = match shape.kind() {
                Kind::Fields(_) | Kind::Names(_) => "write {} for all defaults, or remove the line",
                Kind::List(_) => "write [] for an empty list, or remove the line",
                _ => "write a value, or remove the line",
            };
            self.problems.push_key(at, Problem::error(codes::EMPTY_VALUE, message).help(empty));
            return None;
        }
        let kind = match (shape.kind(), value.kind) {
            (Kind::Fields(_), ValueKind::Table(table)) => ValueKind::Table(self.fields(shape, table, at)),
            (Kind::Names(inner), ValueKind::Table(table)) => ValueKind::Table(self.names(inner, table, at)),
            (Kind::List(inner), ValueKind::Array(items)) => {
                ValueKind::Array(self.items(shape, inner, items, at))
            }
            (Kind::Text, ValueKind::String(text)) => self.text(shape, text, at)?,
            (Kind::Choice(choices), ValueKind::String(text)) => self.choice(&choices, text, at)?,
            (Kind::Boolean, ValueKind::Boolean(value)) => ValueKind::Boolean(value),
            (Kind::Boolean, ValueKind::String(text))
                if self.problems.index.is_loose(at) && text.parse::<bool>().is_ok() =>
            {
                ValueKind::Boolean(text == "true")
            }
            (Kind::Integer | Kind::Number, kind) => self.number(shape, kind, at)?,
            (_, kind) => return self.wrong_type(shape, &kind, at),
        };
        Some(Value::new(None, kind))
    }

    fn fields(&mut self, shape: Shape<'_>, table: Map<String, Value>, at: &str) -> Map<String, Value> {
        let Kind::Fields(fields) = shape.kind() else { return table };
        let mut checked = Map::new();
        for (name, value) in table {
            let at = path::field(at, &name);
            let Some(field) = shape.field(&name) else {
                self.unknown_field(&name, fields.keys().map(String::as_str), &at);
                continue;
            };
            if let Some(value) = self.value(field, value, &at) {
                checked.insert(name, value);
            } else {
                self.problems.mark_unusable(&at);
            }
        }
        for (name, field) in fields {
            if !checked.contains_key(name)
                && let Some(value) = self.absent(shape, name, Shape::new(field), at)
            {
                checked.insert(name.clone(), value);
            }
        }
        checked
    }

    /// What stands for a field that is not there, or was not usable.
    fn absent(&mut self, parent: Shape<'_>, name: &str, field: Shape<'_>, parent_at: &str) -> Option<Value> {
        let at = path::field(parent_at, name);
        if let Some(default) = field.default() {
            return self.value(field, layers::of_json(default), &at);
        }
        let derived = field.text("x-derived");
        let due = if derived.is_some() { self.derived } else { parent.required(name) };
        if !due {
            return None;
        }
        if !self.problems.is_unusable(&at) {
            let problem = Problem::error(codes::MISSING, format!("`{name}` is missing"));
            let help = match (derived, field.example()) {
                (Some(derived), _) => derived.to_owned(),
                (None, Some(example)) => format!("add it: `{name}: {example}`"),
                (None, None) => "add it".to_owned(),
            };
            self.problems.push_key(parent_at, problem.help(help));
        }
        Some(self.stand_in(field, &at))
    }

    fn names(&mut self, inner: Shape<'_>, table: Map<String, Value>, at: &str) -> Map<String, Value> {
        let checked = table.into_iter().map(|(name, value)| {
            let at = path::field(at, &name);
            let value = self.value(inner, value, &at).unwrap_or_else(|| self.stand_in(inner, &at));
            (name, value)
        });
        checked.collect()
    }

    fn items(&mut self, shape: Shape<'_>, inner: Shape<'_>, items: Vec<Value>, at: &str) -> Vec<Value> {
        if items.is_empty() && shape.word("minItems").is_some() {
            let problem = Problem::error(codes::OUT_OF_RANGE, format!("`{}` is empty", last(at)));
            self.problems.push_key(at, problem.help("list at least one"));
        }
        let checked = items.into_iter().enumerate().map(|(index, value)| {
            let at = path::item(at, index);
            self.value(inner, value, &at).unwrap_or_else(|| self.stand_in(inner, &at))
        });
        checked.collect()
    }

    fn text(&mut self, shape: Shape<'_>, text: String, at: &str) -> Option<ValueKind> {
        if let Some(known) = shape.text("x-text").and_then(text::shape_named)
            && let Err(invalid) = (known.check)(&text)
        {
            let message = format!("{} {}", self.quoted(shape, &text, at), invalid.message);
            self.problems.push(at, Problem::error(invalid.code, message).help(invalid.help));
            return None;
        }
        Some(ValueKind::String(text))
    }

    fn choice(&mut self, choices: &[&str], text: String, at: &str) -> Option<ValueKind> {
        if choices.contains(&text.as_str()) {
            return Some(ValueKind::String(text));
        }
        let list = format!("one of {}", choices.join(", "));
        let help = match suggest::closest(&text, choices.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? It may be {list}"),
            None if is_yaml_1_1_boolean(&text) => {
                format!("{list}; on, off, yes and no are booleans to older YAML tools")
            }
            None => list,
        };
        let written = self.written(&text, at);
        let message = format!("`{}` cannot be `{written}`", last(at));
        self.problems.push(at, Problem::error(codes::BAD_VALUE, message).help(help));
        None
    }

    fn number(&mut self, shape: Shape<'_>, kind: ValueKind, at: &str) -> Option<ValueKind> {
        let loose = self.problems.index.is_loose(at);
        let whole = matches!(shape.kind(), Kind::Integer);
        let kind = match kind {
            ValueKind::String(text) if loose => match (text.parse::<i128>(), text.parse::<f64>()) {
                (Ok(value), _) => layers::integer(value),
                (_, Ok(value)) if !whole && value.is_finite() => ValueKind::Float(value),
                _ => ValueKind::String(text),
            },
            kind => kind,
        };
        let least = shape.word("minimum").and_then(serde_json::Value::as_i64).unwrap_or(0);
        let most = greatest(shape);
        let in_range = |value: i128| value >= i128::from(least) && value <= most;
        let in_range = match &kind {
            ValueKind::I64(value) => in_range(i128::from(*value)),
            ValueKind::U64(value) => in_range(i128::from(*value)),
            ValueKind::I128(_) | ValueKind::U128(_) => false,
            // Only amounts that cannot be negative are written as decimals.
            ValueKind::Float(value) if !whole => *value >= 0.0,
            other => {
                self.wrong_type(shape, other, at);
                return None;
            }
        };
        if !in_range {
            let help = match most < i128::from(u32::MAX) {
                true if i128::from(least) == most => format!("write {least}"),
                true => format!("write {least} to {most}"),
                false => format!("write {least} or more"),
            };
            let message = format!("`{}` is out of range", last(at));
            self.problems.push(at, Problem::error(codes::OUT_OF_RANGE, message).help(help));
            return None;
        }
        Some(kind)
    }

    fn wrong_type(&mut self, shape: Shape<'_>, found: &ValueKind, at: &str) -> Option<Value> {
        let known = shape.text("x-text").and_then(text::shape_named);
        let unit = known.filter(|known| known.name != "name" && known.name != "secret");
        let scalar = !matches!(found, ValueKind::Table(_) | ValueKind::Array(_));
        let number =
            matches!(found, ValueKind::I64(_) | ValueKind::U64(_) | ValueKind::I128(_) | ValueKind::Float(_));
        if let Some(unit) = unit.filter(|_| number) {
            // The parser of the shape knows best what is missing: `30` → the units that there are.
            let written = self.written("", at);
            let (code, help) = match (unit.check)(&written) {
                Err(invalid) => (invalid.code, invalid.help),
                Ok(()) => (codes::WRONG_TYPE, format!("put it in quotes: \"{written}\"")),
            };
            let message = format!("`{}` must be {}, not the bare number {written}", last(at), unit.what);
            self.problems.push(at, Problem::error(code, message).help(help));
            return None;
        }
        let (due, mut help) = match shape.kind() {
            Kind::Fields(_) | Kind::Names(_) => ("a map", "write `field: value` lines below it".to_owned()),
            Kind::List(_) => ("a list", "write `- ` items below it, or [a, b]".to_owned()),
            Kind::Choice(choices) => ("text", format!("one of {}", choices.join(", "))),
            Kind::Boolean => ("true or false", self.boolean_help(at)),
            Kind::Integer => ("a whole number", "write digits, without quotes".to_owned()),
            Kind::Number => ("a number", "write digits, without quotes".to_owned()),
            Kind::Text => (known.map_or("text", |known| known.what), "put it in quotes".to_owned()),
        };
        if let (Kind::Text, false) = (shape.kind(), scalar) {
            help = "write one value".to_owned();
        }
        let message = format!("`{}` must be {due}, not {}", last(at), describe(found));
        self.problems.push(at, Problem::error(codes::WRONG_TYPE, message).help(help));
        None
    }

    /// YAML 1.1 read more words as booleans than 1.2 does; what was meant is plain.
    fn boolean_help(&self, at: &str) -> String {
        match self.problems.index.written(at).map(str::to_lowercase).as_deref() {
            Some("yes" | "y" | "on" | "true") => "write true, without quotes".to_owned(),
            Some("no" | "n" | "off" | "false") => "write false, without quotes".to_owned(),
            _ => "write true or false, without quotes".to_owned(),
        }
    }

    fn unknown_field<'a>(&mut self, name: &str, known: impl Iterator<Item = &'a str>, at: &str) {
        let known: Vec<&str> = known.collect();
        let help = if name == "<<" {
            "merge keys are no part of YAML 1.2: write the fields out".to_owned()
        } else {
            match suggest::closest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the fields here are {}", known.join(", ")),
            }
        };
        let problem = Problem::error(codes::UNKNOWN_FIELD, format!("unknown field `{name}`")).help(help);
        self.problems.push_key(at, problem);
        self.problems.mark_unusable(at);
    }

    /// The smallest valid value of a shape; `at` is marked.
    fn stand_in(&mut self, shape: Shape<'_>, at: &str) -> Value {
        self.problems.mark_unusable(at);
        let kind = match shape.kind() {
            Kind::Fields(_) => ValueKind::Table(self.fields(shape, Map::new(), at)),
            Kind::Names(_) => ValueKind::Table(Map::new()),
            Kind::List(_) => ValueKind::Array(Vec::new()),
            Kind::Choice(choices) => {
                ValueKind::String(choices.first().copied().unwrap_or_default().to_owned())
            }
            Kind::Boolean => ValueKind::Boolean(false),
            Kind::Integer | Kind::Number => ValueKind::I64(1),
            Kind::Text => ValueKind::String(shape.example().unwrap_or("unset").to_owned()),
        };
        Value::new(None, kind)
    }

    /// A text as the operator wrote it: what `${…}` stood for is never shown.
    fn written(&self, text: &str, at: &str) -> String {
        self.problems.index.written(at).unwrap_or(text).to_owned()
    }

    fn quoted(&self, shape: Shape<'_>, text: &str, at: &str) -> String {
        if shape.is_secret() { format!("`{}`", last(at)) } else { format!("`{}`", self.written(text, at)) }
    }
}

fn is_yaml_1_1_boolean(text: &str) -> bool {
    ["on", "off", "yes", "no", "y", "n"].contains(&text.to_lowercase().as_str())
}

/// Largest integer that the field's type holds.
fn greatest(shape: Shape<'_>) -> i128 {
    let stated = shape.word("maximum").and_then(serde_json::Value::as_i64).map(i128::from);
    let format = || match shape.text("format") {
        Some("uint32") => i128::from(u32::MAX),
        _ => i128::from(u64::MAX),
    };
    stated.unwrap_or_else(format)
}

fn describe(kind: &ValueKind) -> &'static str {
    match kind {
        ValueKind::Nil => "nothing",
        ValueKind::Boolean(_) => "true or false",
        ValueKind::Float(_)
        | ValueKind::I64(_)
        | ValueKind::I128(_)
        | ValueKind::U64(_)
        | ValueKind::U128(_) => "a number",
        ValueKind::String(_) => "text",
        ValueKind::Table(_) => "a map",
        ValueKind::Array(_) => "a list",
    }
}

/// The last name of a path: `keys[1]` of `providers[0].keys[1]`.
fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
