//! The usage ledger: every accepted request leaves exactly one record, whichever way it ends.

use crate::support::{
    CHAT, CHAT_REPLY as REPLY, COMPLETIONS, STRICT, chat, chat_events, chat_stream, chat_stream_request,
    delta, finish, in_flight, usage,
};
use serde_json::{Value, json};
use sluice_tests::{
    client::{Client, Request},
    gateway::{Config, KEY},
    ledger::Bookkeeper,
    sse::Stream,
    upstream::{Answer, Upstream, nobody},
};

const PRICES: &str = "prices: [{provider: up, model: m, input: 2, output: 10}]";

/// Some members of a record, in this order.
fn some(record: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| record[name].clone()).collect()
}

/// How a record ended, and who counted which tokens.
fn gist(record: &Value) -> Value {
    some(record, &["status", "end", "source", "input", "output"])
}

fn between(record: &Value, member: &str, bounds: std::ops::RangeInclusive<u64>) -> bool {
    record[member].as_u64().is_some_and(|number| bounds.contains(&number))
}

/// The tries of a record: outcome, status, and tokens.
fn tries(record: &Value) -> Vec<Value> {
    let tries = record["attempts"].as_array().unwrap();
    tries.iter().map(|one| some(one, &["provider", "outcome", "status", "input", "output"])).collect()
}

/// A gateway before one upstream that always gives this answer.
async fn before(answer: Answer) -> (Bookkeeper, Upstream) {
    let upstream = Upstream::script([answer]).await;
    (Bookkeeper::start(&Config::to(&upstream).section(PRICES)).await, upstream)
}

#[tokio::test]
async fn a_plain_answer_leaves_all_that_is_known_of_it() {
    let (keeper, _upstream) = before(Answer::json(REPLY)).await;
    let request = Request::post(CHAT, chat()).bearer(KEY).header("x-request-id", "mine");
    let _ = request.send(keeper.api).await.expect(200);
    let mut record = keeper.record().await;
    let at = record["at"].as_u64().unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    assert!((now - 60_000..=now).contains(&u128::from(at)), "{at} {now}");
    assert!(record["prices"].as_str().is_some_and(|version| version.len() > 8), "{record}");
    for member in ["at", "took_ms", "prices"] {
        record[member] = Value::Null;
    }
    record["attempts"][0]["took_ms"] = Value::Null;
    let expected: Value = serde_json::from_str(
        r#"{"seq":1,"id":"mine","at":null,"took_ms":null,"tenant":"default","key":"test","endpoint":"chat","model":"m",
        "provider":"up","upstream_model":"m","stream":0,"status":200,"end":"ok","error_code":null,"cache":"bypass",
        "source":"provider","input":3,"cache_read":0,"cache_write":0,"output":1,"reasoning":0,"cost":16000,
        "prices":null,"tags":null,"user":null,"client":"127.0.0.1","attempts":[
        {"record":1,"n":1,"provider":"up","upstream_model":"m","outcome":"ok","status":200,"reason":null,"took_ms":null,
        "source":"provider","input":3,"cache_read":0,"cache_write":0,"output":1,"reasoning":0,"cost":16000}]}"#,
    )
    .unwrap();
    assert_eq!(record, expected);
}

#[tokio::test]
async fn a_stream_counts_what_the_upstream_told_at_its_end() {
    let told = usage().replace("}}", ",\"prompt_tokens_details\":{\"cached_tokens\":1}}}");
    let (keeper, _upstream) =
        before(Answer::sse([delta("a"), finish(), told, "data: [DONE]\n\n".into()].concat())).await;
    let rest = Stream::open(keeper.api, &chat_stream_request()).await.rest().await;
    assert!(rest.done(), "{rest:?}");
    let record = keeper.record().await;
    assert_eq!(gist(&record), json!([200, "ok", "provider", 2, 2]));
    assert_eq!(
        some(&record, &["stream", "cache_read", "cost"]),
        json!([1, 1, 6_000 + 20_000]),
        "no price of its own"
    );
    assert_eq!(tries(&record), [json!(["up", "ok", 200, 2, 2])]);
}

#[tokio::test]
async fn an_answer_without_usage_is_estimated_and_counted_as_one() {
    let plain = REPLY.split(",\"usage\"").next().unwrap().to_owned() + "}";
    let upstream =
        Upstream::script([Answer::json(plain), Answer::sse(chat_events(&["Hello", " there"]))]).await;
    let keeper = Bookkeeper::start(&Config::to(&upstream)).await;
    let _ = keeper.post(CHAT, chat()).await.expect(200);
    assert!(Stream::open(keeper.api, &chat_stream_request()).await.rest().await.done());
    let records = keeper.records(2).await;
    for (record, output) in records.iter().zip([1..=2, 2..=3]) {
        assert_eq!(some(record, &["end", "source", "cost"]), json!(["ok", "estimated", null]));
        assert!(between(record, "input", 5..=12) && between(record, "output", output), "{record}");
    }
    assert_eq!(keeper.metric("sluice_usage_missing_total{provider=\"up\",upstream_model=\"m\"}").await, 2.0);
    assert_eq!(keeper.metric("sluice_price_missing_total{provider=\"up\",upstream_model=\"m\"}").await, 2.0);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_byte_has_had_its_prompt_read() {
    let (keeper, upstream) = before(Answer::new().hang()).await;
    for (calls, body) in [(1, chat()), (2, chat_stream())] {
        let mut client = Client::connect(keeper.api).await;
        client.send(&Request::post(CHAT, body).bearer(KEY).wire()).await;
        upstream.called(calls).await;
        drop(client);
        upstream.left(calls).await;
    }
    for record in keeper.records(2).await {
        let expected = json!([0, "cancelled", "estimated", 0]);
        assert_eq!(some(&record, &["status", "end", "source", "output"]), expected, "{record}");
        let input = record["input"].as_u64().unwrap();
        assert!((5..=12).contains(&input) && record["cost"] == input * 2_000, "{record}");
        assert_eq!(tries(&record), [json!(["up", "cancelled", null, input, 0])]);
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_there_is_no_connection_yet_has_bought_nothing() {
    // Takes connections and never says a word of TLS.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/v1", listener.local_addr().unwrap());
    let keeper = Bookkeeper::start(&Config::to_url(&url).timeouts("connect: 20s, first_byte: 30s")).await;
    let mut client = Client::connect(keeper.api).await;
    client.send(&Request::post(CHAT, chat()).bearer(KEY).wire()).await;
    let _connection = listener.accept().await.unwrap();
    drop(client);
    let record = keeper.record().await;
    assert_eq!(gist(&record), json!([0, "cancelled", null, null, null]));
    assert_eq!(tries(&record), [json!(["up", "cancelled", null, null, null])]);
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_upload_leaves_a_record_too() {
    let (keeper, upstream) = before(Answer::json(REPLY)).await;
    let wire = Request::post(CHAT, chat()).bearer(KEY).wire();
    for leave in [Client::reset, drop] {
        let mut client = Client::connect(keeper.api).await;
        client.send(&wire[..wire.len() - 5]).await;
        in_flight(&keeper, 1).await;
        leave(client);
        in_flight(&keeper, 0).await;
    }
    for record in keeper.records(2).await {
        let expected = json!(["cancelled", null, null, "test"]);
        assert_eq!(some(&record, &["end", "model", "input", "key"]), expected, "{record}");
    }
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn streams_that_an_upstream_breaks_count_what_came() {
    let begun = || Answer::chunked().chunk(delta("Hello there"));
    let error = "data: {\"error\":{\"message\":\"no\"}}\n\n";
    for (answer, end, source, outcome) in [
        (begun().reset(), "upstream_error", "estimated", "bad_response"),
        (begun().chunk(error).last_chunk(), "upstream_error", "estimated", "server_error"),
        (begun().chunk("data: {{{\n\n").last_chunk(), "upstream_error", "estimated", "bad_response"),
        (begun().hang(), "timeout", "estimated", "timeout"),
        (begun().chunk(usage()).reset(), "upstream_error", "provider", "bad_response"),
    ] {
        let upstream = Upstream::script([answer]).await;
        let keeper = Bookkeeper::start(&Config::to(&upstream).timeouts("idle: 300ms")).await;
        let _ = Stream::open(keeper.api, &chat_stream_request()).await.rest().await.error();
        let record = keeper.record().await;
        assert_eq!(some(&record, &["status", "end", "source"]), json!([200, end, source]), "{record}");
        let tried = &record["attempts"][0];
        assert_eq!(some(tried, &["status", "outcome", "source"]), json!([200, outcome, source]), "{record}");
        assert!(between(&record, "output", 2..=3) && tried["output"] == record["output"], "{record}");
    }
}

#[tokio::test]
async fn answers_that_never_came_cost_nothing() {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        REPLY.len()
    );
    let half = head + &REPLY[..REPLY.len() - 9];
    for (answer, status, end, outcome, told) in [
        (Answer::error(500, "{}"), 502, "upstream_error", "server_error", json!(500)),
        (Answer::error(429, "{}"), 429, "upstream_error", "rate_limited", json!(429)),
        (Answer::error(401, "{}"), 502, "upstream_error", "auth_error", json!(401)),
        (Answer::error(400, "{}"), 400, "client_error", "client_error", json!(400)),
        (Answer::new().reset(), 502, "upstream_error", "connect_error", Value::Null),
        (Answer::new().hang(), 504, "timeout", "timeout", Value::Null),
        (Answer::json("{\"no\":\"answer\"}"), 502, "upstream_error", "bad_response", json!(200)),
        (Answer::new().send(half).hang(), 504, "timeout", "timeout", Value::Null),
    ] {
        let upstream = Upstream::script([answer]).await;
        let once = "resilience: {attempts: 1}";
        let config =
            Config::to(&upstream).timeouts("first_byte: 300ms, idle: 300ms").section(PRICES).section(once);
        let keeper = Bookkeeper::start(&config).await;
        let _ = keeper.post(CHAT, chat()).await.expect(status);
        let record = keeper.record().await;
        assert_eq!(gist(&record), json!([status, end, null, null, null]), "{record}");
        assert!(record["error_code"].is_string() && record["cost"].is_null(), "{record}");
        assert_eq!(tries(&record), [json!(["up", outcome, told, null, null])], "{record}");
    }
}

#[tokio::test]
async fn each_try_has_its_own_end_and_only_the_one_that_answered_costs() {
    let failing = Upstream::script([Answer::error(503, "{}")]).await;
    let spare = Upstream::script([Answer::json(REPLY)]).await;
    let config = Config::to(&failing)
        .also("gone", &nobody())
        .also("spare", &spare.base_url())
        .model_entry(
            "{name: all, targets: [{provider: up, model: a}, {provider: gone, model: b, priority: 1}, \
             {provider: spare, model: c, priority: 2}]}",
        )
        .section("prices: [{provider: up, model: a, input: 9, output: 9}, {provider: spare, model: c, input: 1, output: 1}]");
    let keeper = Bookkeeper::start(&config).await;
    let _ = keeper.post(CHAT, chat().replace("\"m\"", "\"all\"")).await.expect(200);
    let record = keeper.record().await;
    assert_eq!(gist(&record), json!([200, "ok", "provider", 3, 1]));
    assert_eq!(
        some(&record, &["model", "provider", "upstream_model", "cost"]),
        json!(["all", "spare", "c", 4_000])
    );
    assert_eq!(
        tries(&record),
        [
            json!(["up", "server_error", 503, null, null]),
            json!(["gone", "connect_error", null, null, null]),
            json!(["spare", "ok", 200, 3, 1]),
        ]
    );
    assert_eq!(record["attempts"][1]["reason"], "unreachable");
    assert_eq!(some(&record["attempts"][1], &["upstream_model", "cost", "n"]), json!(["b", null, 2]));
    assert_eq!(record["attempts"][2]["cost"], 4_000);
}

#[tokio::test]
async fn what_a_wildcard_became_is_in_the_record() {
    let upstream = Upstream::script([Answer::json(REPLY)]).await;
    let config = Config::to(&upstream)
        .model_entry("{name: 'x-*', targets: [{provider: up, model: '{rest}-large'}]}")
        .section("prices: [{provider: up, model: 'seven-large', input: 1, output: 1}]");
    let keeper = Bookkeeper::start(&config).await;
    let _ = keeper.post(CHAT, chat().replace("\"m\"", "\"x-seven\"")).await.expect(200);
    let record = keeper.record().await;
    assert_eq!(some(&record, &["model", "upstream_model", "cost"]), json!(["x-*", "seven-large", 4_000]));
    assert_eq!(record["attempts"][0]["upstream_model"], "seven-large");
}

#[tokio::test]
async fn refused_requests_of_a_caller_who_was_let_in_leave_a_record() {
    let upstream = Upstream::script([Answer::json(REPLY)]).await;
    let config = Config::to(&upstream)
        .listener("max_body: 4KiB, body_timeout: 300ms")
        .key("small", "sk-small", "models: [other], limits: {requests: {rate: 3/h, burst: 3}}")
        .model_entry("{name: other, max_output_tokens: 5, targets: [{provider: up, model: m}]}");
    let keeper = Bookkeeper::start(&config).await;
    let post = |body: &str| Request::post(CHAT, body.to_owned()).bearer(KEY);
    let other = || Request::post(CHAT, chat().replace("\"m\"", "\"other\"")).bearer("sk-small");
    let cases = [
        (post("{"), 400, "invalid_json"),
        (post("{\"model\":\"m\"}"), 400, "invalid_body"),
        (Request::post(STRICT, "{\"model\":\"none\",\"prompt\":\"a\"}").bearer(KEY), 400, "model_not_found"),
        (post(&chat()).header("x-sluice-cache", "perhaps"), 400, "invalid_request"),
        (
            post(&chat().replace("\"m\"", "\"other\"").replace("{\"model", "{\"max_tokens\":6,\"model")),
            400,
            "context_length_exceeded",
        ),
        (post(&chat()).bearer("sk-small"), 403, "model_not_allowed"),
        (post(&chat().replace("\"m\"", "\"none\"")), 404, "model_not_found"),
        (Request::get("/v1/models/none").bearer(KEY), 404, "model_not_found"),
        (post(&" ".repeat(5 << 10)), 413, "body_too_large"),
        (post(&chat()).set("content-type", "text/plain"), 415, "unsupported_media_type"),
        (Request::post(CHAT, "").bearer(KEY).set("content-length", "9"), 408, "request_timeout"),
        (other(), 200, ""),
        (other(), 200, ""),
        (other(), 200, ""),
        (other(), 429, "rate_limit_exceeded"),
        (post(&chat()).header("cache-control", "only-if-cached"), 504, "not_cached"),
    ];
    for (request, status, _) in &cases {
        let _ = request.send(keeper.api).await.expect(*status);
    }
    for (record, (_, status, code)) in keeper.records(cases.len()).await.iter().zip(&cases) {
        assert_eq!(record["status"], *status, "{record}");
        if *status == 200 {
            continue;
        }
        let end = if *status == 429 { "limited" } else { "client_error" };
        assert_eq!(
            some(record, &["end", "error_code", "source", "cost"]),
            json!([end, code, null, null]),
            "{record}"
        );
        assert_eq!(tries(record), Vec::<Value>::new(), "{record}");
    }
}

#[tokio::test]
async fn who_was_not_let_in_leaves_none() {
    let (keeper, _upstream) = before(Answer::json(REPLY)).await;
    for (request, status) in [
        (Request::post(CHAT, chat()), 401),
        (Request::post(CHAT, chat()).bearer("sk-sluice-none"), 401),
        (Request::get("/v1/nothing").bearer(KEY), 404),
        (Request::get(CHAT).bearer(KEY), 405),
        (Request::get("/v1/models").bearer(KEY).header("host", "another"), 400),
    ] {
        let _ = request.send(keeper.api).await.expect(status);
    }
    let mut client = Client::connect(keeper.api).await;
    client.send(&Request::new("HEAD", "/v1/models").bearer(KEY).wire()).await;
    assert_eq!(client.head().await.status, 405);
    assert_eq!(keeper.records(0).await, Vec::<Value>::new());
}

#[tokio::test]
async fn asking_for_models_is_a_request_like_any_other() {
    let (keeper, _upstream) = before(Answer::json(REPLY)).await;
    let _ = keeper.get("/v1/models").await.expect(200);
    let _ = keeper.get("/v1/models/m").await.expect(200);
    for record in keeper.records(2).await {
        assert_eq!(
            some(&record, &["endpoint", "model", "cache", "provider"]),
            json!(["models", null, null, null])
        );
        assert_eq!(gist(&record), json!([200, "ok", null, null, null]));
    }
}

#[tokio::test]
async fn a_stream_that_had_its_head_early_is_told_as_one() {
    let upstream =
        Upstream::script([Answer::new().hang(), Answer::new().wait(600).then(Answer::error(500, "{}"))])
            .await;
    let config = Config::to(&upstream).section("resilience: {commit_after: 100ms, heartbeat: 100ms}");
    let keeper = Bookkeeper::start(&config).await;
    let mut stream = Stream::open(keeper.api, &chat_stream_request()).await;
    assert!(stream.event().await.is_comment());
    drop(stream);
    upstream.left(1).await;
    let _ = Stream::open(keeper.api, &chat_stream_request()).await.rest().await.error();
    let records = keeper.records(2).await;
    assert_eq!(
        some(&records[0], &["status", "end", "source", "output"]),
        json!([200, "cancelled", "estimated", 0])
    );
    assert_eq!(gist(&records[1]), json!([200, "upstream_error", null, null, null]));
}

#[tokio::test]
async fn equal_ids_of_a_client_are_two_records() {
    let (keeper, _upstream) = before(Answer::json(REPLY)).await;
    for _ in 0..2 {
        let request = Request::post(COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"a\"}").bearer(KEY);
        let _ = request.header("x-request-id", "again").send(keeper.api).await.expect(200);
    }
    assert!(
        keeper
            .records(2)
            .await
            .iter()
            .all(|record| record["id"] == "again" && record["endpoint"] == "completions")
    );
}
