//! Time in nanoseconds and a timer that keeps it: timerfd, since tokio's timers round to 1 ms.

use rustix::{
    io::read,
    time::{
        ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
        timerfd_create, timerfd_settime,
    },
};
use std::{io, os::fd::OwnedFd};
use tokio::io::unix::AsyncFd;

/// Nanoseconds of the monotonic clock; the mock stamps its chunks with the same clock.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Wakes at an absolute time.
pub(crate) struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    #[expect(unsafe_code, reason = "tokio has no safe way to wait for a descriptor that is not its own")]
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // SAFETY: the timer's only owner is the AsyncFd, which closes it after leaving the reactor.
        Ok(Self(unsafe { AsyncFd::register(timer) }?))
    }

    pub(crate) async fn until(&self, at: u64) -> io::Result<()> {
        if now() >= at {
            return Ok(());
        }
        let at = Timespec { tv_sec: (at / 1_000_000_000) as _, tv_nsec: (at % 1_000_000_000) as _ };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
        timerfd_settime(&self.0, TimerfdTimerFlags::ABSTIME, &once)?;
        loop {
            let mut ready = self.0.readable().await?;
            if read(&self.0, &mut [0; 8]).is_ok() {
                return Ok(());
            }
            ready.clear_ready();
        }
    }
}
