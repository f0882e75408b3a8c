//! A plain answer, looked at before it is believed: a status of 200 alone proves nothing.

use super::chat::Chunk;
use super::{Facts, Progress, messages, responses};
use crate::dialect::Dialect;
use crate::json::{JsonError, Kind, Scanner};
use crate::lenient::{self, is_filled, members, text};
use crate::tokens::Written;

/// Why a body with status 200 is not an answer. The text may be shown to clients: it quotes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyFault {
    /// Not JSON, or cut short.
    #[error("the answer is not valid JSON: {0}")]
    Json(#[from] JsonError),
    /// JSON, but not of the dialect.
    #[error("the answer has no `{0}` array")]
    Shape(&'static str),
    /// JSON, but without the one number that it is all about.
    #[error("the answer has no `{0}`")]
    Missing(&'static str),
    /// An error that goes by the status of a success.
    #[error("the answer is an error with the status of a success")]
    Error,
}

/// Checks a plain answer and reads its facts, without a copy. Its text is weighed in a second pass, and only where the
/// upstream's own count is missing or may be one of half an answer; else `content_tokens` stays 0.
///
/// # Errors
/// The body is not a JSON object of the dialect's shape.
pub fn observe_reply(dialect: Dialect, body: &[u8]) -> Result<Facts, ReplyFault> {
    let facts = read(dialect, body, Written::unweighed())?;
    let is_text = facts.content_events > 0 && dialect != Dialect::Embeddings;
    if is_text && (facts.usage.is_none() || facts.finish.is_none()) {
        return read(dialect, body, Written::default());
    }
    Ok(facts)
}

fn read(dialect: Dialect, body: &[u8], written: Written) -> Result<Facts, ReplyFault> {
    let mut progress = Progress { written, ..Progress::default() };
    let content = match dialect {
        Dialect::Completions | Dialect::Chat => read_choices(body, &mut progress)?,
        Dialect::Embeddings => read_embeddings(body, &mut progress)?,
        Dialect::Responses => {
            let response = responses::read_reply(body, &mut progress)?;
            expect(response.output || response.named, "output", body)?;
            response.content
        }
        Dialect::Messages => {
            let mut scanner = Scanner::new(body);
            let message = messages::read_message(&mut scanner, &mut progress)?;
            scanner.finish()?;
            expect(message.blocks, "content", body)?;
            message.content
        }
        // A count is no use of the model: nothing is told of tokens.
        Dialect::CountTokens => {
            let mut count = None;
            let mut scanner = Scanner::new(body);
            members(&mut scanner, |scanner, name| {
                if name == "input_tokens" {
                    count = lenient::count(scanner)?;
                }
                Ok(())
            })?;
            scanner.finish()?;
            match count {
                Some(_) => false,
                None if is_error(body)? => return Err(ReplyFault::Error),
                None => return Err(ReplyFault::Missing("input_tokens")),
            }
        }
    };
    let usage = progress.counts.usage(dialect);
    Ok(Facts {
        usage,
        content_events: u64::from(content),
        content_tokens: progress.written.tokens(),
        finish: progress.finish,
    })
}

fn read_choices(body: &[u8], progress: &mut Progress) -> Result<bool, ReplyFault> {
    let chunk = Chunk::read(body, progress)?;
    expect(chunk.choices.is_some(), "choices", body)?;
    Ok(chunk.content)
}

fn read_embeddings(body: &[u8], progress: &mut Progress) -> Result<bool, ReplyFault> {
    let mut data = None;
    let mut scanner = Scanner::new(body);
    scanner.object(|scanner, name| {
        match &*name.decode() {
            "data" if scanner.kind()? == Kind::Array => data = Some(is_filled(scanner)?),
            "data" => data = None,
            "usage" => progress.counts.read(scanner).map(|_| ())?,
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    scanner.finish()?;
    expect(data.is_some(), "data", body)?;
    Ok(data == Some(true))
}

/// Names the fault of an answer that lacks what makes it one.
fn expect(present: bool, what: &'static str, body: &[u8]) -> Result<(), ReplyFault> {
    if present {
        return Ok(());
    }
    Err(if is_error(body)? { ReplyFault::Error } else { ReplyFault::Shape(what) })
}

fn is_error(body: &[u8]) -> Result<bool, JsonError> {
    let mut error = false;
    Scanner::new(body).object(|scanner, name| {
        match &*name.decode() {
            "error" => error |= is_filled(scanner)?,
            "object" | "type" => error |= text(scanner)?.is_some_and(|value| value == "error"),
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    Ok(error)
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
