//! What one replica may use of a shared bucket while Redis is away: its share, and no more than its share of what
//! was last known to be there.

use crate::limits::{
    bucket::{At, Lack},
    cell::{Cell, Short},
};
use sluice_config::model::{Rate, RateLimit};
use std::time::Duration;

/// See the module.
#[derive(Debug, Clone)]
pub(super) enum Share {
    /// Units that come at the replica's share of the rate, and how many of them were used.
    Rate(Cell, u64),
    /// Money that is left.
    Money(i64),
}

impl Share {
    /// The share of a rate among so many replicas; `there` is the replica's part of what is there.
    pub(super) fn of_rate(limit: RateLimit, replicas: u64, there: u64, at: At) -> Self {
        let share = part(limit, replicas);
        let mut cell = Cell::new(share);
        cell.debit(share.burst.saturating_sub(there), at.now);
        Self::Rate(cell, 0)
    }

    /// What was used of a rate and has not come again.
    pub(super) fn lack(&self, at: At) -> u64 {
        match self {
            Self::Rate(cell, used) => {
                let left = cell.left(1, at.now);
                left.limit.saturating_sub(left.remaining).min(*used)
            }
            Self::Money(_) => 0,
        }
    }

    /// Could `n` be taken? A full share lets one pass that is larger, as a debt: the whole bucket would fit it. Money
    /// that holds anything at all lets one more pass.
    pub(super) fn peek(&self, n: u64, at: At) -> Result<(), Lack> {
        match self {
            Self::Rate(cell, _) => cell.peek(n.min(cell.limit().burst), at.now).map_err(Lack::Short),
            Self::Money(left) if *left > 0 => Ok(()),
            Self::Money(_) => Err(Lack::Short(Short::For(Duration::ZERO))),
        }
    }

    /// Takes what was found to be there.
    pub(super) fn take(&mut self, n: u64, at: At) {
        match self {
            Self::Rate(cell, used) => {
                cell.debit(n, at.now);
                *used = used.saturating_add(n);
            }
            Self::Money(left) => *left -= super::question::signed(n),
        }
    }

    /// Ends a request that took `taken` and has used `used`.
    pub(super) fn settle(&mut self, taken: u64, used: u64, at: At) {
        match self {
            Self::Rate(cell, all) if used > taken => {
                cell.debit(used - taken, at.now);
                *all = all.saturating_add(used - taken);
            }
            Self::Rate(cell, all) => {
                cell.refund(taken - used);
                *all = all.saturating_sub(taken - used);
            }
            Self::Money(left) => {
                *left += super::question::signed(taken) - super::question::signed(used);
            }
        }
    }
}

/// One of so many equal parts of a limit; at least one unit, or a replica could serve nobody.
fn part(limit: RateLimit, replicas: u64) -> RateLimit {
    let per = limit.rate.per.saturating_mul(u32::try_from(replicas).unwrap_or(u32::MAX));
    RateLimit { rate: Rate { per, ..limit.rate }, burst: (limit.burst / replicas).max(1) }
}
