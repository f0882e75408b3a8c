//! What LiteLLM calls a provider, and what it is here.

/// How an upstream is addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// OpenAI itself; at another address whatever speaks its format.
    OpenAi,
    /// By deployment.
    Azure,
    /// Its own address is known here.
    Hosted,
    /// A server of one's own that LiteLLM is given the bare address of: `/v1` is not part of it.
    Bare,
    /// A server of one's own whose address is given with its version.
    Own,
}

/// A prefix of `litellm_params.model` that can be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// LiteLLM's name.
    pub(super) theirs: &'static str,
    /// What `kind:` says.
    pub(super) ours: &'static str,
    pub(super) style: Style,
    /// The address, where our kind does not know it.
    pub(super) base_url: Option<&'static str>,
    /// The variable that LiteLLM reads the key from.
    pub(super) key: Option<&'static str>,
    /// The variable that LiteLLM reads the address from.
    pub(super) base: Option<&'static str>,
}

const fn hosted(theirs: &'static str, ours: &'static str, key: &'static str) -> Kind {
    Kind { theirs, ours, style: Style::Hosted, base_url: None, key: Some(key), base: None }
}

const fn own(theirs: &'static str, ours: &'static str, style: Style, base: Option<&'static str>) -> Kind {
    Kind { theirs, ours, style, base_url: None, key: None, base }
}

const fn elsewhere(theirs: &'static str, base_url: &'static str, key: &'static str) -> Kind {
    Kind { base_url: Some(base_url), ..hosted(theirs, "openai_compatible", key) }
}

const KINDS: &[Kind] = &[
    Kind { style: Style::OpenAi, ..hosted("openai", "openai", "OPENAI_API_KEY") },
    Kind { style: Style::OpenAi, ..hosted("text-completion-openai", "openai", "OPENAI_API_KEY") },
    Kind { style: Style::Azure, base: Some("AZURE_API_BASE"), ..hosted("azure", "azure", "AZURE_API_KEY") },
    Kind {
        style: Style::Azure,
        base: Some("AZURE_API_BASE"),
        ..hosted("azure_text", "azure", "AZURE_API_KEY")
    },
    hosted("anthropic", "anthropic", "ANTHROPIC_API_KEY"),
    hosted("gemini", "gemini", "GEMINI_API_KEY"),
    hosted("groq", "groq", "GROQ_API_KEY"),
    hosted("mistral", "mistral", "MISTRAL_API_KEY"),
    hosted("deepseek", "deepseek", "DEEPSEEK_API_KEY"),
    hosted("together_ai", "together", "TOGETHERAI_API_KEY"),
    hosted("fireworks_ai", "fireworks", "FIREWORKS_API_KEY"),
    hosted("openrouter", "openrouter", "OPENROUTER_API_KEY"),
    hosted("xai", "xai", "XAI_API_KEY"),
    hosted("cerebras", "cerebras", "CEREBRAS_API_KEY"),
    hosted("nvidia_nim", "nvidia", "NVIDIA_NIM_API_KEY"),
    hosted("perplexity", "perplexity", "PERPLEXITYAI_API_KEY"),
    elsewhere("deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
    elsewhere("sambanova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
    own("hosted_vllm", "vllm", Style::Own, Some("HOSTED_VLLM_API_BASE")),
    own("ollama", "ollama", Style::Bare, Some("OLLAMA_API_BASE")),
    own("ollama_chat", "ollama", Style::Bare, Some("OLLAMA_API_BASE")),
    own("lm_studio", "lmstudio", Style::Own, Some("LM_STUDIO_API_BASE")),
    own("llamafile", "llamacpp", Style::Own, None),
    own("xinference", "openai_compatible", Style::Own, Some("XINFERENCE_API_BASE")),
    own("litellm_proxy", "openai_compatible", Style::Own, Some("LITELLM_PROXY_API_BASE")),
    own("openai_like", "openai_compatible", Style::Own, None),
    own("custom_openai", "openai_compatible", Style::Own, None),
];

/// Why others are not taken over.
const UNSERVED: &[(&str, &str)] = &[
    ("bedrock", "Amazon Bedrock asks for signed requests, which are not spoken here"),
    ("bedrock_converse", "Amazon Bedrock asks for signed requests, which are not spoken here"),
    ("sagemaker", "Amazon SageMaker asks for signed requests, which are not spoken here"),
    ("sagemaker_chat", "Amazon SageMaker asks for signed requests, which are not spoken here"),
    ("vertex_ai", "Vertex AI asks for Google's own credentials; with a GEMINI_API_KEY write `gemini/…`"),
    ("vertex_ai_beta", "Vertex AI asks for Google's own credentials; with a GEMINI_API_KEY write `gemini/…`"),
    ("cohere", "Cohere's own API is not spoken here"),
    ("cohere_chat", "Cohere's own API is not spoken here"),
    (
        "azure_ai",
        "an address of Azure AI Foundry that ends in /openai/v1 can be listed as kind openai_compatible",
    ),
    ("huggingface", "a server that speaks OpenAI's API can be listed as kind openai_compatible"),
    ("vllm", "LiteLLM runs this one in its own process; a vLLM server is `hosted_vllm/…`, here kind vllm"),
];

/// The kind behind a prefix.
pub(super) fn kind(prefix: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.theirs == prefix)
}

/// Why a prefix is not served.
pub(super) fn unserved(prefix: &str) -> &'static str {
    UNSERVED.iter().find(|(name, _)| *name == prefix).map_or(
        "this provider is not known here; one that speaks OpenAI's API is kind openai_compatible",
        |(_, why)| why,
    )
}

/// Is it known by its name as a model of an endpoint that is not served: pictures, sound, moderation?
pub(super) fn is_of_other_endpoint(model: &str) -> bool {
    const STARTS: &[&str] = &[
        "dall-e",
        "gpt-image",
        "whisper",
        "tts-",
        "sora",
        "omni-moderation",
        "text-moderation",
        "gpt-realtime",
    ];
    const ENDS: &[&str] = &["-transcribe", "-tts"];
    STARTS.iter().any(|start| model.starts_with(start)) || ENDS.iter().any(|end| model.ends_with(end))
}

/// The provider of a model that is named without one, as LiteLLM finds it.
pub(super) fn of_bare_name(model: &str) -> Option<&'static Kind> {
    const OPENAI: &[&str] =
        &["gpt-", "chatgpt-", "o1", "o3", "o4", "text-embedding-", "ft:gpt-", "davinci-002", "babbage-002"];
    if model == "*" || OPENAI.iter().any(|start| model.starts_with(start)) {
        return kind(if model.contains("-instruct") { "text-completion-openai" } else { "openai" });
    }
    if model.starts_with("claude-") { kind("anthropic") } else { None }
}

/// Values that stand for a key where an upstream wants none.
pub(super) fn is_no_key(key: &str) -> bool {
    const NONE: &[&str] = &[
        "",
        "none",
        "null",
        "empty",
        "dummy",
        "fake",
        "fake-key",
        "fake-api-key",
        "anything",
        "na",
        "n/a",
        "no-key",
        "not-needed",
        "unused",
        "ollama",
        "lm-studio",
    ];
    NONE.contains(&key.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_protocol::provider::preset;

    #[test]
    fn every_kind_is_one_of_ours() {
        assert!(KINDS.iter().all(|kind| preset(kind.ours).is_some()));
    }

    #[test]
    fn bare_names_find_their_provider() {
        let theirs = |model| of_bare_name(model).map(|kind| kind.theirs);
        assert_eq!(theirs("gpt-4o"), Some("openai"));
        assert_eq!(theirs("gpt-3.5-turbo-instruct"), Some("text-completion-openai"));
        assert_eq!(theirs("claude-sonnet-4-5"), Some("anthropic"));
        assert_eq!(theirs("command-r"), None);
    }
}
