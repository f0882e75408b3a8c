use super::super::{
    place::Place,
    query::{By, Reader, Scope},
    record::{Cost, Counted, TokenSource},
    rows::MOST_TOKENS,
    schema,
    testing::{Folder, record},
};
use super::*;

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
