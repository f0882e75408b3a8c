//! Budgets that replicas share: one sum over all of them, whichever comes and goes.

use crate::{
    fleet::{TEAM_SPENT, admitted, replicas, team_with, until_it_is_spent},
    support::{by_limited, chat_of},
};
use sluice_tests::{
    crowd::{Crowd, Turn},
    eventually,
    redis::{Redis, Reply},
    replica::Replica,
    upstream::Upstream,
};
use std::time::{Duration, Instant};

/// A tenant with a dollar for two processes, before answers of a cent each that take so many milliseconds.
async fn one_dollar(redis: &Redis, ms: u64) -> (Vec<Replica>, Upstream) {
    let (config, upstream) = team_with("usd: 1", ms).await;
    (replicas(&config.redis(redis, "timeout: 2s"), 2).await, upstream)
}

/// Four clients of each.
fn crowd(replicas: &[Replica]) -> Crowd {
    let api: Vec<_> = replicas.iter().map(|replica| replica.api).collect();
    Crowd::start(&api, 4, &by_limited(chat_of(10)), until_it_is_spent)
}

/// Dollars by what both ledgers say, once both processes have ended.
async fn in_ledgers(replicas: &mut [Replica]) -> f64 {
    let mut nano = 0;
    for replica in replicas {
        replica.stop().await;
        nano += replica.records().iter().filter_map(|record| record["cost"].as_u64()).sum::<u64>();
    }
    nano as f64 / 1e9
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_spend_one_dollar_together_also_when_one_begins_anew() {
    let redis = Redis::start();
    let (mut replicas, upstream) = one_dollar(&redis, 100).await;
    let load = crowd(&replicas);
    load.reaches(40).await;
    let one = &mut replicas[0];
    one.stop().await;
    one.begin().await;
    // Those whose process ended have left; the others go on.
    let before = load.ok();
    let more = crowd(&replicas[..1]);
    let turns = [load.left().await, more.left().await].concat();
    println!("{before} until the restart, {} in all", admitted(&turns).count());
    assert_eq!((admitted(&turns).count(), upstream.calls()), (100, 100));
    for replica in &replicas {
        replica.metric_is(TEAM_SPENT, 1.0).await;
    }
    assert_eq!(in_ledgers(&mut replicas).await, 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_takes_its_last_second_along_and_no_more() {
    let redis = Redis::start();
    let (mut replicas, upstream) = one_dollar(&redis, 200).await;
    let load = crowd(&replicas);
    load.reaches(60).await;
    let one = &mut replicas[0];
    one.kill().await;
    let killed = Instant::now();
    one.begin().await;
    let more = crowd(&replicas[..1]);
    let turns = [load.left().await, more.left().await].concat();
    let late = |turn: &&Turn| killed.saturating_duration_since(turn.ended) < Duration::from_millis(1_300);
    let by_it = turns.iter().filter(|turn| turn.to == replicas[0].api && turn.ended <= killed);
    let lost = by_it.filter(late).count();
    let calls = upstream.calls();
    println!("{calls} calls for 100 cents, of which {lost} may be forgotten");
    assert!(calls <= 100 + lost + 4, "{calls}, and {lost} may be lost");
    // Nor is much held back for ever by what the killed one had under way.
    assert!(calls >= 80, "{calls}");
}

/// Spends so many cents at one process.
async fn spend(replica: &Replica, cents: usize) {
    for _ in 0..cents {
        let _ = by_limited(chat_of(10)).send(replica.api).await.expect(200);
    }
}

/// Waits until Redis knows of so much that was spent: by processes that live, or before they began.
async fn is_told(redis: &Redis, cents: i64) {
    let told = || {
        let keys = redis.keys("{sluice:limits}:tenant:team:usd:*");
        let Some(Reply::List(fields)) = keys.first().map(|key| redis.ask(&[b"HGETALL", key.as_bytes()]))
        else {
            return 0;
        };
        let text = |field: &Reply| match field {
            Reply::Text(text) => String::from_utf8_lossy(text).into_owned(),
            other => panic!("{other:?}"),
        };
        let fields = fields.chunks(2).map(|pair| (text(&pair[0]), text(&pair[1])));
        let spent = fields.filter(|(name, _)| name.starts_with("s:") || name.starts_with("b:"));
        spent.map(|(_, value)| value.rsplit(' ').next().unwrap().parse::<i64>().unwrap()).sum::<i64>()
    };
    eventually(&format!("{cents} cents in Redis"), || told() == cents * 10_000_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgets_is_told_what_was_spent_also_by_those_who_spend_nothing_now() {
    let redis = Redis::start();
    let (mut replicas, upstream) = one_dollar(&redis, 0).await;
    for replica in &replicas {
        spend(replica, 30).await;
    }
    is_told(&redis, 60).await;
    redis.flush();
    is_told(&redis, 60).await;
    spend(&replicas[0], 1).await;
    replicas[0].metric_is(TEAM_SPENT, 0.61).await;

    // Nobody remembers but the ledgers.
    for replica in &mut replicas {
        replica.stop().await;
    }
    redis.flush();
    for replica in &mut replicas {
        replica.begin().await;
    }
    is_told(&redis, 61).await;
    spend(&replicas[1], 39).await;
    let refused = by_limited(chat_of(10)).send(replicas[1].api).await.expect(429);
    assert!(refused.message().starts_with("Tenant 'team' spent $1 of $1 this month;"), "{refused:?}");
    assert_eq!(upstream.calls(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_comes_to_another_place_is_not_counted_twice() {
    let redis = Redis::start();
    let (mut replicas, _upstream) = one_dollar(&redis, 0).await;
    spend(&replicas[0], 30).await;
    is_told(&redis, 30).await;
    replicas[0].stop().await;
    replicas[0].move_house();
    replicas[0].begin().await;
    spend(&replicas[0], 1).await;
    replicas[0].metric_is(TEAM_SPENT, 0.31).await;
    is_told(&redis, 31).await;
}
