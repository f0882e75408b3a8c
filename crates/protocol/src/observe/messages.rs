//! Anthropic's Messages API: named events whose data repeats the name as `type`.

use super::{Finish, Progress, Said, content};
use crate::json::{JsonError, Kind, Scanner};
use crate::lenient::{is_filled, members, text};
use crate::tokens::Written;

/// Reads one event of a stream. `name` is the `event:` line, which counts where the data has no `type`.
pub(super) fn read_event(payload: &[u8], name: &str, progress: &mut Progress) -> Result<Said, JsonError> {
    let (mut kind, mut error) = (None, false);
    let mut scanner = Scanner::new(payload);
    scanner.object(|scanner, name| {
        match &*name.decode() {
            "type" => kind = text(scanner)?,
            "error" => error = is_filled(scanner)?,
            // `message_start` carries the first counts inside the message, `message_delta` the later ones
            // beside it.
            "usage" => progress.counts.read(scanner).map(|_| ())?,
            "message" if scanner.kind()? == Kind::Object => read_message(scanner, progress).map(|_| ())?,
            "delta" => members(scanner, |scanner, name| {
                match name {
                    "stop_reason" => progress.finish = stop_reason(scanner)?.or(progress.finish),
                    "partial_json" => content::read(scanner, &mut progress.written).map(|_| ())?,
                    name => read_block_member(scanner, name, &mut progress.written)?,
                }
                Ok(())
            })?,
            // What opens a block has the name of a call, and of the rest nothing yet.
            "content_block" => read_block(scanner, &mut progress.written)?,
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    scanner.finish()?;
    let kind = kind.map(|kind| kind.decode());
    Ok(match kind.as_deref().unwrap_or(name) {
        "error" => Said::Error,
        _ if error => Said::Error,
        "message_stop" => Said::Terminal,
        "content_block_delta" => Said::Content,
        _ => Said::Nothing,
    })
}

/// What makes a plain answer one of the Messages API.
#[derive(Debug, Default)]
pub(super) struct Message {
    /// `content` is an array.
    pub(super) blocks: bool,
    /// `content` has a block.
    pub(super) content: bool,
}

/// Reads a message object, alone or within an event.
pub(super) fn read_message(scanner: &mut Scanner<'_>, progress: &mut Progress) -> Result<Message, JsonError> {
    let mut message = Message::default();
    scanner.object(|scanner, name| {
        match &*name.decode() {
            "content" => {
                message.blocks = scanner.kind()? == Kind::Array;
                message.content = read_blocks(scanner, &mut progress.written)?;
            }
            "usage" => progress.counts.read(scanner).map(|_| ())?,
            "stop_reason" => progress.finish = stop_reason(scanner)?.or(progress.finish),
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    Ok(message)
}

/// Reads the content of a message; says whether there is any.
fn read_blocks(scanner: &mut Scanner<'_>, written: &mut Written) -> Result<bool, JsonError> {
    if scanner.kind()? != Kind::Array {
        return is_filled(scanner);
    }
    let mut filled = false;
    scanner.array(|scanner, _| {
        filled = true;
        read_block(scanner, written)
    })?;
    Ok(filled)
}

fn read_block(scanner: &mut Scanner<'_>, written: &mut Written) -> Result<(), JsonError> {
    members(scanner, |scanner, name| read_block_member(scanner, name, written))
}

/// Leaves out `content`: what the tools of the upstream have found is not the model's.
fn read_block_member(scanner: &mut Scanner<'_>, name: &str, written: &mut Written) -> Result<(), JsonError> {
    if name == "content" { Ok(()) } else { content::member(scanner, name, written) }
}

fn stop_reason(scanner: &mut Scanner<'_>) -> Result<Option<Finish>, JsonError> {
    Ok(text(scanner)?.map(|reason| Finish::parse(&reason.decode())))
}
