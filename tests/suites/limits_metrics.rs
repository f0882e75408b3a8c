//! Limits on dashboards: what was decided, what is left, and how budgets stand.

use crate::support::{CHAT, CHAT_REPLY, begin, by_limited, chat, chat_of, having_used, in_flight, limited};
use sluice_tests::{
    client::Request,
    gateway::{Gateway, KEY},
    upstream::{Answer, Gate, Upstream},
};

async fn decisions(gateway: &Gateway, decision: &str, limit: &str) -> f64 {
    let labels = format!("decision=\"{decision}\",limit=\"{limit}\",tenant=\"team\"");
    gateway.metric(&format!("sluice_limit_decisions_total{{{labels}}}")).await
}

async fn of_key(gateway: &Gateway, family: &str, limit: &str) -> f64 {
    gateway.metric(&format!("sluice_{family}{{key=\"limited\",limit=\"{limit}\",tenant=\"team\"}}")).await
}

#[tokio::test]
async fn every_decision_is_counted_with_the_limit_that_made_it() {
    let gate = Gate::new();
    let upstream =
        Upstream::script([Answer::new().gate(&gate).then(Answer::json(having_used(80, 20)))]).await;
    let config = |limits: &str| {
        limited(&upstream, &format!("tenant: team, limits: {{{limits}}}")).tenant("team", "limits: {}")
    };
    let gateway = config("concurrency: 1").start().await;
    let ask = || by_limited(chat_of(100)).send(gateway.api);
    let held = begin([ask()]);
    upstream.called(1).await;
    let _ = ask().await.expect(429);
    gate.open();
    for held in held {
        let _ = held.await.unwrap().expect(200);
    }
    for (limit, bucket, passed) in
        [("tokens", "tokens: {rate: 1/h, burst: 150}", 1), ("requests", "requests: {rate: 1/h, burst: 2}", 2)]
    {
        gateway.apply(&config(bucket));
        for _ in 0..passed {
            let _ = ask().await.expect(200);
        }
        for _ in 0..3 {
            let _ = ask().await.expect(429);
        }
        assert_eq!(decisions(&gateway, "limited", limit).await, 3.0, "{limit}");
        assert_eq!(of_key(&gateway, "key_limited_total", limit).await, 3.0, "{limit}");
    }
    assert_eq!(decisions(&gateway, "limited", "concurrency").await, 1.0);
    assert_eq!(of_key(&gateway, "key_limited_total", "concurrency").await, 1.0);
    assert_eq!(decisions(&gateway, "allowed", "none").await, 4.0);
    let requests = |outcome| {
        format!("sluice_key_requests_total{{key=\"limited\",outcome=\"{outcome}\",tenant=\"team\"}}")
    };
    assert_eq!(gateway.metric(&requests("limited")).await, 7.0);
    assert_eq!(gateway.metric(&requests("ok")).await, 4.0);
    assert_eq!(gateway.metric("sluice_rejected_total{reason=\"limit\"}").await, 7.0);
    // Nothing was refused yet: dashboards have their zeros all the same.
    let text = gateway.ask_admin("/metrics").await.text();
    for zero in [
        "sluice_limit_decisions_total{decision=\"limited\",limit=\"budget\",tenant=\"team\"} 0",
        "sluice_limit_decisions_total{decision=\"queued\",limit=\"none\",tenant=\"team\"} 0",
        "sluice_key_limited_total{key=\"test\",limit=\"tokens\",tenant=\"default\"} 0",
        "sluice_limiter_degraded_total{mode=\"local\"} 0",
        "sluice_limiter_degraded 0",
        "sluice_limiter_replicas 0",
    ] {
        assert!(text.lines().any(|line| line == zero), "{zero}");
    }
}

#[tokio::test]
async fn what_is_left_of_a_keys_buckets_is_a_ratio() {
    let upstream = Upstream::script([Answer::json(having_used(150, 100))]).await;
    let limits = "limits: {requests: {rate: 1/h, burst: 4}, tokens: {rate: 1/h, burst: 1000}}";
    let gateway =
        limited(&upstream, &format!("tenant: team, {limits}")).tenant("team", "limits: {}").start().await;
    assert_eq!(of_key(&gateway, "key_remaining_ratio", "tokens").await, 1.0);
    for rest in [0.75, 0.5, 0.25] {
        let _ = by_limited(chat_of(100)).send(gateway.api).await.expect(200);
        in_flight(&gateway, 0).await;
        // The hour that brings the next request has begun.
        let requests = of_key(&gateway, "key_remaining_ratio", "requests").await;
        assert!((rest..rest + 0.01).contains(&requests), "{requests}");
        assert_eq!(of_key(&gateway, "key_remaining_ratio", "tokens").await, rest);
    }
    let text = gateway.ask_admin("/metrics").await.text();
    assert!(!text.contains("key_remaining_ratio{key=\"test\""), "it has no limits");
    // A key that is gone is shown no more.
    gateway.apply(&limited(&upstream, "limits: {}"));
    let text = gateway.ask_admin("/metrics").await.text();
    assert!(!text.contains("key_remaining_ratio{"), "{text}");
}

#[tokio::test]
async fn tokens_and_money_of_a_key_are_counted() {
    let upstream = Upstream::script([Answer::json(having_used(30, 10))]).await;
    let gateway =
        limited(&upstream, "tenant: team").tenant("team", "limits: {}").price("m", 250).start().await;
    for _ in 0..3 {
        let _ = by_limited(chat()).send(gateway.api).await.expect(200);
    }
    in_flight(&gateway, 0).await;
    let tokens = |kind| format!("sluice_key_tokens_total{{key=\"limited\",tenant=\"team\",type=\"{kind}\"}}");
    assert_eq!(gateway.metric(&tokens("input")).await, 90.0);
    assert_eq!(gateway.metric(&tokens("output")).await, 30.0);
    let cost = gateway.metric("sluice_key_cost_usd_total{key=\"limited\",tenant=\"team\"}").await;
    assert!((cost - 0.03).abs() < 1e-9, "{cost}");
}

#[tokio::test]
async fn budgets_are_shown_in_metrics_and_in_the_status() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = limited(&upstream, "tenant: team, budget: {usd: 0.04, per: day, warn_at: [50%, 75%]}")
        .tenant("team", "budget: {usd: 20, per: month}")
        .price("m", 2500)
        .start()
        .await;
    for _ in 0..3 {
        let _ = by_limited(chat()).send(gateway.api).await.expect(200);
        let _ = Request::post(CHAT, chat()).bearer(KEY).send(gateway.api).await.expect(200);
    }
    in_flight(&gateway, 0).await;
    let budget = async |what: &str, name: &str, period: &str, scope: &str| {
        let labels = format!("name=\"{name}\",period=\"{period}\",scope=\"{scope}\"");
        gateway.metric(&format!("sluice_budget_{what}{{{labels}}}")).await
    };
    let mut shown = Vec::new();
    for (name, period, scope) in [("limited", "day", "key"), ("team", "month", "tenant")] {
        let mut values = Vec::new();
        for what in ["spent_usd", "limit_usd", "warnings"] {
            values.push(budget(what, name, period, scope).await);
        }
        shown.push(values);
    }
    assert_eq!(shown, [[0.03, 0.04, 2.0], [0.03, 20.0, 0.0]]);
    let now = jiff::Timestamp::now().as_second() as f64;
    let resets = budget("reset_timestamp_seconds", "limited", "day", "key").await;
    assert!(resets > now && resets <= now + 86_400.0 && resets % 86_400.0 == 0.0, "{resets}");

    let status = gateway.ask_admin("/status").await.expect(200).json();
    let limits = &status["limits"];
    assert_eq!(limits["mode"], "memory");
    let budgets: Vec<_> = limits["budgets"].as_array().unwrap().iter().collect();
    assert_eq!(budgets.len(), 2, "{limits}");
    let key = &budgets[0];
    assert_eq!(
        (&key["scope"], &key["name"], &key["period"]),
        (&"key".into(), &"limited".into(), &"day".into())
    );
    assert_eq!((&key["spent_usd"], &key["limit_usd"]), (&0.03.into(), &0.04.into()));
    assert_eq!((key["resets"].as_f64(), &key["warnings"]), (Some(resets), &2.into()));
    assert_eq!((&budgets[1]["scope"], &budgets[1]["name"]), (&"tenant".into(), &"team".into()));
    // What is not configured any more is gone.
    gateway.apply(&limited(&upstream, "limits: {}"));
    assert!(!gateway.ask_admin("/metrics").await.text().contains("sluice_budget_spent_usd{"));
    assert_eq!(gateway.ask_admin("/status").await.json()["limits"]["budgets"], serde_json::json!([]));
}
