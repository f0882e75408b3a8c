//! When an upstream wants to be asked again: every form in which it says so is understood and kept.

use crate::support::{CHAT, CHAT_REPLY, chat, chat_to};
use sluice_tests::{
    gateway::Config,
    upstream::{Answer, Upstream},
};
use std::time::{Duration, Instant, SystemTime};

/// Told by a 429: the client's `Retry-After` lies in these seconds, and until then nobody is asked.
async fn kept(name: &str, answer: Answer, seconds: std::ops::RangeInclusive<u64>) {
    let upstream = Upstream::script([answer, Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).start().await;
    for what in ["its own answer", "the answer to the next"] {
        let reply = gateway.post(CHAT, chat()).await;
        assert_eq!(reply.status(), 429, "{name}, {what}: {}", reply.text());
        let told = reply.get("retry-after").parse::<u64>().unwrap_or_default();
        assert!(seconds.contains(&told), "{name}, {what}: {:?}", reply.head);
    }
    assert_eq!(upstream.calls(), 1, "{name}");
}

#[tokio::test]
async fn every_form_of_a_hint_is_understood() {
    let json = |body: &str| Answer::error(429, body);
    let said = |line: &str| Answer::status(429, &[line, "content-type: application/json"], "{}");
    kept("seconds", said("retry-after: 20"), 19..=20).await;
    let at = SystemTime::now() + Duration::from_secs(30);
    kept("a date", said(&format!("retry-after: {}", httpdate::fmt_http_date(at))), 25..=31).await;
    kept("milliseconds", said("retry-after-ms: 20000"), 19..=20).await;
    kept("fractions", said("retry-after-ms: 19400"), 18..=20).await;
    kept("a counter", said("x-ratelimit-reset-requests: 20s"), 19..=20).await;
    kept("a counter of minutes", said("x-ratelimit-reset-requests: 1m20s"), 79..=80).await;
    let google = r#"{"error":{"code":429,"message":"Quota exceeded.","status":"RESOURCE_EXHAUSTED","details":[
        {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[]},
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"20s"}]}}"#;
    kept("a retry delay", json(google), 19..=20).await;
    let text = r#"{"error":{"message":"Rate limit reached. Please try again in 20s.","type":"requests"}}"#;
    kept("a sentence", json(text), 19..=20).await;
    kept("a member", json(r#"{"error":{"message":"slow","retry_after":20}}"#), 19..=20).await;
}

#[tokio::test]
async fn a_hint_of_two_seconds_is_true() {
    let text = r#"{"error":{"message":"Please try again in 2s."}}"#;
    let upstream = Upstream::script([Answer::error(429, text), Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).start().await;
    let begun = Instant::now();
    assert_eq!(gateway.post(CHAT, chat()).await.expect(429).get("retry-after"), "2");
    while gateway.post(CHAT, chat()).await.status() == 429 {
        assert!(begun.elapsed() < Duration::from_secs(4), "it is over");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn a_counter_of_an_answer_that_is_no_limit_says_nothing() {
    let headers = ["x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 60s"];
    let upstream = Upstream::script([Answer::status(503, &headers, "{}"), Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).start().await;
    assert_eq!(gateway.post(CHAT, chat()).await.expect(200).get("x-sluice-attempts"), "2");
}

#[tokio::test]
async fn a_long_wish_of_an_overloaded_target_is_not_waited_for() {
    let busy = Answer::status(503, &["retry-after: 10"], "{}");
    let upstream = Upstream::script([busy, Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).start().await;
    let reply = gateway.post(CHAT, chat()).await.expect(503);
    assert_eq!((reply.get("x-sluice-attempts"), reply.get("retry-after")), ("1", "10"));
    assert!(reply.took < Duration::from_secs(1), "{:?}", reply.took);
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn an_overloaded_target_is_left_alone_as_long_as_it_asked_where_there_is_another() {
    let busy = Answer::status(503, &["retry-after: 60"], "{}");
    let (up, spare) = (
        Upstream::script([busy, Answer::json(CHAT_REPLY)]).await,
        Upstream::script([Answer::json(CHAT_REPLY)]).await,
    );
    let gateway = crate::support::before_spare(&up.base_url(), &spare, "first_byte: 10s").start().await;
    for tries in ["2", "1", "1", "1"] {
        let reply = gateway.post(CHAT, crate::support::chat_to("both")).await.expect(200);
        assert_eq!((reply.get("x-sluice-provider"), reply.get("x-sluice-attempts")), ("spare", tries));
    }
    assert_eq!(up.calls(), 1);
}

#[tokio::test]
async fn a_short_wish_of_an_overloaded_target_is_waited_for() {
    let busy = Answer::status(503, &["retry-after: 1"], "{}");
    let upstream = Upstream::script([busy, Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).start().await;
    let reply = gateway.post(CHAT, chat()).await.expect(200);
    assert_eq!((reply.get("x-sluice-attempts"), upstream.calls()), ("2", 2));
    assert!(reply.took >= Duration::from_secs(1) && reply.took < Duration::from_secs(4), "{:?}", reply.took);
}

#[tokio::test]
async fn the_soonest_reset_of_all_keys_is_told() {
    let upstream = Upstream::with(|n, _| {
        Answer::status(429, &[if n == 0 { "retry-after: 30" } else { "retry-after: 90" }], "{}")
    })
    .await;
    let gateway = Config::to(&upstream)
        .also_with(
            "pool",
            &upstream.base_url(),
            ", keys: [{name: one, value: sk-1}, {name: two, value: sk-2}]",
        )
        .model_entry("{name: pooled, targets: [{provider: pool, model: pooled}]}")
        .start()
        .await;
    let told: u64 =
        gateway.post(CHAT, chat_to("pooled")).await.expect(429).get("retry-after").parse().unwrap();
    assert!((25..=30).contains(&told), "{told}");
}
