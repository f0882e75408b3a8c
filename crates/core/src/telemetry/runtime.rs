//! How the runtime fares: how late its timers are, how busy its threads, how many tasks it has.
//!
//! One task per gateway looks ten times a second. Gateways that share a runtime tell the same of it.

use crate::{app::App, telemetry::metrics::Metrics};
use prometheus::{Gauge, Histogram, IntGauge};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::runtime::{Handle, RuntimeMetrics};

/// Often enough to meet a stall of a tenth of a second, and no work worth telling.
const PERIOD: Duration = Duration::from_millis(100);
/// Looks that the share of busy time is taken over: a scrape meets the whole time since the last one, or most of it.
const LOOKS: usize = 150;

/// Looks until it is dropped.
pub async fn watch(app: Arc<App>) {
    let mut watch = Watch::new(&app.metrics, Handle::current().metrics());
    // The gateway does not live as long as its watcher.
    drop(app);
    loop {
        let due = Instant::now() + PERIOD;
        tokio::time::sleep_until(due.into()).await;
        watch.look(due, Instant::now());
    }
}

struct Watch {
    runtime: RuntimeMetrics,
    lag: Histogram,
    busy: Gauge,
    tasks: IntGauge,
    /// When it was looked, and how long all threads had been busy by then.
    seen: VecDeque<(Instant, Duration)>,
}

impl Watch {
    fn new(metrics: &Metrics, runtime: RuntimeMetrics) -> Self {
        let (lag, busy, tasks) =
            (metrics.event_loop_lag.clone(), metrics.busy_ratio.clone(), metrics.tasks.clone());
        let mut watch = Self { runtime, lag, busy, tasks, seen: VecDeque::with_capacity(LOOKS + 1) };
        watch.seen.push_back((Instant::now(), watch.busy_so_far()));
        watch
    }

    fn busy_so_far(&self) -> Duration {
        (0..self.runtime.num_workers()).map(|worker| self.runtime.worker_total_busy_duration(worker)).sum()
    }

    fn look(&mut self, due: Instant, now: Instant) {
        self.lag.observe(now.saturating_duration_since(due).as_secs_f64());
        self.tasks.set(i64::try_from(self.runtime.num_alive_tasks()).unwrap_or(i64::MAX));
        let busy = self.busy_so_far();
        if let Some((since, before)) = self.seen.front() {
            let threads = u32::try_from(self.runtime.num_workers()).unwrap_or(u32::MAX);
            let whole = now.saturating_duration_since(*since) * threads;
            let share =
                busy.saturating_sub(*before).as_secs_f64() / whole.as_secs_f64().max(f64::MIN_POSITIVE);
            // A thread tells of its work when it rests: one that rests now may tell of time before the first look.
            self.busy.set(share.clamp(0.0, 1.0));
        }
        self.seen.push_back((now, busy));
        if self.seen.len() > LOOKS {
            self.seen.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_util::task::TaskTracker;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_thread_that_is_held_shows_as_busy_and_a_late_look_as_lag() {
        let metrics = Metrics::new().unwrap();
        let mut watch = Watch::new(&metrics, Handle::current().metrics());
        let begin = Instant::now();
        // One of two threads.
        let tasks = TaskTracker::new();
        let held = tasks.spawn(async move { while begin.elapsed() < Duration::from_millis(300) {} });
        held.await.unwrap();
        // It tells of its work when it rests.
        tokio::time::sleep(Duration::from_millis(20)).await;
        watch.look(begin, Instant::now());
        let share = metrics.busy_ratio.get();
        assert!(share > 0.25 && share < 0.75, "{share}");
        assert_eq!(metrics.event_loop_lag.get_sample_count(), 1);
        assert!(metrics.event_loop_lag.get_sample_sum() >= 0.3);
        let waiting = tasks.spawn(std::future::pending::<()>());
        watch.look(begin, Instant::now());
        assert!(metrics.tasks.get() >= 1);
        waiting.abort();
    }
}
