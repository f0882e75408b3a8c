//! White space that the upstream refuses: texts of nothing else, and what stands at the end of the model's words.
//!
//! Found in the text as it is written, so that all its other escapes stay.

use std::borrow::Cow;

use crate::canonical::Text;

/// Is there nothing but white space in it?
pub(super) fn is_blank(text: &Text<'_>) -> bool {
    let mut rest = text.inside();
    // Most texts are long, and begin with a word.
    while let Some((meant, length)) = next(rest) {
        if !meant.is_some_and(char::is_whitespace) {
            return false;
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    true
}

/// The text as JSON without white space at its end.
pub(super) fn trimmed<'a>(text: &'a Text<'_>) -> Cow<'a, str> {
    let inside = text.inside();
    match inside.get(..end_of_words(inside)) {
        Some(words) if words.len() < inside.len() => Cow::Owned(format!("\"{words}\"")),
        _ => Cow::Borrowed(text.json()),
    }
}

/// The offset behind the last character that is no white space, of a string as it is written between its quotes.
fn end_of_words(inside: &str) -> usize {
    let (mut end, mut at) = (0, 0);
    while let Some((meant, length)) = next(inside.get(at..).unwrap_or_default()) {
        at += length;
        if !meant.is_some_and(char::is_whitespace) {
            end = at;
        }
    }
    end
}

/// The next character, if it is a whole one, and how many bytes it takes.
fn next(rest: &str) -> Option<(Option<char>, usize)> {
    let mut chars = rest.chars();
    let first = chars.next()?;
    if first != '\\' {
        return Some((Some(first), first.len_utf8()));
    }
    Some(match chars.next() {
        Some('n') => (Some('\n'), 2),
        Some('r') => (Some('\r'), 2),
        Some('t') => (Some('\t'), 2),
        Some('f') => (Some('\u{c}'), 2),
        Some('u') => {
            let digits = rest.get(2..6).unwrap_or_default();
            // Half of a surrogate pair is no character, and no white space.
            (u32::from_str_radix(digits, 16).ok().and_then(char::from_u32), 2 + digits.len())
        }
        Some(other) => (Some(other), 1 + other.len_utf8()),
        None => (None, 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_found_in_every_spelling_and_words_stay_as_written() {
        for (json, expected) in [
            (r#""""#, r#""""#),
            (r#"" \n\t\u0020\u00a0\u3000""#, r#""""#),
            (r#""a\u0062 ""#, r#""a\u0062""#),
            (r#""a\\n""#, r#""a\\n""#),
            (r#""a\\\n""#, r#""a\\""#),
            (r#""\ud83d\ude00\r\n""#, r#""\ud83d\ude00""#),
            (r#"" a b""#, r#"" a b""#),
            (r#""a\/\"\b""#, r#""a\/\"\b""#),
        ] {
            let text = Text::read(json).expect("a string");
            assert_eq!(trimmed(&text), expected);
            assert_eq!(is_blank(&text), expected.len() == 2, "{json}");
        }
    }
}
