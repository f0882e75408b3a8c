//! A second request beside a slow first one: whichever answer begins first is delivered, the other is cancelled.
//!
//! Off unless a model asks for it. Bounded by the model's own share of requests and by the tries of the request; what
//! the loser has cost is in the record like any try that was cut. Providers that our own limits guard are not hedged
//! to: a request holds a part of one of them at a time.

use crate::{
    facts::{Call, Plan},
    state::snapshot::ModelEntry,
    telemetry::{exchange::Recorder, labels::AttemptOutcome},
    upstream::{
        attempt::{self, Delivery, Tried},
        errand::Errand,
        failover::{self, following},
        failure::Failure,
        itinerary::{Itinerary, Leave},
    },
};
use std::{
    pin::pin,
    time::{Duration, Instant},
};

/// How long the first byte of this choice is waited for before a second request; none where there is to be none.
#[must_use]
pub fn patience(plan: &Plan, choice: &crate::facts::Choice) -> Option<Duration> {
    choice.target.health.latency.first_byte(plan.entry.hedge.as_ref()?.after)
}

/// Makes a try, and another beside it when the first byte does not come in time. A failure is the last one's; the
/// itinerary is told of the other.
///
/// # Errors
/// When neither has delivered.
pub async fn race(
    plan: &Plan,
    call: &Call,
    way: &mut Itinerary,
    leave: Leave,
    patience: Duration,
    recorder: &mut Recorder,
) -> Result<Delivery, Failure> {
    let began = Instant::now();
    let Some(first) = Runner::begin(plan, leave, recorder) else { return Err(Failure::draining()) };
    let _first = failover::asks(recorder, &first.errand);
    let mut asking = pin!(attempt::run(call, &first.errand, following(plan, call)));
    let early = tokio::time::timeout(patience, &mut asking).await;
    let (second, early) = match early {
        Ok(tried) => (None, Some(tried)),
        Err(_) => (second(plan, way, recorder), None),
    };
    let Some(second) = second else {
        let tried = match early {
            Some(tried) => tried,
            None => asking.await,
        };
        let mut tried = tried;
        recorder.upstream_wait += tried.waited;
        first.note(&mut tried, recorder);
        return tried.result;
    };
    let _second = failover::asks(recorder, &second.errand);
    let mut beside = pin!(attempt::run(call, &second.errand, following(plan, call)));
    let (mut tried, runner, other) = tokio::select! {
        tried = &mut asking => (tried, &first, &second),
        tried = &mut beside => (tried, &second, &first),
    };
    let mut winner = runner;
    if let Err(failure) = &tried.result {
        // The other one may still deliver.
        way.failed(plan, runner.at, runner.errand.key, failure);
        runner.note(&mut tried, recorder);
        tried = if runner.at == first.at { beside.await } else { asking.await };
        winner = other;
    } else {
        other.cancelled(recorder);
    }
    recorder.upstream_wait += began.elapsed();
    count(&plan.entry, recorder, tried.result.is_ok().then_some(winner.at == second.at));
    // What is told of the answer is told of the last try in the record.
    recorder.target = Some(winner.errand.target.clone());
    let last = recorder.attempts.len().saturating_sub(1);
    winner.note(&mut tried, recorder);
    recorder.attempts.swap(winner.place, last);
    tried.result
}

/// One of the two.
struct Runner {
    /// Its choice in the plan.
    at: usize,
    /// Its place in the record.
    place: usize,
    errand: Errand,
}

impl Runner {
    fn begin(plan: &Plan, leave: Leave, recorder: &mut Recorder) -> Option<Self> {
        let at = leave.at;
        let (errand, attempt) = Errand::begin(plan.choices.get(at)?, leave, plan.deadline);
        recorder.target = Some(errand.target.clone());
        recorder.attempts.push(attempt);
        Some(Self { at, place: recorder.attempts.len() - 1, errand })
    }

    fn cancelled(&self, recorder: &mut Recorder) {
        if let Some(attempt) = recorder.attempts.get_mut(self.place) {
            attempt.end(AttemptOutcome::Cancelled, None);
        }
    }

    fn note(&self, tried: &mut Tried, recorder: &mut Recorder) {
        failover::note(&self.errand, self.place, tried, recorder);
    }
}

/// The second request, if there is somebody to ask and room for it.
fn second(plan: &Plan, way: &mut Itinerary, recorder: &mut Recorder) -> Option<Runner> {
    let hedge = plan.entry.hedge.as_ref()?;
    let leave = way.beside(plan, Instant::now(), &hedge.budget)?;
    Runner::begin(plan, leave, recorder)
}

/// `second` tells which one has won, if any has.
fn count(entry: &ModelEntry, recorder: &Recorder, second: Option<bool>) {
    let result = match second {
        Some(true) => "won",
        Some(false) => "lost",
        None => "failed",
    };
    recorder.app().metrics.hedges.with_label_values(&[entry.metrics.label(), result]).inc();
}
