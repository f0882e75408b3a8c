use super::*;
use crate::cache::entry::tests::entry;

fn cache() -> ResponseCache {
    ResponseCache::new(1 << 20, None, Arc::default(), &Metrics::new().unwrap())
}

fn seen(entry: &Arc<Entry>) -> Seen {
    Seen { entry: Some(Arc::downgrade(entry)), prompt_tokens: None, at: Instant::now(), took: Duration::ZERO }
}

#[tokio::test]
async fn what_was_seen_is_given_without_another_look_unless_it_was_purged_since() {
    let (cache, key) = (cache(), CacheKey::for_tests(1));
    let stored = Arc::new(entry(b"{}"));
    let in_no_table = seen(&stored);
    assert!(
        cache
            .recall(&key, None, &in_no_table, Otherwise::Boards)
            .is_some_and(|given| Arc::ptr_eq(&given, &stored))
    );

    assert!(cache.store(key, &stored));
    let before = cache.peek(&key, None);
    assert!(before.entry.as_ref().is_some_and(|seen| seen.ptr_eq(&Arc::downgrade(&stored))));
    cache.purge(&Purge::All).await;
    assert!(cache.recall(&key, None, &before, Otherwise::Boards).is_none(), "the purge was told as done");
    assert!(!cache.peek(&key, None).any());
}

#[test]
fn what_was_seen_has_ended_when_its_life_is_over_or_who_asks_wants_a_younger_one() {
    let (cache, key) = (cache(), CacheKey::for_tests(1));
    let aged = |by: Duration| {
        let mut old = entry(b"{}");
        (old.ttl, old.born) = (Duration::from_millis(2), old.born.checked_sub(by).unwrap());
        Arc::new(old)
    };
    assert!(cache.recall(&key, None, &seen(&aged(Duration::from_millis(3))), Otherwise::Boards).is_none());
    let mut old = entry(b"{}");
    old.born = old.born.checked_sub(Duration::from_secs(60)).unwrap();
    let old = Arc::new(old);
    assert!(cache.recall(&key, Some(Duration::from_secs(59)), &seen(&old), Otherwise::Boards).is_none());
    assert!(cache.recall(&key, Some(Duration::from_secs(90)), &seen(&old), Otherwise::Boards).is_some());

    let young = Arc::new(entry(b"{\"young\": 1}"));
    assert!(cache.store(key, &young));
    let instead = cache.recall(&key, Some(Duration::from_secs(59)), &seen(&old), Otherwise::Boards);
    assert!(instead.is_some_and(|given| Arc::ptr_eq(&given, &young)), "looked for anew");
}

#[test]
fn what_was_seen_and_thrown_out_is_looked_for_anew() {
    let (cache, key) = (cache(), CacheKey::for_tests(1));
    let gone = seen(&Arc::new(entry(b"{}")));
    assert!(cache.recall(&key, None, &gone, Otherwise::Boards).is_none());
}

#[test]
fn one_request_counts_as_one_look_up() {
    let (metrics, key) = (Metrics::new().unwrap(), CacheKey::for_tests(1));
    let cache = ResponseCache::new(1 << 20, None, Arc::default(), &metrics);
    let counted = || {
        ["hit", "miss"].map(|result| {
            metrics.cache_lookup_duration.with_label_values(&["memory", result]).get_sample_count()
        })
    };
    let before = cache.peek(&key, None);
    assert!(!before.any() && cache.recall(&key, None, &before, Otherwise::Boards).is_none());
    assert_eq!(counted(), [0, 1]);
    assert!(cache.store(key, &Arc::new(entry(b"{}"))));
    let before = cache.peek(&key, None);
    assert!(before.any() && cache.recall(&key, None, &before, Otherwise::Boards).is_some());
    assert_eq!(counted(), [1, 1]);
    let before = cache.peek(&key, None);
    assert!(
        cache.recall(&key, Some(Duration::ZERO), &before, Otherwise::Boards).is_none(),
        "none is so young"
    );
    assert_eq!(counted(), [1, 2]);
}

#[test]
fn who_has_seen_none_gets_what_came_since_where_it_is_looked_for_once_more() {
    let (cache, key) = (cache(), CacheKey::for_tests(1));
    let [mut first, second, mut third] = [(); 3].map(|()| cache.peek(&key, None));
    // Just now, however slow the machine is.
    first.at += Duration::from_secs(60);
    assert!(cache.store(key, &Arc::new(entry(b"{}"))));
    assert!(
        cache.recall(&key, None, &first, Otherwise::Boards).is_none(),
        "a flight is boarded next, which looks itself"
    );
    assert!(cache.recall(&key, None, &second, Otherwise::Asks).is_some());
    third.at = third.at.checked_sub(FRESH).unwrap();
    assert!(
        cache.recall(&key, None, &third, Otherwise::Boards).is_some(),
        "it has waited for room meanwhile"
    );
}
