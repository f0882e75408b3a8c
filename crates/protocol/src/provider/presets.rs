//! The table of well-known upstreams: what `kind:` may say, and what follows from it.

use super::ProviderKind;

/// One well-known upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// What `kind:` says.
    pub id: &'static str,
    /// Its wire format.
    pub kind: ProviderKind,
    /// Its address; `None` where every installation has its own.
    pub base_url: Option<&'static str>,
    /// The environment variable that its own tools read the key from.
    pub key_env: Option<&'static str>,
    /// It runs on this machine: plain HTTP to a loopback address, no key.
    pub local: bool,
    /// Members that it refuses, in the notation of `drop_fields`.
    pub drop_fields: &'static [&'static str],
    /// It takes `stream_options.include_usage`.
    pub stream_usage: bool,
}

impl Preset {
    /// Whether an address is the upstream's own. What is known of its prices and keys holds there alone: elsewhere
    /// the same wire format is somebody else's.
    #[must_use]
    pub fn is_home(&self, base_url: &str) -> bool {
        self.base_url == Some(base_url)
    }
}

/// All presets, in the order in which they are shown.
pub const PRESETS: &[Preset] = &[
    Preset {
        kind: ProviderKind::OpenAi,
        drop_fields: OPENAI_REFUSES,
        ..hosted("openai", "https://api.openai.com/v1", "OPENAI_API_KEY")
    },
    Preset { base_url: None, key_env: None, ..hosted("openai_compatible", "", "") },
    Preset {
        kind: ProviderKind::Anthropic,
        ..hosted("anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY")
    },
    Preset {
        kind: ProviderKind::Azure,
        base_url: None,
        drop_fields: OPENAI_REFUSES,
        ..hosted("azure", "", "AZURE_OPENAI_API_KEY")
    },
    hosted("poolside", "https://inference.poolside.ai/v1", "POOLSIDE_API_KEY"),
    hosted("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    Preset {
        // Mistral answers 422 to `stream_options`, and sends usage with the last chunk unasked.
        drop_fields: &["stream_options"],
        stream_usage: false,
        ..hosted("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY")
    },
    hosted("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    hosted("together", "https://api.together.ai/v1", "TOGETHER_API_KEY"),
    hosted("fireworks", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    hosted("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    hosted("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
    hosted("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    hosted("nvidia", "https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY"),
    Preset {
        // Perplexity has no version segment, and sends usage with every chunk unasked.
        stream_usage: false,
        ..hosted("perplexity", "https://api.perplexity.ai", "PERPLEXITY_API_KEY")
    },
    hosted("gemini", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
    local("vllm", "http://127.0.0.1:8000/v1"),
    local("sglang", "http://127.0.0.1:30000/v1"),
    local("llamacpp", "http://127.0.0.1:8080/v1"),
    local("ollama", "http://127.0.0.1:11434/v1"),
    local("lmstudio", "http://127.0.0.1:1234/v1"),
];

/// OpenAI answers 400 to members that it does not know.
const OPENAI_REFUSES: &[&str] = &["cache_control", "**.cache_control"];

/// The preset that `kind: <id>` names.
#[must_use]
pub fn preset(id: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.id == id)
}

const fn hosted(id: &'static str, base_url: &'static str, key_env: &'static str) -> Preset {
    Preset {
        id,
        kind: ProviderKind::OpenAiCompatible,
        base_url: Some(base_url),
        key_env: Some(key_env),
        local: false,
        drop_fields: &[],
        stream_usage: true,
    }
}

const fn local(id: &'static str, base_url: &'static str) -> Preset {
    Preset { key_env: None, local: true, ..hosted(id, base_url, "") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::DropFields;
    use std::collections::BTreeSet;

    #[test]
    fn every_preset_has_an_id_of_its_own_and_is_found_by_it() {
        let ids: BTreeSet<_> = PRESETS.iter().map(|preset| preset.id).collect();
        assert_eq!(ids.len(), PRESETS.len());
        assert!(PRESETS.iter().all(|known| preset(known.id) == Some(known)));
        assert_eq!(preset("openia"), None);
    }

    #[test]
    fn addresses_are_ready_to_have_a_path_appended() {
        for preset in PRESETS {
            let Some(url) = preset.base_url else { continue };
            assert!(!url.ends_with('/'), "{url}");
            assert_eq!(url.starts_with("http://127.0.0.1:"), preset.local, "{url}");
            assert_eq!(url.starts_with("https://"), !preset.local, "{url}");
        }
    }

    #[test]
    fn only_an_upstream_with_an_address_has_a_home_and_only_there() {
        let openai = preset("openai").expect("known");
        assert!(openai.is_home("https://api.openai.com/v1"));
        assert!(!openai.is_home("https://api.openai.com") && !openai.is_home("https://proxy.example/v1"));
        assert!(!preset("openai_compatible").expect("known").is_home(""));
    }

    #[test]
    fn every_drop_list_can_be_read() {
        for preset in PRESETS {
            let fields: Vec<String> = preset.drop_fields.iter().map(|field| (*field).to_owned()).collect();
            assert!(DropFields::parse(&fields).is_ok(), "{}", preset.id);
        }
    }
}
