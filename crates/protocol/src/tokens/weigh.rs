//! What bytes weigh: a sum over all bytes, by their kind and the byte before.
//!
//! The numbers are a fit to two public vocabularies over source code, prose, data and two dozen languages, by the
//! quantile that makes four texts in five come out a little high. There is no state from byte to byte, so that many
//! are counted at once (`kinds`).

use std::ops::AddAssign;

use memchr::memmem;

use super::kinds::{self, Kinds};
use crate::json::RawStr;

/// Bytes of `\uXXXX`.
const ESCAPE: usize = 6;

/// Before a text that follows on nothing: it takes nothing off what comes next.
const SPACE: u8 = b' ';

/// One token.
const TOKEN: u64 = 128;

// In 1/128 of a token.
const LETTER: u8 = 30;
/// On top of a letter's: words in capitals and names with humps come apart.
const CAPITAL: u8 = 26;
/// Vocabularies take three digits at once, if they take so many.
const DIGIT: u8 = 32;
/// On top of a digit's: a number begins a token of its own, and the word after it another.
const NUMBER: u8 = 192;
/// Anything else that can be printed. A run of them, such as `":"`, is about one token.
const MARK: u8 = 113;
const LINE_FEED: u8 = 136;
/// U+0080 to U+017F: a letter with an accent breaks a word.
const ACCENTED: u8 = 215;
/// U+0400 to U+04FF.
const CYRILLIC: u8 = 46;
/// Up to U+07FF: Greek, Hebrew, Arabic.
const ALPHABET: u8 = 50;
/// Up to U+2FFF: Indian scripts, Thai, typographic marks.
const SYLLABLE: u8 = 57;
/// Up to U+FFFF: Chinese, Japanese, Korean.
const IDEOGRAPH: u8 = 125;
/// What is beyond: emoji and rare scripts.
const FURTHER: u8 = 246;

/// What some text weighs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Weight(u64);

impl Weight {
    /// In tokens, rounded up.
    pub(super) fn tokens(self) -> u64 {
        self.0.div_ceil(TOKEN)
    }

    /// As if `sampled` bytes were `whole` ones.
    pub(super) fn scaled(self, sampled: usize, whole: usize) -> Self {
        let [sampled, whole] =
            [sampled.max(1), whole].map(|bytes| u128::try_from(bytes).unwrap_or(u128::MAX));
        Self(u64::try_from(u128::from(self.0).saturating_mul(whole) / sampled).unwrap_or(u64::MAX))
    }
}

impl AddAssign for Weight {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }
}

/// The weight of UTF-8, or of JSON as written.
pub(super) fn plain(bytes: &[u8]) -> Weight {
    plain_after(SPACE, bytes)
}

/// The same for what follows on a byte.
fn plain_after(before: u8, bytes: &[u8]) -> Weight {
    let Kinds { letters, capitals, digits, numbers, marks, line_feeds, beyond } = kinds::count(before, bytes);
    let weights = [
        (letters, LETTER),
        (capitals, CAPITAL),
        (digits, DIGIT),
        (numbers, NUMBER),
        (marks, MARK),
        (line_feeds, LINE_FEED),
        (beyond.accented, ACCENTED),
        (beyond.cyrillic, CYRILLIC),
        (beyond.alphabet, ALPHABET),
        (beyond.syllables, SYLLABLE),
        (beyond.ideographs, IDEOGRAPH),
        (beyond.further, FURTHER),
    ];
    Weight(weights.iter().map(|(count, weight)| count * u64::from(*weight)).sum())
}

/// The weight of a string.
pub(super) fn quoted(text: RawStr<'_>) -> Weight {
    quoted_after(SPACE, text)
}

/// The same for what follows on a byte.
pub(super) fn quoted_after(before: u8, text: RawStr<'_>) -> Weight {
    let raw = text.raw().as_bytes();
    if text.has_units() { written_after(before, raw) } else { plain_after(before, raw) }
}

/// The last byte of a string, as what follows on it is weighed.
pub(super) fn last(text: RawStr<'_>) -> Option<u8> {
    let raw = text.raw().as_bytes();
    let escape = raw.len().checked_sub(ESCAPE).and_then(|at| raw.get(at..)).filter(|_| text.has_units());
    if escape.is_some_and(is_escape) { Some(SPACE) } else { raw.last().copied() }
}

/// The weight of JSON whose characters may stand there as `\uXXXX`.
pub(super) fn written(json: &[u8]) -> Weight {
    written_after(SPACE, json)
}

fn written_after(mut before: u8, json: &[u8]) -> Weight {
    let finder = memmem::Finder::new(br"\u");
    let mut weight = Weight::default();
    let mut rest = json;
    while !rest.is_empty() {
        let (text, escape) = rest.split_at_checked(next_escape(&finder, rest)).unwrap_or((rest, &[]));
        let (character, after) = escape.split_at_checked(ESCAPE).unwrap_or_default();
        weight += plain_after(before, text);
        weight += Weight(weigh_escape(character).into());
        rest = after;
        before = SPACE;
    }
    weight
}

/// Where the next `\uXXXX` stands. In Chinese that is written so, they stand side by side.
fn next_escape(finder: &memmem::Finder<'_>, text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) else { return text.len() };
        if is_escape(rest) {
            return at;
        }
        at += 1;
        at += rest.get(1..).and_then(|rest| finder.find(rest)).unwrap_or(rest.len());
    }
}

/// How many runs of digits there are.
pub(super) fn numbers(bytes: &[u8]) -> u64 {
    kinds::count(SPACE, bytes).numbers
}

/// Whether `\uXXXX` comes next. Where the backslash is itself escaped, it hardly ever looks so.
fn is_escape(text: &[u8]) -> bool {
    let digits = text.get(..ESCAPE).and_then(|escape| escape.strip_prefix(br"\u"));
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// A character that is written `\uXXXX`; a pair of surrogates weighs at its first.
fn weigh_escape(escape: &[u8]) -> u8 {
    if escape.is_empty() {
        return 0;
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or_default();
    let unit = escape.iter().skip(2).fold(0, |unit, byte| unit << 4 | digit(byte));
    match unit {
        0..0x80 => char::from_u32(unit).map_or(0, weigh_ascii),
        0x80..0x180 => ACCENTED,
        0x400..0x500 => CYRILLIC,
        0x180..0x400 | 0x500..0x800 => ALPHABET,
        0x800..0x3000 => SYLLABLE,
        0xd800..0xdc00 => FURTHER,
        0xdc00..0xe000 => 0,
        _ => IDEOGRAPH,
    }
}

/// A character that nothing stands before, in few steps: some writers escape each `<` and `&`.
fn weigh_ascii(character: char) -> u8 {
    match character {
        'a'..='z' => LETTER,
        'A'..='Z' => LETTER + CAPITAL,
        '0'..='9' => DIGIT + NUMBER,
        '!'..='~' => MARK,
        '\n' => LINE_FEED,
        _ => 0,
    }
}

#[cfg(test)]
#[path = "weigh_tests.rs"]
mod tests;
