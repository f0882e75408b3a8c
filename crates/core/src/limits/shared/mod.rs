//! Limits that all replicas share through Redis, exact and nearly always without a round trip.
//!
//! ```text
//! decide.lua  the one script: all buckets of a decision, on the server's clock, taken together or not at all
//! script      questions and answers on the wire
//! question    what is asked of one bucket, and what is said
//! lease       this replica's slice of one bucket: what may be used
//! talk        the same: what is told and asked
//! money       what only money has
//! away        its share while Redis is away
//! burn        how large a slice is asked for
//! keeper      what is told, given back and filled up behind the requests' backs
//! ```
//!
//! A replica borrows a slice of each bucket and admits from it. A slice is at most a (replicas + 1)th of what
//! remains, so that near the end of a bucket nothing is lent and every request is decided by the script. It is
//! given back after a second without use and at the end of the process, and ends by itself after eight seconds.
//! What lies unused in slices is therefore at most `1 - (n / (n + 1))^n` of a bucket with n replicas (a half with
//! one, 58 % with three), and only for a second.
//!
//! Never more than the burst and the refill of a time is admitted in it, by any number of replicas: what is there
//! and what is lent are together at most the burst, and refill stops there. While Redis is away each replica
//! admits its share of the limit, or everything, or nothing, as `on_redis_down` says.

mod away;
mod burn;
mod keeper;
pub(in crate::limits) mod lease;
mod money;
pub(in crate::limits) mod question;
mod script;
mod talk;

pub use keeper::{Identity, ReplicaId, SharedLimits, SharedMetrics};

use super::{
    admission::{self, Ask, Denied, FEW, Permit},
    bucket::{At, Bucket, How},
    refusal::Refusal,
    scope::LimitScope,
    state::State,
};
use crate::redis::Trouble;
use lease::Lease;
use question::{Answer, Purpose, Question};
use smallvec::SmallVec;
use std::{
    sync::{Arc, MutexGuard},
    time::Duration,
};
use tokio::time::timeout;

/// Tries of a request whose answer was of no use, as when a budget's period ended meanwhile.
const TRIES: usize = 4;
/// How long a request waits for what another is asking, before it asks for itself.
const TURN: Duration = Duration::from_millis(20);

/// Takes from all scopes or from none; asks for shared buckets only when what is held here does not settle it.
///
/// # Errors
/// The refusal.
pub async fn decide(
    scopes: &[Arc<LimitScope>],
    ask: Ask,
    shared: Option<&SharedLimits>,
    clock: impl Fn() -> At,
) -> Result<Permit, Refusal> {
    let permit = match admission::admit(scopes, ask, How::Held) {
        Ok(permit) => permit,
        Err(Denied::Refused(refusal)) => return Err(refusal),
        // Few requests ask; the future of those that do not stays small.
        Err(Denied::Unknown(scope)) => {
            let Some(shared) = shared else { return decide_alone(scopes, ask, None) };
            Box::pin(decide_together(scopes, scope, ask, shared, clock)).await?
        }
    };
    if permit.low
        && let Some(shared) = shared
    {
        shared.wake();
    }
    Ok(permit)
}

async fn decide_together(
    scopes: &[Arc<LimitScope>],
    mut lacking: Arc<LimitScope>,
    mut ask: Ask,
    shared: &SharedLimits,
    clock: impl Fn() -> At,
) -> Result<Permit, Refusal> {
    for _ in 0..TRIES {
        let first = lacking.clone();
        let turn = match first.asking.try_lock() {
            Ok(turn) => Some(turn),
            Err(_) => {
                let turn = timeout(TURN, first.asking.lock()).await.ok();
                ask.at = clock();
                // Whoever asked before may have brought enough, or have found that there is nothing.
                match admission::admit(scopes, ask, How::Held) {
                    Ok(permit) => return Ok(permit),
                    Err(Denied::Refused(refusal)) => return Err(refusal),
                    Err(Denied::Unknown(_)) => {}
                }
                turn
            }
        };
        let outcome = shared.ask(Asked::new(scopes, Purposes::Need(ask), ask.at), &clock).await;
        ask.at = clock();
        let how = match outcome {
            Ok(true) => How::Granted,
            Ok(false) => How::Held,
            Err(_) => return decide_alone(scopes, ask, Some(shared)),
        };
        drop(turn);
        match admission::admit(scopes, ask, how) {
            Ok(permit) => return Ok(permit),
            Err(Denied::Refused(refusal)) => {
                if how == How::Granted {
                    give_back(scopes, ask);
                }
                return Err(refusal);
            }
            Err(Denied::Unknown(scope)) => lacking = scope,
        }
    }
    Err(Refusal::unknown(scopes))
}

/// Redis is away: each scope says what holds then.
fn decide_alone(
    scopes: &[Arc<LimitScope>],
    ask: Ask,
    shared: Option<&SharedLimits>,
) -> Result<Permit, Refusal> {
    if let Some(shared) = shared {
        shared.count_alone(scopes);
    }
    match admission::admit(scopes, ask, How::Away) {
        Ok(permit) => Ok(permit),
        Err(Denied::Refused(refusal)) => Err(refusal),
        // `Away` leaves nothing open.
        Err(Denied::Unknown(_)) => Err(Refusal::unknown(scopes)),
    }
}

/// What was granted, and what a limit of this process has refused after all.
fn give_back(scopes: &[Arc<LimitScope>], ask: Ask) {
    for scope in admission::in_lock_order(scopes) {
        scope.lock().give_back_granted(ask.needs(), ask.at);
    }
}

/// Questions about the shared buckets of some scopes, on their way.
///
/// Dropped without an answer, they are taken as unanswered.
pub(in crate::limits) struct Asked {
    scopes: SmallVec<[Arc<LimitScope>; FEW]>,
    /// By scope, kind of bucket and question.
    questions: SmallVec<[(usize, Slot, Question); FEW]>,
    /// By scope and kind of bucket: units that were held here and are drawn already.
    drawn: SmallVec<[(usize, Slot, u64); FEW]>,
    /// Scopes whose leases nobody keeps yet.
    unkept: SmallVec<[Arc<LimitScope>; FEW]>,
    open: bool,
}

/// What one asks for.
#[derive(Clone, Copy)]
pub(in crate::limits) enum Purposes {
    /// What a request needs, of all buckets; those that hold it here are not asked.
    Need(Ask),
    /// What each bucket has to tell or wants.
    Chores,
    /// Everything goes back: the end of the process.
    Leave,
}

/// Which bucket of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::limits) enum Slot {
    Requests,
    Tokens,
    Money,
}

impl Slot {
    const ALL: [Self; 3] = [Self::Requests, Self::Tokens, Self::Money];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Money => "usd",
        }
    }
}

impl State {
    fn lease(&mut self, slot: Slot) -> Option<&mut Lease> {
        let bucket = match slot {
            Slot::Requests => &mut self.requests,
            Slot::Tokens => &mut self.tokens,
            Slot::Money => &mut self.money,
        };
        bucket.as_mut().and_then(Bucket::lease)
    }

    fn give_back_granted(&mut self, needs: super::state::Needs, at: At) {
        for slot in Slot::ALL {
            if let Some(lease) = self.lease(slot) {
                lease.put_back(slot_need(slot, needs), at);
            }
        }
    }
}

fn slot_need(slot: Slot, needs: super::state::Needs) -> u64 {
    match slot {
        Slot::Requests => 1,
        Slot::Tokens => needs.tokens,
        Slot::Money => needs.nano_usd.max(1),
    }
}

impl Asked {
    pub(in crate::limits) fn new(scopes: &[Arc<LimitScope>], purposes: Purposes, at: At) -> Self {
        let ordered = admission::in_lock_order(scopes);
        let mut states = admission::lock(&ordered);
        let (mut questions, mut drawn, mut unkept) = (SmallVec::new(), SmallVec::new(), SmallVec::new());
        for (index, (scope, state)) in ordered.iter().zip(&mut states).enumerate() {
            let before = questions.len();
            for slot in Slot::ALL {
                let Some(lease) = state.lease(slot) else { continue };
                let purpose = match purposes {
                    Purposes::Need(ask) => {
                        let need = slot_need(slot, ask.needs());
                        if lease.peek(need, at, How::Held).is_ok() {
                            lease.take(need, at, How::Held);
                            drawn.push((index, slot, need));
                            continue;
                        }
                        Some(Purpose::Need(need))
                    }
                    Purposes::Chores => lease.chore(at),
                    Purposes::Leave => (!lease.is_settled()).then_some(Purpose::GiveBack),
                };
                if let Some(purpose) = purpose {
                    questions.push((index, slot, lease.ask(purpose, at)));
                }
            }
            if questions.len() > before && !std::mem::replace(&mut state.kept, true) {
                unkept.push(Arc::clone(scope));
            }
        }
        drop(states);
        Self { scopes: ordered.into_iter().cloned().collect(), questions, drawn, unkept, open: true }
    }

    pub(in crate::limits) fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }

    /// All that it needs was held here.
    fn close(mut self) {
        self.open = false;
    }

    /// Hands the answers to their buckets. True when all was granted; false also when an answer came too late to
    /// be of use.
    fn hear(mut self, answers: &[Answer], at: At) -> bool {
        self.open = false;
        let scopes: SmallVec<[&Arc<LimitScope>; FEW]> = self.scopes.iter().collect();
        let mut states = admission::lock(&scopes);
        let mut granted = true;
        for ((index, slot, question), answer) in self.questions.iter().zip(answers) {
            let Some(lease) = states.get_mut(*index).and_then(|state| state.lease(*slot)) else { continue };
            granted &= answer.granted & lease.hear(question, answer, at);
        }
        if !granted {
            put_back(&mut states, &self.drawn, at);
        }
        drop(states);
        // Others may have given something back.
        for scope in &self.scopes {
            scope.line.something_is_free();
        }
        granted
    }

    fn states(&self) -> SmallVec<[MutexGuard<'_, State>; FEW]> {
        self.scopes.iter().map(|scope| scope.lock()).collect()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let mut states = self.states();
        for (index, slot, question) in &self.questions {
            if let Some(lease) = states.get_mut(*index).and_then(|state| state.lease(*slot)) {
                lease.unheard(question);
            }
        }
        put_back(&mut states, &self.drawn, At::present());
    }
}

/// Gives back what was drawn for a request that is not admitted.
fn put_back(states: &mut [MutexGuard<'_, State>], drawn: &[(usize, Slot, u64)], at: At) {
    for (index, slot, units) in drawn {
        if let Some(lease) = states.get_mut(*index).and_then(|state| state.lease(*slot)) {
            lease.put_back(*units, at);
        }
    }
}

/// The result of a question: was all of it granted?
type Outcome = Result<bool, Trouble>;
