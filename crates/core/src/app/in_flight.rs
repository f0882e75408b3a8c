//! Requests being served, as gauges and as one number.

use crate::telemetry::{labels::EndpointLabel, metrics::Metrics};
use prometheus::IntGauge;
use std::sync::atomic::{AtomicUsize, Ordering};

/// See the module.
pub(crate) struct InFlight {
    gauges: Vec<(EndpointLabel, IntGauge)>,
    total: AtomicUsize,
}

impl InFlight {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let gauge =
            |endpoint: &EndpointLabel| (*endpoint, metrics.in_flight.with_label_values(&[endpoint.as_str()]));
        Self { gauges: EndpointLabel::ALL.iter().map(gauge).collect(), total: AtomicUsize::new(0) }
    }

    pub(crate) fn enter(&self, endpoint: EndpointLabel) {
        self.total.fetch_add(1, Ordering::Relaxed);
        self.add(endpoint, 1);
    }

    pub(crate) fn leave(&self, endpoint: EndpointLabel) {
        self.total.fetch_sub(1, Ordering::Relaxed);
        self.add(endpoint, -1);
    }

    pub(crate) fn total(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    fn add(&self, endpoint: EndpointLabel, amount: i64) {
        if let Some((_, gauge)) = self.gauges.iter().find(|(own, _)| *own == endpoint) {
            gauge.add(amount);
        }
    }
}
