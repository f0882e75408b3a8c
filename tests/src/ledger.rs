//! The usage records that a gateway has left, read from its file as anybody would.

use crate::{
    gateway::{Config, Gateway},
    soon,
};
use rusqlite::{Connection, OpenFlags, types::Value as Cell};
use serde_json::{Map, Value};
use sluice_core::{
    LedgerPlace,
    ledger::{By, FILE, Totals},
};
use std::{
    ops::Deref,
    path::{Path, PathBuf},
    time::Duration,
};

/// What a flush may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway in this process that keeps its ledger in a folder of its own.
pub struct Bookkeeper {
    gateway: Gateway,
    folder: tempfile::TempDir,
}

impl Bookkeeper {
    /// Starts a gateway.
    pub async fn start(config: &Config) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config.clone().state_dir(folder.path());
        let yaml = config.yaml("127.0.0.1:0", "127.0.0.1:0");
        Self { gateway: Gateway::start_keeping(&yaml, LedgerPlace::File).await, folder }
    }

    /// The ledger's file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    /// All records of the requests so far, the oldest first, once none is under way. Fails the test unless there are
    /// so many, and unless sums and metrics agree with them.
    pub async fn records(&self, expected: usize) -> Vec<Value> {
        soon("no request under way", async {
            while self.gateway.ask_admin("/status").await.json()["requests_in_flight"] != 0 {}
        })
        .await;
        assert!(self.gateway.running.app.ledger().flush(PATIENCE), "records were lost");
        let records = records(&self.file());
        assert_eq!(records.len(), expected, "{records:#?}");
        self.sums_agree(&records);
        self.metrics_agree(&records).await;
        records
    }

    /// The only record.
    pub async fn record(&self) -> Value {
        self.records(1).await.remove(0)
    }

    /// Stops the gateway; what its ledger holds then, in a file that is whole.
    pub async fn stop(self, delay: Duration, drain: Duration) -> Vec<Value> {
        let Self { gateway, folder } = self;
        gateway.running.stop(delay, drain).await;
        let file = folder.path().join(FILE);
        assert!(!folder.path().join(format!("{FILE}-wal")).exists(), "closing leaves one file");
        records(&file)
    }

    /// What the ledger says itself is what its records add up to.
    fn sums_agree(&self, records: &[Value]) {
        let reader = self.gateway.running.app.ledger().reader().expect("a reader");
        for by in [By::Tenant, By::Key, By::Model, By::Day] {
            let rows = reader.summary(by, None, None).expect("a summary");
            let all = rows.iter().fold(Totals::default(), |sum, row| Totals {
                requests: sum.requests + row.totals.requests,
                errors: sum.errors + row.totals.errors,
                cache_hits: sum.cache_hits + row.totals.cache_hits,
                unpriced: sum.unpriced + row.totals.unpriced,
                tokens: sum.tokens.plus(row.totals.tokens),
                nano_usd: sum.nano_usd + row.totals.nano_usd,
            });
            let count =
                |fits: &dyn Fn(&Value) -> bool| records.iter().filter(|record| fits(record)).count() as u64;
            assert_eq!(all.requests, records.len() as u64, "{by:?}");
            assert_eq!(all.errors, count(&|r| r["end"] != "ok" && r["end"] != "cancelled"), "{by:?}");
            assert_eq!(
                all.cache_hits,
                count(&|r| r["cache"] == "hit" || r["cache"] == "coalesced"),
                "{by:?}"
            );
            assert_eq!(all.unpriced, count(&|r| r["cost"].is_null() && !r["input"].is_null()), "{by:?}");
            let tokens = all.tokens;
            for (column, total) in [
                ("input", tokens.input),
                ("cache_read", tokens.cache_read),
                ("cache_write", tokens.cache_write),
                ("output", tokens.output),
                ("reasoning", tokens.reasoning),
                ("cost", all.nano_usd),
            ] {
                assert_eq!(total, sum(records, column), "{column} {by:?}");
            }
        }
    }

    /// What is on dashboards is what is in the ledger.
    async fn metrics_agree(&self, records: &[Value]) {
        let text = self.gateway.ask_admin("/metrics").await.expect(200).text();
        let total = |family: &str, label: &str| {
            let lines = text.lines().filter_map(|line| line.strip_prefix(family)?.strip_prefix('{'));
            let values = lines.filter(|line| line.contains(label)).filter_map(|line| line.rsplit_once(' '));
            values.map(|(_, value)| value.parse::<f64>().expect("a number")).sum::<f64>()
        };
        for kind in ["input", "output", "cache_read", "cache_write"] {
            let (label, expected) = (format!("type=\"{kind}\""), sum(records, kind) as f64);
            assert_eq!(total("sluice_tokens_total", &label), expected, "{kind}");
            assert_eq!(total("sluice_key_tokens_total", &label), expected, "{kind} by key");
        }
        let expected = sum(records, "cost") as f64 / 1e9;
        for family in ["sluice_cost_usd_total", "sluice_key_cost_usd_total"] {
            assert!((total(family, "") - expected).abs() < 1e-9, "{family}: {expected}");
        }
        assert_eq!(total("sluice_key_requests_total", ""), records.len() as f64);
    }
}

fn sum(records: &[Value], column: &str) -> u64 {
    records.iter().filter_map(|record| record[column].as_u64()).sum()
}

impl Deref for Bookkeeper {
    type Target = Gateway;
    fn deref(&self) -> &Gateway {
        &self.gateway
    }
}

/// All records in a file, each with its `attempts`, the oldest first.
#[must_use]
pub fn records(file: &Path) -> Vec<Value> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).expect("a ledger");
    connection.busy_timeout(PATIENCE).expect("a connection");
    let mut records = rows(&connection, "SELECT * FROM records ORDER BY seq");
    let attempts = rows(&connection, "SELECT * FROM tries ORDER BY record, n");
    for record in &mut records {
        let own = attempts.iter().filter(|attempt| attempt["record"] == record["seq"]).cloned();
        record["attempts"] = own.collect();
        // Where the file keeps a try's time: the try has it.
        record.as_object_mut().expect("a row").remove("tried_ms");
    }
    records
}

fn rows(connection: &Connection, sql: &str) -> Vec<Value> {
    let mut statement = connection.prepare(sql).expect("SQL");
    let names: Vec<String> = statement.column_names().map(Into::into).collect();
    let row = |row: &rusqlite::Row<'_>| {
        let cells = names.iter().enumerate().map(|(at, name)| Ok((name.clone(), json(row.get(at)?))));
        cells.collect::<Result<Map<_, _>, rusqlite::Error>>().map(Value::Object)
    };
    let rows = statement.query_map([], row).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

fn json(cell: Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(number) => number.into(),
        Cell::Real(number) => number.into(),
        Cell::Text(text) => text.into(),
        Cell::Blob(_) => panic!("no column holds bytes"),
    }
}
