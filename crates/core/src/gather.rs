//! A body put together from its pieces. Most come in one piece, and then that piece is the body: no copy.

use bytes::{Bytes, BytesMut};

/// Pieces so far.
#[derive(Default)]
pub struct Gather {
    first: Bytes,
    joined: BytesMut,
    expected: usize,
}

impl Gather {
    /// Nothing yet; `expected` is the length that was declared, if any.
    #[must_use]
    pub fn new(expected: u64) -> Self {
        Self { expected: usize::try_from(expected).unwrap_or(0), ..Self::default() }
    }

    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.first.len() + self.joined.len()
    }

    /// Nothing has come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a piece.
    pub fn push(&mut self, piece: Bytes) {
        if self.is_empty() {
            self.first = piece;
            return;
        }
        if self.joined.is_empty() {
            self.joined.reserve(self.expected.max(self.first.len() + piece.len()));
            self.joined.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&piece);
    }

    /// The whole.
    #[must_use]
    pub fn finish(self) -> Bytes {
        if self.joined.is_empty() { self.first } else { self.joined.freeze() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_the_whole_and_a_single_one_is_not_copied() {
        let only = Bytes::from_static(b"all of it");
        let mut gather = Gather::new(9);
        gather.push(only.clone());
        assert_eq!(gather.finish().as_ptr(), only.as_ptr());

        let mut gather = Gather::new(0);
        for piece in ["a", "", "bc", "d"] {
            gather.push(Bytes::from_static(piece.as_bytes()));
        }
        assert_eq!(gather.len(), 4);
        assert_eq!(gather.finish(), "abcd");
    }
}
