//! Completions and chat: plain answers and chunks, which differ in little but `message` and `delta`.

use super::{Tally, Unfit};
use crate::json::{JsonError, Kind, Scanner};
use crate::lenient::{count, is_filled, members, text};

/// Where the calls of old stand, of which a message has one.
const FUNCTION_CALL: u64 = u64::MAX;

/// Reads a plain answer or a chunk.
pub(super) fn read(payload: &[u8], tally: &mut Tally) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(payload);
    scanner.object(|scanner, name| {
        match &*name.decode() {
            "choices" if scanner.kind()? == Kind::Array => scanner.array(|scanner, position| {
                // The index may stand behind what it is needed for.
                let index = index(scanner.clone(), position)?;
                read_choice(scanner, index, tally)
            })?,
            "error" => tally.error(scanner)?,
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    scanner.finish()
}

/// Where a choice or a call belongs. Nearly always it is said first, and what stands behind that is not read here.
fn index(mut ahead: Scanner<'_>, position: usize) -> Result<u64, JsonError> {
    let position = u64::try_from(position).unwrap_or(u64::MAX);
    if ahead.kind()? != Kind::Object {
        return Ok(position);
    }
    let found = ahead.object(|scanner, name| match &*name.decode() {
        "index" => count(scanner)?.map_or(Ok(()), |index| Err(Stop::At(index))),
        _ => Ok(()),
    });
    match found {
        Ok(()) => Ok(position),
        Err(Stop::At(index)) => Ok(index),
        Err(Stop::Json(error)) => Err(error),
    }
}

/// Why an object is not read on.
enum Stop {
    At(u64),
    Json(JsonError),
}

impl From<JsonError> for Stop {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

fn read_choice(scanner: &mut Scanner<'_>, index: u64, tally: &mut Tally) -> Result<(), JsonError> {
    tally.choice(index);
    members(scanner, |scanner, name| {
        match name {
            // An empty reason is none: some say so instead of null.
            "finish_reason" => {
                if let Some(reason) = text(scanner)?.filter(|reason| *reason != "") {
                    tally.ended(index, &reason.decode());
                }
            }
            "error" => tally.error(scanner)?,
            "text" => {
                tally.choice(index).begun |= scanner.kind()? == Kind::String;
                tally.said(scanner)?;
            }
            "message" | "delta" => {
                tally.choice(index).begun |= scanner.kind()? == Kind::Object;
                read_message(scanner, index, tally)?;
            }
            _ => {}
        }
        Ok(())
    })
}

fn read_message(scanner: &mut Scanner<'_>, choice: u64, tally: &mut Tally) -> Result<(), JsonError> {
    members(scanner, |scanner, name| {
        match name {
            "error" => tally.error(scanner)?,
            "refusal" => tally.spoilt(Unfit::Refused, scanner)?,
            "tool_calls" if scanner.kind()? == Kind::Array => scanner.array(|scanner, position| {
                tally.content = true;
                let index = index(scanner.clone(), position)?;
                read_call(scanner, (choice, index), tally)
            })?,
            "tool_calls" => tally.spoilt(Unfit::ToolCall, scanner)?,
            "function_call" if is_filled(&mut scanner.clone())? => {
                tally.content = true;
                read_function(scanner, (choice, FUNCTION_CALL), tally)?;
            }
            // Some give content in parts.
            "content" if scanner.kind()? != Kind::Array => tally.said(scanner)?,
            "content" | "audio" | "images" | "thinking" => tally.content |= is_filled(scanner)?,
            name if name.starts_with("reasoning") => tally.content |= is_filled(scanner)?,
            _ => {}
        }
        Ok(())
    })
}

/// A call or a piece of one.
fn read_call(scanner: &mut Scanner<'_>, call: (u64, u64), tally: &mut Tally) -> Result<(), JsonError> {
    tally.call(call);
    members(scanner, |scanner, name| match name {
        "error" => tally.error(scanner),
        "function" => read_function(scanner, call, tally),
        // Its input is any text.
        "custom" => {
            members(scanner, |scanner, name| if name == "name" { tally.name(call, scanner) } else { Ok(()) })
        }
        _ => Ok(()),
    })
}

fn read_function(scanner: &mut Scanner<'_>, call: (u64, u64), tally: &mut Tally) -> Result<(), JsonError> {
    tally.call(call);
    members(scanner, |scanner, name| match name {
        "name" => tally.name(call, scanner),
        "arguments" => tally.arguments(call, scanner),
        _ => Ok(()),
    })
}
