//! What an answer costs: tokens times prices, in whole numbers.
//!
//! Prices are kept in millionths of a millionth of a dollar per token, which holds every published price exactly;
//! a cost is told in nano-dollars. Where prices come from is not known here.

pub mod published;

use crate::usage::Usage;

/// Prices of one model at one provider, each in 10⁻¹² USD per token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    input: u64,
    cached_input: u64,
    cache_write: u64,
    cache_write_long: u64,
    output: u64,
}

impl Price {
    /// Takes prices as they are published, in USD per million tokens. What is not told apart costs what input
    /// costs, and a cache entry that lives for an hour what any other costs.
    #[must_use]
    pub fn per_million(input: f64, cached_input: Option<f64>, cache_write: Option<f64>, output: f64) -> Self {
        let cache_write = pico(cache_write.unwrap_or(input));
        Self {
            input: pico(input),
            cached_input: pico(cached_input.unwrap_or(input)),
            cache_write,
            cache_write_long: cache_write,
            output: pico(output),
        }
    }

    /// The same, with a price of its own for cache entries that live for an hour, where there is one.
    #[must_use]
    pub fn with_long_cache_write(self, usd_per_million: Option<f64>) -> Self {
        Self { cache_write_long: usd_per_million.map_or(self.cache_write_long, pico), ..self }
    }

    /// What an answer costs, in nano-dollars, rounded to the nearest.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> u64 {
        let fresh = usage.input.saturating_sub(usage.cache_read).saturating_sub(usage.cache_write);
        let long = usage.cache_write_long.min(usage.cache_write);
        let parts = [
            (fresh, self.input),
            (usage.cache_read, self.cached_input),
            (usage.cache_write - long, self.cache_write),
            (long, self.cache_write_long),
            (usage.output, self.output),
        ];
        let pico: u128 = parts.iter().map(|(tokens, price)| u128::from(*tokens) * u128::from(*price)).sum();
        u64::try_from((pico + 500) / 1000).unwrap_or(u64::MAX)
    }

    /// What the provider's prompt cache saved of that, in nano-dollars: tokens read from it are cheaper than others,
    /// those written to it dearer. Less than nothing where the answer would have cost less without it.
    #[must_use]
    pub fn prompt_cache_saved(&self, usage: &Usage) -> i64 {
        if usage.cache_read == 0 && usage.cache_write == 0 {
            return 0;
        }
        let plain = Usage { cache_read: 0, cache_write: 0, cache_write_long: 0, ..*usage };
        let (without, with) = (self.cost(&plain), self.cost(usage));
        let magnitude = i64::try_from(without.abs_diff(with)).unwrap_or(i64::MAX);
        if without >= with { magnitude } else { -magnitude }
    }
}

/// 10⁻¹² USD per token.
fn pico(usd_per_million: f64) -> u64 {
    (usd_per_million * 1e6).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_cost_what_the_list_says() {
        let price = Price::per_million(0.15, Some(0.075), None, 0.60);
        let usage = |input, output, cache_read, cache_write| Usage {
            input,
            output,
            cache_read,
            cache_write,
            cache_write_long: 0,
            reasoning: output,
        };
        assert_eq!(price.cost(&usage(1_000_000, 0, 0, 0)), 150_000_000);
        assert_eq!(price.cost(&usage(0, 1_000_000, 0, 0)), 600_000_000);
        assert_eq!(price.cost(&usage(1_000_000, 0, 1_000_000, 0)), 75_000_000);
        assert_eq!(price.cost(&usage(1_000_000, 0, 0, 1_000_000)), 150_000_000, "no price of its own");
        assert_eq!(price.cost(&usage(1, 1, 0, 0)), 750);
        assert_eq!(Price::per_million(0.0125, None, None, 0.0).cost(&usage(1, 0, 0, 0)), 13, "12.5 nano");
        assert_eq!(price.cost(&usage(1, 0, 5, 0)), 375, "odd counts do not wrap");
        assert_eq!(Price::per_million(1e6, None, None, 1e6).cost(&usage(u64::MAX, 0, 0, 0)), u64::MAX);
    }

    #[test]
    fn a_prompt_cache_saves_where_it_is_read_and_costs_where_it_is_written() {
        let price = Price::per_million(3.0, Some(0.3), Some(3.75), 15.0).with_long_cache_write(Some(6.0));
        let usage = |cache_read, cache_write, cache_write_long| Usage {
            input: 1_000_000,
            output: 9,
            cache_read,
            cache_write,
            cache_write_long,
            reasoning: 0,
        };
        assert_eq!(price.prompt_cache_saved(&usage(0, 0, 0)), 0);
        assert_eq!(price.prompt_cache_saved(&usage(1_000_000, 0, 0)), 2_700_000_000);
        assert_eq!(price.prompt_cache_saved(&usage(0, 1_000_000, 0)), -750_000_000);
        assert_eq!(price.prompt_cache_saved(&usage(0, 1_000_000, 1_000_000)), -3_000_000_000);
        assert_eq!(price.prompt_cache_saved(&usage(500_000, 400_000, 0)), 1_350_000_000 - 300_000_000);
        let same = Price::per_million(3.0, None, None, 15.0);
        assert_eq!(same.prompt_cache_saved(&usage(500_000, 400_000, 0)), 0, "no prices of its own");
    }

    #[test]
    fn an_entry_that_lives_for_an_hour_has_a_price_of_its_own_or_that_of_any_other() {
        let usage = Usage { input: 10, cache_write: 10, cache_write_long: 4, ..Usage::default() };
        let price = Price::per_million(2.0, Some(0.2), Some(2.5), 10.0);
        assert_eq!(price.cost(&usage), 25_000);
        assert_eq!(price.with_long_cache_write(None).cost(&usage), 25_000);
        assert_eq!(price.with_long_cache_write(Some(4.0)).cost(&usage), 6 * 2_500 + 4 * 4_000);
        let odd = Usage { cache_write_long: 99, ..usage };
        assert_eq!(price.with_long_cache_write(Some(4.0)).cost(&odd), 40_000, "never more than is written");
    }
}
