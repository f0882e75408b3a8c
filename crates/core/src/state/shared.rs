//! State that outlives a reload, keyed by stable names: upstream connection pools, buckets.

use crate::{
    limits::local::RequestBucket,
    state::provider::ProviderError,
    telemetry::metrics::Metrics,
    upstream::client::{ClientSettings, UpstreamClient},
};
use sluice_config::model::{self, RateLimit};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// What a new snapshot takes over from the one before.
#[derive(Default)]
pub struct Shared {
    clients: Mutex<HashMap<String, (ClientSettings, UpstreamClient)>>,
    buckets: Mutex<HashMap<String, Arc<RequestBucket>>>,
}

impl Shared {
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
