//! What happened in the last while: all tries and those that failed, in steps of a tenth of it.

use std::time::{Duration, Instant};

/// The window moves in so many steps.
const STEPS: usize = 10;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Window {
    steps: [Step; STEPS],
    /// The step that counts now, and when it began.
    at: usize,
    since: Option<Instant>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Step {
    all: u32,
    failed: u32,
}

impl Window {
    /// Counts one.
    pub(super) fn count(&mut self, now: Instant, length: Duration, failed: bool) {
        self.turn(now, length / STEPS as u32);
        if let Some(step) = self.steps.get_mut(self.at) {
            step.all = step.all.saturating_add(1);
            step.failed = step.failed.saturating_add(u32::from(failed));
        }
    }

    /// One that was counted as good was not, after all.
    pub(super) fn turn_bad(&mut self, now: Instant, length: Duration) {
        self.turn(now, length / STEPS as u32);
        if let Some(step) = self.steps.get_mut(self.at) {
            step.failed = step.failed.saturating_add(1);
            // It may have been counted in a step that is forgotten.
            step.all = step.all.max(step.failed);
        }
    }

    /// Leaves steps behind that are over, and forgets those that are reached again.
    fn turn(&mut self, now: Instant, length: Duration) {
        let since = *self.since.get_or_insert(now);
        let length = length.max(Duration::from_millis(1));
        let over = now.saturating_duration_since(since).as_millis() / length.as_millis().max(1);
        let over = u32::try_from(over).unwrap_or(u32::MAX);
        for _ in 0..over.min(STEPS as u32) {
            self.at = (self.at + 1) % STEPS;
            if let Some(step) = self.steps.get_mut(self.at) {
                *step = Step::default();
            }
        }
        if over > 0 {
            self.since = Some(if over > STEPS as u32 { now } else { since + length * over });
        }
    }

    /// All, and those that failed.
    pub(super) fn sum(&self) -> (u32, u32) {
        self.steps.iter().fold((0, 0), |(all, failed), step| {
            (all.saturating_add(step.all), failed.saturating_add(step.failed))
        })
    }
}
