//! The prompt cache that real upstreams report: how much of a prompt's beginning has been seen before.
//!
//! Only the usage figures depend on it, never the text.

use std::collections::{HashSet, VecDeque};

use crate::rng::Hash;

/// What one block counts for in tokens, and how much text that is at four characters a token.
const BLOCK_TOKENS: u64 = 64;
const BLOCK_BYTES: usize = 256;
/// Prompts are compared up to this many blocks: 128 KiB, enough for a demo.
const MAX_BLOCKS: usize = 512;
/// Blocks remembered; the oldest are forgotten first.
const CAPACITY: usize = 16_384;

/// The beginnings of prompts seen, as hashes of their blocks.
#[derive(Debug, Default)]
pub(crate) struct PrefixCache {
    seen: HashSet<u64>,
    order: VecDeque<u64>,
}

/// What the cache says of one prompt, in tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Prefix {
    /// At the prompt's beginning and seen before.
    pub(crate) read: u64,
    /// In whole blocks and new.
    pub(crate) written: u64,
}

impl PrefixCache {
    /// Looks a prompt of `tokens` tokens up and remembers it.
    pub(crate) fn meet(&mut self, model: &str, prompt: &str, tokens: u64) -> Prefix {
        let mut hash = Hash::new().with(model.as_bytes());
        let (mut read, mut written) = (0, 0);
        for block in prompt.as_bytes().as_chunks::<BLOCK_BYTES>().0.iter().take(MAX_BLOCKS) {
            hash = hash.with(block);
            if self.remember(hash.finish()) {
                written += BLOCK_TOKENS;
            } else if written == 0 {
                read += BLOCK_TOKENS;
            }
        }
        // Text with many spaces has fewer tokens than its length says.
        let whole = tokens / BLOCK_TOKENS * BLOCK_TOKENS;
        let read = read.min(whole);
        Prefix { read, written: written.min(whole - read) }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether the block is new.
    fn remember(&mut self, block: u64) -> bool {
        let new = self.seen.insert(block);
        if new {
            self.order.push_back(block);
        }
        if self.order.len() > CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_seen_before_is_read_from_the_cache() {
        let mut cache = PrefixCache::default();
        let prompt = "abc ".repeat(256);
        assert_eq!(cache.meet("m", &prompt, 256), Prefix { read: 0, written: 256 });
        assert_eq!(cache.meet("m", &prompt, 256), Prefix { read: 256, written: 0 });
        assert_eq!(cache.meet("other", &prompt, 256).read, 0);
    }

    #[test]
    fn only_the_common_beginning_counts() {
        let mut cache = PrefixCache::default();
        let common = "abc ".repeat(128);
        cache.meet("m", &format!("{common}{}", "one ".repeat(64)), 192);
        let second = cache.meet("m", &format!("{common}{}", "two ".repeat(64)), 192);
        assert_eq!(second, Prefix { read: 128, written: 64 });
    }

    #[test]
    fn memory_is_bounded() {
        let mut cache = PrefixCache::default();
        for n in 0..CAPACITY + 100 {
            cache.meet("m", &format!("{n:0>256}"), 64);
        }
        assert_eq!((cache.seen.len(), cache.order.len()), (CAPACITY, CAPACITY));
    }
}
