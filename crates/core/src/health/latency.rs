//! How quick a target is: an average that follows the worst at once and forgets it with time (peak-EWMA), and the
//! distribution of first bytes. Streams and plain answers apart: of the one the first event counts, of the other the
//! whole.

use crate::fading::Fading;
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// After so long an old value counts for a third.
const DECAY: Duration = Duration::from_secs(10);
/// What a target is taken for that has a request under way and has never answered.
const UNKNOWN: Duration = Duration::from_secs(1);
/// What the distribution counts in.
const UNIT: Duration = Duration::from_micros(100);

/// See the module.
#[derive(Debug, Default)]
pub struct Latency {
    plain: Side,
    stream: Side,
}

#[derive(Debug, Default)]
struct Side {
    average: Mutex<Option<Average>>,
    first_bytes: Fading,
}

#[derive(Debug, Clone, Copy)]
struct Average {
    seconds: f64,
    at: Instant,
}

impl Average {
    /// What is left of it by now. A target that nobody asks comes to be asked again.
    fn now(self, now: Instant) -> f64 {
        let age = now.saturating_duration_since(self.at).as_secs_f64();
        self.seconds * (-age / DECAY.as_secs_f64()).exp()
    }
}

impl Latency {
    /// An answer has begun after `took`.
    pub fn observe(&self, took: Duration, stream: bool, now: Instant) {
        let side = self.side(stream);
        let mut average = side.average.lock().unwrap_or_else(PoisonError::into_inner);
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
        side.first_bytes.observe(u64::try_from(took.as_micros() / UNIT.as_micros()).unwrap_or(u64::MAX));
    }

    /// What a request more would cost, in seconds: the average for each that is under way, and for itself. Where
    /// nothing is known, one request finds out; to others it seems slow until then.
    #[must_use]
    pub fn cost(&self, stream: bool, in_flight: u32, now: Instant) -> f64 {
        let average = *self.side(stream).average.lock().unwrap_or_else(PoisonError::into_inner);
        match average {
            Some(average) => average.now(now) * (f64::from(in_flight) + 1.0),
            None => UNKNOWN.as_secs_f64() * f64::from(in_flight),
        }
    }

    /// The slower of both averages; absent before anything is known.
    #[must_use]
    pub fn average(&self) -> Option<Duration> {
        let of = |side: &Side| *side.average.lock().unwrap_or_else(PoisonError::into_inner);
        let slower = of(&self.plain).into_iter().chain(of(&self.stream)).map(|average| average.seconds);
        slower.reduce(f64::max).map(Duration::from_secs_f64)
    }

    /// Answers begin so quickly in so large a share of requests; absent while little is known.
    #[must_use]
    pub fn first_byte(&self, stream: bool, share: f64) -> Option<Duration> {
        let units = self.side(stream).first_bytes.quantile(share)?;
        Some(UNIT.saturating_mul(u32::try_from(units).unwrap_or(u32::MAX)))
    }

    fn side(&self, stream: bool) -> &Side {
        if stream { &self.stream } else { &self.plain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_slow_answer_counts_at_once_and_is_forgotten_with_time() {
        let (latency, now) = (Latency::default(), Instant::now());
        latency.observe(100 * MS, false, now);
        latency.observe(900 * MS, false, now);
        assert!((latency.cost(false, 0, now) - 0.9).abs() < 1e-9);
        assert!((latency.cost(false, 3, now) - 3.6).abs() < 1e-9);
        // Also where nobody asks it any more.
        let later = now + DECAY;
        let third = (-1.0_f64).exp();
        assert!((latency.cost(false, 0, later) - 0.9 * third).abs() < 1e-9);
        latency.observe(100 * MS, false, later);
        let expected = 0.1 + 0.8 * third;
        assert!((latency.cost(false, 0, later) - expected).abs() < 1e-9, "{}", latency.cost(false, 0, later));
    }

    #[test]
    fn an_unknown_target_is_found_out_about_by_one_request() {
        let (latency, now) = (Latency::default(), Instant::now());
        assert_eq!(latency.cost(true, 0, now), 0.0);
        assert!(latency.cost(true, 1, now) >= 1.0);
    }

    #[test]
    fn the_share_of_first_bytes_is_learned_for_streams_and_plain_answers_apart() {
        let (latency, now) = (Latency::default(), Instant::now());
        (0..19).for_each(|_| latency.observe(10 * MS, true, now));
        assert_eq!(latency.first_byte(true, 0.95), None);
        (0..80).for_each(|_| latency.observe(10 * MS, true, now));
        latency.observe(5000 * MS, true, now);
        (0..30).for_each(|_| latency.observe(900 * MS, false, now));
        let p95 = latency.first_byte(true, 0.95).unwrap();
        assert!(p95 >= 10 * MS && p95 <= 12 * MS, "{p95:?}");
        assert!(latency.first_byte(false, 0.95).unwrap() >= 900 * MS);
    }
}
