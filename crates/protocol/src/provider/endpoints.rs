//! Which endpoints a target has, and in which dialect a call is therefore put to it.

use crate::dialect::Dialect;

/// A set of endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Endpoints(u8);

impl Endpoints {
    /// No endpoint at all.
    pub const NONE: Self = Self(0);

    /// The set with one more.
    #[must_use]
    pub const fn with(self, dialect: Dialect) -> Self {
        Self(self.0 | 1 << dialect as u8)
    }

    /// Is it among them?
    #[must_use]
    pub const fn has(self, dialect: Dialect) -> bool {
        self.0 & (1 << dialect as u8) != 0
    }

    /// What a call of this dialect is put in: its own dialect where the target has that, so that nothing has to be
    /// translated; else chat, else messages. `None` where the target has nothing that can stand for it.
    #[must_use]
    pub const fn wire(self, dialect: Dialect) -> Option<Dialect> {
        if self.has(dialect) {
            return Some(dialect);
        }
        match dialect {
            Dialect::Embeddings | Dialect::CountTokens => None,
            _ if self.has(Dialect::Chat) => Some(Dialect::Chat),
            _ if self.has(Dialect::Messages) => Some(Dialect::Messages),
            _ => None,
        }
    }
}

impl FromIterator<Dialect> for Endpoints {
    fn from_iter<T: IntoIterator<Item = Dialect>>(dialects: T) -> Self {
        dialects.into_iter().fold(Self::NONE, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_target_has_itself_is_never_translated() {
        let of = |dialects: &[Dialect]| dialects.iter().copied().collect::<Endpoints>();
        let all = of(&Dialect::ALL);
        assert!(Dialect::ALL.into_iter().all(|dialect| all.wire(dialect) == Some(dialect)));
        let chat = of(&[Dialect::Chat]);
        for dialect in [Dialect::Completions, Dialect::Chat, Dialect::Responses, Dialect::Messages] {
            assert_eq!(chat.wire(dialect), Some(Dialect::Chat));
            assert_eq!(of(&[Dialect::Messages]).wire(dialect), Some(Dialect::Messages));
            assert_eq!(of(&[Dialect::Embeddings]).wire(dialect), None);
        }
        for dialect in [Dialect::Embeddings, Dialect::CountTokens] {
            assert_eq!(of(&[Dialect::Chat, Dialect::Messages]).wire(dialect), None);
        }
    }
}
