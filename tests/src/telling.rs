//! What telling about a request costs: its record, the times of its stages, its metrics, its log line and its usage
//! record, on the thread that serves it.
//!
//! Requests are not served, only told about; of their tries, two at most, only the last one went well. The writers of
//! lines and records work on threads of their own, as in a gateway. What comes out are microseconds of the thread's
//! CPU for a streamed request of two tries and for plain ones of none, one and two, and what a scrape of the largest
//! gateway takes.

use crate::{ceiling, gateway::KEY, micro::cpu};
use sluice::{Running, StartOptions};
use sluice_config::{Env, Options, Source};
use sluice_core::{
    App, LedgerPlace, LogSink,
    state::snapshot::{ModelEntry, Target},
    telemetry::{
        exchange::{Attempt, Recorder, Streaming},
        labels::{AttemptOutcome, EndpointLabel, Outcome, Stage, StreamEnd},
        trace::SpanId,
    },
    upstream::body::Sent,
};
use sluice_protocol::{observe::Facts, usage::Usage};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::runtime::Builder;

/// Requests that are told about at one go: the ledger's writer keeps up between two.
const BATCH: usize = 1000;
const BATCHES: usize = 60;
const SCRAPES: usize = 20;

/// Measures it on a runtime of its own.
#[must_use]
pub fn report() -> serde_json::Value {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(measured())
}

async fn measured() -> serde_json::Value {
    let running = start().await;
    let app = running.app.clone();
    let (plain, stream) = tokio::task::block_in_place(|| {
        let figure = |tries, stream| {
            // A first round warms caches and makes the series.
            measure(&app, tries, stream, 3);
            measure(&app, tries, stream, BATCHES)
        };
        ([0, 1, 2].map(|tries| figure(tries, false)), figure(2, true))
    });
    let (series, scrape) = tokio::task::block_in_place(|| scrapes(&app));
    serde_json::json!({"plain_us": plain, "stream_us": stream, "scrape_ms": scrape, "series": series})
}

async fn start() -> Running {
    let yaml = ceiling::yaml("http://127.0.0.1:1/v1");
    let source = Source::Text { name: "bench", text: &yaml, base: Path::new(".") };
    let options = Options { env: Env::Map(BTreeMap::new()), env_optional: false };
    let settings =
        sluice_config::load(source, &options).unwrap_or_else(|report| panic!("{}", report.render(false)));
    let logs = LogSink::to(Box::new(std::io::sink()));
    let running = sluice::start(settings.settings, StartOptions::new(logs, LedgerPlace::Memory)).await;
    running.expect("a gateway")
}

/// Microseconds a request: the median of batches.
#[expect(clippy::disallowed_methods, reason = "the runtime was told that this thread is ours for now")]
fn measure(app: &Arc<App>, tries: usize, stream: bool, batches: usize) -> f64 {
    let snapshot = app.snapshot();
    let entry = snapshot.models.find("m0").expect("the first model").clone();
    let key = snapshot.keys.find(KEY.as_bytes()).expect("the first key").clone();
    let told = |id: &Arc<str>| {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut record = Recorder::open(app.clone(), id.clone(), peer, EndpointLabel::Chat);
        record.key = Some(key.clone());
        record.model = Some(entry.clone());
        serve(&mut record, &entry, tries, stream);
        record.finish(Outcome::Ok);
    };
    let id: Arc<str> = "0123456789abcdef0123456789abcdef".into();
    let mut costs: Vec<f64> = (0..batches)
        .map(|_| {
            let before = cpu();
            (0..BATCH).for_each(|_| told(&id));
            let spent = cpu() - before;
            while app.metrics.ledger_queue.get() > 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            spent / BATCH as f64
        })
        .collect();
    costs.sort_by(f64::total_cmp);
    costs.get(costs.len() / 2).copied().unwrap_or_default()
}

/// What the pipeline notes of a request that the last of so many targets answers, or, without any, the cache.
fn serve(record: &mut Recorder, entry: &ModelEntry, tries: usize, stream: bool) {
    for stage in [Stage::Auth, Stage::Limit] {
        record.laps.end(stage);
    }
    record.received(1000);
    for stage in [Stage::Decode, Stage::Route, Stage::Cache, Stage::Route, Stage::Limit, Stage::Cache] {
        record.laps.end(stage);
    }
    let outcomes = [AttemptOutcome::ServerError, AttemptOutcome::Ok];
    for (target, outcome) in entry.targets.iter().zip(outcomes.into_iter().skip(2 - tries)) {
        record.laps.skip();
        record.laps.end(Stage::Encode);
        record.target = Some(target.clone());
        let mut attempt = begin(target);
        if outcome == AttemptOutcome::Ok {
            attempt.status = Some(200);
        } else {
            attempt.reason = Some("status");
        }
        attempt.took = Some(attempt.began.elapsed());
        attempt.outcome = outcome;
        record.attempts.push(attempt);
    }
    let usage = Usage { input: 100, output: 50, ..Usage::default() };
    record.answered(&Facts { usage: Some(usage), ..Facts::default() });
    record.status = 200;
    record.response_bytes = 1000;
    record.stream = stream;
    if stream {
        let now = Instant::now();
        record.streaming = Some(Streaming {
            first_content: Some(now),
            last_content: Some(now),
            content_events: 50,
            max_gap: Duration::from_millis(5),
            end: Some(StreamEnd::Done),
        });
    }
}

fn begin(target: &Arc<Target>) -> Attempt {
    Attempt {
        target: target.clone(),
        model: target.model.clone(),
        outcome: AttemptOutcome::Cancelled,
        status: None,
        reason: None,
        said: None,
        began: Instant::now(),
        took: None,
        sent: Sent::default(),
        facts: None,
        span: SpanId::draw(),
        trial: target.health.anyway(),
    }
}

/// Series in a scrape of the largest gateway when all of it is in use, and the median time of one, in milliseconds.
fn scrapes(app: &App) -> (i64, f64) {
    let snapshot = app.snapshot();
    // The kinds of requests that nobody has made yet.
    for entry in snapshot.models.all() {
        for (endpoint, stream) in [(EndpointLabel::Responses, true), (EndpointLabel::Completions, false)] {
            entry.metrics.count(&app.metrics, endpoint, Outcome::Ok, 200, stream);
        }
    }
    let mut times: Vec<f64> = (0..SCRAPES)
        .map(|_| {
            let begin = Instant::now();
            std::hint::black_box(app.metrics_text());
            begin.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (app.metrics.series.get(), times.get(times.len() / 2).copied().unwrap_or_default())
}
