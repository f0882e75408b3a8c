//! Clients that leave a provider with `on_client_disconnect: drain`: its answer is read to its end all the same, so
//! that the record has its true cost. What the default does is shown where streams, the ledger and limits are.

use crate::support::{
    CHAT, CHAT_REPLY, DONE, by_limited, chat, chat_of, chat_stream, chat_stream_request, connected, delta,
    finish, gated, having_used, in_flight, left, limited, seeded, usage,
};
use serde_json::{Value, json};
use sluice_tests::{
    client::{Client, Request},
    gateway::{Config, KEY},
    ledger::Bookkeeper,
    sse::Stream,
    upstream::{Answer, Gate, Upstream},
};
use std::time::{Duration, Instant};

const DRAIN: &str = "on_client_disconnect: drain";
const EARLY: &str = "resilience: {commit_after: 100ms, heartbeat: 100ms}";

fn drained(upstream: &Upstream) -> Config {
    Config::to(upstream).provider(DRAIN)
}

/// What follows the first event of a stream.
fn rest() -> String {
    [finish(), usage(), DONE.into()].concat()
}

/// A stream that begins when the gate is opened.
fn late_stream(gate: &Gate) -> Answer {
    Answer::new().gate(gate).then(Answer::chunked().chunk(delta("a")).chunk(rest()).last_chunk())
}

/// How a record ended, who counted which tokens, and how each try ended.
fn gist(record: &Value) -> Value {
    let tries = record["attempts"].as_array().unwrap();
    let tries: Value = tries.iter().map(|one| one["outcome"].clone()).collect();
    let names = ["status", "end", "source", "input", "output"];
    names.iter().map(|name| record[name].clone()).chain([tries]).collect()
}

/// A client that has sent this request and waits for its answer.
async fn waiting(keeper: &Bookkeeper, body: String) -> Client {
    let mut client = Client::connect(keeper.api).await;
    client.send(&Request::post(CHAT, body).bearer(KEY).wire()).await;
    client
}

/// The client is gone, and the upstream is still there a while later. Its answer comes then; gives the record.
async fn read_on<C>(keeper: &Bookkeeper, upstream: &Upstream, client: C, gate: &Gate) -> Value {
    drop(client);
    connected(keeper, 0).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(upstream.peer_left().is_empty(), "the upstream was left");
    assert_eq!(keeper.metric("sluice_requests_in_flight{endpoint=\"chat\"}").await, 1.0);
    gate.open();
    let record = keeper.record().await;
    assert!(upstream.peer_left().is_empty(), "the upstream was left before its end");
    assert_eq!(upstream.calls(), 1);
    record
}

#[tokio::test]
async fn a_plain_answer_is_read_to_its_end_without_its_client() {
    let gate = Gate::new();
    let upstream = Upstream::script([Answer::new().gate(&gate).then(Answer::json(CHAT_REPLY))]).await;
    let keeper = Bookkeeper::start(&drained(&upstream)).await;
    let client = waiting(&keeper, chat()).await;
    upstream.called(1).await;
    let record = read_on(&keeper, &upstream, client, &gate).await;
    assert_eq!(gist(&record), json!([0, "cancelled", "provider", 3, 1, ["ok"]]));
    assert_eq!(keeper.metric("sluice_client_aborts_total{phase=\"wait\"}").await, 1.0);
}

#[tokio::test]
async fn a_stream_that_has_not_begun_is_read_to_its_end_without_its_client() {
    let gate = Gate::new();
    let upstream = Upstream::script([late_stream(&gate)]).await;
    let keeper = Bookkeeper::start(&drained(&upstream)).await;
    let client = waiting(&keeper, chat_stream()).await;
    upstream.called(1).await;
    let record = read_on(&keeper, &upstream, client, &gate).await;
    assert_eq!(gist(&record), json!([0, "cancelled", "provider", 3, 2, ["ok"]]));
}

#[tokio::test]
async fn a_stream_behind_an_early_head_is_read_to_its_end_without_its_client() {
    let gate = Gate::new();
    let upstream = Upstream::script([late_stream(&gate)]).await;
    let keeper = Bookkeeper::start(&drained(&upstream).section(EARLY)).await;
    let mut stream = Stream::open(keeper.api, &chat_stream_request()).await;
    assert!(stream.event().await.is_comment());
    let record = read_on(&keeper, &upstream, stream.client, &gate).await;
    assert_eq!(gist(&record), json!([200, "cancelled", "provider", 3, 2, ["ok"]]));
    assert_eq!(keeper.metric("sluice_client_aborts_total{phase=\"stream\"}").await, 1.0);
}

#[tokio::test]
async fn a_stream_that_has_begun_is_read_to_its_end_without_its_client() {
    let gate = Gate::new();
    let upstream = Upstream::script([gated(&gate, &delta("a"), &rest())]).await;
    let keeper = Bookkeeper::start(&drained(&upstream)).await;
    let mut stream = Stream::open(keeper.api, &chat_stream_request()).await;
    stream.event().await;
    let open = "sluice_streams_in_flight{provider=\"up\"}";
    drop(stream);
    connected(&keeper, 0).await;
    assert_eq!(keeper.metric(open).await, 1.0);
    let record = read_on(&keeper, &upstream, (), &gate).await;
    assert_eq!(gist(&record), json!([200, "cancelled", "provider", 3, 2, ["ok"]]));
    assert_eq!(keeper.metric(open).await, 0.0);
    let ends = "sluice_stream_ends_total{provider=\"up\",reason=\"client_disconnect\"}";
    assert_eq!(keeper.metric(ends).await, 1.0);
}

#[tokio::test]
async fn an_upstream_that_is_not_drained_is_left_behind_an_early_head_too() {
    let upstream = Upstream::script([Answer::new().hang()]).await;
    let config = Config::to(&upstream).provider("on_client_disconnect: cancel").section(EARLY);
    let keeper = Bookkeeper::start(&config).await;
    let mut stream = Stream::open(keeper.api, &chat_stream_request()).await;
    assert!(stream.event().await.is_comment());
    let left = Instant::now();
    drop(stream);
    let cancelled = upstream.left(1).await - left;
    assert!(cancelled <= Duration::from_millis(250), "{cancelled:?}");
    assert_eq!(gist(&keeper.record().await)[2], "estimated");
}

#[tokio::test]
async fn the_provider_that_is_asked_decides() {
    let (upstream, spare) = (Upstream::script([Answer::error(500, "{}")]).await, hanging().await);
    let config = drained(&upstream).also("spare", &spare.base_url()).model_entry(BOTH);
    let keeper = Bookkeeper::start(&config).await;
    let client = waiting(&keeper, to_both()).await;
    spare.called(1).await;
    let left = Instant::now();
    drop(client);
    let cancelled = spare.left(1).await - left;
    assert!(cancelled <= Duration::from_millis(250), "{cancelled:?}");
    let record = keeper.record().await;
    assert_eq!(json!([record["end"], record["source"]]), json!(["cancelled", "estimated"]));
}

const BOTH: &str =
    "{name: both, targets: [{provider: up, model: m}, {provider: spare, model: m, priority: 1}]}";

fn to_both() -> String {
    chat().replace("\"m\"", "\"both\"")
}

async fn hanging() -> Upstream {
    Upstream::script([Answer::new().hang()]).await
}

#[tokio::test]
async fn a_try_that_fails_without_its_client_is_the_last() {
    let gate = Gate::new();
    let upstream = Upstream::script([Answer::new().gate(&gate).then(Answer::error(500, "{}"))]).await;
    let spare = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let config = drained(&upstream).also("spare", &spare.base_url()).model_entry(BOTH);
    let keeper = Bookkeeper::start(&config).await;
    let client = waiting(&keeper, to_both()).await;
    upstream.called(1).await;
    let record = read_on(&keeper, &upstream, client, &gate).await;
    assert_eq!(gist(&record), json!([0, "cancelled", null, null, null, ["server_error"]]));
    assert_eq!(spare.calls(), 0);
}

#[tokio::test]
async fn a_connection_that_dies_without_the_client_is_not_made_anew() {
    let gate = Gate::new();
    let dies = Answer::new().gate(&gate).close();
    let upstream = Upstream::script([Answer::json(CHAT_REPLY), dies, Answer::json(CHAT_REPLY)]).await;
    let keeper = Bookkeeper::start(&drained(&upstream)).await;
    let _ = keeper.post(CHAT, chat()).await.expect(200);
    let client = waiting(&keeper, chat()).await;
    upstream.called(2).await;
    drop(client);
    connected(&keeper, 0).await;
    gate.open();
    let records = keeper.records(2).await;
    assert_eq!(gist(&records[1]), json!([0, "cancelled", null, null, null, ["connect_error"]]));
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn a_stream_that_breaks_without_its_client_counts_what_came() {
    let gate = Gate::new();
    let upstream =
        Upstream::script([Answer::chunked().chunk(delta("Hello there")).gate(&gate).reset()]).await;
    let keeper = Bookkeeper::start(&drained(&upstream)).await;
    let mut stream = Stream::open(keeper.api, &chat_stream_request()).await;
    stream.event().await;
    let record = read_on(&keeper, &upstream, stream.client, &gate).await;
    assert_eq!(
        json!([record["end"], record["source"], record["error_code"]]),
        json!(["cancelled", "estimated", null])
    );
    assert!((2..=3).contains(&record["output"].as_u64().unwrap()), "{record}");
    assert_eq!(record["attempts"][0]["outcome"], "bad_response");
}

#[tokio::test]
async fn the_providers_own_timers_bound_what_is_read_without_a_client() {
    let upstream = Upstream::with(|_, request| match request.text().contains("stream") {
        true => Answer::chunked().chunk(delta("a")).hang(),
        false => Answer::new().hang(),
    })
    .await;
    let keeper = Bookkeeper::start(&drained(&upstream).timeouts("first_byte: 700ms, idle: 700ms")).await;
    let mut stream = Stream::open(keeper.api, &chat_stream_request()).await;
    stream.event().await;
    let client = waiting(&keeper, chat()).await;
    upstream.called(2).await;
    drop((stream, client));
    upstream.left(2).await;
    for record in keeper.records(2).await {
        assert_eq!(
            json!([record["end"], record["attempts"][0]["outcome"]]),
            json!(["cancelled", "timeout"]),
            "{record}"
        );
    }
}

#[tokio::test]
async fn what_was_not_asked_yet_is_not_drained() {
    // Takes connections and never says a word of TLS.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/v1", listener.local_addr().unwrap());
    let config = Config::to_url(&url).provider(DRAIN).timeouts("connect: 20s, first_byte: 30s");
    let keeper = Bookkeeper::start(&config).await;
    let client = waiting(&keeper, chat()).await;
    let _connection = listener.accept().await.unwrap();
    let left = Instant::now();
    drop(client);
    let record = keeper.record().await;
    assert!(left.elapsed() < Duration::from_secs(10), "{:?}", left.elapsed());
    assert_eq!(gist(&record), json!([0, "cancelled", null, null, null, ["cancelled"]]));
}

#[tokio::test]
async fn the_place_among_requests_in_flight_is_held_until_the_end() {
    let gate = Gate::new();
    let upstream = Upstream::with({
        let gate = gate.clone();
        move |_, request| match request.text().contains("stream") {
            true => gated(&gate, &delta("a"), &rest()),
            false => Answer::new().gate(&gate).then(Answer::json(CHAT_REPLY)),
        }
    })
    .await;
    let config = drained(&upstream).key("two", "sk-two", "models: [\"*\"], limits: {concurrency: 2}");
    let keeper = Bookkeeper::start(&config).await;
    let two = |body: String| Request::post(CHAT, body).bearer("sk-two");
    let mut client = Client::connect(keeper.api).await;
    client.send(&two(chat()).wire()).await;
    let mut stream = Stream::open(keeper.api, &two(chat_stream())).await;
    stream.event().await;
    upstream.called(2).await;
    drop((client, stream));
    connected(&keeper, 0).await;
    let _ = two(chat()).send(keeper.api).await.expect(429);
    gate.open();
    in_flight(&keeper, 0).await;
    let _ = two(chat()).send(keeper.api).await.expect(200);
}

#[tokio::test]
async fn limits_are_charged_what_the_answer_cost_in_truth() {
    let gate = Gate::new();
    let costs = Answer::new().gate(&gate).then(Answer::json(having_used(100, 200)));
    let upstream = Upstream::script([costs, Answer::json(CHAT_REPLY)]).await;
    let tokens = "limits: {tokens: {rate: 1/h, burst: 1000}}";
    let config = limited(&upstream, tokens).provider(DRAIN);
    let keeper = Bookkeeper::start(&config).await;
    let mut client = Client::connect(keeper.api).await;
    client.send(&by_limited(chat_of(500)).wire()).await;
    upstream.called(1).await;
    drop(client);
    connected(&keeper, 0).await;
    gate.open();
    in_flight(&keeper, 0).await;
    let next = by_limited(chat_of(10)).send(keeper.api).await.expect(200);
    assert_eq!(left(&next, "tokens"), 1_000 - 300 - 10);
}

#[tokio::test]
async fn a_shutdown_waits_for_what_is_read_without_a_client() {
    let plain = Answer::new().wait(1_000).then(Answer::json(CHAT_REPLY));
    let upstream = Upstream::script([plain]).await;
    let keeper = Bookkeeper::start(&drained(&upstream)).await;
    let client = waiting(&keeper, chat()).await;
    upstream.called(1).await;
    drop(client);
    connected(&keeper, 0).await;
    let begun = Instant::now();
    let records = keeper.stop(Duration::ZERO, Duration::from_secs(20)).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(gist(&records[0]), json!([0, "cancelled", "provider", 3, 1, ["ok"]]));
}

#[tokio::test]
async fn the_end_of_the_drain_gives_up_what_is_read_without_a_client() {
    let upstream = Upstream::with(|_, request| match request.text().contains("stream") {
        true => Answer::chunked().chunk(delta("Hello there")).hang(),
        false => Answer::new().hang(),
    })
    .await;
    let keeper = Bookkeeper::start(&drained(&upstream)).await;
    let mut stream = Stream::open(keeper.api, &chat_stream_request()).await;
    stream.event().await;
    let client = waiting(&keeper, chat()).await;
    upstream.called(2).await;
    drop((stream, client));
    connected(&keeper, 0).await;
    let begun = Instant::now();
    let mut records = keeper.stop(Duration::ZERO, Duration::from_millis(700)).await;
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(700) && took < Duration::from_millis(700 + 2_500), "{took:?}");
    records.sort_by_key(|record| record["status"].as_u64());
    let ends = records.iter().map(|record| json!([record["status"], record["end"], record["source"]]));
    assert_eq!(
        ends.collect::<Vec<_>>(),
        [json!([0, "cancelled", "estimated"]), json!([200, "cancelled", "estimated"])]
    );
    assert_eq!(records[0]["output"], 0);
    assert!((2..=3).contains(&records[1]["output"].as_u64().unwrap()), "{records:?}");
}

#[tokio::test]
async fn a_shared_answer_that_all_have_left_is_read_to_its_end_and_kept() {
    let plain = |gate: &Gate| Answer::new().gate(gate).then(Answer::json(CHAT_REPLY));
    let begun = |gate: &Gate| gated(gate, &delta("a"), &rest());
    for (members, late, output) in [("", true, 1), (",\"stream\":true", false, 2)] {
        let gate = Gate::new();
        let answer = if late { plain(&gate) } else { begun(&gate) };
        let upstream = Upstream::script([answer]).await;
        let config = drained(&upstream).section("cache: {mode: seeded}");
        let keeper = Bookkeeper::start(&config).await;
        let mut client = waiting(&keeper, seeded(7, members)).await;
        upstream.called(1).await;
        if !late {
            assert_eq!(client.head().await.status, 200);
        }
        let record = read_on(&keeper, &upstream, client, &gate).await;
        let status = if late { 0 } else { 200 };
        assert_eq!(gist(&record), json!([status, "cancelled", "provider", 3, output, ["ok"]]));
        let again = keeper.post(CHAT, seeded(7, members)).await.expect(200);
        assert_eq!(again.get("x-sluice-cache"), "hit");
        assert_eq!(upstream.calls(), 1);
    }
}

#[tokio::test]
async fn a_shared_answer_that_all_have_left_is_given_up_with_the_gateway_and_asked_for_nowhere_else() {
    let gate = Gate::new();
    let upstream = Upstream::script([Answer::new().gate(&gate).then(Answer::error(500, "{}"))]).await;
    let spare = hanging().await;
    let cached = "cache: {mode: seeded}";
    let config = drained(&upstream).also("spare", &spare.base_url()).model_entry(BOTH).section(cached);
    let keeper = Bookkeeper::start(&config).await;
    let to_both = || seeded(7, "").replace("\"m\"", "\"both\"");
    let client = waiting(&keeper, to_both()).await;
    upstream.called(1).await;
    let record = read_on(&keeper, &upstream, client, &gate).await;
    assert_eq!(gist(&record), json!([0, "cancelled", null, null, null, ["server_error"]]));
    assert_eq!(spare.calls(), 0);

    let hanging = hanging().await;
    let keeper = Bookkeeper::start(&drained(&hanging).section(cached)).await;
    let client = waiting(&keeper, seeded(7, "")).await;
    hanging.called(1).await;
    drop(client);
    connected(&keeper, 0).await;
    let begun = Instant::now();
    let records = keeper.stop(Duration::ZERO, Duration::from_millis(300)).await;
    assert!(begun.elapsed() < Duration::from_millis(300 + 2_500), "{:?}", begun.elapsed());
    assert_eq!(json!([records[0]["end"], records[0]["source"]]), json!(["cancelled", "estimated"]));
}

#[tokio::test]
async fn a_stream_that_begins_and_breaks_without_its_client_is_not_gone_on_with() {
    let gate = Gate::new();
    let broken = Answer::new().gate(&gate).then(Answer::stream().send(delta("a")).wait(2).reset());
    let upstream = Upstream::script([broken]).await;
    let spare = Upstream::script([Answer::sse([delta("a"), rest()].concat())]).await;
    let resumed = BOTH.replace("]}", "], resume: deterministic}");
    let config =
        drained(&upstream).also_with("spare", &spare.base_url(), &format!(", {DRAIN}")).model_entry(&resumed);
    let keeper = Bookkeeper::start(&config).await;
    let body = seeded(7, ",\"stream\":true").replace("\"m\"", "\"both\"");
    let client = waiting(&keeper, body).await;
    upstream.called(1).await;
    let record = read_on(&keeper, &upstream, client, &gate).await;
    assert_eq!(record["end"], "cancelled", "{record:#}");
    assert_eq!(record["attempts"].as_array().unwrap().len(), 1, "{record:#}");
    assert_eq!(spare.calls(), 0);
}
