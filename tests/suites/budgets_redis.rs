//! Budgets that replicas share: one sum over all of them, whichever comes and goes.

use crate::support::{CHAT_REPLY, by_limited, chat_of, limited};
use sluice_tests::{
    client::Answer,
    crowd::{Crowd, Next, Turn},
    eventually,
    gateway::Config,
    redis::{Redis, Reply},
    replica::Replica,
    upstream::{self, Upstream},
};
use std::time::{Duration, Instant};

const SPENT: &str = "sluice_budget_spent_usd{name=\"team\",period=\"month\",scope=\"tenant\"}";

/// A tenant with a dollar, before answers of a cent each that take their time.
async fn one_dollar(redis: &Redis) -> (Config, Upstream) {
    let upstream =
        Upstream::script([upstream::Answer::new().wait(15).then(upstream::Answer::json(CHAT_REPLY))]).await;
    let config = limited(&upstream, "tenant: team")
        .tenant("team", "budget: {usd: 1, per: month}")
        .price("m", 2500)
        .redis(redis, "timeout: 2s");
    (config, upstream)
}

async fn two(config: &Config) -> [Replica; 2] {
    let both = [Replica::start(config).await, Replica::start(config).await];
    for replica in &both {
        replica.metric_is("sluice_limiter_replicas", 2.0).await;
    }
    both
}

fn until_it_is_spent(answer: &Answer) -> Next {
    match answer.status() {
        200 => Next::After(Duration::ZERO),
        429 if answer.code() == "insufficient_quota" => Next::Leave,
        429 => Next::After(Duration::from_millis(20)),
        // It is shutting down.
        503 => Next::Leave,
        _ => panic!("{answer:?}"),
    }
}

fn crowd(replicas: &[Replica], each: usize) -> Crowd {
    let api: Vec<_> = replicas.iter().map(|replica| replica.api).collect();
    Crowd::start(&api, each, &by_limited(chat_of(10)), until_it_is_spent)
}

fn ok(turns: &[Turn]) -> usize {
    turns.iter().filter(|turn| turn.status() == 200).count()
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
    let (config, upstream) = one_dollar(&redis).await;
    let mut replicas = two(&config).await;
    let load = crowd(&replicas, 1);
    load.reaches(40).await;
    let [one, _] = &mut replicas;
    one.stop().await;
    one.begin().await;
    // Those whose process ended have left; the others go on.
    let before = load.ok();
    let more = crowd(&replicas[..1], 4);
    let turns = [load.left().await, more.left().await].concat();
    println!("{before} until the restart, {} in all", ok(&turns));
    assert_eq!((ok(&turns), upstream.calls()), (100, 100));
    for replica in &replicas {
        replica.metric_is(SPENT, 1.0).await;
    }
    assert_eq!(in_ledgers(&mut replicas).await, 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_takes_its_last_second_along_and_no_more() {
    let redis = Redis::start();
    let (config, upstream) = one_dollar(&redis).await;
    let mut replicas = two(&config).await;
    let load = crowd(&replicas, 1);
    load.reaches(40).await;
    let [one, _] = &mut replicas;
    one.kill().await;
    let killed = Instant::now();
    one.begin().await;
    let more = crowd(&replicas[..1], 4);
    let turns = [load.left().await, more.left().await].concat();
    let late = |turn: &&Turn| killed.saturating_duration_since(turn.ended) < Duration::from_millis(1_300);
    let lost = turns.iter().filter(|turn| turn.ended <= killed).filter(late).count();
    let calls = upstream.calls();
    println!("{calls} calls for 100 cents, of which {lost} may be forgotten");
    assert!(calls <= 100 + lost + 1, "{calls}, and {lost} may be lost");
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
    let (config, upstream) = one_dollar(&redis).await;
    let mut replicas = two(&config).await;
    for replica in &replicas {
        spend(replica, 30).await;
    }
    is_told(&redis, 60).await;
    redis.flush();
    is_told(&redis, 60).await;
    spend(&replicas[0], 1).await;
    replicas[0].metric_is(SPENT, 0.61).await;

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
