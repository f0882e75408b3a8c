//! The queue and the batches, before collectors that take nothing.

use super::*;
use crate::telemetry::trace::otlp::Span;
use sluice_config::model::{Ratio, Traces};
use tokio::net::TcpListener;

struct House {
    exporter: Exporter,
    metrics: Metrics,
    tasks: TaskTracker,
    stop: CancellationToken,
}

fn house(url: String) -> House {
    let settings = Traces {
        otlp: url,
        sample: Ratio(1.0),
        slow: Duration::from_secs(1),
        headers: Vec::new(),
        ca_file: None,
    };
    let (metrics, tasks, stop) = (Metrics::new().unwrap(), TaskTracker::new(), CancellationToken::new());
    let collector = Collector::new(&settings).unwrap();
    let exporter = Exporter::start(collector, &metrics, &tasks, stop.clone());
    House { exporter, metrics, tasks, stop }
}

impl House {
    fn lost(&self, why: SpanLoss) -> u64 {
        self.metrics.trace_spans_dropped.with_label_values(&[why.as_str()]).get()
    }
}

fn request() -> Vec<Span> {
    vec![Span::default(), Span::default()]
}

/// Takes connections and says nothing.
async fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[tokio::test]
async fn what_has_no_room_is_dropped_and_counted_and_nobody_waits() {
    let (_listener, url) = silent().await;
    let house = house(url);
    let requests = 3 * WAITING;
    let began = std::time::Instant::now();
    for _ in 0..requests {
        house.exporter.hand_in(request());
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let lost = house.lost(SpanLoss::QueueFull);
    assert_eq!(lost, 2 * (requests - WAITING) as u64, "the task had no turn yet");

    house.stop.cancel();
    house.tasks.close();
    house.tasks.wait().await;
    assert_eq!(house.lost(SpanLoss::Shutdown), 2 * WAITING as u64, "every span is accounted for");
}

#[tokio::test]
async fn the_end_tries_each_batch_once_and_takes_nothing_more() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let house = house(url);
    for _ in 0..BATCH {
        house.exporter.hand_in(request());
    }
    house.exporter.finish();
    house.tasks.close();
    let ended = tokio::time::timeout(Duration::from_secs(10), house.tasks.wait()).await;
    assert!(ended.is_ok(), "without the pauses between tries");
    assert_eq!(house.lost(SpanLoss::Unreachable), 2 * BATCH as u64);
    house.exporter.hand_in(request());
    assert_eq!(house.lost(SpanLoss::Shutdown), 2);
}

#[tokio::test]
async fn what_is_under_way_when_the_end_comes_is_counted_too() {
    let (listener, url) = silent().await;
    let house = house(url);
    house.exporter.hand_in(request());
    let connection = listener.accept().await.unwrap();
    house.exporter.hand_in(request());
    house.stop.cancel();
    house.tasks.close();
    house.tasks.wait().await;
    assert_eq!(house.lost(SpanLoss::Shutdown), 4);
    drop(connection);
}

#[tokio::test]
async fn the_task_ends_with_whoever_could_hand_in() {
    let (_listener, url) = silent().await;
    let House { exporter, tasks, .. } = house(url);
    tasks.close();
    drop(exporter);
    assert!(tokio::time::timeout(Duration::from_secs(10), tasks.wait()).await.is_ok());
}
