//! Limits of key, tenant, model and provider together: all of them let a request go on, or none is burdened.

use crate::support::{
    CHAT, CHAT_REPLY, LIMITED, begin, by_limited, chat, chat_of, having_used, left, limited,
};
use sluice_tests::{
    client::{Answer as Reply, Request},
    gateway::{Config, Gateway, KEY},
    upstream::{Answer, Gate, Upstream},
};

/// Far more than a test asks for.
const WIDE: &str =
    "limits: {requests: {rate: 1/h, burst: 100}, tokens: {rate: 1/h, burst: 10000}, concurrency: 100}";

/// A scope with these limits, or without any, beside a key and others that have wide ones.
fn with(upstream: &Upstream, scope: &str, limits: &str) -> Config {
    let config = limited(upstream, &format!("{WIDE}, tenant: team"));
    let of = |name| if name == scope { limits } else { WIDE };
    let model = "{name: smart, targets: [{provider: up, model: m}]";
    config
        .tenant("team", of("tenant"))
        .model_entry(&format!("{model}, {}}}", of("model")))
        .provider(of("provider"))
}

async fn ask(gateway: &Gateway) -> Reply {
    by_limited(chat_of(100).replace("\"m\"", "\"smart\"")).send(gateway.api).await
}

#[tokio::test]
async fn a_refusal_by_one_scope_takes_nothing_from_the_others() {
    let upstream = Upstream::script([Answer::json(having_used(6, 4))]).await;
    for (scope, who) in
        [("tenant", "Tenant 'team'"), ("model", "Model 'smart'"), ("provider", "Provider 'up'")]
    {
        for (limits, says) in [
            ("requests: {rate: 1/h, burst: 2}", "used 2/2 requests"),
            ("tokens: {rate: 1/h, burst: 115}", "used 20/115 tokens"),
        ] {
            let gateway = with(&upstream, scope, &format!("limits: {{{limits}}}")).start().await;
            let calls = upstream.calls();
            for _ in 0..2 {
                let _ = ask(&gateway).await.expect(200);
            }
            for _ in 0..5 {
                let refused = ask(&gateway).await.expect(429);
                let text = refused.message();
                assert!(text.starts_with(&format!("{who} {says}")), "{text}");
                assert!(refused.head.has("retry-after"), "{refused:?}");
            }
            assert_eq!(upstream.calls(), calls + 2);
            // The same buckets of the others, and no such limit any more.
            gateway.apply(&with(&upstream, scope, WIDE));
            let answer = ask(&gateway).await.expect(200);
            assert_eq!(left(&answer, "requests"), 97, "{who}: two that were answered, and this one");
            assert_eq!(left(&answer, "tokens"), 10_000 - 20 - 100, "{who}: {limits}");
        }
    }
}

#[tokio::test]
async fn keys_of_a_tenant_share_its_limits_and_other_tenants_have_their_own() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let tenant = "limits: {requests: {rate: 1/h, burst: 3}}";
    let gateway = Config::to(&upstream)
        .tenant("team", tenant)
        .tenant("others", tenant)
        .key("one", "sk-sluice-one", "models: [\"*\"], tenant: team")
        .key("two", "sk-sluice-two", "models: [\"*\"], tenant: team")
        .key("three", "sk-sluice-three", "models: [\"*\"], tenant: others")
        .start()
        .await;
    let ask = |key: &str| Request::post(CHAT, chat()).bearer(key).send(gateway.api);
    for (key, rest) in [("sk-sluice-one", 2), ("sk-sluice-two", 1), ("sk-sluice-one", 0)] {
        assert_eq!(left(&ask(key).await.expect(200), "requests"), rest);
    }
    assert!(ask("sk-sluice-two").await.expect(429).message().starts_with("Tenant 'team' used 3/3 requests"));
    assert_eq!(left(&ask("sk-sluice-three").await.expect(200), "requests"), 2);
    assert!(!ask(KEY).await.expect(200).head.has("x-ratelimit-remaining-requests"));
}

#[tokio::test]
async fn everybody_shares_a_models_limits_and_other_models_have_their_own() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = limited(&upstream, "limits: {}")
        .model_entry(
            "{name: dear, targets: [{provider: up, model: m}], limits: {requests: {rate: 1/h, burst: 2}}}",
        )
        .start()
        .await;
    let ask = |key: &str, model: &str| {
        Request::post(CHAT, chat().replace("\"m\"", &format!("\"{model}\""))).bearer(key).send(gateway.api)
    };
    let _ = ask(KEY, "dear").await.expect(200);
    let _ = ask(LIMITED, "dear").await.expect(200);
    assert!(ask(KEY, "dear").await.expect(429).message().starts_with("Model 'dear' used 2/2 requests"));
    let _ = ask(KEY, "m").await.expect(200);
}

/// A model that two providers serve, `up` before `spare`, each with one place.
async fn two_with_one_place_each(up: &Upstream, spare: &Upstream) -> Gateway {
    Config::to(up)
        .provider("max_concurrency: 1")
        .also_with("spare", &spare.base_url(), ", limits: {concurrency: 1}")
        .model_entry(
            "{name: both, targets: [{provider: up, model: m}, {provider: spare, model: m, priority: 1}]}",
        )
        .start()
        .await
}

fn both() -> Request {
    Request::post(CHAT, chat().replace("\"m\"", "\"both\"")).bearer(KEY)
}

/// An upstream that holds its first answer until the gate is opened.
async fn holding_the_first(gate: &Gate) -> Upstream {
    Upstream::script([Answer::new().gate(gate).then(Answer::json(CHAT_REPLY)), Answer::json(CHAT_REPLY)])
        .await
}

#[tokio::test]
async fn a_provider_without_room_is_passed_over_and_asked_again_when_it_has_some() {
    let gate = Gate::new();
    let up = holding_the_first(&gate).await;
    let spare = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = two_with_one_place_each(&up, &spare).await;
    let held = begin([both().send(gateway.api)]);
    up.called(1).await;
    for _ in 0..3 {
        let answer = both().send(gateway.api).await.expect(200);
        assert_eq!((answer.get("x-sluice-provider"), answer.get("x-sluice-attempts")), ("spare", "1"));
    }
    assert_eq!((up.calls(), spare.calls()), (1, 3));
    gate.open();
    for held in held {
        assert_eq!(held.await.unwrap().expect(200).get("x-sluice-provider"), "up");
    }
    assert_eq!(both().send(gateway.api).await.expect(200).get("x-sluice-provider"), "up");
}

#[tokio::test]
async fn when_no_provider_has_room_the_message_names_one() {
    let gate = Gate::new();
    let (up, spare) = (holding_the_first(&gate).await, holding_the_first(&gate).await);
    let gateway = two_with_one_place_each(&up, &spare).await;
    let held = begin([both(), both()].map(|request| request.send(gateway.api)));
    up.called(1).await;
    spare.called(1).await;
    let refused = both().send(gateway.api).await.expect(429);
    assert_eq!(
        refused.message(),
        "Provider 'spare' has 1/1 requests in flight. Retry when one of them has ended."
    );
    assert_eq!((refused.code(), refused.get("retry-after")), ("rate_limit_exceeded".into(), "1"));
    let limited = "sluice_key_limited_total{key=\"test\",limit=\"upstream\",tenant=\"default\"}";
    assert_eq!(gateway.metric(limited).await, 1.0);
    gate.open();
    for held in held {
        let _ = held.await.unwrap().expect(200);
    }
    let _ = both().send(gateway.api).await.expect(200);
    assert_eq!((up.calls(), spare.calls()), (2, 1));
}

#[tokio::test]
async fn a_provider_without_room_has_refused_nobody_whom_another_has_failed() {
    let gate = Gate::new();
    let up = Upstream::script([Answer::error(501, "{}")]).await;
    let spare = holding_the_first(&gate).await;
    let gateway = two_with_one_place_each(&up, &spare).await;
    let held = begin([both().send(gateway.api)]);
    spare.called(1).await;
    let _ = both().send(gateway.api).await.expect(502);
    let limited = "sluice_limit_decisions_total{decision=\"limited\",limit=\"upstream\",tenant=\"default\"}";
    assert_eq!(gateway.metric(limited).await, 0.0);
    gate.open();
    for held in held {
        let _ = held.await.unwrap().expect(200);
    }
}

#[tokio::test]
async fn a_second_target_burdens_its_own_provider_and_frees_the_first() {
    let up = Upstream::script([Answer::error(500, "{}")]).await;
    let spare = Upstream::script([Answer::json(having_used(6, 4))]).await;
    let bucket = "limits: {tokens: {rate: 1/h, burst: 130}, concurrency: 1}";
    let gateway = Config::to(&up)
        .provider(bucket)
        .also_with("spare", &spare.base_url(), &format!(", {bucket}"))
        .model_entry(
            "{name: both, targets: [{provider: up, model: m}, {provider: spare, model: m, priority: 1}], \
             resilience: {attempts: 2}}",
        )
        .section("resilience: {retry_budget: {ratio: 0%, per_second: 0}}")
        .start()
        .await;
    let ask = |tokens| {
        Request::post(CHAT, chat_of(tokens).replace("\"m\"", "\"both\"")).bearer(KEY).send(gateway.api)
    };
    // Failures cost the first nothing; each answer costs the second its ten tokens.
    for _ in 0..3 {
        let answer = ask(110).await.expect(200);
        assert_eq!((answer.get("x-sluice-attempts"), left(&answer, "tokens")), ("2", 20));
    }
    // The first has failed and the second has no room: the failure is what is told.
    let failed = ask(110).await.expect(502);
    assert!(failed.message().contains("up answered 500"), "{}", failed.message());
    assert_eq!((up.calls(), spare.calls()), (4, 3));
    let _ = ask(100).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_target_is_reserved_its_tokens_where_nobody_else_counts_them() {
    let gate = Gate::new();
    let up = Upstream::script([Answer::error(500, "{}")]).await;
    let spare = Upstream::script([Answer::new().gate(&gate).then(Answer::json(having_used(6, 4)))]).await;
    let gateway = Config::to(&up)
        .also_with("spare", &spare.base_url(), ", limits: {tokens: {rate: 1/h, burst: 250}}")
        .model_entry(
            "{name: both, targets: [{provider: up, model: m}, {provider: spare, model: m, priority: 1}]}",
        )
        .start()
        .await;
    let body = chat_of(100).replace("\"m\"", "\"both\"");
    let requests = begin((0..10).map(|_| Request::post(CHAT, body.clone()).bearer(KEY).send(gateway.api)));
    up.called(10).await;
    spare.called(2).await;
    let failed = "sluice_requests_total{code=\"502\",endpoint=\"chat\",model=\"both\",outcome=\"upstream_error\",stream=\"false\"}";
    gateway.metric_is(failed, 8.0).await;
    gate.open();
    let mut statuses = Vec::new();
    for request in requests {
        statuses.push(request.await.unwrap().status());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200; 2], vec![502; 8]].concat());
}
