//! How many values a label may have. What is beyond shares `_other`, and is counted.

use crate::telemetry::{
    labels::{self, CappedLabel},
    metrics::Metrics,
};
use sluice_config::model::MetricCaps;
use std::collections::HashMap;

/// Nobody has more accounts; whoever does reads the rest together.
const MOST_PROVIDERS: usize = 20;
/// A model has a second target or two; those of hundreds of models need not all be told apart.
const TARGETS_PER_MODEL: usize = 2;

/// Caps the values of one label.
pub(super) struct Capped<'a> {
    label: CappedLabel,
    left: usize,
    metrics: &'a Metrics,
}

impl<'a> Capped<'a> {
    pub(super) fn new(label: CappedLabel, caps: &MetricCaps, metrics: &'a Metrics) -> Self {
        let left = match label {
            CappedLabel::Model => caps.max_models,
            CappedLabel::Provider => MOST_PROVIDERS,
            CappedLabel::UpstreamModel => caps.max_models.saturating_mul(TARGETS_PER_MODEL),
            CappedLabel::Tenant => caps.max_tenants,
            CappedLabel::Key => caps.max_keys,
        };
        Self { label, left, metrics }
    }

    /// The label of the next value.
    pub(super) fn value<'v>(&mut self, value: &'v str) -> &'v str {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return value;
        }
        self.metrics.label_overflow.with_label_values(&[self.label.as_str()]).inc();
        labels::OTHER
    }
}

/// Caps what providers call their models: several of ours can lead to the same, which counts once.
pub(super) struct CappedTargets<'a> {
    labels: Capped<'a>,
    /// By provider, then by model: is it within the cap?
    seen: HashMap<String, HashMap<String, bool>>,
}

impl<'a> CappedTargets<'a> {
    pub(super) fn new(caps: &MetricCaps, metrics: &'a Metrics) -> Self {
        Self { labels: Capped::new(CappedLabel::UpstreamModel, caps, metrics), seen: HashMap::new() }
    }

    /// The label of a target. The models of providers that share a label share one, too.
    pub(super) fn value<'v>(&mut self, provider: &str, provider_label: &str, model: &'v str) -> &'v str {
        if provider_label == labels::OTHER {
            return labels::OTHER;
        }
        let of_provider = self.seen.entry(provider.to_owned()).or_default();
        let is_within = match of_provider.get(model) {
            Some(is_within) => *is_within,
            None => {
                let is_within = self.labels.value(model) == model;
                of_provider.insert(model.to_owned(), is_within);
                is_within
            }
        };
        if is_within { model } else { labels::OTHER }
    }
}
