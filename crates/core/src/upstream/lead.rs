//! The source of a flight: asks the second tier and then the upstreams, and keeps the answer.
//!
//! Runs on behalf of the request that began the flight, whose record it carries; which client reads, or whether
//! that client is still there, is the flight's business.

use crate::{
    cache::{
        entry::Entry,
        flight::{End, Piece, Progress, Source},
        store::{AnsweredBy, Keep},
    },
    error::{ErrorKind, GatewayError},
    state::{
        snapshot::Target,
        unclaimed::{Place, Unclaimed},
    },
    telemetry::{
        exchange::{OpenGauge, Recorder},
        labels::{AttemptOutcome, StoreResult},
    },
    upstream::{
        abandoned::{self, Leaving},
        attempt::{Delivery, Ready},
        failover::{Walk, Walked},
        relay::Relay,
        stream::{Ending, Step},
    },
};
use bytes::Bytes;
use sluice_protocol::observe::Facts;
use std::{
    ops::Range,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

/// See the module.
pub struct Lead {
    state: State,
    keep: Keep,
    /// The target that the key names.
    planned: Option<Arc<Target>>,
    /// The target that answers, its name for the model, and whether it answers with 200.
    giver: Option<(Arc<Target>, Arc<str>, bool)>,
    told: Told,
    outgrown: bool,
    /// Where it goes on when nobody reads any more, and what the walk knows of that.
    unclaimed: Unclaimed,
    leaving: Option<Arc<Leaving>>,
}

enum State {
    Walking(Walk),
    Open {
        ready: <Ready as IntoIterator>::IntoIter,
        events: Box<Relay>,
        /// The flight knows that the log is whole.
        complete: bool,
        _gauge: Option<OpenGauge>,
    },
    Over,
}

/// What the record of the request is told in the end.
#[derive(Default)]
struct Told {
    /// Of a plain answer.
    facts: Facts,
    /// A stream that is over, and how and when its try ended.
    stream: Option<(Box<Relay>, AttemptOutcome, Instant)>,
}

impl Lead {
    /// Will walk, and keep what comes.
    #[must_use]
    pub fn new(
        walk: Walk,
        keep: Keep,
        planned: Option<Arc<Target>>,
        unclaimed: Unclaimed,
        leaving: Option<Arc<Leaving>>,
    ) -> Self {
        Self {
            state: State::Walking(walk),
            keep,
            planned,
            giver: None,
            told: Told::default(),
            outgrown: false,
            unclaimed,
            leaving,
        }
    }

    fn walked(&mut self, walked: Walked) -> Progress {
        let Walked { recorder, result } = walked;
        self.state = State::Over;
        match result {
            Ok(Delivery::Plain { body, facts, status }) => {
                self.giver = giver(&recorder, status);
                self.told.facts = facts;
                let (entry, stored) = self.keep.plain(body, &facts, &self.answered_by());
                Progress::End(End::Plain(entry, stored), Some(recorder))
            }
            Ok(Delivery::Stream { ready, events, status }) => {
                self.giver = giver(&recorder, status);
                let gauge = OpenGauge::new(&recorder);
                self.state = State::Open { ready: ready.into_iter(), events, complete: false, _gauge: gauge };
                let named = self.giver.as_ref();
                Progress::Begun(recorder, named.and_then(|(target, model, _)| target.giver(model)))
            }
            Ok(Delivery::Recalled(recalled)) => Progress::End(End::Found(recalled.entry), Some(recorder)),
            Ok(Delivery::Shared(_)) => {
                let error = GatewayError::new(ErrorKind::Internal, "A flight led to another flight.");
                Progress::End(End::Failed(error), Some(recorder))
            }
            Err(error) => Progress::End(End::Failed(error), Some(recorder)),
        }
    }

    fn answered_by(&self) -> AnsweredBy {
        let Some((target, model, proper)) = &self.giver else {
            return AnsweredBy { provider: "".into(), model: "".into(), giver: None, fit: false };
        };
        let planned = self.planned.as_ref().is_some_and(|planned| Arc::ptr_eq(planned, target));
        AnsweredBy {
            provider: target.provider.name.clone(),
            model: model.clone(),
            giver: target.giver(model),
            fit: planned && *proper,
        }
    }

    /// The upstream's stream has ended.
    fn ended(&mut self, ending: &Ending) -> Progress {
        let complete = matches!(self.state, State::Open { complete: true, .. });
        let broken = match &self.state {
            State::Open { events, .. } if *ending != Ending::Whole => Some(events.broken(ending)),
            _ => None,
        };
        if !complete && !self.outgrown {
            // Cut, or ended without the event that says so.
            self.keep.not_kept(StoreResult::Incomplete);
        }
        self.over(broken.as_ref().map_or(AttemptOutcome::Ok, |broken| broken.attempt));
        Progress::End(broken.map_or(End::Whole, End::Broken), None)
    }

    /// Lets the upstream go and remembers what it told.
    fn over(&mut self, attempt: AttemptOutcome) {
        if let State::Open { mut events, .. } = std::mem::replace(&mut self.state, State::Over) {
            events.close();
            self.told.stream = Some((events, attempt, Instant::now()));
        }
    }
}

fn giver(recorder: &Recorder, status: u16) -> Option<(Arc<Target>, Arc<str>, bool)> {
    let attempt = recorder.attempts.last()?;
    // Other successes, such as a part of an answer, pass and are not kept.
    Some((attempt.target.clone(), attempt.model.clone(), status == 200))
}

impl Source for Lead {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Progress> {
        let progress = match &mut self.state {
            State::Walking(walk) => {
                let walked = std::task::ready!(walk.as_mut().poll(cx));
                self.walked(walked)
            }
            State::Open { ready, events, complete, .. } => {
                let piece = match ready.next() {
                    Some(piece) => piece,
                    None => match std::task::ready!(events.poll_step(cx)) {
                        Step::Events(piece) => piece,
                        Step::End(ending) => return Poll::Ready(self.ended(&ending)),
                    },
                };
                // What two upstreams have said between them is not kept.
                let is_last = ready.len() == 0 && events.is_complete();
                if is_last && events.was_mended() {
                    Progress::LastUnkept(piece)
                } else if is_last && !std::mem::replace(complete, true) {
                    Progress::Last(piece)
                } else {
                    Progress::Piece(piece)
                }
            }
            State::Over => {
                let error = GatewayError::new(ErrorKind::Internal, "The flight is over.");
                Progress::End(End::Failed(error), None)
            }
        };
        Poll::Ready(progress)
    }

    fn complete(&mut self, events: Bytes, usage: Vec<Range<usize>>) -> Arc<Entry> {
        let facts = match &self.state {
            State::Open { events, .. } => *events.facts(),
            _ => self.told.facts,
        };
        self.keep.stream(events, usage, &facts, &self.answered_by())
    }

    fn outgrown(&mut self) {
        self.keep.not_kept(StoreResult::TooLarge);
        // Nothing more is said of it at the end.
        self.outgrown = true;
    }

    fn goes_on(&mut self) -> Option<Place> {
        let is_wanted = match &mut self.state {
            State::Walking(_) => self.leaving.as_ref().is_some_and(|leaving| leaving.leave()),
            State::Open { events, .. } => {
                !events.is_complete()
                    && abandoned::is_read_to_its_end(&events.target().provider)
                    && events.stay()
            }
            State::Over => false,
        };
        if is_wanted { self.unclaimed.place() } else { None }
    }

    fn cancel(&mut self) {
        match &self.state {
            State::Open { events, complete, .. } => {
                let whole = events.is_complete();
                if !*complete && !whole && !self.outgrown {
                    self.keep.not_kept(StoreResult::Incomplete);
                }
                self.over(if whole { AttemptOutcome::Ok } else { AttemptOutcome::Cancelled });
            }
            // Dropping the walk tells about its request.
            State::Walking(_) => self.state = State::Over,
            State::Over => {}
        }
    }

    fn settle(&self, recorder: &mut Recorder) {
        match (&self.state, &self.told.stream) {
            (State::Open { events, .. }, _) => {
                let outcome =
                    if events.is_complete() { AttemptOutcome::Ok } else { AttemptOutcome::Cancelled };
                events.settle(recorder, outcome, Instant::now());
            }
            (_, Some((events, outcome, at))) => events.settle(recorder, *outcome, *at),
            _ if self.giver.is_some() => recorder.answered(&self.told.facts),
            _ => {}
        }
    }
}

/// One piece of a stream that only one client reads.
#[must_use]
pub fn joined(ready: Ready) -> Bytes {
    let mut pieces = ready.into_iter().map(|piece: Piece| piece.bytes);
    match (pieces.next(), pieces.next()) {
        (None, _) => Bytes::new(),
        (Some(only), None) => only,
        (Some(one), Some(two)) => {
            let all: Vec<Bytes> = [one, two].into_iter().chain(pieces).collect();
            all.concat().into()
        }
    }
}
