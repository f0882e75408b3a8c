//! What the cache would do: which settings hold and whose they are, whether the request is eligible, and what
//! its key is made of.

use super::{Run, Unexplained};
use crate::{
    cache::{
        key::{self, Draft, Scope},
        policy::{Bypass, Policy, Wishes},
    },
    facts::{Call, Plan},
};
use http::{HeaderMap, request::Parts};
use serde::Serialize;
use sluice_config::model::{Cache, CacheMode, CacheOverride, CacheScope};
use sluice_protocol::{Obstacle, digest};

/// What the cache would do.
#[derive(Debug, Serialize)]
pub struct CacheFacts {
    /// Is there a `cache` section?
    pub(super) configured: bool,
    /// May the answer be a stored one, and be stored? Open without a body.
    pub(super) eligible: Option<bool>,
    /// The word for why not, as in `x-sluice-cache`.
    pub(super) reason: Option<&'static str>,
    /// The same, for people.
    pub(super) because: Option<&'static str>,
    pub(super) settings: Vec<CacheSetting>,
    /// What the client's headers want beside it.
    pub(super) wishes: Vec<String>,
    pub(super) key: Option<KeyParts>,
}

/// One setting in force.
#[derive(Debug, Serialize)]
pub(super) struct CacheSetting {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// `key`, `model`, `cache` or the name of a header.
    pub(super) from: &'static str,
}

/// What a cache key is made of, in its order.
#[derive(Debug, Serialize)]
pub struct KeyParts {
    /// The key itself.
    pub(super) key: String,
    pub(super) format: &'static str,
    pub(super) scope: String,
    pub(super) namespace: String,
    pub(super) endpoint: &'static str,
    pub(super) target: String,
    /// Headers that count, with their values.
    pub(super) headers: Vec<String>,
    /// Digest of the body.
    pub(super) body: String,
    /// Members of the body that do not count.
    pub(super) left_out: Vec<String>,
}

/// What the stages have decided: the key's draft where the request is eligible, else why it is not; the plan.
pub(super) type Decided = (Option<Draft>, Option<Bypass>, Plan);

impl Run<'_> {
    pub(super) fn caching(
        &self,
        head: &Parts,
        call: Option<&Call>,
        decided: Option<&Decided>,
    ) -> Result<CacheFacts, Unexplained> {
        let wishes = Wishes::read(&head.headers)?;
        let setup = self.snapshot.cache.as_ref();
        let (own_key, own_model) = (self.key.cache.as_ref(), self.entry.cache.as_ref());
        let policy = setup.map(|setup| Policy::of(&setup.common, own_model, own_key));
        let settings = match (setup, &policy) {
            (Some(setup), Some(policy)) => settings(&setup.common, policy, own_model, own_key, &wishes),
            _ => Vec::new(),
        };
        let bypass = decided.and_then(|(_, bypass, _)| *bypass);
        let parts = match (call, decided, &policy) {
            (Some(call), Some((Some(draft), _, plan)), Some(policy)) => {
                self.parts(draft, plan, policy, &wishes, &head.headers, call)
            }
            _ => None,
        };
        Ok(CacheFacts {
            configured: setup.is_some(),
            eligible: decided.map(|(draft, ..)| draft.is_some()),
            reason: bypass.map(Bypass::as_str),
            because: bypass.map(|why| because(why, setup.is_some())),
            settings,
            wishes: spelled(&wishes),
            key: parts,
        })
    }

    fn parts(
        &self,
        draft: &Draft,
        plan: &Plan,
        policy: &Policy,
        wishes: &Wishes,
        headers: &HeaderMap,
        call: &Call,
    ) -> Option<KeyParts> {
        let first = plan.choices.first()?;
        let scope = match policy.scope {
            CacheScope::Key => Scope::Key { tenant: &self.key.tenant, key: &self.key.name },
            CacheScope::Tenant => Scope::Tenant(&self.key.tenant),
            CacheScope::Global => Scope::Global,
        };
        let counted = key::COUNTED.into_iter().flat_map(|name| {
            let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            headers.get_all(&name).iter().map(move |value| format!("{name}: {}", text(value)))
        });
        Some(KeyParts {
            key: draft.key(&first.target.provider.name, &first.model).to_string(),
            format: key::FORMAT,
            scope: scope.to_string(),
            namespace: wishes.namespace.clone(),
            endpoint: key::kind(call.envelope.dialect()),
            target: format!("{} / {}", first.target.provider.name, first.model),
            headers: counted.collect(),
            body: draft.body_digest(),
            left_out: digest::left_out(&call.envelope),
        })
    }
}

/// The settings in force, each with whose word it is.
fn settings(
    common: &Cache,
    policy: &Policy,
    model: Option<&CacheOverride>,
    key: Option<&CacheOverride>,
    wishes: &Wishes,
) -> Vec<CacheSetting> {
    let whose = |says: fn(&CacheOverride) -> bool| match (key.is_some_and(says), model.is_some_and(says)) {
        (true, _) => "key",
        (_, true) => "model",
        _ => "cache",
    };
    // What either of them has disabled is disabled, whatever the other one says.
    let disables = |own: &CacheOverride| own.mode == Some(CacheMode::Disabled);
    let mode_from = match policy.mode {
        CacheMode::Disabled if key.is_some_and(disables) || model.is_some_and(disables) => whose(disables),
        _ => whose(|own| own.mode.is_some()),
    };
    let (ttl, ttl_from) = match wishes.ttl {
        Some(ttl) => (ttl, "x-sluice-cache-ttl"),
        None => (policy.ttl, whose(|own| own.ttl.is_some())),
    };
    let setting = |name, value: &str, from| CacheSetting { name, value: value.to_owned(), from };
    vec![
        setting("mode", policy.mode.name(), mode_from),
        setting("ttl", &format!("{}s", ttl.as_secs_f64()), ttl_from),
        setting("scope", policy.scope.name(), whose(|own| own.scope.is_some())),
        setting("allow_force", &policy.allow_force.to_string(), whose(|own| own.allow_force.is_some())),
        setting("coalesce", &common.coalesce.to_string(), "cache"),
        setting("max_entry", &format!("{}B", common.max_entry.0), "cache"),
    ]
}

fn spelled(wishes: &Wishes) -> Vec<String> {
    let mut spelled = Vec::new();
    if wishes.refresh {
        spelled.push("a new answer, which is stored".to_owned());
    }
    if wishes.only_if_cached {
        spelled.push("a stored answer or none: 504 when there is none".to_owned());
    }
    if let Some(age) = wishes.max_age {
        spelled.push(format!("no answer older than {} s", age.as_secs()));
    }
    spelled
}

/// What stands behind the word, and the way out where there is one.
const fn because(why: Bypass, configured: bool) -> &'static str {
    match why {
        Bypass::Disabled if !configured => "there is no `cache` section",
        Bypass::Disabled => "mode disabled",
        Bypass::NoSeed => {
            "nothing in the request says that it is repeatable: an integer `seed` does; so does temperature 0 with \
             mode deterministic; with mode all nothing needs to"
        }
        Bypass::ForceNotAllowed => "the client wants to force it, and allow_force is false",
        Bypass::NoStore => "the client sends Cache-Control: no-store",
        Bypass::Off => "the client sends x-sluice-cache: off",
        Bypass::Obstacle(Obstacle::SeveralSamples) => "several answers are asked for, and no seed says which",
        Bypass::Obstacle(Obstacle::HostedTools) => {
            "it uses tools that run at the upstream, whose results change"
        }
        Bypass::Obstacle(Obstacle::Audio) => "it asks for audio",
        Bypass::Obstacle(Obstacle::Store) => "it asks the upstream to store something",
        Bypass::Obstacle(Obstacle::Stateful) => {
            "it builds on what the upstream keeps, or leaves something there: the Responses API does unless `store` \
             is false"
        }
        Bypass::Obstacle(Obstacle::Count) => "it asks for the length of a prompt, not for an answer",
    }
}
