//! Embeddings: nothing in them ends or is refused, but each item has to hold a vector.

use super::{Tally, Unfit};
use crate::json::{JsonError, Kind, Scanner};
use crate::lenient::{members, text};

/// Whether the answer may be kept. All is read in one pass, since vectors make for long answers.
pub(super) fn judge(body: &[u8]) -> Result<(), Unfit> {
    let mut tally = Tally::default();
    let data = read(body, &mut tally).map_err(|_| Unfit::Incomplete)?;
    if !data {
        tally.fault(Unfit::Incomplete);
    }
    if !tally.content {
        tally.fault(Unfit::Empty);
    }
    tally.fault.map_or(Ok(()), Err)
}

/// Says whether there is an array for the vectors.
fn read(body: &[u8], tally: &mut Tally) -> Result<bool, JsonError> {
    let (mut data, mut error) = (false, false);
    let mut scanner = Scanner::new(body);
    scanner.object(|scanner, name| {
        match &*name.decode() {
            "data" => {
                data = scanner.kind()? == Kind::Array;
                if data {
                    scanner.array(|scanner, _| read_item(scanner, tally))?;
                }
            }
            "error" => tally.error(scanner)?,
            "object" | "type" => error |= text(scanner)?.is_some_and(|kind| kind == "error"),
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    scanner.finish()?;
    if error {
        tally.fault(Unfit::Error);
    }
    Ok(data)
}

fn read_item(scanner: &mut Scanner<'_>, tally: &mut Tally) -> Result<(), JsonError> {
    let mut sound = false;
    tally.content = true;
    members(scanner, |scanner, name| {
        match name {
            "embedding" => sound = read_vector(scanner)?,
            "error" => tally.error(scanner)?,
            _ => {}
        }
        Ok(())
    })?;
    if !sound {
        tally.fault(Unfit::Incomplete);
    }
    Ok(())
}

/// Whether this is a vector: numbers, or vectors of its own for each token, or all of it as Base64.
fn read_vector(scanner: &mut Scanner<'_>) -> Result<bool, JsonError> {
    match scanner.kind()? {
        Kind::String => Ok(!scanner.string()?.raw().is_empty()),
        Kind::Array => read_numbers(scanner),
        _ => Ok(false),
    }
}

/// Whether this array is all numbers or all such arrays. It may be long: an item costs a look at its first byte
/// beyond what it takes to pass over it.
fn read_numbers(scanner: &mut Scanner<'_>) -> Result<bool, JsonError> {
    let (mut first, mut sound) = (None, true);
    scanner.array(|scanner, _| {
        let kind = scanner.kind()?;
        sound &= *first.get_or_insert(kind) == kind;
        match kind {
            Kind::Number => {}
            Kind::Array => sound &= read_numbers(scanner)?,
            _ => sound = false,
        }
        Ok::<_, JsonError>(())
    })?;
    Ok(sound && first.is_some())
}
