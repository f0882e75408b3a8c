//! Completions and chat: plain answers and chunks, which differ in little but `message` and `delta`.

use super::{Tally, end};
use crate::json::{JsonError, Kind, Scanner};
use crate::lenient::{count, is_filled, members, text};

/// Where the calls of old stand, of which a message has one.
const FUNCTION_CALL: u64 = u64::MAX;

/// Reads a plain answer or a chunk.
pub(super) fn read(payload: &[u8], tally: &mut Tally) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(payload);
    scanner.object(|scanner, name| {
        if name == "choices" && scanner.kind()? == Kind::Array {
            scanner.array(|scanner, position| {
                // The index may stand behind what it is needed for.
                let index = index(&mut scanner.clone(), position)?;
                read_choice(scanner, index, tally)
            })?;
        }
        Ok::<_, JsonError>(())
    })?;
    scanner.finish()
}

fn index(scanner: &mut Scanner<'_>, position: usize) -> Result<u64, JsonError> {
    let mut index = u64::try_from(position).unwrap_or(u64::MAX);
    members(scanner, |scanner, name| {
        if name == "index" {
            index = count(scanner)?.unwrap_or(index);
        }
        Ok(())
    })?;
    Ok(index)
}

fn read_choice(scanner: &mut Scanner<'_>, index: u64, tally: &mut Tally) -> Result<(), JsonError> {
    let mut finish = None;
    members(scanner, |scanner, name| {
        match name {
            // An empty reason is none: some say so instead of null.
            "finish_reason" => finish = text(scanner)?.filter(|reason| *reason != ""),
            "text" => tally.content |= is_filled(scanner)?,
            "message" | "delta" => read_message(scanner, index, tally)?,
            _ => {}
        }
        Ok(())
    })?;
    tally.choice(index, finish.map(|reason| end(&reason.decode())));
    Ok(())
}

fn read_message(scanner: &mut Scanner<'_>, choice: u64, tally: &mut Tally) -> Result<(), JsonError> {
    members(scanner, |scanner, name| {
        match name {
            "refusal" => tally.refused |= is_filled(scanner)?,
            "tool_calls" if scanner.kind()? == Kind::Array => scanner.array(|scanner, position| {
                tally.content = true;
                let index = index(&mut scanner.clone(), position)?;
                members(scanner, |scanner, name| {
                    if name == "function" { read_call(scanner, (choice, index), tally) } else { Ok(()) }
                })
            })?,
            "function_call" => {
                tally.content |= is_filled(&mut scanner.clone())?;
                read_call(scanner, (choice, FUNCTION_CALL), tally)?;
            }
            "content" | "audio" | "images" | "thinking" => tally.content |= is_filled(scanner)?,
            name if name.starts_with("reasoning") => tally.content |= is_filled(scanner)?,
            _ => {}
        }
        Ok(())
    })
}

fn read_call(scanner: &mut Scanner<'_>, call: (u64, u64), tally: &mut Tally) -> Result<(), JsonError> {
    members(
        scanner,
        |scanner, name| if name == "arguments" { tally.arguments(call, scanner) } else { Ok(()) },
    )
}
