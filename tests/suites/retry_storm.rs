//! Retry storms: what fails gets little more load than it would without retries, however many clients ask.

use crate::support::{CHAT, CHAT_REPLY, all, before_spare, chat, chat_to, well};
use sluice_tests::{
    client::{Answer as Reply, Request},
    crowd::{Crowd, Next},
    gateway::{Config, KEY},
    upstream::{Answer, Upstream},
};
use std::time::{Duration, Instant};

/// So many clients, each five times a second: about 500 requests a second together.
const CLIENTS: usize = 100;
/// A circuit that never opens.
const NEVER: &str = "circuit: {consecutive_failures: 1000000, failure_ratio: 100%, min_requests: 1000000}";

fn patient(answer: &Reply) -> Next {
    assert_eq!(answer.status(), 502, "{}", answer.text());
    Next::After(Duration::from_millis(200))
}

/// Requests and upstream calls of five seconds in which everything fails, and the most calls that there may be.
async fn storm(resilience: &str) -> (f64, f64, f64) {
    let up = Upstream::script([Answer::error(500, "{}")]).await;
    let gateway = Config::to(&up).section(&format!("resilience: {{{resilience}}}")).start().await;
    let begun = Instant::now();
    let crowd = Crowd::start(&[gateway.api], CLIENTS, &Request::post(CHAT, chat()).bearer(KEY), patient);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let turns = crowd.stop().await;
    let (requests, calls) = (turns.len() as f64, up.calls() as f64);
    let most = 1.2 * requests + 10.0 * (begun.elapsed().as_secs_f64() + 1.0);
    println!("{requests} requests, {calls} calls of at most {most:.0}: {:.3} each", calls / requests);
    assert!(requests >= 500.0, "a storm: {requests}");
    assert!(calls <= most, "{calls} calls of at most {most}");
    (requests, calls, most)
}

#[tokio::test]
async fn the_budget_alone_bounds_the_calls_of_an_upstream_that_always_fails() {
    let (_, calls, most) = storm(NEVER).await;
    assert!(calls >= 0.9 * most, "what the budget has is spent");
}

#[tokio::test]
async fn an_upstream_that_always_fails_is_called_no_more_with_a_circuit() {
    let (requests, calls, _) = storm("attempts: 3").await;
    assert!(calls >= requests, "a lone target is asked anyway");
    assert!(calls <= requests + 50.0, "an open circuit leaves no room for repetitions: {calls}");
}

#[tokio::test]
async fn without_a_budget_everybody_still_comes_to_another_provider() {
    let (up, spare) = (Upstream::script([Answer::error(500, "{}")]).await, well().await);
    let none = format!("resilience: {{retry_budget: {{ratio: 0%, per_second: 0}}, {NEVER}}}");
    let gateway = before_spare(&up.base_url(), &spare, "first_byte: 10s").section(&none).start().await;
    let ask = || Request::post(CHAT, chat_to("both")).bearer(KEY).send(gateway.api);
    for reply in all((0..300).map(|_| ask())).await {
        let reply = reply.expect(200);
        assert_eq!((reply.text().as_str(), reply.get("x-sluice-attempts")), (CHAT_REPLY, "2"));
    }
    assert_eq!((up.calls(), spare.calls()), (300, 300));
    // The same provider again would be a repetition.
    let reply = gateway.post(CHAT, chat()).await.expect(502);
    assert_eq!(reply.get("x-sluice-attempts"), "1");
}

#[tokio::test]
async fn keys_that_are_limited_without_a_hint_are_not_walked_by_every_request() {
    let upstream = Upstream::script([Answer::error(429, "{}")]).await;
    let keys: Vec<String> = (0..10).map(|n| format!("{{name: k{n}, value: sk-{n}}}")).collect();
    let gateway = Config::to(&upstream)
        .also_with("pool", &upstream.base_url(), &format!(", keys: [{}]", keys.join(", ")))
        .model_entry("{name: pooled, targets: [{provider: pool, model: pooled}]}")
        .start()
        .await;
    let begun = Instant::now();
    for _ in 0..100 {
        let _ = gateway.post(CHAT, chat_to("pooled")).await.expect(429);
    }
    let most = 100.0 * 1.2 + 10.0 * (begun.elapsed().as_secs_f64() + 1.0);
    assert!((upstream.calls() as f64) <= most, "{} calls of {most}", upstream.calls());
}

#[tokio::test]
async fn a_retry_that_its_circuit_forbids_is_neither_counted_nor_paid() {
    let up = Upstream::script([Answer::error(500, "{}")]).await;
    let gateway = Config::to(&up).section("resilience: {circuit: {open_for: 60s}}").start().await;
    for _ in 0..25 {
        let _ = gateway.post(CHAT, chat()).await.expect(502);
    }
    let made = gateway.metric("sluice_retries_total{provider=\"up\",result=\"made\"}").await;
    assert_eq!(made, up.calls() as f64 - 25.0, "calls beyond the first of each request");
}
