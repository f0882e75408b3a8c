//! A text that comes piece by piece, as the strings of a stream's events.

use super::weigh::{self, Weight};
use crate::json::RawStr;
use std::ops::Range;

/// What was written so far. Pieces weigh what their whole would, wherever it is cut: a number or a run of marks that
/// goes on in the next piece is one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Written {
    weight: Weight,
    /// The last byte, on which the next piece follows.
    last: u8,
    /// Nothing is weighed.
    idle: bool,
    /// How many strings were added, with two for whatever else was; and where the last of them stands in memory.
    pieces: u32,
    place: (usize, usize),
}

impl Written {
    /// What nobody wants to know the weight of.
    pub(crate) fn unweighed() -> Self {
        Self { idle: true, ..Self::default() }
    }

    /// Adds a piece.
    pub(crate) fn add(&mut self, piece: RawStr<'_>) {
        if self.idle {
            return;
        }
        self.pieces = self.pieces.saturating_add(1);
        self.place = (piece.raw().as_ptr().addr(), piece.raw().len());
        self.weight += weigh::quoted_after(self.last, piece);
        self.last = weigh::last(piece).unwrap_or(self.last);
    }

    /// Adds a value that is JSON and not in quotes, such as the arguments of a call.
    pub(crate) fn add_json(&mut self, value: &str) {
        if self.idle {
            return;
        }
        self.pieces = self.pieces.saturating_add(2);
        self.weight += weigh::plain(value.as_bytes());
    }

    /// Nothing yet, behind the same byte: for what may turn out not to count.
    pub(crate) fn beside(self) -> Self {
        Self { weight: Weight::default(), pieces: 0, ..self }
    }

    /// Adds what was written [beside](Self::beside).
    pub(crate) fn append(&mut self, other: Self) {
        if other.pieces > 0 {
            self.pieces = self.pieces.saturating_add(2);
        }
        if other.weight != Weight::default() {
            self.weight += other.weight;
            self.last = other.last;
        }
    }

    /// The one of two that weighs more.
    pub(crate) fn heavier(self, other: Self) -> Self {
        let pieces = self.pieces.max(other.pieces);
        Self { pieces, ..if other.weight > self.weight { other } else { self } }
    }

    /// Where in `text` the one string stands that was added since `before`; none if there were others, or what was
    /// added [beside](Self::beside).
    pub(crate) fn only_piece_since(&self, before: &Self, text: &[u8]) -> Option<Range<usize>> {
        let (place, length) = self.place;
        let is_only = before.pieces.checked_add(1) == Some(self.pieces) && self.pieces < u32::MAX;
        let start = place.checked_sub(text.as_ptr().addr()).filter(|_| is_only)?;
        let end = start.checked_add(length).filter(|end| *end <= text.len())?;
        Some(start..end)
    }

    /// In tokens.
    pub(crate) fn tokens(self) -> u64 {
        self.weight.tokens()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece<'a>(text: &'a str, raw: &str) -> RawStr<'a> {
        let start = text.find(raw).unwrap();
        RawStr::plain(&text.as_bytes()[start..start + raw.len()]).unwrap()
    }

    #[test]
    fn the_only_piece_is_told_with_its_place() {
        let (text, elsewhere) = ("the one and the other", "elsewhere".to_owned());
        let before = Written::default();
        let told = |add: &dyn Fn(&mut Written)| {
            let mut written = before;
            add(&mut written);
            written.only_piece_since(&before, text.as_bytes())
        };
        assert_eq!(told(&|_| ()), None);
        assert_eq!(told(&|written| written.add(piece(text, "one"))), Some(4..7));
        assert_eq!(told(&|written| written.add(piece(&elsewhere, "where"))), None);
        assert_eq!(told(&|written| written.add_json("{}")), None);
        let twice = |written: &mut Written| {
            written.add(piece(text, "one"));
            written.add(piece(text, "other"));
        };
        assert_eq!(told(&twice), None);
        // What stands beside it counts even where it weighs nothing.
        let beside = |written: &mut Written| {
            written.add(piece(text, "one"));
            let mut other = written.beside();
            other.add(piece(text, " "));
            written.append(written.beside().heavier(other));
        };
        assert_eq!(told(&beside), None);
    }
}
