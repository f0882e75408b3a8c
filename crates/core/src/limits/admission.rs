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
    bucket::{At, How},
    local::Left,
    refusal::Refusal,
    scope::{LimitScope, ScopeKind, Spent},
    state::{End, Held, Look, Needs, Shortage, State},
};
use smallvec::SmallVec;
use std::{
    sync::{Arc, MutexGuard},
    time::Duration,
};

/// Scopes that apply to one request, without a heap allocation: there are four kinds.
pub(super) const FEW: usize = 4;

/// What a request asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask {
    /// Tokens, as estimated.
    pub tokens: u64,
    /// What it may cost, 10⁻⁹ USD.
    pub nano_usd: u64,
    /// The time.
    pub at: At,
}

/// What is left of the tightest limits that apply, for headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Remaining {
    /// Of requests.
    pub requests: Option<Left>,
    /// Of tokens.
    pub tokens: Option<Left>,
}

/// Why a request may not go on.
pub enum Denied {
    /// A limit refuses.
    Refused(Refusal),
    /// No limit refuses as far as is known here; a shared bucket of this scope has to be asked.
    Unknown(Arc<LimitScope>),
}

/// A request that may go on. Holds its places in flight, its tokens and its money until it is settled; dropped, it
/// has used nothing.
#[must_use = "dropping it ends the request"]
#[derive(Default)]
pub struct Permit {
    /// Apart, since a permit is handed on many times.
    held: Vec<HeldScope>,
    /// What was left after it was taken.
    pub remaining: Remaining,
    /// How long it waited in a line.
    pub waited: Duration,
    /// A slice of a shared bucket runs low.
    pub(super) low: bool,
}

struct HeldScope {
    scope: Arc<LimitScope>,
    held: Held,
}

/// Takes one request, its tokens and its money from all `scopes`, in whatever order they are given, or from none.
///
/// # Errors
/// The refusal that lasts longest; when it names a time, no other bucket needs more. Or that nothing can be said
/// without asking.
pub fn admit(scopes: &[Arc<LimitScope>], ask: Ask, how: How) -> Result<Permit, Denied> {
    let scopes = in_lock_order(scopes);
    let mut states = lock(&scopes);
    let needs = ask.needs();
    let (worst, unknown) = look(&scopes, &mut states, |state| state.look(needs, ask.at, how));
    if let Some(refusal) = worst {
        // The time that is told has to be enough for the bucket that is not asked now, too.
        return Err(Denied::Refused(expected(&scopes, &mut states, ask, how).unwrap_or(refusal)));
    }
    if let Some(scope) = unknown {
        return Err(Denied::Unknown(scope));
    }
    let mut remaining = Remaining::default();
    for (scope, state) in scopes.iter().zip(&mut states) {
        match state.take_from_bucket(ask.at.now) {
            None => {}
            Some(Ok(left)) => remaining.requests = tighter(remaining.requests, Some(left)),
            Some(Err(short)) => return Err(Denied::Refused(Refusal::new(scope, short))),
        }
    }
    let (mut held, mut low) = (Vec::with_capacity(scopes.len()), false);
    for (scope, state) in scopes.iter().zip(&mut states) {
        let taken = state.take(needs, ask.at, how);
        let (requests, tokens) = state.left(ask.at);
        remaining.requests = tighter(remaining.requests, requests);
        remaining.tokens = tighter(remaining.tokens, tokens);
        low |= state.is_low(ask.at);
        held.push(HeldScope { scope: Arc::clone(scope), held: taken });
    }
    Ok(Permit { held, remaining, waited: Duration::ZERO, low })
}

/// What [`admit`] would say, as far as can be told without taking and without asking.
#[must_use]
pub fn refusal(scopes: &[Arc<LimitScope>], ask: Ask) -> Option<Refusal> {
    let scopes = in_lock_order(scopes);
    let mut states = lock(&scopes);
    expected(&scopes, &mut states, ask, How::Held)
}

impl Ask {
    pub(super) fn needs(self) -> Needs {
        Needs { tokens: self.tokens, nano_usd: self.nano_usd }
    }
}

impl Permit {
    /// Ends the request with what it has used: in every scope the rest is given back, or what is missing becomes
    /// a debt. A hit in the cache has used nothing.
    pub fn settle(mut self, spent: Spent, at: At) {
        self.end(End::Used(spent), at);
    }

    /// Takes the part of one kind of scope out, to be ended by itself; none where nothing is held of that kind.
    pub fn split_off(&mut self, kind: ScopeKind) -> Option<Self> {
        let part: Vec<_> = self.held.extract_if(.., |held| held.scope.kind() == kind).collect();
        (!part.is_empty()).then(|| Self { held: part, ..Self::default() })
    }

    /// Ends it where nothing was asked: it does not even count as a request.
    pub fn give_back(mut self, at: At) {
        self.end(End::Unasked, at);
    }

    /// Ends it with nothing used.
    pub(super) fn drop_unused(self) {
        self.settle(Spent::default(), At::present());
    }

    /// Does it hold a part of this scope?
    #[must_use]
    pub fn holds(&self, scope: &Arc<LimitScope>) -> bool {
        self.held.iter().any(|held| Arc::ptr_eq(&held.scope, scope))
    }

    fn end(&mut self, end: End, at: At) {
        for HeldScope { scope, held } in self.held.drain(..) {
            let warning = scope.lock().end(&held, end, at);
            scope.line.something_is_free();
            if let Some(warning) = warning {
                warning.tell(&scope);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.held.is_empty() {
            self.end(End::Used(Spent::default()), At::present());
        }
    }
}

pub(super) fn in_lock_order(scopes: &[Arc<LimitScope>]) -> SmallVec<[&Arc<LimitScope>; FEW]> {
    let mut ordered: SmallVec<[_; FEW]> = scopes.iter().collect();
    ordered.sort_unstable_by_key(|scope| scope.rank());
    // Locking one twice would wait for ever.
    ordered.dedup_by_key(|scope| scope.rank());
    ordered
}

pub(super) fn lock<'a>(scopes: &[&'a Arc<LimitScope>]) -> SmallVec<[MutexGuard<'a, State>; FEW]> {
    scopes.iter().map(|scope| scope.lock()).collect()
}

fn expected(
    scopes: &[&Arc<LimitScope>],
    states: &mut [MutexGuard<'_, State>],
    ask: Ask,
    how: How,
) -> Option<Refusal> {
    let both = |state: &mut State| {
        let mut look = state.look(ask.needs(), ask.at, how);
        look.shortage = Shortage::longer(look.shortage, state.expected_shortage(ask.at.now));
        look
    };
    look(scopes, states, both).0
}

/// Over all scopes the shortage that lasts longest, and the first that has to be asked.
fn look(
    scopes: &[&Arc<LimitScope>],
    states: &mut [MutexGuard<'_, State>],
    mut one: impl FnMut(&mut State) -> Look,
) -> (Option<Refusal>, Option<Arc<LimitScope>>) {
    let mut worst: Option<(&Arc<LimitScope>, Shortage)> = None;
    let mut unknown = None;
    for (scope, state) in scopes.iter().zip(states) {
        let look = one(state);
        if look.ask && unknown.is_none() {
            unknown = Some(Arc::clone(scope));
        }
        let Some(found) = look.shortage else { continue };
        if worst.is_none_or(|(_, known)| known.is_shorter_than(&found)) {
            worst = Some((scope, found));
        }
    }
    (worst.map(|(scope, short)| Refusal::new(scope, short)), unknown)
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
