//! Strings as written between their quotes, and the fast search for where they end.

use std::borrow::Cow;
use std::ops::Range;

use super::stops::Stops;

/// A string of a scanned text, borrowed as it was written: escapes are checked, but not resolved.
#[derive(Debug, Clone, Copy)]
pub struct RawStr<'a> {
    raw: &'a str,
    /// Offset of the first byte behind the opening quote.
    start: usize,
    spelling: Spelling,
}

/// How a string is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// As it is meant.
    Plain,
    /// With escapes of one letter.
    Escaped,
    /// With `\uXXXX` as well.
    Units,
}

impl<'a> RawStr<'a> {
    /// `raw` stands between quotes, from `start` on.
    #[inline]
    pub(super) fn new(raw: &'a str, start: usize, spelling: Spelling) -> Self {
        Self { raw, start, spelling }
    }

    /// What stands between quotes, if that is text without escapes. Its [`range`](Self::range) is of no document.
    #[inline]
    pub(crate) fn plain(bytes: &'a [u8]) -> Option<Self> {
        if plain_prefix(bytes) < bytes.len() {
            return None;
        }
        simdutf8::basic::from_utf8(bytes).ok().map(|raw| Self::new(raw, 1, Spelling::Plain))
    }

    /// The text between the quotes, as written.
    #[must_use]
    #[inline]
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// Whether the text has escapes, so that [`raw`](Self::raw) and [`decode`](Self::decode) differ.
    #[must_use]
    #[inline]
    pub fn is_escaped(&self) -> bool {
        self.spelling != Spelling::Plain
    }

    /// Whether characters are written as `\uXXXX`.
    #[inline]
    pub(crate) fn has_units(&self) -> bool {
        self.spelling == Spelling::Units
    }

    /// The bytes that the string takes in the scanned text, quotes included.
    #[must_use]
    #[inline]
    pub fn range(&self) -> Range<usize> {
        self.start - 1..self.start + self.raw.len() + 1
    }

    /// The text that is meant. Allocates only where there are escapes; half a surrogate pair, which RFC 8259
    /// lets pass and no Rust string can hold, becomes U+FFFD.
    #[must_use]
    #[inline]
    pub fn decode(&self) -> Cow<'a, str> {
        if self.is_escaped() { Cow::Owned(self.resolve()) } else { Cow::Borrowed(self.raw) }
    }

    #[cold]
    fn resolve(&self) -> String {
        let mut text = String::with_capacity(self.raw.len());
        let mut rest = self.raw;
        while let Some((plain, tail)) = rest.split_once('\\') {
            let (meant, tail) = unescape(tail);
            text.push_str(plain);
            text.push(meant);
            rest = tail;
        }
        text.push_str(rest);
        text
    }
}

/// Compares what is meant, not what is written: `"\u006dodel"` equals `model`.
impl PartialEq<str> for RawStr<'_> {
    #[inline]
    fn eq(&self, other: &str) -> bool {
        if self.is_escaped() { self.decode() == other } else { self.raw == other }
    }
}

impl PartialEq<&str> for RawStr<'_> {
    #[inline]
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl PartialEq for RawStr<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        if self.is_escaped() || other.is_escaped() {
            self.decode() == other.decode()
        } else {
            self.raw == other.raw
        }
    }
}

impl Eq for RawStr<'_> {}

/// Reads the escape whose backslash stood before `tail`: the character meant, and what follows.
fn unescape(tail: &str) -> (char, &str) {
    let mut chars = tail.chars();
    let meant = match chars.next() {
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return unescape_unit(chars.as_str()),
        Some(itself) => itself,
        None => char::REPLACEMENT_CHARACTER,
    };
    (meant, chars.as_str())
}

/// Whether a backslash and this letter are a whole escape.
#[inline(always)]
pub(super) fn is_short_escape(letter: u8) -> bool {
    const LETTERS: u128 = {
        let (mut letters, mut rest): (u128, &[u8]) = (0, b"\"\\/bfnrt");
        while let [letter, behind @ ..] = rest {
            letters |= 1 << *letter;
            rest = behind;
        }
        letters
    };
    letter < 128 && LETTERS >> letter & 1 == 1
}

/// Reads `XXXX`, or `XXXX\uXXXX` where the two are a surrogate pair.
fn unescape_unit(tail: &str) -> (char, &str) {
    let Some((unit, tail)) = hex_unit(tail) else { return (char::REPLACEMENT_CHARACTER, tail) };
    let second = tail.strip_prefix("\\u").and_then(hex_unit);
    let pair = second.map(|(low, after)| (char::decode_utf16([unit, low]).next(), after));
    if let (0xd800..=0xdbff, Some((Some(Ok(meant)), after))) = (unit, pair) {
        return (meant, after);
    }
    (char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER), tail)
}

fn hex_unit(tail: &str) -> Option<(u16, &str)> {
    let (digits, after) = tail.split_at_checked(4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, after))
}

/// How many bytes at the front are plain: before the first quote, backslash or control character.
///
/// The first eight are looked at in place: most names end there.
#[inline(always)]
pub(super) fn plain_prefix(bytes: &[u8]) -> usize {
    match bytes.split_first_chunk() {
        Some((word, behind)) => first_stop(word).unwrap_or_else(|| WORD + plain_prefix_of_many(behind)),
        None => plain_prefix_of_many(bytes),
    }
}

/// The same where the first stop is not so near. Words are quickest for names and for short texts, blocks for prompts.
#[inline(never)]
fn plain_prefix_of_many(bytes: &[u8]) -> usize {
    let (words, _) = bytes.as_chunks();
    let near = words.get(..NEAR).unwrap_or(words);
    first_stop_of(near).unwrap_or_else(|| {
        let passed = near.len() * WORD;
        passed + Stops::of(bytes.get(passed..).unwrap_or_default()).next(0)
    })
}

#[inline]
fn first_stop_of(words: &[[u8; WORD]]) -> Option<usize> {
    for (index, word) in words.iter().enumerate() {
        if let Some(at) = first_stop(word) {
            return Some(index * WORD + at);
        }
    }
    None
}

/// The bytes that are looked at as one number.
const WORD: usize = 8;
/// So many of them are looked at before blocks are.
const NEAR: usize = 4;

/// Where the first byte of a word is a control character, a quote or a backslash.
///
/// `x - n` borrows into a byte's high bit where that byte is below `n`, and leaves the bit that a byte has of
/// itself; `& !word` tells the two apart, once there is anything to tell. A borrow can also mark bytes *after*
/// a true hit, but never before it, and only the first is looked at.
#[inline(always)]
fn first_stop(word: &[u8; WORD]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; WORD]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; WORD]);
    let word = u64::from_le_bytes(*word);
    let quote_or_control = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    let marks = (quote_or_control | backslash) & HIGH;
    if marks == 0 {
        return None;
    }
    let stops = marks & !word;
    (stops != 0).then_some((stops.trailing_zeros() / 8) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn raw(text: &str) -> RawStr<'_> {
        RawStr::new(text, 1, if text.contains('\\') { Spelling::Units } else { Spelling::Plain })
    }

    #[test]
    fn escapes_are_resolved() {
        for (written, meant) in [
            ("plain é 日本", "plain é 日本"),
            (r"\u006dodel", "model"),
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"\ud83d\ude00", "😀"),
            (r"\uD83D\uDE00!", "😀!"),
            (r"a\u0000b", "a\0b"),
        ] {
            assert_eq!(raw(written).decode(), meant, "{written}");
            assert!(raw(written) == meant, "{written}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_becomes_the_replacement_character() {
        for (written, meant) in [
            (r"\ud83d", "\u{fffd}"),
            (r"\ude00", "\u{fffd}"),
            (r"\ud83dx", "\u{fffd}x"),
            (r"\ud83d\n", "\u{fffd}\n"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(raw(written).decode(), meant, "{written}");
        }
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        assert!(matches!(raw("plain").decode(), Cow::Borrowed("plain")));
    }

    #[test]
    fn a_stop_is_found_at_every_place_of_short_and_long_text() {
        for stop in [b'"', b'\\', 0, b'\n', 0x1f] {
            for at in 0..400 {
                let mut bytes = "é~!# \u{7f}日本\u{a2}\u{dc}".repeat(25).into_bytes();
                bytes[at] = stop;
                assert_eq!(plain_prefix(&bytes), at, "{stop}");
                assert_eq!(plain_prefix(&bytes[..at]), at);
            }
        }
    }

    proptest! {
        #[test]
        fn the_fast_search_stops_where_the_plain_one_does(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let slow = bytes.iter().take_while(|&&b| b >= 0x20 && b != b'"' && b != b'\\').count();
            prop_assert_eq!(plain_prefix(&bytes), slow);
        }

        #[test]
        fn a_string_decodes_to_what_was_encoded(text in any::<String>()) {
            let written = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(raw(&written[1..written.len() - 1]).decode(), text);
        }
    }
}
