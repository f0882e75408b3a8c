//! Sections that stand alone: Redis, cache, resilience, telemetry, shutdown.

use super::Check;
use crate::{
    codes,
    model::{CacheOverride, RedisMode, Settings},
};
use std::time::Duration;

const LONGEST_TTL: Duration = Duration::from_secs(24 * 3_600);

impl Check<'_> {
    pub(super) fn sections(&mut self, settings: &mut Settings) {
        self.redis(settings);
        if let Some(cache) = &settings.cache {
            self.ttl("cache.ttl", cache.ttl);
            if cache.redis && settings.redis.is_none() {
                let help = "add a `redis` section, or set cache.redis: false";
                self.error(
                    "cache.redis",
                    codes::MISSING,
                    "the cache is to use Redis, and none is configured",
                    help,
                );
            }
        }
        let resilience = &settings.resilience;
        self.share("resilience.retry_budget.ratio", resilience.retry_budget.ratio);
        self.share("resilience.circuit.failure_ratio", resilience.circuit.failure_ratio);
        let circuit = &resilience.circuit;
        for (at, least, most) in [
            ("resilience.backoff.initial", resilience.backoff.initial, resilience.backoff.max),
            ("resilience.circuit.open_for", circuit.open_for, circuit.max_open),
        ] {
            if least > most {
                self.error(at, codes::OUT_OF_RANGE, "the first wait is longer than the longest", "swap them");
            }
        }
        let telemetry = &mut settings.telemetry;
        if let Some(traces) = &telemetry.traces {
            self.share("telemetry.traces.sample", traces.sample);
        }
        // `${OTEL_EXPORTER_OTLP_ENDPOINT:-}` with the variable unset means no traces.
        telemetry.traces = telemetry.traces.take().filter(|traces| !traces.otlp.is_empty());
        let shutdown = settings.shutdown;
        if shutdown.delay > shutdown.drain {
            let message = "the drain ends before the listener closes: both count from the signal";
            self.warning("shutdown", codes::OUT_OF_RANGE, message, "make `drain` longer than `delay`");
        }
    }

    fn redis(&mut self, settings: &Settings) {
        let Some(redis) = &settings.redis else { return };
        for (index, url) in redis.urls.iter().enumerate() {
            if !["redis://", "rediss://", "redis+unix://"]
                .iter()
                .any(|scheme| url.expose().starts_with(scheme))
            {
                let help = "redis://host:6379, rediss://host:6380 for TLS";
                self.error(
                    &format!("redis.urls[{index}]"),
                    codes::BAD_VALUE,
                    "not the address of a Redis server",
                    help,
                );
            }
        }
        match (redis.mode, &redis.master) {
            (RedisMode::Sentinel, None) => {
                let help = "add master: the name that the sentinels know";
                self.error(
                    "redis",
                    codes::MISSING,
                    "`master` is missing: Sentinel finds the server by it",
                    help,
                );
            }
            (RedisMode::Single | RedisMode::Cluster, Some(_)) => {
                let help = "remove it, or set redis.mode: sentinel";
                self.warning(
                    "redis.master",
                    codes::BAD_VALUE,
                    "`master` is only read with mode sentinel",
                    help,
                );
            }
            _ => {}
        }
    }

    /// Overrides of the cache for a model or a key.
    pub(super) fn cache_override(&mut self, at: &str, cache: Option<&CacheOverride>) {
        if let Some(ttl) = cache.and_then(|cache| cache.ttl) {
            self.ttl(&format!("{at}.ttl"), ttl);
        }
    }

    fn ttl(&mut self, at: &str, ttl: Duration) {
        if ttl > LONGEST_TTL {
            self.error(at, codes::OUT_OF_RANGE, "answers are kept for at most 24h", "write 24h or less");
        }
    }
}
