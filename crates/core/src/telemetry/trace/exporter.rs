//! Takes finished spans off the requests' hands and brings them to a collector, in batches.
//!
//! A request hands its spans over and goes on: the queue is bounded, and what has no room in it is dropped and
//! counted. One task sends; it tries a batch again when the collector asks for that or is away, for a short while,
//! and drops it then. Nothing waits for it but the end of the process, and that only so long.

use super::{
    collector::{Collector, Fault},
    otlp::Span,
};
use crate::telemetry::{labels::SpanLoss, metrics::Metrics};
use bytes::Bytes;
use prometheus::{IntCounter, IntCounterVec};
use std::time::Duration;
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::{Instant, sleep, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Requests whose spans may wait.
const WAITING: usize = 4096;
/// Spans that are sent together, but for what the last request of them has more.
const BATCH: usize = 512;
/// Spans wait so long for others to go with them.
const GATHER: Duration = Duration::from_secs(1);
/// Waits between the tries of one batch.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// A collector may ask for a longer one, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A collector that stays away is told of so often.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Where spans are handed in. The task behind it ends with the last clone.
#[derive(Clone)]
pub(super) struct Exporter {
    queue: mpsc::Sender<Vec<Span>>,
    dropped: IntCounterVec,
    finish: CancellationToken,
}

impl Exporter {
    /// Starts the task; `stop` ends it wherever it is.
    pub(super) fn start(
        collector: Collector,
        metrics: &Metrics,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let finish = CancellationToken::new();
        let mut sender = Sender {
            collector,
            waiting,
            finish: finish.clone(),
            exported: metrics.trace_spans_exported.clone(),
            dropped: metrics.trace_spans_dropped.clone(),
            in_hand: 0,
            away: Away::default(),
        };
        tasks.spawn(async move {
            let cut = tokio::select! {
                () = sender.run() => false,
                () = stop.cancelled() => true,
            };
            if cut {
                sender.abandon();
            }
        });
        Self { queue, dropped: metrics.trace_spans_dropped.clone(), finish }
    }

    /// Hands in the spans of one request. Never waits.
    pub(super) fn hand_in(&self, spans: Vec<Span>) {
        let (spans, why) = match self.queue.try_send(spans) {
            Ok(()) => return,
            Err(TrySendError::Full(spans)) => (spans, SpanLoss::QueueFull),
            Err(TrySendError::Closed(spans)) => (spans, SpanLoss::Shutdown),
        };
        count(&self.dropped, why, spans.len());
    }

    /// What is in the queue is sent at once, each batch tried a single time; nothing is taken any more.
    pub(super) fn finish(&self) {
        self.finish.cancel();
    }
}

fn count(dropped: &IntCounterVec, why: SpanLoss, spans: usize) {
    dropped.with_label_values(&[why.as_str()]).inc_by(spans as u64);
}

/// The task's side.
struct Sender {
    collector: Collector,
    waiting: mpsc::Receiver<Vec<Span>>,
    finish: CancellationToken,
    exported: IntCounter,
    dropped: IntCounterVec,
    /// Spans taken out of the queue of which it is not known yet what becomes of them.
    in_hand: usize,
    away: Away,
}

impl Sender {
    async fn run(&mut self) {
        loop {
            let batch = self.gather().await;
            if batch.is_empty() {
                return;
            }
            self.bring(batch).await;
        }
    }

    /// The next batch; empty when there will be none.
    async fn gather(&mut self) -> Vec<Span> {
        let Some(mut batch) = self.next().await else { return Vec::new() };
        let due = Instant::now() + GATHER;
        while batch.len() < BATCH {
            match timeout_at(due, self.next()).await {
                Ok(Some(more)) => batch.extend(more),
                Ok(None) | Err(_) => break,
            }
        }
        batch
    }

    async fn next(&mut self) -> Option<Vec<Span>> {
        let spans = tokio::select! {
            biased;
            () = self.finish.cancelled() => {
                self.waiting.close();
                self.waiting.recv().await
            }
            spans = self.waiting.recv() => spans,
        };
        self.in_hand += spans.as_ref().map_or(0, Vec::len);
        spans
    }

    /// Brings a batch to the collector, or drops it.
    async fn bring(&mut self, batch: Vec<Span>) {
        let spans = batch.len();
        let body = self.collector.pack(batch);
        match self.send(&body).await {
            Ok(rejected) => {
                let rejected = spans.min(rejected);
                self.exported.inc_by((spans - rejected) as u64);
                count(&self.dropped, SpanLoss::Refused, rejected);
                self.away.over();
            }
            Err(fault) => {
                count(&self.dropped, fault.loss(), spans);
                self.away.tell(&fault, spans);
            }
        }
        self.in_hand = 0;
    }

    async fn send(&self, body: &Bytes) -> Result<usize, Fault> {
        let mut pauses = PAUSES.iter();
        loop {
            let fault = match self.collector.send(body.clone()).await {
                Ok(rejected) => return Ok(rejected),
                Err(fault) => fault,
            };
            let pause = pauses.next().filter(|_| fault.may_pass());
            let (Some(pause), false) = (pause, self.finish.is_cancelled()) else { return Err(fault) };
            let pause = fault.wanted_pause().unwrap_or(*pause).min(LONGEST_PAUSE);
            tokio::select! {
                () = sleep(pause) => {}
                // Once more, now.
                () = self.finish.cancelled() => {}
            }
        }
    }

    /// The end came first.
    fn abandon(&mut self) {
        self.waiting.close();
        let mut lost = self.in_hand;
        while let Ok(spans) = self.waiting.try_recv() {
            lost += spans.len();
        }
        if lost == 0 {
            return;
        }
        count(&self.dropped, SpanLoss::Shutdown, lost);
        tracing::warn!(lost, "the end came before the trace collector had taken every span");
    }
}

/// A collector that takes nothing: told at once, and then now and again.
#[derive(Default)]
struct Away {
    told: Option<Instant>,
    lost: usize,
}

impl Away {
    fn tell(&mut self, fault: &Fault, spans: usize) {
        self.lost += spans;
        let now = Instant::now();
        if self.told.is_some_and(|told| now.duration_since(told) < TOLD_EVERY) {
            return;
        }
        self.told = Some(now);
        let lost = std::mem::take(&mut self.lost);
        tracing::warn!(
            fault = fault.reason(),
            status = fault.status(),
            lost,
            "the trace collector takes no spans"
        );
    }

    fn over(&mut self) {
        if self.told.take().is_some() {
            self.lost = 0;
            tracing::info!("the trace collector takes spans again");
        }
    }
}

#[cfg(test)]
#[path = "exporter_tests.rs"]
mod tests;
