use super::*;
use crate::limits::{
    cell::Moment,
    local::RequestBucket,
    refusal::Limit,
    scope::{ScopeKind, ScopeLimits, Wiring},
};
use proptest::prelude::{prop_assert, prop_assert_eq, prop_assume, proptest};
use sluice_config::model::{Rate, RateLimit};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

fn per_minute(amount: u64, burst: u64) -> RateLimit {
    RateLimit { rate: Rate { amount, per: Duration::from_secs(60) }, burst }
}

fn scope(kind: ScopeKind, limits: ScopeLimits) -> Arc<LimitScope> {
    Arc::new(LimitScope::new(kind, "nightly", limits))
}

fn key(limits: ScopeLimits) -> Arc<LimitScope> {
    scope(ScopeKind::Key, limits)
}

fn tokens(limit: RateLimit) -> ScopeLimits {
    ScopeLimits { tokens: Some(limit), ..ScopeLimits::default() }
}

fn requests(limit: RateLimit) -> ScopeLimits {
    ScopeLimits { requests: Some(limit), ..ScopeLimits::default() }
}

fn concurrency(most: u32) -> ScopeLimits {
    ScopeLimits { concurrency: Some(most), ..ScopeLimits::default() }
}

fn at(seconds: u64) -> At {
    At { now: Moment::at(Duration::from_secs(seconds)), second: 0 }
}

fn ask(tokens: u64, seconds: u64) -> Ask {
    Ask { tokens, nano_usd: 0, at: at(seconds) }
}

fn spent(tokens: u64) -> Spent {
    Spent { tokens, ..Spent::default() }
}

fn left(scope: &LimitScope, seconds: u64) -> u64 {
    scope.tokens_left(at(seconds).now).unwrap().remaining
}

/// In this process nothing has to be asked.
fn admit(scopes: &[Arc<LimitScope>], ask: Ask) -> Result<Permit, Refusal> {
    super::admit(scopes, ask, How::Held).map_err(|denied| match denied {
        Denied::Refused(refusal) => refusal,
        Denied::Unknown(_) => panic!("nothing is shared"),
    })
}

/// A key whose requests governor counts.
fn key_with(limits: ScopeLimits, bucket: &Arc<RequestBucket>) -> Arc<LimitScope> {
    let wiring = Wiring { requests: Some(bucket.clone()), ..Wiring::default() };
    Arc::new(LimitScope::wired(ScopeKind::Key, "nightly", limits, &wiring))
}

#[test]
fn a_refusal_by_the_third_scope_takes_nothing_from_the_first_two() {
    let full = ScopeLimits {
        requests: Some(per_minute(5, 5)),
        concurrency: Some(5),
        ..tokens(per_minute(600, 600))
    };
    let scopes =
        [key(full), scope(ScopeKind::Tenant, full), scope(ScopeKind::Provider, tokens(per_minute(600, 100)))];
    for _ in 0..10 {
        let refusal = admit(&scopes, ask(101, 0)).map(drop).unwrap_err();
        assert_eq!((refusal.scope.kind(), refusal.limit), (ScopeKind::Provider, Limit::Tokens));
    }
    for scope in &scopes[..2] {
        assert_eq!((left(scope, 0), scope.in_flight()), (600, 0));
    }
    let permits: Vec<_> = (0..5).map(|_| admit(&scopes[..2], ask(1, 0)).unwrap()).collect();
    assert_eq!(permits[4].remaining.requests.unwrap().remaining, 0);
}

#[test]
fn a_keys_own_bucket_is_asked_last_and_only_when_all_others_have_room() {
    let limit = per_minute(3, 3);
    let bucket = Arc::new(RequestBucket::new(limit));
    let key = key_with(requests(limit), &bucket);
    let tenant = scope(ScopeKind::Tenant, concurrency(1));
    let scopes = [key, tenant.clone()];
    let first = admit(&scopes, ask(0, 0)).unwrap();
    for _ in 0..10 {
        assert_eq!(admit(&scopes, ask(0, 0)).map(drop).unwrap_err().limit, Limit::Concurrency);
    }
    drop(first);
    assert_eq!(bucket.take().unwrap().remaining, 1);
    drop(admit(&scopes, ask(0, 0)).unwrap());
    let refusal = admit(&scopes, ask(0, 0)).map(drop).unwrap_err();
    assert_eq!((refusal.limit, tenant.in_flight()), (Limit::Requests, 0));
}

#[test]
fn the_time_that_is_told_is_enough_for_every_bucket_that_applies() {
    let limit = per_minute(1, 1);
    let bucket = Arc::new(RequestBucket::new(limit));
    let key = key_with(requests(limit), &bucket);
    let tenant = scope(ScopeKind::Tenant, tokens(per_minute(60, 10)));
    let scopes = [key, tenant];
    admit(&scopes, ask(10, 0)).unwrap().settle(spent(10), at(0));
    // The tenant's tokens are there in five seconds, the key's next request in sixty.
    let refusal = admit(&scopes, ask(5, 0)).map(drop).unwrap_err();
    assert_eq!((refusal.scope.kind(), refusal.limit), (ScopeKind::Key, Limit::Requests));
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(60)));
}

#[test]
fn settling_gives_back_the_rest_or_makes_a_debt_in_every_scope() {
    let scopes = [key(tokens(per_minute(600, 100))), scope(ScopeKind::Tenant, tokens(per_minute(600, 200)))];
    admit(&scopes, ask(80, 0)).unwrap().settle(spent(30), at(0));
    assert_eq!((left(&scopes[0], 0), left(&scopes[1], 0)), (70, 170));
    admit(&scopes, ask(10, 0)).unwrap().settle(spent(90), at(0));
    assert_eq!((left(&scopes[0], 0), left(&scopes[1], 0)), (0, 80));
    // 20 are owed, 10 come in a second.
    let refusal = admit(&scopes, ask(1, 0)).map(drop).unwrap_err();
    assert_eq!(refusal.retry_after, Some(Duration::from_millis(2100)));
    admit(&scopes, ask(10, 3)).unwrap().settle(spent(1_000_000), at(3));
    assert_eq!(scopes[0].tokens_left(at(3).now).unwrap().reset, Duration::from_secs(20));
}

#[test]
fn a_dropped_permit_has_used_nothing_and_one_that_was_not_needed_does_not_even_count() {
    let limits =
        ScopeLimits { requests: Some(per_minute(1, 2)), concurrency: Some(1), ..tokens(per_minute(60, 100)) };
    let scopes = [scope(ScopeKind::Provider, limits)];
    for round in 0..5 {
        let permit = admit(&scopes, ask(40, 0)).unwrap();
        assert_eq!((left(&scopes[0], 0), scopes[0].in_flight()), (60, 1), "{round}");
        permit.give_back(at(0));
        assert_eq!((left(&scopes[0], 0), scopes[0].in_flight()), (100, 0), "{round}");
    }
    drop(admit(&scopes, ask(40, 0)).unwrap());
    drop(admit(&scopes, ask(40, 0)).unwrap());
    assert_eq!(left(&scopes[0], 0), 100);
    assert_eq!(admit(&scopes, ask(40, 0)).map(drop).unwrap_err().limit, Limit::Requests);
}

#[test]
fn cached_input_weighs_as_configured() {
    for (weight, charged) in
        [(None, 100), (Some(1_000_000), 100), (Some(250_000), 40), (Some(0), 20), (Some(1), 21)]
    {
        let scopes = [key(ScopeLimits { cached_input_weight: weight, ..tokens(per_minute(60, 1000)) })];
        let used = Spent { tokens: 100, cached_input: 80, nano_usd: 0 };
        admit(&scopes, ask(500, 0)).unwrap().settle(used, at(0));
        assert_eq!(left(&scopes[0], 0), 1000 - charged, "{weight:?}");
    }
}

#[test]
fn a_request_larger_than_the_bucket_is_told_that_waiting_does_not_help() {
    let scopes = [key(ScopeLimits { concurrency: Some(1), ..tokens(per_minute(600, 100)) })];
    let _busy = admit(&scopes, ask(100, 0)).unwrap();
    let refusal = admit(&scopes, ask(101, 0)).map(drop).unwrap_err();
    assert!(refusal.never && refusal.retry_after.is_none());
    assert_eq!(
        refusal.to_string(),
        "This request may take 101 tokens; Key 'nightly' never has more than 100 at once. Waiting does not help: \
         shorten the prompt, lower `max_tokens`, or have the limit's burst raised."
    );
}

#[test]
fn a_refusal_says_whose_limit_how_much_of_it_and_when_to_come_back() {
    let text = |limits: ScopeLimits, tokens: u64| {
        let scopes = [key(limits)];
        let _first = admit(&scopes, ask(tokens, 0)).unwrap();
        admit(&scopes, ask(tokens, 0)).map(drop).unwrap_err().to_string()
    };
    assert_eq!(text(requests(per_minute(1, 1)), 0), "Key 'nightly' used 1/1 requests/min. Retry in 60 s.");
    assert_eq!(
        text(requests(per_minute(600, 1)), 0),
        "Key 'nightly' used 1/1 requests (refilled at 600/min). Retry in 1 s."
    );
    assert_eq!(
        text(tokens(per_minute(60, 60)), 40),
        "Key 'nightly' used 40/60 tokens/min; this request may take 40. Retry in 20 s."
    );
    assert_eq!(
        text(concurrency(1), 0),
        "Key 'nightly' has 1/1 requests in flight. Retry when one of them has ended."
    );
}

#[test]
fn headers_tell_the_tightest_limits() {
    let one = ScopeLimits { requests: Some(per_minute(100, 100)), ..tokens(per_minute(1000, 50)) };
    let other = ScopeLimits { requests: Some(per_minute(10, 10)), ..tokens(per_minute(1000, 1000)) };
    let scopes = [key(one), scope(ScopeKind::Tenant, other)];
    let remaining = admit(&scopes, ask(20, 0)).unwrap().remaining;
    let (requests, tokens) = (remaining.requests.unwrap(), remaining.tokens.unwrap());
    assert_eq!((requests.limit, requests.remaining), (10, 9));
    assert_eq!((tokens.limit, tokens.remaining), (50, 30));
    assert_eq!(admit(&[key(ScopeLimits::default())], ask(20, 0)).unwrap().remaining, Remaining::default());
}

#[test]
fn a_scope_that_is_given_twice_counts_once() {
    let key = key(ScopeLimits { concurrency: Some(2), ..tokens(per_minute(60, 10)) });
    let permit = admit(&[key.clone(), key.clone()], ask(6, 0)).unwrap();
    assert_eq!((left(&key, 0), key.in_flight()), (4, 1));
    drop(permit);
}

#[test]
fn a_reload_keeps_buckets_of_the_same_limit_and_whoever_is_in_flight() {
    let before = ScopeLimits { concurrency: Some(1), ..tokens(per_minute(60, 100)) };
    let scopes = [key(before)];
    let permit = admit(&scopes, ask(40, 0)).unwrap();
    scopes[0].update(ScopeLimits { concurrency: Some(2), ..before }, &Wiring::default());
    assert_eq!((left(&scopes[0], 0), scopes[0].in_flight()), (60, 1));
    let other = admit(&scopes, ask(10, 0)).unwrap();
    // Another bucket is full, and what was reserved of the old one is not given back to it.
    scopes[0].update(tokens(per_minute(60, 50)), &Wiring::default());
    let third = admit(&scopes, ask(30, 0)).unwrap();
    permit.settle(spent(0), at(0));
    other.settle(spent(1000), at(0));
    assert_eq!((left(&scopes[0], 0), scopes[0].in_flight()), (20, 1));
    third.settle(spent(30), at(0));
}

#[test]
fn of_64_that_come_at_once_as_many_pass_as_the_bucket_fits() {
    let scopes =
        [key(tokens(per_minute(1000, 1000))), scope(ScopeKind::Tenant, tokens(per_minute(5000, 5000)))];
    let passed: Vec<_> = thread::scope(|threads| {
        let all: Vec<_> = (0..64).map(|_| threads.spawn(|| admit(&scopes, ask(100, 0)).ok())).collect();
        all.into_iter().filter_map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(passed.len(), 10);
    assert_eq!((left(&scopes[0], 0), left(&scopes[1], 0)), (0, 4000));
}

#[test]
fn threads_that_take_the_same_scopes_in_any_order_end_and_the_sum_is_right() {
    let wide = ScopeLimits { concurrency: Some(3), ..tokens(per_minute(1, 1_000_000_000)) };
    let all: Vec<_> =
        [ScopeKind::Provider, ScopeKind::Key, ScopeKind::Tenant, ScopeKind::Model, ScopeKind::Tenant]
            .into_iter()
            .map(|kind| scope(kind, wide))
            .collect();
    let used: Vec<_> = all.iter().map(|_| AtomicU64::new(0)).collect();
    thread::scope(|threads| {
        for thread in 0..4_usize {
            let (all, used) = (&all, &used);
            threads.spawn(move || {
                for round in 0..3000 {
                    let picked: Vec<_> = (0..3)
                        .map(|place| (round * (thread + 1) + place * (thread + 2)) % all.len())
                        .collect();
                    let scopes: Vec<_> = picked.iter().map(|at| all[*at].clone()).collect();
                    let Ok(permit) = admit(&scopes, ask(100, 0)) else { continue };
                    assert!(scopes.iter().all(|scope| scope.in_flight() <= 3));
                    let tokens = u64::try_from(round % 200).unwrap();
                    permit.settle(spent(tokens), at(0));
                    let mut once = picked;
                    once.sort_unstable();
                    once.dedup();
                    for at in once {
                        used[at].fetch_add(tokens, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    for (scope, used) in all.iter().zip(used) {
        assert_eq!(scope.in_flight(), 0);
        assert_eq!(left(scope, 0), 1_000_000_000 - used.into_inner());
    }
}

/// What a list of requests does to scopes, as one would write it down by hand.
#[derive(Clone)]
struct Bucket {
    level: i64,
    burst: i64,
}

proptest! {
    /// With time standing still every bucket is plain subtraction.
    #[test]
    fn all_scopes_take_or_none_does(
        bursts in proptest::collection::vec(1_i64..300, 1..5),
        steps in proptest::collection::vec((0_u64..150, 0_u64..200, 0_usize..4, 0_u8..3), 1..60),
    ) {
        let kinds = [ScopeKind::Key, ScopeKind::Tenant, ScopeKind::Model, ScopeKind::Provider];
        let scopes: Vec<_> = bursts.iter().zip(kinds)
            .map(|(burst, kind)| scope(kind, tokens(per_minute(1, burst.unsigned_abs()))))
            .collect();
        let mut model: Vec<_> = bursts.iter().map(|burst| Bucket { level: *burst, burst: *burst }).collect();
        let mut open = Vec::new();
        for (wanted, used, which, end) in steps {
            let fits = model.iter().all(|bucket| i64::try_from(wanted).unwrap() <= bucket.level);
            match admit(&scopes, ask(wanted, 0)) {
                Ok(permit) => {
                    prop_assert!(fits);
                    model.iter_mut().for_each(|bucket| bucket.level -= i64::try_from(wanted).unwrap());
                    open.push((permit, wanted));
                }
                Err(refusal) => {
                    prop_assert!(!fits);
                    let burst = model.iter().map(|bucket| bucket.burst).min().unwrap();
                    prop_assert_eq!(refusal.never, i64::try_from(wanted).unwrap() > burst);
                    prop_assert!(refusal.never == refusal.retry_after.is_none());
                }
            }
            if which < open.len() && end > 0 {
                let (permit, reserved) = open.swap_remove(which);
                let spent = if end == 1 { used } else { 0 };
                let change = i64::try_from(reserved).unwrap() - i64::try_from(spent).unwrap();
                for bucket in &mut model {
                    bucket.level = (bucket.level + change).clamp(-bucket.burst, bucket.burst);
                }
                match end {
                    1 => permit.settle(self::spent(spent), at(0)),
                    _ => drop(permit),
                }
            }
            for (scope, bucket) in scopes.iter().zip(&model) {
                prop_assert_eq!(i64::try_from(left(scope, 0)).unwrap(), bucket.level.max(0));
                prop_assert_eq!(usize::try_from(scope.in_flight()).unwrap(), open.len());
            }
        }
    }

    #[test]
    fn waiting_as_told_is_enough_over_all_scopes(
        limits in proptest::collection::vec((1_u64..1000, 1_u64..1000, 1_u64..1000, 1_u64..10), 1..5),
        first in 0_u64..1000, second in 0_u64..1000,
    ) {
        let kinds = [ScopeKind::Key, ScopeKind::Tenant, ScopeKind::Model, ScopeKind::Provider];
        let scopes: Vec<_> = limits.iter().zip(kinds)
            .map(|((rate, burst, requests, many), kind)| scope(kind, ScopeLimits {
                requests: Some(per_minute(*requests, *many)), ..tokens(per_minute(*rate, *burst))
            }))
            .collect();
        for _ in 0..3 {
            if let Ok(permit) = admit(&scopes, ask(first, 0)) {
                permit.settle(spent(first), at(0));
            }
        }
        let found = admit(&scopes, ask(second, 0));
        prop_assume!(found.is_err());
        let refusal = found.map(drop).unwrap_err();
        if let Some(wait) = refusal.retry_after {
            let at = |time| At { now: Moment::at(time), second: 0 };
            let soon = Ask { tokens: second, at: at(wait - Duration::from_nanos(1)), ..Ask::default() };
            prop_assert!(admit(&scopes, soon).is_err());
            let then = Ask { tokens: second, at: at(wait), ..Ask::default() };
            prop_assert!(admit(&scopes, then).is_ok());
        }
    }
}
