use super::*;
use std::collections::BTreeMap;

fn pool(weights: &[u32]) -> KeyPool {
    let spec = |(index, weight): (usize, &u32)| KeySpec {
        name: format!("k{index}").into(),
        weight: *weight,
        fingerprint: [u8::try_from(index).unwrap(); 32],
    };
    KeyPool::new(weights.iter().enumerate().map(spec).collect(), None)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn keys_are_picked_by_weight() {
    let (pool, now) = (pool(&[3, 1]), Instant::now());
    let first = (0..10_000).filter(|_| pool.pick("m", now, None, &[]) == Ok(0)).count();
    assert!((7_200..7_800).contains(&first), "{first}");
}

#[test]
fn a_limited_key_is_left_alone_until_its_reset_for_this_model_alone() {
    let (pool, now) = (pool(&[1, 1]), Instant::now());
    pool.rate_limited(0, "m", Some(secs(7)), now);
    assert!((0..100).all(|_| pool.pick("m", now + secs(6), None, &[]) == Ok(1)));
    assert!((0..100).any(|_| pool.pick("other", now, None, &[]) == Ok(0)));
    assert!((0..100).any(|_| pool.pick("m", now + secs(7), None, &[]) == Ok(0)));
    assert_eq!(pool.tally(now), Tally { ready: 1, cooling: 1, disabled: 0 });
    assert_eq!(pool.tally(now + secs(7)), Tally { ready: 2, cooling: 0, disabled: 0 });
}

#[test]
fn when_all_are_limited_the_time_to_the_first_reset_is_told() {
    let (pool, now) = (pool(&[1, 1]), Instant::now());
    pool.rate_limited(0, "m", Some(secs(30)), now);
    pool.rate_limited(1, "m", Some(secs(12)), now);
    assert_eq!(pool.pick("m", now, None, &[]), Err(Unready { wait: secs(12), refused: false, keys: 2 }));
    assert!(!pool.is_ready("m", now) && pool.is_ready("other", now));
}

#[test]
fn one_that_was_limited_without_a_time_is_asked_where_there_is_no_other() {
    let (two, now) = (pool(&[1, 1]), Instant::now());
    two.rate_limited(0, "m", None, now);
    assert!((0..100).all(|_| two.pick("m", now, None, &[]) == Ok(1)));
    let one = pool(&[1]);
    one.rate_limited(0, "m", None, now);
    assert_eq!(one.pick("m", now, None, &[]), Ok(0));
    assert!(one.pick("m", now, None, &[0]).is_err(), "not by the same request");
}

#[test]
fn a_refused_key_is_looked_into_by_one_request_at_a_time_and_ever_more_seldom() {
    let (pool, mut now) = (pool(&[1]), Instant::now());
    assert!(pool.refused(0, "m", true, now), "news");
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert!(pool.pick("m", now + secs(wait) - Duration::from_millis(1), None, &[]).is_err());
        now += secs(wait);
        assert_eq!(pool.pick("m", now, None, &[]), Ok(0));
        assert!(pool.pick("m", now, None, &[]).is_err_and(|unready| unready.refused), "one is enough");
        assert!(!pool.refused(0, "m", true, now), "no news");
    }
    assert_eq!(pool.tally(now).disabled, 1);
    pool.worked(0, "m", now, now);
    assert_eq!(pool.tally(now).ready, 1);
    assert_eq!(pool.pick("m", now, None, &[]), Ok(0));
}

#[test]
fn the_same_prefix_meets_the_same_key_as_long_as_it_is_well() {
    let (pool, now) = (pool(&[1, 1, 1]), Instant::now());
    let mut shares = BTreeMap::<usize, u32>::new();
    for round in 0..300_u32 {
        let sticky = *blake3::hash(&round.to_le_bytes()).as_bytes();
        let key = pool.pick("m", now, Some(&sticky), &[]).unwrap();
        assert!((0..5).all(|_| pool.pick("m", now, Some(&sticky), &[]) == Ok(key)));
        *shares.entry(key).or_default() += 1;
        if round == 299 {
            pool.rate_limited(key, "m", Some(secs(1)), now);
            let other = pool.pick("m", now, Some(&sticky), &[]).unwrap();
            assert_ne!(other, key);
            assert_eq!(pool.pick("m", now + secs(1), Some(&sticky), &[]), Ok(key), "well again");
        }
    }
    assert!(shares.values().all(|share| (60..140).contains(share)), "{shares:?}");
}

#[test]
fn a_reload_keeps_what_is_known_of_keys_whose_secret_stays() {
    let (old, now) = (pool(&[1, 1]), Instant::now());
    old.rate_limited(0, "m", Some(secs(9)), now);
    old.refused(1, "m", true, now);
    let mut specs: Vec<KeySpec> = old.keys.iter().map(|key| key.spec.clone()).collect();
    specs[1].fingerprint = [9; 32];
    let new = KeyPool::new(specs, Some(&old));
    assert_eq!(new.tally(now), Tally { ready: 1, cooling: 1, disabled: 0 });
    new.forgive();
    assert_eq!(new.tally(now).ready, 2);
}

#[test]
fn models_that_clients_make_up_do_not_fill_the_memory() {
    let (pool, now) = (pool(&[1]), Instant::now());
    for name in 0..10_000 {
        pool.rate_limited(0, &name.to_string(), Some(secs(9)), now);
    }
    assert!(pool.keys[0].with(|troubles| troubles.iter().len()) <= super::super::trouble::MOST_MODELS);
}

#[test]
fn a_refused_key_is_not_ready_before_it_has_worked_again() {
    let (pool, now) = (pool(&[1]), Instant::now());
    pool.refused(0, "m", true, now);
    assert!(!pool.is_ready("m", now + secs(3600)), "it is due to be asked, and as dead as before");
    assert!(pool.is_ready("other", now));
    pool.worked(0, "m", now, now);
    assert!(pool.is_ready("m", now));
}

#[test]
fn for_an_unknown_model_troubles_count_unless_they_are_those_of_single_models() {
    let (pool, now) = (pool(&[1]), Instant::now());
    assert!(pool.is_ready_for_some(now));
    pool.refused(0, "gated", true, now);
    assert!(!pool.is_ready_for_some(now), "the key may be dead");
    pool.worked(0, "plain", now, now);
    assert!(pool.is_ready_for_some(now), "it is not: the model is not for it");
    assert!(!pool.is_ready("gated", now));
    pool.refused(0, "plain", true, now);
    assert!(!pool.is_ready_for_some(now), "now it is");
    pool.forgive();
    assert!(pool.is_ready_for_some(now));
    pool.rate_limited(0, "plain", Some(secs(9)), now);
    assert!(!pool.is_ready_for_some(now) && pool.is_ready_for_some(now + secs(9)));
}

#[test]
fn what_is_left_upstream_survives_a_reload_of_the_same_secret() {
    let old = pool(&[1, 1]);
    let left = |pool: &KeyPool, index| {
        let remaining = pool.remaining(index).unwrap();
        (remaining.requests(), remaining.tokens())
    };
    assert_eq!(left(&old, 0), (None, None));
    old.remaining(0).unwrap().tell(Some(0), Some(7));
    old.remaining(0).unwrap().tell(None, Some(6));
    assert_eq!((left(&old, 0), left(&old, 1)), ((Some(0), Some(6)), (None, None)));
    let spec =
        |name: &str, fingerprint| KeySpec { name: name.into(), weight: 1, fingerprint: [fingerprint; 32] };
    assert_eq!(left(&KeyPool::new(vec![spec("k0", 0)], Some(&old)), 0), (Some(0), Some(6)));
    assert_eq!(left(&KeyPool::new(vec![spec("k0", 9)], Some(&old)), 0), (None, None), "another account");
}

#[test]
fn an_answer_to_what_was_asked_before_lifts_nothing() {
    let (pool, now) = (pool(&[1]), Instant::now());
    let before = now.checked_sub(secs(1)).unwrap();
    pool.rate_limited(0, "m", Some(secs(30)), now);
    pool.worked(0, "m", before, now);
    assert!(pool.pick("m", now, None, &[]).is_err());
    pool.worked(0, "m", now, now);
    assert_eq!(pool.pick("m", now, None, &[]), Ok(0));
}

#[test]
fn a_time_that_was_named_is_not_shortened_by_what_another_request_heard() {
    let (pool, now) = (pool(&[1]), Instant::now());
    pool.rate_limited(0, "m", Some(secs(30)), now);
    pool.rate_limited(0, "m", None, now);
    assert_eq!(pool.wait("m", now), Some(secs(30)));
    pool.rate_limited(0, "m", Some(secs(5)), now);
    assert_eq!(pool.wait("m", now), Some(secs(30)));
    pool.rate_limited(0, "m", Some(secs(60)), now);
    assert_eq!(pool.wait("m", now), Some(secs(60)));
}

#[test]
fn refusals_that_may_be_for_the_request_put_a_key_aside_only_in_a_row() {
    let (pool, now) = (pool(&[1]), Instant::now());
    for _ in 0..5 {
        assert!(!pool.refused(0, "m", false, now));
        assert!(!pool.refused(0, "m", false, now));
        pool.worked(0, "m", now, now);
    }
    for _ in 0..2 {
        assert!(!pool.refused(0, "m", false, now));
        assert_eq!(pool.pick("m", now, None, &[]), Ok(0));
    }
    assert!(pool.refused(0, "m", false, now), "the third");
    assert!(pool.pick("m", now, None, &[]).is_err());
}
