//! Anthropic's Messages API: named events whose data repeats the name as `type`.

use super::{Finish, Progress, Said};
use crate::json::{JsonError, Kind, Scanner};
use crate::lenient::{is_filled, members, text};

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
                if name == "stop_reason" {
                    progress.finish = stop_reason(scanner)?.or(progress.finish);
                }
                Ok(())
            })?,
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
                message.content = is_filled(scanner)?;
            }
            "usage" => progress.counts.read(scanner).map(|_| ())?,
            "stop_reason" => progress.finish = stop_reason(scanner)?.or(progress.finish),
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    Ok(message)
}

fn stop_reason(scanner: &mut Scanner<'_>) -> Result<Option<Finish>, JsonError> {
    Ok(text(scanner)?.map(|reason| Finish::parse(&reason.decode())))
}
