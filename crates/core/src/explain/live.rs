//! What a gateway that runs knows of the targets, put beside what its configuration says. Asking it is the
//! caller's: here nobody is asked.

use super::{Explanation, routing::TargetFacts};
use crate::{health::circuit::State, state::upstream_status::UpstreamStatus};
use serde::Deserialize;
use std::fmt::Write;

/// The part of a status page that tells how targets fare.
#[derive(Debug, Deserialize)]
pub struct Live {
    upstreams: Vec<UpstreamStatus>,
}

impl Explanation {
    /// Says of each target how it fares there.
    pub fn add_health(&mut self, live: &Live) {
        let mut missing = 0;
        for target in &mut self.routing.targets {
            let known = live.upstreams.iter().find(|known| is_of(known, target));
            missing += usize::from(known.is_none());
            target.health = Some(known.map_or_else(|| "unknown to the running gateway".to_owned(), in_words));
        }
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
