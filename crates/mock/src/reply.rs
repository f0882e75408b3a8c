//! Complete HTTP answers: documents, errors in either family's shape, and the headers that real upstreams
//! add.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use serde_json::json;

use crate::azure;
use crate::body::Body;
use crate::refusal::Refusal;

/// Whose error shape and header names an answer has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Family {
    OpenAi,
    Anthropic,
    Azure,
}

impl Family {
    /// Whose errors a path has that leads nowhere.
    pub(crate) fn of_path(path: &str) -> Self {
        if path.starts_with("/anthropic/") { Self::Anthropic } else { Self::OpenAi }
    }
}

/// The seconds that a 429 asks its caller to wait.
const RETRY_SECONDS: u16 = 2;

/// A JSON document.
pub(crate) fn json(status: StatusCode, document: impl Into<bytes::Bytes>) -> Response<Body> {
    with_type(status, "application/json", Body::full(document))
}

/// The head of a stream of server-sent events.
pub(crate) fn event_stream(body: Body) -> Response<Body> {
    let mut response = with_type(StatusCode::OK, "text/event-stream; charset=utf-8", body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Any body with its content type.
pub(crate) fn with_type(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An error as the family writes it.
pub(crate) fn error(family: Family, refusal: &Refusal) -> Response<Body> {
    let Refusal { message, param, code, .. } = refusal;
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = openai_type(status.as_u16());
    let document = match family {
        Family::OpenAi => {
            json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
        }
        Family::Anthropic => json!({
            "type": "error", "error": { "type": anthropic_type(status.as_u16()), "message": message }
        }),
        Family::Azure => azure::error(refusal, kind),
    };
    let mut response = json(status, document.to_string());
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
    }
    response
}

/// The error of a prompt that a filter found fault with.
pub(crate) fn filtered(family: Family) -> Response<Body> {
    let message = "The prompt was stopped by a content filter; change it and try again.";
    let param = Some("prompt".to_owned());
    error(family, &Refusal { param, ..Refusal::new(400, message, Some("content_filter")) })
}

/// The error that real upstreams send with a status.
pub(crate) fn typical_error(family: Family, status: u16) -> Response<Body> {
    let (message, code) = match status {
        400 => ("Invalid value for a parameter.", None),
        401 => ("Incorrect API key provided: sk-mock-****.", Some("invalid_api_key")),
        402 => ("Insufficient credits.", Some("insufficient_quota")),
        403 => ("The key may not use this model.", Some("model_not_allowed")),
        404 => ("The model does not exist or you do not have access to it.", Some("model_not_found")),
        408 => ("The request timed out.", Some("request_timeout")),
        413 => ("The request is too large.", Some("request_too_large")),
        429 if family == Family::Azure => ("Too many requests. Please try again in 2 seconds.", Some("429")),
        429 => ("Rate limit reached for requests. Please try again in 2s.", Some("rate_limit_exceeded")),
        503 | 529 => ("The server is overloaded or not ready yet.", Some("overloaded")),
        500..600 => ("The server had an error while processing your request. Sorry about that!", None),
        _ => ("The request was refused.", None),
    };
    error(family, &Refusal::new(status, message, code))
}

/// Adds what real upstreams send with every answer: request id, processing time, their own limits.
pub(crate) fn stamp(response: &mut Response<Body>, family: Family, id: &str) {
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    const ANTHROPIC_ID: HeaderName = HeaderName::from_static("request-id");
    const TIME: HeaderName = HeaderName::from_static("openai-processing-ms");
    const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit-requests");
    const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining-requests");
    let id = HeaderValue::from_str(id).unwrap_or_else(|_| HeaderValue::from_static("req_mock"));
    let headers = response.headers_mut();
    match family {
        Family::Azure => azure::stamp(response, id),
        Family::Anthropic => {
            headers.insert(ANTHROPIC_ID, id);
        }
        Family::OpenAi => {
            headers.insert(REQUEST_ID, id);
            headers.insert(TIME, HeaderValue::from_static("1"));
            headers.insert(LIMIT, HeaderValue::from_static("10000"));
            headers.insert(REMAINING, HeaderValue::from_static("9999"));
        }
    }
}

fn openai_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "insufficient_quota",
        403 => "permission_error",
        429 => "requests",
        400..500 => "invalid_request_error",
        _ => "server_error",
    }
}

fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        503 | 529 => "overloaded_error",
        _ => "api_error",
    }
}
