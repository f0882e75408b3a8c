//! What things are called in traces: the one place that knows OpenTelemetry's words.
//!
//! By the GenAI semantic conventions 0.1.0 (their first release apart from the general ones, still in development)
//! and for HTTP, errors and the service by the semantic conventions 1.45. What they have no word for begins with
//! `sluice.`. Tokens and models are told of the tries alone: told of the request, too, whoever adds them up would
//! count them twice.

use crate::telemetry::labels::{AttemptOutcome, EndpointLabel, Outcome};

/// The resource: which process tells.
pub mod service {
    /// Always `sluice`.
    pub const NAME: &str = "service.name";
    /// Version of the release.
    pub const VERSION: &str = "service.version";
    /// Drawn anew by each process.
    pub const INSTANCE: &str = "service.instance.id";
}

/// HTTP, on either side.
pub mod http {
    /// Its method.
    pub const METHOD: &str = "http.request.method";
    /// The path as it is known here: nothing of the client's making.
    pub const ROUTE: &str = "http.route";
    /// The path, where it is the route.
    pub const PATH: &str = "url.path";
    /// Of the listener.
    pub const SCHEME: &str = "url.scheme";
    /// Of the answer's head.
    pub const STATUS: &str = "http.response.status_code";
    /// Who asked.
    pub const CLIENT: &str = "client.address";
    /// Whom a try asked.
    pub const SERVER: &str = "server.address";
    /// See there.
    pub const PORT: &str = "server.port";
    /// A closed word; present on what failed.
    pub const ERROR: &str = "error.type";
}

/// One try at a model.
pub mod gen_ai {
    /// See [`super::operation`].
    pub const OPERATION: &str = "gen_ai.operation.name";
    /// See [`super::provider`].
    pub const PROVIDER: &str = "gen_ai.provider.name";
    /// The upstream's name for the model.
    pub const MODEL: &str = "gen_ai.request.model";
    /// Only told where it is true.
    pub const STREAM: &str = "gen_ai.request.stream";
    /// Why the answer ended, in OpenAI's words.
    pub const FINISH: &str = "gen_ai.response.finish_reasons";
    /// Seconds.
    pub const FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
    /// The whole prompt, with what came from and went into the provider's cache.
    pub const INPUT: &str = "gen_ai.usage.input_tokens";
    /// The whole answer, with its reasoning.
    pub const OUTPUT: &str = "gen_ai.usage.output_tokens";
    /// A part of the prompt.
    pub const CACHE_READ: &str = "gen_ai.usage.cache_read.input_tokens";
    /// A part of the prompt.
    pub const CACHE_WRITE: &str = "gen_ai.usage.cache_write.input_tokens";
    /// A part of the answer.
    pub const REASONING: &str = "gen_ai.usage.reasoning.output_tokens";
}

/// Our own. Values are those of the log line and of the metrics.
pub mod own {
    /// As in the log line and in the answer's `x-request-id`.
    pub const REQUEST: &str = "sluice.request.id";
    /// As in metrics.
    pub const ENDPOINT: &str = "sluice.endpoint";
    /// As in metrics.
    pub const OUTCOME: &str = "sluice.outcome";
    /// More of why, where the log line has it.
    pub const REASON: &str = "sluice.reason";
    /// Whose key.
    pub const TENANT: &str = "sluice.tenant";
    /// The key's name.
    pub const KEY: &str = "sluice.key";
    /// The configured model.
    pub const MODEL: &str = "sluice.model";
    /// The configured provider.
    pub const PROVIDER: &str = "sluice.provider";
    /// Was a stream asked for?
    pub const STREAM: &str = "sluice.stream";
    /// Tries.
    pub const ATTEMPTS: &str = "sluice.attempts";
    /// The whole prompts of all tries.
    pub const INPUT: &str = "sluice.tokens.input";
    /// The answers of all tries.
    pub const OUTPUT: &str = "sluice.tokens.output";
    /// `provider` or `estimated`.
    pub const TOKEN_SOURCE: &str = "sluice.tokens.source";
    /// US dollars.
    pub const COST: &str = "sluice.cost.usd";
    /// Seconds to the first content of a stream.
    pub const FIRST_TOKEN: &str = "sluice.time_to_first_token";
    /// Our own time, seconds.
    pub const OVERHEAD: &str = "sluice.overhead";
    /// Event: the response cache was come to.
    pub const CACHE_EVENT: &str = "sluice.cache";
    /// What came of that.
    pub const CACHE_RESULT: &str = "sluice.cache.result";
    /// Where the answer was.
    pub const CACHE_TIER: &str = "sluice.cache.tier";
    /// Why it was passed by.
    pub const CACHE_REASON: &str = "sluice.cache.reason";
    /// Event: a limit held the request up.
    pub const LIMIT_EVENT: &str = "sluice.limit";
    /// `queued` or `limited`.
    pub const LIMIT_DECISION: &str = "sluice.limit.decision";
    /// Which limit, where it refused.
    pub const LIMIT: &str = "sluice.limit.name";
    /// Seconds in the line.
    pub const LIMIT_WAIT: &str = "sluice.limit.wait";
}

/// `gen_ai.operation.name`; the conventions have no word for a count of tokens, nor for what is no call.
#[must_use]
pub const fn operation(endpoint: EndpointLabel) -> &'static str {
    match endpoint {
        EndpointLabel::Completions => "text_completion",
        EndpointLabel::Chat | EndpointLabel::Responses | EndpointLabel::Messages => "chat",
        EndpointLabel::Embeddings => "embeddings",
        EndpointLabel::CountTokens => "count_tokens",
        EndpointLabel::Models | EndpointLabel::Other => "other",
    }
}

/// `gen_ai.provider.name` of a kind of provider; where the conventions know no such house, the kind itself.
#[must_use]
pub fn provider(kind: &'static str) -> &'static str {
    match kind {
        "azure" => "azure.ai.openai",
        "mistral" => "mistral_ai",
        "xai" => "x_ai",
        "gemini" => "gcp.gemini",
        same => same,
    }
}

/// Is a request that ended so one that failed? What the client did wrong, or left, is no failure of a server's.
#[must_use]
pub const fn failed(outcome: Outcome) -> bool {
    match outcome {
        Outcome::UpstreamError | Outcome::Timeout | Outcome::GatewayError | Outcome::Drain => true,
        Outcome::Ok | Outcome::ClientError | Outcome::Limited | Outcome::Cancelled => false,
    }
}

/// Is a try that ended so one that failed? The client's own mistake is: a caller's side of HTTP counts each 4xx.
#[must_use]
pub const fn try_failed(outcome: AttemptOutcome) -> bool {
    !matches!(outcome, AttemptOutcome::Ok | AttemptOutcome::Cancelled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_protocol::provider::PRESETS;

    #[test]
    fn the_kinds_that_the_conventions_know_have_their_words() {
        let known = ["openai", "anthropic", "azure.ai.openai", "groq", "mistral_ai", "deepseek", "x_ai"];
        let known = known.into_iter().chain(["perplexity", "gcp.gemini"]);
        let ours: Vec<_> = PRESETS.iter().map(|preset| provider(preset.id)).collect();
        for word in known {
            assert!(ours.contains(&word), "no kind is called {word}");
        }
    }
}
