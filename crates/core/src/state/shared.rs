//! State that outlives a reload, keyed by stable names: upstream connection pools, the link to Redis, answers.
//!
//! What can fail to be made is made first, beside what is in use; it takes its place with `keep_…` once nothing can
//! fail any more. So settings that are refused leave everything as it was.

use crate::{
    cache::{generations::Generations, metrics::TierMetrics, redis::RedisTier, store::ResponseCache},
    health::{lookout::Post, stock::HealthStock},
    limits::shared::SharedLimits,
    redis::{LinkMetrics, LinkSettings, LinkState, RedisLink},
    state::{background::Background, limits::LimitStock, provider::ProviderError, unclaimed::Unclaimed},
    telemetry::{debts::Debts, labels::CacheTier, metrics::Metrics, trace::Tracer},
    upstream::client::{ClientSettings, UpstreamClient},
};
use sluice_config::model::{self, Settings};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// What a new snapshot takes over from the one before.
pub struct Shared {
    /// Work that goes on behind the requests' backs.
    background: Background,
    redis: Mutex<Option<RedisInUse>>,
    cache: Mutex<Option<CacheInUse>>,
    generations: Arc<Generations>,
    tracer: Mutex<Option<(model::Traces, Arc<Tracer>)>>,
    clients: Mutex<HashMap<String, (ClientSettings, UpstreamClient)>>,
    /// Buckets and budgets.
    pub limits: LimitStock,
    /// How upstreams fare.
    pub health: HealthStock,
    /// What providers' prompt caches have cost so far and not brought back.
    pub prompt_cache_debts: Debts,
}

/// The link to Redis, where it leads, and its end.
struct RedisInUse {
    settings: model::Redis,
    link: Arc<RedisLink>,
    stop: CancellationToken,
}

/// The response cache, and which of the settings made it so.
struct CacheInUse {
    memory: u64,
    limit: u64,
    redis: Option<model::Redis>,
    cache: Arc<ResponseCache>,
}

impl Default for Shared {
    fn default() -> Self {
        Self::new(LimitStock::default())
    }
}

impl Shared {
    /// A gateway's state whose limits know what was spent before.
    #[must_use]
    pub fn new(limits: LimitStock) -> Self {
        let background = Background::default();
        let post = Post { tasks: background.tasks.clone(), stop: background.stop.clone() };
        Self {
            background,
            redis: Mutex::default(),
            cache: Mutex::default(),
            generations: Arc::default(),
            tracer: Mutex::default(),
            clients: Mutex::default(),
            limits,
            health: HealthStock::new(post),
            prompt_cache_debts: Debts::default(),
        }
    }

    /// Ends what goes on behind the requests' backs, and waits until what was begun is written and what was
    /// borrowed is given back.
    pub async fn finish_background(&self, patience: Duration) {
        // First, since a collector takes its time, too.
        if let Some((_, tracer)) = &*self.tracer.lock().unwrap_or_else(PoisonError::into_inner) {
            tracer.finish();
        }
        if let Some(shared) = self.limits.shared_now() {
            tokio::time::timeout(patience, shared.leave()).await.ok();
        }
        self.background.finish(patience).await;
    }

    /// Answers that are read to their end without a client.
    #[must_use]
    pub fn unclaimed(&self) -> &Unclaimed {
        &self.background.unclaimed
    }

    /// The limits that replicas share, when there is a Redis, at the other end of `link`, and anything to share.
    pub fn shared_limits(
        &self,
        settings: &Settings,
        link: Option<Arc<RedisLink>>,
        metrics: &Metrics,
    ) -> Option<Arc<SharedLimits>> {
        let link = link.filter(|_| LimitStock::are_wanted(settings));
        self.limits.shared(link, settings, metrics, &self.background)
    }

    /// The link to Redis, if anything in these settings uses one: the one in use, unless where it leads has changed.
    ///
    /// # Errors
    /// When the address of Redis can never be used; then the one in use stays.
    pub fn redis(
        &self,
        settings: &Settings,
        metrics: &Metrics,
    ) -> Result<Option<Arc<RedisLink>>, ProviderError> {
        let Some(wanted) = redis_in(settings) else { return Ok(None) };
        let mut redis = self.redis.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = redis.as_ref().filter(|used| used.settings == *wanted) {
            return Ok(Some(used.link.clone()));
        }
        let handles = LinkMetrics::new(
            metrics.redis_up.clone(),
            &metrics.redis_op_duration,
            metrics.redis_errors.clone(),
        );
        let stop = self.background.stop.child_token();
        let settings = LinkSettings::from(wanted);
        let link = RedisLink::start(&settings, handles, &self.background.tasks, stop.clone())
            .map_err(|error| ProviderError::Redis(error.to_string()))?;
        // Requests that still use the old link find it away, which they know to live with.
        if let Some(old) = redis.replace(RedisInUse { settings: wanted.clone(), link: link.clone(), stop }) {
            old.stop.cancel();
        }
        Ok(Some(link))
    }

    /// The link in use.
    #[must_use]
    pub fn redis_state(&self) -> Option<LinkState> {
        let redis = self.redis.lock().unwrap_or_else(PoisonError::into_inner);
        redis.as_ref().map(|used| used.link.state())
    }

    /// The response cache of some settings, if they want one. What is in memory and what is under way stays as
    /// long as the size of the memory does, whatever else changes. `link` leads to the second tier.
    pub fn response_cache(
        &self,
        settings: &Settings,
        link: Option<&Arc<RedisLink>>,
        metrics: &Metrics,
    ) -> Option<Arc<ResponseCache>> {
        let mut used = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(common) = &settings.cache else {
            *used = None;
            return None;
        };
        let redis = settings.redis.as_ref().filter(|_| common.redis);
        let (memory, limit) = (common.memory.0, common.max_entry.0);
        let old = used.as_ref().filter(|used| used.memory == memory);
        if let Some(same) = old.filter(|used| used.limit == limit && used.redis.as_ref() == redis) {
            return Some(same.cache.clone());
        }
        let second =
            redis.zip(link).map(|(redis, link)| self.second_tier(redis, link.clone(), limit, metrics));
        let cache = Arc::new(match old {
            Some(old) => old.cache.with_second(second),
            None => ResponseCache::new(memory, second, self.generations.clone(), metrics),
        });
        *used = Some(CacheInUse { memory, limit, redis: redis.cloned(), cache: cache.clone() });
        Some(cache)
    }

    fn second_tier(
        &self,
        redis: &model::Redis,
        link: Arc<RedisLink>,
        limit: u64,
        metrics: &Metrics,
    ) -> Arc<RedisTier> {
        let handles = TierMetrics::new(metrics, CacheTier::Redis);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let generations = self.generations.clone();
        RedisTier::start(link, &redis.key_prefix, limit, generations, handles, &self.background)
    }

    /// Ends a link that nothing in these settings uses.
    pub fn forget_unused_redis(&self, settings: &Settings) {
        if redis_in(settings).is_some() {
            return;
        }
        let mut redis = self.redis.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = redis.take() {
            old.stop.cancel();
        }
    }

    /// Makes traces, if these settings want any: the one in use, unless they say otherwise of it.
    ///
    /// # Errors
    /// When the collector can never be spoken to.
    pub fn tracer(
        &self,
        settings: &Settings,
        metrics: &Metrics,
    ) -> Result<Option<Arc<Tracer>>, ProviderError> {
        let Some(wanted) = &settings.telemetry.traces else { return Ok(None) };
        let used = self.tracer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, tracer)) = used.as_ref().filter(|(settings, _)| settings == wanted) {
            return Ok(Some(tracer.clone()));
        }
        let stop = self.background.stop.child_token();
        Ok(Some(Arc::new(Tracer::start(wanted, metrics, &self.background.writing, stop)?)))
    }

    /// From now on this one makes traces. One that is no longer wanted sends what it holds when the last request that
    /// has it has ended.
    pub fn keep_tracer(&self, settings: &Settings, tracer: Option<&Arc<Tracer>>) {
        let tracer = settings.telemetry.traces.clone().zip(tracer.cloned());
        *self.tracer.lock().unwrap_or_else(PoisonError::into_inner) = tracer;
    }

    /// The provider's connection pool: the one in use, unless how it connects has changed. `label` is the
    /// provider's in metrics.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn client(
        &self,
        provider: &model::Provider,
        label: &str,
        metrics: &Metrics,
    ) -> Result<UpstreamClient, ProviderError> {
        let wanted = ClientSettings::of(provider);
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let old = clients.get(&provider.name);
        if let Some((settings, client)) = old
            && *settings == wanted
        {
            return Ok(client.clone());
        }
        // Connections of an old pool are the provider's as long as they last.
        let connections = old.map(|(_, client)| client.connections().clone()).unwrap_or_default();
        let connects = metrics.connect_duration.with_label_values(&[label]);
        let reused = metrics.reused_retries.with_label_values(&[label]);
        UpstreamClient::new(&wanted, connects, reused, connections, self.background.tasks.clone())
            .map_err(|error| ProviderError::Tls(provider.name.clone(), error.to_string()))
    }

    /// From now on these connection pools are in use, and those of no other provider.
    pub fn keep_clients<'a>(&self, used: impl Iterator<Item = (&'a model::Provider, UpstreamClient)>) {
        let used =
            used.map(|(provider, client)| (provider.name.clone(), (ClientSettings::of(provider), client)));
        *self.clients.lock().unwrap_or_else(PoisonError::into_inner) = used.collect();
    }
}

/// The Redis that something in these settings uses.
fn redis_in(settings: &Settings) -> Option<&model::Redis> {
    let of_cache = settings.cache.as_ref().is_some_and(|cache| cache.redis);
    settings.redis.as_ref().filter(|_| of_cache || LimitStock::are_wanted(settings))
}
