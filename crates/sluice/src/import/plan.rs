//! What is going to be written: our configuration, as far as an import can come to it. Texts are as our file has them.

use super::{deployment::Identity, prices::Cost};
use std::time::Duration;

#[derive(Default)]
pub(super) struct Plan {
    pub(super) max_in_flight: Option<u64>,
    pub(super) max_body_mb: Option<u64>,
    pub(super) redis: Option<Redis>,
    pub(super) providers: Vec<Provider>,
    pub(super) models: Vec<Model>,
    pub(super) cache: Option<Cache>,
    pub(super) attempts: Option<u64>,
    pub(super) circuit: Circuit,
    pub(super) budget: Option<Budget>,
    pub(super) master: Master,
    pub(super) retention_days: Option<u64>,
    pub(super) logs: Logs,
    pub(super) traces: Option<String>,
}

pub(super) struct Redis {
    pub(super) mode: &'static str,
    pub(super) urls: Vec<String>,
    pub(super) master: Option<String>,
    pub(super) key_prefix: Option<String>,
}

pub(super) struct Provider {
    pub(super) name: String,
    pub(super) identity: Identity,
    pub(super) keys: Vec<Key>,
    pub(super) rpm: Option<u64>,
    pub(super) tpm: Option<u64>,
    pub(super) max_concurrency: Option<u64>,
    /// Prices of its models, by the upstream's name.
    pub(super) prices: Vec<(String, Cost)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) weight: u64,
}

pub(super) struct Model {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) strategy: Option<&'static str>,
    pub(super) affinity: bool,
    pub(super) targets: Vec<Target>,
    pub(super) fallbacks: Vec<String>,
    pub(super) strict: bool,
    pub(super) rpm: Option<u64>,
    pub(super) tpm: Option<u64>,
    pub(super) attempts: Option<u64>,
}

impl Model {
    /// One of which nothing is said but where it is.
    pub(super) fn new(name: &str, targets: Vec<Target>) -> Self {
        Self {
            name: name.to_owned(),
            aliases: Vec::new(),
            strategy: None,
            affinity: false,
            targets,
            fallbacks: Vec::new(),
            strict: false,
            rpm: None,
            tpm: None,
            attempts: None,
        }
    }
}

#[derive(Clone)]
pub(super) struct Target {
    /// An index of `providers`.
    pub(super) provider: usize,
    pub(super) model: String,
    pub(super) weight: Option<u64>,
    pub(super) priority: u64,
    pub(super) context_window: Option<u64>,
    pub(super) max_output_tokens: Option<u64>,
    pub(super) completions_only: bool,
    pub(super) lacks: Vec<&'static str>,
    /// LiteLLM's ids of the deployments behind it.
    pub(super) ids: Vec<String>,
}

pub(super) struct Cache {
    pub(super) mode: &'static str,
    pub(super) ttl: Option<Duration>,
    /// Clients ask for it.
    pub(super) on_demand: bool,
    /// In memory although there is Redis.
    pub(super) memory_only: bool,
}

#[derive(Default)]
pub(super) struct Circuit {
    pub(super) failures: Option<u64>,
    pub(super) open_for: Option<Duration>,
}

pub(super) struct Budget {
    pub(super) usd: f64,
    pub(super) per: &'static str,
}

/// LiteLLM's master key, with which its clients may call anything.
#[derive(Default)]
pub(super) enum Master {
    #[default]
    None,
    /// blake3 of the secret.
    Hash(String),
    /// In a variable that is not set here.
    Unknown(String),
}

#[derive(Default)]
pub(super) struct Logs {
    pub(super) debug: bool,
    pub(super) text: bool,
}

/// A duration with the largest unit that keeps it whole.
pub(super) fn duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    let exact = |unit: u128| ms.is_multiple_of(unit);
    match ms {
        _ if !exact(1000) => format!("{ms}ms"),
        _ if exact(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if exact(60_000) && ms >= 120_000 => format!("{}m", ms / 60_000),
        _ => format!("{}s", ms / 1000),
    }
}
