//! Names of headers that are not in the HTTP crate's own table, made once: a name given as text is parsed and
//! hashed anew on each use.

use http::HeaderName;

/// Declares names.
macro_rules! names {
    ($($(#[$meta:meta])* $name:ident = $text:literal;)+) => {
        $($(#[$meta])* pub const $name: HeaderName = HeaderName::from_static($text);)+
    };
}

names! {
    /// The request's id, the client's or ours.
    REQUEST_ID = "x-request-id";
    /// The client's id under another name.
    CLIENT_REQUEST_ID = "x-client-request-id";
    /// The upstream's id, on our answers.
    UPSTREAM_REQUEST_ID = "x-upstream-request-id";
    /// A credential, as Anthropic's clients send it.
    API_KEY = "x-api-key";
    /// Another spelling of an upstream's id, and of ours for Anthropic's clients.
    ANTHROPIC_REQUEST_ID = "request-id";
    /// An upstream's own time.
    PROCESSING_MS = "openai-processing-ms";
    /// The provider that answered.
    PROVIDER = "x-sluice-provider";
    /// The upstream's name for the model that answered.
    MODEL = "x-sluice-model";
    /// Tries.
    ATTEMPTS = "x-sluice-attempts";
    /// How long the client waits for an answer, milliseconds.
    TIMEOUT = "x-sluice-timeout-ms";
    /// Names a session, whose requests meet the same target.
    SESSION = "x-sluice-session";
    /// What the response cache did; with a value of the client's: what it should do.
    CACHE = "x-sluice-cache";
    /// How long the client wants its answer kept, seconds.
    CACHE_TTL = "x-sluice-cache-ttl";
    /// Keeps a client's answers apart from others of its scope.
    CACHE_NAMESPACE = "x-sluice-cache-namespace";
    /// The same as `x-sluice-cache`, in the words of RFC 9211.
    CACHE_STATUS = "cache-status";
    /// Members that were not forwarded.
    DROPPED = "x-sluice-dropped";
    /// For the request's usage record: `name=value, …`.
    TAGS = "x-sluice-tags";
    /// For whom the proxies on the way have asked.
    FORWARDED_FOR = "x-forwarded-for";
    /// Size of the bucket of requests.
    LIMIT_REQUESTS = "x-ratelimit-limit-requests";
    /// What is left of it.
    REMAINING_REQUESTS = "x-ratelimit-remaining-requests";
    /// Until it is full again.
    RESET_REQUESTS = "x-ratelimit-reset-requests";
    /// Size of the bucket of tokens.
    LIMIT_TOKENS = "x-ratelimit-limit-tokens";
    /// What is left of it.
    REMAINING_TOKENS = "x-ratelimit-remaining-tokens";
    /// Until it is full again.
    RESET_TOKENS = "x-ratelimit-reset-tokens";
    /// Anthropic's spelling of the same.
    ANTHROPIC_LIMIT_REQUESTS = "anthropic-ratelimit-requests-limit";
    /// See there.
    ANTHROPIC_REMAINING_REQUESTS = "anthropic-ratelimit-requests-remaining";
    /// See there; a time.
    ANTHROPIC_RESET_REQUESTS = "anthropic-ratelimit-requests-reset";
    /// See there.
    ANTHROPIC_LIMIT_TOKENS = "anthropic-ratelimit-tokens-limit";
    /// See there.
    ANTHROPIC_REMAINING_TOKENS = "anthropic-ratelimit-tokens-remaining";
    /// See there; a time.
    ANTHROPIC_RESET_TOKENS = "anthropic-ratelimit-tokens-reset";
    /// The IETF's: what limits apply.
    RATE_LIMIT_POLICY = "ratelimit-policy";
    /// The IETF's: what is left of them.
    RATE_LIMIT = "ratelimit";
    /// Whether an SDK should try again by itself.
    SHOULD_RETRY = "x-should-retry";
    /// `Retry-After` in milliseconds.
    RETRY_AFTER_MS = "retry-after-ms";
    /// Tells nginx to pass events on at once.
    ACCEL_BUFFERING = "x-accel-buffering";
    /// W3C trace context.
    TRACEPARENT = "traceparent";
    /// Forwarded: version of the Messages API.
    ANTHROPIC_VERSION = "anthropic-version";
    /// Forwarded: beta features of the Messages API.
    ANTHROPIC_BETA = "anthropic-beta";
    /// Forwarded: beta features of OpenAI's API.
    OPENAI_BETA = "openai-beta";
    /// Forwarded: makes a repeated call the same call.
    IDEMPOTENCY_KEY = "idempotency-key";
}
