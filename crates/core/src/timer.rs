//! Time: the clocks that are read for every request, and a timer that costs nothing while things move.
//!
//! The timer is armed when somebody first has to wait, and moved only when it fires too early: a body that flows never
//! touches the runtime's timer wheel.

use rustix::time::{ClockId, clock_gettime};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};
use tokio::time::Sleep;

/// The runtime's clock: the system's, but for tests that hold time still.
#[must_use]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Seconds since 1970 as of the kernel's last tick, some milliseconds ago: for what counts in seconds, at a fifth of the
/// cost of an exact reading.
#[must_use]
pub fn second() -> i64 {
    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::RealtimeCoarse;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: ClockId = ClockId::Realtime;
    clock_gettime(CLOCK).tv_sec
}

/// Never fires early, and never late by more than the wheel's millisecond.
#[derive(Default)]
pub struct LazyTimer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl LazyTimer {
    /// Ready once `due` has passed. `due` may move between calls, in both directions.
    pub fn poll_due(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due.into())));
        if sleep.deadline().into_std() > due {
            sleep.as_mut().reset(due.into());
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if now() >= due {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due.into());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::poll_fn, time::Duration};

    #[tokio::test(start_paused = true)]
    async fn a_due_that_moved_later_is_not_fired_early() {
        let mut timer = LazyTimer::default();
        let first = now() + Duration::from_secs(1);
        assert!(poll_fn(|cx| Poll::Ready(timer.poll_due(cx, first))).await.is_pending());
        tokio::time::advance(Duration::from_millis(900)).await;
        let later = now() + Duration::from_secs(1);
        poll_fn(|cx| timer.poll_due(cx, later)).await;
        assert!(now() >= later);
    }

    #[tokio::test(start_paused = true)]
    async fn a_due_that_moved_earlier_is_kept() {
        let mut timer = LazyTimer::default();
        let begin = now();
        let far = begin + Duration::from_secs(100);
        assert!(poll_fn(|cx| Poll::Ready(timer.poll_due(cx, far))).await.is_pending());
        poll_fn(|cx| timer.poll_due(cx, begin + Duration::from_secs(1))).await;
        assert!(now() < begin + Duration::from_secs(2));
    }
}
