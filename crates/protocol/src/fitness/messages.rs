//! Anthropic's Messages API: one answer, whose tool calls come as objects when plain and as pieces of JSON in a
//! stream.

use super::{Tally, Unfit};
use crate::json::{JsonError, Kind, Scanner};
use crate::lenient::{count, members, text};

/// Reads a plain answer.
pub(super) fn read(body: &[u8], tally: &mut Tally) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(body);
    read_message(&mut scanner, tally)?;
    scanner.finish()
}

/// Reads one event of a stream. `name` is the `event:` line, which counts where the data has no `type`.
pub(super) fn read_event(payload: &[u8], name: &str, tally: &mut Tally) -> Result<(), JsonError> {
    let (mut kind, mut index, mut block, mut delta) = (None, 0, None, None);
    let mut scanner = Scanner::new(payload);
    scanner.object(|scanner, name| {
        match &*name.decode() {
            "type" => kind = text(scanner)?,
            "index" => index = count(scanner)?.unwrap_or_default(),
            "message" => read_message(scanner, tally)?,
            "content_block" => block = Some(scanner.clone()),
            "delta" => delta = Some(scanner.clone()),
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    scanner.finish()?;
    if let Some(mut block) = block {
        read_block(&mut block, index, false, tally)?;
    }
    let kind = kind.map(|kind| kind.decode());
    match (kind.as_deref().unwrap_or(name), delta) {
        ("content_block_delta", Some(mut delta)) => read_delta(&mut delta, index, tally),
        ("message_delta", Some(mut delta)) => read_end(&mut delta, tally),
        _ => Ok(()),
    }
}

fn read_message(scanner: &mut Scanner<'_>, tally: &mut Tally) -> Result<(), JsonError> {
    tally.choice(0).begun |= scanner.kind()? == Kind::Object;
    read_end(&mut scanner.clone(), tally)?;
    members(scanner, |scanner, name| {
        if name == "content" && scanner.kind()? == Kind::Array {
            scanner.array(|scanner, position| {
                let index = u64::try_from(position).unwrap_or(u64::MAX);
                read_block(scanner, index, true, tally)
            })?;
        }
        Ok(())
    })
}

/// The reason, in a message or in the delta that closes one; or why there is none.
fn read_end(scanner: &mut Scanner<'_>, tally: &mut Tally) -> Result<(), JsonError> {
    members(scanner, |scanner, name| {
        match name {
            "stop_reason" => {
                if let Some(reason) = text(scanner)? {
                    tally.ended(0, &reason.decode());
                }
            }
            "error" => tally.error(scanner)?,
            _ => {}
        }
        Ok(())
    })
}

/// A block, whole or as it begins. Text and thinking may be empty, any other kind says something by being there.
fn read_block(
    scanner: &mut Scanner<'_>,
    index: u64,
    whole: bool,
    tally: &mut Tally,
) -> Result<(), JsonError> {
    let (mut kind, mut name, mut input) = (None, false, None);
    members(scanner, |scanner, member| {
        match member {
            "type" => kind = text(scanner)?,
            "text" | "thinking" => tally.said(scanner)?,
            "name" => name = text(scanner)?.is_some_and(|name| name != ""),
            "input" => input = Some(scanner.kind()?).filter(|kind| *kind != Kind::Null),
            "error" => tally.error(scanner)?,
            // What a tool that the upstream runs itself came back with: the failure passes, the answer stays.
            "is_error" => tally.spoilt(Unfit::Error, scanner)?,
            "content" => read_result(scanner, tally)?,
            _ => {}
        }
        Ok(())
    })?;
    let Some(kind) = kind.map(|kind| kind.decode()) else {
        tally.fault(Unfit::Incomplete);
        return Ok(());
    };
    tally.content |= kind != "text" && kind != "thinking";
    if kind.ends_with("tool_use") {
        let call = tally.call((0, index));
        (call.named, call.object) = (name, true);
        // In a stream the input may come later.
        if input.map_or(whole, |input| input != Kind::Object) {
            tally.fault(Unfit::ToolCall);
        }
    }
    Ok(())
}

/// The result of a tool: `web_search_tool_result_error` and the like stand where the result would.
fn read_result(scanner: &mut Scanner<'_>, tally: &mut Tally) -> Result<(), JsonError> {
    members(scanner, |scanner, name| {
        if name == "type" && text(scanner)?.is_some_and(|kind| kind.decode().ends_with("_error")) {
            tally.fault(Unfit::Error);
        }
        Ok(())
    })
}

fn read_delta(scanner: &mut Scanner<'_>, index: u64, tally: &mut Tally) -> Result<(), JsonError> {
    members(scanner, |scanner, name| {
        match name {
            "partial_json" => {
                tally.call((0, index));
                tally.arguments((0, index), scanner)?;
            }
            "text" | "thinking" => tally.said(scanner)?,
            "error" => tally.error(scanner)?,
            _ => {}
        }
        Ok(())
    })
}
