//! One try at one target: encode, sign, send, and look at the answer until it is known to be one.
//!
//! A plain answer counts once its whole body has been checked; a stream once its first content event is there.
//! Until then the caller may try another target and no client has seen a byte.

use crate::{
    cache::{
        flight::{Piece, Reader},
        store::Recalled,
    },
    facts::Call,
    headers as names,
    state::snapshot::{Provider, Target},
    upstream::{
        answer::AnswerBody,
        body::{ReadClock, ReadFault, Sent, read_all, read_some},
        classify::{self, Class},
        errand::Errand,
        failure::{self, EXCERPT, Failure},
        following::Following,
        relay::Relay,
        remaining,
        stream::{Ending, EventStream, Step, UsageEvents},
    },
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use sluice_config::model::Timeouts;
use sluice_protocol::{
    Dialect,
    observe::{self, Facts, ReplyFault},
    upstream_error,
};
use smallvec::SmallVec;
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// Largest plain answer.
const MAX_ANSWER: usize = 32 << 20;
/// Of a failing answer no more is read: only its message matters.
const MAX_ERROR: usize = 64 << 10;
/// Nor is it waited for: the status says enough.
const ERROR_PATIENCE: Duration = Duration::from_secs(1);
/// A target that was given less time than this, for its client's hurry, is not to blame.
const HURRY: Duration = Duration::from_secs(10);
/// How often it is looked whether a request has gone out that is late with it.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Events before the first content: comments, roles, announcements.
const MAX_PREFACE: usize = 1 << 20;

/// A usable answer.
pub enum Delivery {
    /// A whole body, checked.
    Plain {
        /// The bytes as they came.
        body: Bytes,
        /// What they told.
        facts: Facts,
        /// 200, or another success.
        status: u16,
    },
    /// A stream that has begun.
    Stream {
        /// Events that have come already.
        ready: Ready,
        /// The rest.
        events: Box<Relay>,
        /// 200, or another success.
        status: u16,
    },
    /// A stream that has begun and that others may read, too.
    Shared(Reader),
    /// A whole answer that was stored, or that is now.
    Recalled(Recalled),
}

/// Events that have come already: one piece, unless usage stands apart.
pub type Ready = SmallVec<[Piece; 1]>;

/// What of the upstream's headers comes back to the client.
#[derive(Debug, Default, Clone)]
pub struct UpstreamHead {
    /// The upstream's own request id.
    pub request_id: Option<HeaderValue>,
    /// Its processing time.
    pub processing_ms: Option<HeaderValue>,
}

/// What a try leaves behind, good or bad.
pub struct Tried {
    /// How it went.
    pub result: Result<Delivery, Failure>,
    /// Members that were not forwarded.
    pub dropped: Vec<String>,
    /// What of the upstream's headers comes back, when it sent any.
    pub head: UpstreamHead,
    /// When its answer was there, or was given up.
    pub ended: Instant,
    /// Time spent waiting for the upstream.
    pub waited: Duration,
    /// From the request's going out to the answer: its first event, or all of a plain one.
    pub answered: Option<Duration>,
}

/// Tries one target. `following` is told what passes on of a stream, where another may have to go on with it.
pub async fn run(call: &Call, errand: &Errand, following: Option<Box<Following>>) -> Tried {
    let provider = &errand.target.provider;
    let began = errand.began;
    let total = began + provider.timeouts.total;
    let clocks = Clocks {
        began,
        deadline: errand.deadline,
        share: errand.share,
        patient: call.patience.is_none(),
        idle: provider.timeouts.idle,
        // A stream that has begun is bounded by its provider's own time: the client's is for it to begin.
        end: if call.stream {
            errand.end.map_or(total, |end| end.min(total))
        } else {
            total.min(errand.deadline)
        },
    };
    let mut head = UpstreamHead::default();
    let result = send(call, errand, &clocks, following, &mut head).await;
    let ended = Instant::now();
    let waited = ended.saturating_duration_since(began);
    let answered = errand.sent.at().map(|at| ended.saturating_duration_since(at));
    Tried { result, dropped: errand.outgoing.dropped.clone(), head, ended, waited, answered }
}

/// When a try has taken too long.
struct Clocks {
    began: Instant,
    /// Of all tries together.
    deadline: Instant,
    /// See [`Errand::share`].
    share: Option<Instant>,
    /// The client has not said how long it waits.
    patient: bool,
    idle: Duration,
    end: Instant,
}

impl Clocks {
    /// Until when the first byte is waited for. Its time runs from the request's going out; before that there is a
    /// connection to be waited for, which has a time of its own.
    fn first_byte(&self, timeouts: &Timeouts, sent: &Sent, now: Instant) -> Instant {
        let due = match sent.at() {
            Some(at) => at + timeouts.first_byte,
            None => (self.began + timeouts.first_byte)
                .max(now + LOOK_AGAIN)
                .min(self.began + timeouts.connect + timeouts.first_byte),
        };
        let due = due.min(self.deadline).min(self.began + timeouts.total);
        self.share.map_or(due, |share| due.min(share))
    }

    /// Waits for something that needs a first byte, from `now` on. Pinned where it stands: large futures are not moved.
    async fn waits<T>(
        &self,
        provider: &Provider,
        sent: &Sent,
        mut now: Instant,
        mut first: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, Failure> {
        loop {
            let due = self.first_byte(&provider.timeouts, sent, now);
            if due <= now {
                return Err(self.late(provider));
            }
            if let Ok(come) = tokio::time::timeout_at(due.into(), &mut first).await {
                return Ok(come);
            }
            now = Instant::now();
        }
    }

    fn late(&self, provider: &Provider) -> Failure {
        let now = Instant::now();
        let waited = now.saturating_duration_since(self.began);
        if now >= self.deadline {
            return Failure::out_of_time(waited, !self.patient);
        }
        if self.share.is_some_and(|share| now >= share) {
            return Failure::hurried(waited, waited < HURRY.min(provider.timeouts.first_byte));
        }
        Failure::first_byte(provider.timeouts.first_byte.min(provider.timeouts.total))
    }

    /// Of a plain answer that has begun.
    fn fault(&self, fault: ReadFault) -> Failure {
        let now = Instant::now();
        if fault == ReadFault::Timeout && now >= self.deadline {
            return Failure::out_of_time(now.saturating_duration_since(self.began), !self.patient);
        }
        fault.into()
    }
}

async fn send(
    call: &Call,
    errand: &Errand,
    clocks: &Clocks,
    following: Option<Box<Following>>,
    head: &mut UpstreamHead,
) -> Result<Delivery, Failure> {
    let Errand { target, key, sent, outgoing, .. } = errand;
    let provider = &target.provider;
    let headers = || {
        let mut headers = provider.headers(call.stream, *key);
        call.forward_headers(outgoing.wire, provider.trace.then_some(errand.span), &mut headers);
        headers
    };
    let dialect = call.envelope.dialect();
    let Some(uri) = provider.uri(outgoing.wire, &errand.model) else {
        return Err(Failure::no_address());
    };
    let response = {
        let asked = pin!(provider.client.post(&uri, headers, outgoing, sent));
        clocks.waits(provider, sent, clocks.began, asked).await??
    };
    let (parts, incoming) = response.into_parts();
    *head = UpstreamHead::of(&parts.headers);
    remaining::note(provider, *key, &parts.headers);
    let status = parts.status.as_u16();
    if let Class::Fail(verdict) = classify::status(status) {
        let told = read_some(incoming, MAX_ERROR, ERROR_PATIENCE).await;
        return Err(Failure::from_status(verdict, status, &parts.headers, &told, provider));
    }
    if parts.headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Failure::bad_answer(status, "the answer is encoded, which was not asked for"));
    }
    if !call.stream {
        let read = read_all(incoming, MAX_ANSWER, ReadClock::new(clocks.idle, clocks.end)).await;
        let body = read.map_err(|fault| clocks.fault(fault))?;
        let bad = |fault: ReplyFault| Failure::bad_answer(status, fault.to_string());
        let body = match &outgoing.translation {
            Some(translation) => translation.reply(&body).map_err(bad)?,
            None => body,
        };
        let facts = observe::observe_reply(dialect, &body).map_err(bad)?;
        return Ok(Delivery::Plain { body, facts, status });
    }
    if !is_event_stream(&parts.headers) {
        return Err(not_a_stream(status, incoming, target).await);
    }
    // In a box of its own: a stream's state is no part of every request's.
    Box::pin(begin(call, errand, clocks, following, (status, incoming))).await
}

/// Begins a stream.
async fn begin(
    call: &Call,
    errand: &Errand,
    clocks: &Clocks,
    following: Option<Box<Following>>,
    (status, incoming): (u16, AnswerBody),
) -> Result<Delivery, Failure> {
    let Errand { target, outgoing, .. } = errand;
    let dialect = call.envelope.dialect();
    let usage = match (call.shared, outgoing.strip_usage) {
        (true, _) => UsageEvents::Apart,
        (false, true) => UsageEvents::Strip,
        (false, false) => UsageEvents::Pass,
    };
    let mut events = EventStream::new(incoming, dialect, usage, clocks.idle, clocks.end)
        .translated(outgoing.translation.as_deref())
        .followed(following);
    // A response begins by telling what it was asked with, twice.
    let told = if dialect == Dialect::Responses { 2 * call.envelope.body().len() } else { 0 };
    let most = MAX_PREFACE.saturating_add(told);
    let ready = peek(&mut events, clocks, errand, most).await?;
    events.delivered();
    Ok(Delivery::Stream { ready, events: Box::new(Relay::new(events, target.clone())), status })
}

/// Reads until the first content event. The first event must come within the first-byte time, the content while the
/// client has patience; apart from that the stream's own timers hold.
async fn peek(
    events: &mut EventStream,
    clocks: &Clocks,
    errand: &Errand,
    most: usize,
) -> Result<Ready, Failure> {
    let Errand { target, sent, .. } = errand;
    let (mut ready, mut size) = (Ready::new(), 0);
    let first = pin!(poll_fn(|cx| poll_begun(events, cx)));
    let mut step = clocks.waits(&target.provider, sent, Instant::now(), first).await?;
    loop {
        match step {
            // It has begun, and brings nothing that the client does not have.
            None => return Ok(ready),
            Some(Step::Events(piece)) => {
                size += piece.bytes.len();
                if size > most && !events.has_begun() {
                    return Err(Failure::bad_answer(200, "the stream says too much before any content"));
                }
                ready.push(piece);
            }
            Some(Step::End(Ending::Whole)) if !ready.is_empty() => return Ok(ready),
            Some(Step::End(ending)) => return Err(Failure::from_ending(&ending, &target.provider)),
        }
        if events.has_begun() {
            return Ok(ready);
        }
        let next = poll_fn(|cx| poll_begun(events, cx));
        let next = tokio::time::timeout_at(clocks.deadline.into(), next).await;
        step = next.map_err(|_| clocks.late(&target.provider))?;
    }
}

/// The next step; none where the stream has begun and has nothing to give yet.
fn poll_begun(events: &mut EventStream, cx: &mut Context<'_>) -> Poll<Option<Step>> {
    match events.poll_step(cx) {
        Poll::Pending if events.has_begun() => Poll::Ready(None),
        polled => polled.map(Some),
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media.get(..17).is_some_and(|start| start.eq_ignore_ascii_case("text/event-stream"))
}

/// A stream was asked for and something else came, often an error with status 200.
async fn not_a_stream(status: u16, body: AnswerBody, target: &Target) -> Failure {
    let told = read_some(body, MAX_ERROR, ERROR_PATIENCE).await;
    let message =
        upstream_error::message(&told).map(|told| failure::clean(&told.message, &target.provider, EXCERPT));
    Failure::bad_answer(
        status,
        message.unwrap_or_else(|| "a stream was asked for and something else came".to_owned()),
    )
}

impl UpstreamHead {
    fn of(headers: &HeaderMap) -> Self {
        Self {
            request_id: headers
                .get(names::REQUEST_ID)
                .or_else(|| headers.get(names::ANTHROPIC_REQUEST_ID))
                .cloned(),
            processing_ms: headers.get(names::PROCESSING_MS).cloned(),
        }
    }

    /// Adds them to an answer, under names that tell whose they are.
    pub fn write(&self, headers: &mut HeaderMap) {
        if let Some(id) = &self.request_id {
            headers.insert(names::UPSTREAM_REQUEST_ID, id.clone());
        }
        if let Some(time) = &self.processing_ms {
            headers.insert(names::PROCESSING_MS, time.clone());
        }
    }
}
