//! Which limits apply to a request, scope by scope, and whose word each one is. Told from the settings alone: how
//! much of them is used up is the running gateway's to know.

use crate::limits::{refusal::period, share::share_of};
use serde::Serialize;
use sluice_config::model::{
    Budget, Limits, Model, OnRedisDown, Period, Provider, RateLimit, Ratio, Settings,
};
use std::collections::HashSet;

/// One limit that applies.
#[derive(Debug, Serialize)]
pub(super) struct LimitFact {
    /// `key`, `tenant`, `model` or `provider`.
    pub(super) scope: &'static str,
    /// Whose; absent for a caller without a key.
    pub(super) name: Option<String>,
    pub(super) limit: &'static str,
    pub(super) value: String,
    /// Where it is configured, or `default`.
    pub(super) from: &'static str,
}

/// Who asks for what.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// Absent for a caller without a key.
    pub(super) key: Option<&'a str>,
    pub(super) tenant: &'a str,
    /// Name of the configured entry.
    pub(super) model: &'a str,
    /// Are buckets shared through Redis?
    pub(super) redis: bool,
}

/// The limits, in the order in which a request meets them.
pub(super) fn in_force(settings: &Settings, asked: Asked<'_>) -> Vec<LimitFact> {
    let mut facts = Vec::new();
    of_key(settings, asked, &mut facts);
    of_tenant(settings, asked, &mut facts);
    if let Some(model) = settings.models.iter().find(|model| model.name == asked.model) {
        of_model(model, asked, &mut facts);
        let mut seen = HashSet::new();
        for target in model.targets.iter().filter(|target| seen.insert(&target.provider)) {
            let provider = settings.providers.iter().find(|provider| provider.name == target.provider);
            if let Some(provider) = provider {
                of_provider(provider, asked, &mut facts);
            }
        }
    }
    facts
}

/// The common limits that a key's own block has put out of force, when there are some.
pub(super) fn replaced(settings: &Settings, key: Option<&str>) -> Option<String> {
    let own = settings.keys.iter().find(|entry| Some(entry.name.as_str()) == key)?.limits.as_ref()?;
    let common = settings.limits.as_ref()?;
    let gone = [
        ("requests", common.requests.is_some() && own.requests.is_none()),
        ("tokens", common.tokens.is_some() && own.tokens.is_none()),
        ("concurrency", common.concurrency.is_some() && own.concurrency.is_none()),
        ("queue", common.queue.is_some() && own.queue.is_none()),
    ];
    let gone: Vec<&str> = gone.into_iter().filter_map(|(name, gone)| gone.then_some(name)).collect();
    (!gone.is_empty()).then(|| {
        format!("the key's own `limits` replace the common ones whole, which lifts {}", gone.join(", "))
    })
}

/// The facts of one scope on their way into the list.
struct Scope<'a> {
    scope: &'static str,
    name: Option<&'a str>,
    redis: bool,
    facts: &'a mut Vec<LimitFact>,
}

impl Scope<'_> {
    fn add(&mut self, limit: &'static str, value: String, from: &'static str) {
        let name = self.name.map(str::to_owned);
        self.facts.push(LimitFact { scope: self.scope, name, limit, value, from });
    }

    fn block(&mut self, limits: &Limits, from: &'static str) {
        let Limits { requests, tokens, concurrency, cached_input_weight, queue, on_redis_down, .. } = limits;
        if let Some(requests) = requests {
            self.add("requests", bucket(requests), from);
        }
        if let Some(tokens) = tokens {
            self.add("tokens", bucket(tokens), from);
            if let Some(weight) = cached_input_weight {
                self.add("cached_input_weight", percent(*weight), from);
            }
        }
        if let Some(concurrency) = concurrency {
            self.add("concurrency", format!("{concurrency} in flight"), from);
        }
        if let Some(queue) = queue {
            let value = format!("at most {} wait, each at most {:?}", queue.size, queue.max_wait);
            self.add("queue", value, from);
        }
        // Of what is counted in memory alone, Redis is no part.
        if self.redis && (requests.is_some() || tokens.is_some()) {
            let (what, from) = on_redis_down.map_or((OnRedisDown::Local, "default"), |what| (what, from));
            self.add("on_redis_down", redis_down(what).to_owned(), from);
        }
    }

    fn budget(&mut self, budget: Option<&Budget>, from: &'static str) {
        let Some(Budget { usd, per, warn_at }) = budget else { return };
        let per = match per {
            Period::Day => "day",
            Period::Month => "month",
        };
        let mut value = format!("${usd} a {per}");
        if !warn_at.is_empty() {
            let shares: Vec<String> = warn_at.iter().map(|share| percent(*share)).collect();
            value.push_str(&format!(", a warning at {}", shares.join(", ")));
        }
        self.add("budget", value, from);
    }
}

fn of_key(settings: &Settings, asked: Asked<'_>, facts: &mut Vec<LimitFact>) {
    let mut scope = Scope { scope: "key", name: asked.key, redis: asked.redis, facts };
    let entry = settings.keys.iter().find(|entry| Some(entry.name.as_str()) == asked.key);
    match (entry.and_then(|entry| entry.limits.as_ref()), &settings.limits) {
        (Some(own), _) => scope.block(own, "keys[].limits"),
        (None, Some(common)) => scope.block(common, "limits"),
        (None, None) => {}
    }
    scope.budget(entry.and_then(|entry| entry.budget.as_ref()), "keys[].budget");
}

fn of_tenant(settings: &Settings, asked: Asked<'_>, facts: &mut Vec<LimitFact>) {
    let mut scope = Scope { scope: "tenant", name: Some(asked.tenant), redis: asked.redis, facts };
    let entry = settings.tenants.iter().find(|entry| entry.name == asked.tenant);
    let own = entry.and_then(|entry| entry.limits.as_ref());
    if let Some(own) = own {
        scope.block(own, "tenants[].limits");
    }
    let share_of_own = own.and_then(|own| own.tenant_share).map(|share| (share, "tenants[].limits"));
    let common = settings.limits.as_ref().and_then(|common| common.tenant_share);
    if let Some((share, from)) = share_of_own.or(common.map(|share| (share, "limits"))) {
        let whole = settings.listeners.api.max_in_flight;
        let most = share_of(share, whole);
        scope.add("tenant_share", format!("{} of {whole}: {most} in flight", percent(share)), from);
    }
    scope.budget(entry.and_then(|entry| entry.budget.as_ref()), "tenants[].budget");
}

fn of_model(model: &Model, asked: Asked<'_>, facts: &mut Vec<LimitFact>) {
    let mut scope = Scope { scope: "model", name: Some(&model.name), redis: asked.redis, facts };
    if let Some(own) = &model.limits {
        scope.block(own, "models[].limits");
    }
    for (limit, tokens, from) in [
        ("context_window", model.context_window, "models[].context_window"),
        ("max_output_tokens", model.max_output_tokens, "models[].max_output_tokens"),
    ] {
        if let Some(tokens) = tokens {
            scope.add(limit, format!("{tokens} tokens"), from);
        }
    }
}

fn of_provider(provider: &Provider, asked: Asked<'_>, facts: &mut Vec<LimitFact>) {
    let mut scope = Scope { scope: "provider", name: Some(&provider.name), redis: asked.redis, facts };
    if let Some(most) = provider.max_concurrency {
        scope.add("max_concurrency", format!("{most} in flight"), "providers[].max_concurrency");
    }
    if let Some(own) = &provider.limits {
        scope.block(own, "providers[].limits");
    }
}

/// `600/min, burst 100`.
fn bucket(limit: &RateLimit) -> String {
    format!("{}/{}, burst {}", limit.rate.amount, period(limit.rate.per), limit.burst)
}

/// `2.5%`, without what floating point adds.
fn percent(ratio: Ratio) -> String {
    format!("{}%", (ratio.0 * 1e8).round() / 1e6)
}

fn redis_down(what: OnRedisDown) -> &'static str {
    match what {
        OnRedisDown::Local => "local: this replica's share",
        OnRedisDown::Open => "open: not limited",
        OnRedisDown::Closed => "closed: refused",
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
