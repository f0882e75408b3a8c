//! The members that every chunk of a stream repeats, by which a client knows that the chunks belong together.

use bytes::Bytes;

use super::chunk::Chunk;
use crate::splice::Splice;

/// Their names.
pub(super) const HEAD: [&str; 5] = ["id", "object", "created", "model", "system_fingerprint"];

/// The values that a client has seen, as JSON text.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    values: [Option<Bytes>; HEAD.len()],
    /// A chunk has passed: what is missing by now was never there.
    known: bool,
}

impl Head {
    /// Takes from a chunk what is still missing.
    pub(super) fn note(&mut self, data: &[u8], chunk: &Chunk<'_>) {
        self.known = true;
        for (value, member) in self.values.iter_mut().zip(&chunk.head) {
            // Azure opens with a chunk that has them all empty.
            if value.as_deref().is_none_or(is_empty)
                && let Some(found) = member.as_ref().and_then(|member| data.get(member.value.clone()))
                && (value.is_none() || !is_empty(found))
            {
                *value = Some(Bytes::copy_from_slice(found));
            }
        }
    }

    /// Puts these values into another upstream's chunk; says whether anything had to be changed.
    pub(super) fn put(&self, data: &[u8], chunk: &Chunk<'_>, splice: &mut Splice) -> bool {
        let mut changed = false;
        if !self.known {
            return changed;
        }
        for ((name, value), member) in HEAD.iter().zip(&self.values).zip(&chunk.head) {
            match (value, member) {
                (Some(value), Some(member)) if data.get(member.value.clone()) == Some(&**value) => continue,
                (Some(value), Some(member)) => splice.replace(member.value.clone(), value.clone()),
                (Some(value), None) => splice.insert_member(name, value),
                (None, Some(member)) => splice.remove_member(member),
                (None, None) => continue,
            };
            changed = true;
        }
        changed
    }
}

fn is_empty(value: &[u8]) -> bool {
    matches!(value, b"null" | b"\"\"" | b"0")
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
