//! Whom to ask next: the rules of a walk over a plan's choices, without the walking.
//!
//! Untried targets come first, in the plan's order, as long as their circuits and keys let them. Then those that may
//! be asked again, after a wait, as far as their provider's retry budget goes. When nobody could be asked at all, the
//! best of those with an open circuit is asked anyway: better a long shot than none.

use crate::{
    facts::{Choice, Plan},
    health::{HedgeBudget, Trial, key_pool::Unready},
    telemetry::labels::AttemptOutcome,
    upstream::failure::Failure,
};
use smallvec::SmallVec;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// A target that wants to be left alone for longer is not waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// See the module.
pub struct Itinerary {
    legs: SmallVec<[Leg; 2]>,
    /// Tries that are left.
    left: u32,
    /// Tries of targets that were asked before.
    repeats: u32,
    /// Another key of the target that has just refused one or was limited comes next.
    other_key: Option<usize>,
}

/// One choice of the plan, and what became of it.
#[derive(Debug, Default)]
struct Leg {
    tries: u32,
    /// Not to be asked any more.
    over: bool,
    /// Keys of its pool that were tried for the request.
    keys: SmallVec<[usize; 2]>,
    /// Its circuit refuses, for so long.
    refused: Option<Duration>,
    /// None of its keys may be used.
    unready: Option<Unready>,
    /// It asked for so long a wait.
    wanted: Duration,
    /// Its provider could not be connected to: another model of it is no other place.
    unreachable: bool,
}

/// What comes next.
#[derive(Debug)]
pub struct Leave {
    /// Which choice.
    pub at: usize,
    /// Which key of its provider's pool.
    pub key: usize,
    /// Its target was told.
    pub trial: Trial,
    /// After so long.
    pub wait: Duration,
}

impl Itinerary {
    /// At the beginning of a walk.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let mut legs: SmallVec<[Leg; 2]> = plan.choices.iter().map(|_| Leg::default()).collect();
        legs.iter_mut().take(plan.passed_over).for_each(|leg| leg.over = true);
        Self { legs, left: plan.entry.attempts, repeats: 0, other_key: None }
    }

    /// The next try; none when there is nobody left to ask.
    pub fn next(&mut self, plan: &Plan, now: Instant) -> Option<Leave> {
        if let Some(leave) = self.other_key.take().and_then(|at| self.try_leg(plan, at, now, Duration::ZERO))
        {
            return Some(leave);
        }
        self.left.checked_sub(1)?;
        let leave =
            self.untried(plan, now).or_else(|| self.again(plan, now)).or_else(|| self.anyway(plan, now))?;
        self.left -= 1;
        Some(leave)
    }

    /// The next try beside one that is under way: another target, whose provider no limit of ours guards; as far as
    /// the budget goes.
    pub fn beside(&mut self, plan: &Plan, now: Instant, budget: &HedgeBudget) -> Option<Leave> {
        self.left.checked_sub(1)?;
        let fits = |at: &usize| {
            let fresh = self.legs.get(*at).is_some_and(|leg| !leg.over && leg.tries == 0);
            fresh && plan.choices.get(*at).is_some_and(|choice| choice.target.provider.limits.is_none())
        };
        let at = (0..self.legs.len()).find(fits)?;
        if (self.is_known_unreachable(plan, at) && !self.may_repeat(plan, at, now, Duration::ZERO))
            || !budget.take()
        {
            return None;
        }
        let leave = self.try_leg(plan, at, now, Duration::ZERO)?;
        self.left -= 1;
        Some(leave)
    }

    /// A stream that broke may be gone on with, however many tries its beginning took.
    pub fn grant_one(&mut self) {
        self.left = self.left.max(1);
    }

    /// The choice has no room under our own limits: as if it were not there. The try is not counted.
    pub fn has_no_room(&mut self, at: usize) {
        self.left += 1;
        if let Some(leg) = self.legs.get_mut(at) {
            leg.over = true;
            leg.tries = leg.tries.saturating_sub(1);
        }
    }

    /// A try has failed.
    pub fn failed(&mut self, plan: &Plan, at: usize, key: usize, failure: &Failure) {
        let Some((leg, choice)) = self.legs.get_mut(at).zip(plan.choices.get(at)) else { return };
        leg.wanted = failure.retry_after.unwrap_or_default();
        leg.unreachable = failure.verdict.outcome == AttemptOutcome::ConnectError;
        leg.over = !failure.verdict.again || leg.wanted > LONGEST_WAIT;
        let of_the_key =
            matches!(failure.verdict.outcome, AttemptOutcome::RateLimited | AttemptOutcome::AuthError);
        if of_the_key {
            leg.keys.push(key);
            if leg.keys.len() < choice.target.provider.pool.len() {
                self.other_key = Some(at);
            }
        }
    }

    /// The choices whose keys could not be used, when that is why nobody was asked.
    pub fn unready<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = (&'a Choice, Unready)> {
        self.legs.iter().zip(&plan.choices).filter_map(|(leg, choice)| Some((choice, leg.unready?)))
    }

    fn untried(&mut self, plan: &Plan, now: Instant) -> Option<Leave> {
        (0..self.legs.len()).find_map(|at| {
            let is_fresh = self.legs.get(at).is_some_and(|leg| !leg.over && leg.tries == 0);
            let known = is_fresh && self.is_known_unreachable(plan, at);
            if !is_fresh || (known && !self.may_repeat(plan, at, now, Duration::ZERO)) {
                return None;
            }
            let wait = if known { self.pause(plan, Duration::ZERO) } else { Duration::ZERO };
            self.try_leg(plan, at, now, wait)
        })
    }

    fn again(&mut self, plan: &Plan, now: Instant) -> Option<Leave> {
        let tried = |leg: &Leg| !leg.over && leg.tries > 0;
        let at = (0..self.legs.len())
            .filter(|at| self.legs.get(*at).is_some_and(tried))
            .min_by_key(|at| self.legs.get(*at).map(|leg| leg.tries))?;
        let wanted = self.legs.get(at).map(|leg| leg.wanted).unwrap_or_default();
        if !self.may_repeat(plan, at, now, wanted) {
            return None;
        }
        let wait = self.pause(plan, wanted);
        self.try_leg(plan, at, now, wait)
    }

    fn anyway(&mut self, plan: &Plan, now: Instant) -> Option<Leave> {
        if self.legs.iter().any(|leg| leg.tries > 0) {
            return None;
        }
        let refused = self.legs.iter().enumerate().filter_map(|(at, leg)| Some((leg.refused?, at)));
        let (_, at) = refused.min()?;
        let choice = plan.choices.get(at)?;
        let key = choice.target.provider.pool.pick(&choice.model, now, plan.sticky.as_ref(), &[]).ok()?;
        Some(self.leave(plan, at, key, choice.target.health.anyway(), Duration::ZERO))
    }

    fn try_leg(&mut self, plan: &Plan, at: usize, now: Instant, wait: Duration) -> Option<Leave> {
        let (leg, choice) = self.legs.get_mut(at).zip(plan.choices.get(at))?;
        let trial = match choice.target.health.admit(now + wait) {
            Ok(trial) => trial,
            Err(left) => {
                leg.refused = Some(left);
                return None;
            }
        };
        let pool = &choice.target.provider.pool;
        match pool.pick(&choice.model, now, plan.sticky.as_ref(), &leg.keys) {
            Ok(key) => Some(self.leave(plan, at, key, trial, wait)),
            Err(unready) => {
                leg.unready = Some(unready);
                leg.over = true;
                None
            }
        }
    }

    fn leave(&mut self, plan: &Plan, at: usize, key: usize, trial: Trial, wait: Duration) -> Leave {
        if !self.has_asked(plan, at)
            && let Some(choice) = plan.choices.get(at)
        {
            choice.target.provider.retries.earn();
        }
        if let Some(leg) = self.legs.get_mut(at) {
            leg.tries += 1;
        }
        Leave { at, key, trial, wait }
    }

    /// Has the provider of this choice been asked for the request?
    fn has_asked(&self, plan: &Plan, at: usize) -> bool {
        self.of_its_provider(plan, at).any(|leg| leg.tries > 0)
    }

    /// Its provider could not be connected to a moment ago: to ask it for another model is a repetition, too.
    fn is_known_unreachable(&self, plan: &Plan, at: usize) -> bool {
        self.of_its_provider(plan, at).any(|leg| leg.unreachable)
    }

    fn of_its_provider<'a>(&'a self, plan: &'a Plan, at: usize) -> impl Iterator<Item = &'a Leg> {
        let own = plan.choices.get(at).map(|choice| &choice.target.provider);
        let same = move |other: &Choice| own.is_some_and(|own| Arc::ptr_eq(&other.target.provider, own));
        self.legs.iter().zip(&plan.choices).filter(move |(_, other)| same(other)).map(|(leg, _)| leg)
    }

    /// Does the retry budget pay for another try after this wait? Asked only where the circuit would let it.
    fn may_repeat(&mut self, plan: &Plan, at: usize, now: Instant, wait: Duration) -> bool {
        let Some((leg, choice)) = self.legs.get_mut(at).zip(plan.choices.get(at)) else { return false };
        if let Some(left) = choice.target.health.circuit.refuses(now + wait) {
            leg.refused = Some(left);
            return false;
        }
        let provider = &choice.target.provider;
        let may = provider.retries.take(now);
        provider.metrics.retry(may);
        may
    }

    /// Full jitter: anything up to a bound that doubles, so that clients of one outage do not come back together.
    fn pause(&mut self, plan: &Plan, wanted: Duration) -> Duration {
        let backoff = plan.entry.backoff;
        let most = backoff.initial.saturating_mul(1 << self.repeats.min(16)).min(backoff.max);
        self.repeats += 1;
        wanted + most.mul_f64(fastrand::f64())
    }
}

#[cfg(test)]
#[path = "itinerary_tests.rs"]
mod tests;
