//! The bounded queue between requests and the writer.
//!
//! A push is a short lock and a pointer's move; while the writer keeps up, no room is ever asked for. The writer is
//! woken when the first record of a batch comes and when the batch is full, not once per record. Owns the order and
//! the counts; does not know what becomes of a batch.

use super::record::UsageRecord;
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Records that are written together. They stay where they are: what moves under the lock are pointers, not half a
/// kilobyte each.
pub(super) type Batch = Vec<Box<UsageRecord>>;

/// Sizes and times of a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Records that may be unwritten.
    pub(super) capacity: usize,
    /// Records that are written together.
    pub(super) batch: usize,
    /// How long a batch is gathered.
    pub(super) gather: Duration,
}

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It will be written.
    Taken,
    /// No room.
    Full,
    /// Nobody writes any more.
    Closed,
}

/// What the writer has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Write the batch.
    Batch,
    /// Nothing came.
    Idle,
    /// The end.
    Closed,
}

pub(super) struct Queue {
    limits: Limits,
    state: Mutex<State>,
    /// The writer waits here.
    work: Condvar,
    /// Whoever waits for the writer waits here.
    settled: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Box<UsageRecord>>,
    /// Records in the writer's hands.
    held: usize,
    /// Records taken so far, and those of them that are written or lost. Their difference is `waiting` and `held`.
    taken: u64,
    settled: u64,
    /// Records taken and lost.
    lost: u64,
    /// Somebody waits until this many are settled.
    wanted: u64,
    /// Counts the flushes, each of which cuts a pause short.
    flushes: u64,
    /// When the writer has to give up.
    closing: Option<Instant>,
    /// The writer is gone.
    gone: bool,
    sleep: Sleep,
}

/// What the writer sleeps for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Sleep {
    #[default]
    Awake,
    /// The first record.
    First,
    /// The rest of a batch.
    Rest,
}

impl State {
    fn unsettled(&self) -> usize {
        self.waiting.len().saturating_add(self.held)
    }

    /// Does somebody wait for a record that is still in the queue?
    fn hurry(&self) -> bool {
        let held = u64::try_from(self.held).unwrap_or(u64::MAX);
        self.settled.saturating_add(held) < self.wanted
    }
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        // For one batch that fills while another is written. All places are used in turn: more of them would be memory
        // that every request moves on through. The queue grows where a disk holds the writer up.
        let room = limits.capacity.min(2 * limits.batch);
        let state = State { waiting: VecDeque::with_capacity(room), ..State::default() };
        Self { limits, state: Mutex::new(state), work: Condvar::new(), settled: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a record, or drops it.
    pub(super) fn push(&self, record: UsageRecord) -> Pushed {
        let record = Box::new(record);
        let mut state = self.lock();
        if state.gone || state.closing.is_some() {
            // What a record holds is given back outside of the lock.
            drop(state);
            return Pushed::Closed;
        }
        if state.unsettled() >= self.limits.capacity {
            drop(state);
            return Pushed::Full;
        }
        state.waiting.push_back(record);
        state.taken += 1;
        let wake = match state.sleep {
            Sleep::Awake => false,
            Sleep::First => true,
            Sleep::Rest => state.waiting.len() >= self.limits.batch,
        };
        if wake {
            state.sleep = Sleep::Awake;
        }
        drop(state);
        if wake {
            self.work.notify_one();
        }
        Pushed::Taken
    }

    /// Waits for the next batch, at most `idle` for its first record.
    pub(super) fn next(&self, batch: &mut Batch, idle: Duration) -> Next {
        let mut state = self.lock();
        if state.waiting.is_empty() {
            state.sleep = Sleep::First;
            let nothing = |s: &mut State| s.waiting.is_empty() && s.closing.is_none();
            state = self.wait(state, idle, nothing);
            if state.waiting.is_empty() {
                return if state.closing.is_some() { Next::Closed } else { Next::Idle };
            }
        }
        let size = self.limits.batch;
        let partly = |s: &mut State| s.waiting.len() < size && s.closing.is_none() && !s.hurry();
        if partly(&mut state) {
            state.sleep = Sleep::Rest;
            state = self.wait(state, self.limits.gather, partly);
        }
        let count = state.waiting.len().min(size);
        batch.extend(state.waiting.drain(..count));
        state.held = batch.len();
        Next::Batch
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        limit: Duration,
        on: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'a, State> {
        let waited = self.work.wait_timeout_while(state, limit, on);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.sleep = Sleep::Awake;
        state
    }

    /// The batch is done with; `lost` of its records are not in the file.
    pub(super) fn settle(&self, lost: usize) {
        let mut state = self.lock();
        state.settled += u64::try_from(state.held).unwrap_or(u64::MAX);
        state.lost += u64::try_from(lost).unwrap_or(u64::MAX);
        state.held = 0;
        drop(state);
        self.settled.notify_all();
    }

    /// Waits before the next try. A flush cuts it short, and so does the beginning of the end.
    pub(super) fn pause(&self, time: Duration) {
        let state = self.lock();
        let (flushes, closing) = (state.flushes, state.closing.is_some());
        let left = state.closing.map(|end| end.saturating_duration_since(Instant::now()));
        let time = left.map_or(time, |left| left.min(time));
        let quiet = |s: &mut State| s.flushes == flushes && s.closing.is_some() == closing;
        drop(self.wait(state, time, quiet));
    }

    /// Records that are not settled.
    pub(super) fn unsettled(&self) -> usize {
        self.lock().unsettled()
    }

    /// Is a whole batch waiting?
    pub(super) fn is_busy(&self) -> bool {
        let state = self.lock();
        state.waiting.len() >= self.limits.batch || state.closing.is_some() || state.hurry()
    }

    /// Is there no time left to try again?
    pub(super) fn is_over(&self) -> bool {
        self.lock().closing.is_some_and(|end| end <= Instant::now())
    }

    /// Waits until all that was pushed before is written, at most `patience`. False when it is not.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let mut state = self.lock();
        let (target, lost) = (state.taken, state.lost);
        state.wanted = state.wanted.max(target);
        state.flushes += 1;
        self.work.notify_one();
        let open = |s: &mut State| s.settled < target && !s.gone;
        let waited = self.settled.wait_timeout_while(state, patience, open);
        let state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.settled >= target && state.lost == lost
    }

    /// Takes nothing more. The writer has `patience` for the rest.
    pub(super) fn close(&self, patience: Duration) {
        let end = Instant::now() + patience;
        let mut state = self.lock();
        state.closing = Some(state.closing.map_or(end, |before| before.min(end)));
        drop(state);
        self.work.notify_one();
    }

    /// Waits until the writer is gone, at most `limit`. False when it is not, or leaves records behind.
    pub(super) fn wait_gone(&self, limit: Duration) -> bool {
        let state = self.lock();
        let lost = state.lost;
        let waited = self.settled.wait_timeout_while(state, limit, |s| !s.gone);
        let state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.gone && state.lost == lost
    }

    /// The writer goes. `tell` is told how many records it leaves behind, before anybody else knows.
    pub(super) fn leave(&self, tell: impl FnOnce(usize)) {
        let mut state = self.lock();
        let left = std::mem::take(&mut state.waiting);
        let count = left.len().saturating_add(state.held);
        state.held = 0;
        state.settled = state.taken;
        state.lost += u64::try_from(count).unwrap_or(u64::MAX);
        state.gone = true;
        tell(count);
        drop(state);
        self.settled.notify_all();
    }
}
