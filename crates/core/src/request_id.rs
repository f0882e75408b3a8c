//! The id of a request: in its answer, its log line, its usage record and its trace.

use crate::headers as names;
use http::HeaderMap;
use std::sync::Arc;

/// The client's own id where it is a proper one, so that its logs and ours meet; else a new one.
pub(crate) fn of(headers: &HeaderMap) -> Arc<str> {
    const LONGEST: usize = 128;
    let proper = |text: &&str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits)
    };
    let named = |name| headers.get(name)?.to_str().ok().filter(proper);
    let sent = named(names::REQUEST_ID).or_else(|| named(names::CLIENT_REQUEST_ID));
    sent.map_or_else(|| hex(fastrand::u128(..)).into(), Into::into)
}

/// 32 digits. Made for every request, so without the formatting machinery.
fn hex(value: u128) -> String {
    let digit = |at: u32| char::from_digit(u32::try_from(value >> (4 * at) & 0xf).unwrap_or(0), 16);
    (0..32).rev().filter_map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_all_its_digits() {
        assert_eq!(hex(0), "0".repeat(32));
        assert_eq!(hex(0x0123_4567_89ab_cdef), format!("{:032x}", 0x0123_4567_89ab_cdef_u128));
        assert_eq!(hex(u128::MAX), "f".repeat(32));
    }
}
