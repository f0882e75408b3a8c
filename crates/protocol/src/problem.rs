//! Error bodies, in the form that each client library understands.
//!
//! OpenAI paths get one *dual* body: the members of RFC 9457 and an `error` object beside them, because some
//! clients read only the one and some only the other. The Messages API has its own form. Which status an
//! error has, and the headers around the body, are decided elsewhere.

pub mod codes;

pub use codes::ErrorCode;

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::dialect::Dialect;
use crate::fault::SchemaFault;
use crate::sse;

/// `error.type`: the few classes that client libraries tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ErrorType {
    /// The request is at fault.
    #[serde(rename = "invalid_request_error")]
    InvalidRequest,
    /// The credential is at fault.
    #[serde(rename = "authentication_error")]
    Authentication,
    /// The credential is good, but not for this.
    #[serde(rename = "permission_error")]
    Permission,
    /// Too much at once; waiting helps.
    #[serde(rename = "rate_limit_error")]
    RateLimit,
    /// The budget is spent; waiting does not help.
    #[serde(rename = "insufficient_quota")]
    InsufficientQuota,
    /// The gateway or an upstream is at fault.
    #[serde(rename = "server_error")]
    Server,
}

impl ErrorType {
    /// The type that belongs to a status, for errors that an upstream gave.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            403 => Self::Permission,
            429 => Self::RateLimit,
            _ if status < 500 => Self::InvalidRequest,
            _ => Self::Server,
        }
    }
}

/// One error, before it takes a client's form. All text in it is shown to the client.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// HTTP status; a stream that has begun carries it inside the event.
    pub status: u16,
    /// What is wrong, in a sentence: the only text that most client libraries show.
    pub message: String,
    /// `error.type`.
    pub kind: ErrorType,
    /// `error.code`: one of [`codes::ERROR_CODES`], or an upstream's own.
    pub code: Option<Cow<'static, str>>,
    /// The code at top level, where the contract's schema allows two values and no null.
    pub contract_code: Option<&'static str>,
    /// The member of the request at fault, as OpenAI names it: without `body.`.
    pub param: Option<String>,
    /// All faults of the body, each with its place.
    pub errors: Vec<SchemaFault>,
    /// Id of the request; part of the Messages form (elsewhere it is a header).
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem of our own table.
    pub fn new(code: &ErrorCode, message: impl Into<String>) -> Self {
        Self {
            status: code.status,
            message: message.into(),
            kind: code.kind,
            code: Some(Cow::Borrowed(code.name)),
            contract_code: code.contract.then_some(code.name),
            param: None,
            errors: Vec::new(),
            request_id: None,
        }
    }

    /// A body that breaks the schema: names the first fault and counts the others, since most clients show
    /// only that text.
    #[must_use]
    pub fn invalid_body(faults: Vec<SchemaFault>) -> Self {
        let message = match faults.as_slice() {
            [] => "the body is not valid".to_owned(),
            [only] => format!("{}: {}", only.location, only.message),
            [first, rest @ ..] => format!("{}: {} (and {} more)", first.location, first.message, rest.len()),
        };
        let param = faults.first().and_then(param_of);
        Self { param, errors: faults, ..Self::new(&codes::INVALID_BODY, message) }
    }

    /// Names the member at fault.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// The body for OpenAI paths: RFC 9457 members and an `error` object.
    #[must_use]
    pub fn dual(&self) -> Bytes {
        to_json(&Dual {
            title: title(self.status),
            status: self.status,
            detail: &self.message,
            code: self.contract_code,
            errors: self.errors.iter().map(Fault::from).collect(),
            error: self.error_object(),
        })
    }

    /// The body for the Messages API.
    #[must_use]
    pub fn anthropic(&self) -> Bytes {
        to_json(&Messages {
            form: "error",
            error: MessagesError { form: messages_type(self.status), message: &self.message },
            request_id: self.request_id.as_deref(),
        })
    }

    /// The body of a plain answer in a dialect's form.
    #[must_use]
    pub fn body(&self, dialect: Dialect) -> Bytes {
        match dialect {
            Dialect::Messages | Dialect::CountTokens => self.anthropic(),
            Dialect::Completions | Dialect::Chat | Dialect::Embeddings | Dialect::Responses => self.dual(),
        }
    }

    /// The event that ends a stream which has begun and cannot go on.
    ///
    /// The `error` object is what makes client libraries raise an error with this text; a problem without it
    /// would pass for a chunk of the answer.
    #[must_use]
    pub fn stream_event(&self, dialect: Dialect) -> Bytes {
        let (error, title, status, detail) =
            (self.error_object(), title(self.status), self.status, self.message.as_str());
        match dialect {
            Dialect::Messages | Dialect::CountTokens => sse::encode_named("error", &self.anthropic()),
            Dialect::Completions | Dialect::Chat | Dialect::Embeddings => {
                sse::encode_data(&to_json(&StreamError { error, title, status, detail }))
            }
            Dialect::Responses => {
                let (code, param) = (self.code.as_deref(), self.param.as_deref());
                let event = ResponsesError { form: "error", code, message: detail, param, error };
                sse::encode_named("error", &to_json(&event))
            }
        }
    }

    fn error_object(&self) -> ErrorObject<'_> {
        ErrorObject {
            message: &self.message,
            kind: self.kind,
            param: self.param.as_deref(),
            code: self.code.as_deref(),
        }
    }
}

/// The `title` of a problem: the status in words, the same for all problems of that status (RFC 9457, section
/// 3.1.3).
#[must_use]
pub const fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ if status < 500 => "Client Error",
        _ => "Server Error",
    }
}

/// `error.type` of the Messages API, which follows the status.
fn messages_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        _ if status < 500 => "invalid_request_error",
        503 | 529 => "overloaded_error",
        504 => "timeout_error",
        _ => "api_error",
    }
}

/// OpenAI's name for the place of a fault: `body.stop[1]` is `stop[1]`; a missing member is named by its own
/// name.
fn param_of(fault: &SchemaFault) -> Option<String> {
    let missing =
        || fault.message.strip_prefix("expected required property ")?.strip_suffix(" to be present");
    fault.location.strip_prefix("body.").or_else(missing).map(str::to_owned)
}

fn to_json(body: &impl Serialize) -> Bytes {
    // Strings, numbers and checked raw JSON cannot fail to serialise.
    serde_json::to_vec(body).unwrap_or_default().into()
}

// The members below stand in the order in which they are sent.

#[derive(Serialize)]
struct Dual<'a> {
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault<'a>>,
    error: ErrorObject<'a>,
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: ErrorType,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

#[derive(Serialize)]
struct Fault<'a> {
    location: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
}

impl<'a> From<&'a SchemaFault> for Fault<'a> {
    fn from(fault: &'a SchemaFault) -> Self {
        let value = fault.value.as_deref().and_then(|json| serde_json::from_str(json).ok());
        Self { location: &fault.location, message: &fault.message, value }
    }
}

#[derive(Serialize)]
struct StreamError<'a> {
    error: ErrorObject<'a>,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

#[derive(Serialize)]
struct ResponsesError<'a> {
    #[serde(rename = "type")]
    form: &'static str,
    code: Option<&'a str>,
    message: &'a str,
    param: Option<&'a str>,
    error: ErrorObject<'a>,
}

#[derive(Serialize)]
struct Messages<'a> {
    #[serde(rename = "type")]
    form: &'static str,
    error: MessagesError<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct MessagesError<'a> {
    #[serde(rename = "type")]
    form: &'static str,
    message: &'a str,
}

#[cfg(test)]
#[path = "problem_tests.rs"]
mod tests;
