use super::super::{
    place::Place,
    query::{By, Reader, Scope},
    record::{Cost, TokenSource},
    schema,
    testing::{Folder, record},
};
use super::*;
use rusqlite::types::Value;
use smallvec::SmallVec;

#[test]
fn every_member_of_a_record_is_in_the_file() {
    let folder = Folder::new();
    let mut connection = schema::open(&Place::File(folder.file())).unwrap();
    let mut full = record("id-1");
    full.ended = "2026-11-23T04:05:06.789Z".parse().unwrap();
    full.tags = Box::new([("project".into(), "a\"b".into()), ("feature".into(), "é".into())]);
    full.user = Some("u".into());
    full.end = Outcome::UpstreamError;
    full.error_code = Some("upstream_error");
    if let Some(counted) = &mut full.counted {
        counted.source = TokenSource::Estimated;
    }
    let mut empty = record("id-2");
    (empty.model, empty.target, empty.cache, empty.counted, empty.cost) = (None, None, None, None, None);
    (empty.client, empty.attempts, empty.status, empty.stream) = (None, SmallVec::new(), 0, false);
    assert_eq!(write(&mut connection, &[Box::new(full), Box::new(empty)]).unwrap(), 0);

    let line = |table: &str, columns: usize, seq: i64| {
        let sql = format!(
            "SELECT * FROM {table} WHERE {} = {seq}",
            if table == "records" { "seq" } else { "record" }
        );
        let values = connection.query_row(&sql, [], |row| {
            (0..columns).map(|n| row.get::<_, Value>(n)).collect::<Result<Vec<_>, _>>()
        });
        values.unwrap().iter().map(text).collect::<Vec<_>>().join("|")
    };
    assert_eq!(
        line("records", 26, 1),
        "1|id-1|1795406706789|1234|search|search-web|chat|smart|acme|big-1|1|200|upstream_error|upstream_error|miss|\
         estimated|10|3|2|5|1|100|2026-11|{\"feature\":\"é\",\"project\":\"a\\\"b\"}|u|192.0.2.7"
    );
    assert_eq!(line("attempts", 15, 1), "1|1|acme|big-1|ok|200|-|1200|provider|10|3|2|5|1|100");
    let second = line("records", 26, 2);
    assert!(second.ends_with("|search|search-web|chat|-|-|-|0|0|ok|-|-|-|-|-|-|-|-|-|-|-|-|-"), "{second}");
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Real(_) | Value::Blob(_) => "neither money nor text".into(),
    }
}

#[test]
fn nonsense_of_an_upstream_stays_a_whole_number() {
    let folder = Folder::new();
    let mut connection = schema::open(&Place::File(folder.file())).unwrap();
    let strange = || {
        let mut record = record("x");
        let most = Tokens {
            input: u64::MAX,
            cache_read: u64::MAX,
            cache_write: u64::MAX,
            output: u64::MAX,
            reasoning: u64::MAX,
        };
        record.counted = Some(Counted { tokens: most, source: TokenSource::Provider });
        record.cost = Some(Cost { nano_usd: u64::MAX, prices: "p".into() });
        Box::new(record)
    };
    for _ in 0..3 {
        let batch: Vec<_> = (0..600).map(|_| strange()).collect();
        assert_eq!(write(&mut connection, &batch).unwrap(), 0);
    }
    let reader = Reader::open(&folder.file()).unwrap();
    let totals = reader.summary(By::Tenant, None, None).unwrap()[0].totals;
    assert_eq!((totals.requests, totals.nano_usd), (1800, MOST_SUM));
    assert_eq!(totals.tokens.input, 1800 * MOST_TOKENS);
    let since = "2026-01-01T00:00Z".parse().unwrap();
    assert_eq!(reader.spent(Scope::Key, "search-web", since).unwrap(), MOST_SUM);
}

#[test]
fn a_client_s_text_is_cut_and_its_id_may_come_twice() {
    let folder = Folder::new();
    let mut connection = schema::open(&Place::File(folder.file())).unwrap();
    let mut long = record(&"é".repeat(1000));
    long.user = Some("é".repeat(1000).into());
    write(&mut connection, &[Box::new(long.clone()), Box::new(long)]).unwrap();
    let lengths: (i64, i64) = connection
        .query_row("SELECT max(length(id)), sum(length(user)) FROM records", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(lengths, (256, 512));
}

#[test]
fn one_strange_record_does_not_hold_up_the_others() {
    let folder = Folder::new();
    let mut connection = schema::open(&Place::File(folder.file())).unwrap();
    connection
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON records WHEN new.id = 'bad'
             BEGIN SELECT raise(ABORT, 'no'); END",
        )
        .unwrap();
    let batch = ["a", "bad", "b"].map(|id| Box::new(record(id)));
    assert_eq!(write(&mut connection, &batch).unwrap(), 1);
    let totals = Reader::open(&folder.file()).unwrap().summary(By::Model, None, None).unwrap()[0].totals;
    assert_eq!((totals.requests, totals.nano_usd), (2, 200));
}
