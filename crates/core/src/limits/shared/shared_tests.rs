//! The real script on a real server, under a clock that the test sets for both sides.

use super::*;
use crate::{
    limits::{
        admission::{Ask, Permit},
        cell::Moment,
        pot::Budget,
        refusal::{Limit, Refusal},
        scope::{ScopeKind, ScopeLimits, Spent, Wiring},
        shared::decide,
    },
    redis::{
        LinkSettings, LinkState,
        testing::{self, Bench, Server},
    },
};
use ::redis::Pipeline;
use sluice_config::model::{Period, Rate, RateLimit, RedisMode};
use std::sync::atomic::AtomicI64;

const CLOCK: &str = "clock";
/// 2026-11-29T00:00:00Z.
const EPOCH: i64 = 1_795_910_400;

/// One server, its clock, and some replicas.
struct World {
    server: Server,
    bench: Bench,
    /// Microseconds since the beginning.
    time: Arc<AtomicI64>,
    limits: ScopeLimits,
    replicas: Vec<Replica>,
}

struct Replica {
    shared: SharedLimits,
    scope: Arc<LimitScope>,
}

fn rate(amount: u64, per: Duration, burst: u64) -> RateLimit {
    RateLimit { rate: Rate { amount, per }, burst }
}

fn tokens(limit: RateLimit) -> ScopeLimits {
    ScopeLimits { tokens: Some(limit), ..ScopeLimits::default() }
}

fn dollars(nano_usd: u64) -> ScopeLimits {
    ScopeLimits { budget: Some(Budget { nano_usd, per: Period::Month }), ..ScopeLimits::default() }
}

impl World {
    async fn new(limits: ScopeLimits, replicas: usize) -> Self {
        let server = Server::start(&[]);
        // Nothing here is about a server that is slow, as a busy machine makes it.
        let patient = LinkSettings {
            timeout: Duration::from_secs(5),
            ..testing::settings(RedisMode::Single, &[server.url()])
        };
        let bench = Bench::start(&patient);
        bench.reaches(LinkState::Up).await;
        let time = Arc::new(AtomicI64::new(0));
        let mut world = Self { server, bench, time, limits, replicas: Vec::new() };
        for _ in 0..replicas {
            let replica = world.replica("/a", 0);
            world.replicas.push(replica);
        }
        world.advance(0).await;
        world.look_after().await;
        world
    }

    fn replica(&self, ledger: &str, paid: u64) -> Replica {
        let count = |name| IntCounter::new(name, name).unwrap();
        let metrics = SharedMetrics {
            local: count("local"),
            open: count("open"),
            closed: count("closed"),
            degraded: IntGauge::new("degraded", "degraded").unwrap(),
        };
        let replicas = Arc::new(AtomicU32::new(1));
        let script = script::script_with_clock(CLOCK);
        let me = ReplicaId::default();
        let identity = Identity { key_prefix: "t", me: &me, ledger };
        let link = self.bench.link.clone();
        let shared = SharedLimits::new(link, script, &identity, replicas.clone(), metrics);
        let wiring = Wiring { shared: Some(replicas), paid, second: self.at().second, ..Wiring::default() };
        let scope = Arc::new(LimitScope::wired(ScopeKind::Key, "k", self.limits, &wiring));
        shared.spenders(std::slice::from_ref(&scope));
        Replica { shared, scope }
    }

    fn at(&self) -> At {
        at(&self.time)
    }

    /// Moves both clocks on.
    async fn advance(&self, micros: i64) {
        let now = self.time.fetch_add(micros, Ordering::Relaxed) + micros;
        let mut pipeline = Pipeline::new();
        pipeline.cmd("DEL").arg(CLOCK).ignore();
        pipeline.cmd("RPUSH").arg(CLOCK).arg(EPOCH + now / 1_000_000).arg(now % 1_000_000).ignore();
        self.bench.link.run::<()>(Op::Set, &pipeline).await.unwrap();
    }

    async fn advance_seconds(&self, seconds: i64) {
        self.advance(seconds * 1_000_000).await;
    }

    async fn look_after(&self) {
        for replica in &self.replicas {
            replica.shared.look_after(&mut None, || self.at()).await;
        }
    }

    async fn ask(&self, replica: usize, n: u64) -> Result<Permit, Refusal> {
        self.replicas[replica].ask(Ask { tokens: n, nano_usd: n, at: self.at() }).await
    }

    fn end(&self, permit: Permit, used: u64) {
        permit.settle(Spent { tokens: used, nano_usd: used, ..Spent::default() }, self.at());
    }

    fn asked(&self) -> u64 {
        self.bench.families.duration.with_label_values(&["limit"]).get_sample_count()
    }
}

impl Replica {
    async fn ask(&self, ask: Ask) -> Result<Permit, Refusal> {
        decide(std::slice::from_ref(&self.scope), ask, Some(&self.shared), || ask.at).await
    }
}

fn at(time: &AtomicI64) -> At {
    let now = time.load(Ordering::Relaxed);
    // The monotonic clock begins elsewhere.
    let moment = Moment(u64::try_from(now + 3_600_000_000).unwrap() * 1000);
    At { now: moment, second: EPOCH + now / 1_000_000 }
}

/// Admissions, refunds as their opposite, and what the law allows.
#[derive(Default)]
struct Book(Vec<(i64, i64)>);

impl Book {
    fn note(&mut self, time: i64, units: i64) {
        self.0.push((time, units));
    }

    /// In every window: at most the burst and the refill.
    fn check(&self, limit: RateLimit) {
        for (from, (begin, _)) in self.0.iter().enumerate() {
            let mut sum = 0;
            for (time, units) in &self.0[from..] {
                sum += units;
                let refill = i128::from(time - begin) * i128::from(limit.rate.amount)
                    / i128::try_from(limit.rate.per.as_micros()).unwrap();
                let most = i128::from(limit.burst) + refill;
                assert!(i128::from(sum) <= most, "{sum} > {most} in {} µs from {begin}", time - begin);
            }
        }
    }
}

#[tokio::test]
async fn never_more_than_burst_and_refill_in_any_window_by_any_number_of_replicas() {
    for seed in 0..30 {
        let mut random = fastrand::Rng::with_seed(seed);
        let limit = rate(random.u64(1..2000), Duration::from_secs(random.u64(1..60)), random.u64(1..500));
        // The other bucket refuses now and then, too.
        let requests = rate(random.u64(1..100), Duration::from_secs(random.u64(1..10)), random.u64(1..40));
        let limits = ScopeLimits { requests: Some(requests), ..tokens(limit) };
        let mut world = World::new(limits, random.usize(1..5)).await;
        let mut of_requests = Book::default();
        let (mut book, mut open) = (Book::default(), Vec::new());
        for _ in 0..250 {
            match random.u8(0..10) {
                0..=4 => {
                    let (replica, n) = (random.usize(0..world.replicas.len()), random.u64(1..60));
                    if let Ok(permit) = world.ask(replica, n).await {
                        book.note(world.time.load(Ordering::Relaxed), i64::try_from(n).unwrap());
                        of_requests.note(world.time.load(Ordering::Relaxed), 1);
                        open.push((permit, n));
                    }
                }
                5 | 6 if !open.is_empty() => {
                    let (permit, n) = open.swap_remove(random.usize(0..open.len()));
                    let used = random.u64(0..90);
                    world.end(permit, used);
                    let back = i64::try_from(n.saturating_sub(used)).unwrap();
                    book.note(world.time.load(Ordering::Relaxed), -back);
                }
                7 => {
                    let long = if random.u8(0..8) == 0 { 20_000_000 } else { 300_000 };
                    world.advance(random.i64(0..long)).await;
                }
                8 if random.bool() => world.look_after().await,
                8 => {
                    // A run on the bucket, wherever what is left of it lies.
                    for replica in 0..world.replicas.len() {
                        while let Ok(permit) = world.ask(replica, 7).await {
                            book.note(world.time.load(Ordering::Relaxed), 7);
                            of_requests.note(world.time.load(Ordering::Relaxed), 1);
                            world.end(permit, 7);
                        }
                    }
                }
                _ => {
                    // Killed without a word, and another begins.
                    if random.u8(0..4) == 0 {
                        let dead = random.usize(0..world.replicas.len());
                        world.replicas[dead] = world.replica("/a", 0);
                    }
                }
            }
        }
        book.check(limit);
        of_requests.check(requests);
    }
}

#[tokio::test]
async fn a_bucket_gives_all_it_has_and_waiting_as_told_is_enough() {
    let world = World::new(tokens(rate(10, Duration::from_secs(1), 100)), 3).await;
    let mut passed = 0;
    for turn in 0..600 {
        if let Ok(permit) = world.ask(turn % 3, 1).await {
            world.end(permit, 1);
            passed += 1;
        }
    }
    assert_eq!(passed, 100, "whatever is lent to one replica, all of it is used");
    let refusal = world.ask(0, 5).await.map(drop).unwrap_err();
    assert_eq!((refusal.limit, refusal.retry_after), (Limit::Tokens, Some(Duration::from_millis(500))));
    world.advance(499_000).await;
    assert!(world.ask(1, 5).await.is_err());
    world.advance(1_000).await;
    assert!(world.ask(2, 5).await.is_ok());
}

#[tokio::test]
async fn most_admissions_at_a_steady_pace_ask_nobody() {
    let world = World::new(tokens(rate(1000, Duration::from_secs(1), 2000)), 3).await;
    let mut passed = 0;
    for step in 0..10_000 {
        world.advance(2_000).await;
        if step % 100 == 0 {
            world.look_after().await;
        }
        world.end(world.ask(step % 3, 1).await.unwrap(), 1);
        passed += 1;
    }
    let asked = world.asked();
    assert!(asked * 20 < passed, "{asked} questions for {passed} admissions");
}

#[tokio::test]
async fn what_is_lent_is_a_share_of_what_remains_and_comes_back_when_nobody_uses_it() {
    let world = World::new(tokens(rate(1, Duration::from_secs(3600), 1000)), 3).await;
    for replica in 0..3 {
        // All three are counted once each has shown itself.
        world.end(world.ask(replica, 100).await.unwrap(), 100);
    }
    let lent: Vec<_> = world.replicas.iter().map(|replica| replica.lent()).collect();
    assert!(lent[0] <= 900 / 4 && lent[1] <= 800 / 4 && lent.iter().sum::<i64>() > 300, "{lent:?}");
    assert!(world.ask(0, 600).await.is_err(), "the others hold too much");
    world.advance_seconds(2).await;
    world.look_after().await;
    let lent: Vec<_> = world.replicas.iter().map(|replica| replica.lent()).collect();
    assert_eq!(lent, [0, 0, 0]);
    assert!(world.ask(0, 700).await.is_ok());
}

#[tokio::test]
async fn a_slice_that_is_filled_up_again_and_again_stays_a_share() {
    let world = World::new(tokens(rate(1, Duration::from_secs(3600), 100_000)), 2).await;
    world.end(world.ask(1, 1).await.unwrap(), 1);
    world.advance_seconds(2).await;
    world.look_after().await;
    // So much at once that a slice as large as wanted would take it all.
    world.end(world.ask(0, 10_000).await.unwrap(), 10_000);
    for _ in 0..20 {
        world.advance(40_000).await;
        world.look_after().await;
        assert!(world.replicas[0].lent() <= 90_000 / 3, "{}", world.replicas[0].lent());
    }
    assert!(world.ask(1, 30_000).await.is_ok());
}

#[tokio::test]
async fn what_lies_unused_in_slices_is_not_refilled_beside_them() {
    let world = World::new(tokens(rate(100, Duration::from_secs(1), 300)), 2).await;
    world.end(world.ask(0, 1).await.unwrap(), 1);
    assert!(world.replicas[0].lent() > 10);
    world.advance(900_000).await;
    let mut passed = 0;
    for replica in [1, 0] {
        while let Ok(permit) = world.ask(replica, 1).await {
            world.end(permit, 1);
            passed += 1;
        }
    }
    assert_eq!(passed, 300, "at one moment never more than the burst");
}

#[tokio::test]
async fn what_an_unheard_question_brought_is_given_back() {
    let world = World::new(tokens(rate(1, Duration::from_secs(3600), 1000)), 2).await;
    // The question is on its way, and nobody waits for the answer.
    world.server.pause();
    assert!(tokio::time::timeout(Duration::from_millis(50), world.ask(0, 10)).await.is_err());
    world.server.resume();
    for _ in 0..3 {
        world.advance_seconds(2).await;
        world.look_after().await;
    }
    assert!(world.ask(1, 990).await.is_ok(), "at most what was asked for is gone");
}

#[tokio::test]
async fn a_changed_limit_goes_on_with_the_same_bucket() {
    let world = World::new(tokens(rate(1, Duration::from_secs(3600), 1000)), 2).await;
    for _ in 0..30 {
        world.end(world.ask(0, 10).await.unwrap(), 10);
    }
    let changed = tokens(rate(2, Duration::from_secs(3600), 1200));
    for replica in &world.replicas {
        let shared = Some(replica.shared.replicas.clone());
        replica.scope.update(changed, &Wiring { shared, ..Wiring::default() });
    }
    let mut passed = 0;
    for turn in 0..400 {
        if let Ok(permit) = world.ask(turn % 2, 10).await {
            world.end(permit, 10);
            passed += 10;
        }
    }
    assert_eq!(passed, 700, "what was used stays used");
}

#[tokio::test]
async fn the_lease_of_a_replica_that_died_counts_as_used_and_then_is_refilled() {
    let mut world = World::new(tokens(rate(100, Duration::from_secs(1), 1000)), 2).await;
    world.end(world.ask(0, 1).await.unwrap(), 1);
    let lent = world.replicas[0].lent();
    assert!(lent > 10);
    world.replicas[0] = world.replica("/a", 0);
    world.advance_seconds(9).await;
    let left = 1000 - u64::try_from(lent).unwrap();
    assert!(world.ask(1, left + 1).await.is_err());
    world.end(world.ask(1, left).await.unwrap(), left);
    world.advance_seconds(30).await;
    world.look_after().await;
    assert!(world.ask(1, 1000).await.is_ok());
}

#[tokio::test]
async fn refunds_and_debts_are_exact() {
    let world = World::new(tokens(rate(1, Duration::from_secs(3600), 1000)), 2).await;
    world.end(world.ask(0, 400).await.unwrap(), 100);
    world.end(world.ask(1, 100).await.unwrap(), 350);
    world.advance_seconds(2).await;
    world.look_after().await;
    world.look_after().await;
    assert!(world.ask(0, 551).await.is_err());
    let rest = world.ask(0, 550).await.unwrap();
    world.end(rest, 5550);
    world.advance_seconds(2).await;
    world.look_after().await;
    // A debt is at most one burst.
    let refusal = world.ask(1, 1).await.map(drop).unwrap_err();
    assert!(refusal.retry_after.unwrap() <= Duration::from_secs(1001 * 3600));
    world.advance_seconds(1001 * 3600).await;
    assert!(world.ask(1, 1).await.is_ok());
}

#[tokio::test]
async fn all_buckets_of_a_decision_give_or_none_does() {
    let limits = ScopeLimits {
        requests: Some(rate(1, Duration::from_secs(3600), 10)),
        ..tokens(rate(1, Duration::from_secs(3600), 100))
    };
    let world = World::new(limits, 1).await;
    world.end(world.ask(0, 95).await.unwrap(), 95);
    for _ in 0..20 {
        let refusal = world.ask(0, 6).await.map(drop).unwrap_err();
        assert_eq!(refusal.limit, Limit::Tokens);
        world.advance(300_000).await;
    }
    for left in (0..5).rev() {
        let permit = world.ask(0, 1).await.unwrap();
        assert_eq!(permit.remaining.tokens.unwrap().remaining, left);
        world.end(permit, 1);
    }
}

#[tokio::test]
async fn a_local_limit_that_refuses_after_all_gives_back_what_was_granted() {
    let limits = ScopeLimits { concurrency: Some(1), ..tokens(rate(1, Duration::from_secs(3600), 100)) };
    let world = World::new(limits, 1).await;
    let scope = &world.replicas[0].scope;
    let (ask, shared) = (Ask { tokens: 60, nano_usd: 0, at: world.at() }, Some(&world.replicas[0].shared));
    let scopes = [scope.clone()];
    let both = tokio::join!(decide(&scopes, ask, shared, || ask.at), decide(&scopes, ask, shared, || ask.at));
    let (passed, refused) = match both {
        (Ok(passed), Err(refused)) | (Err(refused), Ok(passed)) => (passed, refused),
        _ => panic!("one of both"),
    };
    assert!(matches!(refused.limit, Limit::Concurrency | Limit::Tokens));
    world.end(passed, 60);
    world.advance_seconds(2).await;
    world.look_after().await;
    assert!(world.ask(0, 40).await.is_ok());
}

#[tokio::test]
async fn a_forgotten_bucket_forgives_at_most_one_burst() {
    let limit = rate(10, Duration::from_secs(1), 100);
    let world = World::new(tokens(limit), 3).await;
    let mut passed = 0;
    for turn in 0..900 {
        if turn == 450 {
            world.server.tell("FLUSHALL");
            world.advance(0).await;
        }
        if let Ok(permit) = world.ask(turn % 3, 1).await {
            world.end(permit, 1);
            passed += 1;
        }
    }
    assert!((100..=200).contains(&passed), "{passed}");
}

#[tokio::test]
async fn a_key_of_another_kind_in_the_buckets_place_is_replaced() {
    let world = World::new(tokens(rate(10, Duration::from_secs(1), 100)), 1).await;
    world.server.tell("SET {t:limits}:key:k:tokens rubbish");
    assert!(world.ask(0, 50).await.is_ok());
    world.server.tell("DEL {t:limits}:key:k:tokens");
    world.server.tell("HSET {t:limits}:key:k:tokens l:x rubbish s:y rubbish a 70");
    world.advance_seconds(9).await;
    assert!(world.ask(0, 50).await.is_ok());
}

#[tokio::test]
async fn without_redis_each_replica_admits_its_share_and_none_more() {
    let mut world = World::new(tokens(rate(30, Duration::from_secs(1), 90)), 3).await;
    world.look_after().await;
    world.server.kill();
    let mut passed = 0;
    for turn in 0..1200 {
        let replica = &world.replicas[turn % 3];
        let ask = Ask { tokens: 1, nano_usd: 0, at: at(&world.time) };
        passed += i32::from(replica.ask(ask).await.map(|permit| permit.settle(one(), ask.at)).is_ok());
        world.time.fetch_add(2_500, Ordering::Relaxed);
    }
    // Three seconds of 30 a second beside the burst.
    assert!((170..=180).contains(&passed), "{passed}");
    let alone: u64 = world.replicas.iter().map(|replica| replica.shared.metrics.local.get()).sum();
    assert!(alone >= 1000, "{alone}");
}

fn one() -> Spent {
    Spent { tokens: 1, ..Spent::default() }
}

#[tokio::test]
async fn without_redis_everything_passes_or_nothing_where_that_is_wanted() {
    for (down, passes) in [(OnRedisDown::Open, true), (OnRedisDown::Closed, false)] {
        let limits =
            ScopeLimits { on_redis_down: Some(down), ..tokens(rate(1, Duration::from_secs(60), 10)) };
        let mut world = World::new(limits, 1).await;
        world.server.kill();
        for _ in 0..50 {
            let ask = Ask { tokens: 5, nano_usd: 0, at: at(&world.time) };
            let asked = world.replicas[0].ask(ask).await;
            assert_eq!(asked.is_ok(), passes);
            if let Err(refusal) = asked {
                assert_eq!(
                    (refusal.limit, refusal.retry_after),
                    (Limit::Unknown, Some(Duration::from_secs(1)))
                );
            }
        }
    }
}

#[tokio::test]
async fn back_from_an_outage_what_is_shared_counts_again() {
    let mut world = World::new(tokens(rate(1, Duration::from_secs(3600), 100)), 1).await;
    world.end(world.ask(0, 60).await.unwrap(), 60);
    world.server.kill();
    let ask = Ask { tokens: 10, nano_usd: 0, at: at(&world.time) };
    assert!(world.replicas[0].ask(ask).await.is_ok());
    world.bench.reaches(LinkState::Away).await;
    world.server.restart();
    world.bench.reaches(LinkState::Up).await;
    world.advance(0).await;
    let all = world.ask(0, 100).await.expect("a server without memory forgives one burst");
    world.end(all, 100);
    assert!(world.ask(0, 1).await.is_err());
}

impl Replica {
    fn lent(&self) -> i64 {
        let mut state = self.scope.lock();
        state.lease(super::super::Slot::Tokens).map_or(0, |lease| lease.balance())
    }

    fn paid(&self) -> u64 {
        let mut state = self.scope.lock();
        state.lease(super::super::Slot::Money).and_then(|lease| lease.paid()).map_or(0, |(paid, _)| paid)
    }
}

#[path = "money_tests.rs"]
mod money;
