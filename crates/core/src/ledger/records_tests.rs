use super::super::{
    place::Place,
    record::{Counted, TokenSource, UsageRecord},
    schema, store,
    testing::{Folder, record as usage},
};
use super::*;
use crate::telemetry::labels::{AttemptOutcome, Outcome};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn at(id: &str, ended: &str) -> UsageRecord {
    let mut record = usage(id);
    record.ended = time(ended);
    record
}

fn filled(records: Vec<UsageRecord>) -> (Folder, Reader) {
    let folder = Folder::new();
    let mut connection = schema::open(&Place::File(folder.file())).unwrap();
    let batch: Vec<_> = records.into_iter().map(Box::new).collect();
    assert_eq!(store::write(&mut connection, &batch).unwrap(), 0);
    let reader = Reader::open(&folder.file()).unwrap();
    (folder, reader)
}

#[test]
fn a_record_comes_back_as_it_was_written_with_its_tries_in_order() {
    let mut record = at("r1", "2026-11-20T08:00:00.5Z");
    record.tags = [("project".into(), "x \"y\"".into())].into();
    record.user = Some("u1".into());
    record.error_code = Some("upstream_error");
    let mut first = record.attempts[0].clone();
    (first.outcome, first.status, first.reason) = (AttemptOutcome::ConnectError, None, Some("refused"));
    (first.counted, first.nano_usd) = (None, None);
    record.attempts.insert(0, first);
    let (_folder, reader) = filled(vec![at("other", "2026-11-20T07:00:00Z"), record]);

    let found = reader.records(None, None, 1).unwrap().remove(0);
    let tokens = Tokens { input: 10, cache_read: 3, cache_write: 2, output: 5, reasoning: 1 };
    let bought = Bought { tokens: Some(tokens), source: Some("provider".to_owned()), nano_usd: Some(100) };
    let tried = |outcome: &str, status, reason: Option<&str>, bought| StoredAttempt {
        provider: "acme".to_owned(),
        upstream_model: "big-1".to_owned(),
        outcome: outcome.to_owned(),
        status,
        reason: reason.map(str::to_owned),
        took: Duration::from_millis(1200),
        bought,
    };
    let expected = StoredRecord {
        id: "r1".to_owned(),
        ended: time("2026-11-20T08:00:00.5Z"),
        took: Duration::from_millis(1234),
        tenant: "search".to_owned(),
        key: "search-web".to_owned(),
        endpoint: "chat".to_owned(),
        model: Some("smart".to_owned()),
        provider: Some("acme".to_owned()),
        upstream_model: Some("big-1".to_owned()),
        stream: true,
        status: 200,
        end: "ok".to_owned(),
        error_code: Some("upstream_error".to_owned()),
        cache: Some("miss".to_owned()),
        bought: bought.clone(),
        prices: Some("2026-11".to_owned()),
        tags: [("project".to_owned(), "x \"y\"".to_owned())].into(),
        user: Some("u1".to_owned()),
        client: Some("192.0.2.7".to_owned()),
        attempts: vec![
            tried("connect_error", None, Some("refused"), Bought::default()),
            tried("ok", Some(200), None, bought),
        ],
    };
    assert_eq!(found, expected);
}

#[test]
fn a_try_that_the_record_tells_comes_back_as_if_it_had_been_written() {
    let mut ended = at("refused", "2026-11-20T08:00:00Z");
    (ended.end, ended.status, ended.cost) = (Outcome::ClientError, 400, None);
    let tried = &mut ended.attempts[0];
    (tried.outcome, tried.status, tried.nano_usd) = (AttemptOutcome::ClientError, Some(400), None);
    // One more, of which it does not tell all.
    let mut other = ended.clone();
    other.attempts[0].reason = Some("reset");
    let (folder, reader) = filled(vec![ended, other]);
    let plain = rusqlite::Connection::open(folder.file()).unwrap();
    assert_eq!(schema::number(&plain, "SELECT count(*) FROM attempts").unwrap(), 1);
    let mut found = reader.records(None, None, 9).unwrap();
    assert_eq!(found[0].attempts[0].reason.as_deref(), Some("reset"));
    found[0].attempts[0].reason = None;
    assert_eq!(found[0], found[1]);
    let tried = &found[1].attempts[0];
    assert_eq!(
        (tried.outcome.as_str(), tried.status, tried.bought.nano_usd),
        ("client_error", Some(400), None)
    );
    assert_eq!(tried.took, Duration::from_millis(1200));
}

#[test]
fn what_is_not_known_is_absent_and_what_is_nothing_is_nothing() {
    let mut unknown = at("unknown", "2026-11-20T08:00:00Z");
    (unknown.counted, unknown.cost, unknown.model, unknown.target) = (None, None, None, None);
    (unknown.cache, unknown.client) = (None, None);
    unknown.attempts.clear();
    let mut nothing = at("nothing", "2026-11-20T07:00:00Z");
    nothing.counted = Some(Counted { tokens: Tokens::default(), source: TokenSource::Estimated });
    let (_folder, reader) = filled(vec![unknown, nothing]);
    let found = reader.records(None, None, 9).unwrap();
    let StoredRecord { bought, model, provider, cache, client, attempts, tags, .. } = &found[0];
    assert_eq!((bought, model, provider, cache, client), (&Bought::default(), &None, &None, &None, &None));
    assert!(attempts.is_empty() && tags.is_empty());
    assert_eq!(found[1].bought.tokens, Some(Tokens::default()));
    assert_eq!(found[1].bought.source.as_deref(), Some("estimated"));
}

#[test]
fn the_newest_come_first_within_the_range_and_the_limit() {
    // Written in another order than they ended in; the last two ended together.
    let (_folder, reader) = filled(vec![
        at("c", "2026-11-20T10:00:00Z"),
        at("a", "2026-11-20T08:00:00Z"),
        at("d", "2026-11-20T11:00:00Z"),
        at("b", "2026-11-20T09:00:00Z"),
        at("e", "2026-11-20T11:00:00Z"),
    ]);
    let told = |since: Option<&str>, until: Option<&str>, limit| {
        let records = reader.records(since.map(time), until.map(time), limit).unwrap();
        records.iter().map(|record| record.id.as_str()).collect::<String>()
    };
    assert_eq!(told(None, None, 9), "edcba");
    assert_eq!(told(None, None, 2), "ed");
    assert_eq!(told(Some("2026-11-20T09:00:00Z"), Some("2026-11-20T11:00:00Z"), 9), "cb");
    assert_eq!(told(Some("2026-11-20T09:00:00.000001Z"), None, 9), "edc");
    assert_eq!(told(None, Some("2026-11-20T08:00:00Z"), 9), "");
}
