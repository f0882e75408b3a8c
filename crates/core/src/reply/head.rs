//! The head of an answer: the headers that every answer carries, and how a reply is put together.

use crate::{
    cache::store::Recalled,
    error::{ErrorKind, GatewayError},
    headers as names,
    limits::admission::Remaining,
    reply::{
        body::ReplyBody,
        cache_headers,
        feed::Feed,
        limit_headers,
        render::{self, Audience},
        stream::StreamReply,
    },
    server::{cors, routes::Route},
    telemetry::{
        exchange::{CacheNote, Exchange, Recorder},
        labels::Outcome,
    },
    upstream::{
        attempt::Delivery,
        failover::{Walk, Walked},
        lead::joined,
    },
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use sluice_protocol::observe::Facts;
use std::time::Duration;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How a stream is kept alive and cut.
pub struct StreamRules {
    /// Whose error events.
    pub audience: Audience,
    /// Silence after which a comment is sent.
    pub heartbeat: Duration,
    /// Fires when the drain is over.
    pub cut: tokio_util::sync::CancellationToken,
}

/// The answer to a walk that has ended.
pub fn answer(walked: Walked, rules: StreamRules) -> Response<ReplyBody> {
    let Walked { recorder, result } = walked;
    match result {
        Ok(Delivery::Plain { body, facts, .. }) => plain(recorder, body, &facts),
        Ok(Delivery::Stream { ready, events, .. }) => {
            let feed = Feed::Own(events);
            stream(recorder, joined(ready), feed, rules)
        }
        Ok(Delivery::Shared(reader)) => stream(recorder, Bytes::new(), Feed::Shared(reader), rules),
        Ok(Delivery::Recalled(whole)) => recalled(recorder, whole, rules),
        Err(error) => refuse(recorder, &error, rules.audience),
    }
}

/// The head of a stream whose first event is still to come; the walk goes on inside its body.
pub fn waiting(
    id: &str,
    note: &CacheNote,
    remaining: &Remaining,
    walk: Walk,
    rules: StreamRules,
) -> Response<ReplyBody> {
    let mut response = empty();
    stream_headers(id, rules.audience.dialect.is_anthropic(), response.headers_mut());
    cache_headers::write(note, response.headers_mut());
    limit_headers::write(remaining, rules.audience.dialect.is_anthropic(), response.headers_mut());
    response.map(|()| ReplyBody::stream(StreamReply::waiting(walk, rules)))
}

/// A whole answer from the cache or a flight: plain, or as a stream.
pub fn recalled(recorder: Recorder, whole: Recalled, rules: StreamRules) -> Response<ReplyBody> {
    if !recorder.stream {
        let mut response = empty();
        response.headers_mut().insert(header::CONTENT_TYPE, JSON);
        common(&recorder, response.headers_mut());
        return response.map(|()| ReplyBody::slices(whole.slices, recorder, true));
    }
    if whole.paced {
        return stream(recorder, Bytes::new(), whole.feed(), rules);
    }
    stream_head(&recorder).map(|()| ReplyBody::slices(whole.slices, recorder, false))
}

fn stream(recorder: Recorder, ready: Bytes, feed: Feed, rules: StreamRules) -> Response<ReplyBody> {
    stream_head(&recorder).map(|()| ReplyBody::stream(StreamReply::open(recorder, ready, feed, rules)))
}

fn plain(mut recorder: Recorder, body: Bytes, facts: &Facts) -> Response<ReplyBody> {
    recorder.answered(facts);
    let mut response = empty();
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    common(&recorder, response.headers_mut());
    response.map(|()| ReplyBody::full(body, recorder, StatusCode::OK, Outcome::Ok))
}

/// An answer of Sluice's own, as JSON.
pub fn own(recorder: Recorder, body: Bytes) -> Response<ReplyBody> {
    let mut response = empty();
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    common(&recorder, response.headers_mut());
    response.map(|()| ReplyBody::full(body, recorder, StatusCode::OK, Outcome::Ok))
}

/// The answer to a browser that asks whether a page may ask.
pub fn preflight(recorder: Recorder, route: &Route<'_>, asked: &HeaderMap) -> Response<ReplyBody> {
    let mut response = empty();
    *response.status_mut() = StatusCode::NO_CONTENT;
    common(&recorder, response.headers_mut());
    cors::write_preflight(route, asked, response.headers_mut());
    response.map(|()| ReplyBody::full(Bytes::new(), recorder, StatusCode::NO_CONTENT, Outcome::Ok))
}

/// A refusal.
pub fn refuse(mut recorder: Recorder, error: &GatewayError, audience: Audience) -> Response<ReplyBody> {
    let problem = render::problem(error, audience, &recorder.id);
    let row = error.kind.row();
    if let Some(reason) = row.rejection {
        recorder.app().metrics.rejected.with_label_values(&[reason.as_str()]).inc();
    }
    recorder.error_code = Some(render::code(error));
    recorder.reason = error.reason;
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = empty();
    *response.status_mut() = status;
    common(&recorder, response.headers_mut());
    render::headers(error, audience, problem.status, response.headers_mut());
    let body = problem.body(audience.dialect);
    response.map(|()| ReplyBody::full(body, recorder, status, row.outcome))
}

/// The answer to a request whose handler panicked; its record has been told about already.
pub fn panicked(id: &str, audience: Audience) -> Response<ReplyBody> {
    let error =
        GatewayError::new(ErrorKind::Internal, "The gateway failed on this request; the fault is ours.");
    let problem = render::problem(&error, audience, id);
    let mut response = empty();
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    request_id(id, audience.dialect.is_anthropic(), response.headers_mut());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    // Nobody knows how much of the body was read.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    render::headers(&error, audience, problem.status, response.headers_mut());
    let body = problem.body(audience.dialect);
    response.map(|()| ReplyBody::untold(body))
}

fn stream_head(recorder: &Recorder) -> Response<()> {
    let mut response = empty();
    stream_headers(&recorder.id, recorder.anthropic, response.headers_mut());
    common(recorder, response.headers_mut());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    response
}

fn stream_headers(id: &str, is_anthropic: bool, headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    // nginx would hold events back otherwise.
    headers.insert(names::ACCEL_BUFFERING, HeaderValue::from_static("no"));
    request_id(id, is_anthropic, headers);
}

fn request_id(id: &str, is_anthropic: bool, headers: &mut HeaderMap) {
    // Ids are checked or made by us: always proper header text.
    if let Ok(value) = HeaderValue::from_str(id) {
        // The name that Anthropic's clients read.
        if is_anthropic {
            headers.insert(names::ANTHROPIC_REQUEST_ID, value.clone());
        }
        headers.insert(names::REQUEST_ID, value);
    }
}

/// A response with room for its headers: growing the table step by step would cost more than it.
fn empty() -> Response<()> {
    let mut response = Response::new(());
    response.headers_mut().reserve(20);
    response
}

/// A number as a header, by one small copy.
pub(super) fn number(value: u64) -> HeaderValue {
    // Digits are always proper header text.
    HeaderValue::from_str(itoa::Buffer::new().format(value)).unwrap_or(HeaderValue::from_static("0"))
}

/// Names of members as a header. A client may have sent any name: those that a header cannot carry, or that are too
/// many, are told as `…` would be.
fn listed(names: &[String]) -> HeaderValue {
    const MOST: usize = 32;
    let fits =
        |name: &&String| name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    let mut shown: Vec<&str> = names.iter().filter(fits).take(MOST).map(String::as_str).collect();
    if shown.len() < names.len() {
        shown.push("...");
    }
    // Plain characters are proper header text.
    HeaderValue::from_str(&shown.join(", ")).unwrap_or(HeaderValue::from_static("..."))
}

/// Headers of every answer.
fn common(x: &Exchange, headers: &mut HeaderMap) {
    request_id(&x.id, x.anthropic, headers);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    cache_headers::write(&x.cache, headers);
    if let Some(giver) = &x.cache.giver {
        headers.insert(names::PROVIDER, giver.provider_header.clone());
        headers.insert(names::MODEL, giver.model_header.clone());
        headers.insert(names::ATTEMPTS, HeaderValue::from_static("0"));
    } else if let Some(target) = &x.target {
        headers.insert(names::PROVIDER, target.provider.header.clone());
        headers.insert(names::ATTEMPTS, number(x.attempts.len() as u64));
        let model = target.model_header.clone().or_else(|| HeaderValue::from_str(x.model_upstream()?).ok());
        if let Some(model) = model {
            headers.insert(names::MODEL, model);
        }
    }
    limit_headers::write(&x.limits.remaining, x.anthropic, headers);
    x.upstream_head.write(headers);
    if !x.dropped.is_empty() {
        headers.insert(names::DROPPED, listed(&x.dropped));
    }
}
