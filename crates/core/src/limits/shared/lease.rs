//! A replica's slice of a bucket that all replicas share, and what it owes to it.
//!
//! Owns the arithmetic on this side: what may be used without asking, and what holds while Redis is away; what is
//! told and asked is `talk`'s. Has no lock and reads no clock; the script `decide.lua` is the other side, and the only one
//! that makes units.
//!
//! Between both holds: what the shared bucket has down for this replica is `balance`, and what was drawn from
//! leases and not told yet. A request that asks gives back the whole slice first, so that all there is is looked
//! at; its answer brings a new one. Answers may come in another order than questions: each question has a number,
//! and no slice that a later question gave back is taken up again.

use super::{
    away::Share,
    burn::Burn,
    money::Money,
    question::{What, positive, signed},
    talk::NUMBER,
};
use crate::limits::{
    bucket::{At, How, Lack},
    cell::{Cell, Moment, Short},
    local::Left,
    pot::{self, Budget, Span},
};
use sluice_config::model::{OnRedisDown, RateLimit};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// How long a lease lasts, counted from the question: the server's own count ends later.
pub(super) const LIFE: Duration = Duration::from_secs(8);

/// What was last heard of the whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    pub(super) remaining: i64,
    pub(super) others: i64,
    pub(super) paid: i64,
    pub(super) at: Moment,
}

/// A refusal that is remembered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gate {
    pub(super) need: u64,
    pub(super) over: Moment,
    pub(super) ask_again: Moment,
}

/// Who lent the units of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::limits) enum Via {
    /// The bucket itself.
    #[default]
    Own,
    /// The replica's share, while Redis was away.
    Share,
    /// Nobody counted.
    Open,
}

/// See the module.
#[derive(Debug, Clone)]
pub(in crate::limits) struct Lease {
    pub(super) what: What,
    /// A full bucket of a rate: to make one anew for each header would cost more than to copy it.
    pub(super) full: Option<Cell>,
    pub(super) down: OnRedisDown,
    pub(super) replicas: Arc<AtomicU32>,
    /// Units that may be used without asking; below zero: owed.
    pub(super) balance: i64,
    /// Drawn from leases in all, less what was given back.
    pub(super) drawn: i64,
    /// What of it the shared bucket knows.
    pub(super) told: i64,
    /// Number of the last question before this lease's first: answers to others' questions are not its own.
    pub(super) born: u64,
    pub(super) heard: u64,
    pub(super) withdrawn: u64,
    pub(super) expires: Moment,
    /// Its time was over, and what was drawn from it needs no telling any more.
    pub(super) lapsed: bool,
    /// A question was not answered: what it brought is not known here.
    pub(super) unsure: bool,
    pub(super) asked: Moment,
    pub(super) asking: u32,
    pub(super) used: Moment,
    pub(super) burn: Burn,
    /// The slice that was got when more was asked for: its share.
    pub(super) most: Option<u64>,
    pub(super) word: Option<Word>,
    pub(super) gate: Option<Gate>,
    pub(super) share: Option<Share>,
    pub(super) money: Option<Money>,
}

impl Lease {
    pub(in crate::limits) fn rate(limit: RateLimit, down: OnRedisDown, replicas: Arc<AtomicU32>) -> Self {
        Self::new(What::Rate(limit), None, down, replicas)
    }

    /// `paid` was spent before in the period of `second`.
    pub(in crate::limits) fn money(
        budget: Budget,
        paid: u64,
        second: i64,
        down: OnRedisDown,
        replicas: Arc<AtomicU32>,
    ) -> Self {
        Self::new(What::Money(budget), Some(Money::new(budget, paid, second)), down, replicas)
    }

    fn new(what: What, money: Option<Money>, down: OnRedisDown, replicas: Arc<AtomicU32>) -> Self {
        Self {
            what,
            full: full(what),
            down,
            replicas,
            balance: 0,
            drawn: 0,
            told: 0,
            born: NUMBER.load(Ordering::Relaxed),
            heard: 0,
            withdrawn: 0,
            expires: Moment(0),
            lapsed: true,
            unsure: false,
            asked: Moment(0),
            asking: 0,
            used: Moment(0),
            burn: Burn::default(),
            most: None,
            word: None,
            gate: None,
            share: None,
            money,
        }
    }

    pub(in crate::limits) fn what(&self) -> What {
        self.what
    }

    /// The rate by which it is decided now: the whole, or this replica's share.
    pub(in crate::limits) fn limit(&self) -> Option<RateLimit> {
        match (&self.share, self.what) {
            (Some(Share::Rate(cell, _)), _) => Some(cell.limit()),
            (_, What::Rate(limit)) => Some(limit),
            (_, What::Money(_)) => None,
        }
    }

    pub(in crate::limits) fn down(&self) -> OnRedisDown {
        self.down
    }

    pub(in crate::limits) fn set_down(&mut self, down: OnRedisDown) {
        self.down = down;
    }

    /// The same bucket under another limit: a rate stays a rate, and money money of the same kind of period.
    pub(in crate::limits) fn set_limit(&mut self, what: What) {
        if self.what != what {
            (self.what, self.full) = (what, full(what));
            (self.gate, self.share) = (None, None);
        }
    }

    /// Paid in the period by all replicas, as far as is known here; the period.
    pub(in crate::limits) fn paid(&self) -> Option<(u64, Span)> {
        let money = self.money?;
        let own = money.base.saturating_add(positive(money.paid));
        let all = self.word.map_or(0, |word| positive(word.paid));
        Some((all.max(own), money.span))
    }

    /// Could `n` units be taken?
    pub(in crate::limits) fn peek(&mut self, n: u64, at: At, how: How) -> Result<(), Lack> {
        self.tidy(at);
        if let What::Rate(limit) = self.what
            && n > limit.burst.max(1)
        {
            return Err(Lack::Short(Short::ForEver));
        }
        match how {
            How::Granted => Ok(()),
            How::Held if self.balance >= signed(n) => Ok(()),
            How::Held => Err(self.remembered(n, at).unwrap_or(Lack::Ask)),
            How::Away => match self.down {
                OnRedisDown::Open => Ok(()),
                OnRedisDown::Closed => Err(Lack::Closed),
                OnRedisDown::Local => self.share(at).peek(n, at),
            },
        }
    }

    /// Takes what [`Self::peek`] has found to be there.
    pub(in crate::limits) fn take(&mut self, n: u64, at: At, how: How) -> Via {
        self.used = at.now;
        self.burn.took(n);
        match how {
            // The script has taken it already, and money was put down when it was asked.
            How::Granted => Via::Own,
            How::Held => {
                self.balance -= signed(n);
                self.drawn += signed(n);
                self.commit(signed(n));
                Via::Own
            }
            How::Away if self.down == OnRedisDown::Open => {
                self.commit(signed(n));
                Via::Open
            }
            How::Away => {
                self.commit(signed(n));
                self.share(at).take(n, at);
                Via::Share
            }
        }
    }

    /// Ends a request that took `taken` of a rate: it has used `used`.
    pub(in crate::limits) fn settle(&mut self, via: Via, taken: u64, used: u64, at: At) {
        let back = signed(taken) - signed(used);
        match (via, &mut self.share) {
            (Via::Open, _) => {}
            (Via::Share, Some(share)) => share.settle(taken, used, at),
            // Redis came back meanwhile: nobody there knows of these units.
            (Via::Share, None) => {}
            (Via::Own, _) => {
                self.tidy(at);
                self.drawn -= back;
                if back < 0 || self.lives(at) {
                    self.balance += back;
                }
            }
        }
    }

    /// Ends a request that held `held` of the period that began at `start`: it has cost `paid`.
    pub(in crate::limits) fn pay(&mut self, via: Via, start: i64, held: u64, paid: u64, at: At) {
        self.tidy(at);
        let Some(money) = &mut self.money else { return };
        if money.pay(start, held, paid)
            && let (Via::Share, Some(share)) = (via, &mut self.share)
        {
            share.settle(held, paid, at);
        }
    }

    /// Gives back what was taken for a request that is not admitted after all.
    pub(in crate::limits) fn put_back(&mut self, units: u64, at: At) {
        if self.is_money() {
            self.pay(Via::Own, self.start(), units, 0, at);
        } else {
            self.settle(Via::Own, units, 0, at);
        }
    }

    /// What is left of the whole, as far as is known here.
    pub(in crate::limits) fn left(&self, at: At) -> Left {
        let What::Rate(limit) = self.what else {
            return Left::default();
        };
        if let Some(Share::Rate(cell, _)) = &self.share {
            return cell.left(1, at.now);
        }
        let lent = self.word.map_or(0, |word| positive(word.others));
        let left = self.whole(limit).left(1, at.now);
        Left { remaining: left.remaining.saturating_sub(lent), ..left }
    }

    /// The whole bucket as last heard of, with what is lent.
    fn whole(&self, limit: RateLimit) -> Cell {
        let mut cell = self.full.clone().unwrap_or_else(|| Cell::new(limit));
        if let Some(word) = self.word {
            let there = positive(word.remaining)
                .saturating_add(positive(self.balance))
                .saturating_add(positive(word.others));
            cell.debit(limit.burst.max(1).saturating_sub(there), word.at);
        }
        cell
    }

    /// Money: what is refused, and until when.
    pub(in crate::limits) fn spent(&self, at: At) -> Option<pot::Exhausted> {
        let What::Money(budget) = self.what else { return None };
        let (paid, span) = self.paid()?;
        Some(pot::refusal(budget, paid, span, at.second))
    }

    pub(in crate::limits) fn is_money(&self) -> bool {
        self.money.is_some()
    }

    /// The beginning of the period that money counts for.
    pub(in crate::limits) fn start(&self) -> i64 {
        self.money.map_or(0, |money| money.span.start)
    }

    pub(super) fn lives(&self, at: At) -> bool {
        at.now < self.expires
    }

    /// Lets go of a lease whose time is over, and of a period that is.
    pub(super) fn tidy(&mut self, at: At) {
        if !self.lives(at) && !self.lapsed {
            // It counts as used: nobody tells what was drawn from it, but what was drawn beyond it.
            self.lapsed = true;
            self.balance = self.balance.min(0);
            self.told = self.drawn + self.balance;
        }
        let (What::Money(budget), Some(money)) = (self.what, &mut self.money) else { return };
        if at.second >= money.span.end {
            *money = Money::new(budget, 0, at.second);
            (self.balance, self.drawn, self.told) = (0, 0, 0);
            (self.word, self.gate, self.share) = (None, None, None);
            (self.lapsed, self.unsure) = (true, false);
            // No answer of the old period may bring a slice.
            let last = NUMBER.load(Ordering::Relaxed);
            (self.withdrawn, self.heard) = (last + 1, last);
        }
    }

    pub(super) fn commit(&mut self, units: i64) {
        if let Some(money) = &mut self.money {
            money.committed += units;
        }
    }

    fn remembered(&self, n: u64, at: At) -> Option<Lack> {
        let gate = self.gate.filter(|gate| n >= gate.need && at.now < gate.ask_again)?;
        // Of money it is `spent` that knows how long it takes.
        let What::Rate(limit) = self.what else { return Some(Lack::Short(Short::For(Duration::ZERO))) };
        let others = self.word.map_or(0, |word| positive(word.others));
        let more = n - gate.need;
        if more > 0 && n > limit.burst.saturating_sub(others) {
            // It hangs on what others hold.
            return None;
        }
        Some(Lack::Short(Short::For(gate.over.since(at.now) + time_of(limit, more))))
    }

    /// This replica's share of the bucket: at most its share of what was last known to be there.
    fn share(&mut self, at: At) -> &mut Share {
        let replicas = u64::from(self.replicas.load(Ordering::Relaxed).max(1));
        let share = match (self.share.take(), self.what) {
            (Some(share), _) => share,
            (None, What::Rate(limit)) => {
                let there = self.whole(limit).left(1, at.now).remaining;
                Share::of_rate(limit, replicas, there / replicas, at)
            }
            (None, What::Money(budget)) => {
                let own = self.money.map_or(0, |money| money.base);
                let left = match self.word {
                    Some(word) => positive(word.remaining) / replicas + positive(self.balance),
                    None => budget.nano_usd.saturating_sub(own) / replicas,
                };
                Share::Money(signed(left))
            }
        };
        self.share.insert(share)
    }
}

fn full(what: What) -> Option<Cell> {
    match what {
        What::Rate(limit) => Some(Cell::new(limit)),
        What::Money(_) => None,
    }
}

/// In what time so many units come, rounded up.
fn time_of(limit: RateLimit, units: u64) -> Duration {
    let nanos =
        (u128::from(units) * limit.rate.per.as_nanos()).div_ceil(u128::from(limit.rate.amount.max(1)));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
