//! A stream on its way to the client.
//!
//! Passes whole events on as they come, keeps the client's connection alive in silence, and turns every way in
//! which a stream can break into an error event: never silence, never a false end.

use crate::{
    error::{ErrorKind, GatewayError},
    reply::{
        body::PIECE,
        feed::{Fed, Feed},
        head::StreamRules,
        render::{self, Audience},
        unread::Unread,
    },
    telemetry::{
        exchange::{OpenGauge, Recorder},
        labels::{AbortPhase, AttemptOutcome, Outcome, StreamEnd},
    },
    timer::LazyTimer,
    upstream::{
        abandoned,
        attempt::Delivery,
        failover::{Walk, Walked},
        lead::joined,
    },
};
use bytes::Bytes;
use sluice_protocol::sse::HEARTBEAT;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A stream on its way to the client.
pub struct StreamReply {
    phase: Phase,
    /// Absent while the walk has it, and after the end.
    recorder: Option<Recorder>,
    /// Bytes that go out before anything else.
    ready: Bytes,
    audience: Audience,
    heartbeat: Duration,
    last_sent: Instant,
    timer: LazyTimer,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    cut_token: CancellationToken,
    /// When the last bytes were handed over: until the next call it is the client that takes its time.
    handed_over: Option<Instant>,
    client_wait: Duration,
    open: Option<OpenGauge>,
}

enum Phase {
    Waiting(Walk),
    Open(Feed),
    Closed,
}

impl StreamReply {
    /// A stream whose first events have come: `ready` of it, then what the feed brings.
    #[must_use]
    pub fn open(mut recorder: Recorder, ready: Bytes, feed: Feed, rules: StreamRules) -> Self {
        begin(&mut recorder);
        let mut reply = Self::new(Phase::Open(feed), ready, rules);
        reply.count_open(&recorder);
        reply.recorder = Some(recorder);
        reply
    }

    /// A provider's stream is open as long as this one is; a shared one is counted where it is read.
    fn count_open(&mut self, recorder: &Recorder) {
        if matches!(&self.phase, Phase::Open(Feed::Own(_))) {
            self.open = OpenGauge::new(recorder);
        }
    }

    /// A stream whose head had to go out before anything came.
    #[must_use]
    pub fn waiting(walk: Walk, rules: StreamRules) -> Self {
        Self::new(Phase::Waiting(walk), Bytes::from_static(HEARTBEAT), rules)
    }

    fn new(phase: Phase, ready: Bytes, rules: StreamRules) -> Self {
        Self {
            phase,
            recorder: None,
            ready,
            audience: rules.audience,
            heartbeat: rules.heartbeat,
            last_sent: Instant::now(),
            timer: LazyTimer::default(),
            cut_token: rules.cut.clone(),
            cut: Box::pin(rules.cut.cancelled_owned()),
            handed_over: None,
            client_wait: Duration::ZERO,
            open: None,
        }
    }

    /// The next bytes; `None` after the end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(since) = self.handed_over.take() {
            self.client_wait += since.elapsed();
        }
        loop {
            if !self.ready.is_empty() {
                return Poll::Ready(Some(self.hand_over()));
            }
            let polled = match &mut self.phase {
                Phase::Closed => return Poll::Ready(None),
                Phase::Waiting(walk) => walk.as_mut().poll(cx).map(Moved::Walked),
                Phase::Open(feed) => feed.poll_next(cx).map(Moved::Fed),
            };
            match polled {
                Poll::Ready(Moved::Walked(walked)) => self.walked(walked),
                Poll::Ready(Moved::Fed(Fed::Events(bytes))) => self.ready = bytes,
                Poll::Ready(Moved::Fed(Fed::Whole)) => {
                    self.close(Outcome::Ok, StreamEnd::Done, Some(AttemptOutcome::Ok));
                }
                Poll::Ready(Moved::Fed(Fed::Broken(broken))) => {
                    self.fail(&broken.error, broken.outcome, broken.end, broken.attempt);
                }
                Poll::Pending if self.cut.as_mut().poll(cx).is_ready() => self.drained(),
                // After the last event only the upstream's end is waited for: nothing may follow it.
                Poll::Pending if self.is_complete() => return Poll::Pending,
                Poll::Pending => {
                    std::task::ready!(self.timer.poll_due(cx, self.last_sent + self.heartbeat));
                    // Only whole events were handed over, so a comment stands between two of them.
                    self.ready = Bytes::from_static(HEARTBEAT);
                }
            }
        }
    }

    /// The client has had the terminal event.
    fn is_complete(&self) -> bool {
        matches!(&self.phase, Phase::Open(feed) if feed.is_complete())
    }

    /// A fault of ours inside the stream: it ends with an error.
    pub fn panicked(&mut self) {
        if let Some(recorder) = &self.recorder {
            recorder.app().metrics.panics.inc();
        }
        let error =
            GatewayError::new(ErrorKind::Internal, "The gateway failed on this stream; the fault is ours.");
        self.fail(&error, Outcome::GatewayError, StreamEnd::UpstreamError, AttemptOutcome::Cancelled);
    }

    fn hand_over(&mut self) -> Bytes {
        let now = Instant::now();
        self.last_sent = now;
        self.handed_over = Some(now);
        let bytes = self.ready.split_to(self.ready.len().min(PIECE));
        if let Some(recorder) = &mut self.recorder {
            recorder.response_bytes += bytes.len() as u64;
        }
        bytes
    }

    /// The walk that went on behind an early head has ended.
    fn walked(&mut self, walked: Walked) {
        let Walked { mut recorder, result } = walked;
        begin(&mut recorder);
        match result {
            Ok(Delivery::Stream { ready, events, .. }) => {
                let feed = Feed::Own(events);
                self.opened(recorder, joined(ready), feed);
            }
            Ok(Delivery::Shared(reader)) => self.opened(recorder, Bytes::new(), Feed::Shared(reader)),
            Ok(Delivery::Recalled(recalled)) => self.opened(recorder, Bytes::new(), recalled.feed()),
            // A stream was asked for: a plain answer is not delivered.
            Ok(Delivery::Plain { .. }) => {
                self.recorder = Some(recorder);
                let error = GatewayError::new(
                    ErrorKind::Internal,
                    "A plain answer came where a stream was asked for.",
                );
                self.fail(
                    &error,
                    Outcome::GatewayError,
                    StreamEnd::UpstreamError,
                    AttemptOutcome::BadResponse,
                );
            }
            Err(error) => {
                self.recorder = Some(recorder);
                let outcome = error.kind.row().outcome;
                let end = if outcome == Outcome::Timeout {
                    StreamEnd::IdleTimeout
                } else {
                    StreamEnd::UpstreamError
                };
                self.tell_client(&error);
                // The tries have ended already, each with its own outcome.
                self.close(outcome, end, None);
            }
        }
    }

    fn opened(&mut self, recorder: Recorder, ready: Bytes, feed: Feed) {
        self.phase = Phase::Open(feed);
        self.count_open(&recorder);
        self.recorder = Some(recorder);
        self.ready = ready;
    }

    /// The drain is over and the stream is not.
    fn drained(&mut self) {
        let error =
            GatewayError::new(ErrorKind::Draining, "The gateway is shutting down; the answer is not whole.");
        self.fail(&error, Outcome::Drain, StreamEnd::Drain, AttemptOutcome::Cancelled);
    }

    fn fail(&mut self, error: &GatewayError, outcome: Outcome, end: StreamEnd, attempt: AttemptOutcome) {
        self.tell_client(error);
        self.close(outcome, end, Some(attempt));
    }

    fn tell_client(&mut self, error: &GatewayError) {
        let id = self.recorder.as_ref().map_or("", |recorder| &recorder.id);
        self.ready = render::problem(error, self.audience, id).stream_event(self.audience.dialect);
        if let Some(recorder) = &mut self.recorder {
            recorder.error_code = Some(render::code(error));
            recorder.response_bytes += self.ready.len() as u64;
        }
    }

    /// Leaves a stream whose provider wants it read to its end to be read without its client. Says whether it did.
    fn read_on(&mut self) -> bool {
        let Some(recorder) = &self.recorder else { return false };
        let Phase::Open(Feed::Own(relay)) = &mut self.phase else { return false };
        if !abandoned::is_read_to_its_end(&relay.target().provider) || !relay.stay() {
            return false;
        }
        let Some(place) = recorder.app().unclaimed().place() else { return false };
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        if let (Phase::Open(feed), Some(mut recorder)) = (phase, self.recorder.take()) {
            recorder.client_wait += self.client_waited();
            place.fill(Unread::new(feed, recorder, self.open.take()));
        }
        true
    }

    /// A client that left while it was its turn kept us waiting to the last.
    fn client_waited(&self) -> Duration {
        self.client_wait + self.handed_over.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Completes the record and tells about it; the upstream's connection is let go.
    fn close(&mut self, outcome: Outcome, end: StreamEnd, attempt: Option<AttemptOutcome>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        self.open = None;
        let Some(mut recorder) = self.recorder.take() else { return };
        recorder.client_wait += self.client_waited();
        match phase {
            // The flight goes on for others: what the upstream still does belongs to this record.
            Phase::Open(Feed::Shared(reader))
                if reader.leads() && !reader.is_over() && outcome != Outcome::Ok =>
            {
                recorder.outcome = outcome;
                recorder.streaming.get_or_insert_default().end = Some(end);
                return reader.leave(recorder);
            }
            Phase::Open(feed) => feed.settle(&mut recorder, attempt.unwrap_or(AttemptOutcome::Cancelled)),
            Phase::Waiting(_) | Phase::Closed => {}
        }
        // Streams of a provider: one that was given from elsewhere has no pace, and is none of its own.
        if !recorder.cache.is_given() {
            recorder.streaming.get_or_insert_default().end = Some(end);
        }
        recorder.finish(outcome);
    }
}

enum Moved {
    Walked(Walked),
    Fed(Fed),
}

/// From here on the client has a head with status 200.
fn begin(recorder: &mut Recorder) {
    recorder.status = 200;
    recorder.phase = AbortPhase::Stream;
}

/// A body that is dropped before its end is a client that left; one that had the terminal event has everything.
impl Drop for StreamReply {
    fn drop(&mut self) {
        let complete = self.is_complete();
        let (outcome, end, attempt) = if complete {
            (Outcome::Ok, StreamEnd::Done, AttemptOutcome::Ok)
        } else if std::thread::panicking() {
            (Outcome::GatewayError, StreamEnd::UpstreamError, AttemptOutcome::Cancelled)
        } else if self.cut_token.is_cancelled() {
            (Outcome::Drain, StreamEnd::Drain, AttemptOutcome::Cancelled)
        } else if self.read_on() {
            return;
        } else {
            (Outcome::Cancelled, StreamEnd::ClientDisconnect, AttemptOutcome::Cancelled)
        };
        self.close(outcome, end, Some(attempt));
    }
}
