//! What was measured, and the JSON that says it.

use crate::plan::Plan;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

/// Counters and latencies; times are recorded in tenths of a microsecond.
pub(crate) struct Tally {
    measure_from: u64,
    latency: RefCell<Histogram<u64>>,
    scheduled: RefCell<Histogram<u64>>,
    first_event: RefCell<Histogram<u64>>,
    transit: RefCell<Histogram<u64>>,
    codes: RefCell<BTreeMap<u16, u64>>,
    error_sample: RefCell<String>,
    ok: Cell<u64>,
    errors: Cell<u64>,
    events: Cell<u64>,
    pub(crate) connections: Cell<u64>,
    last: Cell<u64>,
}

/// One finished request, in nanoseconds of the monotonic clock.
pub(crate) struct Finished {
    pub(crate) due: u64,
    pub(crate) start: u64,
    pub(crate) first_event: Option<u64>,
    pub(crate) end: u64,
    pub(crate) status: u16,
    pub(crate) events: u64,
}

impl Tally {
    pub(crate) fn new(measure_from: u64) -> Self {
        let histogram = || {
            let five_minutes = 3_000_000_000;
            RefCell::new(Histogram::new_with_bounds(1, five_minutes, 3).expect("valid bounds"))
        };
        Self {
            measure_from,
            latency: histogram(),
            scheduled: histogram(),
            first_event: histogram(),
            transit: histogram(),
            codes: RefCell::default(),
            error_sample: RefCell::default(),
            ok: Cell::new(0),
            errors: Cell::new(0),
            events: Cell::new(0),
            connections: Cell::new(0),
            last: Cell::new(measure_from),
        }
    }

    /// Records the way of one chunk.
    pub(crate) fn chunk(&self, sent: u64, received: u64) {
        if sent >= self.measure_from {
            record(&self.transit, received.saturating_sub(sent));
        }
    }

    /// Records a request that got an answer.
    pub(crate) fn finished(&self, request: &Finished, body: &[u8]) {
        // CPU is measured over the whole run, so events count from the start; latencies do not.
        self.events.set(self.events.get() + request.events);
        if request.status != 200 {
            self.failed(&String::from_utf8_lossy(body));
        }
        if request.start < self.measure_from {
            return;
        }
        *self.codes.borrow_mut().entry(request.status).or_default() += 1;
        if request.status == 200 {
            self.ok.set(self.ok.get() + 1);
            self.last.set(request.end);
            record(&self.latency, request.end - request.start);
            record(&self.scheduled, request.end - request.due.min(request.start));
            if let Some(first) = request.first_event {
                record(&self.first_event, first - request.start);
            }
        }
    }

    /// Records a request that got none, or the wrong one.
    pub(crate) fn failed(&self, why: &str) {
        self.errors.set(self.errors.get() + 1);
        let mut sample = self.error_sample.borrow_mut();
        if sample.is_empty() {
            *sample = why.chars().take(600).collect();
        }
    }

    pub(crate) fn report(&self, plan: &Plan) -> Value {
        let seconds = (self.last.get() - self.measure_from) as f64 / 1e9;
        json!({
            "url": plan.url, "stream": plan.stream, "conns": plan.conns, "rps_target": plan.rps,
            "body_bytes": plan.body_size, "seconds": seconds,
            "sent": plan.sent(), "ok": self.ok.get(), "events": self.events.get(),
            "rps": self.ok.get() as f64 / seconds.max(1e-9),
            "errors": self.errors.get(), "error_sample": *self.error_sample.borrow(),
            "codes": *self.codes.borrow(), "connections": self.connections.get(),
            "latency_us": quantiles(&self.latency), "scheduled_us": quantiles(&self.scheduled),
            "first_event_us": quantiles(&self.first_event), "transit_us": quantiles(&self.transit),
        })
    }
}

fn record(histogram: &RefCell<Histogram<u64>>, nanoseconds: u64) {
    histogram.borrow_mut().saturating_record(nanoseconds / 100);
}

fn quantiles(histogram: &RefCell<Histogram<u64>>) -> Value {
    let histogram = histogram.borrow();
    let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 10.0;
    json!({"n": histogram.len(), "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": at(1.0)})
}
