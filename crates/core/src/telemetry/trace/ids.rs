//! Ids of traces and spans, as W3C Trace Context has them: never all zeroes, told in lower-case hexadecimal.

use std::{
    fmt,
    num::{NonZeroU64, NonZeroU128},
};

/// Id of a trace, 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(NonZeroU128);

/// Id of a span, 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanId(NonZeroU64);

impl TraceId {
    /// A new one.
    #[must_use]
    pub fn draw() -> Self {
        Self(NonZeroU128::new(fastrand::u128(1..)).unwrap_or(NonZeroU128::MIN))
    }

    /// As it stands in headers and log lines.
    #[must_use]
    pub fn hex(self) -> [u8; 32] {
        let mut text = [0; 32];
        digits(&mut text, |at| self.0.get() >> (4 * at));
        text
    }

    /// As it is sent to collectors.
    #[must_use]
    pub fn bytes(self) -> [u8; 16] {
        self.0.get().to_be_bytes()
    }

    /// Where it falls between 0 and 1: replicas and other services that go by the same id agree.
    #[must_use]
    pub fn draw_of(self) -> f64 {
        const RANDOM: u32 = 53;
        (self.0.get() & ((1 << RANDOM) - 1)) as f64 / (1_u64 << RANDOM) as f64
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        NonZeroU128::new(value(text, 32)?).map(Self)
    }
}

impl SpanId {
    /// A new one.
    #[must_use]
    pub fn draw() -> Self {
        Self(NonZeroU64::new(fastrand::u64(1..)).unwrap_or(NonZeroU64::MIN))
    }

    /// As it stands in headers.
    #[must_use]
    pub fn hex(self) -> [u8; 16] {
        let mut text = [0; 16];
        digits(&mut text, |at| u128::from(self.0.get() >> (4 * at)));
        text
    }

    /// As it is sent to collectors.
    #[must_use]
    pub fn bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        NonZeroU64::new(u64::try_from(value(text, 16)?).ok()?).map(Self)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Without the formatting machinery: this is on the path of requests.
fn digits(text: &mut [u8], shifted: impl Fn(usize) -> u128) {
    let last = text.len().saturating_sub(1);
    for (at, byte) in text.iter_mut().enumerate() {
        let digit = u8::try_from(shifted(last - at) & 0xf).unwrap_or(0);
        *byte = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
    }
}

/// Exactly so many lower-case digits.
pub(super) fn value(text: &[u8], length: usize) -> Option<u128> {
    if text.len() != length {
        return None;
    }
    text.iter().try_fold(0, |value, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        for _ in 0..100 {
            let (trace, span) = (TraceId::draw(), SpanId::draw());
            assert_eq!(TraceId::parse(&trace.hex()), Some(trace));
            assert_eq!(SpanId::parse(&span.hex()), Some(span));
            assert_eq!(trace.hex(), *trace.to_string().as_bytes());
        }
        let id = TraceId::parse(b"0af7651916cd43dd8448eb211c80319c").unwrap();
        assert_eq!(id.bytes()[..4], [0x0a, 0xf7, 0x65, 0x19]);
    }

    #[test]
    fn draws_of_ids_are_spread_evenly() {
        let low = (0..10_000).filter(|_| TraceId::draw().draw_of() < 0.05).count();
        assert!((300..700).contains(&low), "{low} of 10000 below 5%");
    }
}
