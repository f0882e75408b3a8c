//! Every `error.code` that the gateway itself gives, in one table. Codes of upstreams pass beside it.

use super::ErrorType;

/// What a code stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode {
    /// Value of `error.code`.
    pub name: &'static str,
    /// HTTP status it comes with.
    pub status: u16,
    /// `error.type` it comes with.
    pub kind: ErrorType,
    /// One sentence for the person who meets it.
    pub meaning: &'static str,
    /// The code also stands at the body's top level: the contract's schema knows only two.
    pub contract: bool,
}

/// Declares the constants and the table from the same lines, so that neither can lack a code.
macro_rules! table {
    (@contract contract) => { true };
    (@contract) => { false };
    ($($id:ident = $name:literal, $status:literal $kind:ident $($contract:ident)?: $meaning:literal;)*) => {
        $(
            #[doc = concat!("`", $name, "`, status ", stringify!($status), ": ", $meaning)]
            pub const $id: ErrorCode = ErrorCode {
                name: $name,
                status: $status,
                kind: ErrorType::$kind,
                meaning: $meaning,
                contract: table!(@contract $($contract)?),
            };
        )*
        /// All codes, by status.
        pub const ERROR_CODES: &[ErrorCode] = &[$($id),*];
    };
}

table! {
    INVALID_JSON = "invalid_json", 400 InvalidRequest:
        "The body is not JSON that can be read one way only.";
    INVALID_BODY = "invalid_body", 400 InvalidRequest:
        "A member is missing, or has a wrong type or value; `errors` lists them all.";
    INVALID_REQUEST = "invalid_request", 400 InvalidRequest:
        "A header, the path or the query cannot be accepted.";
    UNSUPPORTED_PARAMETER = "unsupported_parameter", 400 InvalidRequest:
        "The chosen upstream cannot do what the body asks for.";
    CONTRACT_MODEL_NOT_FOUND = "model-not-found", 400 InvalidRequest contract:
        "No model of that name, on POST under /openai/v1.";
    CONTRACT_MAX_TOKENS = "max-tokens-exceeded", 400 InvalidRequest contract:
        "More tokens asked for than the model gives, under /openai/v1.";
    CONTEXT_LENGTH_EXCEEDED = "context_length_exceeded", 400 InvalidRequest:
        "More tokens asked for than the model gives.";
    INVALID_API_KEY = "invalid_api_key", 401 Authentication:
        "No key, or none that is accepted here.";
    MODEL_NOT_ALLOWED = "model_not_allowed", 403 Permission:
        "The key may not use this model.";
    HOST_NOT_ALLOWED = "host_not_allowed", 403 Permission:
        "Without keys only requests to a loopback host name are served.";
    NOT_FOUND = "not_found", 404 InvalidRequest:
        "No such path.";
    MODEL_NOT_FOUND = "model_not_found", 404 InvalidRequest:
        "No model of that name.";
    METHOD_NOT_ALLOWED = "method_not_allowed", 405 InvalidRequest:
        "The path exists, the method does not; `Allow` lists those that do.";
    REQUEST_TIMEOUT = "request_timeout", 408 InvalidRequest:
        "The body did not arrive in time.";
    BODY_TOO_LARGE = "body_too_large", 413 InvalidRequest:
        "The body is larger than `listeners.api.max_body`.";
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", 415 InvalidRequest:
        "The body is not sent as plain `application/json`.";
    RATE_LIMIT_EXCEEDED = "rate_limit_exceeded", 429 RateLimit:
        "A limit of requests, tokens or requests in flight is reached, here or upstream.";
    INSUFFICIENT_QUOTA = "insufficient_quota", 429 InsufficientQuota:
        "The budget is spent.";
    INTERNAL_ERROR = "internal_error", 500 Server:
        "A fault of the gateway; the log has it under the request id.";
    UPSTREAM_ERROR = "upstream_error", 502 Server:
        "The upstream could not be reached, failed, or refused our credential.";
    BAD_UPSTREAM_RESPONSE = "bad_upstream_response", 502 Server:
        "The upstream answered with something that is not an answer.";
    OVERLOADED = "overloaded", 503 Server:
        "The gateway or every upstream of the model has no room; try again later.";
    NOT_CACHED = "not_cached", 504 Server:
        "`Cache-Control: only-if-cached`, and no stored answer fits.";
    UPSTREAM_TIMEOUT = "upstream_timeout", 504 Server:
        "The upstream was silent for too long.";
}
