//! `limits` and `budget`: how much one key, tenant or provider may use.

use super::{Rate, Ratio};
use std::time::Duration;

/// Limits of one scope. What is absent is not limited.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limits {
    /// Requests.
    pub requests: Option<RateLimit>,
    /// Tokens, prompt and answer.
    pub tokens: Option<RateLimit>,
    /// Requests in flight.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Refill.
    pub rate: Rate,
    /// Size; defaults to one minute's rate.
    pub burst: u64,
}

/// A short queue before a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Longest wait.
    pub max_wait: Duration,
    /// Most waiters.
    pub size: u32,
}

/// What happens when Redis is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRedisDown {
    /// This replica's share.
    Local,
    /// No limit.
    Open,
    /// Refuse.
    Closed,
}

/// Money for a period.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// US dollars.
    pub usd: f64,
    /// Calendar period, UTC.
    pub per: Period,
    /// Shares at which a warning is logged.
    pub warn_at: Vec<Ratio>,
}

/// A calendar period, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// One day.
    Day,
    /// One month.
    Month,
}
