//! Walks a plan until a target delivers: the client sees one answer, or one true error.
//!
//! Owns the walking: waits, tries, what is told of each. Whom to ask next is `itinerary`'s. Takes what it needs by
//! value, so that a reply whose head had to go out early can carry the rest of the walk inside its body.

use crate::{
    error::GatewayError,
    facts::{Call, Choice, Plan},
    limits::{holding::HeldUp, refusal::Refusal},
    telemetry::{
        exchange::Recorder,
        labels::{AbortPhase, AttemptOutcome, LimitLabel, Stage},
    },
    upstream::{
        abandoned::Asking,
        attempt::{self, Delivery, Tried},
        detour::{self, Detour},
        errand::{Errand, Outgoing, Unfit},
        failure::Failure,
        following::Following,
        hedge,
        itinerary::Itinerary,
        verdict,
    },
};
use std::{
    pin::{Pin, pin},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// A walk under way. Owns all it needs, so that a body or a flight can carry it on.
pub type Walk = Pin<Box<dyn Future<Output = Walked> + Send>>;

/// How a walk ended, with the record that went along.
pub struct Walked {
    /// The request's record.
    pub recorder: Recorder,
    /// An answer, or what the client is told instead.
    pub result: Result<Delivery, GatewayError>,
}

/// Asks the plan's targets until one delivers.
pub async fn run(plan: Box<Plan>, call: Box<Call>, mut recorder: Recorder, cut: CancellationToken) -> Walked {
    recorder.phase = AbortPhase::Wait;
    let mut way = Itinerary::new(&plan);
    let mut failed: Option<(usize, Failure)> = None;
    let mut no_room: Option<Refusal> = None;
    let mut unfit: Option<(usize, Unfit)> = None;
    if let Some(hedge) = &plan.entry.hedge {
        hedge.budget.earn();
    }
    while failed.as_ref().is_none_or(|(_, failure)| failure.verdict.next) {
        let now = Instant::now();
        let Some(turn) = way.next(&plan, now) else { break };
        let (at, key) = (turn.at, turn.key);
        let Some(choice) = plan.choices.get(at) else { break };
        if now + turn.wait >= plan.deadline {
            failed.get_or_insert_with(|| (at, Failure::out_of_time(recorder.started.elapsed(), true)));
            break;
        }
        let share = share_of_time(&plan, &call, &way);
        // Pinned where it stands: large futures are not moved.
        let tried = {
            let asked = pin!(async {
                // First of all: who cannot take the request is not waited for, and nothing of its provider's is taken.
                recorder.laps.skip_to(now);
                let outgoing = Outgoing::of(&plan, &call, choice);
                recorder.laps.end(Stage::Encode);
                let outgoing = outgoing.map_err(Stopped::Unfit)?;
                // Before the wait, whose client may leave in the middle of it.
                recorder.waited_by_rule(turn.wait);
                pause(turn.wait).await;
                // A target whose provider our own limits leave no room is passed over, as if it were not there.
                enter(choice, &mut recorder).await.map_err(Stopped::NoRoom)?;
                if let Some((from, failure)) = &failed {
                    fell_back(&plan, *from, choice, failure.verdict.outcome, &recorder);
                }
                let (errand, attempt) = Errand::begin(choice, turn, outgoing, plan.deadline);
                let (place, tried) = match hedge::patience(&plan, &call, choice) {
                    // Rare, so its state is no part of every request's.
                    Some(patience) => {
                        let first = hedge::Runner::new(at, errand, attempt, &mut recorder);
                        Box::pin(hedge::race(&plan, &call, &mut way, first, patience, &mut recorder)).await
                    }
                    None => {
                        recorder.attempts.push(attempt);
                        ((at, key), one(&plan, &call, Errand { share, ..errand }, &mut recorder).await)
                    }
                };
                tried.map(|delivery| (place, delivery)).map_err(|failure| Stopped::Failed(place, failure))
            });
            tokio::select! {
                biased;
                tried = asked => tried,
                () = cut.cancelled() => Err(Stopped::Failed((at, key), Failure::draining())),
            }
        };
        match tried {
            Ok((place, mut delivery)) => {
                arm(&mut delivery, plan, call, way, place, &mut recorder);
                return Walked { recorder, result: Ok(delivery) };
            }
            Err(Stopped::NoRoom(refusal)) => {
                way.has_no_room(at);
                no_room = Some(refusal);
            }
            // As if it were not there either: another may take the request.
            Err(Stopped::Unfit(why)) => {
                way.cannot_take(at);
                if recorder.attempts.is_empty() {
                    // What was held of its provider since the admission.
                    recorder.limits.leave_provider();
                }
                unfit.get_or_insert((at, why));
            }
            Err(Stopped::Failed((at, key), mut failure)) => {
                // Nobody waits any more: what was begun was read to its end, and nothing else is begun.
                failure.verdict.next &= recorder.leaving.as_ref().is_none_or(|leaving| !leaving.is_gone());
                way.failed(&plan, at, key, &failure);
                failed = Some((at, failure));
            }
        }
    }
    let error = nobody_delivered(&plan, &way, (failed, no_room, unfit), &mut recorder);
    Walked { recorder, result: Err(error) }
}

/// What stood in the way: the last failure, the last provider without room, the first target that cannot take the
/// request.
type Obstacles = (Option<(usize, Failure)>, Option<Refusal>, Option<(usize, Unfit)>);

/// What the client is told when the walk is over and nobody has delivered.
fn nobody_delivered(
    plan: &Plan,
    way: &Itinerary,
    (failed, no_room, unfit): Obstacles,
    recorder: &mut Recorder,
) -> GatewayError {
    match failed {
        Some((at, mut last)) => {
            if last.verdict.next {
                plan.entry.metrics.exhausted.inc();
            }
            if last.verdict.outcome == AttemptOutcome::RateLimited
                && let Some(choice) = plan.choices.get(at)
            {
                // Whichever key was asked last: the first that is free again counts.
                let pool = &choice.target.provider.pool;
                last.retry_after = pool.wait(&choice.model, Instant::now()).or(last.retry_after);
            }
            let tried = verdict::summary(plan, way, recorder, &last);
            last.into_error(&tried)
        }
        None => match (no_room, unfit) {
            (Some(refusal), _) => {
                limited(recorder);
                refusal.to_error()
            }
            (None, Some((at, unfit))) => verdict::unfit(plan, at, &unfit),
            (None, None) => verdict::nobody_asked(plan, way),
        },
    }
}

/// No provider that could take the request has room: our own limits refuse it, as they would have at its admission.
fn limited(recorder: &mut Recorder) {
    let limit = LimitLabel::Upstream;
    if let Some(key) = &recorder.key {
        key.metrics.limited(&recorder.app().metrics, limit);
    }
    recorder.limits.told = Some(HeldUp::refused(limit));
}

/// Why a choice brought no answer.
enum Stopped {
    /// It was not asked.
    NoRoom(Refusal),
    /// Nor was it where it cannot take the request.
    Unfit(Unfit),
    /// It was: which choice with which key, and how it failed.
    Failed((usize, usize), Failure),
}

/// A client in a hurry: while there is another target, the one that is asked gets half of what is left.
fn share_of_time(plan: &Plan, call: &Call, way: &Itinerary) -> Option<Instant> {
    call.patience.filter(|_| way.has_untried())?;
    let now = Instant::now();
    Some(now + plan.deadline.saturating_duration_since(now) / 2)
}

/// Waits, and costs nothing where there is nothing to wait for.
pub(super) async fn pause(wait: Duration) {
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
}

/// Takes the request's part of the target's provider.
async fn enter(choice: &Choice, recorder: &mut Recorder) -> Result<(), Refusal> {
    let app = recorder.app().clone();
    let shared = app.shared_limits();
    recorder.limits.enter(choice.target.provider.limits.as_ref(), shared.as_deref()).await
}

/// Makes the try that stands last in the record, and tells of it.
async fn one(plan: &Plan, call: &Call, errand: Errand, recorder: &mut Recorder) -> Result<Delivery, Failure> {
    recorder.target = Some(errand.target.clone());
    let asking = asks(recorder, &errand);
    let mut tried = attempt::run(call, &errand, following(plan, call)).await;
    drop(asking);
    recorder.upstream_wait += tried.waited;
    note(&errand, recorder.attempts.len().saturating_sub(1), &mut tried, recorder);
    tried.result
}

/// The try is under way, for as long as what comes back lives.
pub(super) fn asks(recorder: &Recorder, errand: &Errand) -> Option<Asking> {
    recorder.leaving.as_ref()?.asks(&errand.target.provider, &errand.sent)
}

/// Takes down what passes on of a stream that another target may have to go on with.
pub(super) fn following(plan: &Plan, call: &Call) -> Option<Box<Following>> {
    detour::method(plan, call).map(|_| Following::new())
}

/// A stream that may break is given what it takes to go on elsewhere, as long as anybody waits for it.
fn arm(
    delivery: &mut Delivery,
    plan: Box<Plan>,
    call: Box<Call>,
    way: Itinerary,
    from: (usize, usize),
    recorder: &mut Recorder,
) {
    let is_gone = recorder.leaving.as_ref().is_some_and(|leaving| leaving.is_gone());
    if let Delivery::Stream { events, .. } = delivery
        && events.is_followed()
        && !is_gone
        && let Some(method) = detour::method(&plan, &call)
    {
        let trial = recorder.attempts.last_mut().map(|attempt| attempt.trial.hand_over());
        events.arm(Detour::new(method, plan, call, way, from, recorder), trial);
    }
}

/// Notes how the try at this place of the record went.
pub(super) fn note(errand: &Errand, at: usize, tried: &mut Tried, recorder: &mut Recorder) {
    let app = recorder.app().clone();
    if let Some(attempt) = recorder.attempts.get_mut(at) {
        errand.note(attempt, tried, &app.metrics);
    }
    recorder.dropped = std::mem::take(&mut tried.dropped);
    recorder.upstream_head = std::mem::take(&mut tried.head);
}

fn fell_back(plan: &Plan, from: usize, to: &Choice, why: AttemptOutcome, recorder: &Recorder) {
    let Some(from) = plan.choices.get(from) else { return };
    let (from, to) = (&from.target.provider, &to.target.provider);
    // Another try at the same provider, or another key or model of it, is none.
    if from.name == to.name {
        return;
    }
    let labels = [plan.entry.metrics.label(), from.metrics.label(), to.metrics.label(), why.as_str()];
    recorder.app().metrics.fallbacks.with_label_values(&labels).inc();
}
