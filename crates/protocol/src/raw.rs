//! JSON in pieces that stay as they were written: objects taken apart by member, and put together again.
//!
//! For those who have to write a body anew (another dialect, another form of an answer). What passes unchanged is
//! never taken apart.

use std::borrow::Cow;

use crate::json::{self, JsonError, Kind, Names, Scanner};
use crate::lenient::is_filled;

/// Not the JSON that was expected there: broken, of another kind, or with a name that comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the JSON that is expected here")]
pub(crate) struct Garbled;

impl From<JsonError> for Garbled {
    fn from(_: JsonError) -> Self {
        Self
    }
}

/// An object's members in order, each value as its exact text.
#[derive(Debug, Default)]
pub(crate) struct Object<'a> {
    members: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Object<'a> {
    /// Reads an object. Of a name that comes twice nobody knows which is meant.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Garbled> {
        let (mut members, mut names) = (Vec::new(), Names::default());
        let mut scanner = Scanner::new(text.as_bytes());
        scanner.object(|scanner, name| {
            names.insert(name)?;
            let value = scanner.skip()?;
            members.push((name.decode(), scanner.text(value)));
            Ok::<_, JsonError>(())
        })?;
        scanner.finish()?;
        Ok(Self { members })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Cow<'a, str>, &'a str)> {
        self.members.iter().map(|(name, value)| (name, *value))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The value, unless it is null.
    pub(crate) fn some(&self, name: &str) -> Option<&'a str> {
        self.get(name).filter(|value| *value != "null")
    }

    /// The text that is meant, if the member is a string.
    pub(crate) fn string(&self, name: &str) -> Option<Cow<'a, str>> {
        string(self.get(name)?)
    }

    /// The member as an object.
    pub(crate) fn object(&self, name: &str) -> Result<Object<'a>, Garbled> {
        Object::parse(self.get(name).ok_or(Garbled)?)
    }

    /// The items of an array; none where the member is missing or null.
    pub(crate) fn items(&self, name: &str) -> Result<Vec<&'a str>, Garbled> {
        self.some(name).map_or(Ok(Vec::new()), items)
    }

    pub(crate) fn count(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    pub(crate) fn is_filled(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| is_filled(&mut Scanner::new(value.as_bytes())).unwrap_or(true))
    }
}

/// The items of an array as they are written.
pub(crate) fn items(text: &str) -> Result<Vec<&str>, Garbled> {
    let mut items = Vec::new();
    let mut scanner = Scanner::new(text.as_bytes());
    scanner.array(|scanner, _| {
        let item = scanner.skip()?;
        items.push(scanner.text(item));
        Ok::<_, JsonError>(())
    })?;
    scanner.finish()?;
    Ok(items)
}

/// What is meant by a string's text.
pub(crate) fn string(text: &str) -> Option<Cow<'_, str>> {
    let mut scanner = Scanner::new(text.as_bytes());
    matches!(scanner.kind(), Ok(Kind::String)).then(|| scanner.string().ok())?.map(|text| text.decode())
}

/// A string's text without its quotes. Pieces are joined as they are written, so that a surrogate pair that was
/// cut in two becomes whole again.
pub(crate) fn between_quotes(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"')
}

/// A text as a JSON string. Most are names, in which nothing has to be escaped.
pub(crate) fn quoted(text: &str) -> String {
    if json::is_plain(text) { ["\"", text, "\""].concat() } else { serde_json::Value::from(text).to_string() }
}

/// An array of what is already JSON.
pub(crate) fn array(items: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut text = String::from("[");
    for item in items {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(item.as_ref());
    }
    text.push(']');
    text
}

/// Writes one object, member by member.
#[derive(Debug)]
pub(crate) struct Writer {
    text: String,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self { text: String::from("{") }
    }

    /// Adds a member whose value is JSON already.
    pub(crate) fn raw(&mut self, name: &str, value: &str) -> &mut Self {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        push_name(&mut self.text, name);
        self.text.push(':');
        push_line(&mut self.text, value);
        self
    }

    pub(crate) fn string(&mut self, name: &str, value: &str) -> &mut Self {
        self.raw(name, &quoted(value))
    }

    pub(crate) fn number(&mut self, name: &str, value: impl TryInto<u64>) -> &mut Self {
        // A position in a body is far below what a `u64` holds.
        self.raw(name, &value.try_into().unwrap_or(u64::MAX).to_string())
    }

    pub(crate) fn finish(&mut self) -> String {
        let mut text = std::mem::take(&mut self.text);
        text.push('}');
        text
    }
}

/// Adds a member's name. Nearly all are plain, and streams have a few in each event.
fn push_name(out: &mut String, name: &str) {
    if name.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(name);
        out.push('"');
    } else {
        out.push_str(&quoted(name));
    }
}

/// Adds a value without its line ends, which would end a line of a stream. Within strings JSON has none.
fn push_line(out: &mut String, value: &str) {
    if memchr::memchr2(b'\n', b'\r', value.as_bytes()).is_some() {
        out.extend(value.split(['\n', '\r']).map(str::trim_ascii_start));
    } else {
        out.push_str(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_text_and_names_come_once() {
        let object =
            Object::parse(r#" {"a": 1.50, "b\u0063":[1, 2] ,"n":null,"s":"\u0041"} "#).expect("JSON");
        assert_eq!(object.get("a"), Some("1.50"));
        assert_eq!(object.items("bc"), Ok(vec!["1", "2"]));
        assert_eq!((object.get("n"), object.some("n")), (Some("null"), None));
        assert_eq!(object.string("s").as_deref(), Some("A"));
        assert!(Object::parse(r#"{"a":1,"\u0061":2}"#).is_err());
        assert!(Object::parse("[]").is_err());
        assert!(Object::parse("{} x").is_err());
    }

    #[test]
    fn a_pretty_value_is_written_on_one_line() {
        let mut out = Writer::new();
        out.raw("a", "{\r\n  \"b c\": [\r    1,\n\t2\n  ]\n}").string("é\n", "x\ny").number("n", 3_usize);
        out.raw("q\"\\", "0").raw("", "1");
        assert_eq!(out.finish(), r#"{"a":{"b c": [1,2]},"é\n":"x\ny","n":3,"q\"\\":0,"":1}"#);
    }
}
