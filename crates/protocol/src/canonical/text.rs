//! Strings that keep their escapes.

use std::borrow::Cow;

use crate::raw;

/// A JSON string as it is written, quotes included: valid JSON wherever it is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// Takes a value's JSON text, if the value is a string.
    pub(crate) fn read(json: &'a str) -> Option<Self> {
        json.starts_with('"').then_some(Self(Cow::Borrowed(json)))
    }

    /// Writes what is meant as JSON.
    pub(crate) fn of(meant: &str) -> Text<'static> {
        Text(Cow::Owned(raw::quoted(meant)))
    }

    /// As it is written, with its quotes.
    pub(crate) fn json(&self) -> &str {
        &self.0
    }

    /// As it is written, without its quotes. Pieces are joined so: half of a surrogate pair in each become one
    /// character again.
    pub(crate) fn inside(&self) -> &str {
        raw::between_quotes(&self.0).unwrap_or_default()
    }

    /// What is meant by it. Half of a surrogate pair alone is a replacement character.
    pub(crate) fn meant(&self) -> Cow<'_, str> {
        raw::string(&self.0).unwrap_or_default()
    }

    /// Is there nothing in it?
    pub(crate) fn is_empty(&self) -> bool {
        self.inside().is_empty()
    }

    /// Several in one, with `between` (as it would be written in JSON, `\n` as two characters) between them.
    pub(crate) fn joined<'b>(texts: impl IntoIterator<Item = &'b Text<'b>>, between: &str) -> Text<'static> {
        let mut joined = String::from("\"");
        for text in texts {
            if joined.len() > 1 {
                joined.push_str(between);
            }
            joined.push_str(text.inside());
        }
        joined.push('"');
        Text(Cow::Owned(joined))
    }

    /// The same, on its own.
    pub(crate) fn into_owned(self) -> Text<'static> {
        Text(Cow::Owned(self.0.into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_a_character_are_one_when_joined() {
        let halves =
            [Text::read(r#""\ud83d""#).expect("a string"), Text::read(r#""\ude00!""#).expect("a string")];
        assert_eq!(Text::joined(&halves, "").meant(), "😀!");
        assert_eq!(Text::joined(&halves, r"\n").json(), r#""\ud83d\n\ude00!""#);
        assert_eq!(Text::read("7"), None);
        assert_eq!(Text::of("a\"b").json(), r#""a\"b""#);
    }
}
