//! Walks a plan until a target delivers: the client sees one answer, or one true error.
//!
//! Owns the order and the bound of tries. Takes what it needs by value, so that a reply whose head had to go out
//! early can carry the rest of the walk inside its body.

use crate::{
    error::{ErrorKind, GatewayError},
    facts::{Call, Plan},
    limits::refusal::Refusal,
    state::snapshot::Target,
    telemetry::{
        exchange::{Attempt, Recorder},
        labels::{AbortPhase, AttemptOutcome, LimitLabel},
    },
    upstream::{
        attempt::{self, Delivery},
        body::Sent,
        failure::Failure,
    },
};
use std::{
    fmt::Write,
    pin::Pin,
    sync::Arc,
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

/// Tries the plan's targets in order until one delivers.
pub async fn run(plan: Plan, call: Call, mut recorder: Recorder, cut: CancellationToken) -> Walked {
    recorder.phase = AbortPhase::Wait;
    // One deadline for all tries together: what the first target may take alone.
    let total = plan.targets.first().map_or(Duration::ZERO, |target| target.provider.timeouts.total);
    let deadline = Instant::now() + total;
    let tries = usize::try_from(plan.entry.attempts).unwrap_or(usize::MAX);
    let mut failed: Option<(&Arc<Target>, Failure)> = None;
    let mut no_room: Option<Refusal> = None;
    let mut left = tries;
    for target in plan.targets.iter().skip(plan.passed_over) {
        if left == 0 || failed.as_ref().is_some_and(|(_, failure)| !failure.verdict.next) {
            break;
        }
        // One that our own limits leave no room is passed over, as if it were not there.
        let entered = tokio::select! {
            biased;
            entered = enter(target, &mut recorder) => entered,
            () = cut.cancelled() => {
                failed = Some((target, Failure::draining()));
                break;
            }
        };
        if let Err(refusal) = entered {
            if let Some(key) = &recorder.key {
                key.metrics.limited(&recorder.app().metrics, LimitLabel::Upstream);
            }
            no_room = Some(refusal);
            continue;
        }
        if let Some((from, failure)) = &failed {
            fell_back(&plan, from, target, failure.verdict.outcome, &recorder);
        }
        left -= 1;
        let tried = tokio::select! {
            biased;
            tried = one(&plan, &call, target, deadline, &mut recorder) => tried,
            () = cut.cancelled() => Err(Failure::draining()),
        };
        match tried {
            Ok(delivery) => return Walked { recorder, result: Ok(delivery) },
            Err(failure) => failed = Some((target, failure)),
        }
    }
    let Some((_, last)) = failed else {
        let no_target = || GatewayError::new(ErrorKind::Internal, "The model has no target.");
        let error = no_room.map_or_else(no_target, |refusal| refusal.to_error());
        return Walked { recorder, result: Err(error) };
    };
    if last.verdict.next {
        plan.entry.metrics.exhausted.inc();
    }
    let tried = summary(&plan.requested, &recorder, &last);
    Walked { result: Err(last.into_error(&tried)), recorder }
}

/// Takes the request's part of the target's provider.
async fn enter(target: &Target, recorder: &mut Recorder) -> Result<(), Refusal> {
    let app = recorder.app().clone();
    let shared = app.shared_limits();
    recorder.limits.enter(target.provider.limits.as_ref(), shared.as_deref()).await
}

async fn one(
    plan: &Plan,
    call: &Call,
    target: &Arc<Target>,
    deadline: Instant,
    recorder: &mut Recorder,
) -> Result<Delivery, Failure> {
    recorder.target = Some(target.clone());
    let model = target.upstream_model(&plan.entry, &plan.requested);
    let sent = Sent::default();
    // Cancelled until it is known better: the client may leave at any moment.
    recorder.attempts.push(Attempt {
        target: target.clone(),
        model: if *model == *target.model { target.model.clone() } else { model.as_ref().into() },
        outcome: AttemptOutcome::Cancelled,
        status: None,
        reason: None,
        began: Instant::now(),
        took: None,
        sent: sent.clone(),
        facts: None,
    });
    let tried = attempt::run(call, target, &model, deadline, &sent).await;
    recorder.upstream_wait += tried.waited;
    for field in &tried.dropped {
        recorder.app().metrics.dropped_fields.with_label_values(&[&*target.provider.name, field]).inc();
    }
    recorder.dropped = tried.dropped;
    recorder.upstream_head = tried.head;
    if let Some(attempt) = recorder.attempts.last_mut() {
        match &tried.result {
            Ok(Delivery::Plain { .. }) => attempt.end(AttemptOutcome::Ok, Some(200)),
            // A stream's try ends with the stream.
            Ok(_) => attempt.status = Some(200),
            Err(failure) => {
                attempt.reason = failure.reason;
                attempt.end(failure.verdict.outcome, failure.status);
            }
        }
    }
    tried.result
}

fn fell_back(plan: &Plan, from: &Target, to: &Target, why: AttemptOutcome, recorder: &Recorder) {
    let labels = [plan.entry.metrics.label(), &from.provider.name, &to.provider.name, why.as_str()];
    recorder.app().metrics.fallbacks.with_label_values(&labels).inc();
}

/// Names every try: provider, status, time, and the last one's words.
fn summary(requested: &str, recorder: &Recorder, last: &Failure) -> String {
    let tries = recorder.attempts.len();
    let model: String = requested.chars().filter(|c| !c.is_control()).collect();
    let mut text = match tries {
        1 => format!("The upstream of model '{model}' failed: "),
        _ => format!("All {tries} upstreams tried for model '{model}' failed: "),
    };
    for (index, attempt) in recorder.attempts.iter().enumerate() {
        let separator = if index == 0 { "" } else { "; " };
        let took = attempt.took().as_millis();
        let name = &attempt.target.provider.name;
        // Writing into a String cannot fail.
        let _ = match attempt.status {
            Some(status) if status != 200 => {
                write!(text, "{separator}{name} answered {status} after {took} ms")
            }
            _ => write!(text, "{separator}{name} {} after {took} ms", in_words(attempt.outcome)),
        };
    }
    let _ = write!(text, ": {}.", last.message.trim_end_matches(['.', '!', '?']));
    text
}

fn in_words(outcome: AttemptOutcome) -> &'static str {
    match outcome {
        AttemptOutcome::ConnectError => "could not be connected to",
        AttemptOutcome::Timeout => "took too long",
        _ => "gave no usable answer",
    }
}
