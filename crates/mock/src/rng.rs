//! The one source of chance: a small generator, and the hash that seeds it.
//!
//! Both are fixed for ever: the same (model, prompt, seed) must give the same text in every build and on
//! every machine. Nothing here is fit for secrets.

/// SplitMix64: one addition and two multiplications per number, and every seed is a good one.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    /// A generator that always gives the same numbers for the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        finish(self.0)
    }

    /// A number in `0..bound`; 0 when the bound is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The high half of a wide product: no division, and no bias that a demo could show.
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// One of the items, or nothing when there are none.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        let at = usize::try_from(self.below(items.len() as u64)).unwrap_or(0);
        items.get(at).copied()
    }

    /// A number between -1 and 1.
    pub(crate) fn signed_unit(&mut self) -> f32 {
        // 24 bits are what an f32 holds exactly.
        let bits = self.next() >> 40;
        bits as f32 / (1u32 << 23) as f32 - 1.0
    }
}

/// A 64-bit hash over a sequence of parts; a part's length is hashed with it, so `ab, c` differs from `a,
/// bc`.
#[derive(Debug, Clone)]
pub(crate) struct Hash(u64);

impl Hash {
    /// The hash of nothing.
    pub(crate) fn new() -> Self {
        Self(0x243f_6a88_85a3_08d3)
    }

    /// With one more part.
    pub(crate) fn with(mut self, part: &[u8]) -> Self {
        let (words, rest) = part.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.mix(u64::from(*byte));
        }
        self.with_number(part.len() as u64)
    }

    /// With one more number.
    pub(crate) fn with_number(mut self, number: u64) -> Self {
        self.mix(number);
        self
    }

    /// The hash of the parts so far.
    pub(crate) fn finish(&self) -> u64 {
        finish(self.0)
    }

    fn mix(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(31);
    }
}

/// SplitMix64's finaliser: every bit of the input moves every bit of the output.
fn finish(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_splitmix64s() {
        // The published first outputs for seed 1234567.
        let mut rng = Rng::new(1_234_567);
        assert_eq!([rng.next(), rng.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        let mut rng = Rng::new(1);
        for _ in 0..1000 {
            assert!(rng.below(7) < 7);
            assert!((-1.0..1.0).contains(&rng.signed_unit()));
        }
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.pick::<u8>(&[]), None);
    }

    #[test]
    fn the_borders_between_parts_count() {
        let (a, b) = (Hash::new().with(b"ab").with(b"c"), Hash::new().with(b"a").with(b"bc"));
        assert_ne!(a.finish(), b.finish());
    }
}
