//! The way to the collector: it may be away, slow or unwilling, and no request ever notices.

use crate::{
    collector::{Collector, PARENT, child, section, taken, taken_but, traced},
    support::{CHAT, CHAT_REPLY, chat},
};
use sluice_tests::{
    client::Request,
    gateway::{Config, Gateway},
    process::{Process, command, free_port},
    soon,
    upstream::{Absent, Answer, Upstream},
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

const EXPORTED: &str = "sluice_trace_spans_exported_total";

fn dropped(reason: &str) -> String {
    format!("sluice_trace_spans_dropped_total{{reason=\"{reason}\"}}")
}

async fn model() -> Upstream {
    Upstream::script([Answer::json(CHAT_REPLY)]).await
}

/// Puts so many requests through, quickly.
async fn serve(gateway: &Gateway, count: usize) {
    for _ in 0..count {
        let answer = child(chat(), PARENT).send(gateway.api).await.expect(200);
        assert!(answer.took < Duration::from_secs(1), "{:?}", answer.took);
    }
}

#[tokio::test]
async fn spans_go_together() {
    let (upstream, collector) = (model().await, Collector::new().await);
    let gateway = traced(&upstream, &collector).start().await;
    serve(&gateway, 20).await;
    let _ = collector.sent(40).await;
    assert!(collector.0.calls() <= 5, "{} batches", collector.0.calls());
    assert_eq!(collector.0.connections(), 1);
    gateway.metric_is(EXPORTED, 40.0).await;
}

#[tokio::test]
async fn nobody_at_the_address_costs_spans_and_nothing_else() {
    let (upstream, absent) = (model().await, Absent::new());
    let url = absent.base_url().replace("/v1", "");
    let gateway = Config::to(&upstream).section(&section(&url, ", sample: 100%")).start().await;
    serve(&gateway, 3).await;
    gateway.metric_is(&dropped("unreachable"), 6.0).await;
    assert_eq!(gateway.metric(EXPORTED).await, 0.0);
    // It comes, and is sent what is from now on.
    let collector = Collector(absent.comes(|_, _| taken()));
    serve(&gateway, 1).await;
    let _ = collector.sent(2).await;
}

#[tokio::test]
async fn what_a_collector_does_not_want_is_dropped_at_once() {
    for status in [400, 401, 404, 500] {
        let (upstream, collector) =
            (model().await, Collector(Upstream::script([Answer::error(status, "{}")]).await));
        let gateway = traced(&upstream, &collector).start().await;
        serve(&gateway, 2).await;
        gateway.metric_is(&dropped("refused"), 4.0).await;
        assert_eq!((collector.0.calls(), gateway.metric(EXPORTED).await), (1, 0.0), "{status}");
    }
}

#[tokio::test]
async fn what_a_collector_wants_later_is_sent_again() {
    let busy = Answer::status(503, &["retry-after: 1"], "");
    let (upstream, collector) = (model().await, Collector(Upstream::script([busy, taken()]).await));
    let gateway = traced(&upstream, &collector).start().await;
    serve(&gateway, 1).await;
    gateway.metric_is(EXPORTED, 2.0).await;
    assert_eq!(collector.0.calls(), 2);
    assert_eq!(collector.0.requests()[0].body, collector.0.requests()[1].body, "the same spans");
}

#[tokio::test]
async fn what_a_collector_takes_in_part_is_counted_as_such() {
    let (upstream, collector) = (model().await, Collector(Upstream::script([taken_but(1)]).await));
    let gateway = traced(&upstream, &collector).start().await;
    serve(&gateway, 1).await;
    gateway.metric_is(&dropped("refused"), 1.0).await;
    gateway.metric_is(EXPORTED, 1.0).await;
}

#[tokio::test]
async fn any_success_is_one() {
    for status in [200, 202, 204] {
        let (upstream, collector) =
            (model().await, Collector(Upstream::script([Answer::status(status, &[], "")]).await));
        let gateway = traced(&upstream, &collector).start().await;
        serve(&gateway, 1).await;
        gateway.metric_is(EXPORTED, 2.0).await;
        assert_eq!(collector.0.calls(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_collector_that_speaks_something_else_is_one_that_takes_nothing() {
    let other = Answer::new().send("\0\0\u{12}\u{4}\0\0\0\0\0").close();
    let (upstream, collector) = (model().await, Collector(Upstream::script([other]).await));
    let gateway = traced(&upstream, &collector).start().await;
    serve(&gateway, 1).await;
    gateway.metric_is(&dropped("unreachable"), 2.0).await;
}

#[tokio::test]
async fn a_collector_that_hangs_holds_up_neither_requests_nor_the_end() {
    let (upstream, collector) = (model().await, Collector(Upstream::script([Answer::new().hang()]).await));
    let gateway = traced(&upstream, &collector).start().await;
    serve(&gateway, 5).await;
    collector.0.called(1).await;
    serve(&gateway, 50).await;
    let began = Instant::now();
    soon("the end", gateway.running.stop(Duration::ZERO, Duration::from_secs(10))).await;
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_end_sends_what_is_there() {
    let (upstream, collector) = (model().await, Collector::new().await);
    let gateway = traced(&upstream, &collector).start().await;
    serve(&gateway, 3).await;
    let began = Instant::now();
    soon("the end", gateway.running.stop(Duration::ZERO, Duration::from_secs(10))).await;
    assert!(began.elapsed() < Duration::from_secs(2), "nothing more is waited for: {:?}", began.elapsed());
    assert_eq!(collector.spans().len(), 6);
}

#[tokio::test]
async fn a_reload_turns_traces_on_elsewhere_and_off() {
    let (upstream, one, other) = (model().await, Collector::new().await, Collector::new().await);
    let gateway = Config::to(&upstream).start().await;
    serve(&gateway, 1).await;
    gateway.apply(&traced(&upstream, &one));
    serve(&gateway, 1).await;
    gateway.apply(&traced(&upstream, &other));
    serve(&gateway, 2).await;
    gateway.apply(&Config::to(&upstream));
    serve(&gateway, 1).await;
    // What the old ones still held comes, and nothing else.
    let _ = (one.sent(2).await, other.sent(4).await);
    let _ = Request::post(CHAT, chat()).send(gateway.api).await.expect(401);
    assert_eq!((one.spans().len(), other.spans().len()), (2, 4));
}

#[tokio::test]
async fn a_collector_that_is_away_is_told_of_once_and_the_process_ends_as_ever() {
    let upstream = model().await;
    let local = || SocketAddr::from(([127, 0, 0, 1], free_port()));
    let (api, admin) = (local(), local());
    let url = format!("http://127.0.0.1:{}", free_port());
    let config = Config::to(&upstream).section(&section(&url, ", sample: 100%, headers: {x-token: hush}"));
    let folder = tempfile::tempdir().unwrap();
    let config = config.section("shutdown: {delay: 1s, drain: 10s}").state_dir(folder.path());
    let path = folder.path().join("sluice.yaml");
    std::fs::write(&path, config.yaml(&api.to_string(), &admin.to_string())).unwrap();
    let mut process = Process::start(command(&["serve", "--config", path.to_str().unwrap()]));
    process.listens(api).await;
    for _ in 0..2 {
        let _ = child(chat(), PARENT).send(api).await.expect(200);
    }
    process.signal("TERM");
    assert!(process.exit().await.success(), "{}", process.output());
    process.says("\"fault\":\"unreachable\",\"lost\":4").await;
    let said = process.output();
    assert_eq!(said.matches("the trace collector takes no spans").count(), 1, "{said}");
    assert!(!said.contains("hush"), "{said}");
}
