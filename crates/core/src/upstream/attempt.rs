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
        body::{ReadClock, ReadFault, Sent, read_all, read_some},
        classify::{self, Class},
        failure::{self, EXCERPT, Failure},
        remaining,
        stream::{Ending, EventStream, Step, UsageEvents},
    },
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use hyper::body::Incoming;
use sluice_protocol::{
    Segments,
    observe::{self, Facts},
    provider::{self, Encoding},
    upstream_error,
};
use smallvec::SmallVec;
use std::{
    future::poll_fn,
    sync::Arc,
    time::{Duration, Instant},
};

/// Largest plain answer.
const MAX_ANSWER: usize = 32 << 20;
/// Of a failing answer no more is read: only its message matters.
const MAX_ERROR: usize = 64 << 10;
/// Nor is it waited for: the status says enough.
const ERROR_PATIENCE: Duration = Duration::from_secs(1);
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
        events: Box<EventStream>,
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
    /// Time spent waiting for the upstream.
    pub waited: Duration,
}

impl Tried {
    /// Nothing was sent.
    fn unsent(failure: Failure) -> Self {
        Self {
            result: Err(failure),
            dropped: Vec::new(),
            head: UpstreamHead::default(),
            waited: Duration::ZERO,
        }
    }
}

/// One try: whom it asks, for what, with which credential, and until when.
#[derive(Clone)]
pub struct Errand {
    /// Whom.
    pub target: Arc<Target>,
    /// The upstream's name for the model.
    pub model: Arc<str>,
    /// Which key of the provider's pool.
    pub key: usize,
    /// All tries of the request together end by then.
    pub deadline: Instant,
    /// Told when the request goes out.
    pub sent: Sent,
}

/// Tries one target.
pub async fn run(call: &Call, errand: &Errand) -> Tried {
    let provider = &errand.target.provider;
    let encoding =
        Encoding { upstream_model: &errand.model, ask_usage: provider.ask_usage, drop: &provider.drop };
    let encoded = match provider::encode(provider.kind, &call.envelope, &encoding) {
        Ok(encoded) => encoded,
        // Plans hold only targets that can be spoken to.
        Err(unsupported) => return Tried::unsent(Failure::not_active(unsupported.to_string())),
    };
    let began = Instant::now();
    let clocks = Clocks {
        began,
        first_byte: (began + provider.timeouts.first_byte).min(errand.deadline),
        hurried: errand.deadline < began + provider.timeouts.first_byte,
        idle: provider.timeouts.idle,
        // A stream that has begun is bounded by its provider's own time: the client's is for it to begin.
        end: if call.stream { began + provider.timeouts.total } else { errand.deadline },
    };
    let mut head = UpstreamHead::default();
    let outgoing = Outgoing { body: encoded.body, strip_usage: encoded.strip_usage, errand };
    let result = send(call, &outgoing, &clocks, &mut head).await;
    Tried { result, dropped: encoded.dropped, head, waited: began.elapsed() }
}

/// When a try has taken too long.
struct Clocks {
    began: Instant,
    first_byte: Instant,
    /// The request's own end comes before the target's time is over.
    hurried: bool,
    idle: Duration,
    end: Instant,
}

impl Clocks {
    fn late(&self, provider: &Provider) -> Failure {
        if self.hurried {
            return Failure::out_of_time(self.first_byte.saturating_duration_since(self.began));
        }
        Failure::first_byte(provider.timeouts.first_byte)
    }

    /// Of a plain answer that has begun.
    fn fault(&self, fault: ReadFault, provider: &Provider) -> Failure {
        if fault == ReadFault::Timeout && Instant::now() >= self.end && self.hurried {
            return self.late(provider);
        }
        fault.into()
    }
}

/// A request for one upstream.
struct Outgoing<'a> {
    body: Segments,
    /// Only we asked for usage.
    strip_usage: bool,
    errand: &'a Errand,
}

async fn send(
    call: &Call,
    outgoing: &Outgoing<'_>,
    clocks: &Clocks,
    head: &mut UpstreamHead,
) -> Result<Delivery, Failure> {
    let Errand { target, key, sent, .. } = outgoing.errand;
    let provider = &target.provider;
    let first_byte = clocks.first_byte.into();
    let late = || clocks.late(provider);
    let headers = || {
        let mut headers = provider.headers(call.stream, *key);
        call.forward_headers(provider.trace, &mut headers);
        headers
    };
    let dialect = call.envelope.dialect();
    let sent = provider.client.post(provider.uri(dialect), headers, &outgoing.body, sent);
    let response = tokio::time::timeout_at(first_byte, sent).await.map_err(|_| late())??;
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
        let body = read.map_err(|fault| clocks.fault(fault, provider))?;
        let facts = observe::observe_reply(dialect, &body)
            .map_err(|fault| Failure::bad_answer(status, fault.to_string()))?;
        return Ok(Delivery::Plain { body, facts, status });
    }
    if !is_event_stream(&parts.headers) {
        return Err(not_a_stream(status, incoming, target).await);
    }
    let usage = match (call.shared, outgoing.strip_usage) {
        (true, _) => UsageEvents::Apart,
        (false, true) => UsageEvents::Strip,
        (false, false) => UsageEvents::Pass,
    };
    let mut events = Box::new(EventStream::new(incoming, dialect, usage, clocks.idle, clocks.end));
    let ready =
        peek(&mut events, first_byte, target).await.map_err(|failure| failure.unwrap_or_else(late))?;
    events.delivered();
    Ok(Delivery::Stream { ready, events, status })
}

/// Reads until the first content event. The first event must come within the first-byte time; after that the
/// stream's own timers hold. `Err(None)` means that it came too late.
async fn peek(
    events: &mut EventStream,
    first_byte: tokio::time::Instant,
    target: &Target,
) -> Result<Ready, Option<Failure>> {
    let (mut ready, mut size) = (Ready::new(), 0);
    let mut step =
        tokio::time::timeout_at(first_byte, poll_fn(|cx| events.poll_step(cx))).await.map_err(|_| None)?;
    loop {
        match step {
            Step::Events(piece) => {
                size += piece.bytes.len();
                if size > MAX_PREFACE && !events.has_begun() {
                    return Err(Some(Failure::bad_answer(
                        200,
                        "the stream says too much before any content",
                    )));
                }
                ready.push(piece);
            }
            Step::End(Ending::Whole) if !ready.is_empty() => return Ok(ready),
            Step::End(ending) => return Err(Some(Failure::from_ending(&ending, &target.provider))),
        }
        if events.has_begun() {
            return Ok(ready);
        }
        step = poll_fn(|cx| events.poll_step(cx)).await;
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media.get(..17).is_some_and(|start| start.eq_ignore_ascii_case("text/event-stream"))
}

/// A stream was asked for and something else came, often an error with status 200.
async fn not_a_stream(status: u16, body: Incoming, target: &Target) -> Failure {
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
