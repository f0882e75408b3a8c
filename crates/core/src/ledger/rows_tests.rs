use super::super::{
    place::Place,
    record::{Cost, TokenSource},
    schema, store,
    testing::{Folder, record, record_of_two},
};
use super::*;
use crate::telemetry::labels::{AttemptOutcome, Outcome};
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
    let batch = [full, empty, record_of_two("id-3")].map(Box::new);
    assert_eq!(store::write(&mut connection, &batch).unwrap(), 0);

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
        line("records", 27, 1),
        "1|id-1|1795406706789|1234|search|search-web|chat|smart|acme|big-1|1|200|upstream_error|upstream_error|miss|\
         estimated|10|3|2|5|1|100|2026-11|{\"feature\":\"é\",\"project\":\"a\\\"b\"}|u|192.0.2.7|-"
    );
    assert_eq!(line("attempts", 15, 1), "1|1|acme|big-1|ok|200|-|1200|provider|10|3|2|5|1|100");
    let second = line("records", 27, 2);
    assert!(second.ends_with("|search|search-web|chat|-|-|-|0|0|ok|-|-|-|-|-|-|-|-|-|-|-|-|-|-"), "{second}");
    assert_eq!(line("attempts", 15, 3), "3|1|acme|big-1|connect_error|-|refused|1200|-|-|-|-|-|-|-");
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
fn a_client_s_text_is_cut_and_its_id_may_come_twice() {
    let folder = Folder::new();
    let mut connection = schema::open(&Place::File(folder.file())).unwrap();
    let mut long = record(&"é".repeat(1000));
    long.user = Some("é".repeat(1000).into());
    store::write(&mut connection, &[Box::new(long.clone()), Box::new(long)]).unwrap();
    let lengths: (i64, i64) = connection
        .query_row("SELECT max(length(id)), sum(length(user)) FROM records", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(lengths, (256, 512));
}

#[test]
fn a_try_is_written_apart_unless_the_record_tells_all_of_it() {
    let told = |change: fn(&mut UsageRecord)| {
        let mut record = record("r");
        change(&mut record);
        only_try(&record).is_some()
    };
    assert!(told(|_| ()));
    assert!(told(|record| {
        (record.end, record.status) = (Outcome::ClientError, 400);
        (record.attempts[0].outcome, record.attempts[0].status) = (AttemptOutcome::ClientError, Some(400));
    }));
    assert!(told(|record| {
        (record.counted, record.cost) = (None, None);
        (record.attempts[0].counted, record.attempts[0].nano_usd) = (None, None);
    }));
    let changes: [fn(&mut UsageRecord); 11] = [
        |record| record.attempts.clear(),
        |record| record.attempts.push(record.attempts[0].clone()),
        |record| record.target = None,
        |record| record.attempts[0].target.model = "big-2".into(),
        |record| record.attempts[0].target.provider = "other".into(),
        |record| record.end = Outcome::Cancelled,
        |record| record.status = 502,
        |record| record.attempts[0].status = None,
        |record| record.attempts[0].reason = Some("reset"),
        |record| record.counted = None,
        |record| record.cost = None,
    ];
    for (n, change) in changes.into_iter().enumerate() {
        assert!(!told(change), "change {n}");
    }
}

#[test]
fn what_the_statement_holds_of_one_record_is_not_in_the_next() {
    let folder = Folder::new();
    let mut connection = schema::open(&Place::File(folder.file())).unwrap();
    // Each differs from the one before in another way, and back.
    let changes: [fn(&mut UsageRecord); 16] = [
        |record| record.took = Duration::from_millis(9),
        |record| record.tenant = "other".into(),
        |record| record.key = "other".into(),
        |record| record.endpoint = crate::telemetry::labels::EndpointLabel::Embeddings,
        |record| record.model = None,
        |record| record.target = None,
        |record| record.stream = false,
        |record| record.status = 500,
        |record| record.end = Outcome::Timeout,
        |record| record.error_code = Some("timeout"),
        |record| record.cache = Some(CacheResult::Hit),
        |record| record.counted = None,
        |record| record.cost = Some(Cost { nano_usd: 7, prices: "other".into() }),
        |record| record.tags = [("a".into(), "b".into())].into(),
        |record| record.user = Some("u".into()),
        |record| record.client = Some([2, 0, 0, 1].into()),
    ];
    let plain = record("id");
    let mut all = vec![plain.clone()];
    for change in changes {
        let mut other = plain.clone();
        change(&mut other);
        all.extend([other, plain.clone()]);
    }
    let together: Vec<_> = all.iter().cloned().map(Box::new).collect();
    store::write(&mut connection, &together).unwrap();
    for record in all {
        store::write(&mut connection, &[Box::new(record)]).unwrap();
    }
    let lines = |which: &str| {
        let sql = format!("SELECT * FROM records WHERE seq {which} 33 ORDER BY seq");
        let mut statement = connection.prepare(&sql).unwrap();
        let rows = statement.query_map([], |row| (1..=WIDTH).map(|n| row.get::<_, Value>(n)).collect());
        rows.unwrap().collect::<Result<Vec<Vec<Value>>, _>>().unwrap()
    };
    let (together, one_by_one) = (lines("<="), lines(">"));
    assert_eq!(together.len(), 33);
    assert_eq!(together, one_by_one);
    assert!(together.windows(2).all(|two| two[0] != two[1]), "every change is seen");
}
