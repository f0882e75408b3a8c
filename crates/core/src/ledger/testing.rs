//! What the ledger's tests share: folders, records, metrics, and a second process.

use super::{
    metrics::LedgerMetrics,
    record::{AttemptRecord, Cost, Counted, TargetName, TokenSource, Tokens, UsageRecord},
};
use crate::telemetry::labels::{AttemptOutcome, CacheResult, EndpointLabel, Outcome};
use jiff::Timestamp;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts};
use smallvec::smallvec;
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A folder that goes with its owner.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("sluice-ledger-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn file(&self) -> PathBuf {
        self.0.join("usage.db")
    }

    /// Databases that were moved aside.
    pub(super) fn aside(&self) -> Vec<PathBuf> {
        let of_another =
            |path: &PathBuf| ["-wal", "-shm"].iter().any(|end| path.to_string_lossy().ends_with(end));
        self.named("corrupt").into_iter().filter(|path| !of_another(path)).collect()
    }

    /// The files in it whose names contain `part`.
    pub(super) fn named(&self, part: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.to_string_lossy().contains(part)).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// A ledger's families, to read from.
pub(super) struct Families {
    pub(super) written: IntCounter,
    pub(super) dropped: IntCounterVec,
    pub(super) errors: IntCounterVec,
    pub(super) waiting: IntGauge,
    pub(super) up: IntGauge,
}

impl Families {
    pub(super) fn dropped(&self, reason: &str) -> u64 {
        self.dropped.with_label_values(&[reason]).get()
    }

    pub(super) fn errors(&self, kind: &str) -> u64 {
        self.errors.with_label_values(&[kind]).get()
    }
}

pub(super) fn metrics() -> (LedgerMetrics, Families) {
    let families = Families {
        written: IntCounter::new("written", "w").unwrap(),
        dropped: IntCounterVec::new(Opts::new("dropped", "d"), &["reason"]).unwrap(),
        errors: IntCounterVec::new(Opts::new("errors", "e"), &["kind"]).unwrap(),
        waiting: IntGauge::new("waiting", "w").unwrap(),
        up: IntGauge::new("up", "u").unwrap(),
    };
    let metrics = LedgerMetrics::new(
        families.written.clone(),
        &families.dropped,
        families.errors.clone(),
        families.waiting.clone(),
        families.up.clone(),
    );
    (metrics, families)
}

/// A good answer of one attempt: 10 + 5 tokens for 100 nano-dollars.
pub(super) fn record(id: &str) -> UsageRecord {
    let counted = Counted {
        tokens: Tokens { input: 10, cache_read: 3, cache_write: 2, output: 5, reasoning: 1 },
        source: TokenSource::Provider,
    };
    let target = TargetName { provider: "acme".into(), model: "big-1".into() };
    UsageRecord {
        id: id.into(),
        ended: Timestamp::now(),
        took: Duration::from_millis(1234),
        tenant: "search".into(),
        key: "search-web".into(),
        endpoint: EndpointLabel::Chat,
        model: Some("smart".into()),
        target: Some(target.clone()),
        stream: true,
        status: 200,
        end: Outcome::Ok,
        error_code: None,
        cache: Some(CacheResult::Miss),
        attempts: smallvec![AttemptRecord {
            target,
            outcome: AttemptOutcome::Ok,
            status: Some(200),
            reason: None,
            took: Duration::from_millis(1200),
            counted: Some(counted),
            nano_usd: Some(100),
        }],
        counted: Some(counted),
        cost: Some(Cost { nano_usd: 100, prices: "2026-11".into() }),
        tags: Box::default(),
        user: None,
        client: Some([192, 0, 2, 7].into()),
    }
}

/// The same after a first try that failed: of two tries no record can tell.
pub(super) fn record_of_two(id: &str) -> UsageRecord {
    let mut record = record(id);
    let mut first = record.attempts[0].clone();
    (first.outcome, first.status, first.reason) = (AttemptOutcome::ConnectError, None, Some("refused"));
    (first.counted, first.nano_usd) = (None, None);
    record.attempts.insert(0, first);
    record
}

/// Runs a test of this binary, marked as ignored, as a process of its own, with its output to be read.
pub(super) fn second_process(test: &str, file: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
        .env(FILE, file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The file that a second process is to use; absent in a run of all ignored tests.
pub(super) fn file_of_second_process() -> Option<PathBuf> {
    std::env::var_os(FILE).map(PathBuf::from)
}

const FILE: &str = "SLUICE_TEST_LEDGER";

#[expect(clippy::disallowed_methods, reason = "a test thread may sleep")]
pub(super) fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// Waits until it is so.
pub(super) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !so() {
        assert!(Instant::now() < end, "{what}");
        sleep(Duration::from_millis(5));
    }
}

/// Shared names, as a configuration's.
pub(super) fn names(prefix: &str, count: usize) -> Vec<Arc<str>> {
    (0..count).map(|n| Arc::from(format!("{prefix}-{n}"))).collect()
}
