//! Labels of requests as their clients see them, and of our own work on them.

use super::labels;

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

impl EndpointLabel {
    /// Can its answers be streams?
    #[must_use]
    pub const fn streams(self) -> bool {
        matches!(self, Self::Completions | Self::Chat | Self::Responses | Self::Messages)
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
    /// What a request's own time goes to. Each stage that a request came to is observed once, with the sum of its
    /// parts. What is not our work is left out: the wait for the body, for room in a line, for another request's
    /// answer, and for upstreams. Of answers only the whole is measured (`overhead_seconds`): their bytes are looked
    /// at while they pass, and two readings of the clock for each event would cost more than the event.
    Stage {
        /// From the head to a caller: path, method, host and key.
        Auth = "auth",
        /// Room in flight, and limits, of requests that they let go on; with the time that Redis takes to answer for
        /// shared ones.
        Limit = "limit",
        /// May the answer be a stored one, its key, and the look-up in memory. How long Redis takes has a family of its
        /// own.
        Cache = "cache",
        /// The model, and the targets in the order in which they are asked.
        Route = "route",
        /// The upstream's request from the client's, summed over tries.
        Encode = "encode",
        /// The client's body, from its last byte: JSON, schema, what it asks for, how many tokens its prompt has.
        Decode = "decode",
    }
}

labels! {
    /// Labels whose values come from the configuration and are capped.
    CappedLabel {
        /// Models.
        Model = "model",
        /// Providers.
        Provider = "provider",
        /// What a provider calls a model.
        UpstreamModel = "upstream_model",
        /// Tenants.
        Tenant = "tenant",
        /// Client keys.
        Key = "key",
    }
}
