//! The response cache: which requests are answered from it, what the answer says of it, and who has a say.
//!
//! What is kept in which form is in `cache_forms.rs`, what is never kept in `cache_unfit.rs`.

use crate::support::{CHAT, EMBEDDINGS, cached, chat, counting, saying, seeded};
use sluice_tests::{
    client::{Answer as Reply, Request},
    eventually,
    gateway::{Config, Gateway, KEY},
    upstream::{Answer, Upstream},
};
use std::collections::BTreeMap;

async fn ask(gateway: &Gateway, body: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::post(CHAT, body.to_owned()).bearer(KEY);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.send(gateway.api).await
}

/// What an answer says of the cache.
fn word(answer: &Reply) -> &str {
    answer.get("x-sluice-cache")
}

/// What the second of two equal requests is told, in a cache of this configuration.
async fn second(cache: &str, body: &str) -> String {
    let upstream = counting().await;
    let gateway = Config::to(&upstream).section(cache).start().await;
    let first = ask(&gateway, body, &[]).await.expect(200);
    let second = ask(&gateway, body, &[]).await.expect(200);
    let hit = word(&second) == "hit";
    assert_eq!(upstream.calls(), if hit { 1 } else { 2 });
    assert_eq!(first.body == second.body, hit);
    word(&second).to_owned()
}

#[tokio::test]
async fn an_equal_request_is_answered_again_without_the_upstream() {
    let upstream = counting().await;
    let gateway = cached(&upstream, "").start().await;
    let first = ask(&gateway, &seeded(7, ""), &[]).await.expect(200);
    assert_eq!(word(&first), "miss");
    assert_eq!(first.get("cache-status"), "sluice; fwd=uri-miss; stored");
    assert!(!first.head.has("age"), "{:?}", first.head);
    assert_eq!(first.get("x-sluice-attempts"), "1");

    let again = ask(&gateway, &seeded(7, ""), &[]).await.expect(200);
    assert_eq!(word(&again), "hit");
    let status = again.get("cache-status");
    let ttl = status.strip_prefix("sluice; hit; ttl=").and_then(|rest| rest.strip_suffix("; detail=memory"));
    let ttl: u64 = ttl.unwrap_or_else(|| panic!("{status}")).parse().unwrap();
    assert!((3_000..=3_600).contains(&ttl), "an hour, but for the jitter: {ttl}");
    assert_eq!(again.get("age"), "0");
    assert_eq!(again.get("x-sluice-attempts"), "0", "no upstream was asked");
    assert_eq!((again.get("x-sluice-provider"), again.get("x-sluice-model")), ("up", "m"));
    assert_eq!(again.get("cache-control"), "private, no-store", "for every other cache on the way");
    assert_eq!(again.get("content-type"), first.get("content-type"));
    assert_ne!(again.get("x-request-id"), first.get("x-request-id"));
    assert_eq!(again.body, first.body);
    assert_eq!(upstream.request().text(), seeded(7, ""), "the seed goes to the upstream");
}

#[tokio::test]
async fn every_seed_has_a_sample_of_its_own_that_stays() {
    let upstream = counting().await;
    let gateway = cached(&upstream, "").start().await;
    let mut samples = Vec::new();
    for seed in 1..=20 {
        samples.push(ask(&gateway, &seeded(seed, ""), &[]).await.expect(200).body);
    }
    for (seed, sample) in (1..=20).zip(&samples) {
        assert_eq!(ask(&gateway, &seeded(seed, ""), &[]).await.expect(200).body, *sample);
    }
    samples.sort();
    samples.dedup();
    assert_eq!((samples.len(), upstream.calls()), (20, 20));
}

#[tokio::test]
async fn a_cache_that_nobody_configured_is_none() {
    assert_eq!(second("", &seeded(7, "")).await, "bypass; reason=disabled");
    assert_eq!(second("cache: {mode: disabled}", &seeded(7, "")).await, "bypass; reason=disabled");
}

#[tokio::test]
async fn the_mode_says_by_what_word_a_request_is_repeatable() {
    let cold = chat().replace("}]}", "}],\"temperature\":0.0}");
    let warm = chat().replace("}]}", "}],\"temperature\":0.1}");
    for (mode, body, told) in [
        ("seeded", chat(), "bypass; reason=no-seed"),
        ("seeded", cold.clone(), "bypass; reason=no-seed"),
        ("seeded", seeded(0, ""), "hit"),
        ("seeded", seeded(-3, ",\"temperature\":1.5"), "hit"),
        ("deterministic", chat(), "bypass; reason=no-seed"),
        ("deterministic", warm.clone(), "bypass; reason=no-seed"),
        ("deterministic", cold, "hit"),
        ("deterministic", seeded(1, ""), "hit"),
        ("all", chat(), "hit"),
        ("all", warm, "hit"),
    ] {
        assert_eq!(second(&format!("cache: {{mode: {mode}}}"), &body).await, told, "{mode}: {body}");
    }
}

#[tokio::test]
async fn embeddings_need_no_seed() {
    let reply = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"model":"m","usage":{"prompt_tokens":1,"total_tokens":1}}"#;
    let upstream = Upstream::script([Answer::json(reply)]).await;
    let gateway = cached(&upstream, "").start().await;
    for told in ["miss", "hit"] {
        let answer = gateway.post(EMBEDDINGS, r#"{"model":"m","input":"x"}"#).await.expect(200);
        assert_eq!((word(&answer), answer.text().as_str()), (told, reply));
    }
    let other = gateway.post(EMBEDDINGS, r#"{"model":"m","input":"y"}"#).await.expect(200);
    assert_eq!(word(&other), "miss");
}

#[tokio::test]
async fn the_same_request_in_another_spelling_is_the_same_request() {
    let upstream = counting().await;
    let gateway = cached(&upstream, "").start().await;
    let body = r#"{"model":"m","messages":[{"role":"user","content":"é/1"}],"temperature":1,"seed":7}"#;
    let first = ask(&gateway, body, &[]).await.expect(200);
    for same in [
        r#"{"seed":7,"temperature":1,"messages":[{"content":"é/1","role":"user"}],"model":"m"}"#,
        r#"{ "model" : "m", "messages":[ {"role":"user","content":"é/1"} ],"temperature": 1,"seed":7 }"#,
        r#"{"model":"m","messages":[{"role":"user","content":"\u00e9\/1"}],"temperature":1.0,"seed":7}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"é/1"}],"temperature":10e-1,"seed":7}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"é/1"}],"temperature":1,"seed":7,"top_p":null}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"é/1"}],"temperature":1,"seed":7,"stream":false}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"é/1"}],"temperature":1,"seed":7,"user":"u","metadata":{"a":"b"},"store":false}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"é/1"}],"temperature":1,"seed":7,"service_tier":"flex","prompt_cache_key":"k"}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"é/1","cache_control":{"type":"ephemeral"}}],"temperature":1,"seed":7}"#,
    ] {
        let answer = ask(&gateway, same, &[]).await.expect(200);
        assert_eq!((word(&answer), &answer.body), ("hit", &first.body), "{same}");
    }
    let other_family = gateway.post(&format!("/openai{CHAT}"), body).await.expect(200);
    assert_eq!((word(&other_family), &other_family.body), ("hit", &first.body));
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn whatever_may_change_the_answer_is_another_request() {
    let upstream = counting().await;
    let gateway = cached(&upstream, "").model("n").start().await;
    let body = r#"{"model":"m","messages":[{"role":"user","content":"\u00e9"}],"seed":9007199254740992}"#;
    let tools = |name: &str| {
        let tool = format!(
            r#"{{"type":"function","function":{{"name":"f","parameters":{{"properties":{{"{name}":{{}}}}}}}}}}"#
        );
        body.replace("}],", &format!("}}],\"tools\":[{tool}],"))
    };
    for other in [
        body.to_owned(),
        body.replace("992}", "993}"),
        body.replace("\\u00e9", "e\\u0301"),
        body.replace("\\u00e9", "\\u00e9 "),
        body.replace("\"user\"", "\"system\""),
        body.replace("\"model\":\"m\"", "\"model\":\"n\""),
        body.replace("}],", "}],\"temperature\":1,"),
        body.replace("}],", "}],\"max_tokens\":5,"),
        body.replace("}],", "}],\"max_completion_tokens\":5,"),
        body.replace("}],", "}],\"stop\":[\"a\",\"b\"],"),
        body.replace("}],", "}],\"stop\":[\"b\",\"a\"],"),
        body.replace("}],", "}],\"nobody_knows_this\":1,"),
        body.replace("}],", "}],\"response_format\":{\"type\":\"json_object\"},"),
        body.replace("}],", "}],\"logit_bias\":{\"1\":-100},"),
        tools("a"),
        tools("cache_control"),
    ] {
        let answer = ask(&gateway, &other, &[]).await.expect(200);
        assert_eq!(word(&answer), "miss", "{other}");
        assert_eq!(word(&ask(&gateway, &other, &[]).await), "hit", "{other}");
    }
    for header in [("x-sluice-cache-namespace", "ours"), ("openai-beta", "x"), ("anthropic-beta", "x")] {
        assert_eq!(word(&ask(&gateway, body, &[header]).await), "miss", "{header:?}");
        assert_eq!(word(&ask(&gateway, body, &[header]).await), "hit", "{header:?}");
    }
    for header in [("x-request-id", "r-1"), ("user-agent", "x"), ("openai-organization", "x")] {
        assert_eq!(word(&ask(&gateway, body, &[header]).await), "hit", "{header:?}");
    }
}

#[tokio::test]
async fn what_speaks_against_the_cache_is_named() {
    let upstream = counting().await;
    let gateway = Config::to(&upstream).section("cache: {mode: all}").start().await;
    for (more, reason) in [
        (",\"store\":true,\"seed\":1", "store"),
        (",\"n\":2", "several-samples"),
        (",\"web_search_options\":{},\"seed\":1", "hosted-tools"),
        (",\"tools\":[{\"type\":\"code_interpreter\"}],\"seed\":1", "hosted-tools"),
        (",\"modalities\":[\"text\",\"audio\"],\"seed\":1", "audio"),
    ] {
        let body = chat().replace("}]}", &format!("}}]{more}}}"));
        for _ in 0..2 {
            let answer = ask(&gateway, &body, &[]).await.expect(200);
            assert_eq!(word(&answer), format!("bypass; reason={reason}"), "{more}");
            assert_eq!(answer.get("cache-status"), format!("sluice; fwd=bypass; detail={reason}"));
        }
    }
    assert_eq!(upstream.calls(), 10);
}

#[tokio::test]
async fn the_client_may_refuse_the_cache() {
    let upstream = counting().await;
    let gateway = cached(&upstream, "").start().await;
    for (header, told) in [
        (("cache-control", "no-store"), "bypass; reason=no-store"),
        (("x-sluice-cache", "off"), "bypass; reason=off"),
    ] {
        assert_eq!(word(&ask(&gateway, &seeded(1, ""), &[header]).await), told);
    }
    let kept = ask(&gateway, &seeded(1, ""), &[]).await.expect(200);
    assert_eq!(word(&kept), "miss", "nothing of it was kept");
    let refused = ask(&gateway, &seeded(1, ""), &[("cache-control", "max-age=60, no-store")]).await;
    assert_eq!(word(&refused), "bypass; reason=no-store", "nor is anything given");
    assert_ne!(refused.body, kept.body);
    assert_eq!(ask(&gateway, &seeded(1, ""), &[]).await.body, kept.body, "nor replaced");
}

#[tokio::test]
async fn the_client_may_ask_for_a_new_answer_and_it_is_kept() {
    let upstream = counting().await;
    let gateway = cached(&upstream, "").start().await;
    let mut last = ask(&gateway, &seeded(1, ""), &[]).await.expect(200);
    for header in [("cache-control", "no-cache"), ("x-sluice-cache", "refresh")] {
        let fresh = ask(&gateway, &seeded(1, ""), &[header]).await.expect(200);
        assert_eq!(word(&fresh), "miss; reason=refresh");
        assert_eq!(fresh.get("cache-status"), "sluice; fwd=request; stored");
        assert_ne!(fresh.body, last.body);
        last = fresh;
        let kept = ask(&gateway, &seeded(1, ""), &[("x-sluice-cache", "on")]).await.expect(200);
        assert_eq!((word(&kept), &kept.body), ("hit", &last.body));
    }
    assert_eq!(upstream.calls(), 3);
}

#[tokio::test]
async fn the_client_may_want_a_stored_answer_or_none() {
    let upstream = counting().await;
    let gateway = cached(&upstream, "").start().await;
    let only = [("cache-control", "only-if-cached")];
    let refused = ask(&gateway, &seeded(1, ""), &only).await.expect(504);
    assert_eq!((refused.code().as_str(), word(&refused)), ("not_cached", "miss"));
    let _ = ask(&gateway, &chat(), &only).await.expect(504);
    assert_eq!(upstream.calls(), 0);
    let first = ask(&gateway, &seeded(1, ""), &[]).await.expect(200);
    assert_eq!(ask(&gateway, &seeded(1, ""), &only).await.expect(200).body, first.body);
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn an_answer_lives_as_long_as_was_said_and_no_older_one_is_given_than_wanted() {
    let upstream = counting().await;
    let gateway = cached(&upstream, "").start().await;
    let only = [("cache-control", "only-if-cached")];
    let _ = ask(&gateway, &seeded(1, ""), &[("x-sluice-cache-ttl", "1")]).await.expect(200);
    let _ = ask(&gateway, &seeded(2, ""), &[]).await.expect(200);
    let short = ask(&gateway, &seeded(1, ""), &only).await;
    assert!(short.status() == 200 && short.get("cache-status").contains("ttl=0"), "{:?}", short.head);
    sluice_tests::soon("the short life ends", async {
        while ask(&gateway, &seeded(1, ""), &only).await.status() == 200 {}
    })
    .await;
    let aged = ask(&gateway, &seeded(2, ""), &only).await.expect(200);
    sluice_tests::soon("the other has an age", async {
        while ask(&gateway, &seeded(2, ""), &only).await.get("age") == "0" {}
    })
    .await;
    let old = ask(&gateway, &seeded(2, ""), &[("cache-control", "max-age=0")]).await.expect(200);
    assert_eq!(word(&old), "miss", "too old for this client");
    assert_ne!(old.body, aged.body);
    let kept = ask(&gateway, &seeded(2, ""), &[("cache-control", "max-age=60")]).await.expect(200);
    assert_eq!((word(&kept), &kept.body), ("hit", &old.body), "the newer one took its place");
}

#[tokio::test]
async fn forcing_is_for_those_who_may() {
    let upstream = counting().await;
    let gateway = cached(&upstream, "").start().await;
    let force = [("x-sluice-cache", "force")];
    let refused = ask(&gateway, &chat(), &force).await.expect(200);
    assert_eq!(word(&refused), "bypass; reason=force-not-allowed");
    let gateway = cached(&upstream, ", allow_force: true").start().await;
    let first = ask(&gateway, &chat(), &force).await.expect(200);
    let again = ask(&gateway, &chat(), &force).await.expect(200);
    assert_eq!((word(&first), word(&again)), ("miss", "hit"));
    assert_eq!(word(&ask(&gateway, &chat(), &[]).await), "bypass; reason=no-seed", "only with the word");
}

#[tokio::test]
async fn a_header_of_ours_that_cannot_be_understood_is_400() {
    let upstream = counting().await;
    let gateway = cached(&upstream, "").start().await;
    let long = "x".repeat(129);
    for header in [
        ("x-sluice-cache", "yes"),
        ("x-sluice-cache", ""),
        ("x-sluice-cache-ttl", "0"),
        ("x-sluice-cache-ttl", "86401"),
        ("x-sluice-cache-ttl", "-1"),
        ("x-sluice-cache-ttl", "1m"),
        ("x-sluice-cache-namespace", long.as_str()),
    ] {
        let refused = ask(&gateway, &seeded(1, ""), &[header]).await.expect(400);
        assert!(refused.message().contains(header.0), "{}", refused.message());
    }
    let twice = [("x-sluice-cache-namespace", "a"), ("x-sluice-cache-namespace", "b")];
    let _ = ask(&gateway, &seeded(1, ""), &twice).await.expect(400);
    assert_eq!(upstream.calls(), 0);
    let odd = ask(&gateway, &seeded(1, ""), &[("cache-control", "max-stale=1,, x=\"y\"")]).await.expect(200);
    assert_eq!(word(&odd), "miss", "what HTTP does not know is passed over");
}

#[tokio::test]
async fn model_and_key_have_their_own_say() {
    let upstream = counting().await;
    let config = cached(&upstream, "")
        .model_entry("{name: never, targets: [{provider: up, model: m}], cache: {mode: disabled}}")
        .model_entry("{name: short, targets: [{provider: up, model: m}], cache: {ttl: 10s, mode: all}}")
        .key("off", "sk-sluice-off", "models: [\"*\"], cache: {mode: disabled}")
        .key("own", "sk-sluice-own", "models: [\"*\"], cache: {ttl: 20s}");
    let gateway = config.start().await;
    let of = |key: &'static str, model: &'static str| {
        Request::post(CHAT, seeded(1, "").replace("\"m\"", &format!("\"{model}\""))).bearer(key)
    };
    for _ in 0..2 {
        for (key, model) in
            [(KEY, "never"), ("sk-sluice-off", "m"), ("sk-sluice-off", "short"), ("sk-sluice-own", "never")]
        {
            let answer = of(key, model).send(gateway.api).await.expect(200);
            assert_eq!(word(&answer), "bypass; reason=disabled", "{key} {model}");
        }
    }
    for (key, model, longest) in [("sk-sluice-own", "m", 20), (KEY, "short", 10)] {
        let _ = of(key, model).send(gateway.api).await.expect(200);
        let status = of(key, model).send(gateway.api).await.get("cache-status").to_owned();
        let ttl = status.split(['=', ';']).nth(3).and_then(|ttl| ttl.parse::<u64>().ok());
        assert!(ttl.is_some_and(|ttl| (1..=longest).contains(&ttl)), "{status}");
    }
    let unseeded = Request::post(CHAT, chat().replace("\"m\"", "\"short\"")).bearer(KEY);
    let _ = unseeded.send(gateway.api).await.expect(200);
    assert_eq!(word(&unseeded.send(gateway.api).await), "hit");
}

#[tokio::test]
async fn who_may_not_ask_the_upstream_gets_nothing_from_the_cache_either() {
    let upstream = counting().await;
    let config = cached(&upstream, ", scope: global")
        .model("n")
        .key("other", "sk-sluice-other", "models: [n]")
        .key("small", "sk-sluice-small", "models: [m], limits: {requests: {rate: 2/min}}");
    let gateway = config.start().await;
    let _ = ask(&gateway, &seeded(1, ""), &[]).await.expect(200);
    let of = |key: &str| Request::post(CHAT, seeded(1, "")).bearer(key).send(gateway.api);
    let _ = of("sk-sluice-nobody").await.expect(401);
    let refused = of("sk-sluice-other").await;
    assert!(matches!(refused.status(), 403 | 404), "{}", refused.text());
    for left in ["1", "0"] {
        let hit = of("sk-sluice-small").await.expect(200);
        assert_eq!((word(&hit), hit.get("x-ratelimit-remaining-requests")), ("hit", left), "a hit counts");
    }
    let refused = of("sk-sluice-small").await.expect(429);
    assert_eq!(word(&refused), "bypass; reason=not-reached");
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn metrics_and_log_tell_what_the_cache_did() {
    let upstream = counting().await;
    let gateway = cached(&upstream, "").start().await;
    for id in ["r-miss", "r-hit", "r-hit-2"] {
        let _ = ask(&gateway, &seeded(1, ""), &[("x-request-id", id)]).await.expect(200);
    }
    let _ = ask(&gateway, &chat(), &[("x-request-id", "r-bypass")]).await.expect(200);
    let log = || gateway.log.text();
    eventually("four lines", || log().lines().filter(|line| line.contains("\"r-")).count() == 4).await;
    for (id, told) in [
        ("r-miss", "\"cache\":\"miss\""),
        ("r-hit", "\"cache\":\"hit\""),
        ("r-bypass", "\"cache_reason\":\"no-seed\""),
    ] {
        let id = format!("\"{id}\"");
        assert!(log().lines().any(|line| line.contains(&id) && line.contains(told)), "{id}:\n{}", log());
    }
    for (series, value) in [
        ("sluice_cache_requests_total{model=\"m\",result=\"hit\",tier=\"memory\"}", 2.0),
        ("sluice_cache_requests_total{model=\"m\",result=\"miss\",tier=\"none\"}", 1.0),
        ("sluice_cache_bypass_total{reason=\"no_seed\"}", 1.0),
        ("sluice_cache_stores_total{result=\"ok\",tier=\"memory\"}", 1.0),
        ("sluice_tokens_saved_total{model=\"m\",type=\"input\"}", 6.0),
        ("sluice_tokens_saved_total{model=\"m\",type=\"output\"}", 2.0),
        ("sluice_cache_entries{tier=\"memory\"}", 1.0),
    ] {
        assert_eq!(gateway.metric(series).await, value, "{series}\n{}", metrics(&gateway).await);
    }
}

/// The lines of the metrics that concern the cache, for the reader of a failure.
async fn metrics(gateway: &Gateway) -> String {
    let text = gateway.ask_admin("/metrics").await.text();
    let lines = text.lines().filter(|line| line.contains("cache") || line.contains("tokens_"));
    lines.filter(|line| !line.starts_with('#') && !line.contains("bucket")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn equal_requests_meet_the_same_target_on_every_gateway_and_weights_hold() {
    let (heavy, light) = (counting().await, counting().await);
    let config = cached(&heavy, "").also("light", &light.base_url()).model_entry(
        "{name: two, targets: [{provider: up, model: m, weight: 3}, {provider: light, model: m, weight: 1}]}",
    );
    let gateways = [config.start().await, config.start().await];
    let mut met = BTreeMap::<String, usize>::new();
    for seed in 0..120 {
        let body = seeded(seed, "").replace("\"m\"", "\"two\"");
        let [one, other] = [&gateways[0], &gateways[1]].map(|gateway| ask(gateway, &body, &[]));
        let (one, other) = (one.await.expect(200), other.await.expect(200));
        assert_eq!((word(&one), word(&other)), ("miss", "miss"), "each for itself");
        assert_eq!(one.get("x-sluice-provider"), other.get("x-sluice-provider"), "seed {seed}");
        *met.entry(one.get("x-sluice-provider").to_owned()).or_default() += 1;
    }
    let share = met["up"];
    assert!((75..=105).contains(&share), "about 90 of 120: {met:?}");
}

#[tokio::test]
async fn an_outage_of_the_target_does_not_hide_what_it_had_answered() {
    let upstream = Upstream::with(|n, _| match n {
        0 => Answer::json(saying("kept")),
        _ => Answer::new().reset(),
    })
    .await;
    let gateway = cached(&upstream, "").start().await;
    let first = ask(&gateway, &seeded(1, ""), &[]).await.expect(200);
    for seed in 2..8 {
        assert!(ask(&gateway, &seeded(seed, ""), &[]).await.status() >= 500);
    }
    let kept = ask(&gateway, &seeded(1, ""), &[]).await.expect(200);
    assert_eq!((word(&kept), &kept.body), ("hit", &first.body));
}

#[tokio::test]
async fn money_counts_what_was_bought_and_what_was_spared_and_says_where_it_knows_no_price() {
    let upstream = counting().await;
    let priced = "prices: [{provider: up, model: m, input: 1, output: 100}]";
    let gateway = cached(&upstream, "").model("unpriced").section(priced).start().await;
    // 3 tokens in and 1 out: 3 and 100 millionths of a dollar.
    let _ = gateway.post(CHAT, seeded(1, "")).await.expect(200);
    let _ = gateway.post(CHAT, seeded(1, "")).await.expect(200);
    let _ = gateway.post(CHAT, seeded(2, "").replace("\"m\"", "\"unpriced\"")).await.expect(200);
    let spent = "sluice_cost_usd_total{model=\"m\",provider=\"up\"}";
    let spared = "sluice_cost_saved_usd_total{by=\"response_cache\",model=\"m\"}";
    let missing = "sluice_price_missing_total{provider=\"up\",upstream_model=\"unpriced\"}";
    for _ in 0..100 {
        if gateway.metric(missing).await > 0.0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let near = |value: f64, expected: f64| (value - expected).abs() < 1e-12;
    assert!(near(gateway.metric(spent).await, 0.000_103), "{}", gateway.metric(spent).await);
    assert!(near(gateway.metric(spared).await, 0.000_103), "{}", gateway.metric(spared).await);
    assert!(near(gateway.metric(missing).await, 1.0));
    assert!(near(gateway.metric("sluice_cost_usd_total{model=\"unpriced\",provider=\"up\"}").await, 0.0));
}
