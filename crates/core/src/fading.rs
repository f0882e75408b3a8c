//! A histogram that forgets: which value so many of the last few hundred stayed below.
//!
//! Fixed memory, whole numbers from 8 to a million in steps of a fifth; old values fade. Units are its owner's.

use std::sync::{Mutex, PoisonError};

/// Before so many values nothing is known.
pub const MIN_VALUES: u32 = 20;
/// At so many, counts are halved: the last few hundred values count.
const FADE_AT: u32 = 512;

/// Four to a doubling, from 8 to a million: what is told is at most a fifth too high.
const BUCKETS: usize = 69;
/// Up to which value a bucket holds. What is larger than the last is told as that.
const UPPER: [u64; BUCKETS] = {
    // The fourth roots of 1, 2, 4 and 8, in thousandths.
    let steps = [1000, 1189, 1414, 1682];
    let mut upper = [0; BUCKETS];
    let mut index = 0;
    while index < BUCKETS {
        #[expect(clippy::indexing_slicing, reason = "at compile time, where it is an error of the build")]
        {
            upper[index] = (8 << (index / 4)) * steps[index % 4] / 1000;
        }
        index += 1;
    }
    upper
};

/// See the module.
#[derive(Debug, Default)]
pub struct Fading(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    buckets: [u32; BUCKETS],
    total: u32,
}

impl Default for Counts {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS], total: 0 }
    }
}

impl Fading {
    /// Takes note of a value.
    pub fn observe(&self, value: u64) {
        let place = UPPER.partition_point(|upper| *upper < value).min(BUCKETS - 1);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = counts.buckets.get_mut(place) {
            *bucket += 1;
        }
        counts.total += 1;
        if counts.total >= FADE_AT {
            counts.buckets.iter_mut().for_each(|bucket| *bucket /= 2);
            counts.total = counts.buckets.iter().sum();
        }
    }

    /// The value that so large a share of all values stays below or meets; absent before [`MIN_VALUES`].
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total < MIN_VALUES {
            return None;
        }
        let wanted = f64::from(counts.total) * share;
        let sums = counts.buckets.iter().scan(0, |sum, bucket| {
            *sum += bucket;
            Some(*sum)
        });
        sums.zip(UPPER).find(|(sum, _)| f64::from(*sum) >= wanted).map(|(_, upper)| upper)
    }
}

#[cfg(test)]
#[path = "fading_tests.rs"]
mod tests;
