//! Which targets a request may come to at all: rules, names, fallbacks, and what a target cannot take.

use crate::support::{CHAT, chat_of, chat_stream, chat_to, chat_with, well};
use sluice_tests::{
    client::{Answer as Reply, Request},
    gateway::{Config, Gateway, KEY},
    upstream::{Answer, Upstream, nobody},
};

/// A gateway whose model `routed` leads to `plain`, unless its rules say else; all of them the models of one
/// upstream.
async fn ruled(rules: &str) -> (Gateway, Upstream) {
    let upstream = well().await;
    let config = Config::to(&upstream)
        .key("web", "sk-web", "models: [\"*\"], tenant: search")
        .tenant("search", "limits: {}")
        .model_entry(&format!(
            "{{name: routed, targets: [{{provider: up, model: plain}}], rules: [{rules}]}}"
        ));
    (config.start().await, upstream)
}

fn to(model: &str, when: &str) -> String {
    format!("{{when: {{{when}}}, targets: [{{provider: up, model: {model}}}]}}")
}

/// Which model a request with this body came to.
async fn came_to(gateway: &Gateway, request: Request) -> String {
    request.send(gateway.api).await.expect(200).get("x-sluice-model").to_owned()
}

fn routed(more: &str) -> Request {
    Request::post(CHAT, chat_with(more).replace("\"m\"", "\"routed\"")).bearer(KEY)
}

#[tokio::test]
async fn each_condition_of_a_rule_decides() {
    let tools = ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}]";
    let prompt = format!(
        "{{\"model\":\"routed\",\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}]}}",
        "word ".repeat(900)
    );
    let long = Request::post(CHAT, prompt).bearer(KEY);
    let web = routed("").bearer("sk-web");
    for (when, yes, no) in [
        ("tenant: search", web.clone(), routed("")),
        ("key: web", web, routed("")),
        (
            "header: {name: x-tier, equals: gold}",
            routed("").header("X-Tier", "gold"),
            routed("").header("x-tier", "Gold"),
        ),
        ("min_input_tokens: 500", long, routed("")),
        ("tools: true", routed(tools), routed(",\"tools\":[]")),
        ("tools: false", routed(""), routed(tools)),
        ("tools: true, key: test", routed(tools), routed(tools).bearer("sk-web")),
    ] {
        let (gateway, _upstream) = ruled(&to("special", when)).await;
        assert_eq!(came_to(&gateway, yes).await, "special", "{when}");
        assert_eq!(came_to(&gateway, no).await, "plain", "{when}");
    }
}

#[tokio::test]
async fn streams_and_plain_answers_can_go_apart() {
    let upstream = Upstream::with(|_, request| {
        if request.json()["stream"] == true {
            Answer::sse(crate::support::chat_events(&["a"]))
        } else {
            Answer::json(crate::support::CHAT_REPLY)
        }
    })
    .await;
    let rules = [to("streaming", "stream: true"), to("whole", "stream: false")].join(", ");
    let entry = format!("{{name: routed, targets: [{{provider: up, model: plain}}], rules: [{rules}]}}");
    let gateway = Config::to(&upstream).model_entry(&entry).start().await;
    let stream = Request::post(CHAT, chat_stream().replace("\"m\"", "\"routed\"")).bearer(KEY);
    assert_eq!(came_to(&gateway, stream).await, "streaming");
    assert_eq!(came_to(&gateway, routed("")).await, "whole");
}

#[tokio::test]
async fn the_first_rule_that_holds_decides() {
    let rules = [to("one", "key: web"), to("two", "tenant: search"), to("three", "stream: false")].join(", ");
    let (gateway, _upstream) = ruled(&rules).await;
    assert_eq!(came_to(&gateway, routed("").bearer("sk-web")).await, "one");
    assert_eq!(came_to(&gateway, routed("")).await, "three");
}

#[tokio::test]
async fn an_alias_leads_where_its_model_does_and_rights_are_those_of_the_name() {
    let upstream = well().await;
    let gateway = Config::to(&upstream)
        .key("narrow", "sk-narrow", "models: [real]")
        .model_entry("{name: real, aliases: [nick, other/nick], targets: [{provider: up, model: theirs}]}")
        .start()
        .await;
    for name in ["real", "nick", "other/nick"] {
        let reply = gateway.post(CHAT, chat_to(name)).await.expect(200);
        assert_eq!(reply.get("x-sluice-model"), "theirs");
    }
    assert!(upstream.requests().iter().all(|request| request.json()["model"] == "theirs"));
    let narrow = |name: &str| Request::post(CHAT, chat_to(name)).bearer("sk-narrow").send(gateway.api);
    let _ = narrow("real").await.expect(200);
    assert_eq!(narrow("nick").await.expect(403).code(), "model_not_allowed");
}

#[tokio::test]
async fn a_fallback_is_tried_after_all_own_targets_and_only_with_the_keys_right() {
    let (ill, good) = (Upstream::script([Answer::error(504, "{}")]).await, well().await);
    let gateway = Config::to(&ill)
        .also("good", &good.base_url())
        .key("narrow", "sk-narrow", "models: [main]")
        .key("wide", "sk-wide", "models: [main, reserve]")
        .model_entry(
            "{name: main, targets: [{provider: up, model: a}, {provider: up, model: b}], fallbacks: [reserve]}",
        )
        .model_entry("{name: reserve, targets: [{provider: good, model: c}], fallbacks: [m]}")
        .start()
        .await;
    let ask = |key: &str| Request::post(CHAT, chat_to("main")).bearer(key).send(gateway.api);
    for key in [KEY, "sk-wide"] {
        let reply = ask(key).await.expect(200);
        assert_eq!((reply.get("x-sluice-model"), reply.get("x-sluice-attempts")), ("c", "3"));
    }
    let reply = ask("sk-narrow").await.expect(504);
    assert_eq!((reply.get("x-sluice-attempts"), good.calls()), ("2", 2));
    assert!(!reply.text().contains("reserve") && !reply.text().contains("good"), "{}", reply.text());
}

#[tokio::test]
async fn a_fallback_of_a_fallback_is_not_followed() {
    let good = well().await;
    let gateway = Config::to_url(&nobody())
        .also("good", &good.base_url())
        .model_entry("{name: main, targets: [{provider: up, model: a}], fallbacks: [next]}")
        .model_entry("{name: next, targets: [{provider: up, model: b}], fallbacks: [last]}")
        .model_entry("{name: last, targets: [{provider: good, model: c}]}")
        .start()
        .await;
    let _ = gateway.post(CHAT, chat_to("main")).await.expect(502);
    assert_eq!(good.calls(), 0);
}

/// A gateway whose model `picky` has a target with these members, and one without, that comes after it.
async fn picky(members: &str) -> (Gateway, Upstream) {
    let upstream = well().await;
    let config = Config::to(&upstream).model_entry(&format!(
        "{{name: picky, targets: [{{provider: up, model: small, {members}}}, {{provider: up, model: large, priority: 1}}]}}"
    ));
    (config.start().await, upstream)
}

async fn pick(gateway: &Gateway, body: &str) -> (String, String) {
    let reply: Reply = gateway.post(CHAT, body.replace("\"m\"", "\"picky\"")).await.expect(200);
    (reply.get("x-sluice-model").to_owned(), reply.get("x-sluice-attempts").to_owned())
}

#[tokio::test]
async fn a_target_that_is_too_small_is_skipped() {
    for (members, fits, too_much) in [
        ("context_window: 100", chat_of(90), chat_of(200)),
        ("max_output_tokens: 50", chat_with(",\"max_tokens\":50"), chat_with(",\"max_tokens\":51")),
        ("max_output_tokens: 50", chat_with(""), chat_with(",\"max_completion_tokens\":51")),
    ] {
        let (gateway, upstream) = picky(members).await;
        assert_eq!(pick(&gateway, &fits).await, ("small".into(), "1".into()), "{members}");
        assert_eq!(pick(&gateway, &too_much).await, ("large".into(), "1".into()), "{members}");
        assert_eq!(upstream.calls(), 2);
    }
}

#[tokio::test]
async fn a_target_that_lacks_what_is_needed_is_skipped() {
    let image = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}]}"#;
    for (lack, body) in [
        ("tools", chat_with(",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]")),
        ("images", image.to_owned()),
        ("structured_output", chat_with(",\"response_format\":{\"type\":\"json_object\"}")),
        ("logprobs", chat_with(",\"logprobs\":true")),
        ("samples", chat_with(",\"n\":2")),
    ] {
        let (gateway, _upstream) = picky(&format!("lacks: [{lack}]")).await;
        assert_eq!(pick(&gateway, &chat_with("")).await.0, "small", "{lack}");
        assert_eq!(pick(&gateway, &body).await.0, "large", "{lack}");
    }
}

#[tokio::test]
async fn where_no_target_can_take_it_the_client_is_told_why_and_nobody_is_asked() {
    let upstream = well().await;
    let gateway = Config::to(&upstream)
        .model_entry("{name: short, targets: [{provider: up, model: a, max_output_tokens: 10}]}")
        .model_entry("{name: blind, targets: [{provider: up, model: a, lacks: [logprobs]}]}")
        .model_entry("{name: narrow, targets: [{provider: up, model: a, context_window: 20}, {provider: up, model: b, context_window: 30}]}")
        .start()
        .await;
    let ask = |model: &str, more: &str| {
        gateway.post(CHAT, chat_with(more).replace("\"m\"", &format!("\"{model}\"")))
    };
    let reply = ask("short", ",\"max_tokens\":11").await.expect(400);
    assert!(reply.message().contains("10 tokens"), "{}", reply.message());
    assert_eq!(reply.json()["error"]["param"], "max_tokens");
    let reply = ask("blind", ",\"logprobs\":true").await;
    assert!(reply.status() >= 400 && reply.message().contains("logprobs"), "{}", reply.text());
    println!("what no target can do: {} {}", reply.status(), reply.code());
    assert_eq!(upstream.calls(), 0);
    // A prompt is only estimated: the roomiest counts for itself.
    assert_eq!(ask("narrow", ",\"max_tokens\":90").await.expect(200).get("x-sluice-model"), "b");
}
