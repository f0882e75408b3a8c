use super::*;
use crate::cache::entry::tests::entry;
use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

type Reasons = Arc<Mutex<HashMap<Eviction, u64>>>;

fn tier(capacity: u64) -> (MemoryTier, Reasons) {
    let reasons = Reasons::default();
    let seen = reasons.clone();
    (MemoryTier::new(capacity, move |reason| *seen.lock().unwrap().entry(reason).or_default() += 1), reasons)
}

fn counted(reasons: &Reasons) -> [u64; 3] {
    let reasons = reasons.lock().unwrap();
    [Eviction::Capacity, Eviction::Ttl, Eviction::Invalidated]
        .map(|reason| reasons.get(&reason).copied().unwrap_or_default())
}

fn key(n: u64) -> CacheKey {
    CacheKey::for_tests(n)
}

fn of_size(bytes: usize) -> Arc<Entry> {
    Arc::new(entry(&vec![b'x'; bytes]))
}

fn living(life: Duration) -> Arc<Entry> {
    let mut entry = entry(b"{}");
    entry.ttl = life;
    Arc::new(entry)
}

fn wait(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        thread::park_timeout(left);
    }
}

#[test]
fn a_hit_is_the_very_entry_that_was_put() {
    let (tier, _) = tier(1 << 20);
    let entry = of_size(100);
    assert!(tier.put(key(1), entry.clone()));
    let hit = tier.get(&key(1), Instant::now()).expect("a hit");
    assert!(Arc::ptr_eq(&hit, &entry));
    assert!(tier.get(&key(2), Instant::now()).is_none());
    tier.settle();
    assert_eq!((tier.entries(), tier.bytes()), (1, u64::from(entry.weight())));
}

#[test]
fn the_bound_in_bytes_holds_under_entries_of_all_sizes() {
    let (tier, reasons) = tier(4 << 20);
    let mut random = fastrand::Rng::with_seed(7);
    let mut most = 0;
    for n in 0..10_000 {
        tier.put(key(n), of_size(random.usize(..200_000)));
        most = most.max(tier.bytes());
    }
    assert!(most <= tier.capacity(), "{most} bytes were held for a time");
    tier.settle();
    assert!(tier.bytes() <= tier.capacity(), "{} bytes", tier.bytes());
    assert!(tier.bytes() > tier.capacity() / 2, "and room is not wasted: {} bytes", tier.bytes());
    let held = (0..10_000).filter_map(|n| tier.get(&key(n), Instant::now())).collect::<Vec<_>>();
    assert_eq!(held.iter().map(|entry| u64::from(entry.weight())).sum::<u64>(), tier.bytes());
    assert_eq!(counted(&reasons), [10_000 - tier.entries(), 0, 0]);
}

#[test]
fn large_entries_do_not_pile_up_between_sweeps() {
    let dropped = Arc::new(AtomicU64::new(0));
    let counter = dropped.clone();
    let tier = MemoryTier::new(8 << 20, move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    for n in 0..60 {
        tier.put(key(n), of_size(1 << 20));
        let held = n + 1 - dropped.load(Ordering::Relaxed);
        assert!(held <= 8, "{held} MiB are held after {n} puts");
    }
}

#[test]
fn a_full_tier_takes_newcomers_and_drops_whom_nobody_asked_for() {
    let weight = u64::from(of_size(1000).weight());
    let (tier, _) = tier(weight * 100);
    for n in 0..100 {
        tier.put(key(n), of_size(1000));
    }
    tier.settle();
    for n in 0..50 {
        assert!(tier.get(&key(n), Instant::now()).is_some(), "{n}");
    }
    for n in 100..150 {
        assert!(tier.get(&key(n), Instant::now()).is_none());
        tier.put(key(n), of_size(1000));
        assert!(tier.get(&key(n), Instant::now()).is_some(), "{n} at once");
    }
    tier.settle();
    let there =
        |range: std::ops::Range<u64>| range.filter(|n| tier.get(&key(*n), Instant::now()).is_some()).count();
    assert_eq!((there(0..50), there(50..100), there(100..150)), (50, 0, 50));
}

#[test]
fn a_dead_entry_is_not_given_away_even_if_it_is_still_held() {
    let (tier, reasons) = tier(1 << 20);
    let entry = living(Duration::from_secs(60));
    tier.put(key(1), entry.clone());
    assert!(tier.get(&key(1), entry.born + Duration::from_millis(59_999)).is_some());
    assert!(tier.get(&key(1), entry.born + Duration::from_secs(60)).is_none());
    tier.settle();
    assert_eq!((tier.entries(), counted(&reasons)), (1, [0, 0, 0]), "the sweeper's clock is its own");
}

#[test]
fn a_dead_entry_is_swept() {
    let (tier, reasons) = tier(1 << 20);
    tier.put(key(1), living(Duration::from_millis(20)));
    tier.put(key(2), living(Duration::from_secs(60)));
    tier.put(key(3), living(Duration::ZERO));
    tier.settle();
    // The sweeper's wheel turns about once a second.
    wait(Duration::from_millis(2300));
    tier.settle();
    assert_eq!((tier.entries(), counted(&reasons)), (1, [0, 2, 0]));
    assert!(tier.get(&key(2), Instant::now()).is_some());
}

#[test]
fn a_replacement_lives_its_own_life_and_is_no_eviction() {
    let (tier, reasons) = tier(1 << 20);
    tier.put(key(1), living(Duration::from_millis(20)));
    let second = living(Duration::from_secs(60));
    tier.put(key(1), second.clone());
    wait(Duration::from_millis(30));
    tier.settle();
    assert!(tier.get(&key(1), Instant::now()).is_some_and(|hit| Arc::ptr_eq(&hit, &second)));
    assert_eq!((tier.entries(), counted(&reasons)), (1, [0, 0, 0]));
    assert_eq!(tier.bytes(), u64::from(second.weight()), "the first one is not weighed any more");
}

#[test]
fn a_removed_entry_is_gone_at_once() {
    let (tier, reasons) = tier(1 << 20);
    tier.put(key(1), of_size(10));
    tier.remove(&key(1));
    tier.remove(&key(2));
    assert!(tier.get(&key(1), Instant::now()).is_none());
    tier.settle();
    assert_eq!((tier.entries(), tier.bytes(), counted(&reasons)), (0, 0, [0, 0, 1]));
}

#[test]
fn an_entry_that_is_overwritten_after_its_life_ended_with_its_life() {
    let (tier, reasons) = tier(1 << 20);
    tier.put(key(1), living(Duration::from_millis(20)));
    wait(Duration::from_millis(30));
    tier.put(key(1), living(Duration::from_secs(60)));
    tier.settle();
    assert_eq!((tier.entries(), counted(&reasons)), (1, [0, 1, 0]));
}

#[test]
fn the_end_of_the_tier_is_no_eviction() {
    let (tier, reasons) = tier(1 << 20);
    for n in 0..100 {
        tier.put(key(n), of_size(10));
    }
    drop(tier);
    assert_eq!(counted(&reasons), [0, 0, 0]);
}

#[test]
fn a_client_that_still_reads_an_entry_keeps_it_from_nobodys_count() {
    let (tier, reasons) = tier(1 << 20);
    tier.put(key(1), of_size(10));
    let read = tier.get(&key(1), Instant::now()).expect("a hit");
    tier.remove(&key(1));
    tier.settle();
    assert_eq!((read.body.len(), counted(&reasons)), (10, [0, 0, 1]));
}

#[test]
fn an_end_is_counted_once_and_by_its_own_reason() {
    let weight = u64::from(of_size(1000).weight());
    let (tier, reasons) = tier(weight * 10);
    let mut random = fastrand::Rng::with_seed(3);
    let (mut put, mut replaced, mut removed) = (0, 0, 0);
    for _ in 0..5_000 {
        let key = key(random.u64(..40));
        let is_there = tier.get(&key, Instant::now()).is_some();
        if random.u8(..5) == 0 {
            tier.remove(&key);
            removed += u64::from(is_there);
        } else {
            assert!(tier.put(key, of_size(1000)));
            put += 1;
            replaced += u64::from(is_there);
        }
        tier.settle();
    }
    let evicted = put - replaced - removed - tier.entries();
    assert!(evicted > 100 && replaced > 100 && removed > 100, "{evicted}, {replaced}, {removed}");
    assert_eq!(counted(&reasons), [evicted, 0, removed]);
}

#[test]
fn an_entry_heavier_than_the_tier_leaves_the_others_alone() {
    let (tier, reasons) = tier(100_000);
    for n in 0..10 {
        tier.put(key(n), of_size(1000));
    }
    tier.settle();
    assert!(!tier.put(key(10), of_size(100_000)), "as a new entry");
    assert!(!tier.put(key(0), of_size(100_000)), "as a replacement");
    tier.settle();
    assert!(tier.get(&key(0), Instant::now()).is_none(), "the older answer does not stay in its place");
    assert_eq!((tier.entries(), counted(&reasons)), (9, [0, 0, 1]));
}

#[test]
fn a_tier_without_capacity_stores_nothing() {
    let (tier, reasons) = tier(0);
    assert!(!tier.put(key(1), of_size(0)));
    assert!(tier.get(&key(1), Instant::now()).is_none());
    tier.remove(&key(1));
    tier.settle();
    assert_eq!((tier.entries(), tier.bytes(), counted(&reasons)), (0, 0, [0, 0, 0]));
}

#[test]
fn the_bound_holds_under_concurrent_use() {
    let (tier, _) = tier(1 << 20);
    thread::scope(|scope| {
        for worker in 0..4 {
            let tier = &tier;
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(worker);
                for _ in 0..3000 {
                    let key = key(random.u64(..500));
                    match random.u8(..4) {
                        0 => tier.remove(&key),
                        1 => drop(tier.get(&key, Instant::now())),
                        _ => drop(tier.put(key, of_size(random.usize(..20_000)))),
                    }
                }
            });
        }
    });
    tier.settle();
    let held = (0..500).filter_map(|n| tier.get(&key(n), Instant::now())).collect::<Vec<_>>();
    assert!(tier.bytes() <= tier.capacity());
    assert_eq!(held.iter().map(|entry| u64::from(entry.weight())).sum::<u64>(), tier.bytes());
    assert_eq!(u64::try_from(held.len()).unwrap(), tier.entries());
}

#[test]
fn the_words_of_the_metric_are_closed() {
    assert_eq!(
        [Eviction::Capacity, Eviction::Ttl, Eviction::Invalidated].map(Eviction::as_str),
        ["capacity", "ttl", "invalidated"]
    );
}

#[test]
fn what_is_counted_is_what_is_held_however_many_write_at_once() {
    let tier = MemoryTier::new(1 << 20, |_| {});
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let tier = &tier;
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                for _ in 0..5_000 {
                    let key = CacheKey::for_tests(random.u64(..200));
                    match random.u8(..4) {
                        0 => tier.remove(&key),
                        1 => drop(tier.get(&key, Instant::now())),
                        _ => assert!(tier.put(key, of_size(random.usize(1_000..20_000)))),
                    }
                }
            });
        }
    });
    tier.settle();
    let held = (0..200).filter_map(|n| tier.get(&CacheKey::for_tests(n), Instant::now()));
    let held: Vec<u64> = held.map(|entry| u64::from(entry.weight())).collect();
    assert_eq!((tier.bytes(), tier.entries()), (held.iter().sum(), held.len() as u64));
    assert!(tier.bytes() > (1 << 19), "it is not empty: {}", tier.bytes());
}
