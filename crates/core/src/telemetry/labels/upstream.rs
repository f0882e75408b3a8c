//! Labels of upstreams, tries at them and streams from them.

use super::labels;

labels! {
    /// How one try at an upstream ended.
    AttemptOutcome {
        /// A usable answer.
        Ok = "ok",
        /// 429.
        RateLimited = "rate_limited",
        /// 5xx.
        ServerError = "server_error",
        /// No head, no byte or no progress in time.
        Timeout = "timeout",
        /// DNS, TCP, TLS, or a connection that died without a byte.
        ConnectError = "connect_error",
        /// Framing, size, redirect, JSON or event that cannot be passed on.
        BadResponse = "bad_response",
        /// 401, 402 or 403: our credential.
        AuthError = "auth_error",
        /// Another 4xx: the request itself.
        ClientError = "client_error",
        /// The client left while we waited.
        Cancelled = "cancelled",
    }
}

labels! {
    /// How a stream ended.
    StreamEnd {
        /// With its terminal event, or with every choice finished.
        Done = "done",
        /// The client left.
        ClientDisconnect = "client_disconnect",
        /// The upstream ended it too early.
        UpstreamEof = "upstream_eof",
        /// The upstream sent an error, or something that is no event.
        UpstreamError = "upstream_error",
        /// Silence for too long, or too long as a whole.
        IdleTimeout = "idle_timeout",
        /// Cut by the end of the drain.
        Drain = "drain",
    }
}

labels! {
    /// Kinds of tokens; disjoint, so that sums are safe.
    TokenType {
        /// Prompt tokens that no cache knew.
        Input = "input",
        /// Answer tokens.
        Output = "output",
        /// Prompt tokens read from the provider's cache.
        CacheRead = "cache_read",
        /// Prompt tokens written to the provider's cache.
        CacheWrite = "cache_write",
    }
}

labels! {
    /// What became of the wish to ask a provider again.
    RetryResult {
        /// The retry budget had no room.
        Refused = "refused",
        /// It was asked again.
        Made = "made",
    }
}

labels! {
    /// How a second request beside a slow first one ended.
    HedgeResult {
        /// It answered first.
        Won = "won",
        /// The first one answered first.
        Lost = "lost",
        /// Neither answered.
        Failed = "failed",
    }
}

labels! {
    /// What became of a stream that broke and was gone on with.
    ResumeResult {
        /// It came to its end.
        Ok = "ok",
        /// The other target answered something else.
        Diverged = "diverged",
        /// No other target answered.
        Failed = "failed",
    }
}

labels! {
    /// What an upstream connection does.
    ConnectionState {
        /// It carries at least one request.
        Active = "active",
        /// It waits for the next one.
        Idle = "idle",
    }
}
