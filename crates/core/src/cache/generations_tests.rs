use super::*;
use crate::cache::entry::tests::entry;
use std::thread;

fn stored(generations: &Generations) -> Entry {
    let mut entry = entry(b"{}");
    entry.generation = generations.current(&entry.tags);
    entry
}

fn remote(fields: &[(&str, u64)]) -> HashMap<String, u64> {
    fields.iter().map(|(field, number)| ((*field).to_owned(), *number)).collect()
}

#[test]
fn a_purge_ends_what_it_names_and_nothing_else() {
    let name = str::to_owned;
    for (purge, place) in [
        (Purge::All, 0),
        (Purge::Tenant(name("acme")), 1),
        (Purge::Model(name("small")), 2),
        (Purge::Key(name("ci")), 3),
    ] {
        let generations = Generations::default();
        let entry = stored(&generations);
        assert!(generations.is_valid(&entry));
        let (_, number) = generations.bump(&purge);
        assert!(!generations.is_valid(&entry), "{purge:?}");
        let mut expected = [0; 4];
        expected[place] = number;
        assert_eq!(generations.current(&entry.tags), expected, "{purge:?}");
        assert!(generations.is_valid(&stored(&generations)), "what is asked for after {purge:?}");
    }
}

#[test]
fn a_name_of_another_kind_or_another_name_is_not_purged() {
    let generations = Generations::default();
    let entry = stored(&generations);
    for purge in [
        Purge::Tenant("small".to_owned()),
        Purge::Model("acme".to_owned()),
        Purge::Key("acme".to_owned()),
        Purge::Tenant("acme2".to_owned()),
        Purge::Tenant(String::new()),
    ] {
        generations.bump(&purge);
        assert!(generations.is_valid(&entry), "{purge:?}");
    }
}

#[test]
fn an_answer_asked_for_before_a_purge_is_not_valid_when_it_is_stored_after_it() {
    let generations = Generations::default();
    let asked = stored(&generations);
    generations.bump(&Purge::All);
    let mut late = entry(b"late");
    late.generation = asked.generation;
    assert!(!generations.is_valid(&late));
}

#[test]
fn a_second_purge_is_always_a_larger_number() {
    let generations = Generations::default();
    let numbers: Vec<_> = (0..1000).map(|_| generations.bump(&Purge::All).1).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "also within one millisecond");
    generations.merge(&remote(&[("all", u64::MAX - 1)]));
    assert_eq!(generations.bump(&Purge::All).1, u64::MAX, "also when another clock is ahead");
    assert_eq!(generations.bump(&Purge::All).1, u64::MAX, "and never a smaller one");
}

#[test]
fn replicas_that_do_not_hear_of_each_other_do_not_arrive_at_one_number() {
    let (first, second) = (Generations::default(), Generations::default());
    let (_, earlier) = first.bump(&Purge::All);
    let between = stored(&first);
    while SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() <= u128::from(earlier) {
        thread::yield_now();
    }
    second.bump(&Purge::All);
    assert!(!second.is_valid(&between));
}

#[test]
fn merging_takes_the_larger_and_gives_back_what_is_ahead() {
    let generations = Generations::default();
    let (_, tenant) = generations.bump(&Purge::Tenant("acme".to_owned()));
    let (_, key) = generations.bump(&Purge::Key("ci".to_owned()));
    let ahead = generations.merge(&remote(&[
        ("all", 7),
        ("tenant:acme", 5),
        ("key:ci", key),
        ("model:small:q4", 9),
        ("shard:3", 1),
        ("tenants", 1),
    ]));
    assert_eq!(ahead, remote(&[("tenant:acme", tenant)]));
    let tags = Tags { tenant: "acme".into(), key: "ci".into(), model: "small:q4".into() };
    assert_eq!(generations.current(&tags), [7, tenant, 9, key]);

    assert_eq!(generations.merge(&remote(&[])).len(), 4, "all of it, once Redis has lost its numbers");
    let other = Generations::default();
    assert_eq!(other.merge(&generations.merge(&remote(&[]))), remote(&[]));
    assert_eq!(other.current(&tags), generations.current(&tags), "copies agree after a merge");
}

#[test]
fn the_fields_of_an_entry_are_in_the_order_of_its_numbers() {
    let tags = Tags { tenant: "t".into(), key: "k".into(), model: "m".into() };
    let generations = Generations::default();
    generations.merge(&remote(&[("all", 1), ("tenant:t", 2), ("model:m", 3), ("key:k", 4)]));
    generations.merge(&remote(&[("all", 0), ("tenant:t", 5)]));
    assert_eq!(generations.current(&tags), [1, 5, 3, 4]);
    let other = Tags { tenant: "k".into(), key: "m".into(), model: "t".into() };
    assert_eq!(generations.current(&other), [1, 0, 0, 0]);
    let purges = [Purge::All, Purge::Tenant("t".into()), Purge::Model("m".into()), Purge::Key("k".into())];
    let fields = purges.map(|purge| purge.field());
    assert_eq!(fields, ["all", "tenant:t", "model:m", "key:k"]);
    for field in fields {
        assert_eq!(Purge::of(&field).expect("known").field(), field);
    }
}

#[test]
fn concurrent_purges_are_all_counted_and_reads_never_go_back() {
    let generations = Generations::default();
    let tags = entry(b"").tags;
    // Far ahead of the clock, so that numbers are counted one by one.
    let start = u64::MAX / 2;
    generations.merge(&remote(&[("all", start), ("tenant:acme", start)]));
    thread::scope(|scope| {
        for purge in [Purge::All, Purge::All, Purge::Tenant("acme".to_owned())] {
            let generations = &generations;
            scope.spawn(move || (0..500).for_each(|_| drop(generations.bump(&purge))));
        }
        scope.spawn(|| {
            let mut before = generations.current(&tags);
            for _ in 0..5000 {
                let now = generations.current(&tags);
                assert!(now.iter().zip(before).all(|(now, before)| *now >= before));
                before = now;
            }
        });
    });
    assert_eq!(generations.current(&tags), [start + 1000, start + 500, 0, 0]);
}
