//! Gateways that share limits, and what the clients of a crowd do when they are refused.

use crate::support::{CHAT_REPLY, limited};
use sluice_tests::{
    client::Answer as Reply,
    crowd::{Next, Turn},
    gateway::{Config, Gateway},
    replica::Replica,
    upstream::{Answer, Upstream},
};
use std::time::Duration;

/// How many replicas a gateway knows of.
pub const REPLICAS: &str = "sluice_limiter_replicas";

/// What tenant `team` has spent in its month.
pub const TEAM_SPENT: &str = "sluice_budget_spent_usd{name=\"team\",period=\"month\",scope=\"tenant\"}";

/// A tenant `team` with this budget for a month, before answers of a cent each that take so many milliseconds.
pub async fn team_with(budget: &str, ms: u64) -> (Config, Upstream) {
    let upstream = Upstream::script([Answer::new().wait(ms).then(Answer::json(CHAT_REPLY))]).await;
    let budget = format!("budget: {{{budget}, per: month}}");
    let config = limited(&upstream, "tenant: team").tenant("team", &budget).price("m", 2500);
    (config, upstream)
}

/// So many processes that know of each other.
pub async fn replicas(config: &Config, count: usize) -> Vec<Replica> {
    let mut replicas = Vec::new();
    for _ in 0..count {
        replicas.push(Replica::start(config).await);
    }
    for replica in &replicas {
        replica.metric_is(REPLICAS, count as f64).await;
    }
    replicas
}

/// The same in this process.
pub async fn gateways(config: &Config, count: usize) -> Vec<Gateway> {
    let mut gateways = Vec::new();
    for _ in 0..count {
        gateways.push(config.start().await);
    }
    for gateway in &gateways {
        gateway.metric_is(REPLICAS, count as f64).await;
    }
    gateways
}

/// Asks on for ever. Whatever happens to Redis, there are only two answers.
pub fn eager(answer: &Reply) -> Next {
    match answer.status() {
        200 => Next::After(Duration::ZERO),
        429 => Next::After(Duration::from_millis(10)),
        _ => panic!("{answer:?}"),
    }
}

/// Asks on until the money is gone, or its gateway shuts down.
pub fn until_it_is_spent(answer: &Reply) -> Next {
    match answer.status() {
        200 => Next::After(Duration::ZERO),
        429 if answer.code() == "insufficient_quota" => Next::Leave,
        429 => Next::After(Duration::from_millis(10)),
        503 => Next::Leave,
        _ => panic!("{answer:?}"),
    }
}

/// Those that were admitted.
pub fn admitted(turns: &[Turn]) -> impl Iterator<Item = &Turn> {
    turns.iter().filter(|turn| turn.status() == 200)
}
