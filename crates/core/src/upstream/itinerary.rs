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
    /// It failed, and another model of its provider may for the same reason.
    failed: bool,
}

/// Whose turn it is.
#[derive(Debug)]
pub struct Turn {
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
    pub fn next(&mut self, plan: &Plan, now: Instant) -> Option<Turn> {
        if let Some(turn) = self.other_key.take().and_then(|at| self.try_other_key(plan, at, now)) {
            return Some(turn);
        }
        self.left.checked_sub(1)?;
        let turn =
            self.untried(plan, now).or_else(|| self.again(plan, now)).or_else(|| self.anyway(plan, now))?;
        self.left -= 1;
        Some(turn)
    }

    /// The next try beside one that is under way: another target, whose provider no limit of ours guards; as far as
    /// the budgets go.
    pub fn beside(&mut self, plan: &Plan, now: Instant, budget: &HedgeBudget) -> Option<Turn> {
        self.left.checked_sub(1)?;
        let turn = (0..self.legs.len()).find_map(|at| {
            let fresh = self.legs.get(at).is_some_and(|leg| !leg.over && leg.tries == 0);
            let choice = plan.choices.get(at).filter(|_| fresh)?;
            if choice.target.provider.limits.is_some() {
                return None;
            }
            let known = self.has_asked(plan, at);
            let turn = self.try_leg(plan, at, now, Duration::ZERO)?;
            if known { self.paid(plan, turn, now) } else { Some(turn) }
        })?;
        if !budget.take() {
            self.undo(&turn);
            return None;
        }
        self.left -= 1;
        Some(turn)
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

    /// The choice cannot take the request: as if it were not there, for good.
    pub fn cannot_take(&mut self, at: usize) {
        self.has_no_room(at);
    }

    /// A try has failed.
    pub fn failed(&mut self, plan: &Plan, at: usize, key: usize, failure: &Failure) {
        let Some((leg, choice)) = self.legs.get_mut(at).zip(plan.choices.get(at)) else { return };
        leg.wanted = failure.retry_after.unwrap_or_default();
        leg.failed = matches!(
            failure.verdict.outcome,
            AttemptOutcome::ConnectError
                | AttemptOutcome::ServerError
                | AttemptOutcome::Timeout
                | AttemptOutcome::BadResponse
        );
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

    /// Is anybody left who has not been asked?
    #[must_use]
    pub fn has_untried(&self) -> bool {
        self.left > 0 && self.legs.iter().any(|leg| !leg.over && leg.tries == 0)
    }

    /// The choices whose keys could not be used, when that is why nobody was asked.
    pub fn unready<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = (&'a Choice, Unready)> {
        self.legs.iter().zip(&plan.choices).filter_map(|(leg, choice)| Some((choice, leg.unready?)))
    }

    fn untried(&mut self, plan: &Plan, now: Instant) -> Option<Turn> {
        (0..self.legs.len()).find_map(|at| {
            self.legs.get(at).filter(|leg| !leg.over && leg.tries == 0)?;
            if !self.has_failed_there(plan, at) {
                return self.try_leg(plan, at, now, Duration::ZERO);
            }
            // Its provider has failed the request under another name: that is a repetition, too.
            let turn = self.try_leg(plan, at, now, Duration::ZERO)?;
            let turn = self.paid(plan, turn, now)?;
            let wait = self.pause(plan, Duration::ZERO);
            Some(Turn { wait, ..turn })
        })
    }

    fn again(&mut self, plan: &Plan, now: Instant) -> Option<Turn> {
        let tried = self.legs.iter().enumerate().filter(|(_, leg)| !leg.over && leg.tries > 0);
        let mut tried: SmallVec<[(u32, usize, Duration); 2]> =
            tried.map(|(at, leg)| (leg.tries, at, leg.wanted)).collect();
        tried.sort_unstable();
        tried.into_iter().find_map(|(_, at, wanted)| {
            let turn = self.try_leg(plan, at, now, wanted)?;
            let turn = self.paid(plan, turn, now)?;
            let wait = self.pause(plan, wanted);
            Some(Turn { wait, ..turn })
        })
    }

    /// When nobody has been asked: the best of those with an open circuit and a key.
    fn anyway(&mut self, plan: &Plan, now: Instant) -> Option<Turn> {
        if self.legs.iter().any(|leg| leg.tries > 0) {
            return None;
        }
        let refused = self.legs.iter().enumerate().filter_map(|(at, leg)| Some((leg.refused?, at)));
        let mut refused: SmallVec<[(Duration, usize); 2]> = refused.collect();
        refused.sort_unstable();
        refused.into_iter().find_map(|(_, at)| {
            let trial = plan.choices.get(at)?.health.anyway();
            self.with_key(plan, at, now, trial, Duration::ZERO)
        })
    }

    /// Another key of a target that has been asked, whatever its circuit says by now.
    fn try_other_key(&mut self, plan: &Plan, at: usize, now: Instant) -> Option<Turn> {
        let health = &plan.choices.get(at)?.health;
        let trial = health.admit(now).unwrap_or_else(|_| health.anyway());
        self.with_key(plan, at, now, trial, Duration::ZERO)
    }

    /// Its circuit is asked for the time at which the try goes out.
    fn try_leg(&mut self, plan: &Plan, at: usize, now: Instant, wait: Duration) -> Option<Turn> {
        let (leg, choice) = self.legs.get_mut(at).zip(plan.choices.get(at))?;
        match choice.health.admit(now + wait) {
            Ok(trial) => self.with_key(plan, at, now, trial, wait),
            Err(left) => {
                leg.refused = Some(left);
                None
            }
        }
    }

    fn with_key(
        &mut self,
        plan: &Plan,
        at: usize,
        now: Instant,
        trial: Trial,
        wait: Duration,
    ) -> Option<Turn> {
        let is_first = !self.has_asked(plan, at);
        let (leg, choice) = self.legs.get_mut(at).zip(plan.choices.get(at))?;
        let provider = &choice.target.provider;
        match provider.pool.pick(&choice.model, now, plan.sticky.as_ref(), &leg.keys) {
            Ok(key) => {
                if is_first {
                    provider.retries.earn();
                }
                leg.tries += 1;
                Some(Turn { at, key, trial, wait })
            }
            Err(unready) => {
                leg.unready = Some(unready);
                leg.over = true;
                None
            }
        }
    }

    /// Pays for a try from its provider's retry budget; takes it back where that has nothing left.
    fn paid(&mut self, plan: &Plan, turn: Turn, now: Instant) -> Option<Turn> {
        let provider = &plan.choices.get(turn.at)?.target.provider;
        let may = provider.retries.take(now);
        provider.metrics.retry(may);
        if may {
            return Some(turn);
        }
        self.undo(&turn);
        None
    }

    /// The try is not made after all.
    fn undo(&mut self, turn: &Turn) {
        if let Some(leg) = self.legs.get_mut(turn.at) {
            leg.tries = leg.tries.saturating_sub(1);
        }
    }

    /// Has the provider of this choice been asked for the request?
    fn has_asked(&self, plan: &Plan, at: usize) -> bool {
        self.of_its_provider(plan, at).any(|leg| leg.tries > 0)
    }

    /// Has its provider failed the request, and not for a reason that lies with a model or a key?
    fn has_failed_there(&self, plan: &Plan, at: usize) -> bool {
        self.of_its_provider(plan, at).any(|leg| leg.failed)
    }

    fn of_its_provider<'a>(&'a self, plan: &'a Plan, at: usize) -> impl Iterator<Item = &'a Leg> {
        let own = plan.choices.get(at).map(|choice| &choice.target.provider);
        let same = move |other: &Choice| own.is_some_and(|own| Arc::ptr_eq(&other.target.provider, own));
        self.legs.iter().zip(&plan.choices).filter(move |(_, other)| same(other)).map(|(leg, _)| leg)
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
