//! What is never kept: an answer that is not whole, not clean, not the planned target's, or too large. The client
//! still gets it as it is.

use crate::support::{
    CHAT, CHAT_REPLY, DONE, cached, chat_events, delta, finish, numbered_events, saying, seeded, usage,
};
use sluice_tests::{
    client::Request,
    gateway::KEY,
    sse::Stream,
    upstream::{Answer, Upstream},
};

const STREAM: &str = ",\"stream\":true";

/// Whatever comes first, the next equal request asks the upstream, and what that answers is kept.
async fn is_not_kept(name: &str, more: &str, unfit: Answer) {
    let whole = if more == STREAM { Answer::sse(numbered_events(1, true)) } else { Answer::json(CHAT_REPLY) };
    let upstream = Upstream::script([unfit, whole]).await;
    let gateway = cached(&upstream, "").section("resilience: {attempts: 1}").start().await;
    let request = Request::post(CHAT, seeded(1, more)).bearer(KEY);
    let ask = || async {
        let mut stream = Stream::open(gateway.api, &request).await;
        let events = stream.rest().await;
        (stream.head.get("x-sluice-cache").to_owned(), events.bytes())
    };
    let (word, first) = ask().await;
    assert_eq!(word, "miss", "{name}");
    let (word, second) = ask().await;
    assert_eq!((word.as_str(), upstream.calls()), ("miss", 2), "{name} was kept: {first:?}");
    let (word, third) = ask().await;
    assert_eq!((word.as_str(), third), ("hit", second), "{name}");
    assert_ne!(first, ask().await.1, "{name}");
    assert_eq!(upstream.calls(), 2, "{name}");
}

/// A whole answer is kept.
async fn is_kept(name: &str, more: &str, fit: Answer) {
    let upstream = Upstream::script([fit, Answer::error(400, "{}")]).await;
    let gateway = cached(&upstream, "").start().await;
    let request = Request::post(CHAT, seeded(1, more)).bearer(KEY);
    for told in ["miss", "hit"] {
        let answer = request.send(gateway.api).await.expect(200);
        assert_eq!(answer.get("x-sluice-cache"), told, "{name}");
    }
}

fn call(arguments: &str) -> String {
    let call =
        format!(r#"[{{"id":"c","type":"function","function":{{"name":"f","arguments":"{arguments}"}}}}]"#);
    saying("x").replace("\"content\":\"x\"", &format!("\"content\":null,\"tool_calls\":{call}"))
}

#[tokio::test]
async fn errors_are_not_kept() {
    // A refused credential is not tried again at once: see the key pools.
    for status in [400, 404, 429, 500, 503] {
        is_not_kept(&status.to_string(), "", Answer::error(status, r#"{"error":{"message":"no"}}"#)).await;
        is_not_kept(&status.to_string(), STREAM, Answer::error(status, r#"{"error":{"message":"no"}}"#))
            .await;
    }
}

#[tokio::test]
async fn plain_answers_that_are_not_whole_or_not_clean_are_not_kept() {
    for (name, body) in [
        ("filtered", saying("x").replace("\"stop\"", "\"content_filter\"")),
        (
            "a refusal",
            saying("x").replace("\"content\":\"x\"", "\"content\":null,\"refusal\":\"I will not\""),
        ),
        ("unfinished", saying("x").replace("\"stop\"", "null")),
        ("ended by an error", saying("x").replace("\"stop\"", "\"error\"")),
        (
            "empty",
            saying("").replace(
                "\"completion_tokens\":1,\"total_tokens\":4",
                "\"completion_tokens\":0,\"total_tokens\":3",
            ),
        ),
        ("broken arguments", call("{\\\"a\\\":")),
        ("an error beside", saying("x").replacen('{', "{\"error\":{\"message\":\"late\"},", 1)),
    ] {
        is_not_kept(name, "", Answer::json(body)).await;
    }
    is_not_kept(
        "cut",
        "",
        Answer::new().send("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"choices\":").close(),
    )
    .await;
}

#[tokio::test]
async fn streams_that_are_not_whole_or_not_clean_are_not_kept() {
    let begin = || delta("x");
    for (name, stream) in [
        ("cut", Answer::stream().send(begin()).wait(10).reset()),
        ("closed early", Answer::stream().send(begin()).close()),
        ("cut after the finish", Answer::chunked().chunk(begin() + &finish()).close()),
        ("without [DONE]", Answer::stream().send(begin() + &finish() + &usage()).close()),
        (
            "an error in it",
            Answer::stream().send(begin() + "data: {\"error\":{\"message\":\"no\"}}\n\n" + DONE).close(),
        ),
        (
            "garbage in it",
            Answer::stream().send(begin() + "data: {\"choices\"\n\n" + &finish() + DONE).close(),
        ),
        ("[DONE] without a finish", Answer::stream().send(begin() + &usage() + DONE).close()),
        ("filtered", Answer::sse(begin() + &finish().replace("stop", "content_filter") + &usage() + DONE)),
        ("refused", Answer::sse(begin().replace("content\":", "refusal\":") + &finish() + &usage() + DONE)),
        (
            "empty",
            Answer::sse(
                finish()
                    + &usage().replace(
                        "\"completion_tokens\":2,\"total_tokens\":5",
                        "\"completion_tokens\":0,\"total_tokens\":3",
                    )
                    + DONE,
            ),
        ),
    ] {
        is_not_kept(name, STREAM, stream).await;
    }
}

#[tokio::test]
async fn answers_that_ended_by_their_own_rules_are_kept() {
    is_kept(
        "cut at max_tokens",
        ",\"max_tokens\":1",
        Answer::json(saying("x").replace("\"stop\"", "\"length\"")),
    )
    .await;
    is_kept("a call", "", Answer::json(call("{\\\"a\\\":1}").replace("\"stop\"", "\"tool_calls\""))).await;
    is_kept("a call without arguments", "", Answer::json(call(""))).await;
    is_kept(
        "a stream",
        STREAM,
        Answer::sse(delta("x") + &finish().replace("stop", "length") + &usage() + DONE),
    )
    .await;
    is_kept("a stream without usage", STREAM, Answer::sse(chat_events(&["x"]))).await;
}

#[tokio::test]
async fn a_part_of_an_answer_is_passed_on_and_not_kept() {
    for (more, kind, body) in [
        ("", "content-type: application/json", saying("a part")),
        (STREAM, "content-type: text/event-stream", numbered_events(0, true)),
    ] {
        let part = Answer::status(206, &[kind], &body);
        is_not_kept(&format!("206{more}"), more, part.clone()).await;
        let upstream = Upstream::script([part]).await;
        let gateway = cached(&upstream, "").start().await;
        let answer = gateway.post(CHAT, seeded(1, more)).await;
        let expected = if more == STREAM { numbered_events(0, false) } else { body };
        assert_eq!((answer.status(), answer.text()), (200, expected));
        assert_eq!(answer.get("cache-status"), "sluice; fwd=uri-miss");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_passed_on_whole_and_not_kept() {
    let text = "x".repeat(3_000);
    let events: Vec<&str> = std::iter::repeat_n(text.as_str(), 4).collect();
    let streamed = chat_events(&events);
    let (plain, sent) = (saying(&"y".repeat(9_000)), streamed.clone());
    let upstream = Upstream::with(move |_, request| match request.json()["stream"].as_bool() {
        Some(true) => Answer::sse(sent.clone()),
        _ => Answer::json(&plain),
    })
    .await;
    let gateway = cached(&upstream, ", max_entry: 8KiB").start().await;
    for n in 1..=2 {
        let answer = gateway.post(CHAT, seeded(1, "")).await.expect(200);
        assert_eq!(answer.get("x-sluice-cache"), "miss");
        assert_eq!(answer.get("cache-status"), "sluice; fwd=uri-miss", "not stored");
        assert_eq!(answer.body.len(), saying(&"y".repeat(9_000)).len());
        let mut stream = Stream::open(gateway.api, &Request::post(CHAT, seeded(1, STREAM)).bearer(KEY)).await;
        assert_eq!(stream.head.get("x-sluice-cache"), "miss");
        assert_eq!(stream.rest().await.bytes(), streamed);
        assert_eq!(upstream.calls(), 2 * n);
    }
    let series = "sluice_cache_stores_total{result=\"too_large\",tier=\"memory\"}";
    assert_eq!(gateway.metric(series).await, 4.0);
    assert_eq!(gateway.metric("sluice_cache_entries{tier=\"memory\"}").await, 0.0);
}

#[tokio::test]
async fn the_answer_of_a_fallback_is_not_kept_for_the_target_that_failed() {
    for more in ["", STREAM] {
        let up = Upstream::with(|n, request| match (n, request.json()["stream"] == true) {
            (0, _) => Answer::error(500, "{}"),
            (_, true) => Answer::sse(chat_events(&["planned"])),
            (_, false) => Answer::json(saying("planned")),
        })
        .await;
        let spare = Upstream::with(|_, request| match request.json()["stream"] == true {
            true => Answer::sse(chat_events(&["spare"])),
            false => Answer::json(saying("spare")),
        })
        .await;
        let config = cached(&up, "").also("spare", &spare.base_url()).model_entry(
            "{name: both, targets: [{provider: up, model: m}, {provider: spare, model: m, priority: 1}]}",
        );
        let gateway = config.start().await;
        let request = Request::post(CHAT, seeded(1, more).replace("\"m\"", "\"both\"")).bearer(KEY);
        for (told, text, provider) in
            [("miss", "spare", "spare"), ("miss", "planned", "up"), ("hit", "planned", "up")]
        {
            let answer = request.send(gateway.api).await.expect(200);
            assert_eq!(
                (answer.get("x-sluice-cache"), answer.get("x-sluice-provider")),
                (told, provider),
                "{more}"
            );
            assert!(answer.text().contains(text), "{}", answer.text());
        }
        assert_eq!((up.calls(), spare.calls()), (2, 1));
    }
}
