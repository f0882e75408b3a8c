use super::*;
use crate::limits::{
    bucket::How,
    cell::Moment,
    scope::{ScopeKind, ScopeLimits, Spent, Wiring},
};
use sluice_config::model::{Queue, Rate, RateLimit};
use std::{future::Future, pin::Pin, slice, task::Poll};
use tokio::time::{Instant, advance};

const WAIT: Duration = Duration::from_millis(200);

fn scope(kind: ScopeKind, limits: ScopeLimits, size: u32) -> Arc<LimitScope> {
    let queue = (size > 0).then_some(Queue { max_wait: WAIT, size });
    Arc::new(LimitScope::new(kind, "nightly", ScopeLimits { queue, ..limits }))
}

fn concurrency(most: u32) -> ScopeLimits {
    ScopeLimits { concurrency: Some(most), ..ScopeLimits::default() }
}

fn per_second(amount: u64, burst: u64) -> Option<RateLimit> {
    Some(RateLimit { rate: Rate { amount, per: Duration::from_secs(1) }, burst })
}

/// The injected clock is tokio's, which stands still in these tests.
fn clock() -> impl Fn() -> At {
    let start = Instant::now();
    move || At { now: Moment::at(start.elapsed()), second: 0 }
}

fn tokens(tokens: u64) -> Ask {
    Ask { tokens, ..Ask::default() }
}

type Waiter<'a> = Pin<Box<dyn Future<Output = Result<Permit, Refusal>> + 'a>>;

fn waiter<'a>(scopes: &'a [Arc<LimitScope>], clock: &'a dyn Fn() -> At) -> Waiter<'a> {
    Box::pin(admit_or_wait(scopes, tokens(10), None, clock))
}

async fn poll(waiter: &mut Waiter<'_>) -> Option<Result<Permit, Refusal>> {
    std::future::poll_fn(|context| {
        Poll::Ready(match waiter.as_mut().poll(context) {
            Poll::Ready(end) => Some(end),
            Poll::Pending => None,
        })
    })
    .await
}

fn now(scopes: &[Arc<LimitScope>], clock: &dyn Fn() -> At) -> Result<Permit, Refusal> {
    now_with(scopes, 10, clock)
}

fn now_with(scopes: &[Arc<LimitScope>], n: u64, clock: &dyn Fn() -> At) -> Result<Permit, Refusal> {
    admission::admit(scopes, Ask { at: clock(), ..tokens(n) }, How::Held).map_err(|denied| match denied {
        admission::Denied::Refused(refusal) => refusal,
        admission::Denied::Unknown(_) => panic!("nothing is shared"),
    })
}

#[tokio::test(start_paused = true)]
async fn without_a_queue_a_refusal_comes_at_once() {
    let (scopes, clock) = ([scope(ScopeKind::Key, concurrency(1), 0)], clock());
    let _busy = now(&scopes, &clock).unwrap();
    let refusal = poll(&mut waiter(&scopes, &clock)).await.unwrap().map(drop).unwrap_err();
    assert_eq!(refusal.limit, Limit::Concurrency);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_admitted_when_a_request_ends() {
    let (scopes, clock) = ([scope(ScopeKind::Key, concurrency(1), 5)], clock());
    let busy = now(&scopes, &clock).unwrap();
    let mut first = waiter(&scopes, &clock);
    assert!(poll(&mut first).await.is_none());
    advance(Duration::from_millis(50)).await;
    drop(busy);
    let permit = first.await.unwrap();
    assert_eq!((permit.waited, scopes[0].in_flight()), (Duration::from_millis(50), 1));
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_admitted_when_the_buckets_time_has_come_and_not_before() {
    let limits = ScopeLimits { requests: per_second(10, 1), ..ScopeLimits::default() };
    let (scopes, clock) = ([scope(ScopeKind::Key, limits, 5)], clock());
    drop(now(&scopes, &clock).unwrap());
    let permit = waiter(&scopes, &clock).await.unwrap();
    assert!(permit.waited >= Duration::from_millis(100) && permit.waited < Duration::from_millis(103));
}

#[tokio::test(start_paused = true)]
async fn a_refund_of_tokens_wakes_before_the_buckets_own_time() {
    let limits = ScopeLimits { tokens: per_second(1, 100), ..ScopeLimits::default() };
    let (scopes, clock) = ([scope(ScopeKind::Key, limits, 5)], clock());
    let large = now_with(&scopes, 95, &clock).unwrap();
    let mut first = waiter(&scopes, &clock);
    assert!(poll(&mut first).await.is_none());
    large.settle(Spent { tokens: 20, ..Spent::default() }, clock());
    assert_eq!(first.await.unwrap().waited, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_wait_ends_with_the_limits_refusal() {
    let (scopes, clock) = ([scope(ScopeKind::Key, concurrency(1), 5)], clock());
    let _busy = now(&scopes, &clock).unwrap();
    let (begin, mut second) = (Instant::now(), waiter(&scopes, &clock));
    let mut first = waiter(&scopes, &clock);
    assert!(poll(&mut first).await.is_none() && poll(&mut second).await.is_none());
    for one in [first, second] {
        assert_eq!(one.await.map(drop).unwrap_err().limit, Limit::Concurrency);
        assert!(begin.elapsed() >= WAIT && begin.elapsed() <= WAIT + Duration::from_millis(2));
    }
    assert!(scopes[0].line.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_no_wait_can_bring_is_refused_at_once() {
    let limits = ScopeLimits { requests: per_second(1, 1), tokens: per_second(1, 15), ..concurrency(5) };
    let (scopes, clock) = ([scope(ScopeKind::Key, limits, 5)], clock());
    let large = poll(&mut (Box::pin(admit_or_wait(&scopes, tokens(16), None, &clock)) as Waiter<'_>)).await;
    assert!(large.unwrap().map(drop).unwrap_err().never);
    now(&scopes, &clock).unwrap().settle(Spent::default(), clock());
    let refusal = poll(&mut waiter(&scopes, &clock)).await.unwrap().map(drop).unwrap_err();
    assert_eq!((refusal.limit, refusal.retry_after), (Limit::Requests, Some(Duration::from_secs(1))));
}

#[tokio::test(start_paused = true)]
async fn what_no_wait_can_bring_does_not_stand_in_line_either() {
    let limits = ScopeLimits { tokens: per_second(1, 15), ..concurrency(1) };
    let (scopes, clock) = ([scope(ScopeKind::Key, limits, 5)], clock());
    let _busy = now(&scopes, &clock).unwrap();
    let mut first = waiter(&scopes, &clock);
    assert!(poll(&mut first).await.is_none());
    let mut large: Waiter<'_> = Box::pin(admit_or_wait(&scopes, tokens(16), None, &clock));
    assert!(poll(&mut large).await.unwrap().map(drop).unwrap_err().never);
}

#[tokio::test(start_paused = true)]
async fn a_line_takes_as_many_as_it_is_long() {
    let (scopes, clock) = ([scope(ScopeKind::Key, concurrency(1), 2)], clock());
    let _busy = now(&scopes, &clock).unwrap();
    let mut line: Vec<_> = (0..3).map(|_| waiter(&scopes, &clock)).collect();
    assert!(poll(&mut line[0]).await.is_none() && poll(&mut line[1]).await.is_none());
    assert!(poll(&mut line[2]).await.unwrap().is_err());
    // Who gives up makes room.
    line.truncate(1);
    assert!(poll(&mut waiter(&scopes, &clock)).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn order_of_arrival_holds_and_who_comes_later_does_not_pass() {
    let (scopes, clock) = ([scope(ScopeKind::Key, concurrency(1), 5)], clock());
    let busy = now(&scopes, &clock).unwrap();
    let mut line: Vec<_> = (0..3).map(|_| waiter(&scopes, &clock)).collect();
    for one in &mut line {
        assert!(poll(one).await.is_none());
    }
    drop(busy);
    // There is room now, and it belongs to the first in line.
    let mut late = waiter(&scopes, &clock);
    assert!(poll(&mut late).await.is_none());
    assert!(poll(&mut line[2]).await.is_none() && poll(&mut line[1]).await.is_none());
    let mut held = poll(&mut line[0]).await.unwrap().unwrap();
    for next in line.iter_mut().skip(1) {
        assert!(poll(&mut late).await.is_none());
        drop(held);
        held = poll(next).await.unwrap().unwrap();
    }
    drop(held);
    assert!(poll(&mut late).await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_waiting_leaves_nothing_behind() {
    let (scopes, clock) = ([scope(ScopeKind::Key, concurrency(1), 5)], clock());
    let busy = now(&scopes, &clock).unwrap();
    let mut line: Vec<_> = (0..4).map(|_| waiter(&scopes, &clock)).collect();
    for one in &mut line {
        assert!(poll(one).await.is_none());
    }
    // The first, whose turn it is, is woken and then dropped before it runs; the third never had a turn.
    drop(busy);
    drop(line.remove(2));
    drop(line.remove(0));
    let second = poll(&mut line[0]).await.unwrap().unwrap();
    assert!(poll(&mut line[1]).await.is_none());
    drop((second, line));
    assert!(scopes[0].line.is_empty());
    assert_eq!((scopes[0].in_flight(), scopes[0].line.listening.load(Ordering::Relaxed)), (0, 0));
    assert!(poll(&mut waiter(&scopes, &clock)).await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_first_of_one_line_waits_for_a_second_scope_without_taking_from_the_first() {
    let key = scope(ScopeKind::Key, concurrency(1), 5);
    let tenant = scope(ScopeKind::Tenant, concurrency(1), 5);
    let (both, clock) = ([key.clone(), tenant.clone()], clock());
    let (own, others) =
        (now(slice::from_ref(&key), &clock).unwrap(), now(slice::from_ref(&tenant), &clock).unwrap());
    let mut first = waiter(&both, &clock);
    assert!(poll(&mut first).await.is_none());
    drop(own);
    assert!(poll(&mut first).await.is_none());
    assert_eq!((key.in_flight(), tenant.in_flight()), (0, 1));
    drop(others);
    let permit = poll(&mut first).await.unwrap().unwrap();
    assert_eq!((key.in_flight(), tenant.in_flight()), (1, 1));
    drop(permit);
}

#[tokio::test(start_paused = true)]
async fn a_second_scope_without_a_queue_ends_the_wait() {
    let key = scope(ScopeKind::Key, concurrency(1), 5);
    let tenant = scope(ScopeKind::Tenant, concurrency(1), 0);
    let (both, clock) = ([key.clone(), tenant.clone()], clock());
    let own = now(slice::from_ref(&key), &clock).unwrap();
    let mut first = waiter(&both, &clock);
    assert!(poll(&mut first).await.is_none());
    let _others = now(slice::from_ref(&tenant), &clock).unwrap();
    drop(own);
    let refusal = poll(&mut first).await.unwrap().map(drop).unwrap_err();
    assert_eq!(refusal.scope.kind(), ScopeKind::Tenant);
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_raises_the_limit_wakes_the_line() {
    let (scopes, clock) = ([scope(ScopeKind::Key, concurrency(1), 5)], clock());
    let _busy = now(&scopes, &clock).unwrap();
    let mut first = waiter(&scopes, &clock);
    assert!(poll(&mut first).await.is_none());
    scopes[0].update(concurrency(2), &Wiring::default());
    assert!(poll(&mut first).await.unwrap().is_ok());
}

/// Real threads: no wake-up is lost between a try and the wait for the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_passes_through_one_place() {
    let queue = Some(Queue { max_wait: Duration::from_secs(60), size: 1000 });
    let limits = ScopeLimits { queue, ..concurrency(1) };
    let scopes = Arc::new([Arc::new(LimitScope::new(ScopeKind::Key, "nightly", limits))]);
    let mut crowd = tokio::task::JoinSet::new();
    let begin = std::time::Instant::now();
    for _ in 0..500 {
        let scopes = scopes.clone();
        crowd.spawn(async move {
            let permit = admit_or_wait(&*scopes, tokens(1), None, move || At {
                now: Moment::at(begin.elapsed()),
                second: 0,
            })
            .await
            .unwrap();
            assert_eq!(scopes[0].in_flight(), 1);
            tokio::task::yield_now().await;
            drop(permit);
        });
    }
    while let Some(end) = crowd.join_next().await {
        end.unwrap();
    }
    assert!(begin.elapsed() < Duration::from_secs(20) && scopes[0].line.is_empty());
}
