//! A text that comes piece by piece, as the strings of a stream's events.

use super::weigh::{self, Weight};
use crate::json::RawStr;

/// What was written so far. Pieces weigh what their whole would, wherever it is cut: a number or a run of marks that
/// goes on in the next piece is one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Written {
    weight: Weight,
    /// The last byte, on which the next piece follows.
    last: u8,
    /// Nothing is weighed.
    idle: bool,
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
        self.weight += weigh::quoted_after(self.last, piece);
        self.last = weigh::last(piece).unwrap_or(self.last);
    }

    /// Adds a value that is JSON and not in quotes, such as the arguments of a call.
    pub(crate) fn add_json(&mut self, value: &str) {
        if self.idle {
            return;
        }
        self.weight += weigh::plain(value.as_bytes());
    }

    /// Nothing yet, behind the same byte: for what may turn out not to count.
    pub(crate) fn beside(self) -> Self {
        Self { weight: Weight::default(), ..self }
    }

    /// Adds what was written [beside](Self::beside).
    pub(crate) fn append(&mut self, other: Self) {
        if other.weight != Weight::default() {
            self.weight += other.weight;
            self.last = other.last;
        }
    }

    /// The one of two that weighs more.
    pub(crate) fn heavier(self, other: Self) -> Self {
        if other.weight > self.weight { other } else { self }
    }

    /// In tokens.
    pub(crate) fn tokens(self) -> u64 {
        self.weight.tokens()
    }
}
