//! A cap on log lines: a flood of strangers must not fill the log.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// At most so many lines a second.
#[derive(Default)]
pub(super) struct LineCap {
    /// The second in the upper half, the lines in it in the lower half.
    window: AtomicU64,
}

impl LineCap {
    const PER_SECOND: u64 = 10;

    pub(super) fn take(&self, epoch: Instant) -> bool {
        let second = epoch.elapsed().as_secs() << 32;
        let step = |window: u64| match window {
            old if old & !0xffff_ffff != second => Some(second | 1),
            used if used & 0xffff_ffff < Self::PER_SECOND => Some(used + 1),
            _ => None,
        };
        self.window.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refused_callers_leaves_ten_lines_a_second() {
        let cap = LineCap::default();
        let now = Instant::now();
        assert_eq!((0..1000).filter(|_| cap.take(now)).count(), 10);
    }
}
