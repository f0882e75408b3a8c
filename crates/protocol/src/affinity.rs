//! What requests have in common that had better meet the same upstream: the head of a prompt, which the upstream
//! that saw it last has in its prompt cache, and the end user.
//!
//! The head is what does not change from turn to turn of a conversation: tools and instructions. Marks for the
//! prompt cache (`cache_control`) move on with every turn, so neither they nor what stands between the head and
//! a mark may count. Of the conversation itself only the first message stays. It counts when a mark stands on it
//! or beyond, since then the client wants the conversation cached and not the head alone, and when there is
//! nothing else to go by.
//!
//! Two heads that are taken for one cost a hit in a prompt cache, never an answer. So a text and the list of that
//! one text are the same here, which for the response cache they are not: clients turn one into the other where
//! they set a mark. The model, the dialect and the tenant are the caller's to add.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

use crate::dialect::Dialect;
use crate::dialect::places::{self, Enough, Place};
use crate::digest::{Canonical, Spot};
use crate::envelope::Envelope;
use crate::json::{JsonError, Kind, RawStr, Scanner};
use crate::lenient::is_filled;

/// Bytes of a completion's prompt that are its head. Upstreams cache from about a thousand tokens on, so whoever
/// has less to say has nothing to lose.
const PROMPT_BYTES: usize = 1024;
/// The same, where the prompt is token ids.
const PROMPT_TOKENS: usize = 256;

/// The digest of a prompt's stable head: in a conversation tools, instructions, and by the rule above the first
/// message; of a completion the first 1024 bytes of its first prompt, or the first 256 token ids.
///
/// `None` where there is no head: embeddings, and prompts without content.
#[must_use]
pub fn prefix_digest(call: &Envelope) -> Option<[u8; 32]> {
    let mut head = Head { canonical: Canonical::for_body_of(call.body().len()), is_filled: false };
    // The envelope has read the whole body before. Were it not valid, it would have no head.
    match call.dialect() {
        Dialect::Embeddings | Dialect::CountTokens => return None,
        Dialect::Completions => return head.prompt(call.value("prompt")?),
        Dialect::Chat => head.conversation(call, ["tools", "functions"], "messages"),
        Dialect::Messages => head.conversation(call, ["tools", "system"], "messages"),
        Dialect::Responses => head.conversation(call, ["tools", "instructions"], "input"),
    }
    .ok()?;
    head.is_filled.then(|| head.canonical.finish())
}

/// The end user in the client's words: `user`, `safety_identifier`, `prompt_cache_key`, or `metadata.user_id` of
/// the Messages API; the first that is a text and not empty.
#[must_use]
pub fn user(call: &Envelope) -> Option<Cow<'_, str>> {
    let named = ["user", "safety_identifier", "prompt_cache_key"];
    let of_metadata = || {
        let metadata = call.value("metadata").filter(|_| call.dialect().is_anthropic())?;
        let mut user = None;
        let read = Scanner::new(metadata).object::<JsonError>(|scanner, name| {
            if name == "user_id" && scanner.kind()? == Kind::String {
                user = said(scanner.string()?);
            }
            Ok(())
        });
        read.ok().and(user)
    };
    named.iter().find_map(|name| said(Scanner::new(call.value(name)?).string().ok()?)).or_else(of_metadata)
}

fn said(text: RawStr<'_>) -> Option<Cow<'_, str>> {
    Some(text.decode()).filter(|text| !text.is_empty())
}

/// A head as it is being written: one value for each member that may be there, then one for each message.
struct Head {
    canonical: Canonical,
    is_filled: bool,
}

impl Head {
    fn conversation(&mut self, call: &Envelope, members: [&str; 2], list: &str) -> Result<(), JsonError> {
        for name in members {
            self.member(call, name)?;
        }
        let Some(messages) = call.value(list) else { return Ok(()) };
        let place = places::place(call.dialect(), list);
        // At top level it stands for a mark on whatever comes last.
        let marked = call.value("cache_control").is_some_and(|mark| mark != b"null");
        match (messages, place) {
            ([b'[', ..], Some(place)) => self.messages(messages, place, marked),
            // A text is all that the user says.
            ([b'"', ..], Some(place)) if (marked || !self.is_filled) && messages != b"\"\"" => {
                let text = String::from_utf8_lossy(messages);
                self.message(&format!(r#"{{"role":"user","content":{text}}}"#), place)
            }
            _ => Ok(()),
        }
    }

    /// Writes a member of the body, or that it is not there.
    fn member(&mut self, call: &Envelope, name: &str) -> Result<(), JsonError> {
        let value = call.value(name).filter(|value| is_filled(&mut Scanner::new(value)).unwrap_or(false));
        let Some(value) = value else {
            return self.canonical.value(&mut Scanner::new(b"null"), Spot::Data);
        };
        self.is_filled = true;
        let spot = places::place(call.dialect(), name).map_or(Spot::Data, Spot::Place);
        if name == "system" && value.starts_with(b"\"") {
            let text = String::from_utf8_lossy(value);
            return self.canonical.value(&mut Scanner::new(listed(&text, 0..text.len()).as_bytes()), spot);
        }
        self.canonical.value(&mut Scanner::new(value), spot)
    }

    /// Writes the instructions that a conversation begins with, and the first other message if it counts.
    fn messages(&mut self, list: &[u8], place: &'static Place, marked: bool) -> Result<(), JsonError> {
        let (mut first, mut marked) = (None, marked);
        // Most conversations have no marks, and finding that out costs little. A name can be written in escapes.
        let may_be_marked =
            ["cache_", "\\u00"].iter().any(|sign| memmem::find(list, sign.as_bytes()).is_some());
        // Enough is known before the end of most lists.
        let _ = Scanner::new(list).array(|scanner, _| {
            let is_instruction = is_instruction(scanner);
            if first.is_none() {
                let item = scanner.clone().skip()?;
                if is_instruction {
                    self.message(scanner.text(item), place)?;
                    return Ok(());
                }
                first = Some(scanner.text(item));
            }
            if marked || !self.is_filled || !may_be_marked {
                return Err(Enough);
            }
            if is_instruction {
                return Ok(());
            }
            places::visit(scanner, place, &mut |scanner, name| {
                marked = is_mark(name) && scanner.kind()? != Kind::Null;
                if marked { Err(Enough) } else { Ok(()) }
            })
        });
        match first.filter(|_| marked || !self.is_filled) {
            Some(first) => self.message(first, place),
            None => Ok(()),
        }
    }

    fn message(&mut self, item: &str, place: &'static Place) -> Result<(), JsonError> {
        let mut text = None;
        let mut scanner = Scanner::new(item.as_bytes());
        if scanner.kind()? == Kind::Object {
            scanner.object::<JsonError>(|scanner, name| {
                if name == "content" && scanner.kind()? == Kind::String {
                    text = Some(scanner.skip()?);
                }
                Ok(())
            })?;
        }
        let item = text.map_or(Cow::Borrowed(item), |text| Cow::Owned(listed(item, text)));
        self.is_filled = true;
        self.canonical.value(&mut Scanner::new(item.as_bytes()), Spot::Place(place))
    }

    /// The digest of a completion's first prompt.
    fn prompt(mut self, prompt: &[u8]) -> Option<[u8; 32]> {
        let mut scanner = Scanner::new(prompt);
        match scanner.kind().ok()? {
            Kind::String => {
                let text = said(scanner.string().ok()?)?;
                let opening = text.get(..text.floor_char_boundary(PROMPT_BYTES))?;
                Some(*blake3::hash(opening.as_bytes()).as_bytes())
            }
            Kind::Array => {
                let mut first = None;
                // It ends with the head.
                let _ = scanner.array(|scanner, index| match scanner.kind()? {
                    Kind::Number if index < PROMPT_TOKENS => {
                        self.is_filled = true;
                        Ok(self.canonical.value(scanner, Spot::Data)?)
                    }
                    Kind::String | Kind::Array if index == 0 => {
                        let item = scanner.skip()?;
                        first = Some(scanner.text(item));
                        Err(Enough)
                    }
                    _ => Err(Enough),
                });
                match first {
                    Some(first) => self.prompt(first.as_bytes()),
                    None => self.is_filled.then(|| self.canonical.finish()),
                }
            }
            _ => None,
        }
    }
}

/// Puts the string at `text` into the list of parts that it stands for.
fn listed(json: &str, text: Range<usize>) -> String {
    let slice = |range: Range<usize>| json.get(range).unwrap_or_default();
    let (before, after) = (slice(0..text.start), slice(text.end..json.len()));
    format!(r#"{before}[{{"type":"text","text":{}}}]{after}"#, slice(text))
}

/// Whether the message that the scanner stands at is for the model, and no part of the conversation.
fn is_instruction(scanner: &Scanner<'_>) -> bool {
    let mut found = false;
    // It ends at the role, which most often comes first.
    let _ = scanner.clone().object(|scanner, name| {
        if name != "role" {
            return Ok(());
        }
        let role = scanner.string()?;
        found = role == "system" || role == "developer";
        Err(Enough)
    });
    found
}

/// Whether a member says how far the upstream may cache.
fn is_mark(name: RawStr<'_>) -> bool {
    name == "cache_control" || name == "prompt_cache_breakpoint"
}

#[cfg(test)]
#[path = "affinity_tests.rs"]
mod tests;
