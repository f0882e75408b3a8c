//! What bytes weigh: a sum over all bytes, by their kind and the byte before.
//!
//! The numbers are a fit to two public vocabularies over source code, prose, data and two dozen languages, by the
//! quantile that makes four texts in five come out a little high. There is no state from byte to byte, so the
//! compiler makes vector instructions of it: several bytes at each cycle.

use std::ops::AddAssign;

use memchr::memmem;

use crate::json::RawStr;

/// So many bytes are weighed at once.
const BLOCK: usize = 64;
/// The end of a text is weighed in steps of so many, and so are characters beyond ASCII: most blocks have few.
const LANES: usize = 16;
/// From so many bytes on, a whole block is less work than its lanes one by one.
const MANY: usize = 2 * LANES;

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
const BEYOND: u8 = 246;

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
    Weight(sum(before, bytes, weigh_ascii, weigh_beyond))
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
        weight += Weight(u64::from(weigh_escape(character)));
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
    let starts = |byte: u8, before: u8| u8::from(byte.is_ascii_digit() & !before.is_ascii_digit());
    sum(SPACE, bytes, starts, |_| 0)
}

/// Adds up what each byte weighs behind the one before it, and on top of that what it weighs if it is beyond ASCII.
#[inline(always)]
fn sum(before: u8, bytes: &[u8], weigh: impl Fn(u8, u8) -> u8, beyond: impl Fn(u8) -> u8) -> u64 {
    let Some(behind_first) = bytes.len().checked_sub(1) else { return 0 };
    // The odd bytes come first, so that every whole block has a byte before it.
    let (head, whole) = bytes.split_at_checked(behind_first % BLOCK + 1).unwrap_or_default();
    let whole_before = bytes.get(behind_first % BLOCK..).unwrap_or_default();
    let mut total = sum_head(before, head, &weigh, &beyond);
    for (block, before) in whole.as_chunks::<BLOCK>().0.iter().zip(whole_before.as_chunks().0) {
        total += u64::from(sum_whole(block, before, &weigh));
        total += sum_beyond_of(block, &beyond);
    }
    total
}

/// The same for as many bytes as a block has, or less. They are filled up with bytes that count nothing.
#[inline(always)]
fn sum_head(before: u8, head: &[u8], weigh: impl Fn(u8, u8) -> u8, beyond: impl Fn(u8) -> u8) -> u64 {
    let mut filled = [0; BLOCK + 1];
    let [first, behind @ ..] = &mut filled;
    *first = before;
    if let Some(place) = behind.get_mut(..head.len()) {
        place.copy_from_slice(head);
    }
    let [block_before @ .., _] = &filled;
    let [_, block @ ..] = &filled;
    if head.len() > MANY {
        return u64::from(sum_whole(block, block_before, &weigh)) + sum_beyond_of(block, &beyond);
    }
    let lanes = block.as_chunks().0.iter().zip(block_before.as_chunks().0);
    lanes
        .take(head.len().div_ceil(LANES))
        .map(|(lanes, before)| {
            u64::from(sum_lanes(&weigh_all(lanes, before, &weigh))) + sum_beyond(lanes, &beyond)
        })
        .sum()
}

/// Not inlined: alone the compiler makes better code of it.
#[inline(never)]
fn sum_whole(block: &[u8; BLOCK], before: &[u8; BLOCK], weigh: impl Fn(u8, u8) -> u8) -> u32 {
    sum_block(block, before, weigh)
}

#[inline(never)]
fn sum_lanes(lanes: &[u8; LANES]) -> u32 {
    sum_all(lanes)
}

/// In two passes: the compiler takes as many bytes at once as the widest number in a loop allows, so
/// weighing is kept apart from summing.
#[inline(always)]
fn sum_block<const N: usize>(block: &[u8; N], before: &[u8; N], weigh: impl Fn(u8, u8) -> u8) -> u32 {
    sum_all(&weigh_all(block, before, weigh))
}

#[inline(always)]
fn weigh_all<const N: usize>(block: &[u8; N], before: &[u8; N], weigh: impl Fn(u8, u8) -> u8) -> [u8; N] {
    let mut weights = [0; N];
    for (weight, (byte, before)) in weights.iter_mut().zip(block.iter().zip(before)) {
        *weight = weigh(*byte, *before);
    }
    weights
}

/// Wrapping, since a check at each addition would keep the vector instructions away; a block is far too short.
#[inline(always)]
fn sum_all<const N: usize>(weights: &[u8; N]) -> u32 {
    weights.iter().fold(0_u32, |sum, weight| sum.wrapping_add(u32::from(*weight)))
}

#[inline(always)]
fn sum_beyond_of(block: &[u8; BLOCK], beyond: impl Fn(u8) -> u8) -> u64 {
    if block.is_ascii() {
        return 0;
    }
    block.as_chunks().0.iter().map(|lanes| sum_beyond(lanes, &beyond)).sum()
}

#[inline(always)]
fn sum_beyond(lanes: &[u8; LANES], beyond: impl Fn(u8) -> u8) -> u64 {
    const HIGH: u128 = u128::from_ne_bytes([0x80; LANES]);
    if u128::from_ne_bytes(*lanes) & HIGH == 0 {
        0
    } else {
        u64::from(sum_lanes(&weigh_all(lanes, lanes, |byte, _| beyond(byte))))
    }
}

/// `weight` if it applies.
#[inline(always)]
fn when(applies: bool, weight: u8) -> u8 {
    u8::from(applies).wrapping_neg() & weight
}

#[inline(always)]
fn is_mark(byte: u8) -> bool {
    let is_alphanumeric = ((byte | 0x20).wrapping_sub(b'a') < 26) | (byte.wrapping_sub(b'0') < 10);
    (byte > b' ') & (byte < 0x7f) & !is_alphanumeric
}

#[inline(always)]
fn weigh_ascii(byte: u8, before: u8) -> u8 {
    let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let is_capital = byte.wrapping_sub(b'A') < 26;
    let is_digit = byte.wrapping_sub(b'0') < 10;
    let follows_digit = before.wrapping_sub(b'0') < 10;
    // Where two apply, their sum fits.
    when(is_letter, LETTER).wrapping_add(when(is_capital, CAPITAL))
        | when(is_digit, DIGIT).wrapping_add(when(is_digit & !follows_digit, NUMBER))
        | when(is_mark(byte) & !is_mark(before), MARK)
        | when(byte == b'\n', LINE_FEED)
}

/// A character beyond ASCII has its weight at its first byte.
#[inline(always)]
fn weigh_beyond(byte: u8) -> u8 {
    when((0xc2..=0xc5).contains(&byte), ACCENTED)
        | when((0xd0..=0xd3).contains(&byte), CYRILLIC)
        | when((0xc6..=0xcf).contains(&byte) | (0xd4..=0xdf).contains(&byte), ALPHABET)
        | when((0xe0..=0xe2).contains(&byte), SYLLABLE)
        | when((0xe3..=0xef).contains(&byte), IDEOGRAPH)
        | when(byte >= 0xf0, BEYOND)
}

/// Any byte; at most one of the two weighs.
fn weigh_any(byte: u8, before: u8) -> u8 {
    weigh_ascii(byte, before) | weigh_beyond(byte)
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
        0xd800..=0xdbff => BEYOND,
        0xdc00..=0xdfff => 0,
        0x3000.. => IDEOGRAPH,
        unit => {
            let mut utf8 = [0; 4];
            let written = char::from_u32(unit).unwrap_or(' ').encode_utf8(&mut utf8);
            written.bytes().next().map_or(0, |byte| weigh_any(byte, SPACE))
        }
    }
}

#[cfg(test)]
#[path = "weigh_tests.rs"]
mod tests;
