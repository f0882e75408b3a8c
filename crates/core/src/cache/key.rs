//! The key of an answer: everything that decides what the answer is, and who may share it.
//!
//! A key can only be made from a [`Scope`], so no look-up, store or flight can leave the tenant out. The parts,
//! in their order, texts with their length before them and the last two as digests of 32 bytes:
//!
//! 1. [`FORMAT`]; raised whenever a rule changes, so that old entries are misses and never wrong answers
//! 2. the scope: whose answers these are
//! 3. the client's namespace, or nothing
//! 4. the kind of endpoint, whichever path family was asked
//! 5. the planned target: provider and upstream model, as configured; an outage does not change it
//! 6. headers that change what an upstream does: `anthropic-version`, sorted `anthropic-beta`, `openai-beta`
//! 7. the digest of the body's canonical form (`sluice_protocol::digest`)
//!
//! Part 5 is chosen by the others: among equal targets the weighted rendezvous of a [`Draft`] decides, so equal
//! requests meet the same upstream on every replica.

use crate::{headers as names, health::draw};
use http::{HeaderMap, HeaderName};
use sluice_protocol::{Dialect, Envelope, digest};
use smallvec::SmallVec;
use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher, RandomState},
};

/// Format of keys. Another text makes every older entry a miss.
pub const FORMAT: &str = "sluice-cache/1";

/// Who may share an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// One key of one tenant.
    Key {
        /// The key's tenant.
        tenant: &'a str,
        /// The key's configured name.
        key: &'a str,
    },
    /// One tenant.
    Tenant(&'a str),
    /// Everybody, because the operator said so.
    Global,
}

impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { tenant, key } => write!(f, "key {key} of tenant {tenant}"),
            Self::Tenant(tenant) => write!(f, "tenant {tenant}"),
            Self::Global => f.write_str("global"),
        }
    }
}

/// The key of an answer: 256 bits over everything that decides it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CacheKey([u8; 32]);

/// One number: what follows in a key's bytes is told apart by the comparison.
impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        hasher.write_u64(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    }
}

/// For tables of keys. A key's bits are spread as they are; but clients can look for requests whose keys share some, so
/// where they stand in a table is this process's secret.
#[derive(Debug, Clone, Copy)]
pub struct KeyHashes([u64; 2]);

impl Default for KeyHashes {
    fn default() -> Self {
        let secret = RandomState::new();
        // An odd factor loses nothing.
        Self([secret.hash_one(0), secret.hash_one(1) | 1])
    }
}

impl BuildHasher for KeyHashes {
    type Hasher = KeyHash;

    fn build_hasher(&self) -> KeyHash {
        KeyHash { secret: self.0, number: 0 }
    }
}

/// Hashes a [`CacheKey`], and nothing else.
#[derive(Debug, Clone, Copy)]
pub struct KeyHash {
    secret: [u64; 2],
    number: u64,
}

impl Hasher for KeyHash {
    fn write_u64(&mut self, number: u64) {
        self.number = number;
    }

    /// Any other value: not quick, and not asked for.
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.number = self.number.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn finish(&self) -> u64 {
        let [mask, factor] = self.secret;
        let product = u128::from(self.number ^ mask).wrapping_mul(u128::from(factor));
        let [low, high] = [product, product >> 64].map(|half| half as u64);
        low ^ high
    }
}

impl CacheKey {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Any key, for tests of what only needs one.
    #[cfg(test)]
    #[must_use]
    pub fn for_tests(n: u64) -> Self {
        Self(*blake3::hash(&n.to_le_bytes()).as_bytes())
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheKey({self})")
    }
}

/// A key whose target is not chosen yet.
#[derive(Clone)]
pub struct Draft {
    /// The scope is everybody.
    of_all: bool,
    /// Parts 1 to 4, as they are hashed.
    before: SmallVec<[u8; 128]>,
    /// Part 6 and part 7, each as a digest.
    headers: [u8; 32],
    body: [u8; 32],
}

impl Draft {
    /// Takes in everything but the target.
    #[must_use]
    pub fn new(scope: Scope<'_>, namespace: &str, headers: &HeaderMap, call: &Envelope) -> Self {
        let mut before = SmallVec::new();
        part(&mut before, FORMAT.as_bytes());
        match scope {
            Scope::Key { tenant, key } => {
                part(&mut before, b"key");
                part(&mut before, tenant.as_bytes());
                part(&mut before, key.as_bytes());
            }
            Scope::Tenant(tenant) => {
                part(&mut before, b"tenant");
                part(&mut before, tenant.as_bytes());
            }
            Scope::Global => part(&mut before, b"global"),
        }
        part(&mut before, namespace.as_bytes());
        part(&mut before, kind(call.dialect()).as_bytes());
        let of_all = matches!(scope, Scope::Global);
        Self { before, of_all, headers: header_digest(headers), body: digest::body_digest(call) }
    }

    /// The share that a target has in a draw which every replica decides alike: the highest wins. Weighted
    /// rendezvous hashing: a target that goes away moves only its own requests.
    #[must_use]
    pub fn score(&self, provider: &str, model: &str, weight: u32) -> f64 {
        let key = self.key(provider, model);
        draw::score(draw::uniform(&key.0), weight)
    }

    /// May all share the answer, whoever asks?
    #[must_use]
    pub fn is_of_all(&self) -> bool {
        self.of_all
    }

    /// The key of the answer that this target gives.
    #[must_use]
    pub fn key(&self, provider: &str, model: &str) -> CacheKey {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.before);
        part(&mut hasher, provider.as_bytes());
        part(&mut hasher, model.as_bytes());
        hasher.update(&self.headers);
        hasher.update(&self.body);
        CacheKey(*hasher.finalize().as_bytes())
    }

    /// The digest of the body, for a person who compares two requests.
    #[must_use]
    pub fn body_digest(&self) -> String {
        blake3::Hash::from_bytes(self.body).to_string()
    }
}

/// One part with its length, so that no two lists of parts look alike.
fn part(into: &mut impl Sink, bytes: &[u8]) {
    into.take(&(bytes.len() as u64).to_le_bytes());
    into.take(bytes);
}

/// Takes bytes in order: a hasher now, or a list for a hasher later.
trait Sink {
    fn take(&mut self, bytes: &[u8]);
}

impl Sink for blake3::Hasher {
    fn take(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

impl Sink for SmallVec<[u8; 128]> {
    fn take(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// The endpoint's word in keys. Part of the format: never changed without raising it.
#[must_use]
pub const fn kind(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Completions => "completions",
        Dialect::Chat => "chat",
        Dialect::Embeddings => "embeddings",
        Dialect::Responses => "responses",
        Dialect::Messages => "messages",
        Dialect::CountTokens => "count_tokens",
    }
}

/// Headers that count. A list may be spread over several lines; the order of betas means nothing.
pub const COUNTED: [HeaderName; 3] = [names::ANTHROPIC_VERSION, names::ANTHROPIC_BETA, names::OPENAI_BETA];

/// What stands in a key for no counted header at all.
const NO_HEADERS: [u8; 32] = [0; 32];

fn header_digest(headers: &HeaderMap) -> [u8; 32] {
    // Most requests carry none.
    if !COUNTED.iter().any(|name| headers.contains_key(name)) {
        return NO_HEADERS;
    }
    let mut hasher = blake3::Hasher::new();
    for name in COUNTED {
        if !headers.contains_key(&name) {
            continue;
        }
        let values = headers.get_all(&name).iter().map(|value| value.as_bytes());
        let mut items: Vec<&[u8]> =
            values.flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii).collect();
        items.sort_unstable();
        part(&mut hasher, name.as_str().as_bytes());
        part(&mut hasher, &(items.len() as u64).to_le_bytes());
        for item in items {
            part(&mut hasher, item);
        }
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
