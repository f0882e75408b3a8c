//! What a gateway that runs knows of the targets, put beside what its configuration says. Asking it is the
//! caller's: here nobody is asked.

use super::{
    Explanation,
    routing::{PlaceFact, TargetFacts},
};
use crate::{health::circuit::State, state::upstream_status::UpstreamStatus};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// The part of a status page that tells how targets fare.
#[derive(Debug, Deserialize)]
pub struct Live {
    upstreams: Vec<UpstreamStatus>,
}

/// How a target fares: the facts of its line on the status page.
#[derive(Debug, Clone, Serialize)]
pub(super) struct HealthFacts {
    circuit: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_for_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resting_for_ms: Option<u64>,
    key_ready: bool,
    in_flight: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<f64>,
}

impl HealthFacts {
    fn of(known: &UpstreamStatus) -> Self {
        Self {
            circuit: known.circuit,
            open_for_ms: known.open_for_ms,
            resting_for_ms: known.resting_for_ms,
            key_ready: known.key_ready,
            in_flight: known.in_flight,
            latency_ms: known.latency_ms,
        }
    }
}

impl TargetFacts {
    /// Is its circuit open, with time left? Once that is over the next request asks it as a probe.
    pub(super) fn is_passed_by(&self) -> bool {
        let is_open = |health: &HealthFacts| {
            health.circuit == State::Open && health.open_for_ms.is_some_and(|left| left > 0)
        };
        self.health.as_ref().is_some_and(is_open)
    }
}

impl Explanation {
    /// Says of each target how it fares there.
    pub fn add_health(&mut self, live: &Live) {
        let mut missing = 0;
        for target in &mut self.routing.targets {
            let known = live.upstreams.iter().find(|known| is_of(known, target));
            missing += usize::from(known.is_none());
            target.health_text =
                Some(known.map_or_else(|| "unknown to the running gateway".to_owned(), in_words));
            target.health = known.map(HealthFacts::of);
        }
        let mut served = self.routing.targets.iter().filter(|target| target.served);
        self.routing.first_live = served
            .find(|target| !target.is_passed_by())
            .map(|target| PlaceFact { provider: target.provider.clone(), model: target.model.clone() });
        if missing > 0 {
            self.add_note(
                "the running gateway does not know all of these targets: it has another configuration",
            );
        }
    }

    /// Adds a note.
    pub fn add_note(&mut self, note: &str) {
        self.notes.push(note.to_owned());
    }
}

fn is_of(known: &UpstreamStatus, target: &TargetFacts) -> bool {
    known.provider == target.provider && *known.model == *target.configured
}

fn in_words(known: &UpstreamStatus) -> String {
    let mut text = match (known.circuit, known.open_for_ms, known.resting_for_ms) {
        (State::Open, None | Some(0), _) => "circuit open, the next request probes".to_owned(),
        (State::Open, Some(ms), _) => format!("circuit open, next probe in {}", seconds(ms)),
        (State::HalfOpen, ..) => "circuit half-open, a probe is under way".to_owned(),
        (State::Closed, _, Some(ms)) => format!("wants to be left alone for {}", seconds(ms)),
        (State::Closed, _, None) if known.key_ready => "healthy".to_owned(),
        (State::Closed, _, None) => "no key ready".to_owned(),
    };
    if known.circuit != State::Closed && !known.key_ready {
        text.push_str(", no key ready");
    }
    if known.circuit == State::Closed {
        // Writing into a String cannot fail.
        let _ = match known.latency_ms {
            Some(ms) if ms < 10.0 => write!(text, ", {ms:.1} ms"),
            Some(ms) => write!(text, ", {ms:.0} ms"),
            None => Ok(()),
        };
        let _ = write!(text, ", {} in flight", known.in_flight);
    }
    text
}

/// Rounded up: who comes sooner is refused.
fn seconds(ms: u64) -> String {
    format!("{} s", ms.div_ceil(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_way_to_stand_has_its_words() {
        for (more, words) in [
            (json!({}), "healthy, 0 in flight"),
            (json!({"latency_ms": 12.3, "in_flight": 3}), "healthy, 12 ms, 3 in flight"),
            (json!({"latency_ms": 0.4}), "healthy, 0.4 ms, 0 in flight"),
            (json!({"key_ready": false}), "no key ready, 0 in flight"),
            (json!({"circuit": "open", "open_for_ms": 2001}), "circuit open, next probe in 3 s"),
            (json!({"circuit": "open", "open_for_ms": 0}), "circuit open, the next request probes"),
            (
                json!({"circuit": "half_open", "key_ready": false}),
                "circuit half-open, a probe is under way, no key ready",
            ),
            (json!({"resting_for_ms": 9000, "in_flight": 1}), "wants to be left alone for 9 s, 1 in flight"),
        ] {
            let mut told = json!({"provider": "p", "model": "m", "circuit": "closed", "key_ready": true, "in_flight": 0});
            told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(in_words(&serde_json::from_value(told).unwrap()), words);
        }
    }
}
