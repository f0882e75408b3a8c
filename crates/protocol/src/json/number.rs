//! Numbers read exactly from their text: whole part, sign, and whether a fraction follows.
//!
//! JSON numbers have no size. A double would merge 2^53 and 2^53+1 and take 2.0000000000000000001 for 2, and
//! a `seed` is 64 bits wide, so integers and bounds are decided on the digits. `7.0` and `1e2` are integers,
//! as JSON Schema has it.

use std::cmp::Ordering;

/// The value of a number that a scanner has accepted, if it is an integer of 64 bits.
#[must_use]
#[inline]
pub fn integer(text: &str) -> Option<i64> {
    // Plain digits are nearly all there is, and a prompt may be a million token ids.
    text.parse().ok().or_else(|| Number::new(text).to_i64())
}

/// The part of a JSON number that integer fields and whole-number bounds need, exact for every spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    negative: bool,
    /// The digits before the point once the exponent is applied; `u64::MAX` for everything that is larger,
    /// which no 64-bit integer reaches with either sign.
    whole: u64,
    /// Whether any digit after the point is not zero.
    fraction: bool,
}

impl Number {
    /// Reads the text of a number that a scanner has accepted.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = split(text, |byte| matches!(byte, b'e' | b'E'));
        let (before, after) = split(mantissa, |byte| byte == b'.');
        // An exponent that no i64 holds is as good as the largest: no body has that many digits to shift.
        let bound = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
        let exponent = if exponent.is_empty() { 0 } else { exponent.parse::<i64>().unwrap_or(bound) };
        let point = i64::try_from(before.len()).unwrap_or(i64::MAX).saturating_add(exponent);

        let mut number = Self { negative, whole: 0, fraction: false };
        let mut place: i64 = 0;
        for digit in before.bytes().chain(after.bytes()).map(|byte| u64::from(byte.wrapping_sub(b'0'))) {
            if place < point {
                number.whole = number.whole.saturating_mul(10).saturating_add(digit);
            } else if digit != 0 {
                number.fraction = true;
                break;
            }
            place += 1;
        }
        if number.whole != 0 {
            let zeros = u32::try_from(point.saturating_sub(place).max(0)).unwrap_or(u32::MAX);
            number.whole = number.whole.saturating_mul(10_u64.saturating_pow(zeros));
        }
        number
    }

    /// Whether nothing but zeros follows the point.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        !self.fraction
    }

    /// The value, if it is an integer of 64 bits.
    #[must_use]
    pub fn to_i64(&self) -> Option<i64> {
        let value = if self.negative {
            0_i64.checked_sub_unsigned(self.whole)
        } else {
            i64::try_from(self.whole).ok()
        };
        value.filter(|_| self.is_integer())
    }

    /// Compares with a whole number.
    #[must_use]
    pub fn compare(&self, other: i64) -> Ordering {
        let is_zero = self.whole == 0 && !self.fraction;
        match (self.negative && !is_zero, other < 0) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (negative, _) => {
                let size = self.whole.cmp(&other.unsigned_abs());
                let size = size.then(self.fraction.cmp(&false));
                if negative { size.reverse() } else { size }
            }
        }
    }
}

/// What stands before and behind the first byte that is `sign`. Much less work than a search for characters.
#[inline]
fn split(text: &str, sign: impl Fn(u8) -> bool) -> (&str, &str) {
    let at = text.bytes().position(sign).unwrap_or(text.len());
    (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_are_known_in_every_spelling() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("-0.0e5", 0),
            ("7", 7),
            ("7.0", 7),
            ("-7.000", -7),
            ("1e2", 100),
            ("1.5e1", 15),
            ("1.50E+1", 15),
            ("1200e-2", 12),
            ("0.07e2", 7),
            ("0e999999999999999999999", 0),
            ("9007199254740993", 9_007_199_254_740_993),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("9.223372036854775807e18", i64::MAX),
        ] {
            assert_eq!(Number::new(text).to_i64(), Some(value), "{text}");
        }
    }

    #[test]
    fn integers_beyond_64_bits_stay_integers() {
        for text in [
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "-18446744073709551616",
            "-9223372036854775809",
            "1e19",
            "1e999",
            "-1e99999999999999999999",
        ] {
            assert!(Number::new(text).is_integer(), "{text}");
            assert_eq!(Number::new(text).to_i64(), None, "{text}");
        }
    }

    #[test]
    fn fractions_are_not_integers_however_small() {
        for text in
            ["0.5", "1e-1", "1e-999", "1e-99999999999999999999", "15e-1", "1.0000000000000000000000001"]
        {
            assert!(!Number::new(text).is_integer(), "{text}");
            assert_eq!(Number::new(text).to_i64(), None, "{text}");
        }
    }

    #[test]
    fn comparison_is_exact() {
        for (text, bound, order) in [
            ("2", 2, Ordering::Equal),
            ("2.0", 2, Ordering::Equal),
            ("0.2e1", 2, Ordering::Equal),
            ("2.0000000000000000000000001", 2, Ordering::Greater),
            ("1.9999999999999999999999999", 2, Ordering::Less),
            ("1e999", 2, Ordering::Greater),
            ("-1e999", 0, Ordering::Less),
            ("1e-999", 0, Ordering::Greater),
            ("-1e-999", 0, Ordering::Less),
            ("-0.0", 0, Ordering::Equal),
            ("-2", -1, Ordering::Less),
            ("-2.5", -2, Ordering::Less),
            ("-1.5", -2, Ordering::Greater),
            ("1", -1, Ordering::Greater),
        ] {
            assert_eq!(Number::new(text).compare(bound), order, "{text} against {bound}");
        }
    }

    proptest! {
        #[test]
        fn every_64_bit_integer_is_read_back(value: i64) {
            prop_assert_eq!(Number::new(&value.to_string()).to_i64(), Some(value));
            prop_assert_eq!(integer(&value.to_string()), Some(value));
            prop_assert_eq!(Number::new(&format!("{value}.00")).to_i64(), Some(value));
            prop_assert_eq!(Number::new(&format!("{value}e0")).to_i64(), Some(value));
            prop_assert_eq!(Number::new(&format!("{value}000E-3")).to_i64(), Some(value));
        }

        #[test]
        fn comparison_agrees_with_doubles_where_they_are_exact(value in -4_000_000_i32..4_000_000, bound in -3_i64..3) {
            let double = f64::from(value) / 1_048_576.0;
            let expected = double.partial_cmp(&(bound as f64)).unwrap();
            prop_assert_eq!(Number::new(&format!("{double:?}")).compare(bound), expected);
            prop_assert_eq!(Number::new(&format!("{double:e}")).compare(bound), expected);
        }
    }
}
