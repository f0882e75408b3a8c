//! Which provider can hand a model's requests to which other, so that these counts start at zero.

use crate::{
    state::routes::RouteTable,
    telemetry::{labels::AttemptOutcome, metrics::Metrics},
};
use std::collections::BTreeSet;

/// What makes a request go on to another target.
const REASONS: [AttemptOutcome; 6] = [
    AttemptOutcome::RateLimited,
    AttemptOutcome::ServerError,
    AttemptOutcome::Timeout,
    AttemptOutcome::ConnectError,
    AttemptOutcome::BadResponse,
    AttemptOutcome::AuthError,
];
/// A model with more providers would cost hundreds of series that nearly all stay at zero: there a count begins when
/// something is counted.
const MOST_PROVIDERS: usize = 4;

/// Makes the series of every model.
pub(super) fn start_at_zero(models: &RouteTable, metrics: &Metrics) {
    for entry in models.all() {
        let fallbacks = entry.fallbacks.iter().filter_map(|name| models.find(name));
        let targets = entry.all_targets().chain(fallbacks.flat_map(|fallback| &fallback.targets));
        let providers: BTreeSet<&str> = targets.map(|target| target.provider.metrics.label()).collect();
        if providers.len() > MOST_PROVIDERS {
            continue;
        }
        // Both ways: when all have failed once, the first may be asked again.
        for from in &providers {
            for to in providers.iter().filter(|to| *to != from) {
                for reason in REASONS {
                    let labels = [entry.metrics.label(), from, to, reason.as_str()];
                    metrics.fallbacks.with_label_values(&labels);
                }
            }
        }
    }
}
