//! Limits that outlive a reload, by name: scopes with their buckets, tenants' shares, what is learned of answers,
//! and the link to those that replicas share.

use crate::{
    ledger::{Ledger, Reader, Scope as Spender},
    limits::{
        bucket::At,
        learned::LearnedLengths,
        local::RequestBucket,
        pot::{Budget, Span},
        scope::{LimitScope, ScopeKind, ScopeLimits, Wiring},
        share::TenantShare,
        shared::{Identity, ReplicaId, SharedLimits, SharedMetrics},
    },
    redis::RedisLink,
    state::background::Background,
    telemetry::{labels::Alone, metrics::Metrics},
};
use jiff::Timestamp;
use sluice_config::model::{self, Limits, Settings};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU32},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// For what is not written yet of what was spent, when a budget begins.
const LEDGER_PATIENCE: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Default)]
pub struct LimitStock {
    scopes: Mutex<HashMap<(ScopeKind, String), Arc<LimitScope>>>,
    buckets: Mutex<HashMap<String, Arc<RequestBucket>>>,
    shares: Mutex<HashMap<String, Arc<TenantShare>>>,
    /// How long answers are.
    pub learned: LearnedLengths,
    me: ReplicaId,
    replicas: Arc<AtomicU32>,
    shared: Mutex<Option<SharedInUse>>,
    ledger: Option<Arc<Ledger>>,
    /// Open while budgets are made ready.
    reader: Mutex<Option<Reader>>,
}

struct SharedInUse {
    link: Arc<RedisLink>,
    limits: Arc<SharedLimits>,
    stop: CancellationToken,
}

/// What limits one thing, as it is configured.
#[derive(Clone, Copy)]
pub struct Limited<'a> {
    /// What kind of thing.
    pub kind: ScopeKind,
    /// Its name.
    pub name: &'a str,
    /// Its limits.
    pub limits: Option<&'a Limits>,
    /// Its budget.
    pub budget: Option<&'a model::Budget>,
    /// A cap on requests in flight beside that of its limits.
    pub concurrency: Option<u32>,
}

impl<'a> Limited<'a> {
    /// Not limited yet.
    #[must_use]
    pub fn new(kind: ScopeKind, name: &'a str) -> Self {
        Self { kind, name, limits: None, budget: None, concurrency: None }
    }
}

impl LimitStock {
    /// Limits of a process whose ledger knows what was spent before.
    #[must_use]
    pub fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger: Some(ledger), ..Self::default() }
    }

    /// Does anything in these settings have to be shared by replicas, were there a Redis?
    #[must_use]
    pub fn are_wanted(settings: &Settings) -> bool {
        let has_buckets = |limits: &Option<Limits>| {
            limits.as_ref().is_some_and(|limits| limits.requests.is_some() || limits.tokens.is_some())
        };
        has_buckets(&settings.limits)
            || settings.keys.iter().any(|key| has_buckets(&key.limits) || key.budget.is_some())
            || settings.tenants.iter().any(|tenant| has_buckets(&tenant.limits) || tenant.budget.is_some())
            || settings.models.iter().any(|model| has_buckets(&model.limits))
            || settings.providers.iter().any(|provider| has_buckets(&provider.limits))
    }

    /// Lets go of scopes that neither a configuration nor a request uses any more.
    pub fn forget_unused(&self) {
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        scopes.retain(|_, scope| Arc::strong_count(scope) > 1);
    }

    /// Which ledger is ours. One that cannot be read tells of no spending either: then it is nobody's.
    fn ledger_id(&self) -> String {
        let read = self.ledger.as_ref().and_then(|ledger| ledger.reader().ok()?.id().ok());
        read.unwrap_or_else(|| format!("{:016x}", fastrand::u64(..)))
    }

    /// Limits that replicas share, through this link; none without one.
    pub fn shared(
        &self,
        link: Option<Arc<RedisLink>>,
        settings: &Settings,
        metrics: &Metrics,
        background: &Background,
    ) -> Option<Arc<SharedLimits>> {
        let mut used = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(used), Some(link)) = (&*used, &link)
            && Arc::ptr_eq(&used.link, link)
        {
            return Some(used.limits.clone());
        }
        let old = used.take();
        if let Some(old) = &old {
            old.stop.cancel();
        }
        metrics.limiter_mode.set(0);
        let Some((link, redis)) = link.zip(settings.redis.as_ref()) else {
            let scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
            scopes.values().for_each(|scope| scope.is_kept_by_nobody());
            return None;
        };
        // Before the first word of Redis the configured count is the best that is known.
        self.replicas.store(redis.replicas.max(1), std::sync::atomic::Ordering::Relaxed);
        let stop = background.stop.child_token();
        let limits = SharedLimits::start(
            link.clone(),
            &Identity { key_prefix: &redis.key_prefix, me: &self.me, ledger: &self.ledger_id() },
            self.replicas.clone(),
            shared_metrics(metrics),
            background,
            stop.clone(),
        );
        if let Some(old) = &old {
            limits.take_over(&old.limits);
        }
        *used = Some(SharedInUse { link, limits: limits.clone(), stop });
        Some(limits)
    }

    /// The limits that are shared now.
    #[must_use]
    pub fn shared_now(&self) -> Option<Arc<SharedLimits>> {
        let used = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        used.as_ref().map(|used| used.limits.clone())
    }

    /// The scope of a thing that is limited: the one in use, under these limits. None when nothing limits it.
    pub fn scope(&self, limited: Limited<'_>, is_shared: bool) -> Option<Arc<LimitScope>> {
        let mut limits = limited.limits.map(ScopeLimits::from).unwrap_or_default();
        limits.budget = limited.budget.map(Budget::from);
        limits.concurrency = match (limits.concurrency, limited.concurrency) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (limited.kind, limited.name.to_owned());
        if !limits.limits_anything() {
            scopes.remove(&place);
            return None;
        }
        let known = scopes.get(&place);
        let wiring = self.wiring(limited, &limits, is_shared, known.map(Arc::as_ref));
        if let Some(scope) = known {
            scope.update(limits, &wiring);
            return Some(scope.clone());
        }
        let scope = Arc::new(LimitScope::wired(limited.kind, limited.name, limits, &wiring));
        scopes.insert(place, scope.clone());
        Some(scope)
    }

    fn wiring(
        &self,
        limited: Limited<'_>,
        limits: &ScopeLimits,
        is_shared: bool,
        known: Option<&LimitScope>,
    ) -> Wiring {
        let second = At::present().second;
        // governor counts what is a key's alone, and this process's.
        let own = limited.kind == ScopeKind::Key && !is_shared;
        // A pot that goes on knows what was spent; a new one asks the ledger.
        let goes_on = |budget: &Budget| known.is_some_and(|scope| scope.counts_money(budget.per, is_shared));
        let new = limits.budget.filter(|budget| !goes_on(budget));
        let paid = new.map_or(0, |budget| self.paid(limited, budget, second));
        Wiring {
            requests: limits.requests.filter(|_| own).map(|limit| self.bucket(limited.name, limit)),
            shared: is_shared.then(|| self.replicas.clone()),
            paid,
            second,
            warn_at: limited.budget.map(|budget| budget.warn_at.clone()).unwrap_or_default(),
        }
    }

    /// What was spent in the period before now, as the ledger says.
    fn paid(&self, limited: Limited<'_>, budget: Budget, second: i64) -> u64 {
        let Some(spender) = spender(limited.kind) else { return 0 };
        let since = Timestamp::from_second(Span::around(budget.per, second).start).unwrap_or_default();
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if reader.is_none() {
            *reader = self.open_ledger();
        }
        let Some(reader) = &*reader else { return 0 };
        reader.spent(spender, limited.name, since).unwrap_or_else(|error| {
            tracing::error!(%error, name = limited.name, "what was spent of a budget cannot be read");
            0
        })
    }

    /// Budgets of this process learn what another one, which writes to the same ledger, has spent. Reads a file.
    pub fn learn_spending(&self) {
        let known = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        let scopes: Vec<_> = known.values().filter(|scope| scope.own_period().is_some()).cloned().collect();
        drop(known);
        if scopes.is_empty() {
            return;
        }
        let Some(Ok(reader)) = self.ledger.as_ref().map(|ledger| ledger.reader()) else { return };
        for scope in scopes {
            let (Some(spender), Some(span)) = (spender(scope.kind()), scope.own_period()) else { continue };
            let since = Timestamp::from_second(span.start).unwrap_or_default();
            // A file that cannot be read now is read the next time; that it cannot be written its writer tells.
            if let Ok(paid) = reader.spent(spender, scope.name(), since) {
                scope.learn(span.start, paid);
            }
        }
    }

    fn open_ledger(&self) -> Option<Reader> {
        let ledger = self.ledger.as_ref()?;
        // A budget that is new in a reload counts what was spent a moment ago.
        if !ledger.flush(LEDGER_PATIENCE) {
            tracing::warn!("budgets begin without what is not written yet");
        }
        ledger.reader().inspect_err(|error| tracing::error!(%error, "what was spent cannot be read")).ok()
    }

    /// Limits are ready: the ledger is not read any more, and what has budgets is known.
    pub fn ready(&self, shared: Option<&SharedLimits>) {
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(shared) = shared {
            let scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
            let spenders: Vec<_> = scopes.values().filter(|scope| scope.weighs().1).cloned().collect();
            shared.spenders(&spenders);
        }
    }

    /// A key's bucket of requests: the one in use, unless its limit has changed.
    pub(super) fn bucket(&self, key: &str, limit: model::RateLimit) -> Arc<RequestBucket> {
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

    /// What a tenant holds of all requests in flight, and may hold.
    pub fn share(&self, tenant: &str, most: Option<u32>) -> Arc<TenantShare> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let share = shares.entry(tenant.to_owned()).or_default();
        share.set(most);
        share.clone()
    }
}

/// Who has budgets.
fn spender(kind: ScopeKind) -> Option<Spender> {
    match kind {
        ScopeKind::Key => Some(Spender::Key),
        ScopeKind::Tenant => Some(Spender::Tenant),
        ScopeKind::Model | ScopeKind::Provider => None,
    }
}

fn shared_metrics(metrics: &Metrics) -> SharedMetrics {
    let alone = |mode: Alone| metrics.limiter_degraded.with_label_values(&[mode.as_str()]);
    SharedMetrics {
        local: alone(Alone::Local),
        open: alone(Alone::FailOpen),
        closed: alone(Alone::FailClosed),
        degraded: metrics.limiter_mode.clone(),
    }
}
