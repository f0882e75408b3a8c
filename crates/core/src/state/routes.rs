//! The models that clients may ask for, found by name: exact beats the longest prefix.

use crate::{
    cache::entry::Giver,
    health::{Health, HedgeBudget},
    limits::scope::LimitScope,
    state::{
        handles::{ModelMetrics, TargetMetrics},
        keys::KeyEntry,
        provider::{Known, Provider},
    },
};
use http::{HeaderMap, HeaderValue};
use sluice_config::model::{self, Strategy};
use sluice_protocol::provider::Endpoints;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

/// One configured model.
pub struct ModelEntry {
    /// Configured name; may end in `*`.
    pub name: Arc<str>,
    /// Other names for it.
    pub aliases: Vec<String>,
    /// Where it leads, in the order in which targets are tried: by priority, then as written.
    pub targets: Vec<Arc<Target>>,
    /// The first that holds replaces the targets.
    pub rules: Vec<Rule>,
    /// Other models, whose targets follow.
    pub fallbacks: Vec<String>,
    /// How equal targets share.
    pub strategy: Strategy,
    /// Requests with the same prefix meet the same target.
    pub affinity: bool,
    /// Tokens of prompt and answer together.
    pub context_window: Option<u64>,
    /// Largest answer that may be asked for.
    pub max_output_tokens: Option<u64>,
    /// Tries over all targets.
    pub attempts: u32,
    /// Waits before a target is asked again.
    pub backoff: model::Backoff,
    /// A request of which a target would have to leave something out is not put to it.
    pub strict: bool,
    /// Whether a cut stream is gone on with elsewhere.
    pub resume: model::Resume,
    /// A second request when the first is slow.
    pub hedge: Option<Hedge>,
    /// After this a waiting stream gets its head.
    pub commit_after: Duration,
    /// Silence after which a stream gets a comment.
    pub heartbeat: Duration,
    /// What limits all its callers together.
    pub limits: Option<Arc<LimitScope>>,
    /// Its own word on caching.
    pub cache: Option<model::CacheOverride>,
    /// Resolved metric handles.
    pub metrics: ModelMetrics,
}

impl ModelEntry {
    /// Its own targets and those of its rules.
    pub fn all_targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.targets.iter().chain(self.rules.iter().flat_map(|rule| &rule.targets))
    }
}

/// Other targets for some requests.
pub struct Rule {
    /// Which.
    pub when: model::Condition,
    /// Where they lead.
    pub targets: Vec<Arc<Target>>,
}

impl Rule {
    /// Does it hold for this caller and these headers, whatever its condition says of the body?
    #[must_use]
    pub fn knows(&self, caller: &KeyEntry, headers: &HeaderMap) -> bool {
        let model::Condition { tenant, key, header, .. } = &self.when;
        tenant.as_ref().is_none_or(|tenant| **tenant == *caller.tenant)
            && key.as_ref().is_none_or(|key| **key == *caller.name)
            && header.as_ref().is_none_or(|header| {
                let sent = headers.get_all(&header.name);
                sent.iter().any(|value| value.as_bytes() == header.equals.as_bytes())
            })
    }

    /// Does its condition say anything of the body?
    #[must_use]
    pub fn asks_for_the_body(&self) -> bool {
        let model::Condition { min_input_tokens, stream, tools, .. } = &self.when;
        min_input_tokens.is_some() || stream.is_some() || tools.is_some()
    }
}

/// A second request when the first is slow.
pub struct Hedge {
    /// The share of first bytes that come sooner.
    pub after: f64,
    /// Second requests may be so many of all.
    pub budget: Arc<HedgeBudget>,
}

/// One place that can answer a model.
pub struct Target {
    /// Whom to ask.
    pub provider: Arc<Provider>,
    /// As configured; may hold `*`.
    pub model: Arc<str>,
    /// Share among equal priorities.
    pub weight: u32,
    /// Lower is asked first.
    pub priority: u32,
    /// The model's name as a header, where it does not depend on the request.
    pub model_header: Option<HeaderValue>,
    /// How it fares.
    pub health: Arc<Health>,
    /// What is known of its model, where that does not depend on the request.
    pub known: Option<Known>,
    /// What it has itself, where the operator says so of this target.
    pub endpoints: Option<Endpoints>,
    /// The configured target, for its rule of expanding `*` and for what it can take.
    pub settings: model::Target,
    /// Resolved metric handles.
    pub metrics: TargetMetrics,
}

impl Target {
    /// Is there a key that can be expected to work for it?
    #[must_use]
    pub fn has_key(&self, now: Instant) -> bool {
        let pool = &self.provider.pool;
        if self.is_pattern() { pool.is_ready_for_some(now) } else { pool.is_ready(&self.model, now) }
    }

    /// Who gives an answer of that model, with texts that are there already where they can be.
    #[must_use]
    pub fn giver(&self, model: &Arc<str>) -> Option<Giver> {
        Some(Giver {
            provider: self.provider.name.clone(),
            provider_header: self.provider.header.clone(),
            model_header: self.model_header.clone().or_else(|| HeaderValue::from_str(model).ok())?,
            model: model.clone(),
        })
    }

    /// What is known of a model here.
    #[must_use]
    pub fn family(&self, model: &str) -> Known {
        self.known.clone().unwrap_or_else(|| self.provider.family(model, self.endpoints))
    }

    /// Does the upstream's name depend on the request?
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.model.contains(['*', '{'])
    }

    /// The upstream's name for a model that a client asked for, where `pattern` is the model's own name.
    #[must_use]
    pub fn upstream_model(&self, pattern: &str, requested: &str) -> Arc<str> {
        let name = self.settings.upstream_model(pattern, requested);
        if *name == *self.model { self.model.clone() } else { name.as_ref().into() }
    }
}

/// All models.
#[derive(Default)]
pub struct RouteTable {
    exact: HashMap<String, Arc<ModelEntry>>,
    /// Longest prefix first.
    prefixes: Vec<(String, Arc<ModelEntry>)>,
    /// In the file's order.
    all: Vec<Arc<ModelEntry>>,
}

impl RouteTable {
    /// Adds a model, under its name and its aliases.
    pub fn insert(&mut self, entry: Arc<ModelEntry>) {
        for alias in &entry.aliases {
            self.exact.insert(alias.clone(), entry.clone());
        }
        match entry.name.strip_suffix('*') {
            Some(prefix) => {
                let at = self.prefixes.partition_point(|(own, _)| own.len() >= prefix.len());
                self.prefixes.insert(at, (prefix.to_owned(), entry.clone()));
            }
            None => drop(self.exact.insert(entry.name.to_string(), entry.clone())),
        }
        self.all.push(entry);
    }

    /// Finds the entry of a requested name.
    #[must_use]
    pub fn find(&self, requested: &str) -> Option<&Arc<ModelEntry>> {
        self.exact.get(requested).or_else(|| {
            let fits = |(prefix, _): &&(String, Arc<ModelEntry>)| {
                !requested.is_empty() && requested.starts_with(prefix.as_str())
            };
            self.prefixes.iter().find(fits).map(|(_, entry)| entry)
        })
    }

    /// What requests can come to, each once: targets of models and of their rules, in the file's order.
    #[must_use]
    pub fn targets(&self) -> Vec<&Arc<Target>> {
        let mut seen = HashSet::new();
        let all = self.all.iter().flat_map(|entry| entry.all_targets());
        all.filter(|target| seen.insert(Arc::as_ptr(&target.health))).collect()
    }

    /// All entries, in the file's order.
    #[must_use]
    pub fn all(&self) -> &[Arc<ModelEntry>] {
        &self.all
    }
}
