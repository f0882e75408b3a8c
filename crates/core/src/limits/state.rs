//! Everything of a scope that changes, behind its lock: what one request takes, holds and gives back.

use super::{
    bucket::{At, Bucket, Hold, How, Lack, expected},
    cell::{Moment, Short},
    local::{Left, RequestBucket},
    pot::Exhausted,
    refusal::Limit,
    scope::{ScopeLimits, Spent, WHOLE},
    warning::{Warning, Warnings},
};
use sluice_config::model::RateLimit;
use std::time::Duration;

/// What of a scope's limits stands in a request's way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shortage {
    pub(super) limit: Limit,
    /// The rate of a bucket, for messages.
    pub(super) rate: Option<RateLimit>,
    pub(super) of: u64,
    pub(super) remaining: u64,
    pub(super) needed: u64,
    /// Known for buckets alone.
    pub(super) wait: Option<Duration>,
    pub(super) never: bool,
    /// Of a budget.
    pub(super) money: Option<Exhausted>,
    /// Of a bucket: what is left of it, for headers.
    pub(super) left: Option<Left>,
}

/// What a request asks of each scope.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    pub(super) tokens: u64,
    pub(super) nano_usd: u64,
}

/// What one look at a scope has found.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Look {
    pub(super) shortage: Option<Shortage>,
    /// A shared bucket has to be asked.
    pub(super) ask: bool,
}

/// What a request holds of a scope.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    generation: u32,
    requests: Hold,
    tokens: Hold,
    money: Hold,
}

/// How a request ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// It has used so much.
    Used(Spent),
    /// It was never sent here: its request counts no more either.
    Unasked,
}

/// See the module.
#[derive(Default)]
pub(super) struct State {
    pub(super) limits: ScopeLimits,
    pub(super) requests: Option<Bucket>,
    pub(super) tokens: Option<Bucket>,
    pub(super) money: Option<Bucket>,
    /// Counts the buckets of tokens: what was reserved of an older one is not given back to a newer one.
    pub(super) generation: u32,
    pub(super) in_flight: u32,
    /// What was left of governor's bucket when it was last asked, and when that was.
    pub(super) taken: Option<(Left, Moment)>,
    /// The keeper of leases looks here.
    pub(super) kept: bool,
    /// What is told when a budget comes near its end.
    pub(super) warnings: Warnings,
}

impl State {
    /// What stands in the way of one more request, a key's own bucket of requests left aside; of several things
    /// the one that lasts longest.
    pub(super) fn look(&mut self, needs: Needs, at: At, how: How) -> Look {
        let mut look = Look { shortage: self.in_flight_shortage(), ask: false };
        let buckets = [
            (&mut self.money, Limit::Budget, needs.nano_usd.max(1)),
            (&mut self.tokens, Limit::Tokens, needs.tokens),
            (&mut self.requests, Limit::Requests, 1),
        ];
        for (bucket, limit, needed) in buckets {
            let Some(bucket) = bucket else { continue };
            match bucket.peek(needed, at, how) {
                Ok(()) => {}
                Err(Lack::Ask) => look.ask = true,
                Err(Lack::Short(short)) => {
                    let found = shortage(bucket, limit, needed, short, at);
                    look.shortage = Shortage::longer(look.shortage, Some(found));
                }
                Err(Lack::Closed) => {
                    let closed =
                        Shortage { wait: Some(Duration::from_secs(1)), ..Shortage::of(Limit::Unknown, 0) };
                    look.shortage = Shortage::longer(look.shortage, Some(closed));
                }
            }
        }
        look
    }

    /// What stood in the way of one more request of a key when its bucket was last asked.
    pub(super) fn expected_shortage(&self, now: Moment) -> Option<Shortage> {
        expected(self.requests.as_ref(), now).map(|(bucket, wait)| of_taken(bucket, wait))
    }

    /// Takes from a key's bucket of requests.
    pub(super) fn take_from_bucket(&mut self, now: Moment) -> Option<Result<Left, Shortage>> {
        let Some(Bucket::Taken { bucket, next }) = &mut self.requests else { return None };
        let taken = bucket.take();
        let (Ok(left) | Err(left)) = taken;
        next.0 = now.0.saturating_add(Moment::at(left.next).0);
        self.taken = Some((left, now));
        Some(taken.map_err(|left| of_taken(bucket, left.next)))
    }

    /// Takes what [`Self::look`] has found to be there.
    pub(super) fn take(&mut self, needs: Needs, at: At, how: How) -> Held {
        self.in_flight = self.in_flight.saturating_add(1);
        let take = |bucket: &mut Option<Bucket>, n| {
            bucket.as_mut().map_or_else(Hold::default, |bucket| bucket.take(n, at, how))
        };
        Held {
            generation: self.generation,
            requests: take(&mut self.requests, 1),
            tokens: take(&mut self.tokens, needs.tokens),
            money: take(&mut self.money, needs.nano_usd.max(1)),
        }
    }

    /// What is left of requests and of tokens.
    pub(super) fn left(&self, at: At) -> (Option<Left>, Option<Left>) {
        let left = |bucket: &Option<Bucket>| bucket.as_ref().and_then(|bucket| bucket.left(at));
        (left(&self.requests), left(&self.tokens))
    }

    /// Ends a request. Tells when a share of the budget was passed by it.
    pub(super) fn end(&mut self, held: &Held, end: End, at: At) -> Option<Warning> {
        self.in_flight = self.in_flight.saturating_sub(1);
        let spent = match end {
            End::Used(spent) => spent,
            End::Unasked => {
                if let Some(requests) = &mut self.requests {
                    requests.settle(held.requests, 0, at);
                }
                Spent::default()
            }
        };
        if let Some(tokens) = &mut self.tokens
            && held.generation == self.generation
        {
            tokens.settle(held.tokens, weighed(spent, self.limits.cached_input_weight), at);
        }
        let money = self.money.as_mut()?;
        money.settle(held.money, spent.nano_usd, at);
        let (paid, span) = money.paid()?;
        self.warnings.passed(self.limits.budget?, paid, span)
    }

    /// Does a slice of what replicas share run low?
    pub(super) fn is_low(&mut self, at: At) -> bool {
        [&mut self.requests, &mut self.tokens, &mut self.money]
            .into_iter()
            .flatten()
            .any(|bucket| bucket.is_low(at))
    }

    fn in_flight_shortage(&self) -> Option<Shortage> {
        let most = self.limits.concurrency.filter(|most| self.in_flight >= *most)?;
        Some(Shortage::of(Limit::Concurrency, most.into()))
    }
}

impl Shortage {
    fn of(limit: Limit, of: u64) -> Self {
        Self {
            limit,
            rate: None,
            of,
            remaining: 0,
            needed: 1,
            wait: None,
            never: false,
            money: None,
            left: None,
        }
    }

    /// Does `other` last longer? Waiting for it is then enough for this one, too. What has no known end comes
    /// after what has one, as a time can be told.
    pub(super) fn is_shorter_than(&self, other: &Self) -> bool {
        (other.never, other.wait) > (self.never, self.wait)
    }

    pub(super) fn longer(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) if one.is_shorter_than(&other) => Some(other),
            (one, other) => one.or(other),
        }
    }
}

fn shortage(bucket: &Bucket, limit: Limit, needed: u64, short: Short, at: At) -> Shortage {
    let (wait, never) = match short {
        Short::For(wait) => (Some(wait), false),
        Short::ForEver => (None, true),
    };
    if limit == Limit::Budget {
        let money = bucket.spent(at);
        let wait = money.map(|money| money.wait).or(wait);
        return Shortage {
            money,
            wait,
            ..Shortage::of(limit, money.map_or(0, |money| money.budget.nano_usd))
        };
    }
    let rate = bucket.limit();
    let left = bucket.left(at);
    let of = left.map(|left| left.limit).or(rate.map(|limit| limit.burst)).unwrap_or(0);
    let remaining = left.map_or(0, |left| left.remaining);
    Shortage { rate, remaining, needed, wait, never, left, ..Shortage::of(limit, of) }
}

fn of_taken(bucket: &RequestBucket, wait: Duration) -> Shortage {
    let rate = RateLimit { rate: bucket.rate(), burst: bucket.burst() };
    let left = Some(bucket.empty_for(wait));
    Shortage { rate: Some(rate), wait: Some(wait), left, ..Shortage::of(Limit::Requests, bucket.burst()) }
}

/// What the bucket is charged. Cached input cannot be more than all there is.
fn weighed(spent: Spent, weight: Option<u32>) -> u64 {
    let Some(weight) = weight else { return spent.tokens };
    let cached = spent.cached_input.min(spent.tokens);
    let charged = (u128::from(cached) * u128::from(weight)).div_ceil(u128::from(WHOLE));
    (spent.tokens - cached).saturating_add(u64::try_from(charged).unwrap_or(u64::MAX))
}
