//! Arbitrary JSON texts for property tests: as text, since spellings and white space are what matters.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

#[rustfmt::skip]
const PIECES: &[&str] = &[
    r#"\""#, r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t", r"\u0000", r"\u0022",
    r"\u005C", r"\u006d", r"\ud83d\ude00", r"\uD83D", r"\ude00", "日本", "é", "e\u{301}", "😀",
    "\u{7f}", "\u{2028}", "{", "]", ",",
];

#[rustfmt::skip]
const NUMBERS: &[&str] = &[
    "0", "-0", "-0.0", "7.0", "1.10", "1e-7", "1E+2", "1e999", "-1e-999", "9007199254740993",
    "9223372036854775807", "9223372036854775808", "-9223372036854775809", "2.0000000000000000000001",
];

/// White space between tokens, mostly none.
pub(crate) fn space() -> impl Strategy<Value = String> {
    prop_oneof![6 => Just(String::new()), 1 => "[ \t\r\n]{1,3}"]
}

/// A string with its quotes: plain text, every escape, whole surrogate pairs and halves of them.
pub(crate) fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => "[a-z_$ ]{1,12}",
        1 => "[^\"\\\\\\x00-\\x1f]{1,10}",
        2 => select(PIECES).prop_map(str::to_owned),
    ];
    vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// A number in any spelling, many of them beyond 64 bits or a double.
pub(crate) fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => select(NUMBERS).prop_map(str::to_owned),
        1 => "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?",
    ]
}

/// Any value, a few levels deep.
pub(crate) fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(["true", "false", "null", "{}", "[]", "{ }", "[\n]"].as_slice()).prop_map(str::to_owned),
        number(),
        string(),
    ];
    leaf.prop_recursive(6, 48, 6, |inner| {
        let item = (space(), inner.clone(), space()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
        let member = (space(), string(), space(), space(), inner, space())
            .prop_map(|(a, name, b, c, value, d)| format!("{a}{name}{b}:{c}{value}{d}"));
        prop_oneof![
            vec(item, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// One member of an [`object`]: its name with quotes, what stands around the colon, and its value.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) colon: String,
    pub(crate) value: String,
}

/// An object of up to `max` members with different names, and its text.
pub(crate) fn object(max: usize) -> impl Strategy<Value = (Vec<Sample>, String)> {
    let colon = (space(), space()).prop_map(|(a, b)| format!("{a}:{b}"));
    let member = (string(), colon, value(), space(), space());
    (vec(member, 0..=max), space(), space(), space()).prop_map(|(members, before, inside, after)| {
        let mut samples = Vec::new();
        let mut texts = Vec::new();
        for (index, (name, colon, value, left, right)) in members.into_iter().enumerate() {
            // The index keeps names apart.
            let name = format!("\"{index}:{}", name.strip_prefix('"').unwrap_or_default());
            texts.push(format!("{left}{name}{colon}{value}{right}"));
            samples.push(Sample { name, colon, value });
        }
        let text = format!("{before}{{{inside}{}}}{after}", texts.join(","));
        (samples, text)
    })
}
