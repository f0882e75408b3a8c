//! Tables, migrations, and how a connection is set up.
//!
//! WAL with `synchronous = NORMAL`: a commit is in the operating system's hands, so that a killed process loses
//! none; when the machine loses power, commits since the last checkpoint can be lost (at most ten seconds' worth,
//! see `desk`), and the file is consistent all the same. WAL needs a local disk.
//!
//! Migrations only ever add, and statements name their columns: during an upgrade the older binary goes on writing
//! to the newer one's file. A layout that cannot keep to this gets a file of another name. What an older binary
//! reads of a newer file is right, and may lack what it does not know of: a try that its record tells.

use super::{place::Place, trouble::LedgerError};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::{path::Path, time::Duration};

/// "SLUC": tells our file from another program's.
const APPLICATION: i64 = 0x534C_5543;

/// How long a statement waits for another process's transaction.
pub(super) const BUSY: Duration = Duration::from_millis(500);

/// What each version adds. A step, once released, is never changed.
const STEPS: &[&str] = &["
CREATE TABLE records (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  at INTEGER NOT NULL,            -- end, milliseconds since 1970 UTC
  took_ms INTEGER NOT NULL,
  tenant TEXT NOT NULL,
  key TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  model TEXT,
  provider TEXT,
  upstream_model TEXT,
  stream INTEGER NOT NULL,
  status INTEGER NOT NULL,
  end TEXT NOT NULL,
  error_code TEXT,
  cache TEXT,
  source TEXT,                    -- provider | estimated; the classes are disjoint, reasoning is part of output
  input INTEGER,
  cache_read INTEGER,
  cache_write INTEGER,
  output INTEGER,
  reasoning INTEGER,
  cost INTEGER,                   -- 10^-9 USD
  prices TEXT,                    -- version of the price list
  tags TEXT,                      -- JSON object
  user TEXT,
  client TEXT
) STRICT;
CREATE INDEX records_at ON records (at);
CREATE TABLE attempts (
  record INTEGER NOT NULL,
  n INTEGER NOT NULL,
  provider TEXT NOT NULL,
  upstream_model TEXT NOT NULL,
  outcome TEXT NOT NULL,
  status INTEGER,
  reason TEXT,
  took_ms INTEGER NOT NULL,
  source TEXT,
  input INTEGER,
  cache_read INTEGER,
  cache_write INTEGER,
  output INTEGER,
  reasoning INTEGER,
  cost INTEGER,
  PRIMARY KEY (record, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE daily (
  day INTEGER NOT NULL,           -- days since 1970, UTC
  tenant TEXT NOT NULL,
  key TEXT NOT NULL,
  model TEXT NOT NULL,            -- empty: none
  requests INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  cache_hits INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,      -- tokens without a price
  input INTEGER NOT NULL,
  cache_read INTEGER NOT NULL,
  cache_write INTEGER NOT NULL,
  output INTEGER NOT NULL,
  reasoning INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  PRIMARY KEY (day, tenant, key, model)
) STRICT, WITHOUT ROWID;
CREATE TABLE spend (
  scope TEXT NOT NULL,            -- tenant | key
  name TEXT NOT NULL,
  day INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  PRIMARY KEY (scope, name, day)
) STRICT, WITHOUT ROWID;
", "
CREATE TABLE ledger (
  id TEXT NOT NULL                -- tells this ledger from others, wherever its file is
) STRICT;
INSERT INTO ledger VALUES (lower(hex(randomblob(8))));
", "
ALTER TABLE records ADD COLUMN
  tried_ms INTEGER                /* the only try, when the record tells all else of it; if not, see attempts */
;
CREATE VIEW tries AS              -- all of them
SELECT seq AS record, 1 AS n, provider, upstream_model, end AS outcome, status, NULL AS reason, tried_ms AS took_ms,
  source, input, cache_read, cache_write, output, reasoning, cost FROM records WHERE tried_ms IS NOT NULL
UNION ALL
SELECT record, n, provider, upstream_model, outcome, status, reason, took_ms, source, input, cache_read, cache_write,
  output, reasoning, cost FROM attempts;
"];

/// The version from which on a record may tell of its only try itself, and `tries` has them all.
pub(super) const TRIES: i64 = 3;

/// Opens the ledger for writing; makes it where there is none, and brings it up to date.
pub(super) fn open(place: &Place) -> Result<Connection, LedgerError> {
    // Turning a new file into a ledger is done by one process at a time.
    let _lock = place.lock()?;
    place.prepare()?;
    let mut connection = connect(place, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    if is_foreign(&connection)? {
        return Err(match place {
            Place::File(path) => LedgerError::Foreign { path: path.clone() },
            Place::Memory(_) => LedgerError::Missing { path: Path::new(":memory:").to_owned() },
        });
    }
    if !is_ours(&connection)? {
        // Takes effect only before the first table is there.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    // The answer is the mode; in memory there is only one.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -4096)?;
    // A reader that held up the checkpoints must not leave a large log behind for good.
    connection.pragma_update_and_check(None, "journal_size_limit", 32 << 20, |row| row.get::<_, i64>(0))?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Opens the ledger for reading.
pub(super) fn open_to_read(place: &Place) -> Result<Connection, LedgerError> {
    if let Place::File(path) = place
        && place.identity().is_none()
    {
        return Err(LedgerError::Missing { path: path.clone() });
    }
    // A log that the last writer left behind has to be read in, which writes; a file that may only be read is
    // still worth a try.
    let connection = match connect(place, OpenFlags::SQLITE_OPEN_READ_WRITE) {
        Ok(connection) => connection,
        Err(_) => connect(place, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
    };
    connection.pragma_update(None, "query_only", true)?;
    if let Place::File(path) = place {
        if is_foreign(&connection)? {
            return Err(LedgerError::Foreign { path: path.clone() });
        }
        if !is_ours(&connection)? {
            return Err(LedgerError::Missing { path: path.clone() });
        }
    }
    Ok(connection)
}

fn connect(place: &Place, access: OpenFlags) -> Result<Connection, rusqlite::Error> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match place {
        Place::File(path) => Connection::open_with_flags(path, flags)?,
        Place::Memory(name) => Connection::open_with_flags(
            format!("file:/{name}?vfs=memdb"),
            flags | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_URI,
        )?,
    };
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(32);
    // The first look into the file: one that is no database fails here.
    number(&connection, "PRAGMA schema_version")?;
    Ok(connection)
}

fn is_ours(connection: &Connection) -> Result<bool, rusqlite::Error> {
    Ok(number(connection, "PRAGMA application_id")? == APPLICATION)
}

fn is_foreign(connection: &Connection) -> Result<bool, rusqlite::Error> {
    Ok(!is_ours(connection)? && number(connection, "SELECT count(*) FROM sqlite_schema")? > 0)
}

fn migrate(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    migrate_to(connection, STEPS)
}

fn migrate_to(connection: &mut Connection, steps: &[&str]) -> Result<(), rusqlite::Error> {
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    if number(connection, "PRAGMA user_version")? >= known {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Asked again: only now is it certain that nobody else is at it.
    let version = number(&transaction, "PRAGMA user_version")?;
    for step in steps.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    if version < known {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", known)?;
    }
    transaction.commit()
}

/// The one number that a statement answers with.
pub(super) fn number(connection: &Connection, sql: &str) -> Result<i64, rusqlite::Error> {
    connection.query_row(sql, [], |row| row.get(0))
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
