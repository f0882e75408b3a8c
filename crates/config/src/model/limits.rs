//! `limits` and `budget`: how much one key, tenant, model or provider may use.

use super::{Rate, Ratio};
use crate::text::{self, As};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Limits of one scope: every key without a block of its own (the common `limits`), one key, a tenant, a model, a
/// provider. A request has to fit into all that apply. What is absent is not limited; a key's own block replaces
/// the common one whole. All members mean something in every scope but `tenant_share`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Requests.
    pub requests: Option<RateLimit>,
    /// Tokens, prompt and answer.
    pub tokens: Option<RateLimit>,
    /// Requests in flight.
    #[schemars(range(min = 1))]
    pub concurrency: Option<u32>,
    /// What an input token that the provider had in its cache costs this scope's bucket of tokens; a whole one
    /// when absent.
    pub cached_input_weight: Option<Ratio>,
    /// Wait a little for this scope's limits instead of refusing; at once when absent.
    pub queue: Option<Queue>,
    /// Of `listeners.api.max_in_flight`, what one tenant may hold. Means something in the common `limits`, where
    /// half of it is the default, and in a tenant's, which then holds in place of the common one.
    pub tenant_share: Option<Ratio>,
    /// What becomes of this scope's shared buckets when Redis is away; this replica's share when absent.
    pub on_redis_down: Option<OnRedisDown>,
}

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(from = "RateLimitText")]
pub struct RateLimit {
    /// Refill.
    pub rate: Rate,
    /// Size; defaults to one minute's rate.
    pub burst: u64,
}

/// As it is written: a burst may be left out.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "RateLimit")]
#[serde(deny_unknown_fields)]
struct RateLimitText {
    /// Refill.
    rate: Rate,
    /// Size; defaults to one minute's rate.
    #[schemars(range(min = 1))]
    burst: Option<u64>,
}

impl From<RateLimitText> for RateLimit {
    fn from(text: RateLimitText) -> Self {
        Self { rate: text.rate, burst: text.burst.unwrap_or_else(|| one_minute(text.rate)) }
    }
}

/// What `rate` allows in a minute, rounded up: `1/h` still lets one pass.
fn one_minute(rate: Rate) -> u64 {
    let minute = u128::from(rate.amount) * 60;
    let burst = minute.div_ceil(u128::from(rate.per.as_secs()).max(1));
    u64::try_from(burst).unwrap_or(u64::MAX)
}

impl JsonSchema for RateLimit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        RateLimitText::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        RateLimitText::json_schema(generator)
    }
}

/// A short queue before a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Longest wait.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>")]
    pub max_wait: Duration,
    /// Most waiters.
    #[schemars(range(min = 1))]
    pub size: u32,
}

/// What happens when Redis is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnRedisDown {
    /// This replica's share.
    Local,
    /// No limit.
    Open,
    /// Refuse.
    Closed,
}

/// Money for a period, of a tenant or of a key.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// US dollars.
    #[schemars(range(min = 0))]
    pub usd: f64,
    /// Calendar period, UTC.
    pub per: Period,
    /// Shares at which a warning is logged.
    #[schemars(extend("default" = []))]
    pub warn_at: Vec<Ratio>,
}

/// A calendar period, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// One day.
    Day,
    /// One month.
    Month,
}
