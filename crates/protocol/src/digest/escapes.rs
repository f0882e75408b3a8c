//! Strings with escapes, resolved without loss.
//!
//! [`RawStr::decode`](crate::json::RawStr::decode) makes U+FFFD of every half of a surrogate pair, and would
//! let different texts share a digest. Here a half keeps its value: it is written as the three bytes that UTF-8
//! would have for it (the form known as WTF-8), which no other text has.

use crate::json::Stops;

/// Appends what is meant by a text that a scanner has accepted. False if it has half a surrogate pair.
pub(super) fn resolve(raw: &str, out: &mut Vec<u8>) -> bool {
    let (raw, mut stops) = (raw.as_bytes(), Stops::of(raw.as_bytes()));
    let (mut is_text, mut from) = (true, 0);
    loop {
        // An accepted text has no bare quote and no control character: each stop is an escape.
        let at = stops.next(from);
        out.extend_from_slice(raw.get(from..at).unwrap_or_default());
        let escape = raw.get(at..).unwrap_or_default();
        let behind = match escape {
            [_, b'u', unit @ ..] => resolve_unit(unit, out, &mut is_text),
            [_, letter, behind @ ..] => {
                out.push(match letter {
                    b'b' => 0x08,
                    b'f' => 0x0c,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    itself => *itself,
                });
                behind
            }
            // The end: no accepted text ends in a backslash.
            _ => return is_text,
        };
        from = raw.len() - behind.len();
    }
}

/// Resolves `XXXX`, or `XXXX\uXXXX` where the two are a surrogate pair, and returns what follows.
fn resolve_unit<'a>(text: &'a [u8], out: &mut Vec<u8>, is_text: &mut bool) -> &'a [u8] {
    let Some((unit, after)) = hex_unit(text) else { return &[] };
    let second = after.strip_prefix(b"\\u").and_then(hex_unit);
    let units = [unit, second.map_or(0, |(low, _)| low)];
    let (meant, after) = match (char::decode_utf16(units).next(), second) {
        (Some(Ok(meant)), Some((_, after_pair))) if meant.len_utf16() == 2 => (meant, after_pair),
        (Some(Ok(meant)), _) => (meant, after),
        _ => {
            let [high, low] = unit.to_be_bytes();
            out.extend([0xed, 0x80 | (high & 0x0f) << 2 | low >> 6, 0x80 | low & 0x3f]);
            *is_text = false;
            return after;
        }
    };
    out.extend_from_slice(meant.encode_utf8(&mut [0; 4]).as_bytes());
    after
}

fn hex_unit(text: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, after) = text.split_at_checked(4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    Some((u16::from_str_radix(digits, 16).ok()?, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Scanner, samples};
    use proptest::prelude::*;

    fn resolved(raw: &str) -> (Vec<u8>, bool) {
        let mut out = Vec::new();
        let is_text = resolve(raw, &mut out);
        (out, is_text)
    }

    #[test]
    fn halves_of_pairs_keep_their_value() {
        for (raw, bytes) in [
            (r"\ud800", &b"\xed\xa0\x80"[..]),
            (r"a\uDBFFb", b"a\xed\xaf\xbfb"),
            (r"\udc00\ud800", b"\xed\xb0\x80\xed\xa0\x80"),
            (r"\uD83D\ud83d\ude00", b"\xed\xa0\xbd\xf0\x9f\x98\x80"),
            (r"\udfff\n", b"\xed\xbf\xbf\n"),
            (r"\ud83d\\ude00", b"\xed\xa0\xbd\\ude00"),
        ] {
            assert_eq!(resolved(raw), (bytes.to_vec(), false), "{raw}");
        }
    }

    #[test]
    fn a_replacement_character_is_a_text_like_any_other() {
        assert_eq!(resolved(r"\ufffd\ud83d\ude00"), ("\u{fffd}😀".into(), true));
    }

    #[test]
    fn an_escape_is_found_wherever_it_stands() {
        let escapes =
            [(r"\n", "\n"), (r#"\""#, "\""), (r"\\", "\\"), (r"\u0041", "A"), (r"\ud83d\ude00", "😀")];
        for ((raw, meant), length) in escapes.into_iter().flat_map(|each| (0..=130).map(move |n| (each, n))) {
            let plain = "x".repeat(length);
            let (once, twice) = (format!("{plain}{raw}"), format!("{plain}{raw}{raw}{plain}"));
            assert_eq!(resolved(&once), (format!("{plain}{meant}").into_bytes(), true), "{once}");
            assert_eq!(
                resolved(&twice),
                (format!("{plain}{meant}{meant}{plain}").into_bytes(), true),
                "{twice}"
            );
        }
    }

    proptest! {
        #[test]
        fn whole_texts_are_resolved_as_the_scanner_decodes_them(quoted in samples::string()) {
            let text = Scanner::new(quoted.as_bytes()).string().unwrap();
            let (bytes, is_text) = resolved(text.raw());
            if is_text {
                let decoded = text.decode();
                prop_assert_eq!(&bytes[..], decoded.as_bytes());
            } else {
                prop_assert!(text.decode().contains(char::REPLACEMENT_CHARACTER));
                prop_assert!(String::from_utf8(bytes).is_err());
            }
        }
    }
}
