//! What a replica and a shared bucket tell each other: questions made, answers taken in, and what has to be asked
//! without anybody waiting for it.
//!
//! A second half of `lease`: there is what may be used, here what is told.

use super::{
    lease::{Gate, LIFE, Lease, Word},
    question::{Answer, Purpose, Question, What, positive, signed},
};
use crate::limits::{bucket::At, cell::Moment};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Unused for so long, it is given back.
const IDLE: Duration = Duration::from_secs(1);
/// What was drawn is told at least so often.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// A refusal holds so long without another question, unless its time is shorter.
const REMEMBERED: Duration = Duration::from_millis(250);
/// So long at least, so that the request that was refused finds it.
const LOOKED_AT_FOR: Duration = Duration::from_millis(1);

/// Number of the last question of this process.
pub(super) static NUMBER: AtomicU64 = AtomicU64::new(0);

impl Lease {
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

    fn uncommit(&mut self, question: &Question) {
        if let Some(money) = &mut self.money
            && question.span == Some(money.span)
        {
            money.committed -= signed(question.need);
        }
    }
}

fn after(moment: Moment, time: Duration) -> Moment {
    Moment(moment.0.saturating_add(Moment::at(time).0))
}
