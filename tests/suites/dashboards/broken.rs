//! That these checks can fail: a small dashboard without a fault, broken in one place at a time.

use super::{
    document, form,
    names::Names,
    place::{Place, fill},
    promql::Query,
    rules,
};
use serde_json::{Value, json};

const DATASOURCE: &str = "${datasource}";
const RATE: &str = r#"sum by (outcome) (rate(sluice_key_requests_total{job=~"$job", instance=~"$instance"}[$__rate_interval]))"#;
const LEFT: &str = r#"min by (key, limit) (sluice_key_remaining_ratio{job=~"$job", instance=~"$instance"})"#;
const RELOADS: &str = r#"changes(sluice_config_last_reload_success_timestamp_seconds{job=~"$job", instance=~"$instance"}[2m]) > 0"#;
const BUILDS: &str = r#"count by (version) (sluice_build_info{job=~"$job", instance=~"$instance"})"#;
const ENOUGH: &str =
    "Good: all green. Red: a provider fails; look at the other dashboard for which one, and why.";

fn source() -> Value {
    json!({ "type": "prometheus", "uid": DATASOURCE })
}

fn variable(name: &str, query: &str) -> Value {
    json!({ "name": name, "type": "query", "datasource": source(), "query": { "query": query },
        "multi": true, "includeAll": true, "allValue": ".*" })
}

fn annotation(name: &str, expr: &str) -> Value {
    json!({ "name": name, "datasource": source(), "expr": expr, "target": { "expr": expr }, "textFormat": "" })
}

fn graph() -> Value {
    json!({
        "id": 1, "type": "timeseries", "title": "Outcomes", "description": ENOUGH, "datasource": source(),
        "gridPos": { "x": 0, "y": 0, "w": 12, "h": 8 },
        "targets": [{ "refId": "A", "datasource": source(), "expr": RATE, "legendFormat": "{{outcome}}" }],
        "fieldConfig": {
            "defaults": { "unit": "reqps", "noValue": "No traffic" },
            "overrides": [{ "matcher": { "id": "byName", "options": "ok" }, "properties": [] }],
        },
        "options": { "legend": { "displayMode": "table", "calcs": ["lastNotNull", "max"] } },
        "links": [{ "url": "/d/sluice-cache?${__url_time_range}&${__all_variables}" }],
    })
}

fn table() -> Value {
    json!({
        "id": 2, "type": "table", "title": "What is left", "description": ENOUGH, "datasource": source(),
        "gridPos": { "x": 12, "y": 0, "w": 12, "h": 8 },
        "targets": [{ "refId": "A", "datasource": source(), "expr": LEFT, "instant": true, "format": "table" }],
        "fieldConfig": {
            "defaults": { "unit": "percentunit", "noValue": "No limits" },
            "overrides": [{ "matcher": { "id": "byName", "options": "Left" }, "properties": [{ "id": "unit", "value": "short" }] }],
        },
        "transformations": [{ "id": "organize", "options": {
            "excludeByName": { "Time": true }, "renameByName": { "key": "Key", "limit": "Limit", "Value": "Left" },
        } }],
    })
}

/// A dashboard without a fault.
fn sound() -> Value {
    json!({
        "uid": "sluice-small", "id": null, "title": "Small", "description": "Is it well?", "editable": true,
        "refresh": "30s", "time": { "from": "now-6h", "to": "now" }, "graphTooltip": 1, "tags": ["sluice"],
        "schemaVersion": 39,
        "links": [{ "type": "dashboards", "tags": ["sluice"], "asDropdown": true, "keepTime": true, "includeVars": true }],
        "annotations": { "list": [annotation("Reloads", RELOADS), annotation("Versions", BUILDS)] },
        "templating": { "list": [
            { "name": "datasource", "type": "datasource", "query": "prometheus" },
            variable("job", "label_values(sluice_build_info, job)"),
            variable("instance", r#"label_values(sluice_build_info{job=~"$job"}, instance)"#),
        ] },
        "panels": [graph(), table()],
    })
}

fn faults(dashboard: &Value) -> Vec<String> {
    document::faults("sluice-small", dashboard, &Names::declared())
}

#[test]
fn a_sound_dashboard_has_no_fault() {
    assert_eq!(faults(&sound()), Vec::<String>::new());
}

#[test]
fn what_is_missing_or_wrong_on_a_dashboard_is_found() {
    let cases: &[(&str, Value, &str)] = &[
        ("/uid", json!("other"), "/uid is not"),
        ("/id", json!(7), "/id is not null"),
        ("/schemaVersion", json!(30), "schemaVersion is below 39"),
        ("/graphTooltip", json!(0), "/graphTooltip is not 1"),
        ("/tags", json!([]), "/tags/0 is not"),
        ("/links", json!([]), "/links/0/type is not"),
        ("/description", json!(""), "no description"),
        ("/annotations/list", json!([]), "no annotation by sluice_build_info"),
        ("/annotations/list/0/target/expr", json!("up"), "asks two things"),
        ("/annotations/list/0/datasource/uid", json!("prometheus"), "has a data source of its own"),
        ("/annotations/list/0/textFormat", json!("{{hash}}"), "shows `hash`, which is not there"),
        ("/templating/list/0/query", json!("loki"), "$datasource does not choose a Prometheus"),
        ("/templating/list/1/multi", json!(false), "$job does not take several"),
        ("/templating/list/1/name", json!("jobs"), "$job is not defined"),
        (
            "/templating/list/2/query/query",
            json!("label_values(sluice_build_info, replica)"),
            "no label `replica`",
        ),
        (
            "/templating/list/2/query/query",
            json!("label_values(sluice_bild_info, job)"),
            "no metric `sluice_bild_info`",
        ),
        ("/templating/list/2/datasource", json!(null), "$instance has a data source of its own"),
        (
            "/templating/list/3",
            variable("model", "label_values(sluice_build_info, job)"),
            "$model is used nowhere",
        ),
        ("/panels/1/id", json!(1), "id 1 is there twice"),
        ("/panels/1/title", json!("Outcomes"), "title \"Outcomes\" is there twice"),
        ("/panels/1/gridPos/x", json!(11), "'What is left' lies over 'Outcomes'"),
        ("/panels/1/gridPos/w", json!(13), "not within 24 columns"),
    ];
    check(cases);
}

#[test]
fn what_is_missing_or_wrong_on_a_panel_is_found() {
    let cases: &[(&str, Value, &str)] = &[
        ("/panels/0/type", json!("graph"), "`graph` is not drawn everywhere"),
        ("/panels/0/type", json!("stat"), "no thresholds"),
        ("/panels/0/description", json!("Outcomes."), "no description"),
        ("/panels/0/datasource", json!("Prometheus"), "its data source is not ${datasource}"),
        ("/panels/0/targets/0/datasource/uid", json!("abc"), "A: its data source is not ${datasource}"),
        ("/panels/0/targets", json!([]), "asks nothing"),
        ("/panels/0/targets/0/refId", json!(""), "refId `` is there twice, or missing"),
        ("/panels/0/targets/0/legendFormat", json!(""), "a query without a legend"),
        ("/panels/0/targets/0/legendFormat", json!("all"), "series that differ by `outcome` have one name"),
        (
            "/panels/0/targets/0/legendFormat",
            json!("{{outcome}} {{code}}"),
            "shows `code`, which does not come out",
        ),
        ("/panels/0/fieldConfig/defaults/unit", json!("request/s"), "unit `request/s`"),
        ("/panels/0/fieldConfig/defaults/unit", json!(null), "unit ``"),
        ("/panels/0/fieldConfig/defaults/noValue", json!(null), "no `noValue`"),
        ("/panels/0/fieldConfig/overrides/0/matcher/options", json!("okay"), "an override for `okay`"),
        ("/panels/0/options/legend/displayMode", json!("list"), "no legend table"),
        ("/panels/0/options/legend/calcs", json!(["max"]), "no legend table"),
        (
            "/panels/0/links/0/url",
            json!("/d/sluice-cash?${__url_time_range}&${__all_variables}"),
            "leads nowhere",
        ),
        ("/panels/0/links/0/url", json!("/d/sluice-cache?from=now-1h"), "forgets what was chosen"),
        ("/panels/1/targets/0/instant", json!(false), "a table asks once"),
        ("/panels/1/transformations", json!([]), "without names for its columns"),
        ("/panels/1/transformations/0/options/renameByName", json!({}), "column `limit` has no name"),
        (
            "/panels/1/transformations/0/options/renameByName/tenant",
            json!("T"),
            "there is no column `tenant`",
        ),
        ("/panels/1/fieldConfig/overrides/0/matcher/options", json!("Rest"), "an override for `Rest`"),
        ("/panels/1/fieldConfig/overrides/0/properties/0/value", json!("percent!"), "unit `percent!`"),
    ];
    check(cases);
}

/// Each case breaks a sound dashboard in one place.
fn check(cases: &[(&str, Value, &str)]) {
    for (place, value, expected) in cases {
        let mut dashboard = sound();
        let (parent, member) = place.rsplit_once('/').unwrap();
        match dashboard.pointer_mut(parent).unwrap() {
            Value::Object(members) => drop(members.insert(member.to_owned(), value.clone())),
            Value::Array(items) if items.len() == member.parse::<usize>().unwrap() => {
                items.push(value.clone());
            }
            other => panic!("{place} leads to {other}"),
        }
        let found = faults(&dashboard);
        assert!(found.iter().any(|fault| fault.contains(expected)), "{place} = {value}: {found:#?}");
    }
}

#[test]
fn wrong_queries_are_found() {
    let cases = [
        ("sum(rate(sluice_requests_total[$__rate_interval])", "cannot be parsed"),
        ("sum(rate(sluice_requests_total[$__rate_interval]))", "is not filtered by `job`"),
        ("sum(rate(sluice_request_total{F}[$__rate_interval]))", "there is no metric `sluice_request_total`"),
        (
            "sum(rate(sluice_overhead_seconds{F}[$__rate_interval]))",
            "there is no metric `sluice_overhead_seconds`",
        ),
        ("sum(rate(sluice_requests_total_sum{F}[$__rate_interval]))", "there is no metric"),
        (r#"sum(rate(sluice_requests_total{F, provider="a"}[$__rate_interval]))"#, "has no label `provider`"),
        (r#"sum(rate(sluice_requests_total{F, outcome="okay"}[$__rate_interval]))"#, "is never `okay`"),
        (r#"sum(rate(sluice_requests_total{F, outcome!="okay"}[$__rate_interval]))"#, "is never `okay`"),
        (
            r#"sum(rate(sluice_requests_total{F, outcome=~"ok|time_out"}[$__rate_interval]))"#,
            "is never `time_out`",
        ),
        (r#"sum(rate(sluice_requests_total{F, outcome!~"limit"}[$__rate_interval]))"#, "is never `limit`"),
        (r#"sum(rate(sluice_overhead_seconds_bucket{F, le="0.004"}[$__rate_interval]))"#, "is never `0.004`"),
        ("sum by (provider) (rate(sluice_requests_total{F}[$__rate_interval]))", "`sum by (provider)`"),
        (
            "sum without (provider) (rate(sluice_requests_total{F}[$__rate_interval]))",
            "`sum without (provider)`",
        ),
        (
            "sum by (model) (sum by (code) (rate(sluice_requests_total{F}[$__rate_interval])))",
            "`sum by (model)`",
        ),
        (
            "sum by (provider) (sluice_provider_up{F}) / on (model) sum by (provider) (sluice_provider_up{F})",
            "`/ on (model)`",
        ),
        (
            "sum by (provider) (sluice_provider_up{F}) / sum(sluice_ready{F})",
            "never match: (provider) and ()",
        ),
        ("sum(sluice_requests_total{F})", "is a counter"),
        ("sum(rate(sluice_ready{F}[$__rate_interval]))", "is a gauge"),
        ("sum(rate(sluice_requests_total{F}[5m]))", "a literal window"),
        ("sum(rate(sluice_requests_total{F}[$__range]))", "$__range at every point"),
        ("max_over_time(sum(sluice_ready{F})[1h:1m])", "a literal window"),
        (
            "histogram_quantile(0.9, sum(rate(sluice_overhead_seconds_bucket{F}[$__rate_interval])))",
            "without `le`",
        ),
        ("topk(3, sum by (provider) (sluice_provider_up{F}))", "`topk` chooses anew at every point"),
        (r#"label_replace(sluice_ready{F}, "a", "$1", "b", "(.*)")"#, "makes labels that nothing declares"),
        ("sluice:nobody:records_this", "there is no metric `sluice:nobody:records_this`"),
    ];
    for (query, expected) in cases {
        let query = query.replace("{F", r#"{job=~"$job", instance=~"$instance""#);
        let (_, found) = read(&query, Place::Graph);
        assert!(found.iter().any(|fault| fault.contains(expected)), "{query}: {found:?}");
    }
}

fn read(query: &str, place: Place) -> (Option<usize>, Vec<String>) {
    let (shape, faults) = Query::new(&Names::declared(), place, &["job", "instance"]).read(&fill(query).0);
    (shape.most(), faults)
}

#[test]
fn series_are_counted_before_there_are_any() {
    let cases = [
        ("sum(sluice_ready{F})", Some(1)),
        ("sum(sluice_ready{F}) or vector(0)", Some(1)),
        ("sum(sluice_redis_up{F} and on (job, instance) sluice_redis_op_duration_seconds_count{F})", Some(1)),
        ("sum by (provider) (sluice_provider_up{F})", None),
        ("topk(12, sum by (provider) (max_over_time(sluice_provider_up{F}[$__range] @ end())))", Some(12)),
        ("sum by (type) (rate(sluice_tokens_total{F}[$__rate_interval]))", Some(4)),
        (r#"sum by (type) (rate(sluice_tokens_total{F, type!="output"}[$__rate_interval]))"#, Some(3)),
        (r#"sum by (type) (rate(sluice_tokens_total{F, type=~"input|output"}[$__rate_interval]))"#, Some(2)),
        ("sum by (tier, reason) (rate(sluice_cache_evictions_total{F}[$__rate_interval]))", Some(6)),
        ("1 - sum by (provider) (sluice_provider_up{F})", None),
        (
            "sum by (provider) (sluice_provider_up{F}) and on (provider) topk(3, sum by (provider) (sluice_provider_up{F} @ end()))",
            Some(3),
        ),
        ("topk by (provider) (3, sluice_circuit_state{F} @ end())", None),
        ("count(ALERTS{job=~\"$job\"})", Some(1)),
        ("ALERTS{job=~\"$job\"}", None),
        ("max by (alertname) (ALERTS{job=~\"$job\"})", None),
    ];
    for (query, most) in cases {
        let query = query.replace("{F", r#"{job=~"$job", instance=~"$instance""#);
        assert_eq!(read(&query, Place::Graph), (most, Vec::new()), "{query}");
    }
}

#[test]
fn windows_are_judged_by_where_a_query_stands() {
    let cases = [
        (Place::Moment, "sum(increase(sluice_panics_total{F}[$__range]))", true),
        (Place::Graph, "sum(increase(sluice_panics_total{F}[$__range]))", false),
        (Place::Graph, "sum(increase(sluice_panics_total{F}[$__range] @ end()))", true),
        (Place::Moment, "sum(increase(sluice_panics_total{F}[1h]))", false),
        (Place::Annotation, "sum(increase(sluice_panics_total{F}[2m]))", true),
        (Place::Rule, "sum(increase(sluice_panics_total{F}[1h]))", true),
        (Place::Moment, "deriv(sum(sluice_ready{F})[6h:1m])", true),
    ];
    for (place, query, is_fine) in cases {
        let query = query.replace("{F", r#"{job=~"$job", instance=~"$instance""#);
        let (_, faults) = read(&query, place);
        assert_eq!(faults.is_empty(), is_fine, "{place:?} {query}: {faults:?}");
    }
}

#[test]
fn wrong_rules_are_found_and_records_are_known() {
    let text = r#"
groups:
  - name: alerts
    rules:
      - alert: Burns
        expr: a:recorded:ratio > 0.1 and sum by (job) (rate(sluice_requests_total[5m])) > 1
      - alert: Asks
        expr: sum by (job) (rate(sluice_request_total[5m])) > 1
      - alert: Drops
        expr: a:recorded:ratio{model="x"} > 1
  - name: records
    rules:
      - record: a:recorded:ratio
        expr: sum by (job) (rate(sluice_requests_total{outcome="timeout"}[5m]))
"#;
    let mut names = Names::declared();
    let found = rules::faults(&[text.to_owned()], &mut names);
    assert_eq!(
        found,
        ["Asks: there is no metric `sluice_request_total`", "Drops: `a:recorded:ratio` has no label `model`"]
    );
    assert!(names.find("a:recorded:ratio").is_some());
    assert_eq!(rules::faults(&[], &mut names), ["there are no rules"]);
}

#[test]
fn the_form_does_not_depend_on_who_wrote_the_file() {
    let one: Value =
        serde_json::from_str(r#"{"panels":[{"b":1,"title":"x","a":[1,2.50,"ü"],"id":3}],"uid":"u"}"#)
            .unwrap();
    let other: Value =
        serde_json::from_str(r#"{"uid":"u","panels":[{"id":3,"title":"x","a":[1,2.50,"ü"],"b":1}]}"#)
            .unwrap();
    let formed = "{\n  \"uid\": \"u\",\n  \"panels\": [{ \"id\": 3, \"title\": \"x\", \"a\": [1, 2.5, \"ü\"], \"b\": 1 }]\n}\n";
    assert_eq!(form::text(&one), formed);
    assert_eq!(form::text(&other), formed);
}
