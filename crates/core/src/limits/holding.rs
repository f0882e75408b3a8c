//! All that one request holds of limits, from its admission to its end.
//!
//! A provider's part is held apart: which provider is asked is known only when it is, a stored answer asks none,
//! and a second target may be another provider's.

use super::{
    admission::{Ask, Permit, Remaining},
    bucket::At,
    learned::Learner,
    refusal::Refusal,
    scope::{LimitScope, ScopeKind, Spent},
    share::Place,
    shared::{self, SharedLimits},
};
use crate::telemetry::labels::{Decision, LimitLabel};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// See the module.
#[derive(Default)]
pub struct Holding {
    /// Of the tenant's share of all requests in flight.
    pub place: Option<Place>,
    /// What it was admitted for.
    pub ask: Ask,
    /// What was left then, for headers.
    pub remaining: Remaining,
    /// Told how long the answer was.
    pub learner: Option<Learner>,
    /// What held it up, if anything did.
    pub told: Option<HeldUp>,
    /// How many answers in one were asked for.
    pub samples: u64,
    /// Key, tenant and model.
    caller: Option<Permit>,
    provider: Option<Permit>,
}

/// What a limit did to a request.
#[derive(Debug, Clone, Copy)]
pub struct HeldUp {
    /// When it was over.
    pub at: Instant,
    /// Queued or limited.
    pub decision: Decision,
    /// Which limit refused.
    pub limit: Option<LimitLabel>,
    /// How long it stood in a line.
    pub waited: Option<Duration>,
}

impl HeldUp {
    /// A refusal, just now.
    #[must_use]
    pub fn refused(limit: LimitLabel) -> Self {
        Self { at: Instant::now(), decision: Decision::Limited, limit: Some(limit), waited: None }
    }

    /// It went on, just now, after a wait.
    #[must_use]
    pub fn queued(waited: Duration) -> Self {
        Self { at: Instant::now(), decision: Decision::Queued, limit: None, waited: Some(waited) }
    }
}

impl Holding {
    /// The request is admitted.
    pub fn admitted(&mut self, ask: Ask, mut permit: Permit) {
        self.ask = ask;
        self.remaining = permit.remaining;
        self.provider = permit.split_off(ScopeKind::Provider);
        self.caller = Some(permit);
    }

    /// Makes sure that the request holds a part of the provider that is to be asked next, and of no other.
    ///
    /// # Errors
    /// When that provider has no room; nothing is held of it then.
    pub async fn enter(
        &mut self,
        scope: Option<&Arc<LimitScope>>,
        shared: Option<&SharedLimits>,
    ) -> Result<(), Refusal> {
        let held = self.provider.take();
        let Some(scope) = scope else {
            held.into_iter().for_each(Permit::drop_unused);
            return Ok(());
        };
        if let Some(held) = held {
            if held.holds(scope) {
                self.provider = Some(held);
                return Ok(());
            }
            held.drop_unused();
        }
        let ask = Ask { at: At::present(), ..self.ask };
        let scopes = std::slice::from_ref(scope);
        self.provider = Some(shared::decide(scopes, ask, shared, At::present).await?);
        Ok(())
    }

    /// No provider is asked for this request.
    pub fn leave_provider(&mut self) {
        if let Some(permit) = self.provider.take() {
            permit.give_back(At::present());
        }
    }

    /// Lends the provider's part to whoever may go on with another provider.
    #[must_use]
    pub fn lend_provider(&mut self) -> Self {
        Self { ask: self.ask, provider: self.provider.take(), ..Self::default() }
    }

    /// Takes back what was lent, or what there is in its place.
    pub fn take_back(&mut self, mut lent: Self) {
        self.provider = lent.provider.take().or(self.provider.take());
    }

    /// As [`Self::enter`], after so much was used at the provider before.
    ///
    /// # Errors
    /// When that provider has no room; nothing is held of it then.
    pub async fn enter_after(
        &mut self,
        used: Spent,
        scope: Option<&Arc<LimitScope>>,
        shared: Option<&SharedLimits>,
    ) -> Result<(), Refusal> {
        let stays = scope.is_some_and(|scope| self.provider.as_ref().is_some_and(|held| held.holds(scope)));
        if !stays && let Some(permit) = self.provider.take() {
            permit.settle(used, At::present());
        }
        self.enter(scope, shared).await
    }

    /// Another provider has gone on: what was `used` at the one before is settled, and the next one's part held.
    pub fn moved_on(&mut self, mut next: Self, used: Spent) {
        if let Some(permit) = self.provider.take() {
            permit.settle(used, At::present());
        }
        self.provider = next.provider.take();
    }

    /// Ends the request just `now`: what it used in all, and what of it at the provider that was asked last.
    pub fn settle(&mut self, all: Spent, last: Spent, now: Instant) {
        self.place = None;
        if self.caller.is_none() && self.provider.is_none() {
            return;
        }
        let at = At::just(now);
        if let Some(permit) = self.caller.take() {
            permit.settle(all, at);
        }
        if let Some(permit) = self.provider.take() {
            permit.settle(last, at);
        }
    }
}
