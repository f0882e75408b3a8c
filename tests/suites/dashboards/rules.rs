//! The rules of Prometheus, as far as their queries go: YAML in, faults out, records into the names.
//!
//! Whether rules fire when they should is shown by `promtool` with cases of its own.

use super::{names::Names, place::Place, promql::Query};
use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value};

/// What is wrong with the queries of some files of rules. Records are known to all rules, whatever their order.
pub fn faults(texts: &[String], names: &mut Names) -> Vec<String> {
    let rules: Vec<Value> = texts.iter().flat_map(|text| rules(text)).collect();
    let mut found = Vec::new();
    if rules.is_empty() {
        found.push("there are no rules".to_owned());
    }
    let (records, alerts): (Vec<_>, Vec<_>) = rules.iter().partition(|rule| rule.get("record").is_some());
    for rule in records.into_iter().chain(alerts) {
        let name = rule.get("record").or(rule.get("alert")).and_then(Value::as_str).unwrap_or_default();
        let expr = rule.get("expr").and_then(Value::as_str).unwrap_or_default();
        let (shape, faults) = Query::new(names, Place::Rule, &[]).read(expr);
        found.extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
        if rule.get("record").is_some() {
            names.record(name, shape);
        }
    }
    found
}

fn rules(text: &str) -> Vec<Value> {
    let document = yaml(text);
    let groups = document["groups"].as_array().cloned().unwrap_or_default();
    groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect()
}

/// A document as JSON; every scalar is a text.
pub fn yaml(text: &str) -> Value {
    let mut events = Parser::new_from_str(text).map(|event| event.unwrap().0);
    loop {
        match events.next().unwrap() {
            Event::StreamStart | Event::DocumentStart(_) => {}
            first => return value(first, &mut events),
        }
    }
}

fn value<'a>(first: Event<'a>, events: &mut impl Iterator<Item = Event<'a>>) -> Value {
    match first {
        Event::Scalar(text, ..) => Value::from(text.into_owned()),
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            loop {
                match events.next().unwrap() {
                    Event::SequenceEnd => return Value::Array(items),
                    first => items.push(value(first, events)),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut members = Map::new();
            loop {
                match events.next().unwrap() {
                    Event::MappingEnd => return Value::Object(members),
                    Event::Scalar(name, ..) => {
                        let first = events.next().unwrap();
                        members.insert(name.into_owned(), value(first, events));
                    }
                    other => panic!("a name of a member is expected: {other:?}"),
                }
            }
        }
        other => panic!("not in a file of rules: {other:?}"),
    }
}
