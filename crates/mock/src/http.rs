//! A request's life: path, key, method, body, answer.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{ALLOW, AUTHORIZATION, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::bench::{self, Glance};
use crate::body::Body;
use crate::call::Call;
use crate::door::Door;
use crate::endpoint::Endpoint;
use crate::journal::Recorded;
use crate::refusal::Refusal;
use crate::reply::{self, Family};
use crate::state::State;
use crate::stats::Ticket;
use crate::{azure, control, models, perform};

/// Larger requests are refused; gateways have lower limits of their own.
const MAX_BODY: usize = 128 << 20;
/// What `sluice health` asks; whoever answers is ready.
const READY: &str = "/readyz";

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
    if parts.uri.path() == READY {
        return Ok(reply::with_type(StatusCode::OK, "text/plain", Body::full("ready\n")));
    }
    let door = Door::at(parts.uri.path());
    let mut ticket = state.stats.begin(door.map_or("_other", |door| door.endpoint.path()));
    let mut response = match door.ok_or_else(|| Refusal::new(404, "Invalid URL.", None)) {
        Ok(door) => match admit(&state, &door, &parts) {
            Ok(()) if door.endpoint != Endpoint::Models => {
                return ask(&state, &door, &parts, body, ticket).await;
            }
            Ok(()) => models::reply(door.rest, models_family(&door, &parts.headers)),
            Err(refusal) => reply::error(door.family(), &refusal),
        },
        Err(refusal) => reply::error(Family::of_path(parts.uri.path()), &refusal),
    };
    if let Some(door) = door
        && response.status() == StatusCode::METHOD_NOT_ALLOWED
    {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(door.endpoint.method()));
    }
    ticket.finish();
    Ok(response)
}

/// Who names a version of Anthropic's API gets Anthropic's list.
fn models_family(door: &Door<'_>, headers: &HeaderMap) -> Family {
    if headers.contains_key("anthropic-version") { Family::Anthropic } else { door.family() }
}

fn admit(state: &State, door: &Door<'_>, parts: &Parts) -> Result<(), Refusal> {
    let key = state.options.require_key.as_deref();
    let azure = door.house.is_azure();
    if key.is_some_and(|key| !brings_key(&parts.headers, key)) {
        return Err(Refusal::new(401, "Incorrect API key provided.", Some("invalid_api_key")));
    }
    if azure && !azure::brings_credential(&parts.headers) {
        return Err(Refusal::new(401, "Access denied: no key, or one for another resource.", Some("401")));
    }
    if parts.method.as_str() != door.endpoint.method() {
        return Err(Refusal::new(405, "Method not allowed.", None));
    }
    azure::admit(door, parts.uri.query())
}

fn brings_key(headers: &HeaderMap, key: &str) -> bool {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let plain = |name| headers.get(name).and_then(|value| value.to_str().ok());
    [bearer, plain("x-api-key"), plain("api-key")].contains(&Some(key))
}

async fn ask(
    state: &State,
    door: &Door<'_>,
    parts: &Parts,
    body: Incoming,
    mut ticket: Ticket,
) -> io::Result<Response<Body>> {
    let family = door.family();
    let Some(body) = read(body).await? else {
        ticket.finish();
        return Ok(reply::typical_error(family, 413));
    };
    if let Some(glance) = Glance::at(&body)
        && door.endpoint.talks()
    {
        ticket.name_model(glance.model);
        return Ok(bench::reply(state, door.endpoint, &glance, ticket).await);
    }
    state.journal().push(Recorded::new(parts, &body));
    let mut response = match Call::read(door, &parts.headers, &body) {
        Ok(call) => {
            ticket.name_model(call.model());
            perform::reply(state, family, call, &body, ticket).await?
        }
        Err(refusal) => {
            ticket.finish();
            reply::error(family, &refusal)
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
