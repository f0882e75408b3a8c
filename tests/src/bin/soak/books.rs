//! What is written down of the requests, by whom ever: the gateway's log and ledger, and the mock's counts.

use crate::plan;
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    time::Duration,
};

/// Tokens of so many answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
pub(crate) struct Tokens {
    pub(crate) answers: u64,
    #[serde(rename = "input_tokens")]
    pub(crate) input: u64,
    /// Those of the input that were told to be cached.
    #[serde(rename = "cached_tokens", default)]
    pub(crate) cached: u64,
    #[serde(rename = "output_tokens")]
    pub(crate) output: u64,
}

impl Tokens {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            answers: self.answers + other.answers,
            input: self.input + other.input,
            cached: self.cached + other.cached,
            output: self.output + other.output,
        }
    }

    /// What is left without those; nothing where there are more of them.
    pub(crate) fn without(self, other: Self) -> Self {
        Self {
            answers: self.answers.saturating_sub(other.answers),
            input: self.input.saturating_sub(other.input),
            cached: self.cached.saturating_sub(other.cached),
            output: self.output.saturating_sub(other.output),
        }
    }
}

/// What the mock counted.
#[derive(Deserialize)]
pub(crate) struct Spent {
    pub(crate) requests: u64,
    pub(crate) in_flight: u64,
    by_model_tokens: BTreeMap<String, OfModel>,
}

/// Of one model: answers that were sent whole, and answers that broke off.
#[derive(Clone, Copy, Default, Deserialize)]
pub(crate) struct OfModel {
    pub(crate) finished: Tokens,
    pub(crate) cut: Tokens,
}

impl Spent {
    pub(crate) fn of(&self, model: &str) -> OfModel {
        self.by_model_tokens.get(model).copied().unwrap_or_default()
    }
}

/// The log lines of accepted requests: when each was written.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) lines: Vec<(u32, Timestamp)>,
}

#[derive(Deserialize)]
struct Line<'a> {
    time: &'a str,
    request_id: Option<&'a str>,
    key: Option<&'a str>,
}

impl Log {
    /// Reads the lines that name a key: who has none was not let in.
    pub(crate) fn read(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut log = Self::default();
        for file in files {
            let file = std::fs::File::open(&file).expect("a log");
            for line in BufReader::new(file).split(b'\n') {
                let line = line.expect("a line");
                // A killed gateway may leave half of one.
                let Ok(Line { time, request_id: Some(id), key: Some(_) }) = serde_json::from_slice(&line)
                else {
                    continue;
                };
                let number = plan::number(id).unwrap_or_else(|| panic!("a strange id: {id}"));
                log.lines.push((number, time.parse().expect("a time")));
            }
        }
        log
    }
}

/// The ledger's file, read as anybody would.
pub(crate) struct Ledger(Connection);

impl Ledger {
    pub(crate) fn open(path: &Path) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).expect("a ledger");
        connection.busy_timeout(Duration::from_secs(10)).expect("a connection");
        Self(connection)
    }

    /// The numbers of the requests that have a record, as often as they have one.
    pub(crate) fn ids(&self) -> Vec<u32> {
        let mut statement = self.0.prepare("SELECT id FROM records").expect("SQL");
        let ids = statement.query_map([], |row| row.get::<_, String>(0)).expect("records");
        ids.map(|id| id.expect("an id"))
            .map(|id| plan::number(&id).unwrap_or_else(|| panic!("a strange id: {id}")))
            .collect()
    }

    /// The one number that a statement answers with.
    pub(crate) fn number(&self, sql: &str) -> u64 {
        self.0.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a number") as u64
    }

    /// The one text that a statement answers with.
    pub(crate) fn text(&self, sql: &str) -> String {
        self.0.query_row(sql, [], |row| row.get(0)).expect("a text")
    }

    /// Tokens that tries at an upstream's model have used, by who counted them; without a source: tries of which
    /// nothing is known.
    pub(crate) fn bought(&self, model: &str, source: Option<&str>) -> Tokens {
        let sql = "SELECT count(*), coalesce(sum(input + cache_read + cache_write), 0), \
                   coalesce(sum(cache_read), 0), coalesce(sum(output), 0) \
                   FROM tries WHERE upstream_model = ?1 AND source IS ?2";
        let row = self.0.query_row(sql, (model, source), |row| {
            let number = |column| row.get::<_, i64>(column).map(|number| number as u64);
            Ok(Tokens { answers: number(0)?, input: number(1)?, cached: number(2)?, output: number(3)? })
        });
        row.expect("sums")
    }

    /// Sums over records by one of their columns, in the order of `checks::SUMS`.
    pub(crate) fn sums_by(&self, column: &str, sums: &[(&str, &str)]) -> BTreeMap<String, Vec<u64>> {
        let expressions: Vec<&str> = sums.iter().map(|(_, sql)| *sql).collect();
        let sql = format!("SELECT {column}, {} FROM records GROUP BY 1", expressions.join(", "));
        let mut statement = self.0.prepare(&sql).expect("SQL");
        let rows = statement.query_map([], |row| {
            let name = row.get::<_, Option<String>>(0)?.unwrap_or_default();
            let numbers = (1..=sums.len()).map(|at| row.get::<_, i64>(at).map(|number| number as u64));
            Ok((name, numbers.collect::<Result<_, _>>()?))
        });
        rows.expect("sums").map(|row| row.expect("a row")).collect()
    }

    /// How often tries at upstreams ended in which way; the most frequent first.
    pub(crate) fn outcomes(&self) -> Vec<(String, u64)> {
        self.counts("SELECT outcome, count(*) FROM tries GROUP BY 1 ORDER BY 2 DESC")
    }

    /// The same of requests.
    pub(crate) fn ends(&self) -> Vec<(String, u64)> {
        self.counts("SELECT end, count(*) FROM records GROUP BY 1 ORDER BY 2 DESC")
    }

    fn counts(&self, sql: &str) -> Vec<(String, u64)> {
        let mut statement = self.0.prepare(sql).expect("SQL");
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)));
        rows.expect("counts").map(|row| row.expect("a row")).collect()
    }
}
