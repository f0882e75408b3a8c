//! The log sink: lines go into one bounded buffer and a thread of its own writes them out.
//!
//! A request never waits for a disk or a pipe. When the writer cannot keep up, lines are dropped and
//! counted. Owns the buffer and the thread; does not know what a line says.

use std::{
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Bytes that may wait to be written.
const CAPACITY: usize = 8 << 20;

/// Room that an empty buffer keeps.
const KEPT: usize = 256 << 10;

/// While lines keep coming the writer wakes this often instead of once per line, so that a line costs a
/// short lock and a copy, not a system call and a thread switch.
const GATHER: Duration = Duration::from_millis(20);

/// So many bytes are written without waiting for more.
const PLENTY: usize = KEPT;

/// Where log lines go. Cheap to clone.
#[derive(Clone)]
pub struct LogSink {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    written: Condvar,
    dropped: AtomicU64,
    discard: bool,
}

#[derive(Default)]
struct State {
    pending: Vec<u8>,
    /// Bytes taken so far, and those of them that are written or lost.
    taken: u64,
    settled: u64,
    /// Somebody waits until this many are settled.
    wanted: u64,
    /// The writer sleeps, and is woken when so many bytes are pending.
    sleeps_until: Option<usize>,
}

impl State {
    /// Does somebody wait for what is pending?
    fn hurry(&self) -> bool {
        self.settled < self.wanted
    }
}

impl LogSink {
    /// Lines go to standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self::to(Box::new(io::stdout()))
    }

    /// Lines go to `out`, written by a thread of their own.
    #[must_use]
    pub fn to(out: Box<dyn Write + Send>) -> Self {
        let sink = Self::with(false);
        let shared = sink.shared.clone();
        let spawned =
            std::thread::Builder::new().name("sluice-log".into()).spawn(move || write_lines(&shared, out));
        // Without a thread there is nobody to write: better no log than no gateway.
        if spawned.is_err() { Self::with(true) } else { sink }
    }

    /// Lines are dropped, uncounted.
    #[must_use]
    pub fn discard() -> Self {
        Self::with(true)
    }

    /// Lines are kept in memory, for tests.
    #[must_use]
    pub fn memory() -> (Self, MemoryLog) {
        let log = MemoryLog { sink: None, lines: Arc::default() };
        let sink = Self::to(Box::new(log.clone()));
        (sink.clone(), MemoryLog { sink: Some(sink), ..log })
    }

    fn with(discard: bool) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                arrived: Condvar::new(),
                written: Condvar::new(),
                dropped: AtomicU64::new(0),
                discard,
            }),
        }
    }

    /// Takes whole lines, each with its line feed. Never waits for the output.
    pub fn push(&self, lines: &[u8]) {
        if self.shared.discard {
            return;
        }
        let mut state = self.shared.lock();
        if state.pending.len() + lines.len() > CAPACITY {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.pending.extend_from_slice(lines);
        state.taken += lines.len() as u64;
        let wake = state.sleeps_until.is_some_and(|bytes| state.pending.len() >= bytes);
        if wake {
            state.sleeps_until = None;
        }
        drop(state);
        if wake {
            self.shared.arrived.notify_one();
        }
    }

    /// Lines dropped so far because the output was too slow.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Waits until everything pushed so far is written, at most `limit`.
    pub fn flush(&self, limit: Duration) {
        let mut state = self.shared.lock();
        let target = state.taken;
        if state.settled == target {
            return;
        }
        state.wanted = target;
        self.shared.arrived.notify_one();
        let busy = |state: &mut State| state.settled < target;
        drop(
            self.shared
                .written
                .wait_timeout_while(state, limit, busy)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }
}

impl Write for LogSink {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.push(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writer sleeps until so many bytes are pending, somebody waits for them, or the time is over.
    fn sleep<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        bytes: usize,
        limit: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        state.sleeps_until = Some(bytes);
        let on = |state: &mut State| state.pending.len() < bytes && !state.hurry();
        let mut state = match limit {
            Some(limit) => {
                let waited = self.arrived.wait_timeout_while(state, limit, on);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.arrived.wait_while(state, on).unwrap_or_else(PoisonError::into_inner),
        };
        state.sleeps_until = None;
        state
    }
}

fn write_lines(shared: &Shared, mut out: Box<dyn Write + Send>) {
    let mut batch = Vec::new();
    loop {
        let mut state = shared.lock();
        if state.pending.is_empty() {
            state = shared.sleep(state, 1, None);
        }
        std::mem::swap(&mut state.pending, &mut batch);
        drop(state);
        // A full disk or a closed pipe loses lines, never requests.
        if out.write_all(&batch).and_then(|()| out.flush()).is_err() {
            let lines = batch.iter().filter(|byte| **byte == b'\n').count();
            shared.dropped.fetch_add(lines as u64, Ordering::Relaxed);
        }
        let mut state = shared.lock();
        let waited_for = state.hurry();
        state.settled += batch.len() as u64;
        if waited_for {
            shared.written.notify_all();
        }
        batch.clear();
        // One burst must not keep its memory for ever.
        batch.shrink_to(KEPT);
        drop(shared.sleep(state, PLENTY, Some(GATHER)));
    }
}

/// What [`LogSink::memory`] collected.
#[derive(Clone)]
pub struct MemoryLog {
    sink: Option<LogSink>,
    lines: Arc<Mutex<Vec<u8>>>,
}

impl MemoryLog {
    /// All lines so far.
    #[must_use]
    pub fn text(&self) -> String {
        if let Some(sink) = &self.sink {
            sink.flush(Duration::from_secs(2));
        }
        String::from_utf8_lossy(&self.lines.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for MemoryLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_arrive_whole_and_in_order() {
        let (sink, log) = LogSink::memory();
        for i in 0..1000 {
            sink.push(format!("line {i}\n").as_bytes());
        }
        let text = log.text();
        assert_eq!(text.lines().count(), 1000);
        assert!(text.starts_with("line 0\nline 1\n") && text.ends_with("line 999\n"));
        assert_eq!(sink.dropped(), 0);
    }

    #[test]
    fn a_line_appears_soon_without_being_asked_for_and_at_once_when_it_is() {
        let (sink, log) = LogSink::memory();
        let arrived = || String::from_utf8(log.lines.lock().unwrap().clone()).unwrap();
        for line in ["first\n", "second\n", "third\n"] {
            sink.push(line.as_bytes());
            let pushed = std::time::Instant::now();
            while !arrived().ends_with(line) {
                assert!(pushed.elapsed() < Duration::from_secs(5), "{line}");
                std::thread::yield_now();
            }
        }
        let asked = std::time::Instant::now();
        for _ in 0..1000 {
            sink.push(b"line\n");
            sink.flush(Duration::from_secs(5));
        }
        assert_eq!(arrived().lines().count(), 1003);
        assert!(asked.elapsed() < GATHER * 500, "a flush does not wait for more: {:?}", asked.elapsed());
    }

    /// An output that takes a batch for each message, and for good what comes after the last sender.
    struct Gate(std::sync::mpsc::Receiver<()>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().ok();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_flush_waits_for_what_was_pushed_before_it_and_no_longer() {
        let (gate, blocked) = std::sync::mpsc::channel();
        let sink = LogSink::to(Box::new(Gate(blocked)));
        sink.push(b"before\n");
        let asked = std::time::Instant::now();
        std::thread::scope(|scope| {
            let flush = scope.spawn(|| sink.flush(Duration::from_secs(60)));
            while sink.shared.lock().wanted == 0 {
                std::thread::yield_now();
            }
            sink.push(b"after\n");
            assert!(!flush.is_finished());
            gate.send(()).unwrap();
        });
        assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
    }

    #[test]
    fn a_blocked_output_drops_lines_and_counts_them_and_never_blocks_the_caller() {
        let (_keep, blocked) = std::sync::mpsc::channel();
        let sink = LogSink::to(Box::new(Gate(blocked)));
        let line = vec![b'x'; 1 << 20];
        for _ in 0..20 {
            sink.push(&line);
        }
        assert!(
            sink.dropped() >= 3,
            "8 MiB are kept and 1 MiB may be in the writer's hands: {}",
            sink.dropped()
        );
    }
}
