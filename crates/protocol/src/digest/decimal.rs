//! Numbers by exact decimal value, in the one form that all their spellings share.

/// A number other than zero: the digits, read as one whole number, times ten to the exponent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decimal<'a> {
    pub(super) negative: bool,
    /// The digits, in two pieces since a point may stand between them. They neither begin nor end with a zero.
    pub(super) digits: [&'a str; 2],
    pub(super) exponent: i64,
}

impl<'a> Decimal<'a> {
    /// Reads the text of a number that a scanner has accepted. `None` for zero, and where the exponent does not
    /// fit: such a number has no form but its own text.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: i64 = exponent.parse().ok()?;

        let before = before.trim_start_matches('0');
        let after = after.trim_end_matches('0');
        let (digits, exponent) = if after.is_empty() {
            let head = before.trim_end_matches('0');
            let zeros = i64::try_from(before.len() - head.len()).ok()?;
            ([head, ""], exponent.checked_add(zeros)?)
        } else {
            let places = i64::try_from(after.len()).ok()?;
            let tail = if before.is_empty() { after.trim_start_matches('0') } else { after };
            ([before, tail], exponent.checked_sub(places)?)
        };
        (digits != ["", ""]).then_some(Self { negative, digits, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_value_have_one_form() {
        for (spellings, negative, digits, exponent) in [
            (&["1", "1.0", "1e0", "10e-1", "0.1E+1", "0.001e3", "1000e-3"][..], false, "1", 0),
            (&["-12.5", "-1.25e1", "-12500E-3", "-0.0125e+3"], true, "125", -1),
            (&["100.01", "1.000100e2"], false, "10001", -2),
            (&["0.007", "7e-3", "0.70e-2"], false, "7", -3),
            (&["1e9223372036854775807", "1.0e9223372036854775807"], false, "1", i64::MAX),
        ] {
            for text in spellings {
                let decimal = Decimal::read(text).unwrap();
                let found = (decimal.negative, decimal.digits.concat(), decimal.exponent);
                assert_eq!(found, (negative, digits.to_owned(), exponent), "{text}");
            }
        }
    }

    #[test]
    fn zero_and_exponents_beyond_64_bits_have_none() {
        for text in [
            "0",
            "-0.000e7",
            "1e9223372036854775808",
            "10e9223372036854775807",
            "0.1e-9223372036854775808",
            "1e-99999999999999999999",
        ] {
            assert_eq!(Decimal::read(text), None, "{text}");
        }
    }
}
