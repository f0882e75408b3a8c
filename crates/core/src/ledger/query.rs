//! What the ledger tells: sums by tenant, key, model or day, and what was spent.
//!
//! Whole days come from the daily sums, the rest of a range from the records: the answer is exact to the
//! millisecond and does not grow slower with every request. Reads never hold up the writer.

use super::{place::Place, record::Tokens, schema, store::DAY, trouble::LedgerError};
use jiff::{Timestamp, tz::TimeZone};
use rusqlite::{Connection, Error, Row as Found, params};
use std::path::Path;

/// What a row stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A tenant.
    Tenant,
    /// A key.
    Key,
    /// A configured model.
    Model,
    /// A day in UTC.
    Day,
}

impl By {
    const fn column(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Key => "key",
            Self::Model => "model",
            Self::Day => "day",
        }
    }
}

/// Whose spending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A tenant's.
    Tenant,
    /// A key's.
    Key,
}

impl Scope {
    const fn column(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Key => "key",
        }
    }
}

/// One line of a summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The tenant, key or model, or the day as `2026-11-23`. Empty: requests for no configured model.
    pub name: String,
    /// Its sums.
    pub totals: Totals,
}

/// Sums over requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Accepted requests.
    pub requests: u64,
    /// Those that ended neither well nor by the client's leaving.
    pub errors: u64,
    /// Those that were answered from the response cache, or shared another's answer.
    pub cache_hits: u64,
    /// Those with tokens and no price: the cost is understated.
    pub unpriced: u64,
    /// Tokens bought.
    pub tokens: Tokens,
    /// 10⁻⁹ USD.
    pub nano_usd: u64,
}

impl Totals {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            errors: self.errors.saturating_add(other.errors),
            cache_hits: self.cache_hits.saturating_add(other.cache_hits),
            unpriced: self.unpriced.saturating_add(other.unpriced),
            tokens: self.tokens.plus(other.tokens),
            nano_usd: self.nano_usd.saturating_add(other.nano_usd),
        }
    }
}

const SUMS: &str = "sum(requests), sum(errors), sum(cache_hits), sum(unpriced), sum(input), sum(cache_read),
  sum(cache_write), sum(output), sum(reasoning), sum(cost)";

const OF_DAYS: &str =
    "SELECT day, tenant, key, model, requests, errors, cache_hits, unpriced, input, cache_read,
  cache_write, output, reasoning, cost FROM daily WHERE day >= ?1 AND day < ?2";

/// The same columns from a single record; has to agree with what `store` adds up.
const OF_RECORDS: &str = "SELECT at / 86400000 AS day, tenant, key, coalesce(model, '') AS model, 1 AS requests,
  end NOT IN ('ok', 'cancelled') AS errors, coalesce(cache IN ('hit', 'coalesced'), 0) AS cache_hits,
  cost IS NULL AND input IS NOT NULL AS unpriced, coalesce(input, 0) AS input,
  coalesce(cache_read, 0) AS cache_read, coalesce(cache_write, 0) AS cache_write, coalesce(output, 0) AS output,
  coalesce(reasoning, 0) AS reasoning, coalesce(cost, 0) AS cost FROM records";

/// Reads a ledger, while others write to it or not.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

impl Reader {
    /// Opens the ledger in a file.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        Self::at(&Place::File(path.to_owned()))
    }

    pub(super) fn at(place: &Place) -> Result<Self, LedgerError> {
        Ok(Self { connection: schema::open_to_read(place)? })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What tells this ledger from others, wherever its file is.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn id(&self) -> Result<String, LedgerError> {
        Ok(self.connection.query_row("SELECT id FROM ledger", [], |row| row.get(0))?)
    }

    /// Sums from `since` up to, not including, `until`; the dearest first, days in order.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn summary(
        &self,
        by: By,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Vec<Row>, LedgerError> {
        let column = by.column();
        let order = if by == By::Day { "1" } else { "11 DESC, 2 DESC, 1" };
        let sql = format!(
            "SELECT {column}, {SUMS} FROM ({OF_DAYS}
             UNION ALL {OF_RECORDS} WHERE at >= ?3 AND at < ?4
             UNION ALL {OF_RECORDS} WHERE at >= ?5 AND at < ?6)
             GROUP BY 1 ORDER BY {order}"
        );
        let range = Range::new(since, until);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(
            params![range.days.0, range.days.1, range.head.0, range.head.1, range.tail.0, range.tail.1],
            |found| row(by, found),
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What a tenant or a key has spent since a moment, in nano-dollars. Takes a few rows when the moment is a
    /// midnight in UTC, as those of budgets are.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn spent(&self, scope: Scope, name: &str, since: Timestamp) -> Result<u64, LedgerError> {
        let column = scope.column();
        let range = Range::new(Some(since), None);
        let mut days = self.connection.prepare_cached(
            "SELECT coalesce(sum(cost), 0) FROM spend WHERE scope = ?1 AND name = ?2 AND day >= ?3",
        )?;
        let whole: i64 = days.query_row(params![column, name, range.days.0], |found| found.get(0))?;
        let mut part = 0;
        if range.head.0 < range.head.1 {
            let sql = format!(
                "SELECT coalesce(sum(cost), 0) FROM records WHERE at >= ?1 AND at < ?2 AND {column} = ?3"
            );
            let mut records = self.connection.prepare_cached(&sql)?;
            part = records
                .query_row(params![range.head.0, range.head.1, name], |found| found.get::<_, i64>(0))?;
        }
        Ok(count(whole).saturating_add(count(part)))
    }
}

/// A range of time in three: the end of a day, whole days, the beginning of a day. Each is half open.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    head: (i64, i64),
    days: (i64, i64),
    tail: (i64, i64),
}

impl Range {
    fn new(since: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        let since = since.map_or(0, millis).max(0);
        let first = since.div_euclid(DAY) + i64::from(since.rem_euclid(DAY) > 0);
        let Some(until) = until.map(millis) else {
            return Self { head: (since, first * DAY), days: (first, i64::MAX), tail: (0, 0) };
        };
        let last = until.div_euclid(DAY);
        if first <= last {
            Self { head: (since, first * DAY), days: (first, last), tail: (last * DAY, until) }
        } else {
            Self { head: (since, until), days: (0, 0), tail: (0, 0) }
        }
    }
}

fn row(by: By, found: &Found<'_>) -> Result<Row, Error> {
    let name = if by == By::Day { date(found.get(0)?) } else { found.get(0)? };
    let number = |column: usize| found.get::<_, i64>(column).map(count);
    Ok(Row {
        name,
        totals: Totals {
            requests: number(1)?,
            errors: number(2)?,
            cache_hits: number(3)?,
            unpriced: number(4)?,
            tokens: Tokens {
                input: number(5)?,
                cache_read: number(6)?,
                cache_write: number(7)?,
                output: number(8)?,
                reasoning: number(9)?,
            },
            nano_usd: number(10)?,
        },
    })
}

/// A day as it is written.
fn date(day: i64) -> String {
    let start = Timestamp::from_millisecond(day.saturating_mul(DAY)).unwrap_or(Timestamp::UNIX_EPOCH);
    start.to_zoned(TimeZone::UTC).date().to_string()
}

/// Rounded up: a record of the same millisecond may be of an earlier microsecond.
pub(super) fn millis(time: Timestamp) -> i64 {
    time.as_millisecond() + i64::from(time.as_nanosecond().rem_euclid(1_000_000) > 0)
}

/// Nothing in the ledger is negative.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
