//! The stream of an answer, which another target goes on with when its upstream dies.
//!
//! Where the model allows it (`resume`) and the request permits it, a stream that breaks after content was delivered
//! is not the end: `detour` asks the next target, and what that one sends is joined to what the client has without a
//! visible seam. Everywhere else a relay is its one stream and nothing more. Owns which stream is read and what its
//! record is told; whom to ask is the itinerary's, the seam the protocol's.

use crate::{
    cache::flight::Piece,
    error::Broken,
    health::Trial,
    limits::holding::Holding,
    state::snapshot::Target,
    telemetry::{
        exchange::{Attempt, Recorder, Streaming},
        labels::{AttemptOutcome, ResumeResult, StreamEnd},
    },
    upstream::{
        attempt::Ready,
        detour::{Detour, Found, Lack, Travel},
        failure::Failure,
        stream::{Ending, EventStream, Pace, Step},
    },
};
use bytes::Bytes;
use sluice_protocol::{observe::Facts, sse::DONE};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Instant,
};

/// See the module.
pub struct Relay {
    events: EventStream,
    target: Arc<Target>,
    /// Absent where nobody would go on.
    spare: Option<Box<Spare>>,
}

/// What it takes to go on elsewhere, and what has come of it.
struct Spare {
    state: State,
    /// Pieces of a new stream that had come before it was taken.
    ready: <Ready as IntoIterator>::IntoIter,
    /// The end of the first stream, once it has broken.
    first: Option<Part>,
    /// Tries since then, of which the one at `current` is read.
    attempts: Arc<Mutex<Vec<Attempt>>>,
    current: Option<usize>,
    /// What is held of the limits of the provider that is read.
    holding: Arc<Mutex<Holding>>,
    /// Tells the first target how its try went.
    trial: Mutex<Option<Trial>>,
    pace: Option<Pace>,
    /// Since when another is looked for.
    since: Instant,
    /// How the stream before counts once somebody goes on.
    end: StreamEnd,
    /// All of the answer has been said.
    is_told: bool,
    /// Nothing of the stream that goes on has been passed on yet.
    unproven: bool,
    failed: bool,
}

enum State {
    /// The stream is read.
    Reading(Box<Detour>),
    /// Another is looked for; what broke the one before.
    Looking(Travel, Ending),
    /// There is no other.
    Lost,
    /// It broke when all had been said but that it is over.
    Arrived,
}

/// A stream that broke, as its record is told of it.
#[derive(Clone, Copy)]
struct Part {
    facts: Facts,
    outcome: AttemptOutcome,
    at: Instant,
}

impl Relay {
    /// One stream.
    #[must_use]
    pub fn new(events: EventStream, target: Arc<Target>) -> Self {
        Self { events, target, spare: None }
    }

    /// Is what it passes on followed, so that another could go on?
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.events.is_followed()
    }

    /// The stream itself, for whoever goes on with another one's answer.
    #[must_use]
    pub fn into_events(self) -> EventStream {
        self.events
    }

    /// Will go on by this detour.
    pub fn arm(&mut self, detour: Detour, trial: Option<Trial>) {
        self.spare = Some(Box::new(Spare {
            attempts: detour.attempts(),
            holding: detour.holding(),
            state: State::Reading(Box::new(detour)),
            ready: Ready::new().into_iter(),
            first: None,
            current: None,
            trial: Mutex::new(trial),
            pace: None,
            since: Instant::now(),
            end: StreamEnd::Done,
            is_told: false,
            unproven: false,
            failed: false,
        }));
    }

    /// The next events, or the end.
    pub fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        loop {
            let Some(spare) = &mut self.spare else { return self.events.poll_step(cx) };
            if let Some(piece) = spare.ready.next() {
                spare.prove();
                return Poll::Ready(Step::Events(piece));
            }
            if let State::Looking(travel, _) = &mut spare.state {
                let (detour, found) = std::task::ready!(travel.as_mut().poll(cx));
                if let Some(ending) = self.arrived(detour, found) {
                    return Poll::Ready(Step::End(ending));
                }
                continue;
            }
            if let State::Arrived = spare.state {
                return Poll::Ready(Step::End(Ending::Whole));
            }
            match std::task::ready!(self.events.poll_step(cx)) {
                Step::End(ending) if ending != Ending::Whole => {
                    if !self.look_elsewhere(&ending) {
                        return Poll::Ready(Step::End(ending));
                    }
                }
                step => {
                    spare.prove();
                    return Poll::Ready(step);
                }
            }
        }
    }

    /// Sets out for another target; false where there is no going on.
    fn look_elsewhere(&mut self, ending: &Ending) -> bool {
        let broken = self.broken(ending);
        let facts = *self.events.facts();
        let pace = self.pace();
        let following = self.events.take_following();
        let Some(spare) = &mut self.spare else { return false };
        let State::Reading(detour) = std::mem::replace(&mut spare.state, State::Lost) else { return false };
        if std::mem::take(&mut spare.unproven) && *ending == Ending::Diverged {
            detour.count(ResumeResult::Diverged);
        }
        let Some(following) = following else { return false };
        let lack = detour.lacks(&following, ending);
        spare.is_told = lack != Lack::Text;
        if lack == Lack::EndMark {
            spare.arrive();
            self.events.close();
            return true;
        }
        let Some(travel) = detour.set_out(&following, ending, &facts) else {
            let is_told = spare.is_told;
            if is_told {
                spare.arrive();
                self.events.close();
            }
            return is_told;
        };
        let now = Instant::now();
        let part = Part { facts, outcome: broken.attempt, at: now };
        match spare.current {
            None => {
                spare.first = Some(part);
                if let Some(trial) = &mut *lock(&spare.trial) {
                    trial.ended(part.outcome, now);
                }
            }
            Some(current) => part.tell(lock(&spare.attempts).get_mut(current)),
        }
        spare.current = None;
        spare.pace = Some(pace);
        (spare.since, spare.end) = (now, broken.end);
        self.events.close();
        spare.state = State::Looking(travel, ending.clone());
        true
    }

    /// The search is over. Returns how the stream ends if there is no other.
    fn arrived(&mut self, detour: Box<Detour>, found: Option<Found>) -> Option<Ending> {
        let spare = self.spare.as_mut()?;
        let State::Looking(_, ending) = std::mem::replace(&mut spare.state, State::Lost) else { return None };
        let Some(Found { events, ready, target, attempt }) = found else {
            if spare.is_told {
                // Nobody tells what it cost; but all of it has been said.
                spare.arrive();
                return None;
            }
            spare.failed = true;
            return Some(ending);
        };
        self.target.metrics.stream_end(spare.end);
        let gap = spare.since.elapsed();
        if let Some(pace) = &mut spare.pace {
            pace.waited += gap;
            pace.max_gap = pace.max_gap.max(gap);
        }
        spare.unproven = true;
        self.events = events;
        self.target = target;
        spare.current = Some(attempt);
        spare.ready = ready.into_iter();
        spare.state = State::Reading(detour);
        None
    }

    /// What a client is told of a stream that broke.
    #[must_use]
    pub fn broken(&self, ending: &Ending) -> Broken {
        let mut broken = Failure::of_stream(ending, &self.target.provider);
        if self.spare.as_ref().is_some_and(|spare| spare.failed) {
            broken.error.message.push_str(" No other target could go on with it.");
        }
        broken
    }

    /// The terminal event has been passed on: whatever follows, the client has a whole answer.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let Some(spare) = &self.spare else { return self.events.is_complete() };
        spare.ready.len() == 0 && (self.events.is_complete() || matches!(spare.state, State::Arrived))
    }

    /// Has another target gone on with it, or we ourselves said that it is over?
    #[must_use]
    pub fn was_mended(&self) -> bool {
        let Some(spare) = &self.spare else { return false };
        spare.first.is_some() || matches!(spare.state, State::Arrived)
    }

    /// What the stream that is read told so far.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        self.events.facts()
    }

    /// When things came, over all streams that were read.
    #[must_use]
    pub fn pace(&self) -> Pace {
        let now = self.events.pace();
        match self.spare.as_ref().and_then(|spare| spare.pace) {
            Some(before) => before.and(now),
            None => now,
        }
    }

    /// Who sends what is read now.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Nobody is to go on with it any more, since nobody waits for it. False when there is no stream to be read on
    /// either.
    pub fn stay(&mut self) -> bool {
        let Some(spare) = &mut self.spare else { return true };
        if let State::Looking(..) = spare.state {
            spare.state = State::Lost;
            return false;
        }
        // What the client had is of no use to anybody.
        drop(self.events.take_following());
        true
    }

    /// Lets the upstream go. What is known stays.
    pub fn close(&mut self) {
        self.events.close();
        if let Some(spare) = &mut self.spare {
            spare.state = State::Lost;
        }
    }

    /// Writes what was read into the record: tokens, pace, how each try went; the last one ended so at `at`.
    pub fn settle(&self, recorder: &mut Recorder, outcome: AttemptOutcome, at: Instant) {
        let last = Part { facts: *self.events.facts(), outcome, at };
        let first = self.spare.as_ref().and_then(|spare| spare.first);
        let of_first = first.unwrap_or(last);
        recorder.answered(&of_first.facts);
        of_first.tell(recorder.attempts.last_mut());
        if let Some(spare) = &self.spare {
            if let Some(trial) = &mut *lock(&spare.trial) {
                trial.ended(of_first.outcome, of_first.at);
            }
            recorder.limits.take_back(std::mem::take(&mut *lock(&spare.holding)));
            if first.is_some() {
                spare.settle(recorder, last);
            }
        }
        let pace = self.pace();
        recorder.upstream_wait += pace.waited;
        let end = recorder.streaming.as_ref().and_then(|streaming| streaming.end);
        recorder.streaming = Some(Streaming {
            first_content: pace.first_content,
            last_content: pace.last_content,
            content_events: last.facts.content_events,
            max_gap: pace.max_gap,
            end,
        });
    }
}

impl Spare {
    /// All that is missing is the end mark, which is added.
    fn arrive(&mut self) {
        let done = Piece { bytes: Bytes::from_static(DONE), usage_only: false };
        self.ready = Ready::from_iter([done]).into_iter();
        self.state = State::Arrived;
    }

    /// Something of the stream that goes on is passed on: it begins as the client's does.
    fn prove(&mut self) {
        if std::mem::take(&mut self.unproven)
            && let State::Reading(detour) = &self.state
        {
            detour.count(ResumeResult::Ok);
        }
    }

    /// Adds the tries that followed the first stream's end.
    fn settle(&self, recorder: &mut Recorder, last: Part) {
        let mut attempts = std::mem::take(&mut *lock(&self.attempts));
        if let Some(current) = self.current {
            last.tell(attempts.get_mut(current));
        }
        let streams = || attempts.iter().filter(|attempt| attempt.facts.is_some());
        if let Some(target) = streams().next_back().map(|attempt| attempt.target.clone()) {
            recorder.target = Some(target);
        }
        recorder.resumed = streams().count();
        recorder.attempts.extend(attempts);
    }
}

impl Part {
    fn tell(self, attempt: Option<&mut Attempt>) {
        let Some(attempt) = attempt else { return };
        attempt.facts = Some(self.facts);
        attempt.end_at(self.outcome, self.at);
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
