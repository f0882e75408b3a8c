use super::*;
use crate::json::Scanner;
use proptest::prelude::*;

/// `weight` if it applies.
fn when(applies: bool, weight: u8) -> u8 {
    u8::from(applies).wrapping_neg() & weight
}

fn is_mark(byte: u8) -> bool {
    let is_alphanumeric = ((byte | 0x20).wrapping_sub(b'a') < 26) | (byte.wrapping_sub(b'0') < 10);
    (byte > b' ') & (byte < 0x7f) & !is_alphanumeric
}

fn weigh_ascii_after(byte: u8, before: u8) -> u8 {
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
fn weigh_beyond(byte: u8) -> u8 {
    when((0xc2..=0xc5).contains(&byte), ACCENTED)
        | when((0xd0..=0xd3).contains(&byte), CYRILLIC)
        | when((0xc6..=0xcf).contains(&byte) | (0xd4..=0xdf).contains(&byte), ALPHABET)
        | when((0xe0..=0xe2).contains(&byte), SYLLABLE)
        | when((0xe3..=0xef).contains(&byte), IDEOGRAPH)
        | when(byte >= 0xf0, FURTHER)
}

/// Any byte; at most one of the two weighs.
fn weigh_any(byte: u8, before: u8) -> u8 {
    weigh_ascii_after(byte, before) | weigh_beyond(byte)
}

/// Byte by byte, as the table of weights reads.
fn slowly(bytes: &[u8]) -> Weight {
    let before = std::iter::once(&b' ').chain(bytes);
    Weight(bytes.iter().zip(before).map(|(byte, before)| u64::from(weigh_any(*byte, *before))).sum())
}

fn quoted_weight(json: &str) -> Weight {
    quoted(Scanner::new(json.as_bytes()).string().unwrap())
}

#[test]
fn no_two_weights_of_a_byte_overflow() {
    for byte in 0..=u8::MAX {
        for before in 0..=u8::MAX {
            let parts = [
                (byte.is_ascii_alphabetic(), LETTER),
                (byte.is_ascii_uppercase(), CAPITAL),
                (byte.is_ascii_digit(), DIGIT),
                (byte.is_ascii_digit() && !before.is_ascii_digit(), NUMBER),
                (byte.is_ascii_punctuation() && !before.is_ascii_punctuation(), MARK),
                (byte == b'\n', LINE_FEED),
                (matches!(byte, 0xc2..=0xc5), ACCENTED),
                (matches!(byte, 0xd0..=0xd3), CYRILLIC),
                (matches!(byte, 0xc6..=0xcf | 0xd4..=0xdf), ALPHABET),
                (matches!(byte, 0xe0..=0xe2), SYLLABLE),
                (matches!(byte, 0xe3..=0xef), IDEOGRAPH),
                (byte >= 0xf0, FURTHER),
            ];
            let expected: u16 =
                parts.iter().filter(|(is, _)| *is).map(|(_, weight)| u16::from(*weight)).sum();
            assert_eq!(u16::from(weigh_any(byte, before)), expected, "{before:#x} {byte:#x}");
            if byte.is_ascii() {
                assert_eq!(weigh_ascii_after(byte, before), weigh_any(byte, before), "{before:#x} {byte:#x}");
            }
        }
    }
}

#[test]
fn a_character_weighs_the_same_in_every_spelling() {
    for (plain_text, escaped) in [
        ("\"日本語のテキスト\"", r#""\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8""#),
        ("\"Привет\"", r#""\u041f\u0440\u0438\u0432\u0435\u0442""#),
        ("\"café £5\"", r#""caf\u00e9 \u00A35""#),
        ("\"well 😀 done\"", r#""well \ud83d\ude00 done""#),
    ] {
        assert_eq!(quoted_weight(plain_text), quoted_weight(escaped), "{plain_text}");
    }
}

#[test]
fn every_escape_weighs_what_its_character_does() {
    for character in '\0'..='\u{ffff}' {
        let escape = format!("\\u{:04x}", u32::from(character));
        let plainly = plain(character.encode_utf8(&mut [0; 4]).as_bytes());
        assert_eq!(Weight(weigh_escape(escape.as_bytes()).into()), plainly, "{escape}");
    }
}

#[test]
fn a_backslash_before_a_u_is_not_always_an_escape() {
    // The text is `C:\users`, with its backslash escaped.
    assert!(quoted_weight(r#""C:\\users""#).tokens() <= 5);
    assert_eq!(quoted_weight(r#""\\u""#), plain(br"\\u"));
    assert_eq!(quoted_weight(r#""\\u0041""#), plain(br"\\u0041"));
}

#[test]
fn numbers_are_counted_one_by_one() {
    for (list, count) in [
        ("[]", 0),
        ("[1]", 1),
        ("7", 1),
        ("", 0),
        ("[1, 22,\n333]", 3),
        ("[[1,2],[3],[]]", 3),
        ("[50256,50256]", 2),
    ] {
        assert_eq!(numbers(list.as_bytes()), count, "{list}");
    }
    for length in 0..200 {
        let list = format!("[{}]", vec!["128009"; length].join(","));
        assert_eq!(numbers(list.as_bytes()), u64::try_from(length).unwrap());
    }
}

#[test]
fn long_texts_of_one_kind_overflow_no_counter() {
    for byte in ["a", "A", "7", "#", "\n", "\u{e9}", "7a", "#a"] {
        for length in [1, 15, 16, 17, 1040, 1041, 4096, 20_000] {
            let text = byte.repeat(length);
            assert_eq!(plain(text.as_bytes()), slowly(text.as_bytes()), "{byte:?} {length} times");
        }
    }
}

proptest! {
    #[test]
    fn blocks_weigh_what_their_bytes_weigh(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        prop_assert_eq!(plain(&bytes), slowly(&bytes));
    }

    #[test]
    fn text_weighs_what_its_bytes_weigh(text in "([ -~]{0,80}|\\PC{0,40}|[0-9 \n]{0,30}){0,6}") {
        prop_assert_eq!(plain(text.as_bytes()), slowly(text.as_bytes()));
    }
}
