//! The Responses API: named events whose data repeats the name as `type`.

use super::{Finish, Progress, Said, content};
use crate::json::{JsonError, Kind, RawStr, Scanner};
use crate::lenient::{is_filled, members, text};

/// Reads one event of a stream. `name` is the `event:` line, which counts where the data has no `type`.
pub(super) fn read_event(payload: &[u8], name: &str, progress: &mut Progress) -> Result<Said, JsonError> {
    let (mut kind, mut error, mut call, mut written) = (None, false, None, progress.written);
    let mut scanner = Scanner::new(payload);
    scanner.object(|scanner, name| {
        match &*name.decode() {
            "type" => kind = text(scanner)?,
            "error" => error = is_filled(scanner)?,
            // Its output has passed in pieces before.
            "response" if scanner.kind()? == Kind::Object => {
                read_response(scanner, progress, |scanner, _| is_filled(scanner)).map(|_| ())?;
            }
            "item" => call = read_name(scanner)?,
            "delta" => content::read(scanner, &mut written).map(|_| ())?,
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    scanner.finish()?;
    let kind = kind.map(|kind| kind.decode());
    let kind = kind.as_deref().unwrap_or(name);
    match (kind, call) {
        // Sound, encoded.
        (kind, _) if kind.ends_with("audio.delta") => {}
        (kind, _) if kind.ends_with(".delta") => progress.written = written,
        ("response.output_item.added", Some(call)) => progress.written.add(call),
        _ => {}
    }
    Ok(match kind {
        "error" | "response.failed" => Said::Error,
        _ if error => Said::Error,
        "response.completed" | "response.incomplete" => Said::Terminal,
        kind if kind.ends_with(".delta") => Said::Content,
        _ => Said::Nothing,
    })
}

/// What makes a plain answer one of the Responses API.
#[derive(Debug, Default)]
pub(super) struct Response {
    /// `output` is an array.
    pub(super) output: bool,
    /// `output` has an item.
    pub(super) content: bool,
    /// `object` is `response`.
    pub(super) named: bool,
}

/// Reads a plain answer.
pub(super) fn read_reply(body: &[u8], progress: &mut Progress) -> Result<Response, JsonError> {
    let mut scanner = Scanner::new(body);
    let response = read_response(&mut scanner, progress, |scanner, progress| {
        content::read(scanner, &mut progress.written)
    })?;
    scanner.finish()?;
    Ok(response)
}

/// Reads a response object, alone or within an event. `read_output` says whether there is any output.
fn read_response(
    scanner: &mut Scanner<'_>,
    progress: &mut Progress,
    read_output: impl Fn(&mut Scanner<'_>, &mut Progress) -> Result<bool, JsonError>,
) -> Result<Response, JsonError> {
    let mut response = Response::default();
    let (mut finish, mut reason) = (None, None);
    scanner.object(|scanner, name| {
        match &*name.decode() {
            "usage" => progress.counts.read(scanner).map(|_| ())?,
            "object" => response.named = text(scanner)?.is_some_and(|object| object == "response"),
            "output" => {
                response.output = scanner.kind()? == Kind::Array;
                response.content = read_output(scanner, progress)?;
            }
            "status" => finish = text(scanner)?.and_then(|status| ended(&status.decode())),
            "incomplete_details" => members(scanner, |scanner, name| {
                if name == "reason" {
                    reason = text(scanner)?.map(|reason| Finish::parse(&reason.decode()));
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    progress.finish = finish.map(|finish| reason.unwrap_or(finish)).or(progress.finish);
    Ok(response)
}

/// The name in an item that opens: that of a call.
fn read_name<'a>(scanner: &mut Scanner<'a>) -> Result<Option<RawStr<'a>>, JsonError> {
    let mut found = None;
    members(scanner, |scanner, name| {
        if name == "name" {
            found = text(scanner)?;
        }
        Ok(())
    })?;
    Ok(found)
}

/// What a status says of the end; nothing while the answer is under way.
fn ended(status: &str) -> Option<Finish> {
    match status {
        "completed" => Some(Finish::Stop),
        "incomplete" | "failed" | "cancelled" => Some(Finish::Other),
        _ => None,
    }
}
