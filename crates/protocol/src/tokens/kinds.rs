//! How many bytes of a text are of each kind: sixteen at once, by comparisons alone.
//!
//! What each kind weighs is said in `weigh`.

use wide::u8x16;

/// Bytes that are looked at together.
const LANES: usize = 16;
/// So many vectors are counted in bytes before those are added up. If any of them has a character beyond ASCII, all are
/// looked at once more.
const STRIDE: usize = 64;

/// Bytes of a text by their kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Kinds {
    /// Of ASCII.
    pub(super) letters: u64,
    /// Letters that are capitals.
    pub(super) capitals: u64,
    pub(super) digits: u64,
    /// Runs of digits.
    pub(super) numbers: u64,
    /// Runs of what else of ASCII can be seen.
    pub(super) marks: u64,
    pub(super) line_feeds: u64,
    pub(super) beyond: Beyond,
}

/// Characters beyond ASCII, each known by its first byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Beyond {
    /// U+0080 to U+017F.
    pub(super) accented: u64,
    /// U+0400 to U+04FF.
    pub(super) cyrillic: u64,
    /// What else is up to U+07FF: Greek, Hebrew, Arabic.
    pub(super) alphabet: u64,
    /// Up to U+2FFF: Indian scripts, Thai, typographic marks.
    pub(super) syllables: u64,
    /// Up to U+FFFF: Chinese, Japanese, Korean.
    pub(super) ideographs: u64,
    /// What is further: emoji and rare scripts.
    pub(super) further: u64,
}

/// Counts the bytes of a text that follows on the byte `before`.
#[inline]
pub(super) fn count(before: u8, bytes: &[u8]) -> Kinds {
    let mut kinds = Kinds::default();
    let Some(behind_first) = bytes.len().checked_sub(1) else { return kinds };
    // The odd bytes come first, so that every whole vector has a byte before it.
    let odd = behind_first % LANES;
    let (head, whole) = bytes.split_at_checked(odd + 1).unwrap_or_default();
    let whole_before = bytes.get(odd..).unwrap_or_default();
    // Filled up with bytes that are of no kind.
    let mut filled = [0; LANES + 1];
    let [first, behind @ ..] = &mut filled;
    *first = before;
    if let Some(place) = behind.get_mut(..head.len()) {
        place.copy_from_slice(head);
    }
    let ([head_before @ .., _], [_, head @ ..]) = (&filled, &filled);
    kinds.add(std::slice::from_ref(head), std::slice::from_ref(head_before));
    let before = whole_before.as_chunks().0.chunks(STRIDE);
    for (stride, before) in whole.as_chunks().0.chunks(STRIDE).zip(before) {
        kinds.add(stride, before);
    }
    kinds
}

type Lanes = [u8; LANES];

impl Kinds {
    /// A mask is 255 in each lane where it holds, so that taking it off counts one.
    #[inline]
    fn add(&mut self, stride: &[Lanes], before: &[Lanes]) {
        let [mut letters, mut capitals, mut digits, mut numbers, mut marks, mut line_feeds] =
            [u8x16::ZERO; 6];
        let mut bits = u8x16::ZERO;
        for (lanes, before) in stride.iter().zip(before) {
            let bytes = u8x16::new(*lanes);
            let (classes, before) = (Classes::of(bytes), Classes::of(u8x16::new(*before)));
            letters -= classes.letters;
            capitals -= within(bytes, b'A', b'Z');
            digits -= classes.digits;
            numbers -= classes.digits & !before.digits;
            marks -= classes.marks & !before.marks;
            line_feeds -= bytes.simd_eq(u8x16::splat(b'\n'));
            bits |= bytes;
        }
        self.letters += sum(letters);
        self.capitals += sum(capitals);
        self.digits += sum(digits);
        self.numbers += sum(numbers);
        self.marks += sum(marks);
        self.line_feeds += sum(line_feeds);
        if bits.to_bitmask() != 0 {
            self.beyond.add(stride);
        }
    }
}

impl Beyond {
    #[inline(never)]
    fn add(&mut self, stride: &[Lanes]) {
        let [mut accented, mut cyrillic, mut alphabet, mut syllables, mut ideographs, mut further] =
            [u8x16::ZERO; 6];
        for lanes in stride {
            let bytes = u8x16::new(*lanes);
            accented -= within(bytes, 0xc2, 0xc5);
            cyrillic -= within(bytes, 0xd0, 0xd3);
            alphabet -= within(bytes, 0xc6, 0xcf) | within(bytes, 0xd4, 0xdf);
            syllables -= within(bytes, 0xe0, 0xe2);
            ideographs -= within(bytes, 0xe3, 0xef);
            further -= within(bytes, 0xf0, 0xff);
        }
        self.accented += sum(accented);
        self.cyrillic += sum(cyrillic);
        self.alphabet += sum(alphabet);
        self.syllables += sum(syllables);
        self.ideographs += sum(ideographs);
        self.further += sum(further);
    }
}

struct Classes {
    letters: u8x16,
    digits: u8x16,
    marks: u8x16,
}

impl Classes {
    #[inline]
    fn of(bytes: u8x16) -> Self {
        let letters = within(bytes | u8x16::splat(b' '), b'a', b'z');
        let digits = within(bytes, b'0', b'9');
        Self { letters, digits, marks: within(bytes, b'!', b'~') & !(letters | digits) }
    }
}

/// Which bytes are one of `first` to `last`.
#[inline]
fn within(bytes: u8x16, first: u8, last: u8) -> u8x16 {
    let above = bytes - u8x16::splat(first);
    above.min(u8x16::splat(last - first)).simd_eq(above)
}

/// All lanes together. None is above [`STRIDE`]: two of them fit into a byte, and all into the highest two bytes.
#[inline]
fn sum(lanes: u8x16) -> u64 {
    const EVEN: u64 = 0x00ff_00ff_00ff_00ff;
    let lanes = u128::from_ne_bytes(lanes.to_array());
    let pairs = (lanes as u64).wrapping_add((lanes >> 64) as u64);
    let fours = (pairs & EVEN).wrapping_add(pairs >> 8 & EVEN);
    fours.wrapping_mul(0x0001_0001_0001_0001) >> 48
}
