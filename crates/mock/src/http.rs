//! A request's life: path, key, method, body, answer.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{ALLOW, AUTHORIZATION, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::bench::{self, Glance};
use crate::body::Body;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::journal::Recorded;
use crate::reply::{self, Family};
use crate::state::State;
use crate::stats::Ticket;
use crate::{control, models, perform};

/// Larger requests are refused; gateways have lower limits of their own.
const MAX_BODY: usize = 128 << 20;

/// Answers one request.
///
/// # Errors
/// When the connection is to be dropped without an answer, or its peer has left.
pub(crate) async fn serve(state: Arc<State>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    if let Some(action) = parts.uri.path().strip_prefix(control::PREFIX) {
        let body = read(body).await?.unwrap_or_default();
        return Ok(control::serve(&state, action, parts.uri.query(), &body));
    }
    let endpoint = Endpoint::at(parts.uri.path());
    let mut ticket = state.stats.begin(endpoint.map_or("_other", Endpoint::path));
    match admit(&state, endpoint, &parts) {
        Ok(Endpoint::Models) => {
            ticket.finish();
            Ok(models::reply(parts.uri.path()))
        }
        Ok(endpoint) => ask(&state, endpoint, &parts, body, ticket).await,
        Err(refusal) => {
            ticket.finish();
            Ok(refusal.reply())
        }
    }
}

/// Why a request is not looked at.
enum Refusal {
    UnknownPath,
    WrongKey(Family),
    WrongMethod(Endpoint),
}

impl Refusal {
    fn reply(self) -> Response<Body> {
        match self {
            Self::UnknownPath => reply::error(Family::OpenAi, 404, "Invalid URL.", None),
            Self::WrongKey(family) => {
                reply::error(family, 401, "Incorrect API key provided.", Some("invalid_api_key"))
            }
            Self::WrongMethod(endpoint) => {
                let mut response = reply::error(endpoint.family(), 405, "Method not allowed.", None);
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(endpoint.method()));
                response
            }
        }
    }
}

fn admit(state: &State, endpoint: Option<Endpoint>, parts: &Parts) -> Result<Endpoint, Refusal> {
    let endpoint = endpoint.ok_or(Refusal::UnknownPath)?;
    let key = state.options.require_key.as_deref();
    if key.is_some_and(|key| !brings_key(&parts.headers, key)) {
        return Err(Refusal::WrongKey(endpoint.family()));
    }
    if parts.method.as_str() != endpoint.method() {
        return Err(Refusal::WrongMethod(endpoint));
    }
    Ok(endpoint)
}

fn brings_key(headers: &HeaderMap, key: &str) -> bool {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let plain = headers.get("x-api-key").and_then(|value| value.to_str().ok());
    bearer == Some(key) || plain == Some(key)
}

async fn ask(
    state: &State,
    endpoint: Endpoint,
    parts: &Parts,
    body: Incoming,
    mut ticket: Ticket,
) -> io::Result<Response<Body>> {
    let family = endpoint.family();
    let Some(body) = read(body).await? else {
        ticket.finish();
        return Ok(reply::typical_error(family, 413));
    };
    if let Some(glance) = Glance::at(&body)
        && endpoint.talks()
    {
        ticket.name_model(glance.model);
        return Ok(bench::reply(state, endpoint, &glance, ticket).await);
    }
    state.journal().push(Recorded::new(parts, &body));
    let mut response = match Call::read(endpoint, &body) {
        Ok(call) => {
            ticket.name_model(call.model());
            perform::reply(state, family, call, &body, ticket).await?
        }
        Err(message) => {
            ticket.finish();
            reply::error(family, 400, &message, None)
        }
    };
    reply::stamp(&mut response, family, &format!("req_{}", state.fresh_id()));
    Ok(response)
}

/// Reads a body to its end; `None` if it is too large. A body that came in one piece is not copied.
async fn read(mut body: Incoming) -> io::Result<Option<Bytes>> {
    let Some(first) = next(&mut body).await? else { return Ok(Some(Bytes::new())) };
    if body.is_end_stream() {
        return Ok(Some(first));
    }
    let more = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX).min(MAX_BODY);
    let mut whole = BytesMut::with_capacity(first.len() + more);
    whole.extend_from_slice(&first);
    while let Some(data) = next(&mut body).await? {
        if whole.len() + data.len() > MAX_BODY {
            return Ok(None);
        }
        whole.extend_from_slice(&data);
    }
    Ok(Some(whole.freeze()))
}

async fn next(body: &mut Incoming) -> io::Result<Option<Bytes>> {
    match body.frame().await {
        Some(frame) => Ok(Some(frame.map_err(io::Error::other)?.into_data().unwrap_or_default())),
        None => Ok(None),
    }
}
