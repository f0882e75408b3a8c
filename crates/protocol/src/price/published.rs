//! Published prices of well-known models: a dated data file.
//!
//! They hold for a provider at its own address alone: elsewhere the same wire format has another price. Which
//! address that is, `provider::presets` knows; whose word counts before it is the caller's business.

use super::Price;

const TEXT: &str = include_str!("../../data/prices.csv");

/// A row of the data file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Published {
    /// What a provider's `kind:` says.
    pub kind: &'static str,
    /// As the provider spells it; it stands for its dated snapshots too.
    pub model: &'static str,
    /// Absent where a snapshot's price is known to differ from its model's.
    pub price: Option<Price>,
    /// Year and month of the last check, as `2026-10`.
    pub as_of: &'static str,
}

/// The rows of the data file; a test sees to it that none is lost.
pub fn rows() -> impl Iterator<Item = Published> {
    lines().filter_map(Published::parse)
}

/// The data file without its comments and heading, for those who tell its versions apart.
pub fn lines() -> impl Iterator<Item = &'static str> {
    TEXT.lines().filter(|line| !line.starts_with('#')).skip(1)
}

/// The price of a model, or of the model that it is a dated snapshot of, among the rows of one kind.
#[must_use]
pub fn find(rows: &[Published], model: &str) -> Option<Price> {
    let exact = rows.iter().find(|row| row.model == model);
    exact.or_else(|| rows.iter().find(|row| is_snapshot(model, row.model)))?.price
}

impl Published {
    fn parse(line: &'static str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').collect();
        let [kind, model, input, cached_input, cache_write, cache_write_1h, output, as_of] =
            fields.try_into().ok()?;
        let usd = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
        let caching = (usd(cached_input)?, usd(cache_write)?, usd(cache_write_1h)?);
        let price = match (usd(input)?, caching, usd(output)?) {
            (Some(input), (cached_input, cache_write, cache_write_1h), Some(output)) => Some(
                Price::per_million(input, cached_input, cache_write, output)
                    .with_long_cache_write(cache_write_1h),
            ),
            (None, (None, None, None), None) => None,
            _ => return None,
        };
        Some(Self { kind, model, price, as_of })
    }
}

/// Is it the model of that name as it was on a day: `gpt-4.1-2025-04-14`, `claude-sonnet-4-5-20250929`?
fn is_snapshot(model: &str, name: &str) -> bool {
    let Some(day) = model.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')) else { return false };
    let shape: Vec<usize> = day.split('-').map(str::len).collect();
    matches!(shape[..], [8] | [4, 2, 2]) && day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
#[path = "published_tests.rs"]
mod tests;
