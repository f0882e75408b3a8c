//! A second request beside a slow first one: whichever answer begins first is delivered, the other is cancelled.
//!
//! Off unless a model asks for it. Bounded by the model's own share of requests and by the tries of the request; what
//! the loser has cost is in the record like any try that was cut. Providers that our own limits guard are not hedged
//! to: a request holds a part of one of them at a time.

use crate::{
    facts::{Call, Choice, Plan},
    limits::{holding::Holding, scope::Spent},
    state::snapshot::ModelEntry,
    telemetry::{
        exchange::{Attempt, Recorder},
        labels::{AttemptOutcome, HedgeResult},
    },
    upstream::{
        attempt::{self, Delivery, Tried},
        errand::{Errand, Outgoing},
        failover::{self, following},
        failure::Failure,
        itinerary::Itinerary,
    },
};
use std::{
    pin::pin,
    time::{Duration, Instant},
};

/// How long the answer of this choice is waited for before a second request; none where there is to be none.
#[must_use]
pub fn patience(plan: &Plan, call: &Call, choice: &Choice) -> Option<Duration> {
    choice.health.latency.first_byte(call.stream, plan.entry.hedge.as_ref()?.after)
}

/// A choice of the plan, and the key that it was asked with.
type Place = (usize, usize);

/// Makes a try, and another beside it when the answer does not begin in time. Tells whose answer or failure it is; of
/// two failures the itinerary is told of the other one.
pub async fn race(
    plan: &Plan,
    call: &Call,
    way: &mut Itinerary,
    first: Runner,
    patience: Duration,
    recorder: &mut Recorder,
) -> (Place, Result<Delivery, Failure>) {
    let began = Instant::now();
    let _first = failover::asks(recorder, &first.errand);
    let mut asking = pin!(attempt::run(call, &first.errand, following(plan, call)));
    let early = tokio::time::timeout(patience, &mut asking).await;
    let (second, early) = match early {
        Ok(tried) => (None, Some(tried)),
        Err(_) => (second(plan, call, way, recorder), None),
    };
    let Some(second) = second else {
        let mut tried = match early {
            Some(tried) => tried,
            None => asking.await,
        };
        recorder.upstream_wait += tried.waited;
        first.note(&mut tried, recorder);
        return first.result(tried);
    };
    let _second = failover::asks(recorder, &second.errand);
    let mut beside = pin!(attempt::run(call, &second.errand, following(plan, call)));
    let (mut tried, runner, other) = tokio::select! {
        tried = &mut asking => (tried, &first, &second),
        tried = &mut beside => (tried, &second, &first),
    };
    let mut winner = runner;
    let mut goes_on = true;
    if let Err(failure) = &tried.result {
        // The other one may still deliver.
        goes_on = failure.verdict.next;
        way.failed(plan, runner.at, runner.errand.key, failure);
        runner.note(&mut tried, recorder);
        tried = if runner.at == first.at { beside.await } else { asking.await };
        winner = other;
    } else {
        other.cancelled(recorder);
    }
    recorder.upstream_wait += began.elapsed();
    let second_wins = winner.at == second.at;
    count(&plan.entry, recorder, tried.result.is_ok().then_some(second_wins));
    if second_wins {
        // What the first has cost is its provider's; the second's has no limits of ours.
        let used = Spent { tokens: recorder.prompt_tokens, ..Spent::default() };
        recorder.limits.moved_on(Holding::default(), used);
    }
    // What is told of the answer is told of the last try in the record.
    recorder.target = Some(winner.errand.target.clone());
    let last = recorder.attempts.len().saturating_sub(1);
    winner.note(&mut tried, recorder);
    recorder.attempts.swap(winner.place, last);
    // What is the request's own fault for one is not tried on for the other.
    if let Err(failure) = &mut tried.result {
        failure.verdict.next &= goes_on;
    }
    winner.result(tried)
}

/// One of the two.
pub struct Runner {
    /// Its choice in the plan.
    at: usize,
    /// Its place in the record.
    place: usize,
    errand: Errand,
}

impl Runner {
    /// A try that begins, of the choice at this place of the plan.
    #[must_use]
    pub fn new(at: usize, errand: Errand, attempt: Attempt, recorder: &mut Recorder) -> Self {
        recorder.target = Some(errand.target.clone());
        recorder.attempts.push(attempt);
        Self { at, place: recorder.attempts.len() - 1, errand }
    }

    fn result(&self, tried: Tried) -> (Place, Result<Delivery, Failure>) {
        ((self.at, self.errand.key), tried.result)
    }

    fn cancelled(&self, recorder: &mut Recorder) {
        if let Some(attempt) = recorder.attempts.get_mut(self.place) {
            attempt.end(AttemptOutcome::Cancelled, None, Instant::now());
        }
    }

    fn note(&self, tried: &mut Tried, recorder: &mut Recorder) {
        failover::note(&self.errand, self.place, tried, recorder);
    }
}

/// The second request, if there is somebody to ask and room for it.
fn second(plan: &Plan, call: &Call, way: &mut Itinerary, recorder: &mut Recorder) -> Option<Runner> {
    let hedge = plan.entry.hedge.as_ref()?;
    let (turn, choice, outgoing) = loop {
        let turn = way.beside(plan, Instant::now(), &hedge.budget)?;
        let choice = plan.choices.get(turn.at)?;
        match Outgoing::of(plan, call, choice) {
            Ok(outgoing) => break (turn, choice, outgoing),
            // It is not asked, so nothing is paid for it; another may take the request.
            Err(_) => {
                hedge.budget.give_back();
                way.cannot_take(turn.at);
            }
        }
    };
    let at = turn.at;
    let (errand, attempt) = Errand::begin(choice, turn, outgoing, plan.deadline);
    let second = Runner::new(at, errand, attempt, recorder);
    if let Some(attempt) = recorder.attempts.last_mut() {
        attempt.reason = Some("hedge");
    }
    Some(second)
}

/// `second` tells which one has won, if any has.
fn count(entry: &ModelEntry, recorder: &Recorder, second: Option<bool>) {
    let result = match second {
        Some(true) => HedgeResult::Won,
        Some(false) => HedgeResult::Lost,
        None => HedgeResult::Failed,
    };
    recorder.app().metrics.hedges.with_label_values(&[entry.metrics.label(), result.as_str()]).inc();
}
