//! The usage ledger and answers that were not bought: stored ones, and those of other requests under way.

use crate::support::{
    CHAT, CHAT_REPLY, DONE, begin, chat_stream_request, connected, delta, finish, gated, in_flight, seeded,
    usage,
};
use serde_json::{Value, json};
use sluice_tests::{
    client::{Client, Request},
    gateway::{Config, KEY},
    ledger::Bookkeeper,
    sse::Stream,
    upstream::{Answer, Gate, Upstream},
};

const STREAM: &str = ",\"stream\":true";

async fn caching(upstream: &Upstream) -> Bookkeeper {
    let config = Config::to(upstream)
        .section("cache: {mode: seeded}\nprices: [{provider: up, model: m, input: 1, output: 1}]");
    Bookkeeper::start(&config).await
}

fn request(id: &str, more: &str) -> Request {
    Request::post(CHAT, seeded(1, more)).bearer(KEY).header("x-request-id", id)
}

/// What a record says of itself: how it ended, whose answer it was, what was bought, how often an upstream was asked.
fn gist(record: &Value) -> Value {
    let tries = record["attempts"].as_array().unwrap().len();
    let [end, cache, input, output, cost] =
        ["end", "cache", "input", "output", "cost"].map(|name| &record[name]);
    json!([end, cache, input, output, cost, tries])
}

/// Counted and nothing bought.
fn free(end: &str, cache: &str) -> Value {
    json!([end, cache, null, null, null, 0])
}

/// The record of a request.
fn of<'a>(records: &'a [Value], id: &str) -> &'a Value {
    let mut own = records.iter().filter(|record| record["id"] == id);
    let (Some(only), None) = (own.next(), own.next()) else { panic!("{id}: {records:#?}") };
    only
}

fn rest() -> String {
    [delta(" and more"), finish(), usage(), DONE.into()].concat()
}

/// So many streams of equal requests, each with its first event read.
async fn opened(keeper: &Bookkeeper, ids: &[&str]) -> Vec<Stream> {
    let mut streams = Vec::new();
    for id in ids {
        let mut stream = Stream::open(keeper.api, &request(id, STREAM)).await;
        stream.event().await;
        streams.push(stream);
    }
    streams
}

#[tokio::test]
async fn a_stored_answer_is_a_record_that_bought_nothing() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let keeper = caching(&upstream).await;
    for (id, more) in [("miss", ""), ("hit", ""), ("replay", STREAM)] {
        let _ = request(id, more).send(keeper.api).await.expect(200);
    }
    let records = keeper.records(3).await;
    assert_eq!(gist(of(&records, "miss")), json!(["ok", "miss", 3, 1, 4_000, 1]));
    for (id, stream) in [("hit", 0), ("replay", 1)] {
        let record = of(&records, id);
        assert_eq!(gist(record), free("ok", "hit"));
        let who = json!([record["provider"], record["upstream_model"], record["stream"], record["source"]]);
        assert_eq!(who, json!(["up", "m", stream, null]), "who gave it then");
    }
    assert_eq!(keeper.metric("sluice_tokens_saved_total{model=\"m\",type=\"input\"}").await, 6.0);
}

#[tokio::test]
async fn the_first_of_equal_requests_pays_and_the_others_are_records_too() {
    let gate = Gate::new();
    let upstream = Upstream::script([Answer::new().gate(&gate).then(Answer::json(CHAT_REPLY))]).await;
    let keeper = caching(&upstream).await;
    let first = begin([request("first", "").send(keeper.api)]);
    upstream.called(1).await;
    let others = begin((0..5).map(|n| request(&format!("other-{n}"), "").send(keeper.api)));
    in_flight(&keeper, 6).await;
    gate.open();
    for answer in first.into_iter().chain(others) {
        let _ = answer.await.unwrap().expect(200);
    }
    let records = keeper.records(6).await;
    assert_eq!(gist(of(&records, "first")), json!(["ok", "miss", 3, 1, 4_000, 1]));
    for n in 0..5 {
        assert_eq!(gist(of(&records, &format!("other-{n}"))), free("ok", "coalesced"));
    }
}

#[tokio::test]
async fn the_first_pays_for_all_of_a_stream_that_others_read_on_after_it_left() {
    let gate = Gate::new();
    let upstream = Upstream::script([gated(&gate, &delta("first"), &rest())]).await;
    let keeper = caching(&upstream).await;
    let mut streams = opened(&keeper, &["first", "stays", "leaves"]).await;
    drop(streams.pop());
    connected(&keeper, 2).await;
    drop(streams.remove(0));
    connected(&keeper, 1).await;
    gate.open();
    assert!(streams[0].rest().await.done());
    let records = keeper.records(3).await;
    assert_eq!(gist(of(&records, "first")), json!(["cancelled", "miss", 3, 2, 5_000, 1]));
    assert_eq!(of(&records, "first")["source"], "provider");
    assert_eq!(of(&records, "first")["attempts"][0]["outcome"], "ok", "the upstream was read to its end");
    assert_eq!(gist(of(&records, "stays")), free("ok", "coalesced"));
    assert_eq!(gist(of(&records, "leaves")), free("cancelled", "coalesced"));
}

#[tokio::test]
async fn when_all_have_left_the_first_pays_for_what_came() {
    let upstream = Upstream::script([Answer::chunked().chunk(delta("Hello there")).hang()]).await;
    let keeper = caching(&upstream).await;
    let streams = opened(&keeper, &["first", "second"]).await;
    for stream in streams {
        drop(stream);
    }
    upstream.left(1).await;
    let records = keeper.records(2).await;
    let first = of(&records, "first");
    assert_eq!(json!([first["end"], first["source"]]), json!(["cancelled", "estimated"]));
    assert!((2..=3).contains(&first["output"].as_u64().unwrap()), "{first}");
    assert_eq!(gist(of(&records, "second")), free("cancelled", "coalesced"));
}

#[tokio::test]
async fn a_first_that_left_before_anything_came_pays_for_the_answer_of_those_who_waited() {
    let gate = Gate::new();
    let upstream = Upstream::script([Answer::new().gate(&gate).then(Answer::json(CHAT_REPLY))]).await;
    let keeper = caching(&upstream).await;
    let mut first = Client::connect(keeper.api).await;
    first.send(&request("first", "").wire()).await;
    upstream.called(1).await;
    let others = begin([request("other", "").send(keeper.api)]);
    in_flight(&keeper, 2).await;
    first.reset();
    connected(&keeper, 1).await;
    gate.open();
    for answer in others {
        let _ = answer.await.unwrap().expect(200);
    }
    let records = keeper.records(2).await;
    assert_eq!(gist(of(&records, "first")), json!(["cancelled", "miss", 3, 1, 4_000, 1]));
    assert_eq!(gist(of(&records, "other")), free("ok", "coalesced"));
}

#[tokio::test]
async fn a_flight_that_nobody_waits_for_any_more_has_had_its_prompt_read_once() {
    let upstream = Upstream::script([Answer::new().hang()]).await;
    let keeper = caching(&upstream).await;
    let mut clients = Vec::new();
    for (n, id) in ["first", "other"].into_iter().enumerate() {
        let mut client = Client::connect(keeper.api).await;
        client.send(&request(id, "").wire()).await;
        in_flight(&keeper, n + 1).await;
        upstream.called(1).await;
        clients.push(client);
    }
    drop(clients);
    upstream.left(1).await;
    let records = keeper.records(2).await;
    let first = of(&records, "first");
    assert_eq!(json!([first["end"], first["source"], first["output"]]), json!(["cancelled", "estimated", 0]));
    assert!(first["input"].as_u64().is_some_and(|input| (5..=12).contains(&input)), "{first}");
    assert_eq!(gist(of(&records, "other")), free("cancelled", "coalesced"));
}

#[tokio::test]
async fn a_failure_that_many_share_is_a_record_for_each_and_tries_for_one() {
    let gate = Gate::new();
    let refusal = Answer::error(400, "{\"error\":{\"message\":\"no\"}}");
    let upstream = Upstream::script([Answer::new().gate(&gate).then(refusal)]).await;
    let keeper = caching(&upstream).await;
    let first = begin([request("first", "").send(keeper.api)]);
    upstream.called(1).await;
    let others = begin([request("other", "").send(keeper.api)]);
    in_flight(&keeper, 2).await;
    gate.open();
    for answer in first.into_iter().chain(others) {
        let _ = answer.await.unwrap().expect(400);
    }
    let records = keeper.records(2).await;
    assert_eq!(gist(of(&records, "first")), json!(["client_error", "miss", null, null, null, 1]));
    assert_eq!(gist(of(&records, "other")), free("client_error", "coalesced"));
}

#[tokio::test]
async fn a_stream_that_breaks_under_many_is_paid_once() {
    let gate = Gate::new();
    let upstream =
        Upstream::script([Answer::chunked().chunk(delta("Hello there")).gate(&gate).reset()]).await;
    let keeper = caching(&upstream).await;
    let streams = opened(&keeper, &["first", "second", "third"]).await;
    gate.open();
    for mut stream in streams {
        let _ = stream.rest().await.error();
    }
    let records = keeper.records(3).await;
    let first = of(&records, "first");
    assert_eq!(json!([first["end"], first["source"]]), json!(["upstream_error", "estimated"]));
    for id in ["second", "third"] {
        assert_eq!(gist(of(&records, id)), free("upstream_error", "coalesced"));
    }
}

#[tokio::test]
async fn what_is_passed_by_the_cache_says_so() {
    let upstream =
        Upstream::script([Answer::sse([delta("a"), finish(), usage(), DONE.into()].concat())]).await;
    let keeper = caching(&upstream).await;
    assert!(Stream::open(keeper.api, &chat_stream_request()).await.rest().await.done());
    assert_eq!(gist(&keeper.record().await), json!(["ok", "bypass", 3, 2, 5_000, 1]));
}
