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

pub use hedge::HedgeBudget;
pub use key_pool::KeyPool;
pub use retry_budget::RetryBudget;

use crate::telemetry::labels::AttemptOutcome;
use circuit::{Admission, Circuit, State};
use latency::Latency;
use lookout::{Lookout, Post};
use prometheus::IntCounter;
use sluice_config::model;
use std::{
    sync::{
        Arc,
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
}

impl Health {
    fn new(
        provider: &str,
        model: &str,
        rules: model::Circuit,
        transitions: [IntCounter; 3],
        post: Post,
    ) -> Self {
        Self {
            provider: provider.into(),
            model: model.into(),
            circuit: Circuit::new(rules),
            latency: Latency::default(),
            lookout: Lookout::new(post),
            in_flight: AtomicU32::new(0),
            transitions,
        }
    }

    /// Requests under way.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
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
    }

    fn begin(self: &Arc<Self>, probe: bool) -> Trial {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Trial { health: self.clone(), probe, over: false }
    }

    fn tell(&self, change: Option<State>) {
        let Some(state) = change else { return };
        let index = State::ALL.iter().position(|known| *known == state);
        if let Some(counter) = index.and_then(|index| self.transitions.get(index)) {
            counter.inc();
        }
        match state {
            State::Open => tracing::warn!(
                provider = &*self.provider,
                model = &*self.model,
                "a circuit has opened: too many failures; other targets are asked first"
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
    probe: bool,
    over: bool,
}

impl Trial {
    /// The first byte of an answer has come after `took`. A probe has proved what it should.
    pub fn delivered(&mut self, took: Duration, now: Instant) {
        self.health.latency.observe(took, now);
        if std::mem::take(&mut self.probe) {
            self.health.tell(self.health.circuit.succeeded(now));
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
        let circuit = &self.health.circuit;
        let change = match outcome {
            Ok => circuit.succeeded(now),
            ServerError | Timeout | ConnectError | BadResponse => circuit.failed(now, probe),
            // What a client, its key or a limit brings about says nothing of the target.
            RateLimited | AuthError | ClientError | Cancelled if probe => circuit.undecided(now),
            RateLimited | AuthError | ClientError | Cancelled => None,
        };
        self.health.tell(change);
        match outcome {
            ConnectError => lookout::lost(&self.health),
            ServerError | Timeout | BadResponse => self.health.lookout.met(),
            _ => {}
        }
    }

    /// The target asked to be left alone for so long.
    pub fn rest(&self, time: Duration, now: Instant) {
        self.health.circuit.rest(now, time);
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.ended(AttemptOutcome::Cancelled, Instant::now());
    }
}
