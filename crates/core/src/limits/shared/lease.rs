//! A replica's slice of a bucket that all replicas share, and what it owes to it.
//!
//! Owns the arithmetic on this side: what may be used without asking, what has to be told, and what holds while
//! Redis is away. Has no lock and reads no clock; the script `decide.lua` is the other side, and the only one
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
    question::{Answer, Purpose, Question, What, positive, signed},
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
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

/// How long a lease lasts, counted from the question: the server's own count ends later.
pub(super) const LIFE: Duration = Duration::from_secs(8);
/// Unused for so long, it is given back.
const IDLE: Duration = Duration::from_secs(1);
/// What was drawn is told at least so often.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// A refusal holds so long without another question, unless its time is shorter.
const REMEMBERED: Duration = Duration::from_millis(250);
/// So long at least, so that the request that was refused finds it.
const LOOKED_AT_FOR: Duration = Duration::from_millis(1);

/// Number of the last question of this process.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// What was last heard of the whole.
#[derive(Debug, Clone, Copy)]
struct Word {
    remaining: i64,
    others: i64,
    paid: i64,
    at: Moment,
}

/// A refusal that is remembered.
#[derive(Debug, Clone, Copy)]
struct Gate {
    need: u64,
    over: Moment,
    ask_again: Moment,
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
    what: What,
    /// A full bucket of a rate: to make one anew for each header would cost more than to copy it.
    full: Option<Cell>,
    down: OnRedisDown,
    replicas: Arc<AtomicU32>,
    /// Units that may be used without asking; below zero: owed.
    balance: i64,
    /// Drawn from leases in all, less what was given back.
    drawn: i64,
    /// What of it the shared bucket knows.
    told: i64,
    /// Number of the last question before this lease's first: answers to others' questions are not its own.
    born: u64,
    heard: u64,
    withdrawn: u64,
    expires: Moment,
    /// Its time was over, and what was drawn from it needs no telling any more.
    lapsed: bool,
    /// A question was not answered: what it brought is not known here.
    unsure: bool,
    asked: Moment,
    asking: u32,
    used: Moment,
    burn: Burn,
    /// The slice that was got when more was asked for: its share.
    most: Option<u64>,
    word: Option<Word>,
    gate: Option<Gate>,
    share: Option<Share>,
    money: Option<Money>,
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

    /// Makes a question.
    pub(in crate::limits) fn ask(&mut self, purpose: Purpose, at: At) -> Question {
        self.tidy(at);
        let seq = NUMBER.fetch_add(1, Ordering::Relaxed) + 1;
        self.asking += 1;
        self.asked = at.now;
        let (need, want, withdraw) = match purpose {
            Purpose::Need(need) => (need, self.burn.target(at.now, need), true),
            Purpose::TopUp => (0, self.burn.target(at.now, 0), false),
            Purpose::Tell => (0, 0, false),
            Purpose::GiveBack => (0, 0, true),
        };
        self.commit(signed(need));
        let (committed, paid) = self.money.map_or((0, 0), |money| (money.committed, money.paid));
        let question = Question {
            what: self.what,
            span: self.money.map(|money| money.span),
            base: self.money.map_or(0, |money| money.base),
            seq,
            drawn: self.drawn,
            unreported: self.drawn - self.told,
            balance: self.balance,
            committed,
            paid,
            need,
            want,
            withdraw,
            sent: at.now,
        };
        if withdraw {
            self.withdrawn = seq;
            self.balance = self.balance.min(0);
        }
        question
    }

    /// Takes an answer in. False when its period is over: what was granted of that is of no use.
    pub(in crate::limits) fn hear(&mut self, question: &Question, answer: &Answer, at: At) -> bool {
        if question.seq <= self.born {
            return false;
        }
        self.asking = self.asking.saturating_sub(1);
        if !answer.granted {
            self.uncommit(question);
        }
        if question.span != self.money.map(|money| money.span) {
            return false;
        }
        self.end_share(at);
        self.unsure &= question.seq < self.withdrawn;
        self.word =
            Some(Word { remaining: answer.remaining, others: answer.others, paid: answer.paid, at: at.now });
        self.gate = (!answer.has).then(|| Gate {
            need: question.need,
            over: after(at.now, answer.wait),
            ask_again: after(at.now, self.forget_in(answer)),
        });
        if question.seq <= self.heard {
            return true;
        }
        self.heard = question.seq;
        self.told = question.drawn;
        if let Some(money) = &mut self.money {
            money.told = (question.committed, question.paid);
        }
        if question.want > 0 {
            self.most = Some(positive(answer.units)).filter(|units| *units < question.want);
        }
        if question.seq >= self.withdrawn {
            self.balance = answer.units - (self.drawn - question.drawn);
            self.expires = after(question.sent, LIFE);
            self.lapsed = false;
        }
        true
    }

    /// No answer came, or nobody waits for it any more. What was granted without our knowing is given back when
    /// Redis answers again.
    pub(in crate::limits) fn unheard(&mut self, question: &Question) {
        if question.seq > self.born {
            self.asking = self.asking.saturating_sub(1);
            self.unsure = true;
            self.uncommit(question);
        }
    }

    /// Money: what was spent is told again soon, if there is any.
    pub(in crate::limits) fn tell_again(&mut self) -> bool {
        let any = self.money.is_some_and(|money| (money.base, money.committed, money.paid) != (0, 0, 0));
        if any {
            self.unsure = true;
            // At once.
            self.asked = Moment(0);
        }
        any
    }

    /// How long a refusal is remembered. Money that is paid does not come back.
    fn forget_in(&self, answer: &Answer) -> Duration {
        let wait = match self.what {
            What::Money(budget) if positive(answer.paid) >= budget.nano_usd => REMEMBERED,
            _ => answer.wait,
        };
        wait.clamp(LOOKED_AT_FOR, REMEMBERED)
    }

    /// Redis is back: what was taken from the share and has not come again since is owed to the whole.
    fn end_share(&mut self, at: At) {
        let Some(share) = self.share.take() else { return };
        let owed = signed(share.lack(at));
        self.drawn += owed;
        self.balance -= owed;
    }

    /// Runs the slice so low that it should be filled up behind the requests' backs? Where the share is smaller than
    /// what is wished, that is what counts: more is not to be had, however often it is asked for.
    pub(in crate::limits) fn is_low(&mut self, at: At) -> bool {
        let wished = self.burn.target(at.now, 0);
        self.asking == 0
            && self.lives(at)
            && positive(self.balance).saturating_mul(4) < self.most.map_or(wished, |most| most.min(wished))
            && at.now.since(self.asked) >= Duration::from_millis(20)
    }

    /// What has to be asked without anybody waiting for it.
    pub(in crate::limits) fn chore(&mut self, at: At) -> Option<Purpose> {
        self.tidy(at);
        if self.asking > 0 {
            return None;
        }
        if self.unsure && at.now.since(self.asked) >= TELL_EVERY {
            return Some(Purpose::GiveBack);
        }
        let idle = at.now.since(self.used) >= IDLE;
        if self.balance > 0 && idle {
            return Some(Purpose::GiveBack);
        }
        // Not when the last question has shown that there is nothing to be had.
        let is_there = self.word.is_some_and(|word| word.remaining > 0);
        if !idle && self.is_low(at) && (is_there || at.now.since(self.asked) >= TELL_EVERY) {
            return Some(Purpose::TopUp);
        }
        let untold = self.drawn != self.told || self.money.is_some_and(|money| !money.is_told());
        if untold && at.now.since(self.asked) >= TELL_EVERY {
            return Some(if idle { Purpose::Tell } else { Purpose::TopUp });
        }
        (self.balance > 0 && at.now.since(self.asked) >= LIFE / 2).then_some(Purpose::TopUp)
    }

    /// Is there anything left to be told or given back?
    pub(in crate::limits) fn is_settled(&self) -> bool {
        self.balance <= 0
            && !self.unsure
            && self.drawn == self.told
            && self.asking == 0
            && self.money.is_none_or(|money| money.is_told())
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

    fn lives(&self, at: At) -> bool {
        at.now < self.expires
    }

    /// Lets go of a lease whose time is over, and of a period that is.
    fn tidy(&mut self, at: At) {
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

    fn commit(&mut self, units: i64) {
        if let Some(money) = &mut self.money {
            money.committed += units;
        }
    }

    fn uncommit(&mut self, question: &Question) {
        if let Some(money) = &mut self.money
            && question.span == Some(money.span)
        {
            money.committed -= signed(question.need);
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

fn after(moment: Moment, time: Duration) -> Moment {
    Moment(moment.0.saturating_add(Moment::at(time).0))
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
