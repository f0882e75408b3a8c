//! Old records go in small steps, and the pages that they leave behind go back to the file system.
//!
//! A step is one short transaction, so that neither our own batches nor another process wait for it.

use super::store::DAY;
use jiff::Timestamp;
use rusqlite::{Connection, Error, TransactionBehavior, params};

/// Records that a step removes.
const STEP: i64 = 500;

/// Pages that a step gives back.
const PAGES: i64 = 256;

/// Sums of a day are kept at least this long, however short the records' time: a budget of a month needs them.
const SUM_DAYS: i64 = 32;

/// Removes some of what is older than `keep_from`, and of what is beyond `most_records`. True when there may be
/// more.
pub(super) fn step(
    connection: &mut Connection,
    keep_from: Timestamp,
    most_records: Option<u32>,
) -> Result<bool, Error> {
    let before = keep_from.as_millisecond();
    let mut more = remove_old(connection, before)?;
    if let Some(most) = most_records {
        more |= remove_beyond(connection, most)?;
    }
    remove_sums(connection, before)?;
    Ok(more || give_back(connection)?)
}

fn remove_old(connection: &mut Connection, before: i64) -> Result<bool, Error> {
    let oldest: Option<i64> =
        connection.prepare_cached("SELECT min(at) FROM records")?.query_row([], |row| row.get(0))?;
    if oldest.is_none_or(|oldest| oldest >= before) {
        return Ok(false);
    }
    remove(connection, "SELECT seq FROM records WHERE at < ?1 ORDER BY at, seq LIMIT ?2", before)
}

/// For a ledger in memory.
fn remove_beyond(connection: &mut Connection, most: u32) -> Result<bool, Error> {
    // Nothing but the oldest is ever removed, so that the numbers have no gaps.
    let (oldest, newest) = connection
        .prepare_cached("SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM records")?
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    let last = newest.saturating_sub(i64::from(most));
    if oldest > last {
        return Ok(false);
    }
    remove(connection, "SELECT seq FROM records WHERE seq <= ?1 ORDER BY seq LIMIT ?2", last)
}

fn remove(connection: &mut Connection, which: &str, bound: i64) -> Result<bool, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let attempts = format!("DELETE FROM attempts WHERE record IN ({which})");
    transaction.prepare_cached(&attempts)?.execute(params![bound, STEP])?;
    let records = format!("DELETE FROM records WHERE seq IN ({which})");
    let removed = transaction.prepare_cached(&records)?.execute(params![bound, STEP])?;
    transaction.commit()?;
    Ok(i64::try_from(removed).unwrap_or(STEP) >= STEP)
}

fn remove_sums(connection: &Connection, before: i64) -> Result<(), Error> {
    let today = Timestamp::now().as_millisecond().div_euclid(DAY);
    // A day that is partly kept keeps its sum.
    let day = before.div_euclid(DAY).min(today.saturating_sub(SUM_DAYS));
    let old = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM daily WHERE day < ?1)")?
        .query_row([day], |row| row.get::<_, bool>(0))?;
    if old {
        connection.prepare_cached("DELETE FROM daily WHERE day < ?1")?.execute([day])?;
        connection.prepare_cached("DELETE FROM spend WHERE day < ?1")?.execute([day])?;
    }
    Ok(())
}

/// Free pages are used again by the next records; only when they are many is the file cut shorter.
fn give_back(connection: &Connection) -> Result<bool, Error> {
    let number = |sql: &str| connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0));
    let free = number("PRAGMA freelist_count")?;
    if free < PAGES || free.saturating_mul(8) < number("PRAGMA page_count")? {
        return Ok(false);
    }
    // Every row of the answer is a page that was given back: it has to be read to its end.
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut pages = statement.query([])?;
    while pages.next()?.is_some() {}
    Ok(true)
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
