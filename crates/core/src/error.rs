//! What can go wrong with a request: what, whose fault, what the client is told.
//!
//! One table maps each kind to its code (which has status and type), the request's outcome and the reason in
//! metrics. How a body looks in each dialect is `sluice_protocol::problem`'s business.

use crate::telemetry::labels::{AttemptOutcome, Outcome, Rejection, StreamEnd};
use sluice_protocol::{
    SchemaFault,
    problem::{ErrorCode, codes},
};
use std::{borrow::Cow, time::Duration};

/// A refused or failed request.
#[derive(Debug, Clone)]
pub struct GatewayError {
    /// What happened.
    pub kind: ErrorKind,
    /// For a person; never holds a secret, an address or another caller's data.
    pub message: String,
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
    /// For the log alone: what the client is not told; a closed word.
    pub reason: Option<&'static str>,
    /// What only some errors have.
    pub details: Option<Box<Details>>,
}

/// What only some errors have.
#[derive(Debug, Clone, Default)]
pub struct Details {
    /// Faults of the body, each with its place.
    pub faults: Vec<SchemaFault>,
    /// The member at fault, for the `param` of OpenAI's error object.
    pub param: Option<Cow<'static, str>>,
    /// A code of the upstream's that callers match on, in place of ours.
    pub code: Option<String>,
}

/// What happened to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// No such path.
    RouteUnknown,
    /// The path exists, the method does not; holds the `Allow` header.
    MethodNotAllowed(&'static str),
    /// `Host` missing or doubled, or a target that is no path.
    BadHead,
    /// Without keys only loopback host names are served.
    HostNotAllowed,
    /// No or no valid key.
    Unauthorized,
    /// The key may not use this model.
    ModelForbidden,
    /// A header of ours that cannot be understood.
    BadHeader,
    /// Not `application/json`, or an encoded body.
    MediaType,
    /// The body is larger than allowed.
    TooLarge,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The client left in the middle of the body.
    BodyCut,
    /// The body's framing is broken.
    BodyBroken,
    /// Not JSON that can be read one way only.
    BadJson,
    /// JSON, but not what the endpoint takes.
    BadBody,
    /// No such model.
    ModelUnknown,
    /// More tokens asked for than the model gives.
    MaxTokens,
    /// No target of the model can take what the request holds.
    Unserved,
    /// A rate limit of ours.
    Limited,
    /// A budget of ours is spent.
    Quota,
    /// Limits of ours that cannot be checked, where nothing may pass then.
    LimitsUnknown,
    /// Too many requests in flight.
    Overloaded,
    /// Only a stored answer was wanted, and there is none.
    NotCached,
    /// The process is ending.
    Draining,
    /// The upstream refused the request itself; holds its status.
    UpstreamRefused(u16),
    /// The upstream refused our credential.
    UpstreamAuth,
    /// The upstream's rate limit.
    UpstreamLimited,
    /// The upstream is overloaded or in maintenance.
    UpstreamOverloaded,
    /// The upstream could not be reached, or failed.
    UpstreamFailed,
    /// The upstream sent something that is no answer.
    BadAnswer,
    /// The upstream took too long.
    UpstreamTimeout,
    /// A fault of ours.
    Internal,
}

/// One row of the error table.
pub struct Row {
    /// Status, `error.type` and `error.code`.
    pub code: &'static ErrorCode,
    /// The code on the contract's paths, where it has its own words.
    pub contract: Option<&'static ErrorCode>,
    /// How the request counts.
    pub outcome: Outcome,
    /// Why it was refused, when no upstream was asked.
    pub rejection: Option<Rejection>,
}

impl ErrorKind {
    /// The table: kind → what goes out and what is counted.
    #[must_use]
    pub const fn row(self) -> Row {
        use Outcome::{Cancelled, ClientError, Drain, GatewayError, Limited, Timeout, UpstreamError};
        let (code, outcome, rejection) = match self {
            Self::RouteUnknown => (&codes::NOT_FOUND, ClientError, Some(Rejection::Route)),
            Self::MethodNotAllowed(_) => (&codes::METHOD_NOT_ALLOWED, ClientError, Some(Rejection::Route)),
            Self::BadHead => (&codes::INVALID_REQUEST, ClientError, Some(Rejection::Host)),
            Self::HostNotAllowed => (&codes::HOST_NOT_ALLOWED, ClientError, Some(Rejection::Host)),
            Self::Unauthorized => (&codes::INVALID_API_KEY, ClientError, Some(Rejection::Auth)),
            Self::ModelForbidden => (&codes::MODEL_NOT_ALLOWED, ClientError, Some(Rejection::Model)),
            Self::BadHeader => (&codes::INVALID_REQUEST, ClientError, Some(Rejection::Header)),
            Self::MediaType => (&codes::UNSUPPORTED_MEDIA_TYPE, ClientError, Some(Rejection::MediaType)),
            Self::TooLarge => (&codes::BODY_TOO_LARGE, ClientError, Some(Rejection::Body)),
            Self::BodyTimeout => (&codes::REQUEST_TIMEOUT, ClientError, Some(Rejection::BodyTimeout)),
            Self::BodyCut => (&codes::INVALID_REQUEST, Cancelled, None),
            Self::BodyBroken => (&codes::INVALID_REQUEST, ClientError, Some(Rejection::Framing)),
            Self::BadJson => (&codes::INVALID_JSON, ClientError, Some(Rejection::Json)),
            Self::BadBody => (&codes::INVALID_BODY, ClientError, Some(Rejection::Json)),
            Self::ModelUnknown => (&codes::MODEL_NOT_FOUND, ClientError, Some(Rejection::Model)),
            Self::MaxTokens => (&codes::CONTEXT_LENGTH_EXCEEDED, ClientError, Some(Rejection::MaxTokens)),
            Self::Unserved => (&codes::UNSUPPORTED_PARAMETER, ClientError, Some(Rejection::Model)),
            Self::Limited => (&codes::RATE_LIMIT_EXCEEDED, Limited, Some(Rejection::Limit)),
            Self::Quota => (&codes::INSUFFICIENT_QUOTA, Limited, Some(Rejection::Limit)),
            Self::LimitsUnknown => (&codes::OVERLOADED, GatewayError, Some(Rejection::Limit)),
            Self::Overloaded => (&codes::OVERLOADED, GatewayError, Some(Rejection::Overload)),
            Self::NotCached => (&codes::NOT_CACHED, ClientError, Some(Rejection::NotCached)),
            Self::Draining => (&codes::OVERLOADED, Drain, None),
            // The status and the code are the upstream's; this is for when it named no code.
            Self::UpstreamRefused(_) => (&codes::INVALID_REQUEST, ClientError, None),
            Self::UpstreamLimited => (&codes::RATE_LIMIT_EXCEEDED, UpstreamError, None),
            Self::UpstreamOverloaded => (&codes::OVERLOADED, UpstreamError, None),
            Self::UpstreamAuth | Self::UpstreamFailed => (&codes::UPSTREAM_ERROR, UpstreamError, None),
            Self::BadAnswer => (&codes::BAD_UPSTREAM_RESPONSE, UpstreamError, None),
            Self::UpstreamTimeout => (&codes::UPSTREAM_TIMEOUT, Timeout, None),
            Self::Internal => (&codes::INTERNAL_ERROR, GatewayError, None),
        };
        let contract = match self {
            Self::ModelUnknown => Some(&codes::CONTRACT_MODEL_NOT_FOUND),
            Self::MaxTokens => Some(&codes::CONTRACT_MAX_TOKENS),
            _ => None,
        };
        Row { code, contract, outcome, rejection }
    }

    /// The status in which a plain answer carries it outside the contract's paths.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::UpstreamRefused(status) => status,
            _ => self.row().code.status,
        }
    }
}

impl GatewayError {
    /// An error with its text and nothing more.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None, reason: None, details: None }
    }

    fn details(&mut self) -> &mut Details {
        self.details.get_or_insert_default()
    }

    /// Names the member at fault.
    #[must_use]
    pub fn param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.details().param = Some(param.into());
        self
    }

    /// Says what is wrong with the body, and where.
    #[must_use]
    pub fn faults(mut self, faults: Vec<SchemaFault>) -> Self {
        self.details().faults = faults;
        self
    }

    /// Keeps an upstream's own code.
    #[must_use]
    pub fn code(mut self, code: String) -> Self {
        self.details().code = Some(code);
        self
    }

    /// Says when trying again makes sense.
    #[must_use]
    pub fn retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }
}

/// A stream that broke after it had begun.
#[derive(Debug, Clone)]
pub struct Broken {
    /// What the client is told.
    pub error: GatewayError,
    /// How the request counts.
    pub outcome: Outcome,
    /// How the stream counts.
    pub end: StreamEnd,
    /// How the try counts.
    pub attempt: AttemptOutcome,
}

impl Broken {
    /// A fault of ours.
    #[must_use]
    pub fn fault() -> Self {
        let text = "The gateway failed on this request; the fault is ours.";
        Self {
            error: GatewayError::new(ErrorKind::Internal, text),
            outcome: Outcome::GatewayError,
            end: StreamEnd::UpstreamError,
            attempt: AttemptOutcome::Cancelled,
        }
    }

    /// A reader of a shared stream who fell too far behind the others.
    #[must_use]
    pub fn too_slow() -> Self {
        let text = "The stream is shared with other requests, and this client read too slowly to keep up.";
        Self {
            error: GatewayError::new(ErrorKind::Overloaded, text),
            outcome: Outcome::Cancelled,
            end: StreamEnd::ClientDisconnect,
            attempt: AttemptOutcome::Ok,
        }
    }
}
