//! How upstreams fare, as far as this process has seen: circuits, latencies, retry budgets, key pools.
//!
//! By stable names, so that a reload changes nothing that is known. Owns the state and what is counted as a failure;
//! whom to ask is decided by `stages::route` (order) and `upstream::failover` (who is left out). Knows no request.

pub mod circuit;
pub mod draw;
pub mod hedge;
pub mod key_pool;
pub mod latency;
pub mod lookout;
pub mod remaining;
pub mod retry_budget;
pub mod stock;
mod trouble;
mod window;

pub use hedge::HedgeBudget;
pub use key_pool::KeyPool;
pub use retry_budget::RetryBudget;

use crate::{telemetry::labels::AttemptOutcome, timer};
use circuit::{Admission, Circuit, Fault, State};
use latency::Latency;
use lookout::Lookout;
use prometheus::IntCounter;
use sluice_config::model;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// One target: a provider and its model, as configured.
#[derive(Debug)]
pub struct Health {
    provider: Box<str>,
    model: Box<str>,
    /// Worth asking?
    pub circuit: Circuit,
    /// How quick?
    pub latency: Latency,
    /// Back again?
    pub lookout: Lookout,
    in_flight: AtomicU32,
    /// Transitions, by the state they led to.
    transitions: [IntCounter; 3],
    /// Of a target whose model is a pattern: the models behind it, each by itself. A client that picks one that fails
    /// must not close the way to the others.
    behind: Mutex<HashMap<Box<str>, Arc<Self>>>,
}

/// Models behind one pattern that are known by themselves; names come from clients.
const MOST_BEHIND: usize = 64;

impl Health {
    fn new(
        provider: &str,
        model: &str,
        rules: model::Circuit,
        transitions: [IntCounter; 3],
        lookout: Lookout,
    ) -> Self {
        Self {
            provider: provider.into(),
            model: model.into(),
            circuit: Circuit::new(rules),
            latency: Latency::default(),
            lookout,
            in_flight: AtomicU32::new(0),
            transitions,
            behind: Mutex::default(),
        }
    }

    /// A model behind a pattern. Beyond the cap those that nothing is wrong with make room; where all are in trouble,
    /// further ones share what is known of the pattern.
    #[must_use]
    pub fn behind(self: &Arc<Self>, model: &str) -> Arc<Self> {
        let mut behind = self.models();
        if let Some(known) = behind.get(model) {
            return known.clone();
        }
        if behind.len() >= MOST_BEHIND {
            let now = Instant::now();
            let is_in_use = |health: &Arc<Self>| Arc::strong_count(health) > 1;
            behind.retain(|_, health| is_in_use(health) || health.circuit.stands(now).0 != State::Closed);
        }
        if behind.len() >= MOST_BEHIND {
            return self.clone();
        }
        let health = Arc::new(Self::new(
            &self.provider,
            model,
            self.circuit.rules(),
            self.transitions.clone(),
            self.lookout.another(),
        ));
        behind.insert(model.into(), health.clone());
        health
    }

    fn models(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Self>>> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is its circuit closed; behind a pattern, that of any model that is known?
    #[must_use]
    pub fn is_well(&self, now: Instant) -> bool {
        let is_closed = |health: &Self| health.circuit.stands(now).0 == State::Closed;
        let behind = self.models();
        if behind.is_empty() { is_closed(self) } else { behind.values().any(|health| is_closed(health)) }
    }

    /// Other rules from now on.
    pub fn set_rules(&self, rules: model::Circuit) {
        self.circuit.set_rules(rules);
        self.models().values().for_each(|health| health.circuit.set_rules(rules));
    }

    /// How its circuit stands, and for how long it stays open; behind a pattern, the worst.
    #[must_use]
    pub fn stands(&self, now: Instant) -> (State, Option<Duration>) {
        let own = self.circuit.stands(now);
        self.models().values().map(|health| health.circuit.stands(now)).fold(own, Ord::max)
    }

    /// Requests under way.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        let behind: u32 = self.models().values().map(|health| health.in_flight()).sum();
        self.in_flight.load(Ordering::Relaxed) + behind
    }

    /// Begins a try, if its circuit lets it.
    ///
    /// # Errors
    /// When not; with the time until it may.
    pub fn admit(self: &Arc<Self>, now: Instant) -> Result<Trial, Duration> {
        let (admission, change) = self.circuit.admit(now);
        self.tell(change);
        match admission {
            Admission::Pass => Ok(self.begin(false)),
            Admission::Probe => Ok(self.begin(true)),
            Admission::Refused(left) => Err(left),
        }
    }

    /// Begins a try whatever its circuit says.
    #[must_use]
    pub fn anyway(self: &Arc<Self>) -> Trial {
        self.begin(false)
    }

    /// Closes the circuit by hand.
    pub fn close(&self) {
        self.tell(self.circuit.close());
        self.models().values().for_each(|health| health.close());
    }

    fn begin(self: &Arc<Self>, probe: bool) -> Trial {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Trial { health: self.clone(), asked: timer::now(), probe, answered: false, over: false }
    }

    fn tell(&self, change: Option<State>) {
        let Some(state) = change else { return };
        let index = State::ALL.iter().position(|known| *known == state);
        if let Some(counter) = index.and_then(|index| self.transitions.get(index)) {
            counter.inc();
        }
        let open_for = self.circuit.stands(Instant::now()).1.unwrap_or_default();
        match state {
            State::Open => tracing::warn!(
                provider = &*self.provider,
                model = &*self.model,
                seconds = open_for.as_secs_f64(),
                "a circuit is open: too many failures; until the next probe other targets are asked"
            ),
            State::Closed => {
                tracing::info!(provider = &*self.provider, model = &*self.model, "a circuit has closed");
            }
            State::HalfOpen => {}
        }
    }
}

/// One try under way. Told how it ended, or dropped without a word when nobody will know.
#[derive(Debug)]
pub struct Trial {
    health: Arc<Health>,
    asked: Instant,
    probe: bool,
    /// An answer has begun.
    answered: bool,
    over: bool,
}

impl Trial {
    /// When its target was asked.
    #[must_use]
    pub fn asked(&self) -> Instant {
        self.asked
    }

    /// An answer has begun, after `took`. A probe has proved what it should.
    pub fn delivered(&mut self, took: Duration, stream: bool, now: Instant) {
        self.health.latency.observe(took, stream, now);
        self.answer(now);
    }

    fn answer(&mut self, now: Instant) {
        self.probe = false;
        if !std::mem::replace(&mut self.answered, true) {
            self.health.tell(self.health.circuit.answered(self.asked, now));
        }
    }

    /// The try has ended. Only the first word counts.
    pub fn ended(&mut self, outcome: AttemptOutcome, now: Instant) {
        use AttemptOutcome::{
            AuthError, BadResponse, Cancelled, ClientError, ConnectError, Ok, RateLimited, ServerError,
            Timeout,
        };
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        self.health.in_flight.fetch_sub(1, Ordering::Relaxed);
        let probe = std::mem::take(&mut self.probe);
        if outcome == Ok {
            self.answer(now);
        }
        let circuit = &self.health.circuit;
        match outcome {
            Ok => circuit.ended_well(),
            ServerError | Timeout | ConnectError | BadResponse => {
                let fault = if self.answered { Fault::Broken } else { Fault::NoAnswer { probe } };
                self.health.tell(circuit.failed(now, fault));
                self.health.lookout.met();
            }
            // What a client, its key or a limit brings about says nothing of the target.
            RateLimited | AuthError | ClientError | Cancelled if probe => {
                self.health.tell(circuit.undecided(now));
            }
            Cancelled if self.answered => circuit.ended_well(),
            RateLimited | AuthError | ClientError | Cancelled => {}
        }
    }

    /// No connection could be made, and the try has ended so. Looks out for its being back.
    pub fn lost(&mut self, now: Instant) {
        self.ended(AttemptOutcome::ConnectError, now);
        lookout::lost(&self.health);
    }

    /// Goes on as another that is told in its place.
    #[must_use]
    pub fn hand_over(&mut self) -> Self {
        let health = self.health.clone();
        let over = std::mem::replace(&mut self.over, true);
        Self {
            health,
            asked: self.asked,
            probe: std::mem::take(&mut self.probe),
            answered: self.answered,
            over,
        }
    }

    /// The target asked to be left alone for so long.
    pub fn rest(&self, time: Duration, now: Instant) {
        self.health.circuit.rest(now, time);
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if !self.over {
            self.ended(AttemptOutcome::Cancelled, Instant::now());
        }
    }
}
