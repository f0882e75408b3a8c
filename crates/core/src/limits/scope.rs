//! What is limited together: one key, tenant, model or provider, with its buckets and its requests in flight.
//!
//! Owns what a scope allows and how a change of that is taken over; what one request does to it is `state`'s, and
//! who takes from several scopes at once is `admission`'s. Scopes are kept by name and outlive reloads. Buckets
//! are this process's own, or slices of those that all replicas share; requests in flight are always its own.

use super::{
    bucket::{At, Bucket},
    cell::{Cell, Moment},
    local::RequestBucket,
    pot::{Budget, Pot, Span},
    queue::Line,
    shared::{lease::Lease, question::What},
    state::State,
};
use sluice_config::model::{Limits, OnRedisDown, Period, Queue, RateLimit, Ratio};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

/// What kind of thing is limited. The order is the order in which locks are taken and, of equal refusals, which
/// one is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeKind {
    /// A client key.
    Key,
    /// A tenant, over all its keys.
    Tenant,
    /// A model name.
    Model,
    /// A provider: our own care for a shared account.
    Provider,
}

impl ScopeKind {
    /// The word in names and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Tenant => "tenant",
            Self::Model => "model",
            Self::Provider => "provider",
        }
    }
}

/// One thing that is limited.
pub struct LimitScope {
    kind: ScopeKind,
    name: Arc<str>,
    /// Of two scopes of one kind the older is locked first.
    serial: u64,
    state: Mutex<State>,
    /// Readable without the lock: the size of the bucket of tokens, 0 for none; whether money counts here.
    token_burst: AtomicU64,
    weighs_money: AtomicBool,
    pub(super) line: Line,
    /// Held by who asks for its shared buckets: what it brings may do for those who wait.
    pub(super) asking: tokio::sync::Mutex<()>,
}

/// What a scope allows. What is absent is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ScopeLimits {
    /// Requests.
    pub requests: Option<RateLimit>,
    /// Tokens, prompt and answer.
    pub tokens: Option<RateLimit>,
    /// Requests in flight.
    pub concurrency: Option<u32>,
    /// Money.
    pub budget: Option<Budget>,
    /// What a cached input token costs, in millionths of a token; a whole one when absent.
    pub cached_input_weight: Option<u32>,
    /// A short wait in place of a refusal.
    pub queue: Option<Queue>,
    /// What holds for shared buckets while Redis is away; the replica's share when absent.
    pub on_redis_down: Option<OnRedisDown>,
}

impl From<&Limits> for ScopeLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            requests: limits.requests,
            tokens: limits.tokens,
            concurrency: limits.concurrency,
            budget: None,
            cached_input_weight: limits.cached_input_weight.map(|weight| millionths(weight, WHOLE)),
            queue: limits.queue,
            on_redis_down: limits.on_redis_down,
        }
    }
}

impl ScopeLimits {
    /// Does it limit anything?
    #[must_use]
    pub fn limits_anything(&self) -> bool {
        self.requests.is_some()
            || self.tokens.is_some()
            || self.concurrency.is_some()
            || self.budget.is_some()
    }
}

/// Millionths in one.
pub(super) const WHOLE: u32 = 1_000_000;

/// `ratio` of `whole`, rounded.
pub(super) fn millionths(ratio: Ratio, whole: u32) -> u32 {
    // From floating point `as` saturates, and shares are read once per reload.
    (ratio.0 * f64::from(whole)).round() as u32
}

/// What a request has used in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Tokens of prompt and answer, cached ones included.
    pub tokens: u64,
    /// Those of the prompt that the upstream had in its cache.
    pub cached_input: u64,
    /// What they cost, 10⁻⁹ USD; nothing where there is no price.
    pub nano_usd: u64,
}

/// Where a scope's buckets are counted.
#[derive(Clone, Default)]
pub struct Wiring {
    /// A key's requests in this process.
    pub requests: Option<Arc<RequestBucket>>,
    /// Everything else is shared by so many replicas; absent: it is this process's own.
    pub shared: Option<Arc<AtomicU32>>,
    /// Spent in the current period of the budget before this process began, 10⁻⁹ USD.
    pub paid: u64,
    /// The time, in seconds since 1970.
    pub second: i64,
    /// Shares of the budget at which a warning is due.
    pub warn_at: Vec<Ratio>,
}

impl LimitScope {
    /// A scope whose buckets are all this process's own.
    #[must_use]
    pub fn new(kind: ScopeKind, name: &str, limits: ScopeLimits) -> Self {
        Self::wired(kind, name, limits, &Wiring::default())
    }

    /// A scope.
    #[must_use]
    pub fn wired(kind: ScopeKind, name: &str, limits: ScopeLimits, wiring: &Wiring) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let scope = Self {
            kind,
            name: name.into(),
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            state: Mutex::new(State::default()),
            token_burst: AtomicU64::new(0),
            weighs_money: AtomicBool::new(false),
            line: Line::default(),
            asking: tokio::sync::Mutex::default(),
        };
        scope.update(limits, wiring);
        scope
    }

    /// What kind of thing it is.
    #[must_use]
    pub fn kind(&self) -> ScopeKind {
        self.kind
    }

    /// Its configured name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Requests that hold a permit now.
    #[cfg(test)]
    pub(super) fn in_flight(&self) -> u32 {
        self.lock().in_flight
    }

    /// What is left of its tokens.
    #[cfg(test)]
    pub(super) fn tokens_left(&self, now: Moment) -> Option<super::local::Left> {
        self.lock().tokens.as_ref()?.left(At { now, second: 0 })
    }

    /// How full its buckets of requests and of tokens are, as far as can be told without taking: 0 to 1.
    #[must_use]
    pub fn remaining_ratios(&self, now: Moment) -> [Option<f64>; 2] {
        let state = self.lock();
        let at = At { now, second: 0 };
        let ratio = |bucket: &Option<Bucket>| {
            let left = bucket.as_ref()?.left(at)?;
            Some(left.remaining as f64 / left.limit.max(1) as f64)
        };
        let taken = state.taken.map(|(left, then)| {
            // What was not there then, less what has come since.
            let missing = left.reset.saturating_sub(now.since(then)).as_secs_f64();
            1.0 - (missing / left.window.as_secs_f64().max(f64::MIN_POSITIVE)).min(1.0)
        });
        [ratio(&state.requests).or(taken), ratio(&state.tokens)]
    }

    /// The budget, what was paid of it in its period, and the period.
    #[must_use]
    pub fn budget(&self, second: i64) -> Option<(Budget, u64, Span)> {
        let mut state = self.lock();
        let budget = state.limits.budget?;
        let (paid, span) = state.money.as_mut()?.paid()?;
        // The next request begins the period that has begun.
        if second >= span.end {
            return Some((budget, 0, Span::around(budget.per, second)));
        }
        Some((budget, paid, span))
    }

    /// Is money of such periods counted here already, alone or shared?
    #[must_use]
    pub fn counts_money(&self, per: Period, shared: bool) -> bool {
        match &self.lock().money {
            Some(Bucket::Pot(pot)) => !shared && pot.budget().per == per,
            Some(Bucket::Lease(lease)) => shared && lease.what().is_money_per(per),
            Some(Bucket::Taken { .. } | Bucket::Cell(_)) | None => false,
        }
    }

    /// The period that money is counted for in this process alone; none where replicas share it.
    pub(crate) fn own_period(&self) -> Option<Span> {
        match &self.lock().money {
            Some(Bucket::Pot(pot)) => Some(pot.span()),
            _ => None,
        }
    }

    /// See [`Pot::learn`].
    pub(crate) fn learn(&self, start: i64, paid: u64) {
        if let Some(Bucket::Pot(pot)) = &mut self.lock().money {
            pot.learn(start, paid);
        }
    }

    /// Whoever looked after its leases does so no more.
    pub fn is_kept_by_nobody(&self) {
        self.lock().kept = false;
    }

    /// How many of the shares at which a warning is due are passed when `paid` nano-dollars of a budget are.
    #[must_use]
    pub fn warnings(&self, budget: Budget, paid: u64) -> usize {
        self.lock().warnings.reached(budget, paid)
    }

    /// What a request has to tell to be weighed here: its tokens; what it may cost.
    #[must_use]
    pub fn weighs(&self) -> (bool, bool) {
        (self.token_burst().is_some(), self.weighs_money.load(Ordering::Relaxed))
    }

    /// The most tokens that its bucket ever holds.
    #[must_use]
    pub fn token_burst(&self) -> Option<u64> {
        match self.token_burst.load(Ordering::Relaxed) {
            0 => None,
            burst => Some(burst),
        }
    }

    /// Takes over other limits. Buckets stay as they are while their own limit is the same, and requests in
    /// flight are counted on.
    pub fn update(&self, limits: ScopeLimits, wiring: &Wiring) {
        let mut state = self.lock();
        let down = limits.on_redis_down.unwrap_or(OnRedisDown::Local);
        let tokens = state.tokens.take();
        let (tokens, is_new) = rate(tokens, limits.tokens, down, wiring);
        if is_new {
            state.generation = state.generation.wrapping_add(1);
        }
        state.tokens = tokens;
        let requests = state.requests.take();
        state.requests = match (&wiring.requests, requests) {
            (Some(new), Some(Bucket::Taken { bucket, next })) if Arc::ptr_eq(new, &bucket) => {
                Some(Bucket::Taken { bucket, next })
            }
            (Some(bucket), _) => Some(Bucket::Taken { bucket: bucket.clone(), next: Moment(0) }),
            (None, requests) => rate(requests, limits.requests, down, wiring).0,
        };
        let money = state.money.take();
        state.money = limits.budget.map(|budget| pot(money, budget, down, wiring));
        state.limits = limits;
        state.warnings.set(&wiring.warn_at);
        drop(state);
        self.token_burst.store(limits.tokens.map_or(0, |limit| limit.burst.max(1)), Ordering::Relaxed);
        self.weighs_money.store(limits.budget.is_some(), Ordering::Relaxed);
        self.line.something_is_free();
    }

    /// Its line, when requests may wait here.
    pub(crate) fn queue(&self) -> Option<Queue> {
        self.lock().limits.queue
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in between can panic and leave half a change behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn rank(&self) -> (ScopeKind, u64) {
        (self.kind, self.serial)
    }
}

/// The bucket of a rate: the one in use where that will do, and whether it is another one.
fn rate(
    old: Option<Bucket>,
    limit: Option<RateLimit>,
    down: OnRedisDown,
    wiring: &Wiring,
) -> (Option<Bucket>, bool) {
    let Some(limit) = limit else { return (None, old.is_some()) };
    match (old, &wiring.shared) {
        (Some(Bucket::Lease(mut lease)), Some(_)) if !lease.is_money() => {
            lease.set_limit(What::Rate(limit));
            lease.set_down(down);
            (Some(Bucket::Lease(lease)), false)
        }
        (Some(Bucket::Cell(cell)), None) if cell.limit() == limit => (Some(Bucket::Cell(cell)), false),
        (_, Some(replicas)) => {
            (Some(Bucket::Lease(Box::new(Lease::rate(limit, down, replicas.clone())))), true)
        }
        (_, None) => (Some(Bucket::Cell(Cell::new(limit))), true),
    }
}

/// The pot of a budget: the one in use as long as the kind of period is the same, so that a raised budget does not
/// forget what was spent.
fn pot(old: Option<Bucket>, budget: Budget, down: OnRedisDown, wiring: &Wiring) -> Bucket {
    match (old, &wiring.shared) {
        (Some(Bucket::Pot(pot)), None) if pot.budget().per == budget.per => Bucket::Pot(pot.with(budget)),
        (Some(Bucket::Lease(mut lease)), Some(_)) if lease.what().is_money_per(budget.per) => {
            lease.set_down(down);
            lease.set_limit(What::Money(budget));
            Bucket::Lease(lease)
        }
        (_, None) => Bucket::Pot(Pot::new(budget, wiring.paid, wiring.second)),
        (_, Some(replicas)) => {
            Bucket::Lease(Box::new(Lease::money(budget, wiring.paid, wiring.second, down, replicas.clone())))
        }
    }
}
