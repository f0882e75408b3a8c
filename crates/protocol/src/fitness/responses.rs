//! The Responses API: everything that counts is in the response object, alone or within the last event.

use super::{Tally, Unfit, end};
use crate::json::{JsonError, Kind, Scanner};
use crate::lenient::{is_filled, members, text};

/// Reads a plain answer.
pub(super) fn read(body: &[u8], tally: &mut Tally) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(body);
    let end = read_response(&mut scanner, tally)?;
    tally.choice(0, end);
    scanner.finish()
}

/// Reads one event of a stream. `name` is the `event:` line, which counts where the data has no `type`.
pub(super) fn read_event(payload: &[u8], name: &str, tally: &mut Tally) -> Result<(), JsonError> {
    let (mut kind, mut end, mut item, mut delta) = (None, None, None, false);
    let mut scanner = Scanner::new(payload);
    scanner.object(|scanner, name| {
        match &*name.decode() {
            "type" => kind = text(scanner)?,
            "response" if scanner.kind()? == Kind::Object => end = read_response(scanner, tally)?,
            "item" => item = Some(scanner.clone()),
            "delta" => delta = is_filled(scanner)?,
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    let kind = kind.map(|kind| kind.decode());
    match kind.as_deref().unwrap_or(name) {
        "response.completed" | "response.incomplete" => tally.choice(0, end),
        "response.refusal.delta" => tally.refused |= delta,
        // Some leave the items out of the last event.
        "response.output_item.done" => item.map_or(Ok(()), |mut item| read_item(&mut item, tally))?,
        kind if kind.ends_with(".delta") => tally.content |= delta,
        _ => {}
    }
    scanner.finish()
}

/// Reads a response object; says how it ended, if it did.
fn read_response(
    scanner: &mut Scanner<'_>,
    tally: &mut Tally,
) -> Result<Option<Result<(), Unfit>>, JsonError> {
    let (mut status, mut reason) = (None, None);
    members(scanner, |scanner, name| {
        match name {
            "status" => status = text(scanner)?,
            "incomplete_details" => members(scanner, |scanner, name| {
                if name == "reason" {
                    reason = text(scanner)?;
                }
                Ok(())
            })?,
            "output" if scanner.kind()? == Kind::Array => {
                scanner.array(|scanner, _| read_item(scanner, tally))?;
            }
            _ => {}
        }
        Ok(())
    })?;
    let status = status.map(|status| status.decode());
    Ok(match status.as_deref() {
        Some("completed") => Some(Ok(())),
        Some("incomplete") => Some(end(&reason.map(|reason| reason.decode()).unwrap_or_default())),
        Some("failed") => Some(Err(Unfit::Error)),
        Some("cancelled") => Some(Err(Unfit::Stopped)),
        _ => None,
    })
}

/// One item of the output. Only messages can be empty; reasoning alone is no answer.
fn read_item(scanner: &mut Scanner<'_>, tally: &mut Tally) -> Result<(), JsonError> {
    let mut kind = None;
    members(scanner, |scanner, name| {
        match name {
            "type" => kind = text(scanner)?,
            "content" if scanner.kind()? == Kind::Array => {
                scanner.array(|scanner, _| read_part(scanner, tally))?;
            }
            "arguments" => {
                let call = u64::try_from(tally.arguments.len()).unwrap_or(u64::MAX);
                tally.arguments((0, call), scanner)?;
            }
            _ => {}
        }
        Ok(())
    })?;
    tally.content |= kind.is_some_and(|kind| kind != "message" && kind != "reasoning");
    Ok(())
}

fn read_part(scanner: &mut Scanner<'_>, tally: &mut Tally) -> Result<(), JsonError> {
    members(scanner, |scanner, name| {
        match name {
            "type" => tally.refused |= text(scanner)?.is_some_and(|kind| kind == "refusal"),
            "text" => tally.content |= is_filled(scanner)?,
            _ => {}
        }
        Ok(())
    })
}
