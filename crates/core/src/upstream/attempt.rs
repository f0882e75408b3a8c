//! One try at one target: encode, sign, send, and look at the answer until it is known to be one.
//!
//! A plain answer counts once its whole body has been checked; a stream once its first content event is there.
//! Until then the caller may try another target and no client has seen a byte.

use crate::{
    facts::Call,
    headers as names,
    state::snapshot::Target,
    upstream::{
        body::{ReadClock, read_all},
        classify::{self, Class},
        failure::Failure,
        stream::{Ending, EventStream, Step},
    },
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, header};
use hyper::body::Incoming;
use sluice_protocol::{
    observe::{self, Facts},
    provider::{self, Encoding, ProviderKind},
};
use std::{
    future::poll_fn,
    sync::Arc,
    time::{Duration, Instant},
};

/// Largest plain answer.
const MAX_ANSWER: usize = 32 << 20;
/// Of a failing answer no more is read: only its message matters.
const MAX_ERROR: usize = 64 << 10;

/// A usable answer.
pub enum Delivery {
    /// A whole body, checked.
    Plain {
        /// Headers that come back.
        head: UpstreamHead,
        /// The bytes as they came.
        body: Bytes,
        /// What they told.
        facts: Facts,
    },
    /// A stream that has begun.
    Stream {
        /// Headers that come back.
        head: UpstreamHead,
        /// Events that have come already.
        ready: Bytes,
        /// The rest.
        events: Box<EventStream>,
    },
}

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
    /// Time spent waiting for the upstream.
    pub waited: Duration,
}

/// Tries one target. `model` is the upstream's name for it; `end` bounds the whole answer.
pub async fn run(call: &Call, target: &Arc<Target>, model: &str) -> Tried {
    let provider = &target.provider;
    let encoding = Encoding { upstream_model: model, ask_usage: provider.ask_usage, drop: &provider.drop };
    let mut tried =
        Tried { result: Err(Failure::not_active("")), dropped: Vec::new(), waited: Duration::ZERO };
    let encoded = match provider.kind {
        ProviderKind::OpenAi | ProviderKind::OpenAiCompatible => {
            provider::encode(provider.kind, &call.envelope, &encoding)
        }
        ProviderKind::Anthropic => {
            tried.result = Err(Failure::not_active("anthropic"));
            return tried;
        }
        ProviderKind::Azure => {
            tried.result = Err(Failure::not_active("azure"));
            return tried;
        }
    };
    let encoded = match encoded {
        Ok(encoded) => encoded,
        Err(unsupported) => {
            tried.result = Err(Failure::bad_answer(0, unsupported.to_string()));
            return tried;
        }
    };
    tried.dropped = encoded.dropped;
    let began = Instant::now();
    tried.result = send(call, target, &encoded.body, encoded.strip_usage, began).await;
    tried.waited = began.elapsed();
    tried
}

async fn send(
    call: &Call,
    target: &Arc<Target>,
    body: &sluice_protocol::Segments,
    strip_usage: bool,
    began: Instant,
) -> Result<Delivery, Failure> {
    let provider = &target.provider;
    let timeouts = provider.timeouts;
    let first_byte = (began + timeouts.first_byte).into();
    let late = || Failure::first_byte(timeouts.first_byte);
    let end = began + timeouts.total;

    let headers = || {
        let mut headers = provider.headers();
        call.forward_headers(provider.trace, &mut headers);
        headers
    };
    let uri = provider.uri(call.envelope.dialect());
    let response = tokio::time::timeout_at(first_byte, provider.client.post(uri, headers, body))
        .await
        .map_err(|_| late())??;
    let (parts, incoming) = response.into_parts();
    let status = parts.status.as_u16();
    let clock = ReadClock::new(timeouts.idle, end);
    if let Class::Fail(verdict) = classify::status(status) {
        // A body that is too long or too slow is no reason to keep the client waiting: the status says enough.
        let told = read_all(incoming, MAX_ERROR, clock).await.unwrap_or_default();
        return Err(Failure::from_status(verdict, status, &parts.headers, &told, provider));
    }
    let head = UpstreamHead::of(&parts.headers);
    if parts.headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Failure::bad_answer(status, "the answer is encoded, which was not asked for"));
    }
    let dialect = call.envelope.dialect();
    if !call.stream {
        let body = read_all(incoming, MAX_ANSWER, clock).await?;
        let facts = observe::observe_reply(dialect, &body)
            .map_err(|fault| Failure::bad_answer(status, fault.to_string()))?;
        return Ok(Delivery::Plain { head, body, facts });
    }
    if !is_event_stream(&parts.headers) {
        return Err(not_a_stream(status, incoming, clock, target).await);
    }
    let mut events = Box::new(EventStream::new(incoming, dialect, strip_usage, timeouts.idle, end));
    let ready =
        peek(&mut events, first_byte, target).await.map_err(|failure| failure.unwrap_or_else(late))?;
    events.delivered();
    Ok(Delivery::Stream { head, ready, events })
}

/// Reads until the first content event. The first event must come within the first-byte time; after that the
/// stream's own timers hold. `Err(None)` means that it came too late.
async fn peek(
    events: &mut EventStream,
    first_byte: tokio::time::Instant,
    target: &Target,
) -> Result<Bytes, Option<Failure>> {
    let mut ready = BytesMut::new();
    let mut step =
        tokio::time::timeout_at(first_byte, poll_fn(|cx| events.poll_step(cx))).await.map_err(|_| None)?;
    loop {
        match step {
            // The usual case: the first event is content, and passes as the slice that it is.
            Step::Events(bytes) if ready.is_empty() && events.has_begun() => return Ok(bytes),
            Step::Events(bytes) => ready.extend_from_slice(&bytes),
            Step::End(Ending::Whole) if !ready.is_empty() => return Ok(ready.freeze()),
            Step::End(ending) => return Err(Some(Failure::from_ending(&ending, &target.provider))),
        }
        if events.has_begun() {
            return Ok(ready.freeze());
        }
        step = poll_fn(|cx| events.poll_step(cx)).await;
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media.get(..17).is_some_and(|start| start.eq_ignore_ascii_case("text/event-stream"))
}

/// A stream was asked for and something else came, often an error with status 200.
async fn not_a_stream(status: u16, body: Incoming, clock: ReadClock, target: &Target) -> Failure {
    let told = read_all(body, MAX_ERROR, clock).await.unwrap_or_default();
    let message = sluice_protocol::upstream_error::message(&told)
        .map(|told| crate::upstream::failure::clean(&told.message, &target.provider));
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
    pub fn write<B>(self, response: &mut Response<B>) {
        if let Some(id) = self.request_id {
            response.headers_mut().insert(names::UPSTREAM_REQUEST_ID, id);
        }
        if let Some(time) = self.processing_ms {
            response.headers_mut().insert(names::PROCESSING_MS, time);
        }
    }
}
