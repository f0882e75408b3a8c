//! Forgiving readers: an upstream's odd type is passed over where nothing depends on it.

use crate::json::{JsonError, Kind, RawStr, Scanner, integer};

/// A string, or `None` for anything else.
pub(crate) fn text<'a>(scanner: &mut Scanner<'a>) -> Result<Option<RawStr<'a>>, JsonError> {
    if scanner.kind()? == Kind::String { scanner.string().map(Some) } else { Ok(None) }
}

/// A whole number that is not negative, or `None` for anything else.
pub(crate) fn count(scanner: &mut Scanner<'_>) -> Result<Option<u64>, JsonError> {
    if scanner.kind()? != Kind::Number {
        return Ok(None);
    }
    if let Some(count) = scanner.digit_run() {
        return Ok(Some(count));
    }
    Ok(integer(scanner.number()?).and_then(|value| u64::try_from(value).ok()))
}

/// Calls `f` for each member of an object; anything else has none.
pub(crate) fn members<'a>(
    scanner: &mut Scanner<'a>,
    mut f: impl FnMut(&mut Scanner<'a>, &str) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    if scanner.kind()? != Kind::Object {
        return Ok(());
    }
    scanner.object(|scanner, name| f(scanner, &name.decode()))
}

/// Whether a value says anything: not null, not false, not an empty string, array or object.
pub(crate) fn is_filled(scanner: &mut Scanner<'_>) -> Result<bool, JsonError> {
    let mut filled = false;
    match scanner.kind()? {
        Kind::Null => scanner.null()?,
        Kind::Bool => filled = scanner.boolean()?,
        Kind::Number => filled = scanner.number().map(|_| true)?,
        Kind::String => filled = !scanner.string()?.raw().is_empty(),
        Kind::Array => scanner.array::<JsonError>(|_, _| {
            filled = true;
            Ok(())
        })?,
        Kind::Object => scanner.object::<JsonError>(|_, _| {
            filled = true;
            Ok(())
        })?,
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_in_every_spelling_and_nothing_else_is_taken_for_one() {
        for (text, expected) in [
            ("[0]", Ok(Some(0))),
            ("[42]", Ok(Some(42))),
            ("[ 42 ]", Ok(Some(42))),
            ("[999999999999999999]", Ok(Some(999_999_999_999_999_999))),
            ("[9223372036854775807]", Ok(Some(9_223_372_036_854_775_807))),
            ("[9223372036854775808]", Ok(None)),
            ("[7.0]", Ok(Some(7))),
            ("[1e2]", Ok(Some(100))),
            ("[-0]", Ok(Some(0))),
            ("[-1]", Ok(None)),
            ("[0.5]", Ok(None)),
            ("[null]", Ok(None)),
            ("[01]", Err(())),
            ("[1.]", Err(())),
            ("[1", Err(())),
        ] {
            let mut value = None;
            let mut scanner = Scanner::new(text.as_bytes());
            let read = scanner.array::<JsonError>(|scanner, _| {
                value = count(scanner)?;
                Ok(())
            });
            assert_eq!(read.map(|()| value).map_err(|_| ()), expected, "{text}");
        }
    }
}
