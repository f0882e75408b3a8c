//! How quick a target is: an average that follows the worst at once and forgets it slowly (peak-EWMA), and the
//! distribution of first bytes.

use crate::fading::Fading;
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// After so long an old value counts for a third.
const DECAY: Duration = Duration::from_secs(10);
/// What the distribution counts in.
const UNIT: Duration = Duration::from_micros(100);

/// See the module.
#[derive(Debug, Default)]
pub struct Latency {
    average: Mutex<Option<Average>>,
    first_bytes: Fading,
}

#[derive(Debug, Clone, Copy)]
struct Average {
    seconds: f64,
    at: Instant,
}

impl Latency {
    /// A first byte came after `took`.
    pub fn observe(&self, took: Duration, now: Instant) {
        let mut average = self.average.lock().unwrap_or_else(PoisonError::into_inner);
        let new = took.as_secs_f64();
        let seconds = match *average {
            Some(old) if new < old.seconds => {
                let age = now.saturating_duration_since(old.at).as_secs_f64();
                let weight = (-age / DECAY.as_secs_f64()).exp();
                old.seconds.mul_add(weight, new * (1.0 - weight))
            }
            _ => new,
        };
        *average = Some(Average { seconds, at: now });
        drop(average);
        self.first_bytes.observe(u64::try_from(took.as_micros() / UNIT.as_micros()).unwrap_or(u64::MAX));
    }

    /// What a request more would cost, in seconds: the average for each that is under way, and for itself. Nothing
    /// where nothing is known, so that a new target is found out about.
    #[must_use]
    pub fn cost(&self, in_flight: u32) -> f64 {
        let average = *self.average.lock().unwrap_or_else(PoisonError::into_inner);
        average.map_or(0.0, |average| average.seconds * (f64::from(in_flight) + 1.0))
    }

    /// How long a first byte takes; absent where nothing is known.
    #[must_use]
    pub fn average(&self) -> Option<Duration> {
        let average = *self.average.lock().unwrap_or_else(PoisonError::into_inner);
        average.and_then(|average| Duration::try_from_secs_f64(average.seconds).ok())
    }

    /// First bytes come so quickly in so large a share of requests; absent while little is known.
    #[must_use]
    pub fn first_byte(&self, share: f64) -> Option<Duration> {
        let units = self.first_bytes.quantile(share)?;
        Some(UNIT.saturating_mul(u32::try_from(units).unwrap_or(u32::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_slow_answer_counts_at_once_and_is_forgotten_slowly() {
        let (latency, now) = (Latency::default(), Instant::now());
        assert_eq!(latency.cost(9), 0.0, "unknown");
        latency.observe(100 * MS, now);
        latency.observe(900 * MS, now);
        assert!((latency.cost(0) - 0.9).abs() < 1e-9);
        assert!((latency.cost(3) - 3.6).abs() < 1e-9);
        latency.observe(100 * MS, now + DECAY);
        let third = 0.1 + 0.8 * (-1.0_f64).exp();
        assert!((latency.cost(0) - third).abs() < 1e-9, "{}", latency.cost(0));
    }

    #[test]
    fn the_share_of_first_bytes_is_learned() {
        let (latency, now) = (Latency::default(), Instant::now());
        (0..19).for_each(|_| latency.observe(10 * MS, now));
        assert_eq!(latency.first_byte(0.95), None);
        (0..80).for_each(|_| latency.observe(10 * MS, now));
        latency.observe(5000 * MS, now);
        let p95 = latency.first_byte(0.95).unwrap();
        assert!(p95 >= 10 * MS && p95 <= 12 * MS, "{p95:?}");
    }
}
