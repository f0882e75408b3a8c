//! The data file of model families: endpoints, lengths, thinking.
//!
//! Owns how a row is read and which models it is about. What becomes of members is the other file's affair.

use super::Thinking;
use crate::dialect::Dialect;
use crate::provider::Endpoints;

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
            "always" => Thinking::Always,
            _ => return None,
        };
        let endpoints = self::endpoints(endpoints)?;
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

/// Endpoints by the names of their dialects.
fn endpoints(names: &str) -> Option<Endpoints> {
    let named = |name| Dialect::ALL.into_iter().find(|dialect| dialect.as_str() == name);
    names.split_ascii_whitespace().map(named).collect::<Option<Endpoints>>()
}
