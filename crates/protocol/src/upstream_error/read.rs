//! Finds the message in an error body of any known shape.

use crate::json::{JsonError, Kind, RawStr, Scanner};
use crate::lenient::{members, text};

/// What an upstream said of its error, unredacted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpstreamMessage {
    /// The text for people.
    pub message: String,
    /// The code, as text where it was a number.
    pub code: Option<String>,
    /// The class of error, in the upstream's words.
    pub type_: Option<String>,
    /// The member of the request at fault.
    pub param: Option<String>,
}

/// Reads an error body: OpenAI's and Anthropic's `error` object, `error` as a string, a flat `message` (vLLM,
/// Mistral), `detail` as text or list (FastAPI), `errors`, a problem's `title`, or any of them in a list
/// (Gemini).
///
/// `None` when there is no message, as in HTML or plain text. A body that was cut is read as far as it goes.
#[must_use]
pub fn message(body: &[u8]) -> Option<UpstreamMessage> {
    let mut found = Found::default();
    let mut scanner = Scanner::new(body);
    // A fault in the JSON ends the search, not the use of what was found before it.
    let _ = found.read_any(&mut scanner);
    found.into_message()
}

/// The candidates. Within one rank the last wins, as everywhere in upstream answers.
#[derive(Default)]
struct Found {
    /// `error.message`, or `error` itself.
    error: Option<String>,
    message: Option<String>,
    detail: Option<String>,
    listed: Option<String>,
    title: Option<String>,
    code: Option<String>,
    type_: Option<String>,
    param: Option<String>,
}

impl Found {
    fn read_any(&mut self, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        if scanner.kind()? == Kind::Array {
            return scanner.array(|scanner, index| {
                if index == 0 { members(scanner, |scanner, name| self.read(scanner, name)) } else { Ok(()) }
            });
        }
        members(scanner, |scanner, name| self.read(scanner, name))
    }

    fn read(&mut self, scanner: &mut Scanner<'_>, name: &str) -> Result<(), JsonError> {
        match name {
            "error" if scanner.kind()? == Kind::Object => {
                members(scanner, |scanner, name| self.read_error(scanner, name))?;
            }
            "error" => keep(&mut self.error, text(scanner)?),
            // `response.failed`, a stream event: the error stands inside the response.
            "response" => members(
                scanner,
                |scanner, name| {
                    if name == "error" { self.read(scanner, name) } else { Ok(()) }
                },
            )?,
            "message" | "Message" | "msg" | "error_message" => {
                keep_owned(&mut self.message, sentence(scanner)?);
            }
            "detail" => keep_owned(&mut self.detail, sentence(scanner)?),
            "errors" => keep_owned(&mut self.listed, sentence(scanner)?),
            "title" => keep(&mut self.title, text(scanner)?),
            _ => self.read_attribute(scanner, name)?,
        }
        Ok(())
    }

    fn read_error(&mut self, scanner: &mut Scanner<'_>, name: &str) -> Result<(), JsonError> {
        match name {
            "message" => keep_owned(&mut self.error, sentence(scanner)?),
            _ => self.read_attribute(scanner, name)?,
        }
        Ok(())
    }

    fn read_attribute(&mut self, scanner: &mut Scanner<'_>, name: &str) -> Result<(), JsonError> {
        match name {
            "code" if scanner.kind()? == Kind::Number => self.code = Some(scanner.number()?.to_owned()),
            "code" => keep(&mut self.code, text(scanner)?),
            "type" => keep(&mut self.type_, text(scanner)?.filter(is_class)),
            "param" => keep(&mut self.param, text(scanner)?),
            _ => {}
        }
        Ok(())
    }

    fn into_message(self) -> Option<UpstreamMessage> {
        let Self { error, message, detail, listed, title, code, type_, param } = self;
        let message = error.or(message).or(detail).or(listed).or(title)?;
        Some(UpstreamMessage { message, code, type_, param })
    }
}

/// `error` and `response.failed` only say that there is an error; the class stands inside.
fn is_class(value: &RawStr<'_>) -> bool {
    *value != "error" && !value.raw().starts_with("response.")
}

fn keep(place: &mut Option<String>, value: Option<RawStr<'_>>) {
    keep_owned(place, value.map(|value| value.decode().into_owned()));
}

fn keep_owned(place: &mut Option<String>, value: Option<String>) {
    if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
        *place = Some(value);
    }
}

/// Text from a string, from an object's `message`, `msg` or `detail`, or from the first item of a list. A
/// place in the request, as validators give it in `loc`, goes before the text.
fn sentence(scanner: &mut Scanner<'_>) -> Result<Option<String>, JsonError> {
    match scanner.kind()? {
        Kind::String => Ok(Some(scanner.string()?.decode().into_owned())),
        Kind::Array => {
            let mut first = None;
            scanner.array(|scanner, index| {
                if index == 0 {
                    first = sentence(scanner)?;
                }
                Ok::<_, JsonError>(())
            })?;
            Ok(first)
        }
        Kind::Object => {
            let (mut said, mut place) = (None, None);
            members(scanner, |scanner, name| {
                match name {
                    "message" | "msg" | "detail" => keep_owned(&mut said, sentence(scanner)?),
                    "loc" => place = location(scanner)?,
                    _ => {}
                }
                Ok(())
            })?;
            Ok(match (place, said) {
                (Some(place), Some(said)) => Some(format!("{place}: {said}")),
                (_, said) => said,
            })
        }
        Kind::Number | Kind::Bool | Kind::Null => Ok(None),
    }
}

/// `["body", "messages", 0, "role"]` as `body.messages.0.role`.
fn location(scanner: &mut Scanner<'_>) -> Result<Option<String>, JsonError> {
    if scanner.kind()? != Kind::Array {
        return Ok(None);
    }
    let mut path = Vec::new();
    scanner.array(|scanner, _| {
        match scanner.kind()? {
            Kind::String => path.push(scanner.string()?.decode().into_owned()),
            Kind::Number => path.push(scanner.number()?.to_owned()),
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    Ok((!path.is_empty()).then(|| path.join(".")))
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
