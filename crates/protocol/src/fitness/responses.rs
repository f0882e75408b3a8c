//! The Responses API: everything that counts is in the response object, alone or within the last event.

use super::{Tally, Unfit, end};
use crate::json::{JsonError, Kind, Scanner};
use crate::lenient::{is_filled, members, text};

/// Reads a plain answer.
pub(super) fn read(body: &[u8], tally: &mut Tally) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(body);
    let end = read_response(&mut scanner, tally)?;
    ended(end, tally);
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
        "response.completed" | "response.incomplete" => ended(end, tally),
        "response.refusal.delta" if delta => tally.fault(Unfit::Refused),
        "response.refusal.delta" => {}
        // A tool that the upstream runs itself.
        kind if kind.ends_with(".failed") => tally.fault(Unfit::Error),
        // Some leave the items out of the last event.
        "response.output_item.done" => {
            if let Some(mut item) = item {
                tally.unfinished |= read_item(&mut item, tally)?;
            }
        }
        kind if kind.ends_with(".delta") => tally.content |= delta,
        _ => {}
    }
    scanner.finish()
}

fn ended(end: Option<Result<(), Unfit>>, tally: &mut Tally) {
    let choice = tally.choice(0);
    choice.begun = true;
    choice.ended |= end.is_some();
    if let Some(Err(fault)) = end {
        tally.fault(fault);
    }
}

/// Reads a response object; says how it ended, if it did.
fn read_response(
    scanner: &mut Scanner<'_>,
    tally: &mut Tally,
) -> Result<Option<Result<(), Unfit>>, JsonError> {
    let (mut status, mut reason, mut unfinished) = (None, None, false);
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
                scanner.array(|scanner, _| {
                    unfinished |= read_item(scanner, tally)?;
                    Ok::<_, JsonError>(())
                })?;
            }
            "error" => tally.error(scanner)?,
            _ => {}
        }
        Ok(())
    })?;
    let status = status.map(|status| status.decode());
    Ok(match status.as_deref() {
        Some("completed") if unfinished || tally.unfinished => Some(Err(Unfit::Incomplete)),
        Some("completed") => Some(Ok(())),
        Some("incomplete") => Some(end(&reason.map(|reason| reason.decode()).unwrap_or_default())),
        Some("failed") => Some(Err(Unfit::Error)),
        Some("cancelled") => Some(Err(Unfit::Stopped)),
        _ => None,
    })
}

/// One item of the output; says whether it is unfinished. Only messages can be empty; reasoning alone is no
/// answer.
fn read_item(scanner: &mut Scanner<'_>, tally: &mut Tally) -> Result<bool, JsonError> {
    let (mut kind, mut status, mut content, mut named, mut input) = (None, None, false, false, false);
    let call = (0, u64::try_from(tally.calls.len()).unwrap_or(u64::MAX));
    members(scanner, |scanner, name| {
        match name {
            "type" => kind = text(scanner)?,
            "status" => status = text(scanner)?,
            "error" => tally.error(scanner)?,
            "content" if scanner.kind()? == Kind::Array => {
                content = true;
                scanner.array(|scanner, _| read_part(scanner, tally))?;
            }
            "name" => named = text(scanner)?.is_some_and(|name| name != ""),
            "input" => input = scanner.kind()? == Kind::String,
            "arguments" => {
                input = scanner.kind()? == Kind::String;
                // Whether it needs a name is seen below.
                tally.call(call).named = true;
                tally.arguments(call, scanner)?;
            }
            _ => {}
        }
        Ok(())
    })?;
    let status = status.map(|status| status.decode());
    if status.as_deref() == Some("failed") {
        tally.fault(Unfit::Error);
    }
    let unfinished = matches!(status.as_deref(), Some("incomplete" | "in_progress"));
    match kind.map(|kind| kind.decode()).as_deref() {
        None => tally.fault(Unfit::Incomplete),
        Some("message") if !content => tally.fault(Unfit::Incomplete),
        Some("message" | "reasoning") => {}
        Some("function_call" | "custom_tool_call") if unfinished || !named || !input => {
            tally.fault(Unfit::ToolCall);
        }
        Some(_) => tally.content = true,
    }
    Ok(unfinished)
}

fn read_part(scanner: &mut Scanner<'_>, tally: &mut Tally) -> Result<(), JsonError> {
    let mut kind = None;
    members(scanner, |scanner, name| {
        match name {
            "type" => kind = text(scanner)?,
            "text" => tally.said(scanner)?,
            "error" => tally.error(scanner)?,
            _ => {}
        }
        Ok(())
    })?;
    match kind {
        None => tally.fault(Unfit::Incomplete),
        Some(kind) if kind == "refusal" => tally.fault(Unfit::Refused),
        Some(_) => {}
    }
    Ok(())
}
