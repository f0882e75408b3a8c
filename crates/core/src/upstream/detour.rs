//! The way of a broken stream to the target that goes on with it.
//!
//! By either of two methods (`sluice_protocol::resume`): text completions go on from prompt and text so far, repeatable
//! requests are asked again and must begin with what the client already has. Never more than a few times for one
//! stream, each within its target's own timers, and within the limits of its provider.

use crate::{
    app::App,
    facts::{Call, Plan},
    limits::{holding::Holding, scope::Spent},
    state::snapshot::Target,
    telemetry::{
        exchange::{Attempt, Recorder},
        labels::{AttemptOutcome, ResumeResult},
    },
    upstream::{
        attempt::{self, Delivery, Ready},
        errand::{Errand, Outgoing},
        failover,
        failure::Failure,
        following::Following,
        itinerary::{Itinerary, Turn},
        stream::{Ending, EventStream},
    },
};
use bytes::Bytes;
use sluice_config::model::Resume;
use sluice_protocol::{
    Dialect, Envelope, Facts,
    resume::{self, Delivered, Method},
};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

/// One stream is gone on with so many times at most.
const MOST: u32 = 3;
/// The word in a try's record.
const RESUMED: &str = "resumed";

/// See the module.
pub struct Detour {
    method: Method,
    app: Arc<App>,
    plan: Box<Plan>,
    call: Box<Call>,
    way: Itinerary,
    /// Where the stream that is read comes from: choice and key.
    from: (usize, usize),
    holding: Arc<Mutex<Holding>>,
    attempts: Arc<Mutex<Vec<Attempt>>>,
    left: u32,
    /// Tokens of the prompt, estimated.
    prompt: u64,
    /// Tokens of the stream that broke.
    used: u64,
    /// All streams together end by then.
    end: Instant,
}

/// What may be missing of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Some of it.
    Text,
    /// All has been said but what it cost.
    Usage,
    /// Only that it is over.
    EndMark,
}

/// Somebody goes on.
pub struct Found {
    /// The new stream.
    pub events: EventStream,
    /// What has come of it.
    pub ready: Ready,
    /// Who sends it.
    pub target: Arc<Target>,
    /// The place of its try.
    pub attempt: usize,
}

/// A search under way.
pub type Travel = Pin<Box<dyn Future<Output = (Box<Detour>, Option<Found>)> + Send>>;

/// How a stream of this call might be gone on with, if at all.
#[must_use]
pub fn method(plan: &Plan, call: &Call) -> Option<Method> {
    match plan.entry.resume {
        _ if !call.stream => None,
        Resume::None => None,
        Resume::Completions => resume::may_append(&call.envelope).then_some(Method::Append),
        Resume::Deterministic => resume::may_repeat(&call.envelope).then_some(Method::Repeat),
    }
}

impl Detour {
    /// For a stream that comes from the choice and key `from`.
    #[must_use]
    pub fn new(
        method: Method,
        plan: Box<Plan>,
        call: Box<Call>,
        way: Itinerary,
        from: (usize, usize),
        recorder: &mut Recorder,
    ) -> Self {
        let total = plan.choices.get(from.0).map(|choice| choice.target.provider.timeouts.total);
        Self {
            method,
            app: recorder.app().clone(),
            holding: Arc::new(Mutex::new(recorder.limits.lend_provider())),
            prompt: recorder.prompt_tokens,
            used: 0,
            end: Instant::now() + total.unwrap_or_default(),
            attempts: Arc::default(),
            left: MOST,
            plan,
            call,
            way,
            from,
        }
    }

    /// Tries that were made, also while one is under way.
    #[must_use]
    pub fn attempts(&self) -> Arc<Mutex<Vec<Attempt>>> {
        self.attempts.clone()
    }

    /// What is held of the limits of the provider that goes on.
    #[must_use]
    pub fn holding(&self) -> Arc<Mutex<Holding>> {
        self.holding.clone()
    }

    fn held(&self) -> MutexGuard<'_, Holding> {
        self.holding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What may be missing of an answer whose stream ended so.
    #[must_use]
    pub fn lacks(&self, following: &Following, ending: &Ending) -> Lack {
        let delivered = following.delivered();
        // An upstream that says that something went wrong is believed.
        let broke_off = matches!(ending, Ending::Truncated | Ending::Timeout);
        if !broke_off || !delivered.is_resumable() || !delivered.is_finished() {
            return Lack::Text;
        }
        let wants_usage = self.call.wants_usage() || self.call.shared;
        // Who goes on from a text cannot be asked for the usage of one that has ended.
        let may_ask = self.method == Method::Repeat && wants_usage && !delivered.has_usage();
        if may_ask { Lack::Usage } else { Lack::EndMark }
    }

    /// Sets out, if what the client has can be gone on with.
    pub fn set_out(
        mut self: Box<Self>,
        following: &Following,
        ending: &Ending,
        facts: &Facts,
    ) -> Option<Travel> {
        let delivered = following.delivered();
        if Instant::now() >= self.end {
            return None;
        }
        self.used = self.prompt.saturating_add(facts.content_tokens);
        self.left = self.left.checked_sub(1).filter(|_| delivered.is_resumable())?;
        let (at, key) = self.from;
        let provider = &self.plan.choices.get(at)?.target.provider;
        let mut failure = Failure::from_ending(ending, provider);
        // A connection that died may have been the only fault.
        failure.verdict.again = *ending == Ending::Truncated;
        self.way.failed(&self.plan, at, key, &failure);
        self.way.grant_one();
        let call = self.next_call(delivered)?;
        let delivered = delivered.clone();
        Some(Box::pin(self.travel(call, delivered)))
    }

    /// What the next target is asked.
    fn next_call(&self, delivered: &Delivered) -> Option<Call> {
        let envelope: Envelope = match self.method {
            Method::Repeat => self.call.envelope.clone(),
            Method::Append => resume::appended(&self.call.envelope, delivered)?,
        };
        Some(Call { envelope, prompt: OnceLock::new(), ..Call::clone(&self.call) })
    }

    async fn travel(mut self: Box<Self>, call: Call, delivered: Delivered) -> (Box<Self>, Option<Found>) {
        let mut found = None;
        while found.is_none()
            && let Some(turn) = self.way.next(&self.plan, Instant::now())
        {
            found = self.ask(&call, &delivered, turn).await;
        }
        if found.is_none() {
            self.count(ResumeResult::Failed);
        }
        (self, found)
    }

    /// Counts what has come of it.
    pub fn count(&self, result: ResumeResult) {
        self.app.metrics.resumed.with_label_values(&[self.plan.entry.metrics.label(), result.as_str()]).inc();
    }

    async fn ask(&mut self, call: &Call, delivered: &Delivered, turn: Turn) -> Option<Found> {
        failover::pause(turn.wait).await;
        let (at, key) = (turn.at, turn.key);
        let choice = self.plan.choices.get(at)?;
        let target = choice.target.clone();
        // A text goes on only where a text is what is asked for.
        if self.method == Method::Append && choice.wire != Dialect::Completions {
            self.way.cannot_take(at);
            return None;
        }
        let Ok(outgoing) = Outgoing::of(&self.plan, call, choice) else {
            self.way.cannot_take(at);
            return None;
        };
        let mut holding = std::mem::take(&mut *self.held());
        let shared = self.app.shared_limits();
        let entered = holding
            .enter_after(
                Spent { tokens: self.used, ..Spent::default() },
                target.provider.limits.as_ref(),
                shared.as_deref(),
            )
            .await;
        *self.held() = holding;
        if entered.is_err() {
            self.way.has_no_room(at);
            return None;
        }
        let mark =
            format!(": resumed by {} after {} events\n\n", target.provider.name, delivered.content_events());
        let following = Following::beyond(delivered, self.method, Bytes::from(mark))?;
        let deadline = (Instant::now() + target.provider.timeouts.total).min(self.end);
        let (mut errand, mut attempt) = Errand::begin(choice, turn, outgoing, deadline);
        errand.end = Some(self.end);
        attempt.reason = Some(RESUMED);
        let place = {
            let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
            attempts.push(attempt);
            attempts.len() - 1
        };
        let tried = attempt::run(call, &errand, Some(following)).await;
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = attempts.get_mut(place)?;
        errand.note(attempt, &tried, &self.app.metrics);
        attempt.reason = attempt.reason.or(Some(RESUMED));
        match tried.result {
            Ok(Delivery::Stream { ready, events, .. }) => {
                self.from = (at, key);
                Some(Found { events: events.into_events(), ready, target, attempt: place })
            }
            Ok(_) => {
                attempt.end(AttemptOutcome::BadResponse, None, Instant::now());
                None
            }
            Err(failure) => {
                drop(attempts);
                if failure.reason == Some("diverged") {
                    self.count(ResumeResult::Diverged);
                }
                self.way.failed(&self.plan, at, key, &failure);
                None
            }
        }
    }
}
