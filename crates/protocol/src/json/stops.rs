//! Where the plain text of a string stops: at a quote, a backslash or a control character.
//!
//! This is where a long prompt spends its time, so each byte is looked at once, 64 of them together. What a stop means
//! is for who asks.

use wide::u8x16;

/// Bytes that are looked at together: as many as a word has bits.
const BLOCK: usize = 64;
/// Bytes of one vector.
const LANES: usize = 16;
/// No stop: fills up the last block.
const PLAIN: u8 = b' ';

/// The stops of a text, from front to back.
pub(crate) struct Stops<'a> {
    /// Whole blocks behind the one in hand, and what follows on them.
    blocks: &'a [[u8; BLOCK]],
    tail: &'a [u8],
    /// Offset of the block in hand.
    offset: usize,
    /// Its stops: one bit a byte, the first byte's lowest.
    marks: u64,
    length: usize,
}

impl<'a> Stops<'a> {
    #[inline]
    pub(crate) fn of(text: &'a [u8]) -> Self {
        let (blocks, tail) = text.as_chunks();
        let mut stops = Self { blocks, tail, offset: 0, marks: 0, length: text.len() };
        stops.marks = stops.marks_ahead();
        stops
    }

    /// The first stop at `from` or behind it, which is never before an earlier one; the text's length where none is.
    #[inline]
    pub(crate) fn next(&mut self, from: usize) -> usize {
        loop {
            let within = from.saturating_sub(self.offset);
            let marks = if within < BLOCK { self.marks & u64::MAX << within } else { 0 };
            if marks != 0 {
                return self.offset.wrapping_add(marks.trailing_zeros() as usize);
            }
            self.offset = self.offset.wrapping_add(BLOCK);
            if self.offset >= self.length {
                self.marks = 0;
                return self.length;
            }
            self.marks = self.marks_ahead();
        }
    }

    /// Takes the next block in hand.
    #[inline]
    fn marks_ahead(&mut self) -> u64 {
        let Some((block, behind)) = self.blocks.split_first() else { return marks_of_tail(self.tail) };
        self.blocks = behind;
        marks(block)
    }
}

#[inline]
fn marks(block: &[u8; BLOCK]) -> u64 {
    let lanes = block.as_chunks::<LANES>().0.iter();
    lanes.rev().fold(0, |marks, lane| marks << LANES | u64::from(stops(*lane)))
}

fn marks_of_tail(tail: &[u8]) -> u64 {
    let mut block = [PLAIN; BLOCK];
    if let Some(place) = block.get_mut(..tail.len()) {
        place.copy_from_slice(tail);
    }
    marks(&block)
}

/// One bit a byte. Flipping the second bit moves the control characters among themselves and the quote right behind
/// them, so that one comparison finds both.
#[inline]
fn stops(lane: [u8; LANES]) -> u32 {
    let bytes = u8x16::new(lane);
    let flipped = bytes ^ u8x16::splat(0x02);
    let quote_or_control = flipped.min(u8x16::splat(0x20)).simd_eq(flipped);
    (quote_or_control | bytes.simd_eq(u8x16::splat(b'\\'))).to_bitmask()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(text: &[u8]) -> Vec<usize> {
        let mut stops = Stops::of(text);
        let mut found = Vec::new();
        loop {
            let at = stops.next(found.last().map_or(0, |last| last + 1));
            if at == text.len() {
                return found;
            }
            found.push(at);
        }
    }

    fn is_stop(byte: u8) -> bool {
        byte < 0x20 || byte == b'"' || byte == b'\\'
    }

    #[test]
    fn every_byte_is_a_stop_or_none() {
        for byte in 0..=u8::MAX {
            for at in [0, 15, 63, 64, 130] {
                let mut text = [b'a'; 140];
                text[at] = byte;
                let expected = if is_stop(byte) { vec![at] } else { vec![] };
                assert_eq!(all(&text), expected, "{byte:#x} at {at}");
            }
        }
    }

    #[test]
    fn what_is_passed_over_is_not_looked_at_again() {
        let text = [&[b'\\'; 70][..], &[b'a'; 70], &[b'"'; 10]].concat();
        let mut stops = Stops::of(&text);
        assert_eq!([stops.next(0), stops.next(2), stops.next(66)], [0, 2, 66]);
        assert_eq!([stops.next(72), stops.next(141), stops.next(149)], [140, 141, 149]);
        assert_eq!([stops.next(150), stops.next(150)], [150, 150]);
        assert_eq!(Stops::of(&[]).next(0), 0);
    }

    proptest! {
        #[test]
        fn all_stops_are_found_in_any_text(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let expected: Vec<_> = (0..text.len()).filter(|&at| is_stop(text[at])).collect();
            prop_assert_eq!(all(&text), expected);
        }
    }
}
