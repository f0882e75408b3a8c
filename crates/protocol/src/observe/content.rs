//! The text of an answer, weighed as it passes.
//!
//! Owns which members of a piece are text that the model has written: contents, reasoning, refusals, the names and
//! arguments of calls. Ids, types, signatures and encoded data are not. What a text weighs belongs to
//! [`crate::tokens`].

use crate::json::{JsonError, Kind, Scanner};
use crate::lenient::is_filled;
use crate::tokens::Written;

/// Reads a value that is text, or parts or calls with text inside; says whether [it is filled](is_filled), so that
/// no value has to be read for both.
pub(super) fn read(scanner: &mut Scanner<'_>, written: &mut Written) -> Result<bool, JsonError> {
    let mut filled = false;
    match scanner.kind()? {
        Kind::String => {
            let text = scanner.string()?;
            filled = !text.raw().is_empty();
            written.add(text);
        }
        Kind::Array => scanner.array(|scanner, _| {
            filled = true;
            read(scanner, written).map(|_| ())
        })?,
        Kind::Object => scanner.object(|scanner, name| {
            filled = true;
            member(scanner, &name.decode(), written)
        })?,
        _ => filled = is_filled(scanner)?,
    }
    Ok(filled)
}

/// Reads what a member of a part, a call or an output item has of text.
pub(super) fn member(scanner: &mut Scanner<'_>, name: &str, written: &mut Written) -> Result<(), JsonError> {
    match name {
        "input" | "arguments" if scanner.kind()? == Kind::Object => {
            let range = scanner.skip()?;
            let arguments = scanner.text(range);
            // What opens a call in a stream has its arguments so, and they are yet to come.
            if arguments != "{}" {
                written.add_json(arguments);
            }
        }
        "text" | "thinking" | "refusal" | "summary" | "content" | "transcript" | "function" | "custom"
        | "name" | "arguments" | "input" | "code" => {
            read(scanner, written)?;
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
