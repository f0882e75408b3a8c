use super::super::{
    query::Reader,
    records::StoredRecord,
    store,
    testing::{Folder, record, record_of_two},
};
use super::*;

#[test]
fn a_new_file_is_a_ledger_in_wal_mode_that_can_give_pages_back() {
    let folder = Folder::new();
    let connection = open(&Place::File(folder.file())).unwrap();
    let word = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(word("PRAGMA journal_mode"), "wal");
    assert_eq!(number(&connection, "PRAGMA synchronous").unwrap(), 1);
    assert_eq!(number(&connection, "PRAGMA auto_vacuum").unwrap(), 2);
    assert_eq!(number(&connection, "PRAGMA user_version").unwrap(), 3);
    assert!(is_ours(&connection).unwrap());
}

#[test]
fn an_older_gateway_goes_on_writing_to_a_newer_file() {
    let folder = Folder::new();
    let place = Place::File(folder.file());
    let newer = open(&place).unwrap();
    newer
        .execute_batch(
            "ALTER TABLE records ADD COLUMN region TEXT; CREATE TABLE more (a); PRAGMA user_version = 9",
        )
        .unwrap();
    let mut older = open(&place).unwrap();
    assert_eq!(store::write(&mut older, &[Box::new(record("a"))]).unwrap(), 0);
    assert_eq!(number(&older, "PRAGMA user_version").unwrap(), 9, "never back");
}

#[test]
fn an_older_file_is_read_as_it_is_and_goes_on_as_a_newer_one() {
    let folder = Folder::new();
    let place = Place::File(folder.file());
    place.prepare().unwrap();
    let mut older = connect(&place, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    migrate_to(&mut older, &STEPS[..2]).unwrap();
    // As that version wrote: each record's tries apart.
    older
        .execute_batch(
            "INSERT INTO records (id, at, took_ms, tenant, key, endpoint, provider, upstream_model, stream, status, end)
             VALUES ('old', 1000, 7, 't', 'k', 'chat', 'acme', 'big-1', 0, 200, 'ok');
             INSERT INTO attempts (record, n, provider, upstream_model, outcome, status, took_ms)
             VALUES (1, 1, 'acme', 'big-1', 'rate_limited', 429, 2), (1, 2, 'acme', 'big-1', 'ok', 200, 5)",
        )
        .unwrap();
    let told = || {
        let records = Reader::open(&folder.file()).unwrap().records(None, None, 9).unwrap();
        let tries = |record: &StoredRecord| {
            record
                .attempts
                .iter()
                .map(|tried| tried.took.as_millis().to_string())
                .collect::<Vec<_>>()
                .join("+")
        };
        records.iter().map(|record| format!("{} {}", record.id, tries(record))).collect::<Vec<_>>()
    };
    assert_eq!(told(), ["old 2+5"], "by a reader that changes nothing");
    let mut newer = open(&place).unwrap();
    assert_eq!(told(), ["old 2+5"]);
    store::write(&mut newer, &[record("new"), record_of_two("two")].map(Box::new)).unwrap();
    // The older one is still at it.
    older
        .execute_batch(
            "INSERT INTO records (id, at, took_ms, tenant, key, endpoint, stream, status, end)
             VALUES ('late', 2000, 7, 't', 'k', 'chat', 0, 200, 'ok');
             INSERT INTO attempts (record, n, provider, upstream_model, outcome, took_ms)
             VALUES (last_insert_rowid(), 1, 'acme', 'big-1', 'ok', 3)",
        )
        .unwrap();
    assert_eq!(told(), ["two 1200+1200", "new 1200", "late 3", "old 2+5"]);
    assert_eq!(number(&newer, "SELECT count(*) FROM attempts").unwrap(), 5, "of new none");
}

#[test]
fn tries_are_found_by_their_record_however_many_there_are() {
    let folder = Folder::new();
    let connection = open(&Place::File(folder.file())).unwrap();
    let sql = "EXPLAIN QUERY PLAN SELECT outcome FROM tries WHERE record = 1 ORDER BY n";
    let mut statement = connection.prepare(sql).unwrap();
    let steps = statement.query_map([], |row| row.get::<_, String>("detail")).unwrap();
    let plan = steps.collect::<Result<Vec<_>, _>>().unwrap().join("; ");
    assert!(plan.contains("SEARCH records") && plan.contains("SEARCH attempts"), "{plan}");
    assert!(!plan.contains("SCAN records") && !plan.contains("SCAN attempts"), "{plan}");
}

#[test]
fn a_start_that_was_cut_off_is_made_good() {
    let folder = Folder::new();
    std::fs::write(folder.file(), "").unwrap();
    let mut connection = open(&Place::File(folder.file())).unwrap();
    store::write(&mut connection, &[Box::new(record("a"))]).unwrap();
}

#[test]
fn reading_needs_a_ledger_and_changes_nothing() {
    let folder = Folder::new();
    let place = Place::File(folder.file());
    assert!(matches!(open_to_read(&place), Err(LedgerError::Missing { .. })));
    assert!(folder.named("usage").is_empty(), "nothing is made");
    drop(open(&place).unwrap());
    let reader = open_to_read(&place).unwrap();
    assert!(reader.execute("DELETE FROM records", []).is_err());
}

#[test]
fn eight_that_open_a_new_file_at_once_all_succeed() {
    let folder = Folder::new();
    let place = Place::File(folder.file());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = open(&place).unwrap();
                store::write(&mut connection, &[Box::new(record("a"))]).unwrap();
            });
        }
    });
    let reader = open_to_read(&place).unwrap();
    assert_eq!(number(&reader, "SELECT count(*) FROM records").unwrap(), 8);
}

#[test]
fn a_ledger_is_the_same_wherever_its_file_is_and_no_other_is() {
    let id = |path: &Path| {
        let connection = open(&Place::File(path.to_owned())).unwrap();
        connection.query_row("SELECT id FROM ledger", [], |row| row.get::<_, String>(0)).unwrap()
    };
    let (here, there) = (Folder::new(), Folder::new());
    let first = id(&here.file());
    assert_eq!(first.len(), 16);
    assert_eq!(id(&here.file()), first);
    std::fs::rename(here.file(), there.file()).unwrap();
    assert_eq!(id(&there.file()), first);
    assert_ne!(id(&here.file()), first, "a new one");
}
