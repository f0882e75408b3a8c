//! The fault catalogue, upstream side, for plain answers: what is special about each row. What all have in common,
//! tries and records among it, is in `faults.rs`; hung calls are in `hung_calls.rs`.
//!
//! Always: our envelope, nothing of the upstream's HTML, keys or addresses in it, and the gateway still serves.

use crate::support::{CHAT, CHAT_REPLY, chat};
use sluice_tests::{
    client::Answer as Reply,
    gateway::{Config, Gateway, KEY},
    upstream::{Answer, Upstream, nobody},
};
use std::time::{Duration, Instant, SystemTime};

/// Short timers, so that a fault shows quickly.
fn short(upstream: &Upstream) -> Config {
    Config::to(upstream).timeouts("connect: 500ms, first_byte: 400ms, idle: 400ms")
}

/// What a client gets from an upstream that answers like this once, and the upstream.
async fn fault(answer: Answer) -> (Reply, Upstream) {
    fault_in(3, answer).await
}

/// The same, with at most so many tries.
async fn fault_in(attempts: u32, answer: Answer) -> (Reply, Upstream) {
    let upstream = Upstream::script([answer]).await;
    let gateway = short(&upstream).section(&format!("resilience: {{attempts: {attempts}}}")).start().await;
    let reply = gateway.post(CHAT, chat()).await;
    clean(&reply);
    (reply, upstream)
}

/// An error of ours: JSON with a message, and nothing that the client should not see.
#[track_caller]
fn clean(reply: &Reply) {
    let text = reply.text();
    for secret in ["sk-provider-secret", "127.0.0.1", "<html", KEY] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    if reply.status() != 200 {
        assert!(!reply.message().is_empty(), "{text}");
        assert!(reply.head.has("x-request-id"));
        assert_eq!(reply.json()["status"], reply.status());
    }
}

async fn bad_answer(answer: Answer) {
    let (reply, _) = fault(answer).await;
    assert_eq!((reply.status(), reply.code().as_str()), (502, "bad_upstream_response"), "{}", reply.text());
}

#[tokio::test]
async fn refuse_is_502() {
    let gateway = Config::to_url(&nobody()).start().await;
    let reply = gateway.post(CHAT, chat()).await.expect(502);
    clean(&reply);
    assert_eq!(reply.code(), "upstream_error");
    assert_eq!(reply.json()["error"]["type"], "server_error");
}

#[tokio::test]
async fn dns_failure_is_502() {
    let gateway = Config::to_url("http://no-such-host.invalid/v1").timeouts("connect: 1s").start().await;
    let reply = gateway.post(CHAT, chat()).await.expect(502);
    assert_eq!(reply.code(), "upstream_error");
    assert!(!reply.text().contains("no-such-host"), "{}", reply.text());
}

#[tokio::test]
async fn tls_to_a_plain_port_is_502() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to_url(&upstream.base_url().replace("http:", "https:")).start().await;
    let reply = gateway.post(CHAT, chat()).await.expect(502);
    clean(&reply);
    assert_eq!(upstream.calls(), 0, "never plain text instead");
}

#[tokio::test]
async fn rst_and_fin_before_a_byte_are_502() {
    for answer in [Answer::new().reset(), Answer::new().close()] {
        let (reply, upstream) = fault(answer).await;
        assert_eq!(reply.expect(502).code(), "upstream_error");
        assert!(upstream.calls() <= 3, "{} attempts", upstream.calls());
    }
}

#[tokio::test]
async fn hang_before_headers_is_504_after_one_attempt() {
    let (reply, upstream) = fault(Answer::new().hang()).await;
    assert_eq!(reply.expect(504).code(), "upstream_timeout");
    assert_eq!(upstream.calls(), 1);
    upstream.left(1).await;
}

#[tokio::test]
async fn headers_drip_is_504() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let begun = Instant::now();
    let (reply, _) = fault(Answer::new().drip(head, Duration::from_millis(100))).await;
    assert_eq!(reply.expect(504).code(), "upstream_timeout");
    assert!(begun.elapsed() < Duration::from_millis(400 + 2_000), "the timer covers the whole head");
}

#[tokio::test]
async fn slow_first_byte_is_200() {
    let (reply, _) = fault(Answer::new().wait(200).then(Answer::json(CHAT_REPLY))).await;
    assert_eq!(reply.expect(200).text(), CHAT_REPLY);
}

#[tokio::test]
async fn slow_living_body_is_200() {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        CHAT_REPLY.len()
    );
    let (reply, _) = fault(Answer::new().send(head).drip(CHAT_REPLY, Duration::from_millis(4))).await;
    assert_eq!(reply.expect(200).text(), CHAT_REPLY);
}

#[tokio::test]
async fn hang_in_a_json_body_is_504() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"id\":";
    let (reply, upstream) = fault(Answer::new().send(head).hang()).await;
    assert_eq!(reply.expect(504).code(), "upstream_timeout");
    upstream.left(1).await;
}

#[tokio::test]
async fn http_429_keeps_its_retry_after() {
    let body = r#"{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}"#;
    let (reply, upstream) =
        fault(Answer::status(429, &["retry-after: 7", "content-type: application/json"], body)).await;
    let reply = reply.expect(429);
    assert_eq!(reply.get("retry-after"), "7");
    assert_eq!(reply.json()["error"]["type"], "rate_limit_error");
    assert_eq!(upstream.calls(), 1, "never the same target again");
}

#[tokio::test]
async fn retry_after_as_a_date_comes_back_in_seconds() {
    let at = SystemTime::now() + Duration::from_secs(90);
    let date = format!("retry-after: {}", httpdate::fmt_http_date(at));
    let (reply, _) = fault(Answer::status(429, &[&date], "{}")).await;
    let seconds: u64 = reply.expect(429).get("retry-after").parse().expect("seconds");
    assert!((80..=90).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn http_500_whose_body_never_ends_is_502_soon_and_keeps_the_message_that_had_come() {
    let head = "HTTP/1.1 500 Scripted\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n";
    let whole = r#"{"error":{"message":"the engine died"}}"#;
    for (body, told) in [(whole, "the engine died"), ("{\"error\":{\"message\":\"the eng", "500")] {
        let begun = Instant::now();
        let (reply, upstream) = fault_in(1, Answer::new().send(head).send(body).hang()).await;
        assert!(begun.elapsed() < Duration::from_millis(2_500), "{:?}", begun.elapsed());
        assert_eq!(reply.clone().expect(502).code(), "upstream_error");
        assert!(reply.message().contains(told), "{}", reply.message());
        upstream.left(1).await;
    }
}

#[tokio::test]
async fn http_500_with_html_is_502_without_the_html() {
    let (reply, _) =
        fault(Answer::status(500, &["content-type: text/html"], "<html><h1>inner-host-7 died</h1></html>"))
            .await;
    let reply = reply.expect(502);
    assert!(!reply.text().contains("inner-host-7"), "{}", reply.text());
}

#[tokio::test]
async fn http_503_and_529_are_503_overloaded_with_retry_after() {
    for status in [503, 529] {
        let (reply, _) = fault(Answer::status(status, &["retry-after: 3"], "{}")).await;
        let reply = reply.expect(503);
        assert_eq!(reply.code(), "overloaded");
        assert!(reply.get("retry-after").parse::<u64>().unwrap() >= 1);
    }
}

#[tokio::test]
async fn http_400_passes_with_the_providers_message_after_one_attempt() {
    let body = r#"{"error":{"message":"max_tokens is too large","type":"invalid_request_error","param":"max_tokens","code":"context_length_exceeded"}}"#;
    for status in [400, 404, 409, 413, 415, 422] {
        let (reply, upstream) = fault(Answer::error(status, body)).await;
        let reply = reply.expect(status);
        assert!(reply.message().contains("max_tokens is too large"), "{}", reply.text());
        assert_eq!(reply.code(), "context_length_exceeded", "agents match on it");
        assert_eq!(upstream.calls(), 1);
    }
}

#[tokio::test]
async fn http_400_brings_the_upstreams_request_id() {
    let headers = ["x-request-id: req_upstream", "content-type: application/json"];
    let (reply, _) = fault(Answer::status(400, &headers, r#"{"error":{"message":"no"}}"#)).await;
    assert_eq!(reply.expect(400).get("x-upstream-request-id"), "req_upstream");
}

#[tokio::test]
async fn http_400_with_a_long_message_brings_all_of_it() {
    let text = "the tenth word is long. ".repeat(70)[..1_500].to_owned();
    let (reply, _) = fault(Answer::error(400, &format!(r#"{{"error":{{"message":"{text}"}}}}"#))).await;
    assert_eq!(reply.expect(400).message(), text);
}

#[tokio::test]
async fn every_shape_of_upstream_error_keeps_its_message() {
    for body in [
        r#"{"error":{"message":"the reason"}}"#,
        r#"{"error":"the reason"}"#,
        r#"{"object":"error","message":"the reason","type":"BadRequestError","code":400}"#,
        r#"{"detail":"the reason"}"#,
        r#"{"detail":[{"loc":["body","n"],"msg":"the reason","type":"value_error"}]}"#,
        r#"{"title":"Bad Request","status":400,"detail":"the reason"}"#,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"the reason"}}"#,
    ] {
        let (reply, _) = fault(Answer::error(400, body)).await;
        assert!(reply.message().contains("the reason"), "{body} became {}", reply.text());
    }
}

#[tokio::test]
async fn http_401_and_403_of_the_provider_are_502_and_not_the_clients_fault() {
    for status in [401, 402, 403] {
        let body = r#"{"error":{"message":"Incorrect API key provided: sk-provider-secret. See http://127.0.0.1:1/keys","code":"invalid_api_key"}}"#;
        let (reply, upstream) = fault(Answer::error(status, body)).await;
        let reply = reply.expect(502);
        assert_eq!(reply.code(), "upstream_error");
        assert_eq!(reply.get("x-should-retry"), "false");
        assert!(!reply.head.has("www-authenticate"));
        assert_eq!(upstream.calls(), 1);
    }
}

#[tokio::test]
async fn malformed_json_is_502() {
    for body in ["{\"choices\": [", "not json", "<html>hi</html>", "[]", "\"text\"", "{\"choices\":1}"] {
        bad_answer(Answer::json(body)).await;
    }
}

#[tokio::test]
async fn empty_200_is_502() {
    bad_answer(Answer::json("")).await;
    bad_answer(Answer::status(200, &[], "")).await;
    bad_answer(Answer::status(204, &[], "")).await;
}

#[tokio::test]
async fn content_length_too_long_is_502() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n";
    let (reply, _) = fault(Answer::new().send(head).send(CHAT_REPLY).close()).await;
    let _ = reply.expect(502);
}

#[tokio::test]
async fn content_length_too_short_reaches_no_other_request() {
    let evil = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{CHAT_REPLY}\
         HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{{\"choices\":[66]}}",
        CHAT_REPLY.len()
    );
    let upstream = Upstream::script([Answer::new().send(evil)]).await;
    let gateway = short(&upstream).start().await;
    for _ in 0..5 {
        let reply = gateway.post(CHAT, chat()).await;
        assert!(!reply.text().contains("66"), "{}", reply.text());
        if reply.status() == 200 {
            assert_eq!(reply.text(), CHAT_REPLY);
        }
    }
}

#[tokio::test]
async fn two_lengths_are_502() {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: {}\r\ncontent-type: application/json\r\n\r\n",
        CHAT_REPLY.len()
    );
    let (reply, _) = fault(Answer::new().send(head).send(CHAT_REPLY).close()).await;
    let _ = reply.expect(502);
}

#[tokio::test]
async fn length_and_chunked_reaches_no_other_request() {
    let chunk = format!("{:x}\r\n{CHAT_REPLY}\r\n0\r\n\r\n", CHAT_REPLY.len());
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n";
    let upstream =
        Upstream::script([Answer::new().send(format!("{head}{chunk}")), Answer::json(CHAT_REPLY)]).await;
    let gateway = short(&upstream).start().await;
    for n in 0..3 {
        let reply = gateway.post(CHAT, chat()).await;
        assert!(matches!(reply.status(), 200 | 502), "{n}: {}", reply.text());
        if reply.status() == 200 {
            assert_eq!(reply.text(), CHAT_REPLY);
        }
    }
}

#[tokio::test]
async fn headers_of_a_mebibyte_are_502() {
    let head = format!("HTTP/1.1 200 OK\r\nx-long: {}\r\n\r\n", "x".repeat(1 << 20));
    let (reply, _) = fault(Answer::new().send(head).close()).await;
    let _ = reply.expect(502);
}

#[tokio::test]
async fn five_thousand_headers_are_502() {
    let mut head = String::from("HTTP/1.1 200 OK\r\n");
    for n in 0..5_000 {
        head.push_str(&format!("x-{n}: 1\r\n"));
    }
    let (reply, _) = fault(Answer::new().send(head + "content-length: 2\r\n\r\n{}").close()).await;
    let _ = reply.expect(502);
}

#[tokio::test]
async fn something_that_is_not_http_is_502() {
    for garbage in
        ["SSH-2.0-OpenSSH_9.2\r\n", "\0\x01\x02\x03\r\n\r\n", "HTTP/9.9 abc\r\n\r\n", "{\"choices\":[]}"]
    {
        let (reply, _) = fault(Answer::new().send(garbage).close()).await;
        let _ = reply.expect(502);
    }
}

#[tokio::test]
async fn too_large_json_is_502_and_the_upstream_is_left() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 104857600\r\n\r\n";
    let answer = Answer::new().send(head).repeat("x".repeat(65_536), 1_600).hang();
    let upstream = Upstream::script([answer]).await;
    let gateway = Config::to(&upstream).start().await;
    let reply = gateway.post(CHAT, chat()).await.expect(502);
    assert_eq!(reply.code(), "bad_upstream_response");
    upstream.left(1).await;
    assert!(upstream.sent() < 64 << 20, "{} bytes were read", upstream.sent());
}

#[tokio::test]
async fn compressed_answer_that_nobody_asked_for_is_502() {
    let headers = ["content-type: application/json", "content-encoding: gzip"];
    bad_answer(Answer::status(200, &headers, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])).await;
}

#[tokio::test]
async fn redirect_is_502_and_not_followed() {
    let other = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: {}/chat/completions", other.base_url());
        let (reply, _) = fault(Answer::status(status, &[&location], "")).await;
        let reply = reply.expect(502);
        assert!(!reply.head.has("location"));
    }
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn connection_close_is_200_always() {
    let closing =
        Answer::status(200, &["content-type: application/json", "connection: close"], CHAT_REPLY).close();
    let upstream = Upstream::script([closing]).await;
    let gateway = short(&upstream).start().await;
    for _ in 0..20 {
        let _ = gateway.post(CHAT, chat()).await.expect(200);
    }
}

#[tokio::test]
async fn stale_keep_alive_shows_none_of_forty_failures() {
    // The upstream answers as if the connection stayed, and closes it, by FIN or RST, at once or a little later.
    let upstream = Upstream::with(|n, _| {
        let answer = Answer::json(CHAT_REPLY);
        match n % 4 {
            0 => answer.close(),
            1 => answer.wait(10).reset(),
            2 => answer.wait(3).close(),
            _ => answer,
        }
    })
    .await;
    let gateway = short(&upstream).start().await;
    for n in 0..40_u64 {
        let reply = gateway.post(CHAT, chat()).await;
        assert_eq!(reply.status(), 200, "request {n}: {}", reply.text());
        tokio::time::sleep(Duration::from_millis(n % 7)).await;
    }
}

#[tokio::test]
async fn reused_connection_that_dies_without_a_byte_is_tried_once_more() {
    let upstream =
        Upstream::script([Answer::json(CHAT_REPLY), Answer::new().reset(), Answer::json(CHAT_REPLY)]).await;
    let gateway = short(&upstream).start().await;
    for _ in 0..2 {
        let _ = gateway.post(CHAT, chat()).await.expect(200);
    }
    assert_eq!((upstream.calls(), upstream.connections()), (3, 2));
}

#[tokio::test]
async fn hundred_continue_before_the_answer_is_read_over() {
    let (reply, _) =
        fault(Answer::new().send("HTTP/1.1 100 Continue\r\n\r\n").then(Answer::json(CHAT_REPLY))).await;
    assert_eq!(reply.expect(200).text(), CHAT_REPLY);
}

#[tokio::test]
async fn gateway_serves_on_after_every_fault() {
    let upstream = Upstream::script([
        Answer::new().reset(),
        Answer::json("{"),
        Answer::new().send("garbage\r\n\r\n").close(),
        Answer::json(CHAT_REPLY),
    ])
    .await;
    let gateway: Gateway = short(&upstream).start().await;
    for _ in 0..6 {
        let _ = gateway.post(CHAT, chat()).await;
    }
    assert_eq!(gateway.post(CHAT, chat()).await.expect(200).text(), CHAT_REPLY);
}
