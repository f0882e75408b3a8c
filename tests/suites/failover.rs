//! Failover: what another target can answer, the client does not notice.

use crate::support::{CHAT, CHAT_REPLY, chat, chat_events, chat_stream, delta};
use sluice_tests::{
    client::Request,
    gateway::{Config, Gateway, KEY},
    sse::Stream,
    upstream::{Answer, Upstream, nobody},
};

/// A gateway whose model `both` asks `first` and then `spare`.
async fn before(first: &str, spare: &Upstream) -> Gateway {
    Config::to_url(first)
        .timeouts("connect: 500ms, first_byte: 400ms, idle: 400ms")
        .also("spare", &spare.base_url())
        .model_entry(
            "{name: both, targets: [{provider: up, model: m}, {provider: spare, model: other, priority: 1}]}",
        )
        .section("resilience: {commit_after: 100ms, heartbeat: 100ms}")
        .start()
        .await
}

fn both(body: &str) -> Request {
    Request::post(CHAT, body.replace("\"m\"", "\"both\"")).bearer(KEY)
}

/// Whatever the first target does here, the second one's answer comes.
async fn answered_by_the_spare(first: Answer) {
    let (up, spare) = (Upstream::script([first]).await, Upstream::script([Answer::json(CHAT_REPLY)]).await);
    let gateway = before(&up.base_url(), &spare).await;
    let answer = both(&chat()).send(gateway.api).await.expect(200);
    assert_eq!(answer.text(), CHAT_REPLY);
    assert_eq!(answer.get("x-sluice-provider"), "spare");
    assert_eq!(answer.get("x-sluice-model"), "other");
    assert_eq!(answer.get("x-sluice-attempts"), "2");
    assert_eq!(up.calls(), 1, "never the same target twice");
    assert_eq!(
        spare.request().text(),
        chat().replace("\"m\"", "\"other\""),
        "encoded anew from the original"
    );
}

#[tokio::test]
async fn refused_connection_goes_to_the_next_target() {
    let spare = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = before(&nobody(), &spare).await;
    let answer = both(&chat()).send(gateway.api).await.expect(200);
    assert_eq!(answer.get("x-sluice-attempts"), "2");
}

#[tokio::test]
async fn statuses_that_another_target_may_not_have_go_to_the_next_one() {
    for status in [404, 408, 429, 500, 502, 503, 504, 529] {
        answered_by_the_spare(Answer::error(status, "{}")).await;
    }
}

#[tokio::test]
async fn broken_answers_go_to_the_next_target() {
    answered_by_the_spare(Answer::new().reset()).await;
    answered_by_the_spare(Answer::new().hang()).await;
    answered_by_the_spare(Answer::json("{\"choices\":")).await;
    answered_by_the_spare(Answer::status(302, &["location: /"], "")).await;
    answered_by_the_spare(Answer::new().send("garbage\r\n\r\n").close()).await;
}

#[tokio::test]
async fn the_clients_own_mistake_goes_nowhere_else() {
    for status in [400, 413, 422] {
        let up = Upstream::script([Answer::error(status, r#"{"error":{"message":"your mistake"}}"#)]).await;
        let spare = Upstream::script([Answer::json(CHAT_REPLY)]).await;
        let gateway = before(&up.base_url(), &spare).await;
        let answer = both(&chat()).send(gateway.api).await.expect(status);
        assert!(answer.message().contains("your mistake"));
        assert_eq!(spare.calls(), 0);
    }
}

#[tokio::test]
async fn a_stream_fails_over_as_long_as_no_content_has_come() {
    let role = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
    for first in [
        Answer::error(500, "{}"),
        Answer::stream().close(),
        Answer::stream().send(role).wait(20).reset(),
        Answer::stream().send("data: {\"error\":{\"message\":\"no\"}}\n\n").close(),
        Answer::stream().send("data: nonsense\n\n").close(),
        Answer::stream().hang(),
    ] {
        let up = Upstream::script([first.clone()]).await;
        let spare = Upstream::script([Answer::sse(chat_events(&["spare"]))]).await;
        let gateway = before(&up.base_url(), &spare).await;
        let mut stream = Stream::open(gateway.api, &both(&chat_stream())).await;
        let events = stream.rest().await;
        assert!(events.done(), "{first:?}: {events:?}");
        assert!(events.bytes().ends_with(chat_events(&["spare"]).as_bytes()), "{first:?}: {events:?}");
    }
}

#[tokio::test]
async fn a_waiting_stream_with_its_head_out_still_fails_over() {
    let up = Upstream::script([Answer::stream().wait(300).reset()]).await;
    let spare = Upstream::script([Answer::sse(chat_events(&["spare"]))]).await;
    let gateway = before(&up.base_url(), &spare).await;
    let mut stream = Stream::open(gateway.api, &both(&chat_stream())).await;
    let events = stream.rest().await;
    assert!(events.events[0].is_comment(), "the head and a heartbeat went out first: {events:?}");
    assert_eq!(events.bytes(), chat_events(&["spare"]));
}

#[tokio::test]
async fn after_the_first_content_nothing_fails_over() {
    let up = Upstream::script([Answer::stream().send(delta("first")).wait(50).reset()]).await;
    let spare = Upstream::script([Answer::sse(chat_events(&["spare"]))]).await;
    let gateway = before(&up.base_url(), &spare).await;
    let mut stream = Stream::open(gateway.api, &both(&chat_stream())).await;
    let events = stream.rest().await;
    assert!(events.bytes().starts_with(delta("first").as_bytes()));
    let _ = events.error();
    assert_eq!(spare.calls(), 0, "two answers are never mixed");
}

#[tokio::test]
async fn when_every_target_fails_the_client_reads_what_was_tried() {
    let up = Upstream::script([Answer::error(500, "{}")]).await;
    let spare = Upstream::script([Answer::error(503, "{}")]).await;
    let gateway = before(&up.base_url(), &spare).await;
    let answer = both(&chat()).send(gateway.api).await;
    assert!(matches!(answer.status(), 502 | 503), "{}", answer.text());
    for part in ["up", "spare", "both"] {
        assert!(answer.message().contains(part), "{part}: {}", answer.message());
    }
    assert!(!answer.text().contains("127.0.0.1"), "{}", answer.text());
}

#[tokio::test]
async fn what_only_a_failed_target_would_have_dropped_is_not_told_as_dropped() {
    let spare = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to_url(&nobody())
        .kind("openai")
        .also("spare", &spare.base_url())
        .model_entry(
            "{name: both, targets: [{provider: up, model: m}, {provider: spare, model: m, priority: 1}]}",
        )
        .start()
        .await;
    let body =
        r#"{"model":"m","cache_control":{"type":"ephemeral"},"messages":[{"role":"user","content":"hi"}]}"#;
    let answer = both(body).send(gateway.api).await.expect(200);
    assert_eq!(answer.get("x-sluice-attempts"), "2");
    assert!(!answer.head.has("x-sluice-dropped"), "{:?}", answer.head);
    assert_eq!(spare.request().text(), body);
}
