//! What completions and chat share: the request's members, the usage, the finish reasons, the broken stream's
//! event.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::{Ask, Finish, Usage};
use crate::input::{Content, Stops, Tool, integer};

/// The members of a completions or chat request that the mock looks at, in one pass over the body.
#[derive(Debug, Deserialize)]
pub(crate) struct Request<'a> {
    /// Some paths name it instead.
    #[serde(borrow, default)]
    pub(crate) model: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) prompt: Option<PromptInput<'a>>,
    #[serde(borrow, default)]
    pub(crate) messages: Option<Vec<Message<'a>>>,
    #[serde(default)]
    pub(crate) tools: Option<Vec<Tool>>,
    #[serde(default)]
    pub(crate) tool_choice: Value,
    #[serde(default)]
    pub(crate) parallel_tool_calls: Option<bool>,
    #[serde(default)]
    pub(crate) response_format: Value,
    /// A yes or no with chat, the number of alternatives with completions.
    #[serde(default)]
    logprobs: Value,
    #[serde(default)]
    top_logprobs: Option<u64>,
    #[serde(default, deserialize_with = "integer")]
    seed: Option<i64>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default, deserialize_with = "integer")]
    max_tokens: Option<i64>,
    #[serde(default, deserialize_with = "integer")]
    max_completion_tokens: Option<i64>,
    #[serde(default, deserialize_with = "integer")]
    n: Option<i64>,
    #[serde(default)]
    stop: Stops,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
}

/// `prompt`: a text or tokens, or a list of either.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum PromptInput<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Texts(Vec<String>),
    Tokens(Vec<u64>),
    TokenLists(Vec<Vec<u64>>),
}

/// One message of a conversation.
#[derive(Debug, Deserialize)]
pub(crate) struct Message<'a> {
    #[serde(borrow, default)]
    pub(crate) role: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) content: Option<Content<'a>>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

impl Request<'_> {
    /// Whether the stream's usage is wanted.
    pub(crate) fn include_usage(&self) -> bool {
        self.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or(false)
    }

    /// How many alternatives are wanted beside each piece's own likelihood; nothing if not even that is.
    pub(crate) fn logprobs(&self) -> Option<u64> {
        match &self.logprobs {
            Value::Bool(true) => Some(self.top_logprobs.unwrap_or(0)),
            number => number.as_u64(),
        }
    }

    /// The settings that both endpoints take; prompts and wish are theirs to fill in.
    pub(crate) fn ask(self) -> Ask {
        Ask {
            model: self.model.into_owned(),
            seed: self.seed,
            temperature: self.temperature,
            // Synonyms; the larger counts, as in the gateway.
            max_tokens: self.max_tokens.max(self.max_completion_tokens),
            stop: self.stop.0,
            n: self.n,
            stream: self.stream.unwrap_or(false),
            ..Ask::default()
        }
    }
}

/// `usage` as completions and chat write it.
#[derive(Debug, Serialize)]
pub(crate) struct UsageBody {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Debug, Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    audio_tokens: u64,
}

#[derive(Debug, Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
    audio_tokens: u64,
}

impl From<Usage> for UsageBody {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt,
            completion_tokens: usage.completion,
            total_tokens: usage.prompt + usage.completion,
            prompt_tokens_details: PromptDetails { cached_tokens: usage.cache_read, audio_tokens: 0 },
            completion_tokens_details: CompletionDetails {
                reasoning_tokens: usage.reasoning,
                audio_tokens: 0,
            },
        }
    }
}

/// `usage` of a stream's chunk: with `include_usage` OpenAI writes null in all chunks but the last, without it nothing.
pub(crate) type ChunkUsage = Option<Option<UsageBody>>;

/// The finish reason's name.
pub(crate) fn finish_reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::Refusal => "stop",
        Finish::Filter => "content_filter",
        Finish::Length => "length",
        Finish::Call => "tool_calls",
    }
}

/// The event of a stream that broke.
pub(crate) fn failure() -> Value {
    serde_json::json!({ "error": {
        "message": "The server had an error while processing your request. Sorry about that!",
        "type": "server_error", "param": null, "code": null,
    } })
}
