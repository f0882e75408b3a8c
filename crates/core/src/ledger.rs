//! The usage ledger: one record of every accepted request, in SQLite.
//!
//! ```text
//! record     what is written down of a request
//! queue      the bounded queue between requests and the writer
//! writer     the handle that requests push into, and the thread that writes batches
//! desk       the writer's connection: opened, checked, mended, opened again
//! store      one batch as one transaction: records and sums
//! rows       records and their tries as rows, and the statements that write them
//! schema     tables, migrations, how a connection is set up
//! place      the file: made, recognised, moved aside
//! query      sums by tenant, key, model or day; what was spent
//! records    single records with their tries
//! retention  old records go in small steps, and their pages with them
//! metrics    handles
//! trouble    what SQLite can fail with, in closed words
//! ```
//!
//! Knows neither requests nor prices: a record comes filled in. A request never waits for the disk; what does
//! not fit the queue is dropped and counted.

mod desk;
pub mod metrics;
mod place;
pub mod query;
mod queue;
pub mod record;
mod records;
mod retention;
mod rows;
mod schema;
mod store;
#[cfg(test)]
mod testing;
pub mod trouble;
pub mod writer;

pub use metrics::LedgerMetrics;
pub use query::{By, Reader, Row, Scope, Totals};
pub use record::{AttemptRecord, Cost, Counted, TargetName, TokenSource, Tokens, UsageRecord};
pub use records::{Bought, StoredAttempt, StoredRecord};
pub use trouble::{LedgerError, Trouble};
pub use writer::{Ledger, LedgerStatus};

use sluice_config::model::Settings;
use std::path::PathBuf;

/// Name of the file in `state_dir`.
pub const FILE: &str = "usage.sqlite";

/// Records that a ledger in memory keeps.
const IN_MEMORY: u32 = 10_000;

/// Where a gateway keeps its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerPlace {
    /// In `state_dir`.
    File,
    /// In this process, and gone with it: the demo leaves nothing behind.
    Memory,
}

impl LedgerPlace {
    /// Opens the ledger of some settings.
    ///
    /// # Errors
    /// When it cannot be used at all.
    pub fn open(self, settings: &Settings, metrics: LedgerMetrics) -> Result<Ledger, LedgerError> {
        match self {
            Self::File => {
                // People read it: without the `.` of `./sluice-data` in its middle.
                let path: PathBuf = settings.state_dir.join(FILE).components().collect();
                Ledger::open(&path, settings.ledger.retention, metrics)
            }
            Self::Memory => Ledger::in_memory(IN_MEMORY, metrics),
        }
    }
}
