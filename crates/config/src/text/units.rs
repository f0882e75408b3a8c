//! Amounts with units.

use super::{Invalid, Text};
use crate::{
    codes,
    model::{Bytes, Rate, Ratio},
};
use std::time::Duration;

const SECOND: u64 = 1_000;
const DURATIONS: &[(&str, u64)] =
    &[("ms", 1), ("s", SECOND), ("m", 60 * SECOND), ("h", 3_600 * SECOND), ("d", 86_400 * SECOND)];
const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];
const PERIODS: &[(&str, u64)] = &[("s", 1), ("min", 60), ("h", 3_600), ("d", 86_400)];

/// A duration that may be zero.
pub(crate) struct Wait;

/// A size that may be zero.
pub(crate) struct Room;

/// `p95` as `0.95`.
pub(crate) struct Percentile;

/// `30s` → 30 and the factor of `s`.
fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn names(units: &[(&str, u64)]) -> String {
    units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

fn duration(text: &str) -> Result<Duration, Invalid> {
    amount(text, DURATIONS).map(Duration::from_millis).ok_or_else(|| {
        let help = format!("a whole number and one of {}: 250ms, 30s, 5m, 1h, 400d", names(DURATIONS));
        Invalid::new(codes::BAD_UNIT, "is not a duration", help)
    })
}

fn size(text: &str) -> Result<Bytes, Invalid> {
    amount(text, SIZES).map(Bytes).ok_or_else(|| {
        let help = format!("a whole number and one of {}: 20MiB, 64KiB, 1GB", names(SIZES));
        Invalid::new(codes::BAD_UNIT, "is not a size", help)
    })
}

fn above_zero<T>(value: T, zero: bool) -> Result<T, Invalid> {
    if zero {
        return Err(Invalid::new(codes::OUT_OF_RANGE, "is not above zero", "write a value above zero"));
    }
    Ok(value)
}

impl Text for Duration {
    type Value = Self;
    const NAME: &'static str = "duration";
    const WHAT: &'static str = "a duration";
    const PATTERN: Option<&'static str> = Some("[0-9]+(ms|s|m|h|d)");
    const EXAMPLE: &'static str = "30s";

    fn parse(text: &str) -> Result<Self, Invalid> {
        let value = duration(text)?;
        above_zero(value, value.is_zero())
    }
}

impl Text for Wait {
    type Value = Duration;
    const NAME: &'static str = "wait";
    const WHAT: &'static str = "a duration";
    const PATTERN: Option<&'static str> = Duration::PATTERN;
    const EXAMPLE: &'static str = "3s";

    fn parse(text: &str) -> Result<Duration, Invalid> {
        duration(text)
    }
}

impl Text for Bytes {
    type Value = Self;
    const NAME: &'static str = "size";
    const WHAT: &'static str = "a size";
    const PATTERN: Option<&'static str> = Some("[0-9]+(B|KiB|MiB|GiB|KB|MB|GB)");
    const EXAMPLE: &'static str = "20MiB";

    fn parse(text: &str) -> Result<Self, Invalid> {
        let value = size(text)?;
        above_zero(value, value.0 == 0)
    }
}

impl Text for Room {
    type Value = Bytes;
    const NAME: &'static str = "room";
    const WHAT: &'static str = "a size";
    const PATTERN: Option<&'static str> = Bytes::PATTERN;
    const EXAMPLE: &'static str = "64MiB";

    fn parse(text: &str) -> Result<Bytes, Invalid> {
        size(text)
    }
}

impl Text for Rate {
    type Value = Self;
    const NAME: &'static str = "rate";
    const WHAT: &'static str = "a rate";
    const PATTERN: Option<&'static str> = Some("[0-9]+/(s|min|h|d)");
    const EXAMPLE: &'static str = "600/min";

    fn parse(text: &str) -> Result<Self, Invalid> {
        let rate = text.split_once('/').and_then(|(number, period)| {
            let seconds = PERIODS.iter().find(|(name, _)| *name == period)?.1;
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            let amount = number.parse().ok().filter(|_| digits)?;
            Some(Self { amount, per: Duration::from_secs(seconds) })
        });
        let rate = rate.ok_or_else(|| {
            let help =
                format!("a whole number, a slash and one of {}: 10/s, 600/min, 1000/h, 5/d", names(PERIODS));
            Invalid::new(codes::BAD_UNIT, "is not a rate", help)
        })?;
        above_zero(rate, rate.amount == 0)
    }
}

/// `12.5` → 12.5; digits and one point only, so no `inf`, `nan`, sign or exponent.
fn decimal(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let edges = text.bytes().next()?.is_ascii_digit() && text.bytes().last()?.is_ascii_digit();
    text.parse().ok().filter(|_: &f64| plain && edges)
}

impl Text for Ratio {
    type Value = Self;
    const NAME: &'static str = "ratio";
    const WHAT: &'static str = "a share";
    const PATTERN: Option<&'static str> = Some("[0-9]+(\\.[0-9]+)?%");
    const EXAMPLE: &'static str = "20%";

    fn parse(text: &str) -> Result<Self, Invalid> {
        text.strip_suffix('%')
            .and_then(decimal)
            .map(|percent| Self(percent / 100.0))
            .ok_or_else(|| Invalid::new(codes::BAD_UNIT, "is not a share", "a number and %: 20%, 2.5%, 100%"))
    }
}

impl Text for Percentile {
    type Value = f64;
    const NAME: &'static str = "percentile";
    const WHAT: &'static str = "a percentile";
    const PATTERN: Option<&'static str> = Some("p[5-9][0-9](\\.[0-9]+)?");
    const EXAMPLE: &'static str = "p95";

    fn parse(text: &str) -> Result<f64, Invalid> {
        let help = "p and a number, p50 to p99.9: p90, p95, p99";
        let percent = text.strip_prefix('p').and_then(decimal);
        let percent = percent.ok_or_else(|| Invalid::new(codes::BAD_UNIT, "is not a percentile", help))?;
        // Fewer than half of all are no norm to measure by, and beyond one in a thousand too few are seen.
        if !(50.0..=99.9).contains(&percent) {
            return Err(Invalid::new(codes::OUT_OF_RANGE, "is out of range", help));
        }
        Ok(percent / 100.0)
    }
}
