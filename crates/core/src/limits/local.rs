//! A token bucket of requests, in this process.

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};
use sluice_config::model::{Rate, RateLimit};
use std::{num::NonZeroU32, time::Duration};

/// One bucket.
pub struct RequestBucket {
    limit: RateLimit,
    limiter: RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>,
}

/// What is left of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Size of the bucket.
    pub limit: u64,
    /// Requests that may come at once.
    pub remaining: u64,
    /// Until the bucket is full again.
    pub reset: Duration,
    /// Until one more request may come.
    pub next: Duration,
}

impl RequestBucket {
    /// A full bucket. The numbers of a bucket of requests are 32 bits wide; larger ones limit nothing that one
    /// process could serve.
    #[must_use]
    pub fn new(limit: RateLimit) -> Self {
        let quota = Quota::with_period(period(limit.rate)).map_or_else(
            || Quota::per_second(NonZeroU32::MAX),
            |quota| {
                quota.allow_burst(
                    NonZeroU32::new(u32::try_from(limit.burst).unwrap_or(u32::MAX))
                        .unwrap_or(NonZeroU32::MIN),
                )
            },
        );
        Self { limit, limiter: RateLimiter::direct(quota).with_middleware() }
    }

    /// Is it the bucket of this limit?
    #[must_use]
    pub fn is_of(&self, limit: RateLimit) -> bool {
        self.limit == limit
    }

    /// The rate, for messages.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.limit.rate
    }

    /// The size, for messages.
    #[must_use]
    pub fn burst(&self) -> u64 {
        self.limit.burst
    }

    /// Takes one request.
    ///
    /// # Errors
    /// When the bucket is empty; with the true time until it is not.
    pub fn take(&self) -> Result<Left, Left> {
        let limit = self.limit.burst;
        let period = period(self.limit.rate);
        match self.limiter.check() {
            Ok(state) => {
                let remaining = u64::from(state.remaining_burst_capacity());
                let reset = times(period, limit.saturating_sub(remaining));
                let next = if remaining == 0 { period } else { Duration::ZERO };
                Ok(Left { limit, remaining, reset, next })
            }
            Err(until) => Err(self.empty_for(until.wait_time_from(self.limiter.clock().now()))),
        }
    }

    /// What is left when the next request may come after `next`.
    #[must_use]
    pub fn empty_for(&self, next: Duration) -> Left {
        let limit = self.limit.burst;
        let reset = next + times(period(self.limit.rate), limit.saturating_sub(1));
        Left { limit, remaining: 0, reset, next }
    }
}

fn times(period: Duration, count: u64) -> Duration {
    period.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Between two requests at the full rate.
fn period(rate: Rate) -> Duration {
    let nanos = rate.per.as_nanos() / u128::from(rate.amount.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(amount: u64, seconds: u64, burst: u64) -> RateLimit {
        RateLimit { rate: Rate { amount, per: Duration::from_secs(seconds) }, burst }
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_says_when_to_come_back() {
        let bucket = RequestBucket::new(limit(3, 60, 3));
        let left: Vec<_> = (0..3).map(|_| bucket.take().unwrap().remaining).collect();
        assert_eq!(left, [2, 1, 0]);
        let empty = bucket.take().unwrap_err();
        assert!(empty.next > Duration::from_secs(19) && empty.next <= Duration::from_secs(20), "{empty:?}");
    }

    #[test]
    fn waiting_the_time_that_was_told_is_enough() {
        let bucket = RequestBucket::new(limit(100, 1, 1));
        bucket.take().unwrap();
        let wait = bucket.take().unwrap_err().next;
        let begin = std::time::Instant::now();
        while begin.elapsed() < wait {
            std::hint::spin_loop();
        }
        assert!(bucket.take().is_ok());
    }

    #[test]
    fn numbers_beyond_32_bits_are_taken() {
        assert!(RequestBucket::new(limit(u64::MAX, 60, u64::MAX)).take().is_ok());
    }
}
