use super::super::{
    record::{Cost, UsageRecord},
    store,
    testing::{Folder, record},
};
use super::*;
use crate::telemetry::labels::{CacheResult, Outcome};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn with(ended: &str, tenant: &str, key: &str, nano_usd: u64) -> UsageRecord {
    let mut record = record("r");
    record.ended = time(ended);
    (record.tenant, record.key) = (tenant.into(), key.into());
    record.cost = Some(Cost { nano_usd, prices: "p".into() });
    record
}

fn filled() -> (Folder, Reader) {
    let folder = Folder::new();
    let mut connection = schema::open(&Place::File(folder.file())).unwrap();
    let mut records = vec![
        with("2026-11-20T23:59:59.999Z", "a", "a1", 1),
        with("2026-11-21T00:00:00Z", "a", "a1", 20),
        with("2026-11-21T12:00:00Z", "a", "a2", 300),
        with("2026-11-22T08:00:00Z", "b", "b1", 4000),
        with("2026-11-23T01:00:00Z", "b", "b1", 50_000),
    ];
    let mut hit = with("2026-11-22T09:00:00Z", "b", "b1", 0);
    (hit.cache, hit.counted) = (Some(CacheResult::Hit), None);
    let mut failed = with("2026-11-22T09:00:01Z", "b", "b1", 0);
    (failed.end, failed.counted, failed.cost) = (Outcome::Timeout, None, None);
    let mut left = with("2026-11-22T09:00:02Z", "b", "b1", 0);
    (left.end, left.cost, left.model) = (Outcome::Cancelled, None, None);
    records.extend([hit, failed, left]);
    let batch: Vec<_> = records.into_iter().map(Box::new).collect();
    store::write(&mut connection, &batch).unwrap();
    let reader = Reader::open(&folder.file()).unwrap();
    (folder, reader)
}

fn told(reader: &Reader, by: By, since: Option<&str>, until: Option<&str>) -> Vec<String> {
    let rows = reader.summary(by, since.map(time), until.map(time)).unwrap();
    let line = |row: &Row| format!("{} {} {}", row.name, row.totals.requests, row.totals.nano_usd);
    rows.iter().map(line).collect()
}

#[test]
fn sums_by_everything() {
    let (_folder, reader) = filled();
    assert_eq!(told(&reader, By::Tenant, None, None), ["b 5 54000", "a 3 321"]);
    assert_eq!(told(&reader, By::Key, None, None), ["b1 5 54000", "a2 1 300", "a1 2 21"]);
    assert_eq!(told(&reader, By::Model, None, None), ["smart 7 54321", " 1 0"]);
    assert_eq!(
        told(&reader, By::Day, None, None),
        ["2026-11-20 1 1", "2026-11-21 2 320", "2026-11-22 4 4000", "2026-11-23 1 50000"]
    );
    let totals = reader.summary(By::Tenant, None, None).unwrap()[0].totals;
    assert_eq!((totals.errors, totals.cache_hits, totals.unpriced), (1, 1, 1));
    let tokens = Tokens { input: 30, cache_read: 9, cache_write: 6, output: 15, reasoning: 3 };
    assert_eq!(totals.tokens, tokens, "of the three that bought some");
}

#[test]
fn a_range_is_exact_wherever_it_is_cut() {
    let (folder, reader) = filled();
    let cuts = [
        None,
        Some("2026-11-20T23:59:59.999Z"),
        Some("2026-11-20T23:59:59.999000001Z"),
        Some("2026-11-21T00:00:00Z"),
        Some("2026-11-21T00:00:00.001Z"),
        Some("2026-11-21T12:00:00Z"),
        Some("2026-11-22T00:00:00Z"),
        Some("2026-11-22T09:00:01Z"),
        Some("2026-11-23T00:00:00Z"),
        Some("2026-11-24T00:00:00Z"),
    ];
    let plain = Connection::open(folder.file()).unwrap();
    for since in cuts {
        for until in cuts {
            let micros = |cut: Option<&str>, else_: i64| cut.map_or(else_, |cut| time(cut).as_microsecond());
            let expected: i64 = plain
                .query_row(
                    "SELECT coalesce(sum(cost), 0) FROM records WHERE at * 1000 >= ?1 + ?3 AND at * 1000 < ?2 + ?4",
                    [
                        micros(since, 0),
                        micros(until, i64::MAX - 1),
                        i64::from(since.is_some_and(|cut| cut.contains("000001"))),
                        i64::from(until.is_some_and(|cut| cut.contains("000001"))),
                    ],
                    |row| row.get(0),
                )
                .unwrap();
            let rows = reader.summary(By::Day, since.map(time), until.map(time)).unwrap();
            let sum: u64 = rows.iter().map(|row| row.totals.nano_usd).sum();
            assert_eq!(i64::try_from(sum).unwrap(), expected, "{since:?} {until:?}");
        }
    }
}

#[test]
fn both_ways_to_add_up_agree_on_every_sum() {
    let (folder, reader) = filled();
    let whole = reader.summary(By::Key, None, None).unwrap();
    // Without the sums the same has to come from the records alone: each day in two halves.
    Connection::open(folder.file()).unwrap().execute("DELETE FROM daily", []).unwrap();
    let mut parts: Vec<Row> = Vec::new();
    for day in 20..24 {
        let at = |hour: u32| Some(time(&format!("2026-11-{day}T{hour:02}:00Z")));
        let end = Some(time(&format!("2026-11-{}T00:00Z", day + 1)));
        parts.extend(reader.summary(By::Key, at(0), at(12)).unwrap());
        parts.extend(reader.summary(By::Key, at(12), end).unwrap());
    }
    for row in whole {
        let mut sum = Totals::default();
        for part in parts.iter().filter(|part| part.name == row.name) {
            sum = sum.plus(part.totals);
        }
        assert_eq!(sum, row.totals, "{}", row.name);
    }
}

#[test]
fn spending_counts_from_the_moment_on() {
    let (_folder, reader) = filled();
    let spent = |scope, name, since| reader.spent(scope, name, time(since)).unwrap();
    assert_eq!(spent(Scope::Tenant, "a", "2026-11-01T00:00Z"), 321);
    assert_eq!(spent(Scope::Tenant, "a", "2026-11-21T00:00Z"), 320);
    assert_eq!(spent(Scope::Tenant, "a", "2026-11-21T00:00:00.001Z"), 300);
    assert_eq!(spent(Scope::Key, "b1", "2026-11-23T00:00Z"), 50_000);
    assert_eq!(spent(Scope::Key, "b1", "2026-11-22T07:00Z"), 54_000);
    assert_eq!(spent(Scope::Tenant, "b1", "2026-11-01T00:00Z"), 0, "scopes do not mix");
}
