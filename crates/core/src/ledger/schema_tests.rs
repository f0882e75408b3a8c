use super::super::{
    store,
    testing::{Folder, record},
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
    assert_eq!(number(&connection, "PRAGMA user_version").unwrap(), 2);
    assert!(is_ours(&connection).unwrap());
}

#[test]
fn an_older_gateway_goes_on_writing_to_a_newer_file() {
    let folder = Folder::new();
    let place = Place::File(folder.file());
    let newer = open(&place).unwrap();
    newer
        .execute_batch(
            "ALTER TABLE records ADD COLUMN region TEXT; CREATE TABLE more (a); PRAGMA user_version = 3",
        )
        .unwrap();
    let mut older = open(&place).unwrap();
    assert_eq!(store::write(&mut older, &[Box::new(record("a"))]).unwrap(), 0);
    assert_eq!(number(&older, "PRAGMA user_version").unwrap(), 3, "never back");
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
