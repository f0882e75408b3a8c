//! One bucket of a scope, wherever it is counted: in this process, or shared by all replicas.
//!
//! Owns the choice between the kinds and nothing of their arithmetic. Money is a bucket like others, but for two
//! things: one that holds anything at all lets one more request pass, and what was held counts for the period in
//! which it was held.

use super::{
    cell::{Cell, Moment, Short},
    local::{Left, RequestBucket},
    pot::{Exhausted, Pot, Span},
    shared::lease::{Lease, Via},
};
use crate::timer;
use sluice_config::model::RateLimit;
use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

/// The time, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct At {
    /// Monotonic: buckets.
    pub now: Moment,
    /// Seconds since 1970: periods of budgets.
    pub second: i64,
}

impl At {
    /// Now.
    #[must_use]
    pub fn present() -> Self {
        Self::just(Instant::now())
    }

    /// A moment that has just been read.
    #[must_use]
    pub fn just(now: Instant) -> Self {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        // An hour in, so that no moment of the past is before the start.
        let elapsed = now.saturating_duration_since(*START) + Duration::from_secs(3600);
        Self { now: Moment::at(elapsed), second: timer::second(now) }
    }
}

/// With what knowledge of shared buckets a request is decided. Of no meaning for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// With what this replica holds.
    Held,
    /// All of them were asked, and have given what is needed.
    Granted,
    /// None can be asked.
    Away,
}

/// Why something cannot be taken here and now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::limits) enum Lack {
    /// It is not there.
    Short(Short),
    /// Nobody knows without asking.
    Ask,
    /// It cannot be asked, and then nothing may pass.
    Closed,
}

/// See the module.
pub(super) enum Bucket {
    /// A key's requests in this process, governor's. It can neither look nor give back, so it is asked last; `next`
    /// is the earliest time at which it may have another request, as far as its last answer tells.
    Taken { bucket: Arc<RequestBucket>, next: Moment },
    /// Units in this process.
    Cell(Cell),
    /// Money in this process.
    Pot(Pot),
    /// A slice of what replicas share.
    Lease(Box<Lease>),
}

/// What a request holds of a bucket.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hold {
    pub(super) units: u64,
    via: Via,
    /// Money: the period that it counts for.
    start: i64,
}

impl Bucket {
    /// Could `n` be taken? governor's is left aside.
    pub(super) fn peek(&mut self, n: u64, at: At, how: How) -> Result<(), Lack> {
        match self {
            Self::Taken { .. } => Ok(()),
            Self::Cell(cell) => cell.peek(n, at.now).map_err(Lack::Short),
            Self::Pot(pot) => {
                pot.turn(at.second);
                pot.peek(at.second).map_err(|spent| Lack::Short(Short::For(spent.wait)))
            }
            Self::Lease(lease) => lease.peek(n, at, how),
        }
    }

    /// Takes what [`Self::peek`] has found to be there.
    pub(super) fn take(&mut self, n: u64, at: At, how: How) -> Hold {
        let mut hold = Hold { units: n, ..Hold::default() };
        match self {
            Self::Taken { .. } => {}
            Self::Cell(cell) => cell.debit(n, at.now),
            Self::Pot(pot) => hold.start = pot.hold(n),
            Self::Lease(lease) => {
                hold.via = lease.take(n, at, how);
                hold.start = lease.start();
            }
        }
        hold
    }

    /// Ends a request that held `hold`: it has used `used`.
    pub(super) fn settle(&mut self, hold: Hold, used: u64, at: At) {
        match self {
            Self::Taken { .. } => {}
            Self::Cell(cell) if used > hold.units => cell.debit(used - hold.units, at.now),
            Self::Cell(cell) => cell.refund(hold.units - used),
            Self::Pot(pot) => {
                pot.turn(at.second);
                pot.settle(hold.start, hold.units, used);
            }
            Self::Lease(lease) if lease.is_money() => {
                lease.pay(hold.via, hold.start, hold.units, used, at);
            }
            Self::Lease(lease) => lease.settle(hold.via, hold.units, used, at),
        }
    }

    /// What is left; absent for money, and for governor's, which tells only when it is asked.
    pub(super) fn left(&self, at: At) -> Option<Left> {
        match self {
            Self::Cell(cell) => Some(cell.left(1, at.now)),
            Self::Lease(lease) => Some(lease.left(at)),
            Self::Taken { .. } | Self::Pot(_) => None,
        }
    }

    /// Money: how it stands when nothing can be taken.
    pub(super) fn spent(&self, at: At) -> Option<Exhausted> {
        match self {
            Self::Pot(pot) => pot.peek(at.second).err(),
            Self::Lease(lease) => lease.spent(at),
            Self::Taken { .. } | Self::Cell(_) => None,
        }
    }

    /// Money: paid in its period, and the period.
    pub(super) fn paid(&self) -> Option<(u64, Span)> {
        match self {
            Self::Pot(pot) => Some((pot.paid(), pot.span())),
            Self::Lease(lease) => lease.paid(),
            Self::Taken { .. } | Self::Cell(_) => None,
        }
    }

    /// The rate, for messages.
    pub(super) fn limit(&self) -> Option<RateLimit> {
        match self {
            Self::Taken { bucket, .. } => Some(RateLimit { rate: bucket.rate(), burst: bucket.burst() }),
            Self::Cell(cell) => Some(cell.limit()),
            Self::Lease(lease) => lease.limit(),
            Self::Pot(_) => None,
        }
    }

    pub(super) fn lease(&mut self) -> Option<&mut Lease> {
        match self {
            Self::Lease(lease) => Some(lease),
            _ => None,
        }
    }

    /// Does a slice run low?
    pub(super) fn is_low(&mut self, at: At) -> bool {
        self.lease().is_some_and(|lease| lease.is_low(at))
    }
}

/// How long governor's bucket needs for another request, as far as is known.
pub(super) fn expected(bucket: Option<&Bucket>, now: Moment) -> Option<(&RequestBucket, Duration)> {
    match bucket {
        Some(Bucket::Taken { bucket, next }) if *next > now => Some((bucket, next.since(now))),
        _ => None,
    }
}
