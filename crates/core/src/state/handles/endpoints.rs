//! Handles by endpoint, and others that belong to no model.

use crate::telemetry::{
    labels::{BypassLabel, EndpointLabel, PerLabel, Source, Stage},
    laps::Laps,
    metrics::Metrics,
};
use prometheus::{Histogram, IntCounter};
use std::time::Duration;

/// Handles by endpoint, and others that belong to no model.
pub struct EndpointMetrics {
    /// Why the cache was passed by.
    bypass: PerLabel<BypassLabel, IntCounter>,
    request_body: PerLabel<EndpointLabel, Histogram>,
    response_body: PerLabel<EndpointLabel, Histogram>,
    overhead: PerLabel<Source, Histogram>,
    stages: PerLabel<Stage, Histogram>,
}

impl EndpointMetrics {
    /// Resolves the handles.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            bypass: PerLabel::new(BypassLabel::ALL, |reason| {
                metrics.cache_bypass.with_label_values(&[reason.as_str()])
            }),
            request_body: PerLabel::new(EndpointLabel::ALL, |e| {
                metrics.request_body.with_label_values(&[e.as_str()])
            }),
            response_body: PerLabel::new(EndpointLabel::ALL, |e| {
                metrics.response_body.with_label_values(&[e.as_str()])
            }),
            stages: PerLabel::new(Stage::ALL, |stage| {
                metrics.stage_duration.with_label_values(&[stage.as_str()])
            }),
            overhead: PerLabel::new(Source::ALL, |s| metrics.overhead.with_label_values(&[s.as_str()])),
        }
    }

    /// Counts a request that passed the cache by.
    pub fn bypassed(&self, reason: BypassLabel) {
        if let Some(counter) = self.bypass.get(reason) {
            counter.inc();
        }
    }

    /// Observes our own time in a request.
    pub fn observe_overhead(&self, source: Source, overhead: Duration) {
        if let Some(histogram) = self.overhead.get(source) {
            histogram.observe(overhead.as_secs_f64());
        }
    }

    /// Observes what our own time went to.
    pub fn observe_stages(&self, laps: &Laps) {
        for (stage, spent) in laps.spent() {
            if let Some(histogram) = self.stages.get(stage) {
                histogram.observe(spent.as_secs_f64());
            }
        }
    }

    /// Observes the sizes of both bodies.
    pub fn observe_sizes(&self, endpoint: EndpointLabel, request: u64, response: u64) {
        if let Some(histogram) = self.request_body.get(endpoint) {
            histogram.observe(request as f64);
        }
        if let Some(histogram) = self.response_body.get(endpoint) {
            histogram.observe(response as f64);
        }
    }
}
