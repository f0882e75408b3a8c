//! Redis, from wherever it is named, and the cache.

use super::{
    account::{Account, Weight},
    deployment,
    plan::{Cache, Plan, Redis},
    reasons,
    section::{Section, Text},
    settings::Settings,
    source::{Data, Node},
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
        plan.redis = server(&router, "redis_");
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
        let own = at_redis.as_ref().and_then(|params| server(params, ""));
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
                plan.redis = Some(of_environment(litellm.account));
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

/// What LiteLLM reads when the file names no server.
fn of_environment(account: &Account) -> Redis {
    let (host, port) = (account.variable("REDIS_HOST"), account.variable("REDIS_PORT"));
    let with_default = |reference: &str, default: &str| reference.replace('}', &format!(":-{default}}}"));
    let url = format!("redis://{}:{}", with_default(&host, "127.0.0.1"), with_default(&port, "6379"));
    Redis { mode: "single", urls: vec![url], master: None, key_prefix: None }
}

/// The server that these fields name.
fn server(map: &Section<'_>, prefix: &str) -> Option<Redis> {
    let name = |field: &str| format!("{prefix}{field}");
    let secret = |key: &str| -> Option<String> {
        let place = map.get(key)?.value.place;
        match map.text(key)? {
            Text::Plain(text) if text.is_empty() => None,
            Text::Plain(text) => Some(map.account.secret(&text, key, place)),
            text => Some(text.ours(map.account)),
        }
    };
    let single = |urls| Some(Redis { mode: "single", urls, master: None, key_prefix: None });
    let url = name("url");
    if let (Some(text), Some(entry)) = (map.text(&url), map.get(&url)) {
        let written = match &text {
            Text::Plain(plain) if plain.contains('@') => map.account.secret(plain, &url, entry.value.place),
            text => text.ours(map.account),
        };
        return single(vec![written]);
    }
    let scheme = if map.flag(&name("ssl")) == Some(true) { "rediss" } else { "redis" };
    let user = map.text(&name("username")).map(|text| text.ours(map.account)).unwrap_or_default();
    let password = secret(&name("password"));
    if password.is_some() {
        map.tell(
            &name("password"),
            "part of an address here: percent-encode characters such as @ and / in the variable",
        );
    }
    let login = password.map(|password| format!("{user}:{password}@")).unwrap_or_default();
    let nodes: Vec<String> = map
        .items("redis_startup_nodes")
        .into_iter()
        .filter_map(|node| place(map, node))
        .map(|place| format!("{scheme}://{login}{place}"))
        .collect();
    if !nodes.is_empty() {
        return Some(Redis { mode: "cluster", urls: nodes, master: None, key_prefix: None });
    }
    let sentinels: Vec<String> = map
        .items("sentinel_nodes")
        .into_iter()
        .filter_map(|node| place(map, node))
        .map(|place| format!("{scheme}://{login}{place}"))
        .collect();
    if !sentinels.is_empty() {
        let master = map
            .text("service_name")
            .map(|text| text.ours(map.account))
            .unwrap_or_else(|| "mymaster".to_owned());
        return Some(Redis { mode: "sentinel", urls: sentinels, master: Some(master), key_prefix: None });
    }
    let host = map.text(&name("host"))?.ours(map.account);
    let port = map.text(&name("port")).map_or_else(|| "6379".to_owned(), |text| text.ours(map.account));
    let database = map.whole(&name("db")).map(|db| format!("/{db}")).unwrap_or_default();
    single(vec![format!("{scheme}://{login}{host}:{port}{database}")])
}

/// `{host: …, port: …}` or `[host, port]`.
fn place(map: &Section<'_>, node: &Node) -> Option<String> {
    match &node.data {
        Data::Map(entries) => {
            let map = Section::new(entries, map.account, map.spot.clone());
            let (host, port) = (map.text("host")?.ours(map.account), map.text("port")?.ours(map.account));
            Some(format!("{host}:{port}"))
        }
        Data::List(items) => {
            let parts: Option<Vec<&str>> = items
                .iter()
                .map(|item| match &item.data {
                    Data::Scalar(scalar) => Some(scalar.written.as_str()),
                    _ => None,
                })
                .collect();
            let parts = parts.filter(|parts| parts.len() == 2)?;
            map.account.take(node);
            Some(parts.join(":"))
        }
        Data::Scalar(_) => None,
    }
}
