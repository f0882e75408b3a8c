//! Metric handles, resolved when a snapshot is built: on a request's path a count is one atomic addition.
//!
//! Combinations that are rare (errors) are looked up when they happen; those that dashboards and alerts ask for are
//! there from the start, or from the first request that could have led to them.

mod endpoints;
mod keys;
mod models;
mod providers;
mod targets;

pub use endpoints::EndpointMetrics;
pub use keys::KeyMetrics;
pub use models::ModelMetrics;
pub use providers::ProviderMetrics;
pub use targets::TargetMetrics;

use crate::{
    ledger::Tokens,
    telemetry::labels::{PerLabel, TokenType},
};
use prometheus::IntCounter;

fn pick<T>(pair: &[T; 2], second: bool) -> &T {
    let [first, other] = pair;
    if second { other } else { first }
}

/// Nano-dollars as a metric's dollars.
fn usd(nano: u64) -> f64 {
    nano as f64 / 1e9
}

/// Tokens by type, of which there are some.
fn by_type(tokens: &Tokens) -> impl Iterator<Item = (TokenType, u64)> {
    let all = [
        (TokenType::Input, tokens.input),
        (TokenType::Output, tokens.output),
        (TokenType::CacheRead, tokens.cache_read),
        (TokenType::CacheWrite, tokens.cache_write),
    ];
    all.into_iter().filter(|(_, amount)| *amount > 0)
}

fn count_tokens(counters: &PerLabel<TokenType, IntCounter>, tokens: &Tokens) {
    for (kind, amount) in by_type(tokens) {
        if let Some(counter) = counters.get(kind) {
            counter.inc_by(amount);
        }
    }
}
