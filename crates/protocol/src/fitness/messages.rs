//! Anthropic's Messages API: one answer, whose tool calls come as objects when plain and as pieces of JSON in a
//! stream.

use super::{Tally, Unfit, end};
use crate::json::{JsonError, Kind, Scanner};
use crate::lenient::{count, is_filled, members, text};

/// Reads a plain answer.
pub(super) fn read(body: &[u8], tally: &mut Tally) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(body);
    read_message(&mut scanner, tally)?;
    scanner.finish()
}

/// Reads one event of a stream. `name` is the `event:` line, which counts where the data has no `type`.
pub(super) fn read_event(payload: &[u8], name: &str, tally: &mut Tally) -> Result<(), JsonError> {
    let (mut kind, mut index, mut delta) = (None, 0, None);
    let mut scanner = Scanner::new(payload);
    scanner.object(|scanner, name| {
        match &*name.decode() {
            "type" => kind = text(scanner)?,
            "index" => index = count(scanner)?.unwrap_or_default(),
            "message" => read_message(scanner, tally)?,
            "content_block" => read_block(scanner, tally)?,
            "delta" => delta = Some(scanner.clone()),
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    scanner.finish()?;
    let kind = kind.map(|kind| kind.decode());
    match (kind.as_deref().unwrap_or(name), delta) {
        ("content_block_delta", Some(mut delta)) => read_delta(&mut delta, index, tally),
        ("message_delta", Some(mut delta)) => read_end(&mut delta, tally),
        _ => Ok(()),
    }
}

fn read_message(scanner: &mut Scanner<'_>, tally: &mut Tally) -> Result<(), JsonError> {
    read_end(&mut scanner.clone(), tally)?;
    members(scanner, |scanner, name| {
        if name == "content" && scanner.kind()? == Kind::Array {
            scanner.array(|scanner, _| read_block(scanner, tally))?;
        }
        Ok(())
    })
}

/// The reason, in a message or in the delta that closes one.
fn read_end(scanner: &mut Scanner<'_>, tally: &mut Tally) -> Result<(), JsonError> {
    members(scanner, |scanner, name| {
        if name == "stop_reason" {
            let reason: Option<Result<(), Unfit>> = text(scanner)?.map(|reason| end(&reason.decode()));
            tally.choice(0, reason);
        }
        Ok(())
    })
}

/// A block, whole or as it begins. Text and thinking may be empty, any other kind says something by being there.
fn read_block(scanner: &mut Scanner<'_>, tally: &mut Tally) -> Result<(), JsonError> {
    members(scanner, |scanner, name| {
        match name {
            "type" => {
                let kind = text(scanner)?;
                tally.content |= kind.is_some_and(|kind| kind != "text" && kind != "thinking");
            }
            "text" | "thinking" => tally.content |= is_filled(scanner)?,
            _ => {}
        }
        Ok(())
    })
}

fn read_delta(scanner: &mut Scanner<'_>, index: u64, tally: &mut Tally) -> Result<(), JsonError> {
    members(scanner, |scanner, name| {
        match name {
            "partial_json" => tally.arguments((0, index), scanner)?,
            "text" | "thinking" => tally.content |= is_filled(scanner)?,
            _ => {}
        }
        Ok(())
    })
}
