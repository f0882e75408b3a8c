//! Everything that is known of upstreams, by the names of the configuration. Outlives a reload.

use super::{
    Health, HedgeBudget, KeyPool, RetryBudget,
    circuit::State,
    key_pool::KeySpec,
    lookout::{Lookout, Post},
};
use crate::telemetry::metrics::Metrics;
use sluice_config::model::{self, Settings};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// See the module.
#[derive(Debug, Default)]
pub struct HealthStock {
    known: Mutex<Inner>,
    post: Post,
}

#[derive(Debug, Default)]
struct Inner {
    /// By provider, then by model.
    targets: HashMap<Box<str>, HashMap<Box<str>, Arc<Health>>>,
    providers: HashMap<Box<str>, (Arc<KeyPool>, Arc<RetryBudget>)>,
    /// By model.
    hedges: HashMap<Box<str>, Arc<HedgeBudget>>,
}

impl HealthStock {
    /// Knows nothing yet; targets that are lost are looked for from this post.
    #[must_use]
    pub fn new(post: Post) -> Self {
        Self { known: Mutex::default(), post }
    }

    /// What is known of a target; `label` is its provider's in metrics.
    #[must_use]
    pub fn target(
        &self,
        provider: &str,
        label: &str,
        model: &str,
        rules: model::Circuit,
        metrics: &Metrics,
    ) -> Arc<Health> {
        let mut inner = self.lock();
        let models = inner.targets.entry(provider.into()).or_default();
        let health = models.entry(model.into()).or_insert_with(|| {
            let counter =
                |state: State| metrics.circuit_transitions.with_label_values(&[label, state.as_str()]);
            let lookout = Lookout::new(self.post.clone());
            Arc::new(Health::new(provider, model, rules, State::ALL.map(counter), lookout))
        });
        health.set_rules(rules);
        health.clone()
    }

    /// What is known of a provider's keys, and its retry budget. Keys keep their state as long as their secret
    /// stays. A budget that is in use keeps its rules until [`Self::keep`].
    #[must_use]
    pub fn provider(
        &self,
        name: &str,
        keys: Vec<KeySpec>,
        rules: model::RetryBudget,
    ) -> (Arc<KeyPool>, Arc<RetryBudget>) {
        let inner = self.lock();
        let old = inner.providers.get(name);
        let pool = Arc::new(KeyPool::new(keys, old.map(|(pool, _)| &**pool)));
        let budget = match old {
            Some((_, budget)) => budget.clone(),
            None => Arc::new(RetryBudget::new(rules, Instant::now())),
        };
        (pool, budget)
    }

    /// From now on these are the provider's.
    pub fn keep(&self, name: &str, pool: Arc<KeyPool>, budget: Arc<RetryBudget>, rules: model::RetryBudget) {
        budget.set_rules(rules);
        self.lock().providers.insert(name.into(), (pool, budget));
    }

    /// What a model may still spend on second requests.
    #[must_use]
    pub fn hedge(&self, model: &str, share: f64) -> Arc<HedgeBudget> {
        let budget = self.lock().hedges.entry(model.into()).or_default().clone();
        budget.set_share(share);
        budget
    }

    /// Forgets what no configuration names any more.
    pub fn forget_unused(&self, settings: &Settings) {
        let mut inner = self.lock();
        let exists = |name: &str| settings.providers.iter().any(|provider| provider.name == *name);
        inner.providers.retain(|name, _| exists(name));
        for models in inner.targets.values_mut() {
            // Whoever is in use is held by a snapshot, or by a request under way.
            models.retain(|_, health| Arc::strong_count(health) > 1);
        }
        inner.targets.retain(|_, models| !models.is_empty());
        inner.hedges.retain(|_, budget| Arc::strong_count(budget) > 1);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
