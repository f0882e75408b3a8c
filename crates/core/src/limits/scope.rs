//! What is limited together: one key, tenant, model or provider, with its buckets and its requests in flight.
//!
//! Owns the state behind one lock and how a change of limits is taken over; who takes from several scopes at
//! once is `admission`'s. Scopes are kept by name and outlive reloads.
//!
//! All of it is this process's own. A bucket that replicas share enters here and nowhere else: as one more
//! variant of `Bucket`, a `Cell` that is filled by leases from the shared bucket in place of its own refill, so
//! that an admission stays a matter of one lock.

use super::{
    cell::{Cell, Moment, Short},
    local::{Left, RequestBucket},
    queue::Line,
    refusal::Limit,
};
use sluice_config::model::{Limits, Queue, RateLimit, Ratio};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// What kind of thing is limited. The order is the order in which locks are taken and, of equal refusals, which
/// one is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

/// One thing that is limited.
pub struct LimitScope {
    kind: ScopeKind,
    name: String,
    /// Of two scopes of one kind the older is locked first.
    serial: u64,
    state: Mutex<State>,
    pub(super) line: Line,
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
    /// Requests in flight as a share of what the gateway takes: for tenants, see [`share_of`].
    pub share: Option<u32>,
    /// What a cached input token costs, in millionths of a token; a whole one when absent.
    pub cached_input_weight: Option<u32>,
    /// A short wait in place of a refusal.
    pub queue: Option<Queue>,
}

impl From<&Limits> for ScopeLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            requests: limits.requests,
            tokens: limits.tokens,
            concurrency: limits.concurrency,
            share: None,
            cached_input_weight: limits.cached_input_weight.map(|weight| millionths(weight, WHOLE)),
            queue: limits.queue,
        }
    }
}

impl ScopeLimits {
    /// The same, and at most `share` requests in flight.
    #[must_use]
    pub fn with_share(self, share: Option<u32>) -> Self {
        Self { share, ..self }
    }
}

/// How many of `max_in_flight` requests `share` is: at least one, or a tenant could not be served at all.
#[must_use]
pub fn share_of(share: Ratio, max_in_flight: u32) -> u32 {
    millionths(share, max_in_flight).max(1)
}

const WHOLE: u32 = 1_000_000;

/// `ratio` of `whole`, rounded.
fn millionths(ratio: Ratio, whole: u32) -> u32 {
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
}

/// What of a scope's limits stands in a request's way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shortage {
    pub(super) limit: Limit,
    /// The rate of a bucket, for messages.
    pub(super) rate: Option<RateLimit>,
    pub(super) of: u64,
    pub(super) remaining: u64,
    pub(super) needed: u64,
    /// Known for buckets alone.
    pub(super) wait: Option<Duration>,
    pub(super) never: bool,
}

/// A bucket of requests.
enum Bucket {
    /// A key's own, governor's. It can neither look nor give back, so it is asked last; `next` is the earliest
    /// time at which it may have another request, as far as its last answer tells.
    Taken { bucket: Arc<RequestBucket>, next: Moment },
    /// Everything that may have to be held together with others.
    Cell(Cell),
}

/// Everything that changes.
pub(super) struct State {
    limits: ScopeLimits,
    requests: Option<Bucket>,
    tokens: Option<Cell>,
    /// Counts the buckets of tokens: what was reserved of an older one is not given back to a newer one.
    generation: u32,
    in_flight: u32,
}

impl LimitScope {
    /// A scope whose requests are counted in a cell.
    #[must_use]
    pub fn new(kind: ScopeKind, name: &str, limits: ScopeLimits) -> Self {
        Self::with(kind, name, limits, limits.requests.map(|limit| Bucket::Cell(Cell::new(limit))))
    }

    /// A key, with its bucket of requests.
    #[must_use]
    pub fn of_key(name: &str, limits: ScopeLimits, requests: Option<Arc<RequestBucket>>) -> Self {
        let requests = requests.map(|bucket| Bucket::Taken { bucket, next: Moment(0) });
        Self::with(ScopeKind::Key, name, limits, requests)
    }

    fn with(kind: ScopeKind, name: &str, limits: ScopeLimits, requests: Option<Bucket>) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let tokens = limits.tokens.map(Cell::new);
        Self {
            kind,
            name: name.to_owned(),
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            state: Mutex::new(State { limits, requests, tokens, generation: 0, in_flight: 0 }),
            line: Line::default(),
        }
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
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.lock().in_flight
    }

    /// What is left of its tokens.
    #[must_use]
    pub fn tokens_left(&self, now: Moment) -> Option<Left> {
        self.lock().tokens.as_ref().map(|cell| cell.left(1, now))
    }

    /// Takes over other limits. Buckets stay as they are while their own limit is the same, and requests in
    /// flight are counted on. `requests` is a key's bucket; without it a cell counts.
    pub fn update(&self, limits: ScopeLimits, requests: Option<Arc<RequestBucket>>) {
        let mut state = self.lock();
        if state.limits.tokens != limits.tokens {
            state.tokens = limits.tokens.map(Cell::new);
            state.generation = state.generation.wrapping_add(1);
        }
        state.requests = match (requests, limits.requests, state.requests.take()) {
            (Some(new), _, Some(Bucket::Taken { bucket, next })) if Arc::ptr_eq(&new, &bucket) => {
                Some(Bucket::Taken { bucket, next })
            }
            (Some(bucket), ..) => Some(Bucket::Taken { bucket, next: Moment(0) }),
            (None, Some(limit), Some(Bucket::Cell(cell))) if cell.limit() == limit => {
                Some(Bucket::Cell(cell))
            }
            (None, limit, _) => limit.map(|limit| Bucket::Cell(Cell::new(limit))),
        };
        state.limits = limits;
        drop(state);
        self.line.something_is_free();
    }

    /// Its line, when requests may wait here.
    pub(super) fn queue(&self) -> Option<Queue> {
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

impl State {
    /// What stands in the way of one more request with `tokens`, a key's own bucket of requests left aside; of
    /// several things the one that lasts longest.
    pub(super) fn shortage(&self, tokens: u64, now: Moment) -> Option<Shortage> {
        let mut worst = self.in_flight_shortage();
        if let Some(cell) = &self.tokens {
            worst = Shortage::longer(worst, of_cell(cell, Limit::Tokens, tokens, now));
        }
        let requests = match &self.requests {
            Some(Bucket::Cell(cell)) => of_cell(cell, Limit::Requests, 1, now),
            // It cannot be asked without taking.
            Some(Bucket::Taken { .. }) | None => None,
        };
        Shortage::longer(worst, requests)
    }

    /// What stood in the way of one more request of a key when its bucket was last asked.
    pub(super) fn expected_shortage(&self, now: Moment) -> Option<Shortage> {
        match &self.requests {
            Some(Bucket::Taken { bucket, next }) if *next > now => Some(of_bucket(bucket, next.since(now))),
            _ => None,
        }
    }

    /// Takes from a key's bucket of requests.
    pub(super) fn take_from_bucket(&mut self, now: Moment) -> Option<Result<Left, Shortage>> {
        let Some(Bucket::Taken { bucket, next }) = &mut self.requests else { return None };
        let taken = bucket.take();
        let (Ok(left) | Err(left)) = taken;
        next.0 = now.0.saturating_add(Moment::at(left.next).0);
        Some(taken.map_err(|left| of_bucket(bucket, left.next)))
    }

    /// Takes what [`Self::shortage`] has found to be there; what is left of requests and of tokens.
    pub(super) fn take(&mut self, tokens: u64, now: Moment) -> (Option<Left>, Option<Left>) {
        self.in_flight = self.in_flight.saturating_add(1);
        let requests = match &mut self.requests {
            Some(Bucket::Cell(cell)) => {
                cell.debit(1, now);
                Some(cell.left(1, now))
            }
            _ => None,
        };
        let tokens = self.tokens.as_mut().map(|cell| {
            cell.debit(tokens, now);
            cell.left(1, now)
        });
        (requests, tokens)
    }

    /// Ends a request: `reserved` tokens become what was spent, at `now`; or stay, when nothing is known.
    pub(super) fn end(&mut self, generation: u32, reserved: u64, spent: Option<(Spent, Moment)>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let (Some((spent, now)), Some(cell)) = (spent, &mut self.tokens) else { return };
        if generation != self.generation {
            return;
        }
        let spent = weighed(spent, self.limits.cached_input_weight);
        match spent.checked_sub(reserved) {
            Some(more) => cell.debit(more, now),
            None => cell.refund(reserved - spent),
        }
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    fn in_flight_shortage(&self) -> Option<Shortage> {
        let reached = |limit: Option<u32>| limit.filter(|limit| self.in_flight >= *limit);
        let of = |limit, of: u32| Shortage {
            limit,
            rate: None,
            of: of.into(),
            remaining: 0,
            needed: 1,
            wait: None,
            never: false,
        };
        reached(self.limits.concurrency)
            .map(|limit| of(Limit::Concurrency, limit))
            .or_else(|| reached(self.limits.share).map(|limit| of(Limit::TenantShare, limit)))
    }
}

impl Shortage {
    /// Does `other` last longer? Waiting for it is then enough for this one, too. What has no known end comes
    /// after what has one, as a time can be told.
    pub(super) fn is_shorter_than(&self, other: &Self) -> bool {
        (other.never, other.wait) > (self.never, self.wait)
    }

    pub(super) fn longer(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) if one.is_shorter_than(&other) => Some(other),
            (one, other) => one.or(other),
        }
    }
}

fn of_cell(cell: &Cell, limit: Limit, needed: u64, now: Moment) -> Option<Shortage> {
    let short = cell.peek(needed, now).err()?;
    let left = cell.left(needed, now);
    let (wait, never) = match short {
        Short::For(wait) => (Some(wait), false),
        Short::ForEver => (None, true),
    };
    let rate = Some(cell.limit());
    Some(Shortage { limit, rate, of: left.limit, remaining: left.remaining, needed, wait, never })
}

fn of_bucket(bucket: &RequestBucket, wait: Duration) -> Shortage {
    let (rate, of) = (RateLimit { rate: bucket.rate(), burst: bucket.burst() }, bucket.burst());
    Shortage {
        limit: Limit::Requests,
        rate: Some(rate),
        of,
        remaining: 0,
        needed: 1,
        wait: Some(wait),
        never: false,
    }
}

/// What the bucket is charged. Cached input cannot be more than all there is.
fn weighed(spent: Spent, weight: Option<u32>) -> u64 {
    let Some(weight) = weight else { return spent.tokens };
    let cached = spent.cached_input.min(spent.tokens);
    let charged = (u128::from(cached) * u128::from(weight)).div_ceil(u128::from(WHOLE));
    (spent.tokens - cached).saturating_add(u64::try_from(charged).unwrap_or(u64::MAX))
}
