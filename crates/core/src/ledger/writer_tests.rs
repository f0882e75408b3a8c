use super::super::{
    query::By,
    testing::{
        Families, Folder, file_of_second_process, metrics, names, record, second_process, sleep, until,
    },
};
use super::*;
use rusqlite::Connection;
use std::{
    io::{BufRead, BufReader, Write},
    sync::atomic::AtomicU32,
};

const LONG: Duration = Duration::from_secs(20);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn open(folder: &Folder) -> (Ledger, Families) {
    let (metrics, families) = metrics();
    (Ledger::open(&folder.file(), YEAR, metrics).unwrap(), families)
}

fn open_small(folder: &Folder, limits: Limits) -> (Ledger, Families, Arc<AtomicU32>) {
    let (metrics, families) = metrics();
    let keep = Keep { time: SignedDuration::try_from(YEAR).unwrap(), records: None };
    let mut most_pages = Arc::default();
    let take = |desk: &Desk| most_pages = desk.most_pages.clone();
    let ledger = Ledger::start(Place::File(folder.file()), keep, metrics, limits, take).unwrap();
    (ledger, families, most_pages)
}

fn count(path: &Path) -> i64 {
    number(path, "SELECT count(*) FROM records")
}

fn number(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn assert_sound(path: &Path) {
    let word: String =
        Connection::open(path).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(word, "ok");
    assert_eq!(
        number(path, "SELECT count(*) FROM records"),
        number(path, "SELECT coalesce(sum(requests), 0) FROM daily"),
        "records and sums go together"
    );
    assert_eq!(
        number(path, "SELECT count(*) FROM records"),
        number(
            path,
            "SELECT count(*) FROM records WHERE (tried_ms IS NULL) = (seq IN (SELECT record FROM attempts))"
        ),
        "and so do their tries"
    );
}

#[test]
fn every_push_of_eight_threads_is_in_the_file() {
    let folder = Folder::new();
    let (ledger, families) = open(&folder);
    let keys = names("key", 20);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (ledger, keys) = (&ledger, &keys);
            scope.spawn(move || {
                for n in 0..12_500 {
                    let mut record = record(&format!("{thread}-{n}"));
                    record.key = keys[n % 20].clone();
                    // As requests do: no faster than they can be written for ever.
                    while ledger.queue.unsettled() > 60_000 {
                        sleep(Duration::from_millis(1));
                    }
                    ledger.push(record);
                }
            });
        }
    });
    assert!(ledger.flush(LONG));
    assert_eq!(families.written.get(), 100_000);
    assert_eq!(number(&folder.file(), "SELECT count(DISTINCT id) FROM records"), 100_000);
    let rows = ledger.reader().unwrap().summary(By::Key, None, None).unwrap();
    assert_eq!(rows.len(), 20);
    assert!(rows.iter().all(|row| row.totals.requests == 5000 && row.totals.nano_usd == 500_000));
    assert!(ledger.close(LONG));
    assert!(folder.named("-wal").is_empty(), "closing leaves one file");
    assert_sound(&folder.file());
}

#[test]
fn a_record_is_in_the_file_within_a_second() {
    let folder = Folder::new();
    let (ledger, families) = open(&folder);
    for n in 0..3 {
        let pushed = Instant::now();
        ledger.push(record(&n.to_string()));
        until("written", || families.written.get() == n + 1);
        assert!(pushed.elapsed() < Duration::from_secs(1), "{:?}", pushed.elapsed());
    }
    assert_eq!(count(&folder.file()), 3);
}

#[test]
fn a_flush_does_not_wait_for_the_batch_to_fill() {
    let folder = Folder::new();
    let limits = Limits { gather: LONG, ..LIMITS };
    let (ledger, ..) = open_small(&folder, limits);
    ledger.push(record("a"));
    let asked = Instant::now();
    assert!(ledger.flush(LONG));
    assert!(asked.elapsed() < LONG / 4);
    assert_eq!(count(&folder.file()), 1);
    assert!(ledger.flush(Duration::ZERO), "nothing to wait for");
}

#[test]
fn closing_writes_the_rest_and_ends() {
    let folder = Folder::new();
    let limits = Limits { gather: LONG, batch: 7, ..LIMITS };
    let (ledger, families, _) = open_small(&folder, limits);
    for n in 0..100 {
        ledger.push(record(&n.to_string()));
    }
    assert!(ledger.close(LONG));
    assert_eq!(count(&folder.file()), 100);
    ledger.push(record("late"));
    assert_eq!((families.dropped("closed"), families.up.get()), (1, 0));
}

#[test]
fn a_locked_file_holds_up_nobody_and_loses_nothing() {
    let folder = Folder::new();
    let (ledger, families) = open(&folder);
    let other = Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut slowest = Duration::ZERO;
    for n in 0..5000 {
        let record = record(&n.to_string());
        let pushed = Instant::now();
        ledger.push(record);
        slowest = slowest.max(pushed.elapsed());
    }
    assert!(slowest < Duration::from_millis(250), "{slowest:?}");
    assert!(!ledger.flush(Duration::from_millis(1500)));
    until("told", || families.errors("busy") > 0 && families.up.get() == 0);
    assert!(families.waiting.get() > 0);
    other.execute_batch("COMMIT").unwrap();
    assert!(ledger.flush(LONG));
    assert_eq!((count(&folder.file()), families.up.get()), (5000, 1));
    assert_eq!(families.dropped("queue_full"), 0);
}

#[test]
fn a_disk_that_takes_its_time_does_not_slow_a_push_down() {
    let folder = Folder::new();
    let (ledger, families) = open(&folder);
    let ended = std::sync::atomic::AtomicBool::new(false);
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        // Whatever the writer wants takes up to 300 ms.
        scope.spawn(|| {
            let other = Connection::open(folder.file()).unwrap();
            while !ended.load(Ordering::Relaxed) {
                other.execute_batch("BEGIN IMMEDIATE").unwrap();
                sleep(Duration::from_millis(300));
                other.execute_batch("COMMIT").unwrap();
                sleep(Duration::from_millis(20));
            }
        });
        for n in 0..20_000 {
            let record = record(&n.to_string());
            let pushed = Instant::now();
            ledger.push(record);
            times.push(pushed.elapsed());
            if n % 10 == 0 {
                sleep(Duration::from_millis(1));
            }
        }
        ended.store(true, Ordering::Relaxed);
    });
    times.sort();
    let (middle, late) = (times[10_000], times[19_980]);
    println!("push: median {middle:?}, 99.9 % {late:?}, slowest {:?}", times[19_999]);
    assert!(middle < Duration::from_micros(50) && late < Duration::from_millis(100), "{middle:?} {late:?}");
    assert!(ledger.flush(LONG));
    assert_eq!((count(&folder.file()), families.dropped("queue_full")), (20_000, 0));
}

#[test]
fn a_full_disk_fills_the_queue_then_drops_and_counts_and_recovers() {
    let folder = Folder::new();
    let limits = Limits { capacity: 3000, batch: 100, gather: Duration::from_millis(10) };
    let (ledger, families, most_pages) = open_small(&folder, limits);
    most_pages.store(40, Ordering::Relaxed);
    for n in 0..10_000 {
        ledger.push(record(&n.to_string()));
        if n % 100 == 0 {
            sleep(Duration::from_millis(1));
        }
    }
    until("full", || families.errors("full") > 0 && families.up.get() == 0);
    let dropped = families.dropped("queue_full");
    assert!(dropped > 0);
    let written = i64::try_from(families.written.get()).unwrap();
    assert_eq!(count(&folder.file()), written, "a batch is in the file whole or not at all");
    most_pages.store(1_000_000, Ordering::Relaxed);
    assert!(ledger.flush(LONG));
    assert_eq!(families.up.get(), 1);
    assert_eq!(families.written.get() + dropped, 10_000, "written or counted");
    assert!(ledger.close(LONG));
    assert_sound(&folder.file());
}

#[test]
fn the_end_comes_even_when_the_disk_stays_full() {
    let folder = Folder::new();
    let limits = Limits { capacity: 3000, batch: 100, gather: Duration::from_millis(10) };
    let (ledger, families, most_pages) = open_small(&folder, limits);
    most_pages.store(10, Ordering::Relaxed);
    for n in 0..1000 {
        ledger.push(record(&n.to_string()));
    }
    until("full", || families.errors("full") > 0);
    let asked = Instant::now();
    assert!(!ledger.close(Duration::from_millis(300)));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert_eq!(families.written.get() + families.dropped("closed"), 1000);
}

#[test]
fn a_damaged_file_is_moved_aside_and_a_new_one_begun() {
    let folder = Folder::new();
    let (ledger, families) = open(&folder);
    for n in 0..2000 {
        ledger.push(record(&n.to_string()));
    }
    assert!(ledger.flush(LONG));
    number(&folder.file(), "PRAGMA wal_checkpoint(TRUNCATE)");
    let size = std::fs::metadata(folder.file()).unwrap().len();
    // The other process is a shell: closing a file of our own would drop SQLite's locks.
    let command = format!("head -c {size} /dev/urandom | dd of={} conv=notrunc", folder.file().display());
    let done = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
    assert!(done.status.success());
    for n in 0..2000 {
        ledger.push(record(&format!("new-{n}")));
    }
    assert!(ledger.flush(LONG));
    assert!(families.errors("corrupt") >= 2, "seen twice");
    assert_eq!(families.up.get(), 1);
    assert!(ledger.close(LONG));
    assert_sound(&folder.file());
    let kept = count(&folder.file());
    assert!(kept > 0 && kept <= 2000, "{kept}");
    assert_eq!(folder.aside().len(), 1);
}

#[test]
fn a_file_that_is_no_database_does_not_stop_the_start() {
    let folder = Folder::new();
    std::fs::write(folder.file(), "not a database at all, but long enough to be taken for one".repeat(100))
        .unwrap();
    let (ledger, families) = open(&folder);
    ledger.push(record("a"));
    assert!(ledger.flush(LONG));
    assert_eq!((count(&folder.file()), families.up.get()), (1, 1));
    let aside = folder.aside();
    assert_eq!(aside.len(), 1);
    assert!(std::fs::read(&aside[0]).unwrap().starts_with(b"not a database"), "nothing is thrown away");
}

#[test]
fn another_program_s_database_is_left_alone() {
    let folder = Folder::new();
    Connection::open(folder.file()).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    let (metrics, _) = metrics();
    let error = Ledger::open(&folder.file(), YEAR, metrics).unwrap_err();
    assert!(matches!(error, LedgerError::Foreign { .. }), "{error}");
    assert_eq!(number(&folder.file(), "SELECT count(*) FROM theirs"), 0);
}

#[test]
fn a_path_that_cannot_be_used_is_told_at_the_start() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("plain"), "").unwrap();
    let (metrics, _) = metrics();
    let error = Ledger::open(&folder.path().join("plain/usage.db"), YEAR, metrics).unwrap_err();
    assert!(error.to_string().contains("plain"), "{error}");
}

#[test]
fn a_file_that_was_removed_is_made_again() {
    let folder = Folder::new();
    let (ledger, _) = open(&folder);
    ledger.push(record("a"));
    assert!(ledger.flush(LONG));
    for path in folder.named("usage.db") {
        std::fs::remove_file(path).unwrap();
    }
    ledger.push(record("b"));
    assert!(ledger.flush(LONG));
    assert_eq!(count(&folder.file()), 1, "b is where it is looked for");
}

#[test]
fn a_file_that_another_process_exchanged_is_followed() {
    let folder = Folder::new();
    let (first, _) = open(&folder);
    let (second, families) = open(&folder);
    for ledger in [&first, &second] {
        ledger.push(record("old"));
        assert!(ledger.flush(LONG));
    }
    let identity = first.place.identity().unwrap();
    assert!(first.place.move_aside(identity).unwrap().is_some());
    assert!(second.place.move_aside(identity).unwrap().is_none(), "it is not that file any more");
    for _ in 0..3 {
        for ledger in [&first, &second] {
            ledger.push(record("new"));
            assert!(ledger.flush(LONG));
        }
    }
    assert_eq!(families.written.get(), 4);
    assert!(first.close(Duration::MAX) && second.close(Duration::MAX));
    assert_eq!(count(&folder.file()), 6);
    assert_sound(&folder.file());
    assert_eq!(count(&folder.aside()[0]), 2);
}

#[test]
fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let (metrics, _) = metrics();
    let file = folder.path().join("state/usage.db");
    let ledger = Ledger::open(&file, YEAR, metrics).unwrap();
    ledger.push(record("a"));
    assert!(ledger.flush(LONG));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("state")), 0o700);
    for end in ["", "-wal", "-shm", ".lock"] {
        assert_eq!(mode(&folder.path().join(format!("state/usage.db{end}"))), 0o600, "{end}");
    }
}

#[test]
fn memory_keeps_the_newest_records_and_all_sums() {
    let (metrics, families) = metrics();
    let ledger = Ledger::in_memory(1500, metrics).unwrap();
    let (other_metrics, _) = super::super::testing::metrics();
    let other = Ledger::in_memory(10, other_metrics).unwrap();
    for n in 0..10_000 {
        ledger.push(record(&n.to_string()));
    }
    assert!(ledger.flush(LONG));
    let rows = ledger.reader().unwrap().summary(By::Tenant, None, None).unwrap();
    assert_eq!(rows[0].totals.requests, 10_000);
    assert!(other.reader().unwrap().summary(By::Tenant, None, None).unwrap().is_empty(), "not shared");
    let reader = Connection::open_with_flags(
        match &ledger.place {
            Place::Memory(name) => format!("file:/{name}?vfs=memdb"),
            Place::File(_) => String::new(),
        },
        rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_URI,
    )
    .unwrap();
    until("the oldest go", || {
        let (first, records): (Option<i64>, i64) = reader
            .query_row("SELECT min(CAST(id AS INTEGER)), count(*) FROM records", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap_or_default();
        records == 1500 && first == Some(8500)
    });
    assert_eq!(families.dropped("queue_full"), 0);
}

/// Pushes until it is killed, and tells now and then how far it is.
#[test]
#[ignore = "the process that another test kills"]
fn pushes_until_it_is_killed() {
    let Some(file) = file_of_second_process() else { return };
    let (metrics, _) = metrics();
    let ledger = Ledger::open(&file, YEAR, metrics).unwrap();
    for n in 0_u64.. {
        ledger.push(record(&n.to_string()));
        // Too few for full batches: what is lost is up to the time that a batch is gathered.
        if n % 10 == 0 {
            writeln!(std::io::stdout(), "at {n}").unwrap();
            sleep(Duration::from_millis(40));
        }
    }
}

/// Pushes a certain number, flushes and leaves.
#[test]
#[ignore = "the process that another test runs beside itself"]
fn pushes_beside_another() {
    let Some(file) = file_of_second_process() else { return };
    let (metrics, _) = metrics();
    let ledger = Ledger::open(&file, YEAR, metrics).unwrap();
    for n in 0..20_000 {
        ledger.push(record(&format!("{}-{n}", std::process::id())));
        if n % 20 == 0 {
            sleep(Duration::from_millis(1));
        }
    }
    assert!(ledger.close(LONG));
}

#[test]
fn a_killed_process_loses_at_most_the_last_second() {
    const TEST: &str = "ledger::writer::tests::pushes_until_it_is_killed";
    for moment in [2450, 2700] {
        let folder = Folder::new();
        let mut child = second_process(TEST, &folder.file());
        let mut told: Vec<(Instant, i64)> = Vec::new();
        let mut first = None;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            // The test harness writes on the same line.
            let Some((_, at)) = line.split_once("at ") else { continue };
            let Ok(at) = at.parse() else { continue };
            told.push((Instant::now(), at));
            let first = *first.get_or_insert_with(Instant::now);
            if first.elapsed() > Duration::from_millis(moment) {
                break;
            }
        }
        child.kill().unwrap();
        let killed = Instant::now();
        child.wait().unwrap();
        assert_sound(&folder.file());
        let kept = count(&folder.file());
        let last = number(&folder.file(), "SELECT max(CAST(id AS INTEGER)) FROM records");
        assert_eq!(last, kept - 1, "no gaps: what is lost is the end");
        let (_, by_then) =
            told.iter().rev().find(|(at, _)| killed.duration_since(*at) > Duration::from_secs(1)).unwrap();
        println!("kept {kept} of {}, a second before the end {by_then}", told.last().unwrap().1);
        assert!(last >= *by_then, "{last} of {by_then}");
        // Life goes on in the same file.
        let (ledger, _) = open(&folder);
        ledger.push(record(&kept.to_string()));
        assert!(ledger.close(LONG));
        assert_eq!(count(&folder.file()), kept + 1);
    }
}

#[test]
fn two_processes_write_to_one_file() {
    const TEST: &str = "ledger::writer::tests::pushes_beside_another";
    let folder = Folder::new();
    let mut children: Vec<_> = (0..2).map(|_| second_process(TEST, &folder.file())).collect();
    let (ledger, families) = open(&folder);
    for n in 0..20_000 {
        ledger.push(record(&format!("own-{n}")));
        if n % 20 == 0 {
            sleep(Duration::from_millis(1));
        }
    }
    assert!(ledger.flush(LONG));
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(number(&folder.file(), "SELECT count(DISTINCT id) FROM records"), 60_000);
    assert_eq!(families.dropped("queue_full"), 0);
    assert!(ledger.close(LONG));
    assert_sound(&folder.file());
}
