//! What a request meets: the next step of its model's script, the behaviour of its model's name, the answer.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde_json::Value;

use crate::answer::Usage;
use crate::body::Body;
use crate::call::Call;
use crate::compose::compose;
use crate::fault::{Behaviour, Fault, Instead};
use crate::reply::{self, Family};
use crate::script::{Chunks, ScriptStep};
use crate::spent::Spent;
use crate::state::State;
use crate::stats::Ticket;
use crate::talk::{Broken, Talk};

const HTML: &str =
    "<!doctype html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>\n";
const GARBAGE: &str = r#"{"id":"cmpl-1","choices":[{"text":"hal"#;

/// Answers a call.
///
/// # Errors
/// When the connection is to be dropped.
pub(crate) async fn reply(
    state: &State,
    family: Family,
    call: Call,
    body: &[u8],
    mut ticket: Ticket,
) -> io::Result<Response<Body>> {
    let step = state.scripts().take(call.model()).unwrap_or_default();
    let spelled_out = step.status.is_some() || step.body.is_some() || !step.chunks.is_empty();
    let behaviour = match step.like.as_deref() {
        _ if spelled_out => Behaviour::default(),
        like => Behaviour::of(like.unwrap_or(call.model()), &state.rhythm),
    };
    let prompt = call.prompt_tokens();
    if !spelled_out && behaviour.instead.is_none() {
        ticket.settle(prompt.map(Spent::nothing));
    }
    let delay = behaviour.before_head + Duration::from_millis(step.delay_ms);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    if spelled_out {
        return Ok(scripted(family, &step, ticket));
    }
    if let Some(instead) = &behaviour.instead {
        ticket.finish();
        return instead_of_an_answer(family, instead);
    }
    let (document, usage) = match call {
        Call::Document { document, .. } => {
            (document, prompt.map(|prompt| Usage { prompt, ..Usage::default() }))
        }
        Call::Talk(ask, dialect) => {
            let answer = compose(state, &ask, &behaviour, body);
            if ask.stream {
                let talk = Talk::new(answer, dialect, &behaviour);
                return Ok(reply::event_stream(Body::streamed(talk, ticket)));
            }
            (dialect.plain(&answer), Some(answer.usage))
        }
    };
    Ok(plain(family, document.into(), usage, behaviour.fault, ticket))
}

/// A plain answer, broken if there is a fault.
fn plain(
    family: Family,
    document: Bytes,
    usage: Option<Usage>,
    fault: Option<(u64, Fault)>,
    mut ticket: Ticket,
) -> Response<Body> {
    let fault = match fault {
        Some((_, Fault::Error)) => {
            ticket.settle(None);
            ticket.finish();
            return reply::typical_error(family, 500);
        }
        Some((_, fault)) => fault,
        None => {
            ticket.settle(usage.map(Spent::whole));
            ticket.finish();
            return reply::json(StatusCode::OK, document);
        }
    };
    let length = HeaderValue::from(document.len());
    let body = Body::streamed(Broken::new(document, fault, usage), ticket);
    let mut response = reply::with_type(StatusCode::OK, "application/json", body);
    // With its length announced, half an answer could not end properly.
    if fault != Fault::Eof {
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
    response
}

fn instead_of_an_answer(family: Family, instead: &Instead) -> io::Result<Response<Body>> {
    match instead {
        Instead::Status(status) => Ok(reply::typical_error(family, *status)),
        Instead::Html => Ok(reply::with_type(StatusCode::OK, "text/html; charset=utf-8", Body::full(HTML))),
        Instead::Garbage => Ok(reply::json(StatusCode::OK, GARBAGE)),
        Instead::Filter => Ok(reply::filtered(family)),
        Instead::Drop => Err(io::Error::other("dropped on purpose")),
    }
}

/// The answer that a script's step spells out.
fn scripted(family: Family, step: &ScriptStep, mut ticket: Ticket) -> Response<Body> {
    let status = step.status.unwrap_or(200);
    let mut response = if step.chunks.is_empty() {
        ticket.finish();
        match &step.body {
            Some(Value::String(text)) => reply::json(StatusCode::OK, text.clone()),
            Some(document) => reply::json(StatusCode::OK, document.to_string()),
            None if status >= 400 => reply::typical_error(family, status),
            None => reply::json(StatusCode::OK, ""),
        }
    } else {
        reply::event_stream(Body::streamed(Chunks::new(step), ticket))
    };
    if let Ok(status) = StatusCode::from_u16(status) {
        *response.status_mut() = status;
    }
    for (name, value) in &step.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
