//! Taking from every scope that applies, or from none; and giving back when the request has ended.
//!
//! Locks are taken in one order for all (key, tenant, model, provider; of one kind the older scope first), all of
//! them before anything is looked at, and nothing is taken before every scope has said yes. Thus no refusal has
//! anything to give back. The one bucket that can neither look nor give back, governor's, is asked last, under
//! the locks of all others; a request therefore belongs to at most one key.
//!
//! Tokens are reserved as estimated and settled as used. They count at the time of admission, so a bucket fills
//! up again while long answers stream; a refund puts back all that was reserved too much. In every window what was
//! reserved, less what was given back in it, is at most the burst and the window's refill. What was used, counted
//! without the refunds, may exceed that by the refunds of the window.

use super::{
    cell::Moment,
    local::Left,
    refusal::Refusal,
    scope::{LimitScope, Shortage, Spent, State},
};
use smallvec::SmallVec;
use std::{
    sync::{Arc, MutexGuard},
    time::Duration,
};

/// Scopes that apply to one request, without a heap allocation: there are four kinds.
const FEW: usize = 4;

/// What a request asks for.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// Tokens, as estimated.
    pub tokens: u64,
    /// The time.
    pub now: Moment,
}

/// What is left of the tightest limits that apply, for headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Remaining {
    /// Of requests.
    pub requests: Option<Left>,
    /// Of tokens.
    pub tokens: Option<Left>,
}

/// A request that may go on. Holds its places in flight and its tokens until it is settled or dropped.
///
/// Dropped, it gives all tokens back when no upstream was asked, and keeps the estimate as spent when one was:
/// what an upstream did for a request that broke off is paid for, and nobody can tell how much it was.
#[must_use = "dropping it ends the request"]
pub struct Permit {
    held: SmallVec<[Held; FEW]>,
    tokens: u64,
    sent: bool,
    /// What was left after it was taken.
    pub remaining: Remaining,
    /// How long it waited in a line.
    pub waited: Duration,
}

struct Held {
    scope: Arc<LimitScope>,
    generation: u32,
}

/// Takes one request and its tokens from all `scopes`, in whatever order they are given, or from none.
///
/// # Errors
/// The refusal that lasts longest; when it names a time, no other bucket needs more.
pub fn admit(scopes: &[Arc<LimitScope>], ask: Ask) -> Result<Permit, Refusal> {
    let scopes = in_lock_order(scopes);
    let mut states = lock(&scopes);
    if let Some(refusal) = worst(&scopes, &states, |state| state.shortage(ask.tokens, ask.now)) {
        // The time that is told has to be enough for the bucket that is not asked now, too.
        return Err(expected(&scopes, &states, ask).unwrap_or(refusal));
    }
    let mut remaining = Remaining::default();
    for (scope, state) in scopes.iter().zip(&mut states) {
        match state.take_from_bucket(ask.now) {
            None => {}
            Some(Ok(left)) => remaining.requests = tighter(remaining.requests, Some(left)),
            Some(Err(short)) => return Err(Refusal::new(scope, short)),
        }
    }
    let mut held = SmallVec::new();
    for (scope, state) in scopes.iter().zip(&mut states) {
        let (requests, tokens) = state.take(ask.tokens, ask.now);
        remaining.requests = tighter(remaining.requests, requests);
        remaining.tokens = tighter(remaining.tokens, tokens);
        held.push(Held { scope: Arc::clone(scope), generation: state.generation() });
    }
    Ok(Permit { held, tokens: ask.tokens, sent: false, remaining, waited: Duration::ZERO })
}

/// What [`admit`] would say, as far as can be told without taking.
#[must_use]
pub fn refusal(scopes: &[Arc<LimitScope>], ask: Ask) -> Option<Refusal> {
    let scopes = in_lock_order(scopes);
    let states = lock(&scopes);
    expected(&scopes, &states, ask)
}

impl Permit {
    /// An upstream has been asked: from now on the request costs something.
    pub fn sent(&mut self) {
        self.sent = true;
    }

    /// Tokens reserved.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Ends the request with what it has used: in every scope the rest is given back, or what is missing becomes
    /// a debt. A hit in the cache has used nothing.
    pub fn settle(mut self, spent: Spent, now: Moment) {
        self.end(Some((spent, now)));
    }

    fn end(&mut self, spent: Option<(Spent, Moment)>) {
        for Held { scope, generation } in self.held.drain(..) {
            scope.lock().end(generation, self.tokens, spent);
            scope.line.something_is_free();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // Nothing spent is a refund, for which the time does not matter.
        let nothing = (Spent::default(), Moment::default());
        self.end((!self.sent).then_some(nothing));
    }
}

fn in_lock_order(scopes: &[Arc<LimitScope>]) -> SmallVec<[&Arc<LimitScope>; FEW]> {
    let mut ordered: SmallVec<[_; FEW]> = scopes.iter().collect();
    ordered.sort_unstable_by_key(|scope| scope.rank());
    // Locking one twice would wait for ever.
    ordered.dedup_by_key(|scope| scope.rank());
    ordered
}

fn lock<'a>(scopes: &[&'a Arc<LimitScope>]) -> SmallVec<[MutexGuard<'a, State>; FEW]> {
    scopes.iter().map(|scope| scope.lock()).collect()
}

fn expected(scopes: &[&Arc<LimitScope>], states: &[MutexGuard<'_, State>], ask: Ask) -> Option<Refusal> {
    worst(scopes, states, |state| {
        Shortage::longer(state.shortage(ask.tokens, ask.now), state.expected_shortage(ask.now))
    })
}

/// Over all scopes the shortage that lasts longest.
fn worst(
    scopes: &[&Arc<LimitScope>],
    states: &[MutexGuard<'_, State>],
    shortage: impl Fn(&State) -> Option<Shortage>,
) -> Option<Refusal> {
    let mut worst: Option<(&Arc<LimitScope>, Shortage)> = None;
    for (scope, state) in scopes.iter().zip(states) {
        let Some(found) = shortage(state) else { continue };
        if worst.is_none_or(|(_, known)| known.is_shorter_than(&found)) {
            worst = Some((scope, found));
        }
    }
    worst.map(|(scope, short)| Refusal::new(scope, short))
}

/// Of two the one that gives less; of equal ones the one that fills up later.
fn tighter(one: Option<Left>, other: Option<Left>) -> Option<Left> {
    match (one, other) {
        (Some(one), Some(other)) => {
            let other_is = other.remaining < one.remaining
                || (other.remaining == one.remaining && other.reset > one.reset);
            Some(if other_is { other } else { one })
        }
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
