//! May this request be answered from the cache, and may its answer be kept?
//!
//! Three voices decide: the operator (mode, by model and by key), the request itself (is it repeatable by its
//! own word, does it want more than an answer) and the client's headers. Every "no" has a reason.

use crate::{
    error::{ErrorKind, GatewayError},
    headers as names,
    telemetry::labels::BypassLabel,
};
use http::{HeaderMap, HeaderName, header};
use sluice_config::model::{Cache, CacheMode, CacheOverride, CacheScope};
use sluice_protocol::{
    Envelope,
    cacheable::{self, Obstacle, Repeatable},
};
use std::time::Duration;

/// Longest life of an answer.
const LONGEST: u64 = 24 * 60 * 60;
/// Longest namespace, bytes.
const LONGEST_NAMESPACE: usize = 128;

/// What holds for one model and one key together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Which requests are looked up and stored.
    pub mode: CacheMode,
    /// How long an answer is kept.
    pub ttl: Duration,
    /// Who may share it.
    pub scope: CacheScope,
    /// May clients say that a request is to be cached although nothing in it is repeatable?
    pub allow_force: bool,
}

impl Policy {
    /// The key's word goes before the model's, and the model's before the common one; but what either of them
    /// has disabled stays disabled.
    #[must_use]
    pub fn of(common: &Cache, model: Option<&CacheOverride>, key: Option<&CacheOverride>) -> Self {
        let (of_model, of_key) = (model.and_then(|own| own.mode), key.and_then(|own| own.mode));
        let disabled = [of_model, of_key].contains(&Some(CacheMode::Disabled));
        Self {
            mode: if disabled { CacheMode::Disabled } else { of_key.or(of_model).unwrap_or(common.mode) },
            ttl: pick(key, model, |own| own.ttl).unwrap_or(common.ttl),
            scope: pick(key, model, |own| own.scope).unwrap_or(common.scope),
            allow_force: pick(key, model, |own| own.allow_force).unwrap_or(common.allow_force),
        }
    }
}

fn pick<T>(
    key: Option<&CacheOverride>,
    model: Option<&CacheOverride>,
    what: impl Fn(&CacheOverride) -> Option<T>,
) -> Option<T> {
    key.and_then(&what).or_else(|| model.and_then(&what))
}

/// Why the cache was passed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bypass {
    /// No cache is configured, or none for this model or key.
    Disabled,
    /// Nothing in the request says that it is repeatable.
    NoSeed,
    /// `x-sluice-cache: force` from a key that may not.
    ForceNotAllowed,
    /// `Cache-Control: no-store`.
    NoStore,
    /// `x-sluice-cache: off`.
    Off,
    /// The request itself speaks against it.
    Obstacle(Obstacle),
}

impl Bypass {
    /// The word in headers and log lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::NoSeed => "no-seed",
            Self::ForceNotAllowed => "force-not-allowed",
            Self::NoStore => "no-store",
            Self::Off => "off",
            Self::Obstacle(obstacle) => obstacle.as_str(),
        }
    }

    /// The word in metrics, where several share one.
    #[must_use]
    pub const fn label(self) -> BypassLabel {
        match self {
            Self::Disabled => BypassLabel::Disabled,
            Self::NoSeed => BypassLabel::NoSeed,
            Self::NoStore | Self::Off => BypassLabel::Header,
            Self::Obstacle(Obstacle::HostedTools) => BypassLabel::Tools,
            Self::ForceNotAllowed | Self::Obstacle(_) => BypassLabel::Policy,
        }
    }
}

/// What the client's headers ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Neither looked up nor stored, and why.
    refuse: Option<Bypass>,
    /// Not looked up; the new answer is stored.
    pub refresh: bool,
    /// Only a stored answer will do.
    pub only_if_cached: bool,
    /// No older answer will do.
    pub max_age: Option<Duration>,
    /// Cache it although nothing in it is repeatable.
    force: bool,
    /// How long the new answer is kept.
    pub ttl: Option<Duration>,
    /// Keeps answers apart within a scope.
    pub namespace: String,
}

impl Wishes {
    /// Reads `Cache-Control`, `x-sluice-cache`, `x-sluice-cache-ttl` and `x-sluice-cache-namespace`.
    ///
    /// # Errors
    /// A header of ours that cannot be understood: guessing would give answers that nobody asked for. An odd
    /// `Cache-Control` is passed over, as HTTP has it.
    pub fn read(headers: &HeaderMap) -> Result<Self, GatewayError> {
        let mut wishes = Self::default();
        for value in headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok()) {
            value.split(',').map(str::trim).for_each(|directive| wishes.directive(directive));
        }
        if let Some(word) = text(headers, &names::CACHE)? {
            match word {
                "on" => {}
                "off" => wishes.refuse = Some(Bypass::Off),
                "refresh" => wishes.refresh = true,
                "force" => wishes.force = true,
                _ => return Err(bad(&names::CACHE, "on, off, refresh or force")),
            }
        }
        if let Some(seconds) = text(headers, &names::CACHE_TTL)? {
            let seconds = seconds.parse().ok().filter(|seconds| (1..=LONGEST).contains(seconds));
            let seconds = seconds.ok_or_else(|| bad(&names::CACHE_TTL, "whole seconds from 1 to 86400"))?;
            wishes.ttl = Some(Duration::from_secs(seconds));
        }
        if let Some(namespace) = text(headers, &names::CACHE_NAMESPACE)? {
            if namespace.len() > LONGEST_NAMESPACE {
                return Err(bad(&names::CACHE_NAMESPACE, "at most 128 characters"));
            }
            wishes.namespace = namespace.to_owned();
        }
        Ok(wishes)
    }

    fn directive(&mut self, directive: &str) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        if name.eq_ignore_ascii_case("no-store") {
            self.refuse = Some(Bypass::NoStore);
        } else if name.eq_ignore_ascii_case("no-cache") {
            self.refresh = true;
        } else if name.eq_ignore_ascii_case("only-if-cached") {
            self.only_if_cached = true;
        } else if name.eq_ignore_ascii_case("max-age") {
            // RFC 9111: a number too large to hold is as good as for ever (1.2.2); what is none means that no age
            // will do (4.2.1).
            let digits = value.trim().trim_matches('"');
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let seconds = digits.parse().unwrap_or(if is_number { u64::from(u32::MAX) } else { 0 });
            self.max_age = Some(Duration::from_secs(seconds));
        }
    }

    /// Decides.
    ///
    /// # Errors
    /// Why the cache is passed by.
    pub fn decide(&self, policy: &Policy, call: &Envelope) -> Result<(), Bypass> {
        if policy.mode == CacheMode::Disabled {
            return Err(Bypass::Disabled);
        }
        if let Some(refusal) = self.refuse {
            return Err(refusal);
        }
        let repeatable = match (policy.mode, cacheable::repeatable(call)) {
            (CacheMode::All, _) | (_, Repeatable::Seed | Repeatable::Embeddings) => true,
            (mode, Repeatable::TemperatureZero) => mode == CacheMode::Deterministic,
            (_, Repeatable::No) => false,
        };
        match (repeatable, self.force) {
            (false, false) => return Err(Bypass::NoSeed),
            (false, true) if !policy.allow_force => return Err(Bypass::ForceNotAllowed),
            _ => {}
        }
        cacheable::obstacle(call).map_or(Ok(()), |obstacle| Err(Bypass::Obstacle(obstacle)))
    }
}

/// A header that is given once, as printable text.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, GatewayError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match value.to_str() {
        Ok(text) if values.next().is_none() => Ok(Some(text.trim())),
        _ => Err(bad(name, "one printable value")),
    }
}

fn bad(name: &HeaderName, expected: &str) -> GatewayError {
    GatewayError::new(
        ErrorKind::BadHeader,
        format!("The header {name} cannot be understood: expected {expected}."),
    )
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
