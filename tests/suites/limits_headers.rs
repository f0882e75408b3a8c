//! What every answer tells of limits, in headers and in words.

use crate::support::{
    CHAT, CHAT_REPLY, all, begin, by_limited, chat, chat_events, chat_of, chat_to, chat_with, having_used,
    limited, limited_at,
};
use sluice_tests::{
    client::{Head, Request},
    gateway::{Config, KEY},
    sse::Stream,
    upstream::{Answer, Gate, Upstream},
};
use std::time::Duration;

/// Everything that is told of limits, in order.
fn told(head: &Head) -> Vec<(&str, &str)> {
    let headers = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut told: Vec<_> = headers.filter(|(name, _)| name.contains("ratelimit")).collect();
    told.sort_unstable();
    told
}

/// Buckets that fill up far too slowly for a test to see.
fn slow(requests: u32, tokens: u32) -> String {
    format!("limits: {{requests: {{rate: 1/h, burst: {requests}}}, tokens: {{rate: 1/h, burst: {tokens}}}}}")
}

#[tokio::test]
async fn answers_tell_the_tightest_of_all_limits_in_both_spellings() {
    let stream = Answer::sse(chat_events(&["hi"]));
    let upstream = Upstream::script([Answer::json(having_used(100, 0)), stream]).await;
    let gateway = limited(&upstream, &format!("tenant: team, {}", slow(50, 3000)))
        .tenant("team", &slow(70, 1000))
        .provider("limits: {requests: {rate: 2/h, burst: 90}}")
        .start()
        .await;
    let answer = by_limited(chat_of(100)).send(gateway.api).await.expect(200);
    let stream =
        Stream::open(gateway.api, &by_limited(chat_with(",\"max_tokens\":92,\"stream\":true"))).await;
    for (head, used) in [(&answer.head, 1), (&stream.head, 2)] {
        let (requests, tokens) = (50 - used, 1000 - 100 * used);
        // Of tokens an hour each, and so many hours.
        let hours = 100 * used;
        let expected = [
            (
                "ratelimit",
                format!(
                    "\"requests\";r={requests};t={}, \"tokens\";r={tokens};t={}",
                    used * 3600,
                    hours * 3600
                ),
            ),
            ("ratelimit-policy", "\"requests\";q=50;w=180000, \"tokens\";q=1000;w=3600000".into()),
            ("x-ratelimit-limit-requests", "50".into()),
            ("x-ratelimit-limit-tokens", "1000".into()),
            ("x-ratelimit-remaining-requests", requests.to_string()),
            ("x-ratelimit-remaining-tokens", tokens.to_string()),
            ("x-ratelimit-reset-requests", format!("{used}h0m0s")),
        ];
        let mut told = told(head);
        let (name, reset) = told.pop().unwrap();
        assert_eq!(name, "x-ratelimit-reset-tokens");
        assert!(
            reset == format!("{hours}h0m0s") || reset.starts_with(&format!("{}h59m", hours - 1)),
            "{reset}"
        );
        assert_eq!(told, expected.each_ref().map(|(name, value)| (*name, value.as_str())));
        assert!(!head.has("retry-after"));
    }
}

#[tokio::test]
async fn a_stream_whose_head_goes_out_early_tells_the_same() {
    let gate = Gate::new();
    let upstream =
        Upstream::script([Answer::new().gate(&gate).then(Answer::sse(chat_events(&["hi"])))]).await;
    let gateway =
        limited(&upstream, &slow(50, 1000)).section("resilience: {commit_after: 100ms}").start().await;
    let request = by_limited(chat_with(",\"max_tokens\":92,\"stream\":true"));
    let mut stream = Stream::open(gateway.api, &request).await;
    gate.open();
    assert_eq!(stream.head.get("x-ratelimit-remaining-requests"), "49");
    assert_eq!(stream.head.get("x-ratelimit-remaining-tokens"), "900");
    assert!(stream.rest().await.done());
}

#[tokio::test]
async fn a_refusal_tells_of_the_limit_that_refused_and_when_to_come_back() {
    let upstream = Upstream::script([Answer::json(having_used(100, 0))]).await;
    let gateway = limited(&upstream, &slow(2, 1000)).start().await;
    let refused = by_limited(chat_of(1000)).send(gateway.api).await.expect(200);
    assert_eq!(refused.get("x-ratelimit-remaining-tokens"), "0");
    let refused = by_limited(chat_of(1000)).send(gateway.api).await.expect(429);
    assert_eq!(
        (refused.get("x-ratelimit-limit-tokens"), refused.get("x-ratelimit-remaining-tokens")),
        ("1000", "900")
    );
    assert_eq!(refused.get("ratelimit-policy"), "\"tokens\";q=1000;w=3600000");
    // A hundred are missing, one an hour.
    let millis: u64 = refused.get("retry-after-ms").parse().unwrap();
    assert!((359_900_000..=360_000_000).contains(&millis), "{millis}");
    assert_eq!(refused.get("retry-after"), millis.div_ceil(1000).to_string());
    assert!(!refused.head.has("x-should-retry"), "a client may wait for it");

    let _ = by_limited(chat_of(100)).send(gateway.api).await.expect(200);
    let refused = by_limited(chat_of(100)).send(gateway.api).await.expect(429);
    assert_eq!(
        (refused.get("x-ratelimit-limit-requests"), refused.get("x-ratelimit-remaining-requests")),
        ("2", "0")
    );
    assert!(refused.get("ratelimit").starts_with("\"requests\";r=0;t=7"), "{}", refused.get("ratelimit"));
    let seconds: u64 = refused.get("retry-after").parse().unwrap();
    assert!((3_500..=3_600).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_refusal_names_the_limit_the_caller_and_the_time_to_wait() {
    let upstream = Upstream::script([Answer::json(having_used(90, 0))]).await;
    for (limits, expected) in [
        ("requests: {rate: 3/min}", "used 3/3 requests/min. Retry in"),
        ("requests: {rate: 2/h, burst: 3}", "used 3/3 requests (refilled at 2/h). Retry in"),
        ("tokens: {rate: 300/h, burst: 300}", "used 270/300 tokens/h; this request may take 100. Retry in"),
        (
            "tokens: {rate: 1/d, burst: 300}",
            "used 270/300 tokens (refilled at 1/d); this request may take 100. Retry in",
        ),
    ] {
        let members = format!("models: [\"*\"], limits: {{{limits}}}");
        let gateway = Config::to(&upstream).key("nightly", "sk-sluice-nightly", &members).start().await;
        let ask = || Request::post(CHAT, chat_of(100)).bearer("sk-sluice-nightly").send(gateway.api);
        for _ in 0..3 {
            let _ = ask().await.expect(200);
        }
        let refused = ask().await.expect(429);
        let expected = format!("Key 'nightly' {expected} {} s.", refused.get("retry-after"));
        assert_eq!(refused.message(), expected);
    }
}

#[tokio::test]
async fn waiting_as_long_as_was_told_is_enough_in_every_scope() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let limits = "limits: {requests: {rate: 5/s, burst: 2}}";
    let config = |scope: &str| limited_at(scope, &upstream, limits);
    for scope in ["key", "tenant", "model", "provider"] {
        let gateway = config(scope).start().await;
        let ask = || by_limited(chat_to("smart")).send(gateway.api);
        let answers = all((0..8).map(|_| ask())).await;
        let refused = answers.iter().find(|answer| answer.status() == 429).expect("a refusal");
        let wait: u64 = refused.get("retry-after-ms").parse().unwrap();
        assert!((1..=200).contains(&wait), "{scope}: {wait}");
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let _ = ask().await.expect(200);
    }
}

#[tokio::test]
async fn what_an_upstream_tells_of_its_own_limits_reaches_nobody() {
    let lines = [
        "content-type: application/json",
        "x-ratelimit-limit-requests: 7",
        "x-ratelimit-remaining-requests: 6",
        "x-ratelimit-remaining-tokens: 5",
        "anthropic-ratelimit-requests-remaining: 4",
        "ratelimit: \"default\";r=3;t=2",
        "ratelimit-policy: \"default\";q=7;w=60",
    ];
    for (members, own) in [("", 0), ("limits: {requests: {rate: 1/h, burst: 9}}", 5)] {
        let answers = [Answer::status(200, &lines, CHAT_REPLY), Answer::status(429, &lines, "{}")];
        let upstream = Upstream::script(answers).await;
        let gateway = limited(&upstream, members).start().await;
        for status in [200, 429] {
            let answer = by_limited(chat()).send(gateway.api).await.expect(status);
            let told = told(&answer.head);
            assert_eq!(told.len(), own, "{told:?}");
            assert!(!told.contains(&("x-ratelimit-limit-requests", "7")), "{told:?}");
        }
    }
}

#[tokio::test]
async fn limits_without_a_rate_have_no_headers_and_still_say_when_to_try_again() {
    let gate = Gate::new();
    let upstream = Upstream::script([Answer::new().gate(&gate).then(Answer::json(CHAT_REPLY))]).await;
    let gateway = limited(&upstream, "limits: {concurrency: 1}").start().await;
    let held = begin([by_limited(chat()).send(gateway.api)]);
    upstream.called(1).await;
    let refused = by_limited(chat()).send(gateway.api).await.expect(429);
    assert_eq!(told(&refused.head), []);
    assert_eq!((refused.get("retry-after"), refused.get("retry-after-ms")), ("1", "1000"));
    gate.open();
    for held in held {
        assert_eq!(told(&held.await.unwrap().expect(200).head), []);
    }
    assert_eq!(told(&Request::post(CHAT, chat()).bearer(KEY).send(gateway.api).await.head), []);
}
