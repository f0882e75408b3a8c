//! The metric families, in one list, with their handles.
//!
//! One registry per app: several gateways can live in one process. Hot paths use handles that the snapshot
//! resolved; `with_label_values` hashes its labels on each call and is for rare events only.

mod cpu;
mod declare;
mod families;
mod rows;

pub use declare::{Family, Kind, Label};
pub use families::{FAMILIES, Metrics, PROCESS};
pub use rows::{CounterRow, CounterRows};

use crate::telemetry::labels::{
    AbortPhase, Alone, AuthFailure, BypassLabel, CappedLabel, EndpointLabel, Rejection, Reload, SpanLoss,
    StreamEnd,
};
use prometheus::{Encoder, TextEncoder, process_collector::ProcessCollector, proto::LabelPair};

impl Metrics {
    /// Makes a registry with every family in it.
    ///
    /// # Errors
    /// When a family is declared wrongly; that is a fault of the table.
    pub fn new() -> prometheus::Result<Self> {
        let metrics = Self::register()?;
        metrics.registry.register(Box::new(ProcessCollector::for_self()))?;
        metrics.start_at_zero();
        Ok(metrics)
    }

    /// Families whose labels are all closed start at zero, so that `increase` sees the first event.
    fn start_at_zero(&self) {
        for endpoint in EndpointLabel::ALL {
            self.in_flight.with_label_values(&[endpoint.as_str()]);
        }
        for reason in AuthFailure::ALL {
            self.auth_failures.with_label_values(&[reason.as_str()]);
        }
        for reason in Rejection::ALL {
            self.rejected.with_label_values(&[reason.as_str()]);
        }
        for reason in BypassLabel::ALL {
            self.cache_bypass.with_label_values(&[reason.as_str()]);
        }
        for mode in Alone::ALL {
            self.limiter_degraded.with_label_values(&[mode.as_str()]);
        }
        for result in Reload::ALL {
            self.reloads.with_label_values(&[result.as_str()]);
        }
        for why in SpanLoss::ALL {
            self.trace_spans_dropped.with_label_values(&[why.as_str()]);
        }
        for label in CappedLabel::ALL {
            self.label_overflow.with_label_values(&[label.as_str()]);
        }
        for phase in AbortPhase::ALL {
            self.client_aborts.with_label_values(&[phase.as_str()]);
        }
    }

    /// Families by provider start at zero.
    pub(crate) fn start_provider(&self, provider: &str) {
        for end in StreamEnd::ALL {
            self.stream_ends.with_label_values(&[provider, end.as_str()]);
        }
        self.streams_in_flight.with_label_values(&[provider]);
        self.reused_retries.with_label_values(&[provider]);
    }

    /// Everything in the Prometheus text format that `holds`, told a family's name and a series' labels. What does
    /// not is let go of.
    ///
    /// Nobody may resolve handles for a new configuration meanwhile: they would be let go of before they are known.
    #[must_use]
    pub fn text(&self, holds: impl Fn(&str, &[LabelPair]) -> bool) -> Vec<u8> {
        let mut families = self.registry.gather();
        cpu::refine(&mut families);
        for family in &mut families {
            let name = family.name().to_owned();
            family.mut_metric().retain(|series| {
                let labels = series.get_label();
                let is_held = holds(&name, labels);
                if !is_held && !OUTLIVING.contains(&name.as_str()) {
                    self.forget(&name, &labels.iter().map(|label| (label.name(), label.value())).collect());
                }
                is_held
            });
        }
        families.retain(|family| !family.get_metric().is_empty());
        let mut out = Vec::with_capacity(64 << 10);
        // Writing into a Vec cannot fail, and the families are ours.
        TextEncoder::new().encode(&families, &mut out).ok();
        self.series.set(count_samples(&out));
        out
    }
}

/// Families whose handles outlive a configuration, with a provider's connections and circuits: a provider that comes
/// back goes on with them. While it is away its series are not shown.
const OUTLIVING: &[&str] = &[
    "sluice_circuit_transitions_total",
    "sluice_reused_retries_total",
    "sluice_upstream_connect_duration_seconds",
];

/// Lines that are samples, not comments.
fn count_samples(text: &[u8]) -> i64 {
    let samples = text.split(|b| *b == b'\n').filter(|line| line.first().is_some_and(|b| *b != b'#')).count();
    i64::try_from(samples).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_families_start_at_zero() {
        let text = String::from_utf8(Metrics::new().unwrap().text(|_, _| true)).unwrap();
        assert!(text.contains("sluice_auth_failures_total{reason=\"missing\"} 0"), "{text}");
        assert!(text.contains("sluice_requests_in_flight{endpoint=\"chat\"} 0"));
        assert!(text.contains("process_cpu_seconds_total"));
    }

    #[test]
    fn two_gateways_in_one_process_do_not_share_counts() {
        let (a, b) = (Metrics::new().unwrap(), Metrics::new().unwrap());
        a.panics.inc();
        assert_eq!((a.panics.get(), b.panics.get()), (1, 0));
    }
}
