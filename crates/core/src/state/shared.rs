//! State that outlives a reload, keyed by stable names: upstream connection pools, buckets.

use crate::{
    cache::{generations::Generations, metrics::TierMetrics, redis::RedisTier, store::ResponseCache},
    limits::local::RequestBucket,
    redis::{LinkMetrics, LinkSettings, LinkState, RedisLink},
    state::provider::ProviderError,
    telemetry::labels::CacheTier,
    telemetry::metrics::Metrics,
    upstream::client::{ClientSettings, UpstreamClient},
};
use sluice_config::model::{self, RateLimit};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What a new snapshot takes over from the one before.
#[derive(Default)]
pub struct Shared {
    /// Work that goes on behind the requests' backs.
    background: Background,
    redis: Mutex<Option<RedisInUse>>,
    cache: Mutex<Option<(CacheShape, Arc<ResponseCache>)>>,
    generations: Arc<Generations>,
    clients: Mutex<HashMap<String, (ClientSettings, UpstreamClient)>>,
    buckets: Mutex<HashMap<String, Arc<RequestBucket>>>,
}

/// Tasks that belong to no request; they end with the gateway.
#[derive(Default)]
struct Background {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The link to Redis, where it leads, and its end.
struct RedisInUse {
    settings: model::Redis,
    link: Arc<RedisLink>,
    stop: CancellationToken,
}

/// What of the settings decides whether the cache in use can stay.
#[derive(Debug, Clone, PartialEq)]
struct CacheShape {
    memory: u64,
    limit: u64,
    redis: Option<model::Redis>,
}

impl Shared {
    /// Ends what goes on behind the requests' backs, and waits until what was begun is written.
    pub async fn finish_background(&self, patience: Duration) {
        self.background.stop.cancel();
        self.background.tasks.close();
        // What is not written by then is asked for again one day.
        tokio::time::timeout(patience, self.background.tasks.wait()).await.ok();
    }

    /// The link to Redis: the one in use, unless where it leads has changed.
    ///
    /// # Errors
    /// When an address can never be used.
    pub fn redis(&self, wanted: &model::Redis, metrics: &Metrics) -> Result<Arc<RedisLink>, ProviderError> {
        let mut redis = self.redis.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = redis.as_ref().filter(|used| used.settings == *wanted) {
            return Ok(used.link.clone());
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
        Ok(link)
    }

    /// The link in use.
    #[must_use]
    pub fn redis_state(&self) -> Option<LinkState> {
        let redis = self.redis.lock().unwrap_or_else(PoisonError::into_inner);
        redis.as_ref().map(|used| used.link.state())
    }

    /// The response cache: the one in use, unless its size or its second tier has changed.
    ///
    /// # Errors
    /// When the second tier's address can never be used.
    pub fn response_cache(
        &self,
        common: &model::Cache,
        redis: Option<&model::Redis>,
        metrics: &Metrics,
    ) -> Result<Arc<ResponseCache>, ProviderError> {
        let redis = redis.filter(|_| common.redis);
        let wanted = CacheShape { memory: common.memory.0, limit: common.max_entry.0, redis: redis.cloned() };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((shape, cache)) = &*cache
            && *shape == wanted
        {
            return Ok(cache.clone());
        }
        let second = match redis {
            None => None,
            Some(redis) => {
                let link = self.redis(redis, metrics)?;
                let Background { tasks, stop } = &self.background;
                let handles = TierMetrics::new(metrics, CacheTier::Redis);
                let limit = usize::try_from(common.max_entry.0).unwrap_or(usize::MAX);
                let generations = self.generations.clone();
                let stop = stop.child_token();
                Some(RedisTier::start(link, &redis.key_prefix, limit, generations, handles, tasks, stop))
            }
        };
        let made = Arc::new(ResponseCache::new(common.memory.0, second, self.generations.clone(), metrics));
        *cache = Some((wanted, made.clone()));
        Ok(made)
    }

    /// The provider's connection pool: the one in use, unless how it connects has changed.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn client(
        &self,
        provider: &model::Provider,
        metrics: &Metrics,
    ) -> Result<UpstreamClient, ProviderError> {
        let wanted = ClientSettings::of(provider);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((settings, client)) = clients.get(&provider.name)
            && *settings == wanted
        {
            return Ok(client.clone());
        }
        let connects = metrics.connect_duration.with_label_values(&[&provider.name]);
        let reused = metrics.reused_retries.with_label_values(&[&provider.name]);
        let client = UpstreamClient::new(&wanted, connects, reused)
            .map_err(|error| ProviderError::Tls(provider.name.clone(), error.to_string()))?;
        clients.insert(provider.name.clone(), (wanted, client.clone()));
        Ok(client)
    }

    /// The key's bucket of requests: the one in use, unless its limit has changed.
    pub fn bucket(&self, key: &str, limit: RateLimit) -> Arc<RequestBucket> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        match buckets.get(key) {
            Some(bucket) if bucket.is_of(limit) => bucket.clone(),
            _ => {
                let bucket = Arc::new(RequestBucket::new(limit));
                buckets.insert(key.to_owned(), bucket.clone());
                bucket
            }
        }
    }
}
