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
    output: u64,
}

impl Price {
    /// Takes prices as they are published, in USD per million tokens. What is not told apart costs what input
    /// costs.
    #[must_use]
    pub fn per_million(input: f64, cached_input: Option<f64>, cache_write: Option<f64>, output: f64) -> Self {
        let pico = |usd: f64| (usd * 1e6).round() as u64;
        Self {
            input: pico(input),
            cached_input: pico(cached_input.unwrap_or(input)),
            cache_write: pico(cache_write.unwrap_or(input)),
            output: pico(output),
        }
    }

    /// What an answer costs, in nano-dollars, rounded to the nearest.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> u64 {
        let fresh = usage.input.saturating_sub(usage.cache_read).saturating_sub(usage.cache_write);
        let parts = [
            (fresh, self.input),
            (usage.cache_read, self.cached_input),
            (usage.cache_write, self.cache_write),
            (usage.output, self.output),
        ];
        let pico: u128 = parts.iter().map(|(tokens, price)| u128::from(*tokens) * u128::from(*price)).sum();
        u64::try_from((pico + 500) / 1000).unwrap_or(u64::MAX)
    }
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
}
