//! An upstream's event stream: cut into whole events, checked, observed.
//!
//! Pull-based: nothing is read before somebody asks, so a slow client slows the upstream. Events pass as the
//! bytes that came; usage that nobody asked for is held back, or comes apart where several clients read. What the
//! client is told when a stream breaks, heartbeats and the drain are the reply's.

use crate::{
    cache::flight::Piece,
    upstream::{answer::AnswerBody, body::ReadClock, following::Following},
};
use bytes::{Bytes, BytesMut};
use http_body::Body;
use sluice_protocol::{
    Dialect,
    observe::{Facts, StreamObserver, Verdict},
    resume::Passed,
    sse::{Decoder, Event},
    translate::{StreamFault, StreamTranslator, Translation},
};
use smallvec::SmallVec;
use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// Largest event.
const MAX_EVENT: usize = 1 << 20;
/// How long the end of the body is waited for after the terminal event, so that the connection can be used again.
const LINGER: Duration = Duration::from_secs(1);

/// An open event stream.
pub struct EventStream {
    /// Absent once nothing more is read.
    body: Option<AnswerBody>,
    decoder: Decoder,
    observer: StreamObserver,
    /// The upstream speaks otherwise than the client.
    translator: Option<Box<StreamTranslator>>,
    /// Events in the client's dialect that wait for those before them to be taken.
    queue: VecDeque<Event>,
    /// The body has ended cleanly.
    at_end: bool,
    apart: bool,
    /// Usage that waits for the events before it to be taken.
    usage: Option<Bytes>,
    /// What the client has been given, where the stream may be gone on with elsewhere.
    following: Option<Box<Following>>,
    clock: ReadClock,
    ending: Option<Ending>,
    terminal: bool,
    /// When bytes came last.
    came: Instant,
    pace: Pace,
}

/// When things came.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// First and last content.
    pub first_content: Option<Instant>,
    /// See `first_content`.
    pub last_content: Option<Instant>,
    /// Longest wait for the upstream.
    pub max_gap: Duration,
    /// All waits for the upstream together.
    pub waited: Duration,
    waiting_since: Option<Instant>,
}

impl Pace {
    /// Of one stream, and then another that went on with it.
    #[must_use]
    pub fn and(self, next: Self) -> Self {
        Self {
            first_content: self.first_content.or(next.first_content),
            last_content: next.last_content.or(self.last_content),
            max_gap: self.max_gap.max(next.max_gap),
            waited: self.waited + next.waited,
            waiting_since: next.waiting_since,
        }
    }
}

/// What becomes of events that carry nothing but usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageEvents {
    /// They pass: the client asked for them, or they came by themselves.
    Pass,
    /// They are held back: only we asked for them.
    Strip,
    /// They come apart from others, marked: some readers want them and some do not.
    Apart,
}

/// What one step brought.
#[derive(Debug)]
pub enum Step {
    /// Whole events to pass on.
    Events(Piece),
    /// The end; every further step brings it again.
    End(Ending),
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// With its terminal event, or with every choice finished.
    Whole,
    /// Too early: a clean end, or a cut connection.
    Truncated,
    /// The upstream sent an error event; holds its `data`.
    Error(Bytes),
    /// An event that no client could read.
    Malformed,
    /// An event larger than allowed.
    TooLarge,
    /// Silence for too long, or too long as a whole.
    Timeout,
    /// It was to go on with another's answer, and says something else.
    Diverged,
}

impl EventStream {
    /// A stream over a response's body.
    #[must_use]
    pub fn new(body: AnswerBody, dialect: Dialect, usage: UsageEvents, idle: Duration, end: Instant) -> Self {
        Self {
            body: Some(body),
            decoder: Decoder::new(MAX_EVENT),
            observer: StreamObserver::new(dialect, usage != UsageEvents::Pass),
            translator: None,
            queue: VecDeque::new(),
            at_end: false,
            apart: usage == UsageEvents::Apart,
            usage: None,
            following: None,
            clock: ReadClock::new(idle, end),
            ending: None,
            terminal: false,
            came: Instant::now(),
            pace: Pace {
                first_content: None,
                last_content: None,
                max_gap: Duration::ZERO,
                waited: Duration::ZERO,
                waiting_since: None,
            },
        }
    }

    /// Turns what comes into the client's dialect.
    #[must_use]
    pub fn translated(mut self, translation: Option<&Translation>) -> Self {
        self.translator = translation.map(|translation| Box::new(translation.stream()));
        self
    }

    /// Follows what is passed on.
    #[must_use]
    pub fn followed(mut self, following: Option<Box<Following>>) -> Self {
        self.following = following;
        self
    }

    /// What has been passed on, for whoever goes on with it.
    pub fn take_following(&mut self) -> Option<Box<Following>> {
        self.following.take()
    }

    /// Is anybody to go on with it, should it break?
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.following.is_some()
    }

    /// Lets the upstream go. What is known stays.
    pub fn close(&mut self) {
        self.body = None;
        self.pace = self.pace();
        self.pace.waiting_since = None;
    }

    /// What the answer told so far.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        self.observer.facts()
    }

    /// When things came; a wait that still lasts is counted up to now.
    #[must_use]
    pub fn pace(&self) -> Pace {
        let lasting = self.pace.waiting_since.map_or(Duration::ZERO, |since| since.elapsed());
        Pace { waited: self.pace.waited + lasting, max_gap: self.pace.max_gap.max(lasting), ..self.pace }
    }

    /// The stream has been delivered: what was waited so far is the try's, and no silence inside the stream.
    pub fn delivered(&mut self) {
        self.pace.waited = Duration::ZERO;
        self.pace.max_gap = Duration::ZERO;
    }

    /// The terminal event has been passed on: whatever follows, the client has a whole answer.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.terminal
    }

    /// Has any content come, or the end of the answer? Until then another target may still be tried.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.terminal || self.pace.first_content.is_some()
    }

    /// The next events, or the end.
    pub fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        loop {
            if let Some(bytes) = self.usage.take() {
                return Poll::Ready(Step::Events(Piece { bytes, usage_only: true }));
            }
            if let Some(bytes) = self.decode() {
                return Poll::Ready(Step::Events(Piece { bytes, usage_only: false }));
            }
            if self.usage.is_some() {
                continue;
            }
            if let Some(ending) = &self.ending {
                return Poll::Ready(Step::End(ending.clone()));
            }
            if self.at_end {
                self.ending = Some(self.end_of_body());
                continue;
            }
            let Some(body) = &mut self.body else { return Poll::Ready(Step::End(Ending::Truncated)) };
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(frame) => {
                    self.arrived();
                    match frame {
                        Some(Ok(frame)) => {
                            if let Ok(data) = frame.into_data() {
                                self.decoder.push(data);
                            }
                        }
                        Some(Err(_)) => {
                            self.ending = Some(if self.terminal { Ending::Whole } else { Ending::Truncated });
                        }
                        None => {
                            self.at_end = true;
                            // What is cut inside an event is not whole, whatever came before.
                            if let Some(translator) = &mut self.translator
                                && !self.decoder.is_mid_event()
                            {
                                self.queue.extend(translator.end());
                            }
                        }
                    }
                }
                Poll::Pending => {
                    let since = *self.pace.waiting_since.get_or_insert_with(Instant::now);
                    std::task::ready!(self.clock.poll_expired(cx, since));
                    self.ending = Some(if self.terminal { Ending::Whole } else { Ending::Timeout });
                }
            }
        }
    }

    /// The body has ended cleanly. An event without its blank line is no event.
    fn end_of_body(&self) -> Ending {
        if self.following.as_ref().is_some_and(|following| !following.is_past_border()) {
            return Ending::Diverged;
        }
        if self.terminal || (self.observer.ended_well() && !self.decoder.is_mid_event()) {
            Ending::Whole
        } else {
            Ending::Truncated
        }
    }

    fn arrived(&mut self) {
        let now = Instant::now();
        self.came = now;
        if let Some(since) = self.pace.waiting_since.take() {
            let gap = now.saturating_duration_since(since);
            self.pace.waited += gap;
            self.pace.max_gap = self.pace.max_gap.max(gap);
        }
    }

    /// Whole events that are in the decoder, as one piece.
    fn decode(&mut self) -> Option<Bytes> {
        if self.ending.is_some() {
            return None;
        }
        let mut pass: SmallVec<[Bytes; 8]> = SmallVec::new();
        loop {
            let event = match self.next_event() {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(ending) => {
                    self.ending = Some(ending);
                    break;
                }
            };
            // After the end there is nothing that a client would read.
            if self.terminal {
                continue;
            }
            let verdict = self.observer.observe(&event);
            match verdict {
                Verdict::Forward => pass.extend(self.give(event, false)),
                Verdict::Content => {
                    self.pace.first_content.get_or_insert(self.came);
                    self.pace.last_content = Some(self.came);
                    pass.extend(self.give(event, false));
                }
                // Empty data is withheld too, and nobody wants it.
                Verdict::Withhold
                    if self.apart
                        && event.data.as_ref().is_some_and(|data| !data.trim_ascii().is_empty()) =>
                {
                    self.usage = self.give(event, false);
                    if self.usage.is_some() {
                        break;
                    }
                }
                Verdict::Withhold => {}
                Verdict::Terminal => {
                    let given = self.give(event, true);
                    // An end that comes too early is none.
                    if self.ending.is_none() {
                        self.terminal = true;
                        self.clock.end_by(Instant::now() + LINGER);
                    }
                    pass.extend(given);
                }
                Verdict::Error => {
                    self.ending = Some(Ending::Error(event.data.unwrap_or_default()));
                    break;
                }
                Verdict::Malformed => {
                    self.ending = Some(Ending::Malformed);
                    break;
                }
            }
            if self.ending.is_some() {
                break;
            }
        }
        join(pass)
    }

    /// The next event in the client's dialect.
    fn next_event(&mut self) -> Result<Option<Event>, Ending> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Ok(Some(event));
            }
            let event = match self.decoder.next() {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(None),
                Err(_) => return Err(Ending::TooLarge),
            };
            let Some(translator) = &mut self.translator else { return Ok(Some(event)) };
            let events = translator.event(&event).map_err(|fault| match fault {
                StreamFault::Error(data) => Ending::Error(data),
                StreamFault::Malformed => Ending::Malformed,
            })?;
            self.queue.extend(events);
        }
    }

    /// The bytes that pass on of an event; where the stream goes on with another's, only what that one lacked.
    fn give(&mut self, event: Event, terminal: bool) -> Option<Bytes> {
        let Some(following) = &mut self.following else { return Some(event.raw) };
        match following.pass(event, terminal) {
            Passed::Emit(event) => Some(event.raw),
            Passed::Drop => None,
            Passed::Diverged => {
                self.ending = Some(Ending::Diverged);
                None
            }
        }
    }
}

/// One event passes as the slice that it is; several are copied together, which is cheaper than as many writes.
fn join(mut events: SmallVec<[Bytes; 8]>) -> Option<Bytes> {
    if events.len() <= 1 {
        return events.pop();
    }
    let mut joined = BytesMut::with_capacity(events.iter().map(Bytes::len).sum());
    for event in &events {
        joined.extend_from_slice(event);
    }
    Some(joined.freeze())
}
