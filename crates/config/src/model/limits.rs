//! `limits` and `budget`: how much one key, tenant or provider may use.

use super::{Rate, Ratio};
use crate::text::{self, As};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Limits of one scope. What is absent is not limited.
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
    /// What a cached input token costs the bucket.
    pub cached_input_weight: Option<Ratio>,
    /// Wait a little instead of refusing.
    pub queue: Option<Queue>,
    /// Of `max_in_flight`, what one tenant may hold.
    pub tenant_share: Option<Ratio>,
    /// What happens when Redis is away.
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

/// Money for a period.
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
