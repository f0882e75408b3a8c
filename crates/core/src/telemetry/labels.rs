//! Every label value that does not come from the configuration, as closed enums.
//!
//! A metric's label is either a configured name or one of these: nothing on the wire can make a new time series.

/// Declares an enum whose variants are label values.
macro_rules! labels {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// All values, for families that start at zero.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The label's text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

labels! {
    /// Which endpoint was asked.
    EndpointLabel {
        /// `…/completions`
        Completions = "completions",
        /// `…/chat/completions`
        Chat = "chat",
        /// `…/embeddings`
        Embeddings = "embeddings",
        /// `…/responses`
        Responses = "responses",
        /// `…/messages`
        Messages = "messages",
        /// `…/messages/count_tokens`
        CountTokens = "count_tokens",
        /// `…/models` and `…/models/{id}`
        Models = "models",
        /// Anything else.
        Other = "other",
    }
}

labels! {
    /// How a client request ended.
    Outcome {
        /// A whole answer.
        Ok = "ok",
        /// The client's fault.
        ClientError = "client_error",
        /// Our own 429.
        Limited = "limited",
        /// The client left.
        Cancelled = "cancelled",
        /// The upstream's fault.
        UpstreamError = "upstream_error",
        /// The upstream took too long.
        Timeout = "timeout",
        /// Our fault.
        GatewayError = "gateway_error",
        /// Cut by the end of the drain.
        Drain = "drain",
    }
}

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
    /// Who made the answer.
    Source {
        /// An upstream.
        Upstream = "upstream",
        /// The response cache, or another request's answer.
        Cache = "cache",
        /// Sluice itself.
        Gateway = "gateway",
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
    /// Why a caller was not let in.
    AuthFailure {
        /// No credential.
        Missing = "missing",
        /// No such key.
        Unknown = "unknown",
        /// The key's time is over.
        Expired = "expired",
        /// The key may not use the model.
        ModelDenied = "model_denied",
    }
}

labels! {
    /// Why a request was refused before any upstream was asked.
    Rejection {
        /// No or no valid key.
        Auth = "auth",
        /// Unknown or forbidden model.
        Model = "model",
        /// Unknown path or method.
        Route = "route",
        /// Host header missing, doubled or foreign.
        Host = "host",
        /// A header of ours that cannot be understood.
        Header = "header",
        /// Content type or encoding.
        MediaType = "media_type",
        /// Body too large.
        Body = "body",
        /// Body framed wrongly.
        Framing = "framing",
        /// Body too slow.
        BodyTimeout = "body_timeout",
        /// Not the JSON that the endpoint takes.
        Json = "json",
        /// More tokens than the model gives.
        MaxTokens = "max_tokens",
        /// A rate limit of ours.
        Limit = "limit",
        /// Only a stored answer was wanted.
        NotCached = "not_cached",
        /// Too many requests in flight.
        Overload = "overload",
    }
}

labels! {
    /// When a client left.
    AbortPhase {
        /// While it sent its body.
        Body = "body",
        /// Before the first byte of the answer.
        Wait = "wait",
        /// In the middle of a stream.
        Stream = "stream",
    }
}

labels! {
    /// What the response cache made of a request.
    CacheResult {
        /// A stored answer was given.
        Hit = "hit",
        /// None was there.
        Miss = "miss",
        /// It was not asked.
        Bypass = "bypass",
        /// The answer of an equal request under way was shared.
        Coalesced = "coalesced",
        /// The second tier could not be asked; to the client it is a miss.
        Error = "error",
    }
}

labels! {
    /// Where stored answers are.
    CacheTier {
        /// In this process.
        Memory = "memory",
        /// Shared by all replicas.
        Redis = "redis",
        /// In neither.
        None = "none",
    }
}

labels! {
    /// Why the response cache was not asked.
    BypassLabel {
        /// Nothing in the request says that it is repeatable.
        NoSeed = "no_seed",
        /// The client's headers said so.
        Header = "header",
        /// Tools that run at the provider.
        Tools = "tools",
        /// No cache is configured, or none for this model or key.
        Disabled = "disabled",
        /// The kind of request, or what the key may ask for.
        Policy = "policy",
    }
}

labels! {
    /// What became of an answer that might be kept.
    StoreResult {
        /// Kept.
        Ok = "ok",
        /// The tier failed.
        Error = "error",
        /// Larger than may be kept.
        TooLarge = "too_large",
        /// Cut, or without its end.
        Incomplete = "incomplete",
        /// Whole, but not to be given again: filtered, refused, empty, or of a fallback.
        Unfit = "unfit",
    }
}

labels! {
    /// Why a stored answer went.
    Eviction {
        /// Room was needed.
        Capacity = "capacity",
        /// Its time was over.
        Ttl = "ttl",
        /// It was purged.
        Invalidated = "invalidated",
    }
}

labels! {
    /// Which limit decided.
    LimitLabel {
        /// None: the request went on.
        None = "none",
        /// Requests in a time.
        Requests = "requests",
        /// Tokens in a time.
        Tokens = "tokens",
        /// Requests in flight, or waiting.
        Concurrency = "concurrency",
        /// Money.
        Budget = "budget",
        /// Our own care for a provider's account.
        Upstream = "upstream",
        /// Shared limits that could not be asked, where nothing may pass then.
        Unavailable = "unavailable",
    }
}

labels! {
    /// What a limit decided.
    Decision {
        /// It went on.
        Allowed = "allowed",
        /// It went on after a wait.
        Queued = "queued",
        /// It was refused.
        Limited = "limited",
    }
}

labels! {
    /// How shared limits were decided without Redis.
    Alone {
        /// By this replica's share.
        Local = "local",
        /// By nobody.
        FailOpen = "fail_open",
        /// Nothing passed.
        FailClosed = "fail_closed",
    }
}

labels! {
    /// Why spans did not come to the collector.
    SpanLoss {
        /// More than could wait.
        QueueFull = "queue_full",
        /// The collector did not want them.
        Refused = "refused",
        /// It did not answer.
        Unreachable = "unreachable",
        /// The process ended first.
        Shutdown = "shutdown",
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

/// One value per variant of a label enum.
pub struct PerLabel<L: 'static, T> {
    values: Vec<(L, T)>,
}

impl<L: Copy + PartialEq, T> PerLabel<L, T> {
    /// Makes the values.
    #[must_use]
    pub fn new(all: &[L], make: impl Fn(L) -> T) -> Self {
        Self { values: all.iter().map(|label| (*label, make(*label))).collect() }
    }

    /// The enums are closed and small: a scan beats a map.
    #[must_use]
    pub fn get(&self, label: L) -> Option<&T> {
        self.values.iter().find(|(own, _)| *own == label).map(|(_, value)| value)
    }
}

/// The label value of whatever is not in the configuration.
pub const OTHER: &str = "_other";
