//! The cache, and which Redis it and the limits share.

use super::{
    account::Weight,
    deployment,
    plan::{Cache, Plan},
    reasons, redis,
    section::Section,
    settings::Settings,
    source::Data,
};
use std::time::Duration;

/// The longest that an answer is kept.
const LONGEST_TTL: Duration = Duration::from_secs(24 * 3600);
/// What can be cached by an endpoint's name in LiteLLM.
const CACHED: &[&str] = &[
    "completion",
    "acompletion",
    "text_completion",
    "atext_completion",
    "embedding",
    "aembedding",
    "responses",
    "aresponses",
    "anthropic_messages",
];

/// Reads both.
pub(super) fn read(settings: &Settings<'_>, plan: &mut Plan) {
    if let Some(router) = &settings.router {
        let router = router.at("redis");
        plan.redis = redis::server(&router, "redis_");
    }
    let Some(litellm) = &settings.litellm else { return };
    let litellm = litellm.at("cache");
    let wanted = litellm.flag("cache");
    let params = litellm.section("cache_params", &litellm.spot);
    match (wanted, params) {
        (Some(true), params) => cache(&litellm, params.as_ref(), plan),
        (_, Some(params)) => params.rest(&[], "the cache is off: `cache: true` is missing"),
        (_, None) => {}
    }
}

fn cache(litellm: &Section<'_>, params: Option<&Section<'_>>, plan: &mut Plan) {
    let written = params.and_then(|params| params.word("type"));
    let kind = written.as_deref().unwrap_or("redis");
    let memory_only = match kind {
        "redis" => false,
        "local" => true,
        "redis-semantic" | "qdrant-semantic" => {
            if let Some(params) = params {
                params.leave("type", reasons::SEMANTIC);
                params.rest(reasons::CACHE, reasons::SEMANTIC);
            }
            return litellm.leave("cache", "no cache was written: say under `cache` what may be kept");
        }
        _ => {
            if let Some(params) = params {
                params.leave("type", reasons::STORE);
            }
            true
        }
    };
    if kind == "redis" {
        let at_redis = params.map(|params| params.at("redis"));
        let own = at_redis.as_ref().and_then(|params| redis::server(params, ""));
        match (own, &plan.redis) {
            (Some(own), None) => plan.redis = Some(own),
            (Some(own), Some(router)) if own.urls == router.urls => {}
            (Some(_), Some(_)) => {
                for key in ["host", "port", "password", "url"] {
                    if let Some(params) = &at_redis {
                        params.leave(
                            key,
                            "limits and the cache share one Redis: the one of router_settings was taken",
                        );
                    }
                }
            }
            (None, None) => {
                plan.redis = Some(redis::of_environment(litellm.account));
                if let Some(cache) = litellm.get("cache") {
                    let why = "the file names no server, and LiteLLM looks into its environment: complete `redis.urls`, \
                        with `:${REDIS_PASSWORD}@` before the host if there is a password";
                    litellm.account.say(Weight::Open, &litellm.at("redis").spot, cache, why);
                }
            }
            (None, Some(_)) => {}
        }
    }
    let (mut mode, mut on_demand, mut ttl) = ("all", false, None);
    if let Some(params) = params {
        if let Some(namespace) = params.get("namespace").and_then(|_| params.text("namespace")) {
            match &mut plan.redis {
                Some(redis) => redis.key_prefix = Some(namespace.ours(params.account)),
                None => params.leave("namespace", "there is no Redis to name keys in"),
            }
        }
        ttl = time_to_live(params);
        match params.word("mode").as_deref() {
            None | Some("default_on") => {}
            Some("default_off") => {
                (mode, on_demand) = ("seeded", true);
                params.tell(
                    "mode",
                    "a client asks for it with `x-sluice-cache: force`; what has a seed is kept in any case",
                );
            }
            Some(_) => params.leave("mode", "default_on or default_off is expected"),
        }
        call_types(params);
        params.rest(reasons::CACHE, reasons::SETTING);
    }
    plan.cache = Some(Cache { mode, on_demand, ttl, memory_only: memory_only && plan.redis.is_some() });
}

fn time_to_live(params: &Section<'_>) -> Option<Duration> {
    let ttl = params.get("ttl").and_then(|_| deployment::timeout(params, "ttl"))?;
    if ttl > LONGEST_TTL {
        params.leave("ttl", "answers are kept for at most 24h");
    }
    Some(ttl.min(LONGEST_TTL))
}

fn call_types(params: &Section<'_>) {
    let key = "supported_call_types";
    let mut chat = params.get(key).is_none();
    for item in params.items(key) {
        let name = match &item.data {
            Data::Scalar(scalar) => scalar.written.as_str(),
            _ => "",
        };
        chat |= matches!(name, "completion" | "acompletion");
        if CACHED.contains(&name) {
            params.account.take(item);
        } else {
            params.account.remark_item(
                Weight::Open,
                &params.spot,
                key,
                item,
                "not an endpoint that is cached",
            );
        }
    }
    if !chat {
        params.leave(key, "a cache is of all endpoints; a model can say otherwise: `models[].cache`");
    }
}
