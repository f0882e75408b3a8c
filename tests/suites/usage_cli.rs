//! `sluice usage`, through the binary as an operator and a finance person meet it: the ledger is a real one, written
//! by the ledger's own writer.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts};
use serde_json::{Value, json};
use sluice_core::{
    ledger::{
        AttemptRecord, Cost, Counted, FILE, Ledger, LedgerMetrics, TargetName, TokenSource, Tokens,
        UsageRecord,
    },
    telemetry::labels::{AttemptOutcome, CacheResult, EndpointLabel, Outcome},
};
use sluice_tests::process::{command, run};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};
use tempfile::TempDir;

/// Longer than anything here is old.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
const PATIENCE: Duration = Duration::from_secs(20);

fn ledger(folder: &Path) -> Ledger {
    let metrics = LedgerMetrics::new(
        IntCounter::new("written", "w").unwrap(),
        &IntCounterVec::new(Opts::new("dropped", "d"), &["reason"]).unwrap(),
        IntCounterVec::new(Opts::new("errors", "e"), &["kind"]).unwrap(),
        IntGauge::new("waiting", "w").unwrap(),
        IntGauge::new("up", "u").unwrap(),
    );
    Ledger::open(&folder.join(FILE), CENTURY, metrics).unwrap()
}

fn tokens(input: u64, output: u64) -> Counted {
    let tokens = Tokens { input, cache_read: 30, cache_write: 20, output, reasoning: 1 };
    Counted { tokens, source: TokenSource::Provider }
}

fn attempt(provider: &str, outcome: AttemptOutcome, status: Option<u16>) -> AttemptRecord {
    AttemptRecord {
        target: TargetName { provider: provider.into(), model: "big-1".into() },
        outcome,
        status,
        reason: None,
        took: Duration::from_millis(700),
        counted: None,
        nano_usd: None,
    }
}

/// A good answer; `nano_usd` is what it cost, or that nobody knows.
fn record(id: &str, ended: &str, tenant: &str, key: &str, nano_usd: Option<u64>) -> UsageRecord {
    UsageRecord {
        id: id.into(),
        ended: ended.parse().unwrap(),
        took: Duration::from_millis(1234),
        tenant: tenant.into(),
        key: key.into(),
        endpoint: EndpointLabel::Chat,
        model: Some("smart".into()),
        target: Some(TargetName { provider: "acme".into(), model: "big-1".into() }),
        stream: false,
        status: 200,
        end: Outcome::Ok,
        error_code: None,
        cache: Some(CacheResult::Miss),
        attempts: [attempt("acme", AttemptOutcome::Ok, Some(200))].into_iter().collect(),
        counted: Some(tokens(1000, 500)),
        cost: nano_usd.map(|nano_usd| Cost { nano_usd, prices: "2026-10".into() }),
        tags: Box::default(),
        user: None,
        client: None,
    }
}

/// Two months of two tenants.
fn records() -> Vec<UsageRecord> {
    let mut failed = record("r4", "2026-11-21T09:30:00Z", "search", "web", None);
    (failed.end, failed.status, failed.error_code) = (Outcome::Timeout, 504, Some("upstream_timeout"));
    failed.counted = None;
    let away = attempt("away", AttemptOutcome::ConnectError, None);
    failed.attempts.insert(0, away);
    let mut hit = record("r5", "2026-11-21T10:00:00Z", "search", "app", Some(0));
    (hit.cache, hit.counted, hit.target) = (Some(CacheResult::Hit), None, None);
    hit.attempts.clear();
    vec![
        record("r1", "2026-10-31T23:59:59.999Z", "search", "web", Some(7_000_000_000)),
        record("r2", "2026-11-01T00:00:00Z", "search", "web", Some(12_340_000_000)),
        record("r3", "2026-11-20T08:00:00Z", "batch", "nightly", Some(123_000)),
        failed,
        hit,
        record("r6", "2026-11-22T12:00:00Z", "batch", "nightly", None),
    ]
}

/// A folder with a ledger that nobody has open.
fn filled() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    records().into_iter().for_each(|record| ledger.push(record));
    assert!(ledger.close(PATIENCE));
    folder
}

/// Asks the ledger in a folder; the exit code, what was printed, and what was said beside it.
fn usage(folder: &Path, more: &[&str]) -> (i32, String, String) {
    let mut args = vec!["usage", "--state-dir", folder.to_str().unwrap()];
    args.extend(more);
    told(&run(&args))
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

const NOVEMBER: [&str; 4] = ["--since", "2026-11-01", "--until", "2026-12-01"];

fn printed(folder: &Path, more: &[&str]) -> String {
    let (code, out, err) = usage(folder, more);
    assert!(code == 0 && err.is_empty(), "{code} {out} {err}");
    out
}

fn november(folder: &Path, more: &[&str]) -> String {
    printed(folder, &[&NOVEMBER[..], more].concat())
}

#[test]
fn a_month_is_a_table_with_exact_dollars_and_what_they_leave_out() {
    let folder = filled();
    assert_eq!(
        november(folder.path(), &[]),
        "\
usage by tenant, from 2026-11-01 00:00 UTC to 2026-12-01 00:00 UTC

tenant  requests  errors  cache hits  tokens in  cache read  cache write  tokens out        cost
search         3       1           1      1,000          30           20         500  $12.34
batch          2       0           0      2,000          60           40       1,000   $0.000123
total          5       1           1      3,000          90           60       1,500  $12.340123

1 request of a model without a price is not in the cost.
"
    );
}

#[test]
fn usage_is_added_up_by_what_is_asked_for() {
    let folder = filled();
    let names = |by: &str, header: &str| {
        let csv = november(folder.path(), &["--by", by, "--csv"]);
        let mut lines = csv.split("\r\n").map(|line| line.split(',').collect::<Vec<_>>());
        assert_eq!(lines.next().unwrap()[0], header);
        // Name, requests and cost.
        let rows = lines.filter(|fields| fields.len() > 1);
        rows.map(|fields| [fields[0], fields[1], fields.last().unwrap()].join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(names("tenant", "tenant"), ["search 3 12.34", "batch 2 0.000123"]);
    assert_eq!(names("key", "key"), ["web 2 12.34", "nightly 2 0.000123", "app 1 0.00"]);
    assert_eq!(names("model", "model"), ["smart 5 12.340123"]);
    assert_eq!(
        names("day", "day"),
        ["2026-11-01 1 12.34", "2026-11-20 1 0.000123", "2026-11-21 2 0.00", "2026-11-22 1 0.00"]
    );
}

#[test]
fn json_is_one_object_for_programs() {
    let folder = filled();
    let told: Value = serde_json::from_str(&november(folder.path(), &["--json", "--by", "key"])).unwrap();
    assert_eq!((&told["by"], &told["since"]), (&json!("key"), &json!("2026-11-01T00:00:00Z")));
    assert_eq!(told["until"], json!("2026-12-01T00:00:00Z"));
    let names: Vec<&Value> = told["rows"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["web", "nightly", "app"]);
    let total = &told["total"];
    assert_eq!(
        (&total["cost_usd"], &total["cost_nano_usd"]),
        (&json!("12.340123"), &json!(12_340_123_000_u64))
    );
    assert_eq!((&total["requests"], &total["unpriced_requests"]), (&json!(5), &json!(1)));
}

#[test]
fn without_a_range_it_is_this_month_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let now = jiff::Timestamp::now();
    let mut today = record("now", "2026-11-01T00:00:00Z", "search", "web", Some(1));
    today.ended = now;
    ledger.push(today);
    ledger.push(record("old", "2020-01-01T00:00:00Z", "ancient", "web", Some(1)));
    assert!(ledger.close(PATIENCE));
    let text = printed(folder.path(), &[]);
    let month = now.strftime("from %Y-%m-01 00:00 UTC (the beginning of the month) to now").to_string();
    // At the turn of a month the record may be of the one before.
    let turned = jiff::Timestamp::now().strftime("%m").to_string() != now.strftime("%m").to_string();
    assert!(turned || text.contains(&month) && text.contains("search"), "{month}\n{text}");
    assert!(!text.contains("ancient"), "{text}");
    assert!(printed(folder.path(), &["--since", "1h"]).contains("$0.000000001"));
    assert!(printed(folder.path(), &["--until", "2020-01-02"]).contains("ancient"));
}

#[test]
fn single_records_are_told_with_their_attempts_the_newest_first() {
    let folder = filled();
    let text = printed(folder.path(), &["--records"]);
    let ids: Vec<&str> = text.lines().skip(1).map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(ids, ["r6", "r5", "r4", "r3", "r2", "r1"]);
    let failed = text.lines().find(|line| line.contains(" r4 ")).unwrap();
    for part in ["timeout (upstream_timeout)", "504", "away/big-1 connect_error; acme/big-1 ok 200"] {
        assert!(failed.contains(part), "{part}: {failed}");
    }
    let since = ["--records", "--since", "2026-11-20", "--limit", "3", "--json"];
    let lines = printed(folder.path(), &since);
    let told: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<&Value> = told.iter().map(|record| &record["id"]).collect();
    assert_eq!(ids, ["r6", "r5", "r4"]);
    assert_eq!(told[2]["attempts"][0]["outcome"], "connect_error");
    assert_eq!((&told[1]["cache"], &told[0]["cost_usd"]), (&json!("hit"), &Value::Null));
    assert_eq!(printed(folder.path(), &["--records", "--until", "2026-10-01", "--json"]), "");
}

#[test]
fn it_is_read_while_the_gateway_writes() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    for (n, record) in (1..).zip(records()) {
        ledger.push(record);
        assert!(ledger.flush(PATIENCE));
        let lines = printed(folder.path(), &["--records", "--json"]);
        assert_eq!(lines.lines().count(), n);
    }
    assert!(november(folder.path(), &[]).contains("$12.340123"));
    assert!(ledger.close(PATIENCE));
}

#[test]
fn reading_changes_nothing() {
    let folder = filled();
    let files = || -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    };
    let before = files();
    printed(folder.path(), &[]);
    printed(folder.path(), &["--records"]);
    assert!(files() == before, "{:?} {:?}", before.keys(), files().keys());
}

/// A folder with a ledger in `data`, and a configuration that needs a secret which is not there.
fn configured() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::copy(filled().path().join(FILE), data.join(FILE)).unwrap();
    let yaml = "state_dir: data\n\
        providers: [{name: up, kind: openai, keys: [{name: main, value: '${NOT_HERE}'}]}]\n\
        models: [{name: smart, targets: [{provider: up, model: gpt-4o}]}]\n";
    fs::write(folder.path().join("sluice.yaml"), yaml).unwrap();
    folder
}

#[test]
fn the_ledger_is_found_as_serve_finds_its_configuration() {
    let folder = configured();
    let file = folder.path().join("sluice.yaml");
    let elsewhere = tempfile::tempdir().unwrap();
    let args = [&["usage"][..], &NOVEMBER].concat();
    let ask = |command: &mut Command| told(&command.output().unwrap());
    let here = ask(command(&args).current_dir(folder.path()));
    assert!(here.0 == 0 && here.1.contains("$12.340123"), "{here:?}");
    let variable = ask(command(&args).current_dir(elsewhere.path()).env("SLUICE_CONFIG", &file));
    assert_eq!(variable, here);
    let flag = [&args[..], &["--config", file.to_str().unwrap()]].concat();
    assert_eq!(ask(command(&flag).current_dir(elsewhere.path())), here);
    let data = folder.path().join("data");
    let overridden = ask(command(&args).current_dir(elsewhere.path()).env("SLUICE__STATE_DIR", &data));
    assert_eq!(overridden, here);
    // The flag counts, whatever the variable says.
    let flag = [&args[..], &["--state-dir", data.to_str().unwrap()]].concat();
    let both = ask(command(&flag).current_dir(elsewhere.path()).env("SLUICE_CONFIG", "/no/such/file"));
    assert_eq!(both, here);
}

#[test]
fn a_ledger_that_is_not_there_is_told_with_its_place_and_how_it_comes_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, err) = usage(folder.path(), &[]);
    assert!(code == 1 && out.is_empty(), "{code} {out}");
    let place = folder.path().join(FILE);
    for part in [place.to_str().unwrap(), "sluice serve", "state_dir", "--config", "--state-dir"] {
        assert!(err.contains(part), "{part}: {err}");
    }
    assert!(!place.exists(), "asking makes no ledger");
    let bare = told(&command(&["usage"]).current_dir(folder.path()).output().unwrap());
    assert!(bare.0 == 1 && bare.2.contains("sluice-data/usage.sqlite yet"), "{bare:?}");
}

#[test]
fn what_is_no_ledger_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(FILE), "not a database, but long enough to be looked at as one".repeat(20))
        .unwrap();
    let (code, out, err) = usage(folder.path(), &[]);
    assert!(code == 1 && out.is_empty() && err.contains(FILE), "{code} {out} {err}");
}

#[test]
fn questions_without_sense_end_with_2() {
    let folder = filled();
    for (more, part) in [
        (&["--since", "yesterday"][..], "today"),
        (&["--until", "2026-11-31"], "--until"),
        (&["--since", "2026-11-02", "--until", "2026-11-01"], "not before"),
        (&["--since", "today", "--until", "today"], "not before"),
        (&["--by", "week"], "tenant, key, model, day"),
        (&["--csv", "--json"], "--json"),
    ] {
        let (code, out, err) = usage(folder.path(), more);
        assert!(code == 2 && out.is_empty() && err.contains(part), "{more:?}: {code} {err}");
    }
    fs::write(folder.path().join("sluice.yaml"), "state_dir: [a]\n").unwrap();
    let (code, _, err) = told(&command(&["usage"]).current_dir(folder.path()).output().unwrap());
    assert!(code == 2 && err.contains("state_dir") && err.contains("--state-dir"), "{code} {err}");
}
