//! One configuration, made ready for requests. Immutable; a request keeps the one it began with.

pub use crate::state::{
    keys::{KeyEntry, KeyIndex, Pattern},
    prices::PriceTable,
    provider::{Provider, ProviderError},
    routes::{ModelEntry, RouteTable, Target},
};
use crate::{
    cache::store::ResponseCache,
    state::{
        handles::{KeyMetrics, ModelMetrics, TargetMetrics},
        shared::Shared,
    },
    telemetry::{
        labels::{self, EndpointLabel},
        metrics::Metrics,
    },
};
use http::HeaderValue;
use sluice_config::model::{self, AuthMode, Limits, Settings};
use std::{collections::HashMap, sync::Arc};

/// One configuration, made ready.
pub struct Snapshot {
    /// What it was built from.
    pub settings: Arc<Settings>,
    /// Short hash of the configuration; differs between replicas on drift. Secrets do not enter it.
    pub hash: String,
    /// Client keys.
    pub keys: KeyIndex,
    /// The caller of open mode; absent when keys are asked for.
    pub open: Option<Arc<KeyEntry>>,
    /// Models.
    pub models: RouteTable,
    /// What tokens cost.
    pub prices: PriceTable,
    /// The response cache, when one is configured.
    pub cache: Option<CacheSetup>,
    /// Names of tags that are kept in usage records.
    pub tags: Box<[Arc<str>]>,
}

/// The response cache and its common settings.
pub struct CacheSetup {
    /// Stored answers; outlive the snapshot.
    pub cache: Arc<ResponseCache>,
    /// What holds where neither the model nor the key says otherwise.
    pub common: model::Cache,
}

/// Endpoints that call models.
const CALLS: &[EndpointLabel] =
    &[EndpointLabel::Completions, EndpointLabel::Chat, EndpointLabel::Embeddings, EndpointLabel::Responses];

/// Caps the values of one label; what is beyond shares `_other`.
struct Capped<'a> {
    label: &'static str,
    left: usize,
    metrics: &'a Metrics,
}

impl Capped<'_> {
    fn value<'v>(&mut self, value: &'v str) -> &'v str {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return value;
        }
        self.metrics.label_overflow.with_label_values(&[self.label]).inc();
        labels::OTHER
    }
}

impl Snapshot {
    /// Builds a snapshot from validated settings.
    ///
    /// # Errors
    /// When a provider cannot be made ready.
    pub fn build(settings: Arc<Settings>, shared: &Shared, metrics: &Metrics) -> Result<Self, ProviderError> {
        let mut providers = HashMap::new();
        for provider in &settings.providers {
            metrics.start_provider(&provider.name);
            let ready = Arc::new(Provider::build(provider, shared.client(provider, metrics)?)?);
            providers.insert(provider.name.as_str(), ready);
        }

        let caps = settings.telemetry.metrics;
        let mut model_labels = Capped { label: "model", left: caps.max_models, metrics };
        let mut models = RouteTable::default();
        for model in &settings.models {
            let label = model_labels.value(&model.name);
            models.insert(Arc::new(model_entry(model, label, &settings, &providers, metrics)));
        }

        let mut key_labels = Capped { label: "key", left: caps.max_keys, metrics };
        let mut keys = KeyIndex::default();
        for key in &settings.keys {
            let label = key_labels.value(&key.name);
            keys.insert(key.hash, Arc::new(key_entry(key, label, &settings, shared, metrics)));
        }
        let open =
            (settings.auth.mode == AuthMode::Open).then(|| Arc::new(open_entry(&settings, shared, metrics)));
        let cache = shared
            .response_cache(&settings, metrics)?
            .zip(settings.cache.clone())
            .map(|(cache, common)| CacheSetup { cache, common });
        let hash = hash(&settings);
        let prices = PriceTable::new(&settings.prices, &settings.providers);
        let tags = settings.ledger.tags.iter().map(|name| name.as_str().into()).collect();
        Ok(Self { settings, hash, keys, open, models, prices, cache, tags })
    }
}

fn model_entry(
    model: &model::Model,
    label: &str,
    settings: &Settings,
    providers: &HashMap<&str, Arc<Provider>>,
    metrics: &Metrics,
) -> ModelEntry {
    let mut targets: Vec<Arc<Target>> = model
        .targets
        .iter()
        .filter_map(|target| {
            // Validated settings name only providers that exist.
            let provider = providers.get(target.provider.as_str())?.clone();
            Some(Arc::new(Target {
                metrics: TargetMetrics::new(metrics, &provider.name, &target.model, label),
                provider,
                model_header: (!target.model.contains(['*', '{']))
                    .then(|| HeaderValue::from_str(&target.model).ok())
                    .flatten(),
                model: target.model.as_str().into(),
                weight: target.weight,
                priority: target.priority,
                settings: target.clone(),
            }))
        })
        .collect();
    targets.sort_by_key(|target| target.priority);
    let own = model.resilience.as_ref();
    let common = &settings.resilience;
    ModelEntry {
        name: model.name.as_str().into(),
        targets,
        context_window: model.context_window,
        max_output_tokens: model.max_output_tokens,
        attempts: own.and_then(|own| own.attempts).unwrap_or(common.attempts),
        commit_after: own.and_then(|own| own.commit_after).unwrap_or(common.commit_after),
        heartbeat: own.and_then(|own| own.heartbeat).unwrap_or(common.heartbeat),
        cache: model.cache.clone(),
        metrics: ModelMetrics::new(metrics, label, CALLS),
    }
}

fn key_entry(
    key: &model::Key,
    label: &str,
    settings: &Settings,
    shared: &Shared,
    metrics: &Metrics,
) -> KeyEntry {
    // A key's own block replaces the common one.
    let requests = |limits: &Option<Limits>| limits.as_ref().and_then(|limits| limits.requests);
    let limit = requests(&key.limits).or_else(|| requests(&settings.limits));
    KeyEntry {
        name: key.name.as_str().into(),
        tenant: key.tenant.as_str().into(),
        expires: key.expires,
        models: key.models.iter().map(|pattern| Pattern::parse(pattern)).collect(),
        cache: key.cache.clone(),
        requests: limit.map(|limit| shared.bucket(&key.name, limit)),
        metrics: KeyMetrics::new(metrics, &key.tenant, label),
    }
}

/// In open mode everybody is the same caller, who may ask for everything.
fn open_entry(settings: &Settings, shared: &Shared, metrics: &Metrics) -> KeyEntry {
    let limit = settings.limits.as_ref().and_then(|limits| limits.requests);
    KeyEntry {
        name: "open".into(),
        tenant: "default".into(),
        expires: None,
        models: vec![Pattern::Prefix(String::new())],
        cache: None,
        requests: limit.map(|limit| shared.bucket("open", limit)),
        metrics: KeyMetrics::new(metrics, "default", "open"),
    }
}

/// Secrets print as `***`, so the debug text is the configuration without them.
fn hash(settings: &Settings) -> String {
    let digest = blake3::hash(format!("{settings:?}").as_bytes());
    digest.to_hex().chars().take(12).collect()
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
