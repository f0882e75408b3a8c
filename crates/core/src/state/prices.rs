//! What tokens cost, by provider and model, as configured.

use sluice_config::model;
use sluice_protocol::price::Price;

/// Prices by provider and upstream model.
#[derive(Debug, Default)]
pub struct PriceTable {
    /// Exact names first, then longer prefixes before shorter ones.
    rows: Vec<Row>,
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
    /// Takes over the configured prices.
    #[must_use]
    pub fn new(prices: &[model::Price]) -> Self {
        let row = |price: &model::Price| {
            let prefix = price.model.strip_suffix('*');
            Row {
                provider: price.provider.clone(),
                model: prefix.unwrap_or(&price.model).to_owned(),
                exact: prefix.is_none(),
                price: Price::per_million(price.input, price.cached_input, price.cache_write, price.output),
            }
        };
        let mut rows: Vec<Row> = prices.iter().map(row).collect();
        rows.sort_by_key(|row| (!row.exact, std::cmp::Reverse(row.model.len())));
        Self { rows }
    }

    /// The price of a provider's model.
    #[must_use]
    pub fn find(&self, provider: &str, model: &str) -> Option<Price> {
        let fits = |row: &&Row| {
            row.provider == provider
                && if row.exact { row.model == model } else { model.starts_with(row.model.as_str()) }
        };
        self.rows.iter().find(fits).map(|row| row.price)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_row_counts() {
        let row = |provider: &str, model: &str, input: f64| model::Price {
            provider: provider.into(),
            model: model.into(),
            input,
            cached_input: None,
            cache_write: None,
            output: 0.0,
        };
        let table = PriceTable::new(&[row("a", "*", 1.0), row("a", "gpt-*", 2.0), row("a", "gpt-4o", 3.0)]);
        let price = |input| Some(Price::per_million(input, None, None, 0.0));
        assert_eq!(table.find("a", "gpt-4o"), price(3.0));
        assert_eq!(table.find("a", "gpt-4o-mini"), price(2.0));
        assert_eq!(table.find("a", "llama"), price(1.0));
        assert_eq!(table.find("b", "gpt-4o"), None);
    }
}
