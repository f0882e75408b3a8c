//! The handle that requests push into, and the thread that writes.
//!
//! A push costs a short lock, whatever the disk does. The thread writes a batch every half second, or as soon as
//! some thousands of records wait; what it cannot write it keeps and tries again, while the queue behind it fills up
//! and then drops, counted.

use super::{
    desk::Desk,
    metrics::{Dropped, LedgerMetrics},
    place::Place,
    query::Reader,
    queue::{Batch, Limits, Next, Pushed, Queue},
    record::UsageRecord,
    schema,
    trouble::{LedgerError, Trouble},
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// 65,536 records: some 40 MiB while the disk is stuck.
const LIMITS: Limits = Limits { capacity: 65_536, batch: 4096, gather: Duration::from_millis(500) };

/// Between two tries: doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// Between two looks at what can wait.
const CHORES_EVERY: Duration = Duration::from_secs(10);

/// For the rest, when nobody closed the ledger.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// So that no sum of times overflows.
const MOST_PATIENCE: Duration = Duration::from_secs(86_400);

/// Names of ledgers in memory.
static IN_MEMORY: AtomicU64 = AtomicU64::new(0);

/// What an operator may see of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LedgerStatus {
    /// Could it be written to, the last time that was tried?
    up: bool,
    /// Records that wait to be written.
    queued: usize,
    /// Its path, or `memory`.
    place: String,
}

/// How much of the past is kept.
#[derive(Debug, Clone, Copy)]
struct Keep {
    time: SignedDuration,
    records: Option<u32>,
}

/// The usage ledger. Dropped without [`Ledger::close`], it writes the rest on its own, if the process lives on.
pub struct Ledger {
    queue: Arc<Queue>,
    metrics: LedgerMetrics,
    place: Place,
}

impl Ledger {
    /// Opens the ledger in a file, or makes it; records older than `retention` are removed bit by bit. A disk that
    /// is full or a file that is locked is no error here: it is tried again, as it would be later.
    ///
    /// # Errors
    /// When the file cannot be used at all: no access, or another program's database.
    pub fn open(path: &Path, retention: Duration, metrics: LedgerMetrics) -> Result<Self, LedgerError> {
        let time = SignedDuration::try_from(retention).unwrap_or(SignedDuration::MAX);
        Self::start(Place::File(path.to_owned()), Keep { time, records: None }, metrics, LIMITS, |_| ())
    }

    /// A ledger that ends with the process: the newest `cap` records, and the sums of all.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn in_memory(cap: u32, metrics: LedgerMetrics) -> Result<Self, LedgerError> {
        let name = format!("sluice-ledger-{}", IN_MEMORY.fetch_add(1, Ordering::Relaxed));
        let keep = Keep { time: SignedDuration::MAX, records: Some(cap) };
        Self::start(Place::Memory(name), keep, metrics, LIMITS, |_| ())
    }

    fn start(
        place: Place,
        keep: Keep,
        metrics: LedgerMetrics,
        limits: Limits,
        prepare: impl FnOnce(&Desk),
    ) -> Result<Self, LedgerError> {
        let mut desk = Desk::new(place.clone(), metrics.clone());
        prepare(&desk);
        open_first(&mut desk, &metrics)?;
        let queue = Arc::new(Queue::new(limits));
        let writer = Writer {
            queue: queue.clone(),
            metrics: metrics.clone(),
            desk,
            keep,
            well: true,
            dropped: metrics.all_dropped(),
            chored: None,
        };
        std::thread::Builder::new()
            .name("sluice-ledger".into())
            .spawn(move || writer.run())
            .map_err(LedgerError::Thread)?;
        Ok(Self { queue, metrics, place })
    }

    /// Hands a record over. Never waits for the disk; a record that finds no room is dropped and counted.
    pub fn push(&self, record: UsageRecord) {
        match self.queue.push(record) {
            Pushed::Taken => {}
            Pushed::Full => self.metrics.dropped(Dropped::QueueFull, 1),
            Pushed::Closed => self.metrics.dropped(Dropped::Closed, 1),
        }
    }

    /// Waits until all that was pushed before is in the file, at most `patience`. False when it is not. Blocks the
    /// thread: not for a runtime's worker.
    #[must_use]
    pub fn flush(&self, patience: Duration) -> bool {
        self.queue.flush(patience)
    }

    /// Writes the rest, for which there is `patience`, and ends. False when records were lost. What is pushed from
    /// now on is dropped. Blocks the thread: not for a runtime's worker.
    #[must_use]
    pub fn close(&self, patience: Duration) -> bool {
        let patience = patience.min(MOST_PATIENCE);
        self.queue.close(patience);
        // What is in SQLite's hands cannot be called back.
        self.queue.wait_gone(patience + schema::BUSY + Duration::from_millis(500))
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> LedgerStatus {
        LedgerStatus {
            up: self.metrics.is_up(),
            queued: self.queue.unsettled(),
            place: self.place.to_string(),
        }
    }

    /// Something that reads what has been written so far.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn reader(&self) -> Result<Reader, LedgerError> {
        Reader::at(&self.place)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.queue.close(LAST_PATIENCE);
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Tells a mistake of the operator's, which ends the start, from a disk's trouble, which does not. A damaged file
/// is seen twice before it is moved aside.
fn open_first(desk: &mut Desk, metrics: &LedgerMetrics) -> Result<(), LedgerError> {
    for _ in 0..3 {
        let Err(error) = desk.open_and_mend() else {
            metrics.up(true);
            return Ok(());
        };
        let trouble = error.trouble();
        metrics.failed(trouble);
        match trouble {
            Trouble::Corrupt => {}
            Trouble::Busy | Trouble::Full => break,
            Trouble::ReadOnly | Trouble::Io | Trouble::Other => return Err(error),
        }
    }
    metrics.up(false);
    Ok(())
}

/// The thread.
struct Writer {
    queue: Arc<Queue>,
    metrics: LedgerMetrics,
    desk: Desk,
    keep: Keep,
    /// Did the last try succeed?
    well: bool,
    /// Records dropped by the last look.
    dropped: u64,
    /// When the chores were last done to their end.
    chored: Option<Instant>,
}

impl Writer {
    fn run(mut self) {
        let mut batch = Batch::new();
        loop {
            match self.queue.next(&mut batch, CHORES_EVERY) {
                Next::Batch if self.settle(&batch) => batch.clear(),
                Next::Idle => {}
                Next::Batch | Next::Closed => break,
            }
            self.metrics.waiting(self.queue.unsettled());
            self.tell_drops();
            self.chores();
        }
    }

    /// Tries until the batch is written. False when there is no time left.
    fn settle(&mut self, batch: &[Box<UsageRecord>]) -> bool {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.desk.write(batch) {
                Ok(unwritable) => {
                    self.metrics.written(batch.len().saturating_sub(unwritable));
                    self.metrics.dropped(Dropped::Unwritable, unwritable);
                    // Before whoever waits for the batch is told.
                    self.told(true, None);
                    self.queue.settle(unwritable);
                    return true;
                }
                Err(error) => {
                    self.metrics.failed(error.trouble());
                    self.metrics.waiting(self.queue.unsettled());
                    self.told(false, Some(&error));
                    self.tell_drops();
                }
            }
            if self.queue.is_over() {
                return false;
            }
            self.queue.pause(pause);
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Tells when it begins to go wrong, and when it is well again; not each try between.
    fn told(&mut self, well: bool, error: Option<&LedgerError>) {
        self.metrics.up(well);
        if std::mem::replace(&mut self.well, well) == well {
            return;
        }
        match error {
            Some(error) => tracing::error!(%error, "usage records cannot be written; they wait in memory"),
            None => tracing::info!("usage records are written again"),
        }
    }

    fn tell_drops(&mut self) {
        let all = self.metrics.all_dropped();
        let records = all.saturating_sub(std::mem::replace(&mut self.dropped, all));
        if records > 0 {
            tracing::error!(records, "usage records were dropped");
        }
    }

    fn chores(&mut self) {
        if self.chored.is_some_and(|last| last.elapsed() < CHORES_EVERY) && self.keep.records.is_none() {
            return;
        }
        // The oldest instant that there is, where all are kept.
        let keep_from = Timestamp::now().checked_sub(self.keep.time).unwrap_or(Timestamp::MIN);
        while self.desk.chores(keep_from, self.keep.records) {
            // Requests go first.
            if self.queue.is_busy() {
                return;
            }
        }
        self.chored = Some(Instant::now());
    }
}

/// However the thread ends, nobody waits for it any longer.
impl Drop for Writer {
    fn drop(&mut self) {
        // Before anybody is told: a process that ends now must find one whole file behind it.
        self.desk.close();
        self.metrics.waiting(0);
        self.metrics.up(false);
        self.queue.leave(|left| {
            self.metrics.dropped(Dropped::Closed, left);
            if left > 0 {
                tracing::error!(records = left, "usage records were lost at the end");
            }
        });
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
