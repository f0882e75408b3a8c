//! A circuit: is a target worth asking, after what it did lately?
//!
//! Closed it lets everybody pass; open, nobody; once its time is over, one probe whose end decides. Owns the
//! counting and the times, with the clock handed in; what counts as a failure is its caller's to say. An open
//! circuit is advice: where nothing better is left the caller asks anyway, and what comes of that counts as well.

use super::window::Window;
use serde::{Deserialize, Serialize};
use sluice_config::model;
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// Each further open time is so much longer than the one before. Less than twice, so that a target that comes back
/// after some seconds is not left alone for as long again.
const GROWTH: f64 = 1.5;

/// How a circuit stands. Ordered by badness, so that the worst of several replicas is their maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// All pass.
    Closed,
    /// One is under way to find out.
    HalfOpen,
    /// None pass.
    Open,
}

impl State {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Closed, Self::HalfOpen, Self::Open];

    /// The words of all states.
    pub const WORDS: &'static [&'static str] = &["closed", "half_open", "open"];

    /// The word in labels and on `/status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// May a request pass?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Pass,
    /// Yes, and its end decides for the others.
    Probe,
    /// No, for so long at least.
    Refused(Duration),
}

/// See the module.
#[derive(Debug)]
pub struct Circuit {
    inner: Mutex<Inner>,
    /// Answers in a row that began and broke. Beside the lock: every answer that ends well looks at it.
    breaks: AtomicU32,
}

#[derive(Debug)]
struct Inner {
    rules: model::Circuit,
    stand: Stand,
    /// Failures in a row to begin an answer.
    streak: u32,
    /// When it opened. Whoever was asked before says nothing of what came after.
    opened: Option<Instant>,
    /// The next open time; the first where absent.
    next_open: Option<Duration>,
    window: Window,
    resting: Option<Rest>,
}

/// It asked to be left alone.
#[derive(Debug, Clone, Copy)]
struct Rest {
    since: Instant,
    until: Instant,
}

/// How a try failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Before any of an answer had come.
    NoAnswer {
        /// The others wait for its end.
        probe: bool,
    },
    /// After the answer had begun.
    Broken,
}

#[derive(Debug, Clone, Copy)]
enum Stand {
    Closed,
    Open {
        until: Instant,
    },
    /// A probe is under way. One that hangs does not hold up the next for ever.
    HalfOpen {
        next_probe: Instant,
        /// The open time that follows a probe which said nothing.
        before: Option<Duration>,
    },
}

impl Stand {
    fn state(self) -> State {
        match self {
            Self::Closed => State::Closed,
            Self::HalfOpen { .. } => State::HalfOpen,
            Self::Open { .. } => State::Open,
        }
    }
}

impl Circuit {
    /// A closed one.
    #[must_use]
    pub fn new(rules: model::Circuit) -> Self {
        let inner = Inner {
            rules,
            stand: Stand::Closed,
            streak: 0,
            opened: None,
            next_open: None,
            window: Window::default(),
            resting: None,
        };
        Self { inner: Mutex::new(inner), breaks: AtomicU32::new(0) }
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> model::Circuit {
        self.with(|inner| inner.rules)
    }

    /// Other rules from now on; what was counted stays.
    pub fn set_rules(&self, rules: model::Circuit) {
        self.with(|inner| inner.rules = rules);
    }

    /// Asks for leave, and says which state that led to, if it led to another. Whoever got [`Admission::Probe`] owes one of [`Circuit::answered`], [`Circuit::failed`] and
    /// [`Circuit::undecided`].
    pub fn admit(&self, now: Instant) -> (Admission, Option<State>) {
        self.change(|inner| match inner.refuses(now) {
            Some(left) => Admission::Refused(left),
            None => match inner.stand {
                Stand::Closed => Admission::Pass,
                Stand::Open { .. } | Stand::HalfOpen { .. } => {
                    let before = inner.next_open;
                    let next_probe = now + inner.next_time();
                    inner.stand = Stand::HalfOpen { next_probe, before };
                    Admission::Probe
                }
            },
        })
    }

    /// Would it refuse a request at this time, and for how long? Asks for nothing.
    #[must_use]
    pub fn refuses(&self, now: Instant) -> Option<Duration> {
        self.with(|inner| inner.refuses(now))
    }

    /// An answer has begun, of a request that went out at `asked`. Closes, whoever asked, unless it was asked before
    /// the trouble.
    pub fn answered(&self, asked: Instant, now: Instant) -> Option<State> {
        self.change(|inner| {
            inner.streak = 0;
            inner.resting.take_if(|rest| rest.since <= asked);
            match inner.stand {
                Stand::Closed => inner.window.count(now, inner.rules.window, false),
                Stand::Open { .. } | Stand::HalfOpen { .. } if inner.opened > Some(asked) => {}
                Stand::Open { .. } | Stand::HalfOpen { .. } => inner.close(),
            }
        })
        .1
    }

    /// An answer has ended well, or nothing bad is known of it.
    pub fn ended_well(&self) {
        if self.breaks.load(Ordering::Relaxed) > 0 {
            self.breaks.store(0, Ordering::Relaxed);
        }
    }

    /// It failed.
    pub fn failed(&self, now: Instant, fault: Fault) -> Option<State> {
        self.change(|inner| {
            let in_a_row = match fault {
                Fault::NoAnswer { .. } => {
                    inner.streak = inner.streak.saturating_add(1);
                    inner.streak
                }
                Fault::Broken => self.breaks.fetch_add(1, Ordering::Relaxed).saturating_add(1),
            };
            match (inner.stand, fault) {
                (Stand::Closed, _) => {
                    match fault {
                        Fault::NoAnswer { .. } => inner.window.count(now, inner.rules.window, true),
                        // It was counted as an answer.
                        Fault::Broken => inner.window.turn_bad(now, inner.rules.window),
                    }
                    if inner.is_too_much(in_a_row) {
                        inner.open(now);
                    }
                }
                (Stand::HalfOpen { .. }, Fault::NoAnswer { probe: true }) => inner.open(now),
                // A request from before, or one that went anyway: it says what is known.
                (Stand::HalfOpen { .. } | Stand::Open { .. }, _) => {}
            }
        })
        .1
    }

    /// A probe ended without an answer to its question: the next may ask.
    pub fn undecided(&self, now: Instant) -> Option<State> {
        self.change(|inner| {
            if let Stand::HalfOpen { before, .. } = inner.stand {
                inner.next_open = before;
                inner.stand = Stand::Open { until: now };
            }
        })
        .1
    }

    /// It asked to be left alone for a while. Others are asked first; no failure by itself.
    pub fn rest(&self, now: Instant, time: Duration) {
        self.with(|inner| {
            let until = now + time.min(inner.rules.max_open);
            inner.resting = Some(Rest { since: now, until });
        });
    }

    /// Something speaks for its being back: the next may probe at once.
    pub fn is_due(&self, now: Instant) {
        self.with(|inner| {
            if let Stand::Open { until } = &mut inner.stand {
                *until = now;
            }
        });
    }

    /// Closes it by hand.
    pub fn close(&self) -> Option<State> {
        self.change(|inner| {
            inner.streak = 0;
            inner.resting = None;
            inner.close();
        })
        .1
    }

    /// How it stands, and for how long it stays open.
    #[must_use]
    pub fn stands(&self, now: Instant) -> (State, Option<Duration>) {
        self.with(|inner| match inner.stand {
            Stand::Open { until } => (State::Open, Some(until.saturating_duration_since(now))),
            stand => (stand.state(), None),
        })
    }

    /// For how long it still wants to be left alone, by its own word.
    #[must_use]
    pub fn rests(&self, now: Instant) -> Option<Duration> {
        let left = self.with(|inner| inner.resting)?.until.checked_duration_since(now)?;
        (!left.is_zero()).then_some(left)
    }

    /// Also tells the new state, if there is one.
    fn change<T>(&self, step: impl FnOnce(&mut Inner) -> T) -> (T, Option<State>) {
        self.with(|inner| {
            let before = inner.stand.state();
            let made = step(inner);
            let after = inner.stand.state();
            if before != after && after == State::Closed {
                self.breaks.store(0, Ordering::Relaxed);
            }
            (made, (before != after).then_some(after))
        })
    }

    fn with<T>(&self, step: impl FnOnce(&mut Inner) -> T) -> T {
        step(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn is_too_much(&self, in_a_row: u32) -> bool {
        let (all, failed) = self.window.sum();
        let many = all >= self.rules.min_requests;
        in_a_row >= self.rules.consecutive_failures
            || (many && f64::from(failed) > self.rules.failure_ratio.0 * f64::from(all))
    }

    fn refuses(&self, now: Instant) -> Option<Duration> {
        let until = match self.stand {
            Stand::Closed => self.resting?.until,
            Stand::Open { until } => until,
            Stand::HalfOpen { next_probe, .. } => next_probe,
        };
        until.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    fn open(&mut self, now: Instant) {
        // After a probe the time was reckoned when it began.
        let until = match self.stand {
            Stand::HalfOpen { next_probe, .. } => next_probe.max(now + self.rules.open_for),
            Stand::Closed | Stand::Open { .. } => now + self.next_time(),
        };
        self.stand = Stand::Open { until };
        self.opened = Some(now);
    }

    /// The next open time; those after it are longer.
    fn next_time(&mut self) -> Duration {
        let time = self.next_open.unwrap_or(self.rules.open_for).min(self.rules.max_open);
        self.next_open = Some(time.mul_f64(GROWTH));
        time
    }

    fn close(&mut self) {
        self.stand = Stand::Closed;
        self.opened = None;
        self.next_open = None;
        self.window = Window::default();
    }
}

#[cfg(test)]
#[path = "circuit_tests.rs"]
mod tests;
