//! `x-sluice-timeout-ms`: how long the client waits, over all targets together.

use crate::support::{
    CHAT, CHAT_REPLY, before_spare, chat, chat_events, chat_stream, chat_to, circuits, delta, well,
};
use sluice_tests::{
    client::{Answer as Reply, Request},
    gateway::{Config, Gateway, KEY},
    sse::Stream,
    upstream::{Answer, Upstream},
};
use std::time::{Duration, Instant};

fn patient(body: String, ms: &str) -> Request {
    Request::post(CHAT, body).bearer(KEY).header("x-sluice-timeout-ms", ms)
}

async fn timed(gateway: &Gateway, request: Request) -> (Reply, Duration) {
    let begun = Instant::now();
    let reply = request.send(gateway.api).await;
    (reply, begun.elapsed())
}

#[tokio::test]
async fn the_callers_deadline_holds_over_several_targets() {
    let (up, spare) =
        (Upstream::script([Answer::new().hang()]).await, Upstream::script([Answer::new().hang()]).await);
    let gateway = before_spare(&up.base_url(), &spare, "first_byte: 400ms").start().await;
    let (reply, took) = timed(&gateway, patient(chat_to("both"), "600")).await;
    let reply = reply.expect(504);
    assert_eq!((reply.code().as_str(), reply.get("x-sluice-attempts")), ("upstream_timeout", "2"));
    assert!(took >= Duration::from_millis(600) && took < Duration::from_millis(600 + 2_000), "{took:?}");
    assert_eq!((up.calls(), spare.calls()), (1, 1));
    spare.left(1).await;
}

#[tokio::test]
async fn a_client_in_a_hurry_gets_the_next_targets_answer_after_half_its_time() {
    let (up, spare) = (Upstream::script([Answer::new().hang()]).await, well().await);
    let gateway = before_spare(&up.base_url(), &spare, "first_byte: 30s").start().await;
    for n in 1..=3 {
        let (reply, took) = timed(&gateway, patient(chat_to("both"), "800")).await;
        let reply = reply.expect(200);
        assert_eq!((reply.get("x-sluice-attempts"), reply.get("x-sluice-provider")), ("2", "spare"));
        assert!(took >= Duration::from_millis(400) && took < Duration::from_millis(400 + 2_000), "{took:?}");
        assert_eq!(spare.calls(), n);
    }
    // The last one has all that is left.
    let (first, last) =
        (Upstream::script([Answer::new().hang()]).await, Upstream::script([Answer::new().hang()]).await);
    let gateway = before_spare(&first.base_url(), &last, "first_byte: 30s").start().await;
    let (reply, took) = timed(&gateway, patient(chat_to("both"), "400")).await;
    assert_eq!(reply.expect(504).get("x-sluice-attempts"), "2");
    assert!(took >= Duration::from_millis(400) && took < Duration::from_millis(400 + 2_000), "{took:?}");
}

#[tokio::test]
async fn a_providers_own_total_ends_its_try_and_not_the_request() {
    let (up, spare) = (Upstream::script([Answer::new().hang()]).await, well().await);
    let gateway = before_spare(&up.base_url(), &spare, "first_byte: 30s, total: 300ms").start().await;
    let reply = gateway.post(CHAT, chat_to("both")).await.expect(200);
    assert_eq!((reply.get("x-sluice-attempts"), reply.get("x-sluice-provider")), ("2", "spare"));
}

#[tokio::test]
async fn a_deadline_cuts_waits_between_tries_too() {
    let up = Upstream::script([Answer::error(500, "{}")]).await;
    let slow = "resilience: {backoff: {initial: 30s, max: 60s}}";
    let gateway = Config::to(&up).section(slow).start().await;
    let (reply, took) = timed(&gateway, patient(chat(), "1000")).await;
    assert!(matches!(reply.status(), 502 | 504), "{}", reply.text());
    assert!(took < Duration::from_millis(1_000 + 2_000), "{took:?}");
}

#[tokio::test]
async fn a_body_that_drips_on_is_cut_at_the_deadline() {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        CHAT_REPLY.len()
    );
    let up = Upstream::script([Answer::new().send(head).drip(CHAT_REPLY, Duration::from_millis(50))]).await;
    let gateway = Config::to(&up).start().await;
    let (reply, took) = timed(&gateway, patient(chat(), "300")).await;
    let _ = reply.expect(504);
    assert!(took < Duration::from_millis(300 + 2_000), "{took:?}");
    up.left(1).await;
}

#[tokio::test]
async fn a_stream_that_has_begun_in_time_is_not_cut() {
    let rest = chat_events(&["b"]);
    let up = Upstream::script([Answer::stream().send(delta("a")).wait(500).send(rest.clone()).close()]).await;
    let gateway = Config::to(&up).start().await;
    let events = Stream::open(gateway.api, &patient(chat_stream(), "300")).await.rest().await;
    assert_eq!(events.bytes(), delta("a") + &rest);
}

#[tokio::test]
async fn an_answer_in_time_is_200() {
    let up = well().await;
    let gateway = Config::to(&up).start().await;
    for ms in ["10000", "18446744073709551615", " 10000 "] {
        let _ = patient(chat(), ms).send(gateway.api).await.expect(200);
    }
}

#[tokio::test]
async fn a_time_that_is_none_is_400_and_nobody_is_asked() {
    let up = well().await;
    let gateway = Config::to(&up).start().await;
    for ms in ["0", "-1", "1.5", "abc", "", "1s", "18446744073709551616"] {
        let reply = patient(chat(), ms).send(gateway.api).await;
        assert_eq!(reply.status(), 400, "{ms:?}: {}", reply.text());
        assert!(reply.message().contains("x-sluice-timeout-ms"), "{}", reply.message());
    }
    assert_eq!(up.calls(), 0);
}

#[tokio::test]
async fn impatient_clients_open_no_circuit() {
    let up =
        Upstream::with(|n, _| if n < 10 { Answer::new().hang() } else { Answer::json(CHAT_REPLY) }).await;
    let spare = well().await;
    let gateway = before_spare(&up.base_url(), &spare, "first_byte: 30s").start().await;
    for _ in 0..10 {
        let _ = patient(chat_to("both"), "200").send(gateway.api).await.expect(200);
    }
    assert_eq!(circuits(&gateway, "up", "open").await, 0.0);
    let reply = gateway.post(CHAT, chat_to("both")).await.expect(200);
    assert_eq!((reply.get("x-sluice-provider"), reply.get("x-sluice-attempts")), ("up", "1"));
}

#[tokio::test]
async fn an_impatient_client_on_a_dripping_body_opens_no_circuit() {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        CHAT_REPLY.len()
    );
    let drip = Answer::new().send(head).drip(CHAT_REPLY, Duration::from_millis(20));
    let up = Upstream::with(move |n, _| if n < 10 { drip.clone() } else { Answer::json(CHAT_REPLY) }).await;
    let gateway = Config::to(&up).start().await;
    for _ in 0..10 {
        let _ = patient(chat(), "50").send(gateway.api).await.expect(504);
    }
    assert_eq!(circuits(&gateway, "up", "open").await, 0.0);
}
