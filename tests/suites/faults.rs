//! What all rows of the fault catalogue's upstream side have in common, checked for each of them alike: the answer
//! within its bound, the exact number of tries, another provider's model answered meanwhile, and one usage record
//! with all tries in it. What is special about a row is in `errors_upstream.rs` and `streaming_faults.rs`.

use crate::support::{
    CHAT, CHAT_REPLY, chat, chat_events, chat_stream, chat_stream_request, chat_to, delta, well,
};
use serde_json::{Value, json};
use sluice_tests::{
    client::Request,
    gateway::{Config, KEY},
    ledger::Bookkeeper,
    sse::Stream,
    upstream::{Answer, Upstream, nobody},
};
use std::time::{Duration, Instant};

/// The time that a first byte, and each next piece, may take here.
const PATIENCE: u64 = 600;
/// The catalogue's bound of whatever runs into that.
const LATE: u64 = PATIENCE + 2_000;
/// The catalogue's bound of failures that show at once.
const SOON: u64 = 4_000;

/// What a row promises.
struct Row {
    name: &'static str,
    status: u16,
    code: &'static str,
    /// How each try ends, in the ledger's words.
    outcome: &'static str,
    /// How often the target is asked.
    tries: usize,
    /// When the answer is there, in milliseconds.
    bound: u64,
}

/// A gateway before this provider and a second one that is well, with the model `other`.
async fn keeper(url: &str) -> (Bookkeeper, Upstream) {
    let well = well().await;
    let config = Config::to_url(url)
        .timeouts(&format!("connect: 300ms, first_byte: {PATIENCE}ms, idle: {PATIENCE}ms"))
        .also("well", &well.base_url())
        .model_entry("{name: other, targets: [{provider: well, model: other}]}");
    (Bookkeeper::start(&config).await, well)
}

/// Checks what the ledger holds of the request, and gives it.
async fn recorded(keeper: &Bookkeeper, row: &Row) -> Value {
    let records = keeper.records(2).await;
    let own: Vec<&Value> = records.iter().filter(|record| record["model"] == "m").collect();
    assert_eq!(own.len(), 1, "{}: one record", row.name);
    let tries = own[0]["attempts"].as_array().expect("attempts");
    let outcomes: Vec<&Value> = tries.iter().map(|one| &one["outcome"]).collect();
    assert_eq!(outcomes, vec![row.outcome; row.tries], "{}", row.name);
    own[0].clone()
}

/// A plain request to a provider at this URL.
async fn at(url: &str, row: &Row) {
    let (keeper, _well) = keeper(url).await;
    let begun = Instant::now();
    let timed = async { (keeper.post(CHAT, chat()).await, begun.elapsed()) };
    let ((reply, took), other) = tokio::join!(timed, keeper.post(CHAT, chat_to("other")));
    let name = row.name;
    assert_eq!(other.status(), 200, "{name}: another model is served");
    assert_eq!(reply.status(), row.status, "{name}: {}", reply.text());
    assert_eq!(reply.get("x-sluice-attempts"), row.tries.to_string(), "{name}");
    assert!(took < Duration::from_millis(row.bound), "{name}: {took:?}");
    let record = recorded(&keeper, row).await;
    assert_eq!(record["status"], row.status, "{name}");
    if row.status == 200 {
        assert_eq!(reply.text(), CHAT_REPLY, "{name}");
        return;
    }
    assert_eq!(reply.code(), row.code, "{name}: {}", reply.text());
    // The upstream's own words are for the client; the ledger has ours.
    let ours = if row.outcome == "client_error" { "upstream_refused" } else { row.code };
    assert_eq!(record["error_code"], ours, "{name}");
    assert_eq!(
        [&record["input"], &record["output"], &record["cost"]],
        [&Value::Null; 3],
        "{name}: costs nothing"
    );
    // Whoever calls is told when to come back, or that it is of no use.
    let told = reply.get("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1);
    assert!(
        told || row.status < 500 && row.status != 429 || reply.get("x-should-retry") == "false",
        "{name}"
    );
}

/// A plain request to an upstream that always does this.
async fn from(answer: Answer, row: Row) {
    let upstream = Upstream::script([answer]).await;
    at(&upstream.base_url(), &row).await;
    assert_eq!(upstream.calls(), row.tries, "{}: calls", row.name);
}

/// A stream whose first content comes, and then this: an error event and no second try.
async fn midway(then: Answer, row: Row) {
    let upstream = Upstream::script([Answer::stream().send(delta("first")).wait(30).then(then)]).await;
    let (keeper, _well) = keeper(&upstream.base_url()).await;
    let read = async {
        let mut stream = Stream::open(keeper.api, &chat_stream_request()).await;
        let first = stream.event().await.at;
        let (head, events) = (stream.head.clone(), stream.rest().await);
        (head, events, first.elapsed())
    };
    let ((head, events, took), other) = tokio::join!(read, keeper.post(CHAT, chat_to("other")));
    let name = row.name;
    assert_eq!((head.status, other.status()), (200, 200), "{name}");
    assert_eq!(head.get("x-sluice-attempts"), "1", "{name}");
    let code = &events.error()["error"]["code"];
    assert_eq!(code, row.code, "{name}: {events:?}");
    assert!(took < Duration::from_millis(row.bound), "{name}: {took:?}");
    assert_eq!(upstream.calls(), 1, "{name}: calls");
    let record = recorded(&keeper, &row).await;
    assert_eq!(record["status"], 200, "{name}: what the client saw");
    assert_ne!(record["end"], "ok", "{name}");
    assert!(record["output"].as_u64().is_some_and(|tokens| tokens > 0), "{name}: {record}");
}

const fn row(
    name: &'static str,
    (status, code): (u16, &'static str),
    outcome: &'static str,
    tries: usize,
    bound: u64,
) -> Row {
    Row { name, status, code, outcome, tries, bound }
}

const FAILED: (u16, &str) = (502, "upstream_error");
const BAD: (u16, &str) = (502, "bad_upstream_response");
const LATE_ANSWER: (u16, &str) = (504, "upstream_timeout");
const OVERLOADED: (u16, &str) = (503, "overloaded");
const FINE: (u16, &str) = (200, "");

/// A head of JSON of this length.
fn head(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n")
}

#[tokio::test]
async fn whoever_refuses_connections_is_tried_three_times() {
    // 2 x connect + 2.
    let bound = 2 * 300 + 2_000;
    at(&nobody(), &row("refuse", FAILED, "connect_error", 3, bound)).await;
    let dns = row("no such host", FAILED, "connect_error", 3, bound);
    at("http://no-such-host.invalid/v1", &dns).await;
    // It waits for the rest of what it takes for a request: a hang, and no target that hangs is asked again.
    let plain = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let tls = row("tls to a plain port", FAILED, "connect_error", 1, bound);
    at(&plain.base_url().replace("http:", "https:"), &tls).await;
}

#[tokio::test]
async fn connections_that_die_without_a_byte_are_tried_three_times() {
    from(Answer::new().reset(), row("rst", FAILED, "connect_error", 3, SOON)).await;
    from(Answer::new().close(), row("fin", FAILED, "connect_error", 3, SOON)).await;
}

#[tokio::test]
async fn silence_is_a_timeout_after_one_try() {
    let drip = Answer::new().drip(head(2) + "{}", Duration::from_millis(60));
    let half = Answer::new().send(head(500)).send("{\"id\":").hang();
    from(Answer::new().hang(), row("hang before the head", LATE_ANSWER, "timeout", 1, LATE)).await;
    from(drip, row("a head that drips", LATE_ANSWER, "timeout", 1, LATE)).await;
    from(half, row("hang in a body", LATE_ANSWER, "timeout", 1, LATE)).await;
}

#[tokio::test]
async fn what_is_slow_and_alive_is_not_cut() {
    let late = Answer::new().wait(PATIENCE / 2).then(Answer::json(CHAT_REPLY));
    from(late, row("slow first byte", FINE, "ok", 1, SOON)).await;
    let living = Answer::new().send(head(CHAT_REPLY.len())).drip(CHAT_REPLY, Duration::from_millis(4));
    from(living, row("slow body", FINE, "ok", 1, 2 * SOON)).await;
    let rest = chat_events(&["slow"]);
    let living = Answer::stream().send(delta("first")).drip(rest.clone(), Duration::from_millis(5)).close();
    let upstream = Upstream::script([living]).await;
    let (keeper, _well) = keeper(&upstream.base_url()).await;
    let begun = Instant::now();
    let events = Stream::open(keeper.api, &chat_stream_request()).await.rest().await;
    assert_eq!(events.bytes(), delta("first") + &rest);
    assert!(begun.elapsed() > Duration::from_millis(PATIENCE), "the timers measure silence");
    assert_eq!(keeper.record().await["attempts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn statuses_that_may_pass_are_tried_three_times() {
    let html = ["content-type: text/html"];
    let failed = |name| row(name, FAILED, "server_error", 3, SOON);
    let overloaded = |name| row(name, OVERLOADED, "server_error", 3, 10_000);
    from(Answer::error(500, "{}"), failed("500")).await;
    from(Answer::status(500, &html, "<html>500</html>"), failed("500 html")).await;
    from(Answer::status(502, &html, "<html>502</html>"), failed("502 html")).await;
    from(Answer::error(503, "{}"), overloaded("503")).await;
    from(Answer::error(529, "{}"), overloaded("529")).await;
}

#[tokio::test]
async fn statuses_that_stay_are_tried_once() {
    let auth = |name| row(name, FAILED, "auth_error", 1, SOON);
    let slow = |name| row(name, LATE_ANSWER, "timeout", 1, SOON);
    let limited = ["retry-after: 7"];
    let limit = |name| row(name, (429, "rate_limit_exceeded"), "rate_limited", 1, SOON);
    from(Answer::status(429, &limited, "{}"), limit("429 with retry-after")).await;
    from(Answer::error(429, "{}"), limit("429")).await;
    from(Answer::error(401, "{}"), auth("401")).await;
    from(Answer::error(402, "{}"), auth("402")).await;
    from(Answer::error(403, "{}"), auth("403")).await;
    from(Answer::error(408, "{}"), slow("408")).await;
    from(Answer::error(504, "{}"), slow("504")).await;
    from(Answer::error(501, "{}"), row("501", FAILED, "server_error", 1, SOON)).await;
    from(
        Answer::status(503, &["retry-after: 10"], "{}"),
        row("503 for long", OVERLOADED, "server_error", 1, SOON),
    )
    .await;
    let message = r#"{"error":{"message":"no","code":"theirs"}}"#;
    for status in [400, 404, 409, 413, 415, 422] {
        let theirs = row("the request's own fault", (status, "theirs"), "client_error", 1, SOON);
        from(Answer::error(status, message), theirs).await;
    }
    for status in [301, 302, 303, 307, 308] {
        let answer = Answer::status(status, &["location: http://127.0.0.1:1/"], "");
        from(answer, row("redirect", BAD, "bad_response", 1, SOON)).await;
    }
}

#[tokio::test]
async fn bad_bodies_are_tried_once() {
    let bad = |name| row(name, BAD, "bad_response", 1, SOON);
    from(Answer::json("{\"choices\": ["), bad("cut json")).await;
    from(Answer::status(200, &["content-type: text/html"], "<html>hi</html>"), bad("html")).await;
    from(Answer::json(""), bad("empty")).await;
    from(Answer::status(204, &[], ""), bad("204")).await;
    let gzip = ["content-type: application/json", "content-encoding: gzip"];
    from(Answer::status(200, &gzip, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), bad("gzip")).await;
}

#[tokio::test]
async fn bad_framing_is_tried_once() {
    let bad = |name| row(name, BAD, "bad_response", 1, SOON);
    let long = Answer::new().send(head(5_000)).send(CHAT_REPLY).close();
    from(long, bad("content-length too long")).await;
    let two = head(CHAT_REPLY.len()).replace("\r\n\r\n", "\r\ncontent-length: 5\r\n\r\n");
    from(Answer::new().send(two).send(CHAT_REPLY).close(), bad("two lengths")).await;
    let mebibyte = format!("HTTP/1.1 200 OK\r\nx-long: {}\r\n\r\n", "x".repeat(1 << 20));
    from(Answer::new().send(mebibyte).close(), bad("1 MiB of headers")).await;
    let many: String = (0..5_000).map(|n| format!("x-{n}: 1\r\n")).collect();
    from(Answer::new().send(format!("HTTP/1.1 200 OK\r\n{many}\r\n")).close(), bad("5,000 headers")).await;
    from(Answer::new().send("SSH-2.0-OpenSSH_9.2\r\n").close(), bad("not HTTP")).await;
}

#[tokio::test]
async fn answers_without_an_end_are_tried_once() {
    let large = row("100 MiB", BAD, "bad_response", 1, 20_000);
    from(Answer::new().send(head(100 << 20)).repeat("x".repeat(65_536), 1_600).hang(), large).await;
}

#[tokio::test]
async fn streams_that_break_are_tried_once_and_end_with_an_error_event() {
    let row = |name, code, outcome| row(name, (200, code), outcome, 1, 5_000);
    let idle = Row { bound: LATE, ..row("hang", "upstream_timeout", "timeout") };
    midway(Answer::new().hang(), idle).await;
    midway(Answer::new().reset(), row("rst", "upstream_error", "bad_response")).await;
    midway(Answer::new().close(), row("no end", "upstream_error", "bad_response")).await;
    let bad = Answer::new().send("data: {{{\n\n").close();
    midway(bad, row("malformed event", "bad_upstream_response", "bad_response")).await;
    let error = Answer::new().send("data: {\"error\":{\"message\":\"no\"}}\n\n").close();
    midway(error, row("error event", "upstream_error", "server_error")).await;
    let endless = Answer::new().send("data: ").repeat("x".repeat(65_536), 1_600).hang();
    let endless_row = row("100 MiB line", "bad_upstream_response", "bad_response");
    midway(endless, Row { bound: 20_000, ..endless_row }).await;
}

#[tokio::test]
async fn streams_that_never_begin_follow_the_same_rules() {
    for (name, answer, status, tries) in [
        ("hang before the head", Answer::new().hang(), 504, 1),
        ("hang after the head", Answer::stream().hang(), 504, 1),
        ("rst", Answer::new().reset(), 502, 3),
        ("500", Answer::error(500, "{}"), 502, 3),
        ("no event", Answer::stream().close(), 502, 1),
        ("no stream", Answer::json(CHAT_REPLY), 502, 1),
    ] {
        let upstream = Upstream::script([answer]).await;
        let (keeper, _well) = keeper(&upstream.base_url()).await;
        let request = Request::post(CHAT, chat_stream()).bearer(KEY);
        let begun = Instant::now();
        let reply = request.send(keeper.api).await;
        assert_eq!(reply.status(), status, "{name}: {}", reply.text());
        assert!(begun.elapsed() < Duration::from_millis(SOON), "{name}: {:?}", begun.elapsed());
        assert_eq!(reply.get("x-sluice-attempts"), tries.to_string(), "{name}");
        assert_eq!(upstream.calls(), tries, "{name}");
        assert_eq!(keeper.record().await["attempts"].as_array().unwrap().len(), tries, "{name}");
    }
}

#[tokio::test]
async fn one_failure_and_then_an_answer_is_200_whose_tokens_count_once() {
    for first in [Answer::new().reset(), Answer::error(500, "{}"), Answer::error(503, "{}")] {
        let upstream = Upstream::script([first, Answer::json(CHAT_REPLY)]).await;
        let (keeper, _well) = keeper(&upstream.base_url()).await;
        let reply = keeper.post(CHAT, chat()).await.expect(200);
        assert!(reply.took < Duration::from_secs(2), "{:?}", reply.took);
        assert_eq!((reply.get("x-sluice-attempts"), upstream.calls()), ("2", 2));
        let record = keeper.record().await;
        assert_eq!(json!([record["input"], record["output"]]), json!([3, 1]));
        let tokens = |n: usize| record["attempts"][n]["input"].clone();
        assert_eq!([tokens(0), tokens(1)], [Value::Null, json!(3)]);
    }
}

#[tokio::test]
async fn a_connection_that_hangs_is_502_after_one_try() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/v1", listener.local_addr().unwrap());
    let gateway = Config::to_url(&url).timeouts("connect: 1s, first_byte: 500ms").start().await;
    let begun = Instant::now();
    let reply = gateway.post(CHAT, chat()).await;
    assert_eq!((reply.status(), reply.get("x-sluice-attempts")), (502, "1"));
    assert!(begun.elapsed() < Duration::from_secs(2 + 2), "{:?}", begun.elapsed());
}
