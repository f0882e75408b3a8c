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
    sent.map_or_else(|| hex(fastrand::u128(..)), Into::into)
}

/// 32 digits. Made for every request, so without the formatting machinery and in one allocation.
fn hex(value: u128) -> Arc<str> {
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(value.to_be_bytes()) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
    }
    std::str::from_utf8(&digits).unwrap_or_default().into()
}

const fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_all_its_digits() {
        assert_eq!(*hex(0), "0".repeat(32));
        assert_eq!(*hex(0x0123_4567_89ab_cdef), format!("{:032x}", 0x0123_4567_89ab_cdef_u128));
        assert_eq!(*hex(u128::MAX), "f".repeat(32));
    }
}
