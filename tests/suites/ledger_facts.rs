//! What a usage record tells beside money: who asked, from where, for what; how much of a cut stream had come; and
//! what the end of the process leaves.

use crate::support::{CHAT, CHAT_REPLY, chat, chat_stream_request, delta, in_flight};
use serde_json::{Value, json};
use sluice_mock::{Mock, MockHandle, Options};
use sluice_tests::{
    client::{Client, Request},
    eventually,
    gateway::{Config, KEY},
    ledger::Bookkeeper,
    sse::Stream,
    upstream::{Answer, Upstream},
};
use std::time::Duration;
use tokio::task::JoinSet;

/// A prompt that is long enough for estimates to be near.
const QUESTION: &str = "Describe in a few paragraphs how a lighthouse keeper spends a winter night at the coast: the \
    lamp that has to be wound, the log that has to be kept, the storm outside, and the ships that pass far away.";

fn request() -> Request {
    Request::post(CHAT, chat()).bearer(KEY)
}

async fn before(config: impl FnOnce(Config) -> Config) -> (Bookkeeper, Upstream) {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    (Bookkeeper::start(&config(Config::to(&upstream))).await, upstream)
}

#[tokio::test]
async fn tags_are_kept_by_configured_name_and_go_nowhere_else() {
    let (keeper, upstream) = before(|config| config.section("ledger: {tags: [project, feature]}")).await;
    for tags in ["project=web, feature=chat,secret=x", "secret=x", "nonsense"] {
        let _ = request().header("x-sluice-tags", tags).send(keeper.api).await.expect(200);
    }
    let records = keeper.records(3).await;
    let kept: Value = serde_json::from_str(records[0]["tags"].as_str().unwrap()).unwrap();
    assert_eq!(kept, json!({"project": "web", "feature": "chat"}));
    assert_eq!((&records[1]["tags"], &records[2]["tags"]), (&Value::Null, &Value::Null));
    for received in upstream.requests() {
        assert_eq!(received.header("x-sluice-tags"), None);
    }
    assert!(!keeper.ask_admin("/metrics").await.text().contains("web"), "no label comes from a client");
}

#[tokio::test]
async fn the_user_is_kept_only_when_that_is_wanted() {
    let body = chat().replace("{\"model", "{\"user\":\"u-7\",\"model");
    for (section, user) in [("ledger: {keep_user: true}", json!("u-7")), ("", Value::Null)] {
        let (keeper, upstream) = before(|config| config.section(section)).await;
        let _ = keeper.post(CHAT, body.clone()).await.expect(200);
        assert_eq!(keeper.record().await["user"], user, "{section}");
        assert_eq!(upstream.request().json()["user"], "u-7", "the upstream is sent what the client sent");
    }
}

#[tokio::test]
async fn the_client_is_who_a_trusted_proxy_says_and_nobody_else_is_believed() {
    let forwarded = |value: &str| request().header("x-forwarded-for", value);
    let (keeper, upstream) =
        before(|config| config.listener("trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]")).await;
    for value in ["203.0.113.9, 10.1.1.1", "1.1.1.1, 2001:db8::7", "nobody"] {
        let _ = forwarded(value).send(keeper.api).await.expect(200);
    }
    let clients = ["203.0.113.9", "2001:db8::7", "127.0.0.1"];
    for (record, client) in keeper.records(3).await.iter().zip(clients) {
        assert_eq!(record["client"], client);
    }
    for client in clients {
        assert!(keeper.log.text().contains(&format!("\"client\":\"{client}\"")), "{}", keeper.log.text());
    }
    assert_eq!(upstream.requests()[0].header("x-forwarded-for"), None);

    let (keeper, _upstream) = before(|config| config).await;
    let _ = forwarded("203.0.113.9").send(keeper.api).await.expect(200);
    assert_eq!(keeper.record().await["client"], "127.0.0.1");
}

#[tokio::test]
async fn keys_and_tenants_have_their_own_sums() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let config = Config::to(&upstream)
        .key("web", "sk-web", "models: [\"*\"], tenant: shop")
        .key("app", "sk-app", "models: [\"*\"], tenant: shop")
        .section("tenants: [{name: shop}]\nprices: [{provider: up, model: m, input: 1, output: 1}]");
    let keeper = Bookkeeper::start(&config).await;
    for key in [KEY, "sk-web", "sk-app", "sk-web"] {
        let _ = request().bearer(key).send(keeper.api).await.expect(200);
    }
    let records = keeper.records(4).await;
    let who = |record: &Value| json!([record["tenant"], record["key"]]);
    assert_eq!(who(&records[3]), json!(["shop", "web"]));
    let web = |kind: &str| format!("sluice_key_tokens_total{{key=\"web\",tenant=\"shop\",type=\"{kind}\"}}");
    assert_eq!(keeper.metric(&web("input")).await, 6.0);
    assert_eq!(keeper.metric(&web("cache_read")).await, 0.0, "every class is there from the start");
    let spent = keeper.metric("sluice_key_cost_usd_total{key=\"web\",tenant=\"shop\"}").await;
    assert!((spent - 8e-6).abs() < 1e-12, "{spent}");
}

#[tokio::test]
async fn open_mode_has_a_caller_too() {
    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let keeper = Bookkeeper::start(&Config::to(&upstream).open()).await;
    let _ = Request::post(CHAT, chat()).send(keeper.api).await.expect(200);
    let record = keeper.record().await;
    assert_eq!(json!([record["tenant"], record["key"]]), json!(["default", "open"]));
}

/// The mock as an upstream, which knows what it has sent of an answer that was cut.
async fn mock(model: &str) -> (Bookkeeper, MockHandle, JoinSet<()>) {
    let mock = Mock::bind("127.0.0.1:0".parse().unwrap(), Options::default()).unwrap();
    let (url, handle) = (format!("http://{}/v1", mock.local_addr()), mock.handle());
    let mut serving = JoinSet::new();
    serving.spawn(mock.serve());
    (Bookkeeper::start(&Config::to_url(&url).model(model)).await, handle, serving)
}

#[tokio::test]
async fn a_stream_whose_client_leaves_counts_within_a_tenth_of_what_had_been_sent() {
    let (keeper, mock, _serving) = mock("mock-pace-4-2000").await;
    let body = json!({"model": "mock-pace-4-2000", "messages": [{"role": "user", "content": QUESTION}], "stream": true, "seed": 7});
    let mut stream = Stream::open(keeper.api, &Request::post(CHAT, body.to_string()).bearer(KEY)).await;
    for _ in 0..250 {
        stream.event().await;
    }
    drop(stream);
    eventually("the upstream is let go", || mock.stats().cut.answers == 1).await;
    let (record, sent) = (keeper.record().await, mock.stats().cut);
    assert_eq!(json!([record["end"], record["source"]]), json!(["cancelled", "estimated"]));
    for (name, sent) in [("input", sent.input_tokens), ("output", sent.output_tokens)] {
        let counted = record[name].as_u64().unwrap();
        assert!(sent > 40 && counted.abs_diff(sent) * 10 <= sent, "{name}: {counted} of {sent}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_whole_answer_has_bought_it() {
    let long = CHAT_REPLY.replace("\"hi\"", &format!("\"{}\"", "word ".repeat(1_600_000)));
    let upstream = Upstream::script([Answer::json(long)]).await;
    let keeper = Bookkeeper::start(&Config::to(&upstream)).await;
    let mut client = Client::connect_narrow(keeper.api).await;
    client.send(&request().wire()).await;
    assert_eq!(client.head().await.status, 200);
    client.reset();
    let record = keeper.record().await;
    let gist = json!([record["status"], record["end"], record["source"], record["input"], record["output"]]);
    assert_eq!(gist, json!([200, "cancelled", "provider", 3, 1]));
}

#[tokio::test]
async fn the_end_of_the_drain_leaves_what_it_cut() {
    let upstream = Upstream::with(|_, request| match request.text().contains("stream") {
        true => Answer::chunked().chunk(delta("Hello there")).hang(),
        false => Answer::new().hang(),
    })
    .await;
    let keeper = Bookkeeper::start(&Config::to(&upstream)).await;
    let mut stream = Stream::open(keeper.api, &chat_stream_request()).await;
    stream.event().await;
    let mut waits = Client::connect(keeper.api).await;
    waits.send(&request().wire()).await;
    let mut uploads = Client::connect(keeper.api).await;
    let wire = request().wire();
    uploads.send(&wire[..wire.len() - 5]).await;
    upstream.called(2).await;
    in_flight(&keeper, 3).await;
    let records = keeper.stop(Duration::ZERO, Duration::from_millis(300)).await;
    let mut gists: Vec<Value> = records
        .iter()
        .map(|record| {
            json!([
                record["end"],
                record["source"],
                record["output"].as_u64().map(|n| n.min(2)),
                record["status"]
            ])
        })
        .collect();
    gists.sort_by_key(ToString::to_string);
    assert_eq!(
        gists,
        [
            json!(["drain", "estimated", 0, 503]),
            json!(["drain", "estimated", 2, 200]),
            json!(["drain", null, null, 503]),
        ]
    );
    drop((stream, waits, uploads));
}

#[tokio::test]
async fn the_status_says_how_the_ledger_is_doing() {
    let (keeper, _upstream) = before(|config| config).await;
    let ledger = keeper.ask_admin("/status").await.json()["ledger"].clone();
    assert_eq!(ledger, json!({"up": true, "queued": 0, "place": keeper.file().to_str().unwrap()}));
    assert_eq!(keeper.metric("sluice_ledger_up").await, 1.0);
    let _ = request().send(keeper.api).await.expect(200);
    keeper.record().await;
    assert_eq!(keeper.metric("sluice_usage_records_total").await, 1.0);
    for reason in ["queue_full", "unwritable", "closed"] {
        let series = format!("sluice_usage_dropped_total{{reason=\"{reason}\"}} 0");
        assert!(keeper.ask_admin("/metrics").await.text().contains(&series), "{reason}");
    }

    let upstream = Upstream::script([Answer::json(CHAT_REPLY)]).await;
    let gateway = Config::to(&upstream).start().await;
    assert_eq!(gateway.ask_admin("/status").await.json()["ledger"]["place"], "memory");
}
