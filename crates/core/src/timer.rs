//! Time: the clocks that are read for every request, and a timer that costs nothing while things move.
//!
//! The timer is armed when somebody first has to wait, and moved only when it fires too early: a body that flows never
//! touches the runtime's timer wheel.

use std::{
    cell::Cell,
    future::{Future, pending},
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::time::Sleep;

/// The runtime's clock: the system's, but for tests that hold time still.
#[must_use]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// So long a reading of the calendar's clock is good for what counts in seconds.
const READING: Duration = Duration::from_millis(5);

/// Seconds since 1970, for whoever knows that it is just `now`. The system's clock is not read for every request; when
/// it is set anew, that is seen some milliseconds later.
#[must_use]
pub fn second(now: Instant) -> i64 {
    thread_local! {
        /// Until when it holds what was read.
        static READ: Cell<Option<(Instant, i64)>> = const { Cell::new(None) };
    }
    match READ.get() {
        Some((until, second)) if now < until => second,
        _ => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let second = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
            let left = Duration::from_secs(1) - Duration::from_nanos(since.subsec_nanos().into());
            READ.set(Some((now + left.min(READING), second)));
            second
        }
    }
}

/// Waits until then, or for ever. A timer is made only for who really waits: on the first poll.
pub async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end.into()).await,
        None => pending().await,
    }
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
    use std::future::poll_fn;

    #[tokio::test]
    async fn seconds_are_the_calendars_and_are_read_anew() {
        let exact = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
        let begin = exact();
        // Over the end of a second.
        for _ in 0..120 {
            let before = exact();
            let told = second(Instant::now());
            assert!((before..=exact()).contains(&told));
            tokio::time::sleep(Duration::from_millis(10)).await;
            assert!(second(Instant::now()) >= before, "what was read 10 ms ago is read again");
        }
        assert!(second(Instant::now()) > begin);
    }

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
