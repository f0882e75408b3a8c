//! A refused request as the client reads it: status, body in its dialect, headers.

use crate::{
    error::{ErrorKind, GatewayError},
    headers as names,
    server::routes::{self, Endpoint, Family, Route},
    stages::models::Shape,
};
use http::{HeaderMap, HeaderValue, Method, header, request::Parts};
use sluice_protocol::{
    Dialect,
    problem::{ErrorType, Problem},
};
use std::{borrow::Cow, time::Duration};

/// Whose way of telling errors applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audience {
    /// The path family.
    pub family: Family,
    /// What the endpoint speaks.
    pub dialect: Dialect,
    /// Only a POST on the contract's paths has the contract's statuses: a look-up of a model is 404 everywhere.
    pub post: bool,
    /// `Accept` names `application/problem+json`.
    pub wants_problem_json: bool,
}

impl Audience {
    /// The dialect and words in which errors of a request are told.
    #[must_use]
    pub fn of(head: &Parts, route: Option<&Route<'_>>) -> Self {
        let accepts = head.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let family = route.map_or_else(|| routes::family(head.uri.path()), |route| route.family);
        let dialect = match route {
            // The model list of both houses has one path, and whoever gets it in a shape is told errors in that, too.
            Some(Route { endpoint: Endpoint::Models | Endpoint::Model(_), .. }) => {
                Shape::of(family, &head.headers).dialect()
            }
            Some(route) => route.dialect(),
            None => routes::dialect_of(family),
        };
        Self {
            family,
            dialect,
            post: head.method == Method::POST,
            wants_problem_json: accepts.into_iter().any(|value| value.contains("application/problem+json")),
        }
    }
}

/// The problem that an error is, for an audience.
#[must_use]
pub fn problem(error: &GatewayError, audience: Audience, request_id: &str) -> Problem {
    let row = error.kind.row();
    let contract = row.contract.filter(|_| audience.family == Family::Contract && audience.post);
    let mut problem = Problem::new(contract.unwrap_or(row.code), error.message.clone());
    if let Some(details) = &error.details {
        if error.kind == ErrorKind::BadBody {
            problem = Problem::invalid_body(details.faults.clone());
        } else {
            problem.errors.clone_from(&details.faults);
        }
        problem.param = details.param.clone().map(Cow::into_owned).or(problem.param);
        problem.code = details.code.clone().map(Cow::Owned).or(problem.code);
    }
    if let ErrorKind::UpstreamRefused(status) = error.kind {
        problem.status = status;
        problem.kind = ErrorType::of_status(status);
    }
    problem.request_id = Some(request_id.to_owned());
    problem
}

/// Headers that an error adds to the answer.
pub fn headers(error: &GatewayError, audience: Audience, status: u16, headers: &mut HeaderMap) {
    let media = if audience.wants_problem_json && !audience.dialect.is_anthropic() {
        "application/problem+json"
    } else {
        "application/json"
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    match error.kind {
        ErrorKind::Unauthorized => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        ErrorKind::MethodNotAllowed(allow) => {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        _ => {}
    }
    let after = match error.kind {
        // Another replica, or the next process, takes it at once.
        ErrorKind::Draining => Some(Duration::from_secs(1)),
        _ => error.retry_after,
    };
    if let Some(after) = after {
        retry_after(after, headers);
        if error.kind == ErrorKind::Quota {
            // The wait is true, and far too long for an SDK to sit it out.
            headers.insert(names::SHOULD_RETRY, HeaderValue::from_static("false"));
        }
    } else if asked_again_by_clients(status) && !matches!(error.kind, ErrorKind::BodyTimeout) {
        // Official SDKs try 408, 409, 429 and every 5xx twice more by themselves; ours are spent already.
        headers.insert(names::SHOULD_RETRY, HeaderValue::from_static("false"));
    }
}

/// `Retry-After` in whole seconds, at least one, and the same in milliseconds.
fn retry_after(after: Duration, headers: &mut HeaderMap) {
    // Rounded up: who waits so long does not come too early.
    let millis = u64::try_from(after.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX).max(1);
    headers.insert(header::RETRY_AFTER, HeaderValue::from(millis.div_ceil(1000)));
    headers.insert(names::RETRY_AFTER_MS, HeaderValue::from(millis));
}

const fn asked_again_by_clients(status: u16) -> bool {
    matches!(status, 408 | 409 | 429 | 500..=599)
}

/// The word for logs.
#[must_use]
pub fn code(error: &GatewayError) -> &'static str {
    match error.kind {
        ErrorKind::Draining => "draining",
        ErrorKind::UpstreamRefused(_) => "upstream_refused",
        kind => kind.row().code.name,
    }
}
