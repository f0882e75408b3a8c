//! The writer's connection: opened, mended, and opened again.
//!
//! Whatever happens to the file happens here: it was removed or exchanged under us, it is damaged, the disk is full
//! and then is not. Knows one batch at a time; what to do until it is written is `writer`'s.

use super::{
    metrics::LedgerMetrics,
    place::{Identity, Place},
    record::UsageRecord,
    retention, schema, store,
    trouble::{LedgerError, Trouble},
};
use jiff::Timestamp;
use rusqlite::Connection;
use std::time::{Duration, Instant};

/// After a power cut at most this much is missing.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);

pub(super) struct Desk {
    place: Place,
    metrics: LedgerMetrics,
    open: Option<Open>,
    /// The file that was found damaged, once.
    suspect: Option<Identity>,
    checkpointed: Instant,
    /// Something was committed since.
    dirty: bool,
    #[cfg(test)]
    pub(super) most_pages: std::sync::Arc<std::sync::atomic::AtomicU32>,
}

struct Open {
    connection: Connection,
    identity: Option<Identity>,
}

impl Desk {
    pub(super) fn new(place: Place, metrics: LedgerMetrics) -> Self {
        Self {
            place,
            metrics,
            open: None,
            suspect: None,
            checkpointed: Instant::now(),
            dirty: false,
            #[cfg(test)]
            most_pages: std::sync::Arc::default(),
        }
    }

    /// Makes sure that the file at the path is the one that is open.
    fn open(&mut self) -> Result<(), LedgerError> {
        let now = self.place.identity();
        // Removed or exchanged: what is written to the old one nobody will find.
        self.open.take_if(|open| open.identity != now);
        if self.open.is_none() {
            let connection = schema::open(&self.place)?;
            self.open = Some(Open { connection, identity: self.place.identity() });
        }
        Ok(())
    }

    /// Opens, and on failure sees to it that the next try has a chance.
    pub(super) fn open_and_mend(&mut self) -> Result<(), LedgerError> {
        self.try_with(|_| Ok(()))
    }

    /// Does something with the connection; on failure sees to it that the next try has a chance.
    fn try_with<T>(
        &mut self,
        what: impl FnOnce(&mut Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, LedgerError> {
        let done = self.open().and_then(|()| match &mut self.open {
            Some(open) => what(&mut open.connection).map_err(LedgerError::from),
            None => Err(LedgerError::Database(rusqlite::Error::InvalidQuery)),
        });
        match &done {
            Ok(_) => self.suspect = None,
            Err(error) => self.mend(error.trouble()),
        }
        done
    }

    /// Writes a batch; tells how many of its records cannot be written.
    pub(super) fn write(&mut self, batch: &[Box<UsageRecord>]) -> Result<usize, LedgerError> {
        #[cfg(test)]
        let most_pages = self.most_pages.load(std::sync::atomic::Ordering::Relaxed);
        let unwritable = self.try_with(|connection| {
            #[cfg(test)]
            if most_pages > 0 {
                connection.query_row(&format!("PRAGMA max_page_count = {most_pages}"), [], |_| Ok(()))?;
            }
            store::write(connection, batch)
        })?;
        self.dirty = true;
        Ok(unwritable)
    }

    /// What can wait; each call does a little of it. True when there is more.
    pub(super) fn chores(&mut self, keep_from: Timestamp, most_records: Option<u32>) -> bool {
        if self.dirty && self.checkpointed.elapsed() >= CHECKPOINT_EVERY {
            self.checkpoint();
        }
        let tidied = self.try_with(|connection| retention::step(connection, keep_from, most_records));
        match tidied {
            Ok(more) => {
                self.dirty |= more;
                more
            }
            Err(error) => {
                let trouble = error.trouble();
                self.metrics.failed(trouble);
                // Another process at its own batch is no trouble.
                if trouble != Trouble::Busy {
                    tracing::warn!(%error, "old usage records cannot be removed");
                }
                false
            }
        }
    }

    /// Brings the log into the file and the file onto the disk.
    fn checkpoint(&mut self) {
        self.checkpointed = Instant::now();
        self.dirty = false;
        let passive = |connection: &mut Connection| {
            connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
        };
        if let Err(error) = self.try_with(passive) {
            self.metrics.failed(error.trouble());
            self.dirty = true;
        }
    }

    /// Lets go of the file; the last one to do so brings the log into it.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    fn mend(&mut self, trouble: Trouble) {
        if trouble.keeps_connection() {
            return;
        }
        let identity = self.open.take().map_or_else(|| self.place.identity(), |open| open.identity);
        let (Trouble::Corrupt, Some(identity)) = (trouble, identity) else { return };
        // Seen by a second connection as well: it is the file, not what one connection made of it.
        if self.suspect.replace(identity) != Some(identity) {
            return;
        }
        self.suspect = None;
        match self.place.move_aside(identity) {
            Ok(Some(aside)) => tracing::error!(
                aside = %aside.display(),
                "the usage ledger is damaged and was moved aside; a new one is begun"
            ),
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "the usage ledger is damaged and cannot be moved aside"),
        }
    }
}
