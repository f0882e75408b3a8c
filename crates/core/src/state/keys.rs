//! Client keys by the hash of their secret, and what each may ask for.

use crate::{
    limits::{scope::LimitScope, share::TenantShare},
    state::handles::KeyMetrics,
};
use sluice_config::model::{CacheOverride, Expiry, KeyHash};
use smallvec::SmallVec;
use std::{collections::HashMap, sync::Arc};
use subtle::ConstantTimeEq;

/// A caller's key, without its secret.
pub struct KeyEntry {
    /// Configured name.
    pub name: Arc<str>,
    /// Whom it belongs to.
    pub tenant: Arc<str>,
    /// When it stops working.
    pub expires: Option<Expiry>,
    /// What it may ask for.
    pub models: Vec<Pattern>,
    /// Its own word on caching.
    pub cache: Option<CacheOverride>,
    /// What limits it, and its tenant.
    pub limits: SmallVec<[Arc<LimitScope>; 2]>,
    /// What its tenant holds of all requests in flight.
    pub share: Arc<TenantShare>,
    /// Resolved metric handles.
    pub metrics: KeyMetrics,
}

impl KeyEntry {
    /// May this key ask for the model?
    #[must_use]
    pub fn may_use(&self, model: &str) -> bool {
        self.models.iter().any(|pattern| pattern.matches(model))
    }

    /// Has it stopped working by `now`, in seconds since 1970?
    #[must_use]
    pub fn has_expired(&self, now: i64) -> bool {
        self.expires.is_some_and(|expires| now > expires.0)
    }
}

/// An exact name, a prefix ending in `*`, or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// The whole name.
    Exact(String),
    /// Everything that starts so.
    Prefix(String),
}

impl Pattern {
    /// Reads the spelling of the configuration.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(prefix) => Self::Prefix(prefix.to_owned()),
            None => Self::Exact(text.to_owned()),
        }
    }

    /// Does the name fit?
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(own) => own == name,
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

/// All keys, found by hash.
///
/// The map is keyed by the first eight bytes of the hash, and the whole hash is then compared in constant
/// time: how long a look-up takes says nothing of how much of a hash was right.
#[derive(Default)]
pub struct KeyIndex {
    by_prefix: HashMap<u64, Bucket>,
}

/// Keys whose hashes begin alike: nearly always one.
type Bucket = SmallVec<[(KeyHash, Arc<KeyEntry>); 1]>;

impl KeyIndex {
    /// Adds a key.
    pub fn insert(&mut self, hash: KeyHash, entry: Arc<KeyEntry>) {
        self.by_prefix.entry(prefix(&hash.0)).or_default().push((hash, entry));
    }

    /// Finds the key of a secret.
    #[must_use]
    pub fn find(&self, secret: &[u8]) -> Option<&Arc<KeyEntry>> {
        let hash = blake3::hash(secret);
        let candidates = self.by_prefix.get(&prefix(hash.as_bytes()))?;
        candidates.iter().find(|(own, _)| bool::from(own.0.ct_eq(hash.as_bytes()))).map(|(_, entry)| entry)
    }

    /// All keys, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<KeyEntry>> {
        self.by_prefix.values().flatten().map(|(_, entry)| entry)
    }

    /// Finds a key by its configured name; for people, as it walks through all of them.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<KeyEntry>> {
        self.all().find(|entry| *entry.name == *name)
    }
}

fn prefix(hash: &[u8; 32]) -> u64 {
    let (first, _) = hash.split_at(8);
    first.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_its_name_or_its_prefix_and_nothing_else() {
        for (pattern, name, fits) in [
            ("smart", "smart", true),
            ("smart", "smarter", false),
            ("gpt-*", "gpt-4o", true),
            ("gpt-*", "gpt-", true),
            ("gpt-*", "gp", false),
            ("*", "anything", true),
        ] {
            assert_eq!(Pattern::parse(pattern).matches(name), fits, "{pattern} {name}");
            assert_eq!(Pattern::parse(pattern).to_string(), pattern);
        }
    }
}
