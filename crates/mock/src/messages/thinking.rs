//! Signatures of thoughts: made so that a block that comes back changed is noticed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::rng::Hash;

/// The signature of thoughts as they are shown. Long, and with the signs that break careless code.
pub(crate) fn sign(thoughts: &str) -> String {
    let hash = Hash::new().with(b"thinking").with(thoughts.as_bytes());
    let halves = [hash.clone().finish(), hash.with_number(1).finish()];
    STANDARD.encode(format!("mock/thinking+v1:{:016x}{:016x}~", halves[0], halves[1]))
}

/// What stands for thoughts that nobody may read.
pub(crate) fn redacted() -> String {
    sign("redacted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_fits_its_thoughts_alone() {
        assert_eq!(sign("one"), sign("one"));
        assert_ne!(sign("one"), sign("one "));
        assert_ne!(sign(""), redacted());
    }
}
