//! Budgets of keys and tenants: money that ends where it was said, and words that say so.

use crate::{
    fleet::until_it_is_spent,
    support::{CHAT, CHAT_REPLY, LIMITED, begin, by_limited, chat, chat_of, chat_stream, in_flight, limited},
};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use sluice_tests::{
    client::{Answer as Reply, Request},
    crowd::Crowd,
    gateway::{Config, Gateway},
    ledger::Bookkeeper,
    sse::Stream,
    upstream::{Answer, Gate, Upstream},
};

/// So much for a million tokens, and a plain answer of four tokens costs a cent.
const PRICE: u64 = 2500;

/// A gateway whose key or tenant `limited` has this budget, before answers of a cent each.
fn with_budget(upstream: &Upstream, scope: &str, budget: &str) -> Config {
    let budget = format!("budget: {{{budget}}}");
    let config = match scope {
        "key" => limited(upstream, &budget),
        _ => limited(upstream, "tenant: limited").tenant("limited", &budget),
    };
    config.price("m", PRICE)
}

async fn ask(gateway: &Gateway) -> Reply {
    by_limited(chat_of(10)).send(gateway.api).await
}

async fn spent(gateway: &Gateway, scope: &str, period: &str) -> f64 {
    let labels = format!("name=\"limited\",period=\"{period}\",scope=\"{scope}\"");
    gateway.metric(&format!("sluice_budget_spent_usd{{{labels}}}")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_at_once_spend_a_budget_to_its_end_and_no_further() {
    for (scope, period) in [("key", "day"), ("key", "month"), ("tenant", "day"), ("tenant", "month")] {
        let upstream = Upstream::script([Answer::new().wait(2).then(Answer::json(CHAT_REPLY))]).await;
        let config = with_budget(&upstream, scope, &format!("usd: 1, per: {period}"));
        let keeper = Bookkeeper::start(&config).await;
        let turns = Crowd::start(&[keeper.api], 32, &by_limited(chat_of(10)), until_it_is_spent).left().await;
        assert_eq!(upstream.calls(), 100, "{scope} {period}");
        assert_eq!(turns.iter().filter(|turn| turn.status() == 200).count(), 100);
        assert_eq!(spent(&keeper, scope, period).await, 1.0);
        let records = keeper.records(turns.len()).await;
        let nano: u64 = records.iter().filter_map(|record| record["cost"].as_u64()).sum();
        assert_eq!(nano, 1_000_000_000, "{scope} {period}");
        let limited = records.iter().filter(|record| record["end"] == "limited").count();
        assert_eq!(limited, turns.len() - 100);
    }
}

#[tokio::test]
async fn a_spent_budget_says_how_much_and_until_when() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    for (scope, who) in [("key", "Key"), ("tenant", "Tenant")] {
        for (period, when) in [("day", "today"), ("month", "this month")] {
            let config = with_budget(&upstream, scope, &format!("usd: 0.02, per: {period}"));
            let gateway = config.start().await;
            for _ in 0..2 {
                let _ = ask(&gateway).await.expect(200);
            }
            let calls = upstream.calls();
            let now = Timestamp::now().to_zoned(TimeZone::UTC);
            let next = match period {
                "day" => now.date().checked_add(1.day()),
                _ => now.date().first_of_month().checked_add(1.month()),
            };
            let next = next.unwrap();
            let refused = ask(&gateway).await.expect(429);
            let expected = format!("{who} 'limited' spent $0.02 of $0.02 {when}; resets {next}.");
            assert_eq!(refused.message(), expected);
            let error = &refused.json()["error"];
            assert_eq!(
                (&error["type"], &error["code"]),
                (&"insufficient_quota".into(), &"insufficient_quota".into())
            );
            assert_eq!(refused.get("x-should-retry"), "false");
            let left = next.to_zoned(TimeZone::UTC).unwrap().duration_since(&now).as_secs();
            let seconds: i64 = refused.get("retry-after").parse().unwrap();
            assert!((left - 20..=left + 1).contains(&seconds), "{seconds} of {left}");
            assert_eq!(refused.get("retry-after-ms"), format!("{seconds}000"));
            assert_eq!(upstream.calls(), calls);
            let limit = |family| {
                let tenant = if scope == "key" { "default" } else { "limited" };
                format!("sluice_{family}{{key=\"limited\",limit=\"budget\",tenant=\"{tenant}\"}}")
            };
            assert_eq!(gateway.metric(&limit("key_limited_total")).await, 1.0);
        }
    }
}

#[tokio::test]
async fn what_requests_under_way_may_need_is_refused_for_a_moment_only() {
    let gate = Gate::new();
    let upstream = Upstream::script([
        Answer::new().gate(&gate).then(Answer::json(CHAT_REPLY)),
        Answer::json(CHAT_REPLY),
    ])
    .await;
    let gateway = with_budget(&upstream, "key", "usd: 0.02, per: day").start().await;
    let held = begin([by_limited(chat_of(10)).send(gateway.api)]);
    upstream.called(1).await;
    let refused = ask(&gateway).await.expect(429);
    assert_eq!(
        refused.message(),
        "Key 'limited' spent $0 of $0.02 today, and requests under way may need the rest. Retry in 1 s."
    );
    assert_eq!((refused.code(), refused.get("retry-after")), ("rate_limit_exceeded".into(), "1"));
    assert!(!refused.head.has("x-should-retry"));
    gate.open();
    for held in held {
        let _ = held.await.unwrap().expect(200);
    }
    // The half that it did not need is there again.
    let _ = ask(&gateway).await.expect(200);
    assert_eq!(ask(&gateway).await.expect(429).code(), "insufficient_quota");
}

#[tokio::test]
async fn a_request_that_is_dearer_than_what_is_left_is_the_last_one() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = with_budget(&upstream, "key", "usd: 0.015, per: day").start().await;
    // Whatever it may cost: an estimate that is too high keeps nobody from what is left.
    let request = by_limited(chat_of(100_000));
    for _ in 0..2 {
        let _ = request.send(gateway.api).await.expect(200);
    }
    let refused = request.send(gateway.api).await.expect(429);
    assert!(refused.message().starts_with("Key 'limited' spent $0.02 of $0.015 today;"), "{refused:?}");
}

#[tokio::test]
async fn what_has_no_price_is_counted_as_such_and_costs_a_budget_nothing() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let config = with_budget(&upstream, "key", "usd: 0.02, per: day").model("free");
    let keeper = Bookkeeper::start(&config).await;
    let free = by_limited(chat().replace("\"m\"", "\"free\""));
    for _ in 0..5 {
        let _ = free.send(keeper.api).await.expect(200);
    }
    let _ = ask(&keeper).await.expect(200);
    assert_eq!(spent(&keeper, "key", "day").await, 0.01);
    let missing = "sluice_price_missing_total{provider=\"up\",upstream_model=\"free\"}";
    assert_eq!(keeper.metric(missing).await, 5.0);
    let _ = ask(&keeper).await.expect(200);
    // Nothing is left: not for what costs nothing either.
    assert_eq!(free.send(keeper.api).await.expect(429).code(), "insufficient_quota");
    let records = keeper.records(8).await;
    let unpriced = records.iter().filter(|record| record["cost"].is_null() && !record["input"].is_null());
    assert_eq!(unpriced.count(), 5);
}

#[tokio::test]
async fn failures_cost_nothing_and_what_was_cut_costs_what_came() {
    let upstream = Upstream::script([
        Answer::error(500, "{}"),
        Answer::error(400, "{}"),
        Answer::chunked().chunk(crate::support::delta("Hello there")).hang(),
    ])
    .await;
    let config = with_budget(&upstream, "key", "usd: 1, per: day");
    let gateway = config.section("resilience: {attempts: 1}").start().await;
    for status in [502, 400] {
        let _ = ask(&gateway).await.expect(status);
    }
    in_flight(&gateway, 0).await;
    assert_eq!(spent(&gateway, "key", "day").await, 0.0);
    let mut stream = Stream::open(gateway.api, &by_limited(chat_stream())).await;
    stream.event().await;
    drop(stream);
    in_flight(&gateway, 0).await;
    let tokens = spent(&gateway, "key", "day").await / 0.0025;
    assert!((9.0..=14.0).contains(&tokens), "{tokens}");
}

#[tokio::test]
async fn every_share_that_is_passed_is_a_warning() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let budget = "usd: 0.04, per: month, warn_at: [90%, 50%]";
    let gateway = with_budget(&upstream, "tenant", budget).start().await;
    let warnings = "sluice_budget_warnings{name=\"limited\",period=\"month\",scope=\"tenant\"}";
    for expected in [0.0, 1.0, 1.0, 2.0] {
        let _ = ask(&gateway).await.expect(200);
        in_flight(&gateway, 0).await;
        assert_eq!(gateway.metric(warnings).await, expected);
    }
    let status = gateway.ask_admin("/status").await.json();
    assert_eq!(status["limits"]["budgets"][0]["warnings"], 2, "{status}");
}

#[tokio::test]
async fn a_key_is_held_to_its_own_budget_and_to_its_tenants() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream)
        .tenant("team", "budget: {usd: 0.05, per: day}")
        .key("limited", LIMITED, "models: [\"*\"], tenant: team, budget: {usd: 0.02, per: month}")
        .key("other", "sk-sluice-other", "models: [\"*\"], tenant: team")
        .price("m", PRICE)
        .start()
        .await;
    let ask = |key: &str| Request::post(CHAT, chat_of(10)).bearer(key).send(gateway.api);
    // Of two budgets that are spent the one that lasts longer is told, and on the last day of a month the key's.
    let own = "Key 'limited' spent $0.02 of $0.02 this month;";
    let shared = "Tenant 'team' spent $0.05 of $0.05 today;";
    for _ in 0..2 {
        let _ = ask(LIMITED).await.expect(200);
    }
    assert!(ask(LIMITED).await.expect(429).message().starts_with(own));
    for _ in 0..3 {
        let _ = ask("sk-sluice-other").await.expect(200);
    }
    for (key, told) in [("sk-sluice-other", shared), (LIMITED, own)] {
        let refused = ask(key).await.expect(429);
        assert!(refused.message().starts_with(told), "{refused:?}");
    }
}
