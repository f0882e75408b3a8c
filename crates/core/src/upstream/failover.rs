//! Walks a plan until a target delivers: the client sees one answer, or one true error.
//!
//! Owns the walking: waits, tries, what is told of each. Whom to ask next is `itinerary`'s. Takes what it needs by
//! value, so that a reply whose head had to go out early can carry the rest of the walk inside its body.

use crate::{
    error::GatewayError,
    facts::{Call, Choice, Plan},
    limits::refusal::Refusal,
    telemetry::{
        exchange::{Attempt, Recorder},
        labels::{AbortPhase, AttemptOutcome, LimitLabel},
    },
    upstream::{
        attempt::{self, Delivery, Errand, Tried},
        body::Sent,
        failure::Failure,
        itinerary::{Itinerary, Leave},
        verdict,
    },
};
use std::{
    pin::Pin,
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
pub async fn run(plan: Plan, call: Call, mut recorder: Recorder, cut: CancellationToken) -> Walked {
    recorder.phase = AbortPhase::Wait;
    let mut way = Itinerary::new(&plan);
    let mut failed: Option<(usize, Failure)> = None;
    let mut no_room: Option<Refusal> = None;
    while failed.as_ref().is_none_or(|(_, failure)| failure.verdict.next) {
        let Some(leave) = way.next(&plan, Instant::now()) else { break };
        let (at, key) = (leave.at, leave.key);
        let Some(choice) = plan.choices.get(at) else { break };
        if Instant::now() + leave.wait >= plan.deadline {
            failed.get_or_insert_with(|| (at, Failure::out_of_time(Duration::ZERO)));
            break;
        }
        let asked = async {
            tokio::time::sleep(leave.wait).await;
            // A target whose provider our own limits leave no room is passed over, as if it were not there.
            enter(choice, &mut recorder).await.map_err(Stopped::NoRoom)?;
            if let Some((from, failure)) = &failed {
                fell_back(&plan, *from, choice, failure.verdict.outcome, &recorder);
            }
            one(&plan, &call, choice, leave, &mut recorder).await.map_err(Stopped::Failed)
        };
        let tried = tokio::select! {
            biased;
            tried = asked => tried,
            () = cut.cancelled() => Err(Stopped::Failed(Failure::draining())),
        };
        match tried {
            Ok(delivery) => return Walked { recorder, result: Ok(delivery) },
            Err(Stopped::NoRoom(refusal)) => {
                if let Some(key) = &recorder.key {
                    key.metrics.limited(&recorder.app().metrics, LimitLabel::Upstream);
                }
                way.has_no_room(at);
                no_room = Some(refusal);
            }
            Err(Stopped::Failed(mut failure)) => {
                // Nobody waits any more: what was begun was read to its end, and nothing else is begun.
                failure.verdict.next &= recorder.leaving.as_ref().is_none_or(|leaving| !leaving.is_gone());
                way.failed(&plan, at, key, &failure);
                failed = Some((at, failure));
            }
        }
    }
    let result = Err(match failed {
        Some((_, last)) => {
            if last.verdict.next {
                plan.entry.metrics.exhausted.inc();
            }
            let tried = verdict::summary(&plan.requested, &recorder, &last);
            last.into_error(&tried)
        }
        None => match no_room {
            Some(refusal) => refusal.to_error(),
            None => verdict::nobody_asked(&plan, &way),
        },
    });
    Walked { recorder, result }
}

/// Why a choice brought no answer.
enum Stopped {
    /// It was not asked.
    NoRoom(Refusal),
    /// It was.
    Failed(Failure),
}

/// Takes the request's part of the target's provider.
async fn enter(choice: &Choice, recorder: &mut Recorder) -> Result<(), Refusal> {
    let app = recorder.app().clone();
    let shared = app.shared_limits();
    recorder.limits.enter(choice.target.provider.limits.as_ref(), shared.as_deref()).await
}

/// Makes one try, and tells of it.
async fn one(
    plan: &Plan,
    call: &Call,
    choice: &Choice,
    leave: Leave,
    recorder: &mut Recorder,
) -> Result<Delivery, Failure> {
    let errand = begin(plan, choice, leave, recorder);
    let at = recorder.attempts.len().saturating_sub(1);
    let asking =
        recorder.leaving.as_ref().and_then(|leaving| leaving.asks(&choice.target.provider, &errand.sent));
    let mut tried = attempt::run(call, &errand).await;
    drop(asking);
    end(at, &errand, &mut tried, recorder);
    tried.result
}

/// Notes that a try begins.
fn begin(plan: &Plan, choice: &Choice, leave: Leave, recorder: &mut Recorder) -> Errand {
    let sent = Sent::default();
    recorder.target = Some(choice.target.clone());
    // Cancelled until it is known better: the client may leave at any moment.
    recorder.attempts.push(Attempt {
        target: choice.target.clone(),
        model: choice.model.clone(),
        outcome: AttemptOutcome::Cancelled,
        status: None,
        reason: None,
        said: None,
        began: Instant::now(),
        took: None,
        sent: sent.clone(),
        facts: None,
        trial: leave.trial,
    });
    Errand {
        target: choice.target.clone(),
        model: choice.model.clone(),
        key: leave.key,
        deadline: plan.deadline,
        sent,
    }
}

/// Notes how a try went: in the record, with its target, with its key.
fn end(at: usize, errand: &Errand, tried: &mut Tried, recorder: &mut Recorder) {
    let provider = &errand.target.provider;
    recorder.upstream_wait += tried.waited;
    for field in &tried.dropped {
        recorder.app().metrics.dropped_fields.with_label_values(&[&*provider.name, field]).inc();
    }
    recorder.dropped = std::mem::take(&mut tried.dropped);
    recorder.upstream_head = std::mem::take(&mut tried.head);
    let now = Instant::now();
    let Some(attempt) = recorder.attempts.get_mut(at) else { return };
    match &tried.result {
        Ok(delivery) => {
            provider.pool.worked(errand.key, &errand.model);
            attempt.trial.delivered(tried.waited, now);
            if let Delivery::Plain { .. } = delivery {
                attempt.end(AttemptOutcome::Ok, Some(200));
            } else {
                // A stream's try ends with the stream.
                attempt.status = Some(200);
            }
        }
        Err(failure) => {
            attempt.reason = failure.reason;
            attempt.said = Some(failure.message.as_str().into());
            note_key(errand, failure, now);
            if failure.blameless {
                attempt.trial.ended(AttemptOutcome::Cancelled, now);
            }
            if let Some(wait) = failure.retry_after.filter(|_| failure.verdict.again) {
                attempt.trial.rest(wait, now);
            }
            attempt.end(failure.verdict.outcome, failure.status);
        }
    }
}

/// What a failure says of the key it was asked with.
fn note_key(errand: &Errand, failure: &Failure, now: Instant) {
    let provider = &errand.target.provider;
    match failure.verdict.outcome {
        AttemptOutcome::RateLimited => {
            provider.pool.rate_limited(errand.key, &errand.model, failure.retry_after, now);
            provider.metrics.cooldown(AttemptOutcome::RateLimited);
        }
        AttemptOutcome::AuthError => {
            provider.metrics.cooldown(AttemptOutcome::AuthError);
            if provider.pool.refused(errand.key, &errand.model, now) {
                let key = provider.pool.name(errand.key).map_or("", |name| name);
                tracing::error!(
                    provider = &*provider.name,
                    key,
                    model = &*errand.model,
                    status = failure.status,
                    "an upstream refuses this key; it is put aside and tried again from time to time"
                );
            }
        }
        _ => {}
    }
}

fn fell_back(plan: &Plan, from: usize, to: &Choice, why: AttemptOutcome, recorder: &Recorder) {
    let Some(from) = plan.choices.get(from) else { return };
    let (from, to) = (&from.target.provider.name, &to.target.provider.name);
    let labels = [plan.entry.metrics.label(), from, to, why.as_str()];
    recorder.app().metrics.fallbacks.with_label_values(&labels).inc();
}
