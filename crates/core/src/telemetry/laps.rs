//! A stopwatch for a request's own work, by stage. What the stages are is told at [`Stage`].

use crate::telemetry::labels::Stage;
use std::time::{Duration, Instant};

/// Time by stage, so far. One reading of the clock per mark.
#[derive(Debug)]
pub struct Laps {
    since: Instant,
    spent: [Option<Duration>; Stage::ALL.len()],
}

impl Laps {
    /// Runs from `now` on.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { since: now, spent: [None; Stage::ALL.len()] }
    }

    /// What has been since the last mark was no stage's.
    pub fn skip(&mut self) {
        self.since = Instant::now();
    }

    /// What has been up to `now` was no stage's.
    pub fn skip_to(&mut self, now: Instant) {
        self.since = now;
    }

    /// When the last mark was.
    #[must_use]
    pub fn mark(&self) -> Instant {
        self.since
    }

    /// So much of what has been since the last mark was no stage's, such as a wait.
    pub fn skip_some(&mut self, wait: Duration) {
        self.since += wait;
    }

    /// How long it has been since the last mark.
    #[must_use]
    pub fn running(&self) -> Duration {
        self.since.elapsed()
    }

    /// What has been since the last mark was this stage's.
    pub fn end(&mut self, stage: Stage) {
        let now = Instant::now();
        let lap = now.saturating_duration_since(self.since);
        self.since = now;
        if let Some(spent) = self.spent.get_mut(stage as usize) {
            *spent = Some(spent.unwrap_or_default() + lap);
        }
    }

    /// The stages that the request came to.
    pub fn spent(&self) -> impl Iterator<Item = (Stage, Duration)> {
        Stage::ALL.iter().zip(self.spent).filter_map(|(stage, spent)| Some((*stage, spent?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_stage_add_up_and_waits_are_nobodys() {
        let wait = Duration::from_secs(60);
        let mut laps = Laps::new(Instant::now().checked_sub(3 * wait).unwrap());
        laps.skip_some(wait);
        laps.end(Stage::Limit);
        laps.skip();
        laps.end(Stage::Route);
        laps.end(Stage::Limit);
        let spent: Vec<_> = laps.spent().collect();
        assert_eq!(spent.iter().map(|(stage, _)| *stage).collect::<Vec<_>>(), [Stage::Limit, Stage::Route]);
        assert!((2 * wait..3 * wait).contains(&spent[0].1), "{spent:?}");
        assert!(spent[1].1 < wait, "{spent:?}");
    }
}
