//! Completions and chat: chunks of a stream and plain answers, which differ in little but `delta` and
//! `message`.

use super::{Finish, Progress, Said, content};
use crate::json::{JsonError, Kind, Scanner};
use crate::lenient::{count, is_filled, members, text};
use crate::tokens::Written;

/// What stands in one chunk, or in one plain answer.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// Length of `choices`; `None` when it is no array.
    pub(super) choices: Option<usize>,
    pub(super) content: bool,
    usage: bool,
    error: bool,
    /// Members that an error has in other forms: flat ones of old vLLM, `detail` of FastAPI, a problem's
    /// `title`.
    error_like: bool,
}

/// Reads one chunk of a stream.
pub(super) fn read_event(payload: &[u8], progress: &mut Progress) -> Result<Said, JsonError> {
    let chunk = Chunk::read(payload, progress)?;
    Ok(if chunk.is_error() {
        Said::Error
    } else if chunk.content {
        Said::Content
    } else if chunk.usage && chunk.choices.unwrap_or_default() == 0 {
        Said::UsageOnly
    } else {
        Said::Nothing
    })
}

impl Chunk {
    pub(super) fn read(payload: &[u8], progress: &mut Progress) -> Result<Self, JsonError> {
        let mut chunk = Self::default();
        let mut scanner = Scanner::new(payload);
        scanner.object(|scanner, name| {
            match &*name.decode() {
                "choices" => chunk.read_choices(scanner, progress)?,
                "usage" => chunk.usage = progress.counts.read(scanner)?,
                "error" => chunk.error = is_filled(scanner)?,
                "object" => chunk.error_like |= text(scanner)?.is_some_and(|object| object == "error"),
                "message" | "title" => chunk.error_like |= scanner.kind()? == Kind::String,
                "detail" => chunk.error_like |= is_filled(scanner)?,
                _ => {}
            }
            Ok::<_, JsonError>(())
        })?;
        scanner.finish()?;
        Ok(chunk)
    }

    /// An `error` member, or an error's other members where the choices should be.
    pub(super) fn is_error(&self) -> bool {
        self.error || (self.error_like && self.choices.is_none())
    }

    fn read_choices(&mut self, scanner: &mut Scanner<'_>, progress: &mut Progress) -> Result<(), JsonError> {
        self.choices = None;
        if scanner.kind()? != Kind::Array {
            return Ok(());
        }
        let mut length = 0;
        scanner.array(|scanner, position| {
            length = position + 1;
            self.read_choice(scanner, position, progress)
        })?;
        self.choices = Some(length);
        Ok(())
    }

    fn read_choice(
        &mut self,
        scanner: &mut Scanner<'_>,
        position: usize,
        progress: &mut Progress,
    ) -> Result<(), JsonError> {
        let mut index = u64::try_from(position).unwrap_or(u64::MAX);
        let mut finish = None;
        members(scanner, |scanner, name| {
            match name {
                "index" => index = count(scanner)?.unwrap_or(index),
                "finish_reason" => finish = finish_reason(scanner)?,
                "text" => self.content |= content::read(scanner, &mut progress.written)?,
                "delta" | "message" => self.read_message(scanner, &mut progress.written)?,
                _ => {}
            }
            Ok(())
        })?;
        progress.choices.saw(index, finish.is_some());
        progress.finish = finish.or(progress.finish);
        Ok(())
    }

    /// Any part of a message that a client would show or act on.
    fn read_message(&mut self, scanner: &mut Scanner<'_>, written: &mut Written) -> Result<(), JsonError> {
        // Some say their reasoning twice, as a text and as its details.
        let mut reasoning = written.beside();
        members(scanner, |scanner, name| {
            match name {
                "content" | "tool_calls" | "function_call" | "refusal" | "audio" | "images" | "thinking" => {
                    self.content |= content::read(scanner, written)?;
                }
                name if name.starts_with("reasoning") => {
                    let mut once = written.beside();
                    self.content |= content::read(scanner, &mut once)?;
                    reasoning = reasoning.heavier(once);
                }
                _ => {}
            }
            Ok(())
        })?;
        written.append(reasoning);
        Ok(())
    }
}

/// The reason; none while the choice goes on, which some say with an empty string instead of null.
fn finish_reason(scanner: &mut Scanner<'_>) -> Result<Option<Finish>, JsonError> {
    let reason = text(scanner)?.filter(|reason| *reason != "");
    Ok(reason.map(|reason| Finish::parse(&reason.decode())))
}
