//! Draws by weight: by lot, or by a hash that every replica computes alike.

use std::cmp::Ordering;

/// A number above 0 and below 1 from the first bytes of a digest.
#[must_use]
pub fn uniform(digest: &[u8]) -> f64 {
    let drawn = digest.iter().take(8).fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    // 53 bits are what a double holds; the half keeps it off 0 and 1, where the logarithm has no use.
    ((drawn >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// The score of one of several with a uniform number of its own: the highest wins as often as its weight says, and
/// whoever goes away moves only what was its own (weighted rendezvous hashing).
#[must_use]
pub fn score(uniform: f64, weight: u32) -> f64 {
    f64::from(weight) / -uniform.ln()
}

/// One by lot, as often as its weight says; where nobody has any, anyone.
#[must_use]
pub fn by_lot<T: Copy>(all: &[(T, u32)]) -> Option<T> {
    let total: u64 = all.iter().map(|(_, weight)| u64::from(*weight)).sum();
    if total == 0 {
        let any = fastrand::usize(0..all.len().max(1));
        return all.get(any).map(|(one, _)| *one);
    }
    let mut ticket = fastrand::u64(0..total);
    for (one, weight) in all {
        match ticket.checked_sub(u64::from(*weight)) {
            Some(left) => ticket = left,
            None => return Some(*one),
        }
    }
    None
}

/// Highest first.
#[must_use]
pub fn descending(one: f64, other: f64) -> Ordering {
    other.total_cmp(&one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lot_and_a_hash_share_by_weight() {
        let all = [("heavy", 3), ("light", 1), ("never", 0)];
        let mut heavy = [0, 0];
        for round in 0..10_000_u32 {
            let drawn = by_lot(&all).unwrap();
            assert_ne!(drawn, "never");
            heavy[0] += u32::from(drawn == "heavy");
            let scored = all.iter().map(|(name, weight)| {
                let digest = blake3::hash(format!("{round} {name}").as_bytes());
                (score(uniform(digest.as_bytes()), *weight), *name)
            });
            let (_, best) = scored.max_by(|one, other| one.0.total_cmp(&other.0)).unwrap();
            assert_ne!(best, "never");
            heavy[1] += u32::from(best == "heavy");
        }
        for count in heavy {
            assert!((7_200..7_800).contains(&count), "{count} of 10000");
        }
    }

    #[test]
    fn where_nobody_has_a_weight_anyone_is_drawn() {
        assert!((0..100).any(|_| by_lot(&[(0, 0), (1, 0)]) == Some(1)));
        assert_eq!(by_lot::<u32>(&[]), None);
    }
}
