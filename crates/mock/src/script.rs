//! Scripts: what the next requests to a model meet, one step for each.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::body::{Source, Step};
use crate::spent::Spent;

/// What one request meets. With neither `status`, `body`, `chunks` nor `like` it gets its ordinary answer,
/// after the delay.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScriptStep {
    /// The answer's status; 200 when a body is given, and an error status without a body makes one.
    pub status: Option<u16>,
    /// Headers beside or instead of the usual ones.
    pub headers: BTreeMap<String, String>,
    /// The answer's body: a string as it is, anything else as JSON.
    pub body: Option<Value>,
    /// The answer's body in pieces, each sent in a write of its own, as an event stream unless `headers` say
    /// otherwise.
    pub chunks: Vec<String>,
    /// Milliseconds between the chunks.
    pub gap_ms: u64,
    /// What comes after the last chunk.
    pub then: Then,
    /// Milliseconds before anything is sent.
    pub delay_ms: u64,
    /// Behaves as this model would, for instance `mock-cut-3`.
    pub like: Option<String>,
}

/// How a scripted body of `chunks` ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// Properly.
    #[default]
    End,
    /// The connection is dropped.
    Cut,
    /// Nothing more comes.
    Hang,
}

/// The scripts by model.
#[derive(Debug, Default)]
pub(crate) struct Scripts(HashMap<String, Script>);

#[derive(Debug)]
struct Script {
    steps: Vec<ScriptStep>,
    next: usize,
    repeat: bool,
}

impl Scripts {
    /// Sets a model's script in place of what is left of an older one; `*` is for all models without their
    /// own.
    pub(crate) fn set(&mut self, model: String, steps: Vec<ScriptStep>, repeat: bool) {
        self.0.insert(model, Script { steps, next: 0, repeat });
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes the step for a request to a model, if its script has one left.
    pub(crate) fn take(&mut self, model: &str) -> Option<ScriptStep> {
        let name = if self.0.contains_key(model) { model } else { "*" };
        let script = self.0.get_mut(name)?;
        let step = script.steps.get(script.next).cloned();
        script.next += 1;
        if script.repeat && script.next >= script.steps.len() {
            script.next = 0;
        }
        step
    }
}

/// The body made of a step's `chunks`.
pub(crate) struct Chunks {
    chunks: std::vec::IntoIter<String>,
    gap: Duration,
    due: Duration,
    then: Then,
}

impl Chunks {
    pub(crate) fn new(step: &ScriptStep) -> Self {
        let gap = Duration::from_millis(step.gap_ms);
        Self { chunks: step.chunks.clone().into_iter(), gap, due: Duration::ZERO, then: step.then }
    }
}

impl Source for Chunks {
    fn next(&mut self) -> Step {
        if !self.due.is_zero() {
            return Step::Pause(std::mem::take(&mut self.due));
        }
        match (self.chunks.next(), self.then) {
            (Some(chunk), _) => {
                self.due = self.gap;
                Step::Piece(Bytes::from(chunk))
            }
            (None, Then::End) => Step::End,
            (None, Then::Cut) => Step::Cut,
            (None, Then::Hang) => Step::Hang,
        }
    }

    fn spent(&self) -> Option<Spent> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(status: u16) -> ScriptStep {
        ScriptStep { status: Some(status), ..ScriptStep::default() }
    }

    #[test]
    fn steps_are_consumed_one_for_each_request_and_then_the_model_is_itself_again() {
        let mut scripts = Scripts::default();
        scripts.set("x".to_owned(), vec![step(500), step(429)], false);
        let met: Vec<_> = (0..4).map(|_| scripts.take("x").and_then(|step| step.status)).collect();
        assert_eq!(met, [Some(500), Some(429), None, None]);
    }

    #[test]
    fn a_script_may_repeat_and_a_star_is_for_all_models_without_their_own() {
        let mut scripts = Scripts::default();
        scripts.set("*".to_owned(), vec![step(500)], true);
        scripts.set("x".to_owned(), vec![], true);
        assert_eq!(scripts.take("y"), Some(step(500)));
        assert_eq!(scripts.take("z"), Some(step(500)));
        assert_eq!(scripts.take("x"), None);
    }
}
