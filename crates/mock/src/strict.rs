//! The members that OpenAI's endpoints know, and what is refused besides: how a member of another dialect that
//! slipped through a translation is noticed.

use serde_json::{Map, Value};

use crate::door::House;
use crate::refusal::Refusal;

/// A model that is judged as strictly at every door.
const STRICT_MODEL: &str = "mock-strict";

/// How much of what it does not know a provider takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rigour {
    /// All of it.
    None,
    /// What vendors are known to add.
    Vendors,
    /// Nothing.
    Full,
}

impl Rigour {
    /// The rigour of a provider towards a body.
    pub(crate) fn of(house: House, body: &Map<String, Value>) -> Self {
        match house {
            House::Strict | House::AzureV1 | House::AzureDeployment => Self::Full,
            _ if body.get("model").is_some_and(|model| model == STRICT_MODEL) => Self::Full,
            House::ChatOnly => Self::Vendors,
            House::Open | House::Anthropic => Self::None,
        }
    }
}

/// What compatible servers take beside OpenAI's members.
const VENDORS: [&str; 20] = [
    "add_generation_prompt",
    "cache_control",
    "chat_template_kwargs",
    "guided_json",
    "guided_regex",
    "ignore_eos",
    "include_reasoning",
    "include_stop_str_in_output",
    "length_penalty",
    "min_p",
    "min_tokens",
    "priority",
    "provider",
    "reasoning",
    "repetition_penalty",
    "return_tokens_as_token_ids",
    "skip_special_tokens",
    "stop_token_ids",
    "structured_outputs",
    "top_k",
];

/// What chat completions take.
pub(crate) const CHAT: [&str; 38] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
    "data_sources",
];

/// What completions take.
pub(crate) const COMPLETIONS: [&str; 18] = [
    "best_of",
    "echo",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "model",
    "n",
    "presence_penalty",
    "prompt",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "suffix",
    "temperature",
    "top_p",
    "user",
];

/// What responses take.
pub(crate) const RESPONSES: [&str; 33] = [
    "background",
    "context_management",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "moderation",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    "verbosity",
    "access_programs",
];

/// Looks for members that are not known.
///
/// # Errors
/// With the first of them.
pub(crate) fn members(house: House, body: &[u8], known: &[&str]) -> Result<(), Refusal> {
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else { return Ok(()) };
    only(Rigour::of(house, &body), &body, known, "")
}

/// Looks for unknown members of an object that stands at a place, which ends in a dot where it is not the top.
///
/// # Errors
/// With the first of them.
pub(crate) fn only(
    rigour: Rigour,
    object: &Map<String, Value>,
    known: &[&str],
    place: &str,
) -> Result<(), Refusal> {
    let takes = |name: &str| match rigour {
        Rigour::None => true,
        Rigour::Vendors => known.contains(&name) || VENDORS.contains(&name),
        Rigour::Full => known.contains(&name),
    };
    match object.keys().find(|name| !takes(name)) {
        Some(name) => Err(Refusal::unknown(&format!("{place}{name}"))),
        None => Ok(()),
    }
}
