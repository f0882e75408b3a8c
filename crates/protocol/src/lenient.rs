//! Forgiving readers: an upstream's odd type is passed over where nothing depends on it.

use crate::json::{JsonError, Kind, Number, RawStr, Scanner};

/// A string, or `None` for anything else.
pub(crate) fn text<'a>(scanner: &mut Scanner<'a>) -> Result<Option<RawStr<'a>>, JsonError> {
    if scanner.kind()? == Kind::String { scanner.string().map(Some) } else { Ok(None) }
}

/// A whole number that is not negative, or `None` for anything else.
pub(crate) fn count(scanner: &mut Scanner<'_>) -> Result<Option<u64>, JsonError> {
    if scanner.kind()? != Kind::Number {
        return Ok(None);
    }
    let value = Number::new(scanner.number()?).to_i64();
    Ok(value.and_then(|value| u64::try_from(value).ok()))
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
