//! What tokens cost, by provider and model: as configured, and else as published.
//!
//! The published prices of well-known models are a dated data file. They hold for a provider at its own address
//! alone: elsewhere the same wire format has another price. What is in neither has no price, which is not the same
//! as costing nothing.

use sluice_config::model;
use sluice_protocol::price::Price;
use std::{cmp::Reverse, collections::HashMap, sync::Arc};

const PUBLISHED: &str = include_str!("../../data/prices.csv");

/// Prices by provider and upstream model.
#[derive(Debug)]
pub struct PriceTable {
    /// Exact names first, then longer prefixes before shorter ones.
    rows: Vec<Row>,
    /// By the names of the providers that they hold for.
    published: HashMap<String, Vec<Published>>,
    version: Arc<str>,
}

#[derive(Debug)]
struct Row {
    provider: String,
    /// Without the `*`.
    model: String,
    exact: bool,
    price: Price,
}

/// A row of the data file.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Published {
    /// What `kind:` says.
    kind: &'static str,
    model: &'static str,
    /// Absent where a snapshot's price is known to differ from its model's.
    price: Option<Price>,
    /// Year and month.
    as_of: &'static str,
}

impl PriceTable {
    /// Takes over the configured prices, and for providers at their own address the published ones.
    #[must_use]
    pub fn new(prices: &[model::Price], providers: &[model::Provider]) -> Self {
        let mut rows: Vec<Row> = prices.iter().map(row).collect();
        rows.sort_by_key(|row| (!row.exact, Reverse(row.model.len())));
        let at_home = |provider: &&model::Provider| provider.preset.base_url == Some(&provider.base_url);
        let published = |provider: &model::Provider| {
            let of_kind = published().filter(|row| row.kind == provider.preset.id);
            (provider.name.clone(), of_kind.collect())
        };
        let published = providers.iter().filter(at_home).map(published).collect();
        Self { rows, published, version: version(prices).into() }
    }

    /// The price of a provider's model.
    #[must_use]
    pub fn find(&self, provider: &str, model: &str) -> Option<Price> {
        let fits = |row: &&Row| {
            row.provider == provider
                && if row.exact { row.model == model } else { model.starts_with(row.model.as_str()) }
        };
        if let Some(row) = self.rows.iter().find(fits) {
            return Some(row.price);
        }
        let published = self.published.get(provider)?;
        let exact = published.iter().find(|row| row.model == model);
        exact.or_else(|| published.iter().find(|row| is_snapshot(model, row.model)))?.price
    }

    /// Tells apart tables with different prices: the month of the published ones, and a hash of all.
    #[must_use]
    pub fn version(&self) -> &Arc<str> {
        &self.version
    }
}

fn row(price: &model::Price) -> Row {
    let prefix = price.model.strip_suffix('*');
    Row {
        provider: price.provider.clone(),
        model: prefix.unwrap_or(&price.model).to_owned(),
        exact: prefix.is_none(),
        price: Price::per_million(price.input, price.cached_input, price.cache_write, price.output),
    }
}

/// The order in which prices are configured does not matter.
fn version(prices: &[model::Price]) -> String {
    let mut own: Vec<String> = prices.iter().map(|price| format!("{price:?}")).collect();
    own.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    let mut add = |line: &str| {
        hasher.update(line.as_bytes()).update(b"\n");
    };
    lines().for_each(&mut add);
    own.iter().for_each(|line| add(line));
    let hash: String = hasher.finalize().to_hex().chars().take(8).collect();
    let newest = published().map(|row| row.as_of).max().unwrap_or_default();
    format!("{newest}-{hash}")
}

/// The data file without its comments and heading.
fn lines() -> impl Iterator<Item = &'static str> {
    PUBLISHED.lines().filter(|line| !line.starts_with('#')).skip(1)
}

/// The rows of the data file; a test sees to it that none is lost.
fn published() -> impl Iterator<Item = Published> {
    lines().filter_map(Published::parse)
}

impl Published {
    fn parse(line: &'static str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').collect();
        let [kind, model, input, cached_input, cache_write, output, as_of] = fields.try_into().ok()?;
        let usd = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
        let price = match (usd(input)?, usd(cached_input)?, usd(cache_write)?, usd(output)?) {
            (Some(input), cached_input, cache_write, Some(output)) => {
                Some(Price::per_million(input, cached_input, cache_write, output))
            }
            (None, None, None, None) => None,
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
#[path = "prices_tests.rs"]
mod tests;
