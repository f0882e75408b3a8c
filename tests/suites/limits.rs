//! Limits of a key: a refusal that is true, that explains itself, and that costs the upstream nothing.

use crate::support::{CHAT, CHAT_REPLY, chat};
use sluice_tests::{
    client::{Answer as Reply, Request},
    gateway::{Config, Gateway, KEY},
    upstream::{Answer, Upstream},
};
use std::time::Duration;

const SMALL: &str = "sk-sluice-small";

async fn gateway(limits: &str) -> (Gateway, Upstream) {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let members = format!("models: [\"*\"], limits: {{requests: {{{limits}}}}}");
    (Config::to(&upstream).key("small", SMALL, &members).start().await, upstream)
}

async fn ask(gateway: &Gateway, key: &str) -> Reply {
    Request::post(CHAT, chat()).bearer(key).send(gateway.api).await
}

#[tokio::test]
async fn a_spent_bucket_is_429_and_no_upstream_call() {
    let (gateway, upstream) = gateway("rate: 3/min").await;
    for _ in 0..3 {
        let _ = ask(&gateway, SMALL).await.expect(200);
    }
    let refused = ask(&gateway, SMALL).await.expect(429);
    assert_eq!(refused.json()["error"]["type"], "rate_limit_error");
    assert_eq!(refused.code(), "rate_limit_exceeded");
    assert!(
        refused.message().contains("'small'") && refused.message().contains("3"),
        "{}",
        refused.message()
    );
    let seconds: u64 = refused.get("retry-after").parse().unwrap();
    assert!((1..=20).contains(&seconds), "{seconds}");
    assert_eq!(upstream.calls(), 3);
    let _ = ask(&gateway, KEY).await.expect(200);
}

#[tokio::test]
async fn waiting_as_long_as_retry_after_says_is_enough() {
    let (gateway, _upstream) = gateway("rate: 2/s, burst: 2").await;
    while ask(&gateway, SMALL).await.status() == 200 {}
    let refused = ask(&gateway, SMALL).await;
    let seconds: u64 = refused.get("retry-after").parse().unwrap_or(1);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let _ = ask(&gateway, SMALL).await.expect(200);
}

#[tokio::test]
async fn answers_tell_what_is_left() {
    let (gateway, _upstream) = gateway("rate: 10/min, burst: 5").await;
    for left in [4, 3] {
        let answer = ask(&gateway, SMALL).await.expect(200);
        assert_eq!(answer.get("x-ratelimit-limit-requests"), "5");
        assert_eq!(answer.get("x-ratelimit-remaining-requests"), left.to_string());
        assert!(!answer.get("x-ratelimit-reset-requests").is_empty());
    }
}
