//! CPU time as the clock has it. The standard collector counts whole seconds, so that a gateway with little to do shows
//! as idle between spikes that are none.

use prometheus::proto::{Counter, MetricFamily};
use rustix::time::{ClockId, clock_gettime};

const NAME: &str = "process_cpu_seconds_total";

/// Puts the exact value in the place of the standard collector's.
pub(super) fn refine(families: &mut [MetricFamily]) {
    let Some(family) = families.iter_mut().find(|family| family.name() == NAME) else { return };
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    let mut counter = Counter::default();
    counter.set_value(spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9);
    for series in family.mut_metric() {
        series.set_counter(counter.clone());
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::metrics::Metrics;

    fn seconds(metrics: &Metrics) -> f64 {
        let text = String::from_utf8(metrics.text(|_, _| true)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("process_cpu_seconds_total "));
        line.unwrap().parse().unwrap()
    }

    #[test]
    fn less_than_a_second_shows() {
        let metrics = Metrics::new().unwrap();
        let before = seconds(&metrics);
        let begin = std::time::Instant::now();
        while begin.elapsed() < std::time::Duration::from_millis(50) {}
        let after = seconds(&metrics);
        assert!(after > before && after < before + 1.0, "{before} {after}");
    }
}
