use std::ops::Range;

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::samples;
use super::{JsonError, JsonFault, Kind, MAX_DEPTH, Scanner, validate};

fn fault(text: &str) -> (usize, JsonFault) {
    let error = validate(text.as_bytes()).expect_err(text);
    (error.offset, error.what)
}

#[test]
fn every_token_of_the_grammar_is_accepted() {
    for text in [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "10",
        "-1.5",
        "0.0",
        "1e5",
        "1E+05",
        "1.2e-03",
        "1e999",
        r#""""#,
        r#""a\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00""#,
        r#""\ud83d""#,
        "\"\u{7f}\u{10ffff}\"",
        "[]",
        "{}",
        "[[],{}]",
        " \t\r\n[ 1 , 2 ] \n",
        r#"{"a":{"b":[null,{"c":[]}]},"a":1}"#,
        r#"{"":0}"#,
    ] {
        assert_eq!(validate(text.as_bytes()), Ok(()), "{text}");
    }
}

#[test]
fn what_is_not_in_the_grammar_is_refused_where_it_stands() {
    use JsonFault::{BadEscape, BadNumber, ControlCharacter, Expected, UnexpectedEnd};
    for (text, offset, what) in [
        ("", 0, UnexpectedEnd),
        ("  ", 2, UnexpectedEnd),
        ("nul", 0, Expected("`null`")),
        ("True", 0, Expected("a value")),
        ("NaN", 0, Expected("a value")),
        ("Infinity", 0, Expected("a value")),
        ("-Infinity", 1, BadNumber),
        ("+1", 0, Expected("a value")),
        (".5", 0, Expected("a value")),
        ("01", 1, BadNumber),
        ("-01", 2, BadNumber),
        ("1.", 2, UnexpectedEnd),
        ("[1.]", 3, BadNumber),
        ("[1.e5]", 3, BadNumber),
        ("[1e]", 3, BadNumber),
        ("[1e+]", 4, BadNumber),
        ("[-]", 2, BadNumber),
        ("0x10", 1, Expected("the end")),
        ("1 2", 2, Expected("the end")),
        ("{}{}", 2, Expected("the end")),
        ("{}\0", 2, Expected("the end")),
        ("[1,]", 3, Expected("a value")),
        ("[,1]", 1, Expected("a value")),
        ("[1 2]", 3, Expected("`,` or `]`")),
        ("[1}", 2, Expected("`,` or `]`")),
        ("[1", 2, UnexpectedEnd),
        ("{\"a\":1]", 6, Expected("`,` or `}`")),
        ("{\"a\":1,}", 7, Expected("a name in quotes")),
        ("{,}", 1, Expected("a name in quotes")),
        ("{a:1}", 1, Expected("a name in quotes")),
        ("{1:1}", 1, Expected("a name in quotes")),
        ("{\"a\" 1}", 5, Expected("`:`")),
        ("{\"a\":}", 5, Expected("a value")),
        ("{\"a\":1", 6, UnexpectedEnd),
        ("'a'", 0, Expected("a value")),
        ("\"a", 2, UnexpectedEnd),
        ("\"a\nb\"", 2, ControlCharacter),
        ("\"\0\"", 1, ControlCharacter),
        ("\"long enough for a word\u{1f}\"", 23, ControlCharacter),
        (r#""\x""#, 1, BadEscape),
        (r#""\u12g4""#, 1, BadEscape),
        (r#""\u+123""#, 1, BadEscape),
        (r#""\U0041""#, 1, BadEscape),
        (r#""\"#, 2, UnexpectedEnd),
        (r#""\u12"#, 5, UnexpectedEnd),
        ("[1] // note", 4, Expected("the end")),
        ("\u{a0}1", 0, Expected("a value")),
    ] {
        assert_eq!(fault(text), (offset, what), "{text}");
    }
}

#[test]
fn a_byte_order_mark_is_named() {
    assert_eq!(fault("\u{feff}{}"), (0, JsonFault::ByteOrderMark));
    assert_eq!(fault("{\"a\":\u{feff}1}").1, JsonFault::Expected("a value"));
    assert_eq!(validate("\"\u{feff}\"".as_bytes()), Ok(()));
}

#[test]
fn bytes_that_are_not_utf8_are_named_wherever_they_stand() {
    for (bytes, offset) in [
        (&b"\xff"[..], 0),
        (b"\xff\xfe{\0}\0", 0),
        (b"{\"a\":\"\xc3\"}", 6),
        (b"\"\xed\xa0\x80\"", 1),
        (b"\"\xc0\xaf\"", 1),
        (b"[1]\x80", 3),
        (b"12\xff", 2),
        (b"\"caf\xc3", 4),
    ] {
        assert_eq!(validate(bytes), Err(JsonError { offset, what: JsonFault::NotUtf8 }), "{bytes:?}");
    }
}

#[test]
fn nesting_is_counted_up_to_the_limit() {
    let nested = |open: &str, close: &str, depth| format!("{}{}", open.repeat(depth), close.repeat(depth));
    assert_eq!(validate(nested("[", "]", MAX_DEPTH).as_bytes()), Ok(()));
    assert_eq!(fault(&nested("[", "]", MAX_DEPTH + 1)), (MAX_DEPTH, JsonFault::TooDeep));
    let objects = |depth| nested("{\"a\":[", "]}", depth);
    assert_eq!(validate(objects(MAX_DEPTH / 2).as_bytes()), Ok(()));
    assert_eq!(fault(&objects(MAX_DEPTH / 2 + 1)).1, JsonFault::TooDeep);
}

#[test]
fn a_depth_bomb_is_refused_without_reading_it() {
    let bomb = "[".repeat(10 << 20);
    assert_eq!(fault(&bomb), (MAX_DEPTH, JsonFault::TooDeep));
}

#[test]
fn depth_outside_of_a_skipped_value_counts() {
    let text = "[".repeat(MAX_DEPTH) + "[]" + &"]".repeat(MAX_DEPTH);
    let mut scanner = Scanner::new(text.as_bytes());
    let result = scanner.array(|scanner, _| scanner.array(|scanner, _| scanner.skip().map(drop)));
    assert_eq!(result.unwrap_err().what, JsonFault::TooDeep);
}

#[test]
fn siblings_do_not_add_up_to_depth() {
    let text = format!("[{}[]]", "[[]],{\"a\":{}},".repeat(1000));
    assert_eq!(validate(text.as_bytes()), Ok(()));
}

#[test]
fn an_object_is_told_member_by_member() {
    let text = br#" { "a" : [1, 2] , "\u0062":"x","c":null } "#;
    let mut scanner = Scanner::new(text);
    let mut seen = Vec::new();
    scanner
        .object(|scanner, name| {
            let kind = scanner.kind()?;
            let range = scanner.skip()?;
            seen.push((name.decode().into_owned(), kind, scanner.text(range)));
            Ok::<_, JsonError>(())
        })
        .unwrap();
    scanner.finish().unwrap();
    let expected = [("a", Kind::Array, "[1, 2]"), ("b", Kind::String, r#""x""#), ("c", Kind::Null, "null")];
    assert_eq!(seen, expected.map(|(name, kind, text)| (name.to_owned(), kind, text)));
}

#[test]
fn what_a_caller_leaves_untouched_is_skipped_and_checked() {
    let mut scanner = Scanner::new(br#"{"a":{"b":[1]},"c":2}"#);
    assert_eq!(scanner.object(|_, _| Ok::<_, JsonError>(())), Ok(()));
    let mut scanner = Scanner::new(br#"[1,[2,]]"#);
    assert!(scanner.array(|_, _| Ok::<_, JsonError>(())).is_err());
}

#[test]
fn asking_for_another_kind_is_an_error() {
    let scan = |text: &'static str| Scanner::new(text.as_bytes());
    assert_eq!(scan("1").string().unwrap_err().what, JsonFault::Expected("a string"));
    assert_eq!(scan("[]").number().unwrap_err().what, JsonFault::Expected("a number"));
    assert_eq!(scan("null").boolean().unwrap_err().what, JsonFault::Expected("`true` or `false`"));
    assert_eq!(scan("true").null().unwrap_err().what, JsonFault::Expected("`null`"));
    assert_eq!(
        scan("[]").object(|_, _| Ok::<_, JsonError>(())).unwrap_err().what,
        JsonFault::Expected("an object")
    );
    assert_eq!(
        scan("{}").array(|_, _| Ok::<_, JsonError>(())).unwrap_err().what,
        JsonFault::Expected("an array")
    );
}

#[test]
fn a_name_knows_its_place() {
    let text = br#"{ "\u0061b" :1}"#;
    let mut place: Option<Range<usize>> = None;
    Scanner::new(text)
        .object(|_, name| {
            place = Some(name.range());
            Ok::<_, JsonError>(())
        })
        .unwrap();
    assert_eq!(&text[place.unwrap()], br#""\u0061b""#);
}

/// What serde_json says of the grammar alone. A raw value is only passed over, so its depth is not bounded,
/// halves of surrogate pairs pass, and duplicate names pass: the same grammar as ours but for depth and the
/// byte order mark.
fn serde_accepts(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(bytes).is_ok()
}

proptest! {
    #[test]
    fn arbitrary_json_is_accepted(text in samples::value()) {
        prop_assert!(serde_accepts(text.as_bytes()), "the generator wrote no JSON: {}", text);
        prop_assert_eq!(validate(text.as_bytes()), Ok(()));
        let mut scanner = Scanner::new(text.as_bytes());
        prop_assert_eq!(scanner.skip(), Ok(0..text.len()));
    }

    #[test]
    fn damaged_json_is_judged_as_serde_json_does(
        text in samples::value(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), 0..3, any::<u8>()), 1..4),
    ) {
        let mut bytes = text.into_bytes();
        for (place, how, byte) in damage {
            let at = place.index(bytes.len() + 1);
            // Bytes that mean something in JSON make better mischief than random ones.
            let byte = *b"\"\\{}[],:0-.eE+ut \n\x00\xc3".get(usize::from(byte) % 32).unwrap_or(&byte);
            match how {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                2 if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
        }
        prop_assert_eq!(validate(&bytes).is_ok(), serde_accepts(&bytes), "{}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert_eq!(validate(&bytes).is_ok(), serde_accepts(&bytes));
    }

    #[test]
    fn pulling_every_value_reads_the_same_as_skipping(text in samples::value()) {
        fn pull(scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
            match scanner.kind()? {
                Kind::Object => scanner.object(|scanner, _| pull(scanner)),
                Kind::Array => scanner.array(|scanner, _| pull(scanner)),
                Kind::String => scanner.string().map(drop),
                Kind::Number => scanner.number().map(drop),
                Kind::Bool => scanner.boolean().map(drop),
                Kind::Null => scanner.null(),
            }
        }
        let mut scanner = Scanner::new(text.as_bytes());
        prop_assert_eq!(pull(&mut scanner), Ok(()));
        prop_assert_eq!(scanner.position(), text.len());
    }
}
