//! What tokens cost, by provider and model: as configured, and else as published.
//!
//! The published prices of well-known models are a dated data file. They hold for a provider at its own address
//! alone: elsewhere the same wire format has another price. What is in neither has no price, which is not the same
//! as costing nothing.

use sluice_config::model;
use sluice_protocol::price::{
    Price,
    published::{self, Published},
};
use std::{cmp::Reverse, collections::HashMap, sync::Arc};

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

impl PriceTable {
    /// Takes over the configured prices, and for providers at their own address the published ones.
    #[must_use]
    pub fn new(prices: &[model::Price], providers: &[model::Provider]) -> Self {
        let mut rows: Vec<Row> = prices.iter().map(row).collect();
        rows.sort_by_key(|row| (!row.exact, Reverse(row.model.len())));
        let at_home = |provider: &&model::Provider| provider.preset.is_home(&provider.base_url);
        let published = |provider: &model::Provider| {
            let of_kind = published::rows().filter(|row| row.kind == provider.preset.id);
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
        published::find(self.published.get(provider)?, model)
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
        price: Price::per_million(price.input, price.cached_input, price.cache_write, price.output)
            .with_long_cache_write(price.cache_write_1h),
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
    published::lines().for_each(&mut add);
    own.iter().for_each(|line| add(line));
    let hash: String = hasher.finalize().to_hex().chars().take(8).collect();
    let newest = published::rows().map(|row| row.as_of).max().unwrap_or_default();
    format!("{newest}-{hash}")
}

#[cfg(test)]
#[path = "prices_tests.rs"]
mod tests;
