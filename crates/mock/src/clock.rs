//! Time: the wall clock's seconds, the monotonic clock's nanoseconds, and a pause that is exact to some 50
//! µs.
//!
//! Tokio rounds its pauses to a millisecond, which would drown the tenth of a millisecond that a gateway
//! adds; the `bench` models therefore pause by timerfd where there is one.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Seconds since 1970: what `created` says.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Nanoseconds on CLOCK_MONOTONIC, which all processes of a machine share; `Instant` does not give them out.
pub(crate) fn monotonic_nanos() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * NANOS_PER_SECOND + u64::try_from(now.tv_nsec).unwrap_or(0)
}

#[cfg(target_os = "linux")]
pub(crate) use timerfd::ExactTimer;
#[cfg(not(target_os = "linux"))]
pub(crate) use tokio_timer::ExactTimer;

#[cfg(target_os = "linux")]
mod timerfd {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::task::{Context, Poll, ready};

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;

    use super::NANOS_PER_SECOND;

    /// A timer on the monotonic clock that can be set again and again.
    #[derive(Debug)]
    pub(crate) struct ExactTimer(AsyncFd<OwnedFd>);

    impl ExactTimer {
        /// A timer that is not set.
        ///
        /// # Errors
        /// When the process has no file descriptor left.
        pub(crate) fn new() -> io::Result<Self> {
            let fd =
                timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
            #[expect(
                deprecated,
                reason = "its successor is unsafe; an OwnedFd keeps the promise that it asks for"
            )]
            let readable = AsyncFd::new(fd)?;
            Ok(Self(readable))
        }

        /// Sets it to end at a time on the monotonic clock, at once if that has passed.
        ///
        /// # Errors
        /// None that a valid timer gives.
        pub(crate) fn set(&mut self, nanos: u64) -> io::Result<()> {
            let at = Timespec {
                tv_sec: i64::try_from(nanos / NANOS_PER_SECOND).unwrap_or(i64::MAX),
                // Zero would switch the timer off instead of ending it.
                tv_nsec: i64::try_from(nanos % NANOS_PER_SECOND).unwrap_or(0).max(1),
            };
            let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
            timerfd_settime(&self.0, TimerfdTimerFlags::ABSTIME, &once)?;
            Ok(())
        }

        /// Ready once the time has come.
        pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            // A timer becomes readable only by ending, and setting it again takes that back: no need to read
            // it.
            if let Ok(mut ended) = ready!(self.0.poll_read_ready(cx)) {
                ended.clear_ready();
            }
            Poll::Ready(())
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod tokio_timer {
    use std::future::Future;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::Duration;

    use tokio::time::{Instant, Sleep, sleep};

    /// A timer with tokio's precision, where there is no timerfd.
    #[derive(Debug)]
    pub(crate) struct ExactTimer(Pin<Box<Sleep>>);

    impl ExactTimer {
        /// A timer that is not set.
        ///
        /// # Errors
        /// None; the signature is that of the exact timer.
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self(Box::pin(sleep(Duration::ZERO))))
        }

        /// Sets it to end at a time on the monotonic clock, at once if that has passed.
        ///
        /// # Errors
        /// None; the signature is that of the exact timer.
        pub(crate) fn set(&mut self, nanos: u64) -> io::Result<()> {
            let left = Duration::from_nanos(nanos.saturating_sub(super::monotonic_nanos()));
            self.0.as_mut().reset(Instant::now() + left);
            Ok(())
        }

        /// Ready once the time has come.
        pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            self.0.as_mut().poll(cx)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_timer_ends_after_its_time_and_soon_after_and_can_be_set_again() {
        let mut timer = ExactTimer::new().unwrap();
        for _ in 0..3 {
            let until = monotonic_nanos() + 3_000_000;
            timer.set(until).unwrap();
            std::future::poll_fn(|cx| timer.poll(cx)).await;
            let late = monotonic_nanos().checked_sub(until).expect("not before its time");
            assert!(late < 500_000_000, "{late} ns late");
        }
    }

    #[tokio::test]
    async fn a_time_that_has_passed_does_not_wait() {
        let mut timer = ExactTimer::new().unwrap();
        timer.set(1).unwrap();
        std::future::poll_fn(|cx| timer.poll(cx)).await;
    }
}
