//! Budgets and the process: what was spent is known to the next one.

use crate::{
    fleet::{TEAM_SPENT, team_with, until_it_is_spent},
    support::{by_limited, chat_of},
};
use sluice_tests::{crowd::Crowd, replica::Replica};
use std::time::{Duration, Instant};

const WARNINGS: &str = "sluice_budget_warnings{name=\"team\",period=\"month\",scope=\"tenant\"}";
/// What an answer costs, in nano-dollars.
const CENT: u64 = 10_000_000;

fn crowd(replica: &Replica, clients: usize) -> Crowd {
    Crowd::start(&[replica.api], clients, &by_limited(chat_of(10)), until_it_is_spent)
}

pub fn spent(replica: &Replica) -> u64 {
    replica.records().iter().filter_map(|record| record["cost"].as_u64()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_goes_on_after_a_restart_under_load() {
    let (config, upstream) = team_with("usd: 1, warn_at: [40%, 80%]", 700).await;
    let mut replica = Replica::start(&config).await;
    let load = crowd(&replica, 32);
    load.reaches(50).await;
    let said = replica.says("a budget comes near its end").await;
    assert_eq!(said, 1, "one share of two was passed");
    replica.stop().await;
    let before = load.left().await.iter().filter(|turn| turn.status() == 200).count();
    assert_eq!(spent(&replica), before as u64 * CENT);

    replica.begin().await;
    assert_eq!(replica.metric(TEAM_SPENT).await, before as f64 / 100.0);
    let turns = crowd(&replica, 32).left().await;
    let after = turns.iter().filter(|turn| turn.status() == 200).count();
    assert_eq!((before + after, upstream.calls()), (100, 100));
    assert_eq!(replica.metric(TEAM_SPENT).await, 1.0);
    assert!(replica.says("a budget comes near its end").await >= 1);
    replica.stop().await;
    assert_eq!(spent(&replica), 100 * CENT);
    // Nobody can spend anything any more, and dashboards say why.
    replica.begin().await;
    assert_eq!((replica.metric(TEAM_SPENT).await, replica.metric(WARNINGS).await), (1.0, 2.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_of_a_killed_process_forgets_the_last_second_at_most() {
    let (config, upstream) = team_with("usd: 1.5", 40).await;
    let mut replica = Replica::start(&config).await;
    let load = crowd(&replica, 2);
    load.reaches(110).await;
    replica.kill().await;
    let killed = Instant::now();
    let turns = load.left().await;
    let late = |ended: Instant| killed.saturating_duration_since(ended) < Duration::from_millis(1_200);
    // Cut by the kill, or answered so late that it may not be written.
    let lost = turns.iter().filter(|turn| turn.answer.is_none() || late(turn.ended)).count();
    assert!(lost < 100, "too short a time to tell: {lost}");
    let known = spent(&replica);

    replica.begin().await;
    assert_eq!(replica.metric(TEAM_SPENT).await, known as f64 / 1e9);
    let _ = crowd(&replica, 2).left().await;
    replica.stop().await;
    assert_eq!(spent(&replica), 150 * CENT, "by what is known");
    let calls = upstream.calls();
    println!("{calls} calls for 150 cents, of which {lost} may be forgotten");
    assert!((150..=150 + lost).contains(&calls), "{calls}, and {lost} may be lost");
}
