//! One panel: what a person who looks at it needs beside the curve, and whether its queries can be answered.

use super::{
    names::Names,
    place::{Place, fill},
    promql::Query,
    shape::{Shape, Values},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// Kinds that Grafana 11, 12 and 13 all draw without a plugin.
const KINDS: &[&str] = &["timeseries", "stat", "bargauge", "gauge", "table", "state-timeline", "heatmap"];
/// Units that Grafana knows, and our own; a word that it does not know would be printed as it stands.
const UNITS: &[&str] = &[
    "reqps",
    "ops",
    "s",
    "bytes",
    "short",
    "none",
    "percentunit",
    "currencyUSD",
    "dateTimeFromNow",
    "si:tok/s",
    "suffix:×",
    "suffix:/s",
];
/// Curves that a person can tell apart.
const MOST_SERIES: usize = 12;
/// Curves that a legend of names alone is enough for.
const FEW_SERIES: usize = 4;
/// A description says what good looks like and what to do; that takes a sentence or two.
const SHORTEST_DESCRIPTION: usize = 60;
/// Links lead to one of these.
const DASHBOARDS: &[&str] = &["overview", "providers", "cache", "tenants", "internals"];

/// What is wrong with a panel. `filters` are the dashboard's variables.
pub fn faults(panel: &Value, names: &Names, filters: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let kind = panel["type"].as_str().unwrap_or_default();
    if !KINDS.contains(&kind) {
        found.push(format!("`{kind}` is not drawn everywhere"));
    }
    words(panel, kind, &mut found);
    if !is_of_variable(&panel["datasource"]) {
        found.push("its data source is not ${datasource}".to_owned());
    }
    if ["stat", "gauge", "bargauge"].contains(&kind)
        && !panel["fieldConfig"]["defaults"]["thresholds"].is_object()
    {
        found.push("no thresholds".to_owned());
    }
    let shapes = targets(panel, kind, names, filters, &mut found);
    if kind == "table" {
        columns(panel, &shapes, &mut found);
    } else {
        legend(panel, kind, &shapes, &mut found);
        overrides(panel, &shapes, &mut found);
    }
    links(panel, &mut found);
    found
}

/// Whether a data source is the one that the reader chose.
pub fn is_of_variable(datasource: &Value) -> bool {
    datasource["uid"] == "${datasource}" && datasource["type"] == "prometheus"
}

/// Labels in `{{…}}`.
pub fn mentioned(template: &str) -> Vec<&str> {
    template.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0.trim())).collect()
}

fn words(panel: &Value, kind: &str, found: &mut Vec<String>) {
    let defaults = &panel["fieldConfig"]["defaults"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if text(&panel["description"]).chars().count() < SHORTEST_DESCRIPTION {
        found.push("no description of what good looks like and what to do".to_owned());
    }
    if text(&defaults["noValue"]).is_empty() {
        found.push("no `noValue`".to_owned());
    }
    let mut units = vec![text(&defaults["unit"])];
    if kind == "heatmap" {
        units.push(text(&panel["options"]["yAxis"]["unit"]));
    }
    let columns = panel["fieldConfig"]["overrides"].as_array().into_iter().flatten();
    let properties = columns.flat_map(|column| column["properties"].as_array().into_iter().flatten());
    units.extend(
        properties.filter(|property| property["id"] == "unit").map(|property| text(&property["value"])),
    );
    for unit in units.iter().filter(|unit| !UNITS.contains(&unit.as_str())) {
        found.push(format!("unit `{unit}`"));
    }
}

/// A query and what comes out of it.
struct Asked<'a> {
    legend: &'a str,
    shape: Shape,
}

fn targets<'a>(
    panel: &'a Value,
    kind: &str,
    names: &Names,
    filters: &[&str],
    found: &mut Vec<String>,
) -> Vec<Asked<'a>> {
    let targets = panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    if targets.is_empty() {
        found.push("asks nothing".to_owned());
    }
    let mut ids = BTreeSet::new();
    let mut asked = Vec::new();
    for target in targets {
        let id = target["refId"].as_str().unwrap_or_default();
        let expr = target["expr"].as_str().unwrap_or_default();
        if id.is_empty() || !ids.insert(id) {
            found.push(format!("refId `{id}` is there twice, or missing"));
        }
        if !is_of_variable(&target["datasource"]) {
            found.push(format!("{id}: its data source is not ${{datasource}}"));
        }
        let once = target["instant"] == true && target["range"] != true;
        if kind == "table" && !(once && target["format"] == "table") {
            found.push(format!("{id}: a table asks once, in the format of a table"));
        }
        let place = if once { Place::Moment } else { Place::Graph };
        let (shape, faults) = Query::new(names, place, filters).read(&fill(expr).0);
        found.extend(faults.into_iter().map(|fault| format!("{id}: {fault}")));
        asked.push(Asked { legend: target["legendFormat"].as_str().unwrap_or_default(), shape });
    }
    asked
}

/// Every series has a name of its own, there are few enough to tell apart, and many have a table beside them.
fn legend(panel: &Value, kind: &str, asked: &[Asked<'_>], found: &mut Vec<String>) {
    for Asked { legend, shape } in asked {
        let shown = mentioned(legend);
        if legend.is_empty() {
            found.push("a query without a legend".to_owned());
        }
        for label in shown.iter().filter(|label| !shape.has(label)) {
            found.push(format!("the legend shows `{label}`, which does not come out"));
        }
        for (label, values) in &shape.labels {
            let is_one = matches!(values, Values::Closed(values) if values.len() == 1);
            if !is_one && !shown.contains(&label.as_str()) {
                found.push(format!("series that differ by `{label}` have one name"));
            }
        }
    }
    if kind == "heatmap" {
        return;
    }
    let most = asked.iter().try_fold(0, |sum, asked| Some(sum + asked.shape.most()?));
    if most.is_none_or(|most| most > MOST_SERIES) {
        let most = most.map_or_else(|| "any number of".to_owned(), |most| most.to_string());
        found.push(format!("{most} series; `topk` keeps them to {MOST_SERIES}"));
    }
    let legend = &panel["options"]["legend"];
    let tells =
        |calc: &str| legend["calcs"].as_array().is_some_and(|calcs| calcs.iter().any(|own| own == calc));
    let is_table = legend["displayMode"] == "table" && tells("lastNotNull") && tells("max");
    if kind == "timeseries" && most.is_none_or(|most| most > FEW_SERIES) && !is_table {
        found.push(format!("more than {FEW_SERIES} series, and no legend table with last and max"));
    }
}

/// An override by a name that no series has colours nothing.
fn overrides(panel: &Value, asked: &[Asked<'_>], found: &mut Vec<String>) {
    let Some(names) = asked.iter().map(series_names).collect::<Option<Vec<_>>>() else { return };
    let names: BTreeSet<String> = names.into_iter().flatten().collect();
    for over in panel["fieldConfig"]["overrides"].as_array().into_iter().flatten() {
        let name = over["matcher"]["options"].as_str().unwrap_or_default();
        if over["matcher"]["id"] == "byName" && !names.contains(name) {
            found.push(format!("an override for `{name}`, which no series is called"));
        }
    }
}

/// All names that a query's series can have; `None` when they come from a configuration.
fn series_names(asked: &Asked<'_>) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::from([asked.legend.to_owned()]);
    for label in mentioned(asked.legend) {
        let Some(Values::Closed(values)) = asked.shape.labels.get(label) else { return None };
        let place = format!("{{{{{label}}}}}");
        let filled = names.iter().flat_map(|name| values.iter().map(|value| name.replace(&place, value)));
        names = filled.collect();
    }
    Some(names)
}

/// A table's columns are labels or values, and each has a name for people.
fn columns(panel: &Value, asked: &[Asked<'_>], found: &mut Vec<String>) {
    let organize =
        panel["transformations"].as_array().into_iter().flatten().find(|one| one["id"] == "organize");
    let Some(options) = organize.map(|organize| &organize["options"]) else {
        return found.push("a table without names for its columns".to_owned());
    };
    if asked.iter().any(|asked| asked.shape.any_label) {
        return;
    }
    let labels = asked.iter().flat_map(|asked| asked.shape.labels.keys().cloned());
    let values = (0..asked.len()).map(|number| {
        let letter = char::from(b'A' + u8::try_from(number).unwrap());
        if asked.len() == 1 { "Value".to_owned() } else { format!("Value #{letter}") }
    });
    let real: BTreeSet<String> = labels.chain(values).collect();
    let members = |name: &str| -> BTreeSet<String> {
        options[name].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    let (renamed, hidden) = (members("renameByName"), members("excludeByName"));
    for column in real.iter().filter(|column| !renamed.contains(*column) && !hidden.contains(*column)) {
        found.push(format!("column `{column}` has no name for people"));
    }
    for column in renamed.union(&members("indexByName")).filter(|column| !real.contains(*column)) {
        found.push(format!("there is no column `{column}`"));
    }
    let shown: BTreeSet<&str> = options["renameByName"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, shown)| shown.as_str())
        .collect();
    for over in panel["fieldConfig"]["overrides"].as_array().into_iter().flatten() {
        let name = over["matcher"]["options"].as_str().unwrap_or_default();
        if !shown.contains(name) {
            found.push(format!("an override for `{name}`, which no column is called"));
        }
    }
}

fn links(panel: &Value, found: &mut Vec<String>) {
    for link in panel["links"].as_array().into_iter().flatten() {
        let url = link["url"].as_str().unwrap_or_default();
        let place = url.strip_prefix("/d/sluice-").and_then(|rest| rest.split_once('?'));
        let keeps = ["${__url_time_range}", "${__all_variables}"].iter().all(|part| url.contains(part));
        if !keeps || !place.is_some_and(|(name, _)| DASHBOARDS.contains(&name)) {
            found.push(format!("a link that leads nowhere, or forgets what was chosen: {url}"));
        }
    }
}
