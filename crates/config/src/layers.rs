//! Defaults < file < environment, laid over each other by the `config` crate.
//!
//! Its own YAML source and environment source are not used: the first has no positions and copies aliases without
//! bound, the second lower-cases and coerces without knowing our fields. Ours hand it trees that are already checked
//! for that, under one root key, since it reads dots in top-level keys as paths.

use crate::{
    Env, codes,
    index::Spot,
    path,
    problems::{Problem, Problems},
    schema::{Kind, Shape},
    suggest,
    tree::{Data, Node, Span, Value as Scalar},
};
use config::{Config, ConfigBuilder, ConfigError, Map, Source, Value, ValueKind, builder::DefaultState};
use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Prefix of variables that override one value.
const PREFIX: &str = "SLUICE__";
const ROOT: &str = "settings";

/// One layer. It is handed on rather than copied: what is built collects it once. `Debug` is demanded by the trait and
/// shows nothing: a layer may hold secrets.
struct Layer(Mutex<Value>);

impl Layer {
    fn value(&self) -> MutexGuard<'_, Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Layer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Layer")
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(Self(self.value().clone().into()))
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(Map::from_iter([(ROOT.to_owned(), mem::replace(&mut *self.value(), empty()))]))
    }
}

/// Later layers win; maps are merged, everything else is replaced whole.
pub(crate) fn merge(layers: Vec<Value>) -> Result<Value, ConfigError> {
    let add = |builder: ConfigBuilder<DefaultState>, layer: Value| builder.add_source(Layer(layer.into()));
    let built = layers.into_iter().fold(Config::builder(), add).build()?;
    let root = built.cache.into_table()?.swap_remove(ROOT);
    root.ok_or_else(|| ConfigError::NotFound(ROOT.to_owned()))
}

/// An empty map.
pub(crate) fn empty() -> Value {
    Value::new(None, ValueKind::Table(Map::new()))
}

/// The file's layer. Every value is entered in the index; nothing at all is `Nil`, for the walker to report.
pub(crate) fn of_file(node: &Node, problems: &mut Problems) -> Value {
    value(node, "", None, problems)
}

fn value(node: &Node, at: &str, key: Option<Span>, problems: &mut Problems) -> Value {
    let mut spot = Spot { key, value: node.span, scalar: false, written: String::new(), expanded: false };
    let kind = match &node.data {
        Data::Map(entries) => {
            problems.index.insert(at, spot);
            let mut table = Map::new();
            for entry in entries {
                // The second of two duplicates is reported already; the first counts.
                if !table.contains_key(&entry.key) {
                    let inner =
                        value(&entry.value, &path::field(at, &entry.key), Some(entry.key_span), problems);
                    table.insert(entry.key.clone(), inner);
                }
            }
            ValueKind::Table(table)
        }
        Data::List(items) => {
            problems.index.insert(at, spot);
            let items =
                items.iter().enumerate().map(|(i, item)| value(item, &path::item(at, i), None, problems));
            ValueKind::Array(items.collect())
        }
        Data::Scalar(scalar) => {
            spot.scalar = true;
            spot.written.clone_from(&scalar.written);
            spot.expanded = scalar.expanded;
            problems.index.insert(at, spot);
            match &scalar.value {
                Scalar::Null => ValueKind::Nil,
                Scalar::Unset => {
                    problems.mark_unusable(at);
                    ValueKind::Nil
                }
                Scalar::Bool(value) => ValueKind::Boolean(*value),
                Scalar::Integer(value) => integer(*value),
                Scalar::Float(value) => ValueKind::Float(*value),
                Scalar::Text(text) => ValueKind::String(text.clone()),
            }
        }
    };
    Value::new(None, kind)
}

/// In the narrowest kind: the `config` crate's typed readers know no wider one.
pub(crate) fn integer(value: i128) -> ValueKind {
    let signed = i64::try_from(value).map(ValueKind::I64);
    signed.or_else(|_| u64::try_from(value).map(ValueKind::U64)).unwrap_or(ValueKind::I128(value))
}

/// A default of the schema as a layer's value.
pub(crate) fn of_json(json: &serde_json::Value) -> Value {
    let kind = match json {
        serde_json::Value::Null => ValueKind::Nil,
        serde_json::Value::Bool(value) => ValueKind::Boolean(*value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(value) => ValueKind::I64(value),
            None => number.as_f64().map_or(ValueKind::Nil, ValueKind::Float),
        },
        serde_json::Value::String(text) => ValueKind::String(text.clone()),
        serde_json::Value::Array(items) => ValueKind::Array(items.iter().map(of_json).collect()),
        serde_json::Value::Object(fields) => {
            ValueKind::Table(fields.iter().map(|(name, field)| (name.clone(), of_json(field))).collect())
        }
    };
    Value::new(None, kind)
}

/// The environment's layer: `SLUICE__LISTENERS__API__BIND=127.0.0.1:8080`.
pub(crate) fn of_environment(env: &Env, problems: &mut Problems) -> Value {
    let mut root = empty();
    for (variable, text) in env.with_prefix(PREFIX) {
        let names: Vec<String> =
            variable.strip_prefix(PREFIX).unwrap_or_default().split("__").map(str::to_lowercase).collect();
        match locate(&names) {
            Ok(at) => {
                problems.index.insert_variable(&at, &variable);
                insert(&mut root, &names, text);
            }
            Err((message, help)) => {
                let message = format!("environment variable {variable}: {message}");
                problems.push_global(Problem::error(codes::ENVIRONMENT, message).help(help));
            }
        }
    }
    root
}

fn insert(value: &mut Value, names: &[String], text: String) {
    let Some((name, rest)) = names.split_first() else {
        value.kind = ValueKind::String(text);
        return;
    };
    if let ValueKind::Table(table) = &mut value.kind {
        insert(table.entry(name.clone()).or_insert_with(empty), rest, text);
    }
}

/// The path that a variable's name stands for, or what is wrong with it.
fn locate(names: &[String]) -> Result<String, (String, String)> {
    let mut shape = Shape::root();
    let mut at = String::new();
    for name in names {
        match shape.kind() {
            Kind::Fields(fields) => {
                let Some(field) = fields.get(name.as_str()) else {
                    let place = if at.is_empty() { "the file".to_owned() } else { format!("`{at}`") };
                    let near = suggest::closest(name, fields.keys().map(String::as_str));
                    let help = near.map_or_else(
                        || {
                            format!(
                                "it may be one of {}",
                                fields.keys().cloned().collect::<Vec<_>>().join(", ")
                            )
                        },
                        |near| format!("did you mean `{}`?", variable(&path::field(&at, near))),
                    );
                    return Err((format!("{place} has no field `{name}`"), help));
                };
                shape = Shape::new(field);
                at = path::field(&at, name);
            }
            Kind::List(_) => break,
            _ => {
                return Err((format!("`{at}` is one value, there is nothing in it"), "remove it".to_owned()));
            }
        }
    }
    let help =
        "variables only set single values; write lists and sections in the file, with ${VAR} where needed";
    match shape.kind() {
        Kind::List(_) => Err((format!("`{at}` is a list and cannot be set by a variable"), help.to_owned())),
        Kind::Fields(_) | Kind::Names(_) => {
            Err((format!("`{at}` is a section, not one value"), help.to_owned()))
        }
        _ => Ok(at),
    }
}

fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"))
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
