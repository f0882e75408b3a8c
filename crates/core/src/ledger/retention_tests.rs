use super::super::{
    place::Place,
    query::{By, Reader},
    record::UsageRecord,
    schema, store,
    testing::{Folder, record_of_two},
};
use super::*;
use jiff::SignedDuration;

fn aged(days: i64) -> Box<UsageRecord> {
    let mut record = record_of_two("r");
    record.ended = Timestamp::now().checked_sub(SignedDuration::from_hours(24 * days)).unwrap();
    Box::new(record)
}

fn ago(days: i64) -> Timestamp {
    Timestamp::now().checked_sub(SignedDuration::from_hours(24 * days)).unwrap()
}

#[test]
fn old_records_go_in_steps_and_the_file_grows_smaller() {
    let folder = Folder::new();
    let mut connection = schema::open(&Place::File(folder.file())).unwrap();
    for days in [100, 99, 50, 1] {
        let batch: Vec<_> = (0..5000).map(|_| aged(days)).collect();
        store::write(&mut connection, &batch).unwrap();
    }
    let pages = |connection: &Connection| schema::number(connection, "PRAGMA page_count").unwrap();
    let before = pages(&connection);
    let mut steps = 0;
    while step(&mut connection, ago(60), None).unwrap() {
        steps += 1;
    }
    assert!(steps >= 20, "10,000 records in steps of {STEP}: {steps}");
    let count = |table: &str| schema::number(&connection, &format!("SELECT count(*) FROM {table}")).unwrap();
    assert_eq!((count("records"), count("attempts")), (10_000, 20_000));
    assert_eq!(
        schema::number(&connection, "SELECT min(at) FROM records").unwrap() / DAY,
        ago(50).as_millisecond() / DAY
    );
    assert!(pages(&connection) <= before - PAGES, "{} of {before} pages", pages(&connection));
    let rows = Reader::open(&folder.file()).unwrap().summary(By::Day, None, None).unwrap();
    assert_eq!(rows.len(), 2, "the sums of removed days are gone too");
}

#[test]
fn sums_outlive_a_short_retention_for_the_budgets_of_the_month() {
    let folder = Folder::new();
    let mut connection = schema::open(&Place::File(folder.file())).unwrap();
    store::write(&mut connection, &[aged(30), aged(40), aged(0)]).unwrap();
    while step(&mut connection, ago(2), None).unwrap() {}
    assert_eq!(schema::number(&connection, "SELECT count(*) FROM records").unwrap(), 1);
    assert_eq!(schema::number(&connection, "SELECT count(*) FROM daily").unwrap(), 2);
    assert_eq!(schema::number(&connection, "SELECT count(*) FROM spend WHERE scope = 'key'").unwrap(), 2);
}

#[test]
fn nothing_to_do_writes_nothing() {
    let folder = Folder::new();
    let mut connection = schema::open(&Place::File(folder.file())).unwrap();
    store::write(&mut connection, &[aged(1)]).unwrap();
    let before = connection.total_changes();
    assert!(!step(&mut connection, ago(2), Some(1)).unwrap());
    assert_eq!(connection.total_changes(), before);
}
