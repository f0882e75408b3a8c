//! Reads the body: within its size and its time, and only what is JSON that can be read one way.
//!
//! The bytes are kept as they came. What of the client's headers may go upstream is picked here, too.

use crate::{
    error::{ErrorKind, GatewayError},
    facts::Call,
    gather::Gather,
    headers as names,
    telemetry::trace::Onward,
    timer::{LazyTimer, now},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use sluice_config::model::ApiListener;
use sluice_protocol::{BodyFault, Dialect, Envelope, Profile};
use std::{
    error::Error as _,
    future::{Future, poll_fn},
    io,
    pin::pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, Waker},
    time::Duration,
};

/// Headers of the client's that upstreams may see. Credentials, cookies and addresses are not among them.
const FORWARDED: [HeaderName; 4] =
    [names::ANTHROPIC_VERSION, names::ANTHROPIC_BETA, names::OPENAI_BETA, names::IDEMPOTENCY_KEY];

/// Checks what the head says of the body.
///
/// # Errors
/// `MediaType` for another content type or an encoded body, `TooLarge` from the declared length.
pub fn check_head(head: &Parts, body: &Incoming, listener: &ApiListener) -> Result<(), GatewayError> {
    if let Some(value) = head.headers.get(header::CONTENT_TYPE) {
        let media = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !media.eq_ignore_ascii_case("application/json") {
            let sent: String = media.chars().filter(|c| c.is_ascii_graphic()).take(80).collect();
            let text = format!("The Content-Type header must be application/json; it is '{sent}'.");
            return Err(GatewayError::new(ErrorKind::MediaType, text));
        }
    }
    let encoded = |value: &HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
    if head.headers.get(header::CONTENT_ENCODING).is_some_and(encoded) {
        let text = "Compressed bodies are not accepted: leave out the Content-Encoding header.";
        return Err(GatewayError::new(ErrorKind::MediaType, text));
    }
    if body.size_hint().lower() > listener.max_body.0 {
        return Err(too_large(listener.max_body.0));
    }
    Ok(())
}

/// Receives the whole body. For the task of the body's connection, which reads it and polls this afterwards.
///
/// # Errors
/// `TooLarge`, `BodyTimeout`, `BodyBroken`.
pub async fn receive(body: Incoming, listener: &ApiListener) -> Result<Bytes, GatewayError> {
    let due = now() + listener.body_timeout;
    let (mut timer, mut asked) = (LazyTimer::default(), false);
    let mut whole = pin!(collect(body, listener.max_body.0));
    poll_fn(|cx| {
        // What the connection reads while it is polled wakes it to no purpose.
        if let Poll::Ready(received) = whole.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Poll::Ready(received);
        }
        // What came with the head is handed over as soon as it is known to be wanted: no timer for that.
        if !std::mem::replace(&mut asked, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        timer.poll_due(cx, due).map(|()| Err(too_slow(listener.body_timeout)))
    })
    .await
}

/// Checks the body and picks what goes upstream; of the trace, nothing yet.
///
/// # Errors
/// `BadHeader`, `BadJson`, or `BadBody` with every fault at once.
pub fn read(
    head: &Parts,
    body: Bytes,
    dialect: Dialect,
    profile: Profile,
    id: &Arc<str>,
) -> Result<Call, GatewayError> {
    let patience = patience(&head.headers)?;
    let envelope = Envelope::scan(body, dialect, profile).map_err(bad_body)?;
    let forward = FORWARDED
        .iter()
        .filter(|name| head.headers.contains_key(*name))
        .map(|name| (name.clone(), head.headers.get_all(name).iter().cloned().collect()))
        .collect();
    let stream = envelope.stream() && dialect.has_streams();
    Ok(Call {
        id: id.clone(),
        stream,
        shared: false,
        envelope,
        forward,
        trace: Onward::Nothing,
        patience,
        prompt: OnceLock::new(),
    })
}

/// How long the client waits. A time that is none is a mistake worth telling: the client counts on it.
fn patience(headers: &HeaderMap) -> Result<Option<Duration>, GatewayError> {
    let Some(value) = headers.get(names::TIMEOUT) else { return Ok(None) };
    let ms = value.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok()).filter(|ms| *ms > 0);
    let text = "The header x-sluice-timeout-ms must be a whole number of milliseconds above 0.";
    ms.map(|ms| Some(Duration::from_millis(ms))).ok_or_else(|| GatewayError::new(ErrorKind::BadHeader, text))
}

async fn collect(mut body: Incoming, limit: u64) -> Result<Bytes, GatewayError> {
    let mut gather = Gather::new(body.size_hint().lower());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
        if (gather.len() + data.len()) as u64 > limit {
            return Err(too_large(limit));
        }
        gather.push(data);
    }
    Ok(gather.finish())
}

/// A body that ends too early is a client that left; anything else is a client that is still there to be told.
fn broken(error: &hyper::Error) -> GatewayError {
    if error.is_incomplete_message() || has_ended(error) {
        return GatewayError::new(ErrorKind::BodyCut, "The request body was cut off.");
    }
    GatewayError::new(ErrorKind::BodyBroken, "The request body is not framed as its headers say.")
}

/// Did the connection end in the middle of the body? Both framings tell it so, and a reset does.
fn has_ended(error: &hyper::Error) -> bool {
    let system = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    system.is_some_and(|error| {
        matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset)
    })
}

fn too_large(limit: u64) -> GatewayError {
    GatewayError::new(
        ErrorKind::TooLarge,
        format!("The request body is larger than {} (listeners.api.max_body).", size(limit)),
    )
}

/// `20 MiB` where it is that, else bytes.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 2] = [(1 << 20, "MiB"), (1 << 10, "KiB")];
    let even = UNITS.into_iter().find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit));
    even.map_or_else(|| format!("{bytes} bytes"), |(unit, name)| format!("{} {name}", bytes / unit))
}

fn too_slow(limit: Duration) -> GatewayError {
    let text = format!("The request body did not arrive within {} s.", limit.as_secs_f64());
    GatewayError::new(ErrorKind::BodyTimeout, text)
}

fn bad_body(fault: BodyFault) -> GatewayError {
    match fault {
        BodyFault::Json { message, .. } => {
            GatewayError::new(ErrorKind::BadJson, format!("The request body cannot be accepted: {message}."))
        }
        BodyFault::Schema(faults) => {
            GatewayError::new(ErrorKind::BadBody, "The request body is not valid.").faults(faults)
        }
    }
}
