//! Sections that stand alone: Redis, cache, resilience, telemetry, shutdown.

use super::Check;
use crate::{
    codes,
    model::{CacheMode, CacheOverride, CacheScope, RedisMode, Settings},
    problems::Problem,
};
use std::{collections::HashSet, time::Duration};

const LONGEST_TTL: Duration = Duration::from_secs(24 * 3_600);

impl Check<'_> {
    pub(super) fn sections(&mut self, settings: &mut Settings) {
        self.redis(settings);
        self.cache(settings);
        let resilience = &settings.resilience;
        self.share("resilience.retry_budget.ratio", resilience.retry_budget.ratio);
        let failures = resilience.circuit.failure_ratio;
        self.share("resilience.circuit.failure_ratio", failures);
        if failures.0 <= 0.0 {
            let at = "resilience.circuit.failure_ratio";
            let message = "a circuit that opens without any failure";
            self.error(at, codes::OUT_OF_RANGE, message, "write a share above 0%");
        }
        let circuit = &resilience.circuit;
        for (at, least, most) in [
            ("resilience.backoff.initial", resilience.backoff.initial, resilience.backoff.max),
            ("resilience.circuit.open_for", circuit.open_for, circuit.max_open),
        ] {
            if least > most {
                self.error(at, codes::OUT_OF_RANGE, "the first wait is longer than the longest", "swap them");
            }
        }
        self.traces(&mut settings.telemetry.traces);
        let shutdown = settings.shutdown;
        if shutdown.delay > shutdown.drain {
            let message = "the drain ends before the listener closes: both count from the signal";
            self.warning("shutdown", codes::OUT_OF_RANGE, message, "make `drain` longer than `delay`");
        }
    }

    fn redis(&mut self, settings: &Settings) {
        let Some(redis) = &settings.redis else { return };
        for (index, url) in redis.urls.iter().enumerate() {
            if !is_redis_address(url.expose()) {
                let help = "redis://[user:password@]host[:6379][/0], rediss:// for TLS";
                self.error(
                    &format!("redis.urls[{index}]"),
                    codes::BAD_VALUE,
                    "not the address of a Redis server",
                    help,
                );
            }
        }
        if redis.mode == RedisMode::Single && redis.urls.len() > 1 {
            let help = "keep one, or set redis.mode: sentinel or cluster";
            self.error("redis.urls", codes::BAD_VALUE, "mode single takes exactly one address", help);
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

    fn cache(&mut self, settings: &Settings) {
        let Some(cache) = &settings.cache else { return self.idle_overrides(settings) };
        self.ttl("cache.ttl", cache.ttl);
        if cache.redis && settings.redis.is_none() {
            let help = "add a `redis` section, or set cache.redis: false";
            let message = "the cache is to use Redis, and none is configured";
            self.error("cache.redis", codes::MISSING, message, help);
        }
        if cache.memory.0 > 0 && cache.memory < cache.max_entry {
            let message =
                "the memory tier is smaller than the largest stored answer, which it can never hold";
            let help = "make `memory` much larger than `max_entry`, or 0B to keep nothing in memory";
            self.warning("cache.memory", codes::IDLE_CACHE, message, help);
        }
        if cache.memory.0 == 0 && !cache.redis {
            let message = "nothing can be kept: there is neither room in memory nor Redis";
            self.warning("cache.memory", codes::IDLE_CACHE, message, "give `memory` a size, or add `redis`");
        }
        self.shared_answers(settings);
    }

    /// Overrides of nothing: without the section there is no cache.
    fn idle_overrides(&mut self, settings: &Settings) {
        let models = settings.models.iter().map(|model| &model.cache).enumerate();
        let keys = settings.keys.iter().map(|key| &key.cache).enumerate();
        let models = models.map(|(index, own)| (format!("models[{index}].cache"), own));
        let written = models.chain(keys.map(|(index, own)| (format!("keys[{index}].cache"), own)));
        let wants = |own: &Option<CacheOverride>| {
            own.as_ref().is_some_and(|own| own.mode != Some(CacheMode::Disabled))
        };
        let missing = self.problems.index.spot("cache").is_none();
        if let Some((at, _)) = written.into_iter().find(|(_, own)| missing && wants(own)) {
            let message = "nothing is cached: there is no `cache` section that this could override";
            self.warning(&at, codes::IDLE_CACHE, message, "add `cache: {}` for the defaults");
        }
    }

    /// Said once: `global` is a decision about every tenant, wherever it stands.
    fn shared_answers(&mut self, settings: &Settings) {
        let tenants: HashSet<&str> = settings.keys.iter().map(|key| key.tenant.as_str()).collect();
        if tenants.len() < 2 {
            return;
        }
        let own = |own: &Option<CacheOverride>| own.as_ref().and_then(|own| own.scope);
        let models = settings.models.iter().map(|model| own(&model.cache)).enumerate();
        let keys = settings.keys.iter().map(|key| own(&key.cache)).enumerate();
        let scopes =
            std::iter::once(("cache.scope".to_owned(), settings.cache.as_ref().map(|own| own.scope)))
                .chain(models.map(|(index, scope)| (format!("models[{index}].cache.scope"), scope)))
                .chain(keys.map(|(index, scope)| (format!("keys[{index}].cache.scope"), scope)));
        if let Some((at, _)) = scopes.into_iter().find(|(_, scope)| *scope == Some(CacheScope::Global)) {
            let message =
                "answers are shared between tenants (scope: global): each may get what another one asked for";
            self.problems.push(&at, Problem::note(codes::SHARED_ANSWERS, message));
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

/// Could this address ever be connected to? Names are not looked up.
fn is_redis_address(url: &str) -> bool {
    if let Some(path) = url.strip_prefix("redis+unix://") {
        return path.starts_with('/');
    }
    let rest = url.strip_prefix("redis://").or_else(|| url.strip_prefix("rediss://"));
    let Some(authority) = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default()) else {
        return false;
    };
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let (host, port) = match place.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']').unwrap_or((bracketed, ":")),
        None => place.split_at(place.find(':').unwrap_or(place.len())),
    };
    let port =
        port.strip_prefix(':').map_or(port.is_empty(), |port| port.parse::<u16>().is_ok_and(|port| port > 0));
    !host.is_empty() && port
}
