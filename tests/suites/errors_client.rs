//! The fault catalogue, client side: one test for each row. Nothing malformed is forwarded.

use crate::support::{CHAT, CHAT_REPLY, STRICT, chat, completion};
use sluice_tests::{
    client::{Answer as Reply, Client, Request},
    gateway::{Config, Gateway, KEY},
    upstream::{Answer, Upstream},
};
use std::time::{Duration, Instant};

async fn gateway() -> (Gateway, Upstream) {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let config =
        Config::to(&upstream).listener("header_timeout: 400ms, body_timeout: 400ms, max_body: 64KiB");
    (config.start().await, upstream)
}

/// Sends exact bytes on a new connection; `None` when the answer is a close.
async fn raw(gateway: &Gateway, bytes: impl AsRef<[u8]>) -> Option<(u16, Client)> {
    let mut client = Client::connect(gateway.api).await;
    client.send(bytes.as_ref()).await;
    let head = client.try_head().await?;
    Some((head.status, client))
}

/// What the HTTP parser refuses gets one of these and a close, or only the close.
async fn refused_by_the_parser(gateway: &Gateway, bytes: impl AsRef<[u8]>) {
    let bytes = bytes.as_ref();
    if let Some((status, mut client)) = raw(gateway, bytes).await {
        assert!(
            matches!(status, 400 | 413 | 414 | 431 | 501 | 505),
            "{status} for {}",
            String::from_utf8_lossy(bytes)
        );
        client.closed().await;
    }
}

async fn bad_body(body: impl Into<bytes::Bytes>) -> Reply {
    let (gateway, upstream) = gateway().await;
    let begun = Instant::now();
    let reply = gateway.post(STRICT, body).await.expect(400);
    assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
    assert!(reply.text().contains("\"message\":\""), "{}", reply.text());
    assert_eq!(upstream.calls(), 0);
    reply
}

#[tokio::test]
async fn slowloris_is_closed_and_others_are_served() {
    let (gateway, _upstream) = gateway().await;
    let mut slow = Client::connect(gateway.api).await;
    slow.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-a: ").await;
    let begun = Instant::now();
    let _ = gateway.post(CHAT, chat()).await.expect(200);
    slow.closed().await;
    assert!(begun.elapsed() < Duration::from_millis(400 + 2_000), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn slow_body_is_408_and_a_close() {
    let (gateway, upstream) = gateway().await;
    let mut client = Client::connect(gateway.api).await;
    let request = Request::post(CHAT, chat()).bearer(KEY);
    client.send(&request.head()).await;
    client.send(b"{\"model\"").await;
    let reply = client.answer().await.expect(408);
    assert!(!reply.message().is_empty());
    client.closed().await;
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn half_close_gets_the_full_answer_or_a_close() {
    let (gateway, _upstream) = gateway().await;
    let mut client = Client::connect(gateway.api).await;
    client.send(&Request::post(CHAT, chat()).bearer(KEY).wire()).await;
    client.half_close().await;
    if let Some(head) = client.try_head().await {
        assert_eq!(head.status, 200);
        assert_eq!(client.body().await, CHAT_REPLY);
    }
    client.closed().await;
}

#[tokio::test]
async fn too_large_head_is_431_and_a_close_though_bodies_are_read_in_larger_pieces() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).start().await;
    let text = "long ".repeat(20_000);
    let long = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#);
    let head =
        |bytes: usize| Request::get("/v1/models").bearer(KEY).header("x-long", &"x".repeat(bytes)).wire();
    for warmed in [false, true] {
        let mut client = Client::connect(gateway.api).await;
        if warmed {
            // Its buffer has grown far beyond a head.
            for _ in 0..4 {
                client.send(&Request::post(CHAT, long.clone()).bearer(KEY).wire()).await;
                let _ = client.answer().await.expect(200);
            }
        }
        client.send(&head(60 << 10)).await;
        let _ = client.answer().await.expect(200);
        client.send(&head(65 << 10)).await;
        assert_eq!(client.head().await.status, 431, "after a large body: {warmed}");
        client.closed().await;
    }
    assert_eq!(upstream.calls(), 4);
}

#[tokio::test]
async fn too_large_body_is_413_from_the_header_alone() {
    let (gateway, upstream) = gateway().await;
    let mut client = Client::connect(gateway.api).await;
    let request = Request::post(CHAT, "").bearer(KEY).set("content-length", "104857600");
    client.send(&request.head()).await;
    let reply = client.answer().await.expect(413);
    assert!(
        reply.message().contains("65536") || reply.message().contains("64 KiB"),
        "names the limit: {}",
        reply.message()
    );
    client.closed().await;
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn endless_chunks_are_413() {
    let (gateway, upstream) = gateway().await;
    let mut client = Client::connect(gateway.api).await;
    let request =
        Request::post(CHAT, "").bearer(KEY).without("content-length").header("transfer-encoding", "chunked");
    client.send(&request.head()).await;
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    for _ in 0..64 {
        if !client.try_send(chunk.as_bytes()).await {
            break;
        }
    }
    let status = client.try_head().await.map(|head| head.status);
    assert!(matches!(status, Some(413) | None), "{status:?}");
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn no_key_with_a_body_is_401_from_the_head_alone() {
    let (gateway, upstream) = gateway().await;
    for expect in [false, true] {
        let mut client = Client::connect(gateway.api).await;
        let mut request = Request::post(CHAT, "").set("content-length", "1000");
        if expect {
            request = request.header("expect", "100-continue");
        }
        client.send(&request.head()).await;
        assert_eq!(client.head().await.status, 401, "and no 100 before it");
    }
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn expect_100_continue_of_a_known_key_is_answered() {
    let (gateway, _upstream) = gateway().await;
    let mut client = Client::connect(gateway.api).await;
    let request = Request::post(CHAT, chat()).bearer(KEY).header("expect", "100-continue");
    client.send(&request.head()).await;
    assert_eq!(client.head().await.status, 100);
    client.send(chat().as_bytes()).await;
    let _ = client.answer().await.expect(200);
}

#[tokio::test]
async fn depth_bomb_is_400_at_once() {
    for depth in [129, 1_000, 30_000] {
        let _ = bad_body(format!(r#"{{"model":"m","prompt":"x","y":{}}}"#, "[".repeat(depth))).await;
        let closed =
            format!(r#"{{"model":"m","prompt":"x","y":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let _ = bad_body(closed).await;
        let objects = format!(r#"{{"model":"m","prompt":"x","y":{}"#, r#"{"a":"#.repeat(depth / 5));
        let _ = bad_body(objects).await;
    }
}

#[tokio::test]
async fn bad_utf8_is_400() {
    for bytes in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"] {
        let body = [&br#"{"model":"m","prompt":"x"#[..], bytes, br#""}"#].concat();
        let _ = bad_body(body).await;
    }
}

#[tokio::test]
async fn malformed_json_is_400_and_says_where() {
    for body in [
        "",
        " ",
        "{",
        "}",
        "null",
        "[]",
        "\"x\"",
        "1",
        "{\"model\":\"m\",\"prompt\":\"x\"",
        "{\"model\":\"m\",\"prompt\":\"x\"}x",
        "{\"model\":\"m\",\"prompt\":\"x\",}",
        "{'model':'m'}",
        "{\"model\":\"m\",\"prompt\":\"x\",\"y\":NaN}",
        "{\"model\":\"m\",\"prompt\":\"x\",\"y\":Infinity}",
        "{\"model\":\"m\",\"prompt\":\"x\",\"y\":01}",
        "{\"model\":\"m\",\"prompt\":\"x\",\"y\":+1}",
        "{\"model\":\"m\",\"prompt\":\"x\",\"y\":.5}",
        "{\"model\":\"m\",\"prompt\":\"x\",\"y\":1.}",
        "{\"model\":\"m\",\"prompt\":\"x\",\"y\":tru}",
        "{\"model\":\"m\",\"prompt\":\"a\nb\"}",
        "{\"model\":\"m\",\"prompt\":\"\\x\"}",
        "{\"model\":\"m\",\"prompt\":\"\\u12\"}",
        "{\"model\":\"m\" \"prompt\":\"x\"}",
        "{\"model\":\"m\",\"prompt\":\"x\",\"y\":[1,]}",
        "/* */{}",
        "\u{feff}{\"model\":\"m\",\"prompt\":\"x\"}",
    ] {
        let _ = bad_body(body.to_owned()).await;
    }
}

#[tokio::test]
async fn wrong_types_are_400() {
    for more in [
        r#","temperature":"1""#,
        r#","temperature":1e999"#,
        r#","stream":1"#,
        r#","stop":"x""#,
        r#","seed":1.5"#,
        r#","seed":9223372036854775808"#,
        r#","top_p":0"#,
        r#","min_p":-0.1"#,
        r#","cache_control":[]"#,
        r#","$schema":1"#,
    ] {
        let reply = bad_body(completion(more)).await;
        assert!(reply.text().contains("\"location\":\"body"), "{more}: {}", reply.text());
    }
}

#[tokio::test]
async fn duplicate_names_are_400_even_when_escaped() {
    let doubled_options =
        r#"{"model":"m","prompt":"x","stream_options":{"include_usage":true,"include_\u0075sage":false}}"#;
    for body in [
        r#"{"model":"m","prompt":"x","model":"n"}"#,
        r#"{"model":"m","prompt":"x","\u006dodel":"n"}"#,
        doubled_options,
        r#"{"model":"m","prompt":"x","y":1,"y":1}"#,
    ] {
        let reply = bad_body(body).await;
        assert!(
            reply.message().contains("twice") || reply.message().to_lowercase().contains("duplicate"),
            "{}",
            reply.message()
        );
    }
}

#[tokio::test]
async fn prompt_is_never_echoed_in_an_error() {
    let reply = bad_body(r#"{"model":"m","prompt":["my secret prompt"],"temperature":9}"#).await;
    assert!(!reply.text().contains("my secret prompt"), "{}", reply.text());
    let long = "v".repeat(5_000);
    let reply = bad_body(format!(r#"{{"model":"m","prompt":"x","temperature":"{long}"}}"#)).await;
    assert!(reply.body.len() < 2_500, "{} bytes", reply.body.len());
}

#[tokio::test]
async fn gzip_body_is_415() {
    let (gateway, upstream) = gateway().await;
    for encoding in ["gzip", "br", "deflate", "zstd"] {
        let request = Request::post(CHAT, chat()).bearer(KEY).header("content-encoding", encoding);
        let reply = request.send(gateway.api).await.expect(415);
        assert!(reply.message().to_lowercase().contains("encoding"), "{}", reply.message());
    }
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn other_content_types_are_415_and_json_with_parameters_or_none_is_taken() {
    let (gateway, upstream) = gateway().await;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "json",
    ] {
        let reply = Request::post(CHAT, chat())
            .bearer(KEY)
            .set("content-type", kind)
            .send(gateway.api)
            .await
            .expect(415);
        assert!(reply.message().to_lowercase().contains("content-type"), "{}", reply.message());
    }
    assert_eq!(upstream.calls(), 0);
    for kind in ["application/json; charset=utf-8", "Application/JSON", "application/json;odd=\"x\""] {
        let _ = Request::post(CHAT, chat())
            .bearer(KEY)
            .set("content-type", kind)
            .send(gateway.api)
            .await
            .expect(200);
    }
    let _ =
        Request::post(CHAT, chat()).bearer(KEY).without("content-type").send(gateway.api).await.expect(200);
    assert_eq!(upstream.calls(), 4);
}

#[tokio::test]
async fn content_length_and_chunked_never_serves_the_hidden_request() {
    let (gateway, upstream) = gateway().await;
    let body = chat();
    let hidden = Request::post(CHAT, chat().replace("hi", "hidden")).bearer(KEY).wire();
    let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let request =
        Request::post(CHAT, "").bearer(KEY).set("content-length", "4").header("transfer-encoding", "chunked");
    let wire = [request.head().as_ref(), chunks.as_bytes(), &hidden].concat();
    if let Some((status, mut client)) = raw(&gateway, wire).await {
        assert!(matches!(status, 200 | 400), "{status}");
        client.closed().await;
    }
    assert!(upstream.requests().iter().all(|request| !request.text().contains("hidden")));
}

#[tokio::test]
async fn odd_lengths_encodings_and_heads_are_refused_and_closed() {
    let (gateway, upstream) = gateway().await;
    let auth = format!("host: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n");
    let long = "x".repeat(1 << 20);
    for head in [
        format!("POST {CHAT} HTTP/1.1\r\n{auth}content-length: -1\r\n\r\n"),
        format!("POST {CHAT} HTTP/1.1\r\n{auth}content-length: 5, 6\r\n\r\nhello"),
        format!("POST {CHAT} HTTP/1.1\r\n{auth}content-length: 5\r\ncontent-length: 6\r\n\r\nhello"),
        format!("POST {CHAT} HTTP/1.1\r\n{auth}content-length: 0x10\r\n\r\n"),
        format!("POST {CHAT} HTTP/1.1\r\n{auth}content-length: 99999999999999999999\r\n\r\n"),
        format!("POST {CHAT} HTTP/1.1\r\n{auth}transfer-encoding: gzip, chunked, x\r\n\r\n"),
        format!("POST {CHAT} HTTP/1.1\r\n{auth}transfer-encoding: chunked\r\n\r\nzz\r\n"),
        format!("POST {CHAT} HTTP/1.1\r\n{auth}x y: 1\r\n\r\n"),
        format!("POST {CHAT} HTTP/1.1\r\n{auth}: 1\r\n\r\n"),
        format!("POST {CHAT} HTTP/1.1\r\n{auth}x: {long}\r\n\r\n"),
        format!("POST /{long} HTTP/1.1\r\n{auth}\r\n"),
        format!("POST {CHAT} HTTP/3.0\r\n{auth}\r\n"),
        format!("POST  {CHAT} HTTP/1.1\r\n{auth}\r\n"),
        "\0\0\0\0\r\n\r\n".to_owned(),
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n".to_owned(),
    ] {
        refused_by_the_parser(&gateway, head).await;
    }
    assert_eq!(upstream.calls(), 0);
    let _ = gateway.post(CHAT, chat()).await.expect(200);
}

#[tokio::test]
async fn five_thousand_headers_are_refused() {
    let (gateway, _upstream) = gateway().await;
    let many: String = (0..5_000).map(|n| format!("x-{n}: 1\r\n")).collect();
    refused_by_the_parser(&gateway, format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\n{many}\r\n")).await;
}

#[tokio::test]
async fn host_is_there_exactly_once() {
    let (gateway, upstream) = gateway().await;
    let request = Request::post(CHAT, chat()).bearer(KEY);
    let _ = request.clone().without("host").send(gateway.api).await.expect(400);
    let _ = request.clone().header("host", "other").send(gateway.api).await.expect(400);
    assert_eq!(upstream.calls(), 0);
    let _ = request.set("host", "gateway.example:8080").send(gateway.api).await.expect(200);
}

#[tokio::test]
async fn path_tricks_find_nothing() {
    let (gateway, upstream) = gateway().await;
    for path in [
        "/v1//chat/completions",
        "//v1/chat/completions",
        "/v1/./chat/completions",
        "/v1/x/../chat/completions",
        "/v1/chat/completions/",
        "/v1/chat%2Fcompletions",
        "/V1/chat/completions",
        "/v1/chat/completions;x",
        "/v1/chat/completions%00",
        "/%76%31/chat/completions",
        "/v1\\chat\\completions",
        "/openai/v1/../../livez",
        "*",
    ] {
        let (status, _) =
            raw(&gateway, Request::post(path, chat()).bearer(KEY).wire()).await.expect("an answer");
        assert!(matches!(status, 400 | 404 | 405), "{path}: {status}");
    }
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn query_strings_are_ignored_and_hold_no_key() {
    let (gateway, upstream) = gateway().await;
    let _ = gateway.post(&format!("{CHAT}?api-version=1"), chat()).await.expect(200);
    let _ =
        Request::post(&format!("{CHAT}?api_key={KEY}&key={KEY}"), chat()).send(gateway.api).await.expect(401);
    assert_eq!(upstream.request().head.lines().next(), Some("POST /v1/chat/completions HTTP/1.1"));
}

#[tokio::test]
async fn connect_and_absolute_forms_are_no_proxy() {
    let (gateway, upstream) = gateway().await;
    for line in [
        "CONNECT example.com:443 HTTP/1.1",
        "GET http://example.com/ HTTP/1.1",
        "CONNECT http://example.com/v1/models HTTP/1.1",
    ] {
        let wire = format!("{line}\r\nhost: example.com\r\nauthorization: Bearer {KEY}\r\n\r\n");
        let (status, _) = raw(&gateway, wire).await.expect("an answer");
        assert!(matches!(status, 400 | 404 | 405 | 501), "{line}: {status}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn injected_headers_reach_neither_side() {
    let (gateway, upstream) = gateway().await;
    for value in ["a\r\nx-evil: 1", "a\nx-evil: 1", "a\rx-evil: 1", "a\0b"] {
        let request = Request::post(CHAT, chat()).bearer(KEY).header("x-request-id", value);
        if let Some((status, _)) = raw(&gateway, request.wire()).await {
            assert!(matches!(status, 200 | 400), "{status}");
        }
    }
    for request in upstream.requests() {
        assert!(!request.head.to_lowercase().contains("x-evil"), "{}", request.head);
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let (gateway, _upstream) = gateway().await;
    let mut client = Client::connect(gateway.api).await;
    let one = Request::post(CHAT, chat()).bearer(KEY).header("x-request-id", "one").wire();
    let two = Request::get("/v1/models").bearer(KEY).header("x-request-id", "two").wire();
    let three = Request::post(STRICT, "{}").bearer(KEY).header("x-request-id", "three").wire();
    client.send(&[one, two, three].concat()).await;
    for (id, status) in [("one", 200), ("two", 200), ("three", 400)] {
        let answer = client.answer().await.expect(status);
        assert_eq!(answer.get("x-request-id"), id);
    }
}

#[tokio::test]
async fn thousand_connections_that_leave_at_once_hurt_nobody() {
    let (gateway, _upstream) = gateway().await;
    for n in 0..1_000 {
        let client = Client::connect(gateway.api).await;
        if n % 2 == 0 {
            client.reset();
        }
    }
    let begun = Instant::now();
    let _ = gateway.post(CHAT, chat()).await.expect(200);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn http_1_0_is_served_and_closed() {
    let (gateway, _upstream) = gateway().await;
    let body = chat();
    let wire = format!(
        "POST {CHAT} HTTP/1.0\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, mut client) = raw(&gateway, wire).await.expect("an answer");
    assert_eq!(status, 200);
    assert_eq!(client.body().await, CHAT_REPLY);
    client.closed().await;
}

#[tokio::test]
async fn beyond_max_in_flight_is_503_with_retry_after() {
    let upstream = Upstream::script([Answer::new().hang(), Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).listener("max_in_flight: 1").start().await;
    let mut first = Client::connect(gateway.api).await;
    first.send(&Request::post(CHAT, chat()).bearer(KEY).wire()).await;
    upstream.called(1).await;
    let reply = gateway.post(CHAT, chat()).await.expect(503);
    assert_eq!(reply.code(), "overloaded");
    assert!(reply.get("retry-after").parse::<u64>().unwrap() >= 1);
    drop(first);
    upstream.left(1).await;
    sluice_tests::eventually("the place is free", || gateway.log.text().contains("cancelled")).await;
    let _ = gateway.post(CHAT, chat()).await.expect(200);
}

#[tokio::test]
async fn beyond_max_connections_a_client_waits_for_its_turn() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).listener("max_connections: 2").start().await;
    let (one, two) = (Client::connect(gateway.api).await, Client::connect(gateway.api).await);
    let mut third = Client::connect(gateway.api).await;
    third.send(&Request::post(CHAT, chat()).bearer(KEY).wire()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(upstream.calls(), 0, "it is not its turn yet");
    drop((one, two));
    let _ = third.answer().await.expect(200);
}
