//! A dashboard as a whole: what all five have in common, so that going from one to the next changes nothing but the
//! question.

use super::{
    names::Names,
    panel,
    place::{Place, fill},
    promql::Query,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// Columns of Grafana's grid.
const COLUMNS: u64 = 24;
/// The oldest schema that Grafana 11 writes.
const SCHEMA: u64 = 39;

/// What is wrong with a dashboard.
pub fn faults(uid: &str, dashboard: &Value, names: &Names) -> Vec<String> {
    let mut found = Vec::new();
    head(uid, dashboard, &mut found);
    let filters = variables(dashboard, names, &mut found);
    annotations(dashboard, names, &mut found);
    let all = panels(dashboard);
    places(&all, &mut found);
    once("title", &all, &mut found);
    once("id", &all, &mut found);
    for shown in all.iter().filter(|shown| shown["type"] != "row") {
        let title = shown["title"].as_str().unwrap_or("without a title");
        let faults = panel::faults(shown, names, &filters);
        found.extend(faults.into_iter().map(|fault| format!("'{title}': {fault}")));
    }
    found
}

/// Panels and rows; a row that is folded holds its own.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let top = dashboard["panels"].as_array().map(Vec::as_slice).unwrap_or_default();
    top.iter()
        .flat_map(|panel| {
            let inner = panel["panels"].as_array().map(Vec::as_slice).unwrap_or_default();
            std::iter::once(panel).chain(inner)
        })
        .collect()
}

fn head(uid: &str, dashboard: &Value, found: &mut Vec<String>) {
    let wanted = [
        ("/uid", Value::from(uid)),
        ("/id", Value::Null),
        ("/editable", true.into()),
        ("/refresh", "30s".into()),
        ("/time/from", "now-6h".into()),
        ("/time/to", "now".into()),
        ("/graphTooltip", 1.into()),
        ("/tags/0", "sluice".into()),
        ("/links/0/type", "dashboards".into()),
        ("/links/0/tags/0", "sluice".into()),
        ("/links/0/asDropdown", true.into()),
        ("/links/0/keepTime", true.into()),
        ("/links/0/includeVars", true.into()),
    ];
    for (place, value) in wanted {
        if dashboard.pointer(place) != Some(&value) {
            found.push(format!("{place} is not {value}"));
        }
    }
    if dashboard["schemaVersion"].as_u64().unwrap_or(0) < SCHEMA {
        found.push(format!("schemaVersion is below {SCHEMA}"));
    }
    for place in ["title", "description"] {
        if dashboard[place].as_str().unwrap_or_default().is_empty() {
            found.push(format!("no {place}"));
        }
    }
}

/// Checks the variables and gives the names of those that filter.
fn variables<'a>(dashboard: &'a Value, names: &Names, found: &mut Vec<String>) -> Vec<&'a str> {
    let all = dashboard["templating"]["list"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named: Vec<&str> = all.iter().filter_map(|variable| variable["name"].as_str()).collect();
    if !named.starts_with(&["datasource", "job", "instance"]) {
        found.push(format!("variables are to begin with datasource, job, instance: {named:?}"));
    }
    for variable in all {
        let name = variable["name"].as_str().unwrap_or_default();
        if name == "datasource" {
            if variable["type"] != "datasource" || variable["query"] != "prometheus" {
                found.push("$datasource does not choose a Prometheus".to_owned());
            }
            continue;
        }
        if variable["multi"] != true || variable["includeAll"] != true || variable["allValue"] != ".*" {
            found.push(format!("${name} does not take several and all (`.*`)"));
        }
        if !panel::is_of_variable(&variable["datasource"]) {
            found.push(format!("${name} has a data source of its own"));
        }
        let query = variable["query"]["query"].as_str().unwrap_or_default();
        found.extend(label_values(query, names).into_iter().map(|fault| format!("${name}: {fault}")));
    }
    let text = dashboard.to_string();
    let used: BTreeSet<String> = used(&text);
    for name in &named {
        if !used.contains(*name) {
            found.push(format!("${name} is used nowhere"));
        }
    }
    for name in used.iter().filter(|name| !name.starts_with("__") && !named.contains(&name.as_str())) {
        found.push(format!("${name} is not defined"));
    }
    named.into_iter().filter(|name| *name != "datasource").collect()
}

/// Variables that a text uses.
fn used(text: &str) -> BTreeSet<String> {
    fill(text).1.into_iter().filter(|name| !name.is_empty()).collect()
}

/// `label_values(series, label)`.
fn label_values(query: &str, names: &Names) -> Vec<String> {
    let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
    let Some((series, label)) = inner.and_then(|inner| inner.rsplit_once(", ")) else {
        return vec![format!("not `label_values(series, label)`: {query}")];
    };
    let (shape, mut faults) = Query::new(names, Place::Rule, &[]).find(&fill(series).0);
    if !shape.has(label) {
        faults.push(format!("`{series}` has no label `{label}`"));
    }
    faults
}

fn annotations(dashboard: &Value, names: &Names, found: &mut Vec<String>) {
    let all = dashboard["annotations"]["list"].as_array().map(Vec::as_slice).unwrap_or_default();
    for wanted in ["sluice_config_last_reload_success_timestamp_seconds", "sluice_build_info"] {
        if !all.iter().any(|annotation| annotation["expr"].as_str().is_some_and(|expr| expr.contains(wanted)))
        {
            found.push(format!("no annotation by {wanted}"));
        }
    }
    for annotation in all {
        let name = annotation["name"].as_str().unwrap_or_default();
        let expr = annotation["expr"].as_str().unwrap_or_default();
        if annotation["target"]["expr"] != expr {
            found.push(format!("annotation '{name}' asks two things"));
        }
        if !panel::is_of_variable(&annotation["datasource"]) {
            found.push(format!("annotation '{name}' has a data source of its own"));
        }
        let (shape, faults) = Query::new(names, Place::Annotation, &["job", "instance"]).read(&fill(expr).0);
        found.extend(faults.into_iter().map(|fault| format!("annotation '{name}': {fault}")));
        for label in panel::mentioned(annotation["textFormat"].as_str().unwrap_or_default()) {
            if !shape.has(label) {
                found.push(format!("annotation '{name}' shows `{label}`, which is not there"));
            }
        }
    }
}

fn places(all: &[&Value], found: &mut Vec<String>) {
    let mut taken: Vec<([u64; 4], &str)> = Vec::new();
    for panel in all {
        let title = panel["title"].as_str().unwrap_or_default();
        let [x, y, w, h] =
            ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap_or(u64::MAX / 4));
        if w == 0 || h == 0 || x + w > COLUMNS {
            found.push(format!("'{title}' is not within {COLUMNS} columns"));
        }
        for ([left, top, wide, high], other) in &taken {
            if x < left + wide && *left < x + w && y < top + high && *top < y + h {
                found.push(format!("'{title}' lies over '{other}'"));
            }
        }
        taken.push(([x, y, w, h], title));
    }
}

fn once(member: &str, all: &[&Value], found: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for panel in all {
        let value = panel[member].to_string();
        if panel[member].is_null() || !seen.insert(value.clone()) {
            found.push(format!("{member} {value} is there twice, or missing"));
        }
    }
}
