//! `auth`, `keys`, `tenants`: who may call, and for whom.

use super::{Budget, CacheOverride, Limits};
use crate::text::{As, Name};
use schemars::JsonSchema;
use serde::Deserialize;

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// The mode in force.
    #[schemars(extend("x-derived" = "open on loopback while no key is listed, else keys"))]
    pub mode: AuthMode,
}

/// How callers are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// By key.
    Keys,
    /// Not at all; only on loopback.
    Open,
}

impl AuthMode {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Open => "open",
        }
    }
}

/// A client key. The secret itself is never known here.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Unique name; shown in logs and metrics.
    #[schemars(with = "As<Name>")]
    pub name: String,
    /// Whom it belongs to.
    #[schemars(with = "As<Name>", extend("default" = "default"))]
    pub tenant: String,
    /// blake3-256 of the whole secret as the client sends it.
    pub hash: KeyHash,
    /// Models it may ask for: exact names, prefixes ending in `*`, or `*`. Empty may do nothing.
    pub models: Vec<String>,
    /// When it stops working.
    pub expires: Option<Expiry>,
    /// In place of `limits`, which then does not count at all for this key.
    pub limits: Option<Limits>,
    /// Money, beside the tenant's.
    pub budget: Option<Budget>,
    /// Overrides of `cache`.
    pub cache: Option<CacheOverride>,
}

/// blake3-256 of a key's secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl std::fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("blake3:***")
    }
}

/// An instant in seconds since 1970 UTC; a bare date means its end, so that a key works on the day it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry(pub i64);

/// A group of keys that shares answers, limits and a budget.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Unique name.
    #[schemars(with = "As<Name>")]
    pub name: String,
    /// Limits of all its keys together, beside each key's own.
    pub limits: Option<Limits>,
    /// Money that all its keys may spend together.
    pub budget: Option<Budget>,
}
