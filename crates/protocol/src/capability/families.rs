//! The data file of model families: endpoints, lengths, thinking.
//!
//! Owns how a row is read and which models it is about. What becomes of members is the other file's affair.

use super::Thinking;
use crate::dialect::Dialect;

const TEXT: &str = include_str!("../../data/families.csv");

/// A row of the data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// What `kind:` says.
    pub(super) provider: &'static str,
    pub(super) models: Models,
    pub(super) endpoints: Endpoints,
    pub(super) max_output: Option<u64>,
    pub(super) thinking: Thinking,
    /// Year and month of the last check, as `2026-11`.
    pub(super) as_of: &'static str,
}

/// The rows of the data file; a test sees to it that none is lost.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    lines(TEXT).filter_map(Row::parse)
}

/// A data file without its comments and heading.
pub(super) fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#')).skip(1)
}

impl Row {
    pub(super) fn parse(line: &'static str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').collect();
        let [provider, models, endpoints, max_output, thinking, as_of] = fields.try_into().ok()?;
        let max_output = if max_output.is_empty() { None } else { Some(max_output.parse().ok()?) };
        let thinking = match thinking {
            "none" => Thinking::None,
            "budget" => Thinking::Budget,
            "adaptive" => Thinking::Adaptive,
            _ => return None,
        };
        let endpoints = Endpoints::parse(endpoints)?;
        Some(Self { provider, models: Models(models), endpoints, max_output, thinking, as_of })
    }
}

#[cfg(test)]
pub(super) const FILE: &str = TEXT;

/// Names of models: one, or a pattern in which `*` stands for anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Models(pub(super) &'static str);

impl Models {
    /// Is a model of that name among them?
    pub(super) fn include(self, model: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|first| model.strip_prefix(first)) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        rest.ends_with(last)
    }

    /// How closely it describes its models: the more letters, the closer, and a plain name more than a pattern.
    pub(super) fn closeness(self) -> (usize, bool) {
        let letters = self.0.chars().filter(|letter| *letter != '*').count();
        (letters, !self.0.contains('*'))
    }
}

/// A set of endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Endpoints(u8);

impl Endpoints {
    pub(super) const NONE: Self = Self(0);

    /// The bit behind those of the dialects.
    const COUNT_TOKENS: u8 = 1 << Dialect::ALL.len();

    fn parse(text: &str) -> Option<Self> {
        let bit = |name| match name {
            "count_tokens" => Some(Self::COUNT_TOKENS),
            _ => Dialect::ALL.into_iter().find(|dialect| dialect.as_str() == name).map(bit_of),
        };
        text.split_ascii_whitespace().map(bit).try_fold(0, |bits, bit| Some(bits | bit?)).map(Self)
    }

    /// These dialects in place of those that there were.
    pub(super) fn replaced(self, dialects: &[Dialect]) -> Self {
        Self(dialects.iter().fold(self.0 & Self::COUNT_TOKENS, |bits, dialect| bits | bit_of(*dialect)))
    }

    pub(super) const fn has(self, dialect: Dialect) -> bool {
        self.0 & bit_of(dialect) != 0
    }

    pub(super) const fn counts_tokens(self) -> bool {
        self.0 & Self::COUNT_TOKENS != 0
    }
}

const fn bit_of(dialect: Dialect) -> u8 {
    1 << dialect as u8
}
