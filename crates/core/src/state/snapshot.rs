//! One configuration, made ready for requests. Immutable; a request keeps the one it began with.

pub use crate::state::{
    keys::{KeyEntry, KeyIndex, Pattern},
    prices::PriceTable,
    provider::{Provider, ProviderError},
    routes::{Hedge, ModelEntry, RouteTable, Rule, Target},
};
use crate::{
    cache::store::ResponseCache,
    limits::{
        scope::{LimitScope, ScopeKind},
        shared::SharedLimits,
    },
    state::{
        callers::Callers,
        caps::{Capped, CappedTargets},
        certificate, fallback_edges,
        handles::{ModelMetrics, ProviderMetrics, TargetMetrics},
        limits::Limited,
        names::Names,
        shared::Shared,
    },
    telemetry::{
        labels::{CappedLabel, EndpointLabel},
        metrics::Metrics,
        trace::Tracer,
    },
};
use http::HeaderValue;
use sluice_config::model::{self, AuthMode, Settings};
use std::{
    cell::RefCell,
    collections::HashMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Weak},
};
use tokio_rustls::TlsAcceptor;

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
    /// Providers, in the file's order, those without targets, too.
    pub providers: Vec<Arc<Provider>>,
    /// Models.
    pub models: RouteTable,
    /// What tokens cost.
    pub prices: PriceTable,
    /// The response cache, when one is configured.
    pub cache: Option<CacheSetup>,
    /// Names of tags that are kept in usage records.
    pub tags: Box<[Arc<str>]>,
    /// Limits that replicas share, when there is a Redis and anything to share.
    pub shared_limits: Option<Arc<SharedLimits>>,
    /// Makes traces, when they are wanted.
    pub tracer: Option<Arc<Tracer>>,
    /// Label values of what is configured.
    pub names: Names,
    /// The certificate for clients, when they are to use TLS.
    pub tls: Option<TlsAcceptor>,
}

/// The response cache and its common settings.
pub struct CacheSetup {
    /// Stored answers; outlive the snapshot.
    pub cache: Arc<ResponseCache>,
    /// What holds where neither the model nor the key says otherwise.
    pub common: model::Cache,
}

/// Endpoints that call models.
const CALLS: &[EndpointLabel] = &[
    EndpointLabel::Completions,
    EndpointLabel::Chat,
    EndpointLabel::Embeddings,
    EndpointLabel::Responses,
    EndpointLabel::Messages,
    EndpointLabel::CountTokens,
];

impl Snapshot {
    /// Builds a snapshot from validated settings.
    ///
    /// # Errors
    /// When a provider cannot be made ready, or Redis can never be reached.
    pub fn build(settings: Arc<Settings>, shared: &Shared, metrics: &Metrics) -> Result<Self, ProviderError> {
        // What can fail comes first, and leaves what is in use alone: settings that are refused have changed nothing.
        let tls = settings.listeners.api.tls.as_ref().map(certificate::acceptor).transpose()?;
        let caps = settings.telemetry.metrics;
        let mut provider_labels = Capped::new(CappedLabel::Provider, &caps, metrics);
        let mut ready = Vec::new();
        for provider in &settings.providers {
            let label = provider_labels.value(&provider.name);
            let client = shared.client(provider, label, metrics)?;
            let health = shared.health.provider(
                &provider.name,
                Provider::keys(provider),
                settings.resilience.retry_budget,
            );
            let handles = ProviderMetrics::new(metrics, label);
            ready.push((provider, Provider::build(provider, client, health, handles)?));
        }
        let tracer = shared.tracer(&settings, metrics)?;
        // Last of it: another Redis ends the link that the settings in force use.
        let redis = shared.redis(&settings, metrics)?;

        shared.keep_clients(ready.iter().map(|(provider, ready)| (*provider, ready.client.clone())));
        shared.keep_tracer(&settings, tracer.as_ref());
        let cache = shared.response_cache(&settings, redis.as_ref(), metrics);
        let shared_limits = shared.shared_limits(&settings, redis, metrics);
        shared.limits.forget_unused();
        let limits = |limited| shared.limits.scope(limited, shared_limits.is_some());
        let mut providers = HashMap::new();
        for (provider, mut ready) in ready {
            let (pool, retries) = (ready.pool.clone(), ready.retries.clone());
            shared.health.keep(&provider.name, pool, retries, settings.resilience.retry_budget);
            ready.limits = limits(Limited {
                limits: provider.limits.as_ref(),
                concurrency: provider.max_concurrency.map(|most| u32::try_from(most).unwrap_or(u32::MAX)),
                ..Limited::new(ScopeKind::Provider, &provider.name)
            });
            providers.insert(provider.name.as_str(), Arc::new(ready));
        }

        let mut model_labels = Capped::new(CappedLabel::Model, &caps, metrics);
        let target_labels = RefCell::new(CappedTargets::new(&caps, metrics));
        let mut models = RouteTable::default();
        for model in &settings.models {
            let label = model_labels.value(&model.name);
            let limited =
                Limited { limits: model.limits.as_ref(), ..Limited::new(ScopeKind::Model, &model.name) };
            let shape = Shape {
                label,
                settings: &settings,
                providers: &providers,
                target_labels: &target_labels,
                shared,
                metrics,
            };
            models.insert(Arc::new(shape.entry(model, limits(limited))));
        }

        let callers = Callers::new(&settings, &shared.limits, shared_limits.is_some(), metrics);
        let mut keys = KeyIndex::default();
        let mut key_labels = Capped::new(CappedLabel::Key, &caps, metrics);
        for key in &settings.keys {
            keys.insert(key.hash, Arc::new(callers.key(key, key_labels.value(&key.name))));
        }
        let open = (settings.auth.mode == AuthMode::Open).then(|| Arc::new(callers.everybody()));
        let cache = cache.zip(settings.cache.clone()).map(|(cache, common)| CacheSetup { cache, common });
        shared.limits.ready(shared_limits.as_deref());
        shared.health.forget_unused(&settings);
        shared.forget_unused_redis(&settings);
        let hash = hash(&settings);
        let prices = PriceTable::new(&settings.prices, &settings.providers);
        let tags = settings.ledger.tags.iter().map(|name| name.as_str().into()).collect();
        let used = |provider: &model::Provider| providers.get(provider.name.as_str()).cloned();
        let providers: Vec<_> = settings.providers.iter().filter_map(used).collect();
        fallback_edges::start_at_zero(&models, metrics);
        let names = Names::of(&providers, &models, keys.all().chain(&open));
        Ok(Self {
            settings,
            hash,
            keys,
            open,
            providers,
            models,
            prices,
            cache,
            tags,
            shared_limits,
            tracer,
            names,
            tls,
        })
    }
}

/// What a model's entry is made from, beside its own settings.
struct Shape<'a> {
    label: &'a str,
    settings: &'a Settings,
    providers: &'a HashMap<&'a str, Arc<Provider>>,
    target_labels: &'a RefCell<CappedTargets<'a>>,
    shared: &'a Shared,
    metrics: &'a Metrics,
}

impl Shape<'_> {
    fn entry(&self, model: &model::Model, limits: Option<Arc<LimitScope>>) -> ModelEntry {
        let own = model.resilience.as_ref();
        let common = &self.settings.resilience;
        let rule =
            |rule: &model::Rule| Rule { when: rule.when.clone(), targets: self.targets(&rule.targets) };
        let metrics = ModelMetrics::new(self.metrics, self.label, CALLS);
        metrics.start(self.metrics, model.hedge.is_some(), model.resume != model::Resume::None);
        ModelEntry {
            name: model.name.as_str().into(),
            aliases: model.aliases.clone(),
            targets: self.targets(&model.targets),
            rules: model.rules.iter().map(rule).collect(),
            fallbacks: model.fallbacks.clone(),
            strategy: model.strategy,
            affinity: model.prompt_cache_affinity,
            context_window: model.context_window,
            max_output_tokens: model.max_output_tokens,
            attempts: own.and_then(|own| own.attempts).unwrap_or(common.attempts),
            backoff: common.backoff,
            strict: model.strict,
            resume: model.resume,
            hedge: model.hedge.as_ref().map(|hedge| Hedge {
                after: hedge.after,
                budget: self.shared.health.hedge(&model.name, hedge.max_ratio.0),
            }),
            commit_after: own.and_then(|own| own.commit_after).unwrap_or(common.commit_after),
            heartbeat: own.and_then(|own| own.heartbeat).unwrap_or(common.heartbeat),
            limits,
            cache: model.cache.clone(),
            metrics,
        }
    }

    /// By priority, then as written.
    fn targets(&self, targets: &[model::Target]) -> Vec<Arc<Target>> {
        let mut ready: Vec<_> = targets.iter().filter_map(|target| self.target(target)).collect();
        ready.sort_by_key(|target| target.priority);
        ready
    }

    /// Validated settings name only providers that exist.
    fn target(&self, target: &model::Target) -> Option<Arc<Target>> {
        let provider = self.providers.get(target.provider.as_str())?.clone();
        let circuit = self.settings.resilience.circuit;
        let place = provider.metrics.label();
        let label = self.target_labels.borrow_mut().value(&target.provider, place, &target.model);
        let stock = &self.shared.health;
        let health = stock.target(&provider.name, place, &target.model, circuit, self.metrics);
        let debt = self.shared.prompt_cache_debts.of(self.label);
        let endpoints = target.endpoints.as_deref().map(model::Endpoint::set);
        let door: Weak<Provider> = Arc::downgrade(&provider);
        health.lookout.watch(door);
        Some(Arc::new(Target {
            metrics: TargetMetrics::new(self.metrics, place, label, self.label, debt),
            health,
            model_header: (!target.model.contains(['*', '{']))
                .then(|| HeaderValue::from_str(&target.model).ok())
                .flatten(),
            known: (!target.model.contains(['*', '{'])).then(|| provider.family(&target.model, endpoints)),
            endpoints,
            provider,
            model: target.model.as_str().into(),
            weight: target.weight,
            priority: target.priority,
            settings: target.clone(),
        }))
    }
}

/// Secrets print as `***`, so the debug text is the configuration without them. Where a replica listens and keeps its
/// state is its own affair: replicas that share a configuration share a hash.
fn hash(settings: &Settings) -> String {
    let mut shared = settings.clone();
    shared.state_dir = PathBuf::new();
    for bind in [&mut shared.listeners.api.bind, &mut shared.listeners.admin.bind] {
        *bind = SocketAddr::from(([0; 4], 0));
    }
    let digest = blake3::hash(format!("{shared:?}").as_bytes());
    digest.to_hex().chars().take(12).collect()
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
