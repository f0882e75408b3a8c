//! Pages of other origins: what a browser asks beforehand, and what it lets a page read.

use crate::support::{CHAT, CHAT_REPLY, chat, chat_events, chat_stream_request, limited};
use sluice_tests::{
    client::{Answer as Got, Head, Request},
    gateway::{Config, Gateway, KEY},
    sse::Stream,
    upstream::{Answer, Upstream},
};

const PAGE: &str = "https://tools.example.com";
const OTHER: &str = "https://evil.example";
const LISTED: &str = "cors: {origins: [\"https://tools.example.com\", \"http://localhost:3000\"]}";

/// What the browser of a page asks before the page's own request.
fn preflight(path: &str, origin: &str) -> Request {
    Request::new("OPTIONS", path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type,x-stainless-lang,x-forwarded-for",
        )
}

fn call(origin: &str) -> Request {
    Request::post(CHAT, chat()).bearer(KEY).header("origin", origin)
}

/// May a page of this origin read it?
fn readable(head: &Head, origin: &str) -> bool {
    let allowed = head.get("access-control-allow-origin");
    assert!(!head.has("access-control-allow-credentials"), "{head:?}");
    if allowed.is_empty() {
        assert!(!head.headers.iter().any(|(name, _)| name.starts_with("access-control-")), "{head:?}");
        return false;
    }
    assert_eq!((allowed, head.get("vary")), (origin, "origin"), "{head:?}");
    assert_eq!(head.get("access-control-expose-headers"), "*");
    true
}

async fn behind(members: &str) -> (Gateway, Upstream) {
    let upstream = Upstream::with(|_, request| {
        if request.text().contains("\"stream\"") {
            Answer::sse(chat_events(&["a", "b"]))
        } else {
            Answer::json(CHAT_REPLY)
        }
    })
    .await;
    (Config::to(&upstream).listener(members).start().await, upstream)
}

#[tokio::test]
async fn a_listed_page_may_ask_and_read() {
    let (gateway, upstream) = behind(LISTED).await;
    for path in [CHAT, "/v1/messages", "/openai/v1/completions", "/anthropic/v1/messages/count_tokens"] {
        let told = preflight(path, PAGE).send(gateway.api).await.expect(204);
        assert_eq!(told.get("access-control-allow-origin"), PAGE);
        assert_eq!(told.get("access-control-allow-methods"), "POST");
        assert_eq!(
            told.get("access-control-allow-headers"),
            "authorization, content-type, x-stainless-lang",
            "what only a proxy may say is left out"
        );
        assert_eq!(told.get("access-control-max-age"), "600");
        assert!(!told.head.has("access-control-allow-credentials") && !told.head.has("content-length"));
        let vary: Vec<_> = told.head.headers.iter().filter(|(name, _)| name == "vary").collect();
        assert_eq!(vary.len(), 2, "{vary:?}");
    }
    let models = preflight("/v1/models", PAGE).send(gateway.api).await.expect(204);
    assert_eq!(models.get("access-control-allow-methods"), "GET");
    assert_eq!(upstream.calls(), 0);

    let answer = call(PAGE).send(gateway.api).await.expect(200);
    assert!(readable(&answer.head, PAGE));
    assert_eq!(answer.text(), CHAT_REPLY);
    let mut stream = Stream::open(gateway.api, &chat_stream_request().header("origin", PAGE)).await;
    assert!(readable(&stream.head, PAGE) && stream.rest().await.done());
    let models = Request::get("/v1/models").bearer(KEY).header("origin", "http://localhost:3000");
    assert!(readable(&models.send(gateway.api).await.expect(200).head, "http://localhost:3000"));
    assert!(upstream.requests().iter().all(|request| request.header("origin").is_none()));
    // Each of them in the metrics as what it is.
    let told = "sluice_requests_total{code=\"204\",endpoint=\"messages\",model=\"_other\",outcome=\"ok\"";
    let text = gateway.ask_admin("/metrics").await.text();
    assert!(text.lines().any(|line| line.starts_with(told)), "{text}");
}

#[tokio::test]
async fn errors_are_for_the_page_to_read_too() {
    let upstream = Upstream::script([Answer::error(400, "{\"error\":{\"message\":\"no\"}}")]).await;
    let config = limited(&upstream, "limits: {requests: {rate: 1/h}}").listener(LISTED);
    let gateway = config.start().await;
    let from = |request: Request| request.header("origin", PAGE).send(gateway.api);
    let by_limited = || Request::post(CHAT, chat()).bearer(crate::support::LIMITED);
    for (status, answer) in [
        (401, from(Request::post(CHAT, chat())).await),
        (404, from(Request::post("/v1/nothing", chat())).await),
        (405, from(Request::get(CHAT)).await),
        (400, from(Request::post(CHAT, "{").bearer(KEY)).await),
        (400, from(by_limited()).await),
        (429, from(by_limited()).await),
    ] {
        let answer: Got = answer.expect(status);
        assert!(readable(&answer.head, PAGE), "{status}");
        assert!(!answer.message().is_empty());
    }
}

#[tokio::test]
async fn other_pages_are_answered_like_anybody_and_may_not_read() {
    let (gateway, _upstream) = behind(LISTED).await;
    for origin in [OTHER, "null", "https://tools.example.com.evil.example", "http://tools.example.com"] {
        let told = preflight(CHAT, origin).send(gateway.api).await.expect(405);
        assert!(!readable(&told.head, origin));
        let answer = call(origin).send(gateway.api).await.expect(200);
        assert!(!readable(&answer.head, origin), "{origin}");
    }
    // Neither is who is no page, nor who asks for no permission, nor what is not there.
    assert!(!readable(&gateway.post(CHAT, chat()).await.expect(200).head, ""));
    let bare = Request::new("OPTIONS", CHAT).header("origin", PAGE);
    assert!(readable(&bare.send(gateway.api).await.expect(405).head, PAGE));
    assert!(readable(&preflight("/v1/nothing", PAGE).send(gateway.api).await.expect(404).head, PAGE));
}

#[tokio::test]
async fn nothing_of_this_happens_unless_it_is_configured() {
    let (gateway, upstream) = behind("max_in_flight: 100").await;
    assert!(!readable(&preflight(CHAT, PAGE).send(gateway.api).await.expect(405).head, PAGE));
    assert!(!readable(&call(PAGE).send(gateway.api).await.expect(200).head, PAGE));
    // A reload is enough.
    gateway.apply(&Config::to(&upstream).listener(LISTED));
    assert!(readable(&call(PAGE).send(gateway.api).await.expect(200).head, PAGE));
    gateway.apply(&Config::to(&upstream).listener("cors: {origins: [\"*\"]}"));
    assert!(readable(&call(OTHER).send(gateway.api).await.expect(200).head, "*"));
    let told = preflight(CHAT, OTHER).send(gateway.api).await.expect(204);
    assert_eq!(told.get("access-control-allow-origin"), "*");
    // Whoever it is, it needs a key.
    assert!(readable(&call(OTHER).without("authorization").send(gateway.api).await.expect(401).head, "*"));
}

#[tokio::test]
async fn without_keys_a_page_must_be_listed_to_spend_anything() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).open().listener(LISTED).start().await;
    let from = |origin: &str, host: &str| {
        let request = Request::post(CHAT, chat()).set("host", host).header("origin", origin);
        request.header("sec-fetch-site", "cross-site").send(gateway.api)
    };
    assert!(!readable(&from(OTHER, "127.0.0.1").await.expect(403).head, OTHER));
    assert!(readable(&from(PAGE, "127.0.0.1").await.expect(200).head, PAGE));
    // A name that leads here is no reason to believe its owner.
    let _ = from(PAGE, "tools.example.com").await.expect(403);
    assert_eq!(upstream.calls(), 1);
}
