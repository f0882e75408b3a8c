//! May an answer be kept and given again?
//!
//! Owns the rule for answers alone: whole, ended as asked, with calls that can be run. Whether the request was
//! one to be kept, how large an answer may be and where it lies are the cache's business. What passes through
//! is watched by [`crate::observe`]; this looks again, once, at what lies there as a whole.

mod chat;
mod messages;
mod responses;

use std::collections::BTreeMap;

use crate::dialect::Dialect;
use crate::json::{self, JsonError, Kind, Scanner};
use crate::lenient::is_filled;
use crate::observe::{Facts, Finish, ReplyFault, StreamObserver, Verdict, observe_reply};
use crate::replay::{decode, payload};

/// Why an answer is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unfit {
    /// It is an error, or has one in it.
    Error,
    /// It is cut, unreadable or not of the dialect.
    Incomplete,
    /// A filter ended it.
    Filtered,
    /// The model refused.
    Refused,
    /// It ended for another reason: `abort`, `error`, `pause_turn`, something new.
    Stopped,
    /// It says nothing, and no tokens were spent on it.
    Empty,
    /// A tool call whose arguments are not JSON.
    ToolCall,
}

impl Unfit {
    /// A short name for labels and log lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Incomplete => "incomplete",
            Self::Filtered => "filtered",
            Self::Refused => "refused",
            Self::Stopped => "stopped",
            Self::Empty => "empty",
            Self::ToolCall => "tool_call",
        }
    }
}

/// Whether a plain answer may be kept.
///
/// # Errors
/// The first reason against it, the gravest first.
pub fn plain(dialect: Dialect, body: &[u8]) -> Result<(), Unfit> {
    let facts = observe_reply(dialect, body).map_err(|fault| match fault {
        ReplyFault::Error => Unfit::Error,
        ReplyFault::Json(_) | ReplyFault::Shape(_) => Unfit::Incomplete,
    })?;
    if has_error(body) {
        return Err(Unfit::Error);
    }
    let mut tally = Tally::default();
    match dialect {
        Dialect::Completions | Dialect::Chat => chat::read(body, &mut tally),
        Dialect::Responses => responses::read(body, &mut tally),
        Dialect::Messages => messages::read(body, &mut tally),
        // Vectors have no end; there are some, or there are none.
        Dialect::Embeddings => return if facts.content_events > 0 { Ok(()) } else { Err(Unfit::Empty) },
    }
    .map_err(|_| Unfit::Incomplete)?;
    tally.verdict(&facts)
}

/// Whether a stream may be kept: the bytes of all its events, as the upstream sent them.
///
/// # Errors
/// The first reason against it, the gravest first.
pub fn stream(dialect: Dialect, events: &[u8]) -> Result<(), Unfit> {
    let decoded = decode(events);
    let mut observer = StreamObserver::new(dialect, false);
    let mut tally = Tally::default();
    let mut unreadable = decoded.cut;
    for event in &decoded.events {
        match observer.observe(event) {
            Verdict::Error => return Err(Unfit::Error),
            Verdict::Malformed => unreadable = true,
            Verdict::Forward | Verdict::Content | Verdict::Withhold | Verdict::Terminal => {
                let Some(payload) = payload(event).filter(|payload| *payload != b"[DONE]") else { continue };
                let name = event.name.as_deref().and_then(|name| std::str::from_utf8(name).ok());
                let read = match dialect {
                    Dialect::Completions | Dialect::Chat => chat::read(payload, &mut tally),
                    Dialect::Responses => {
                        responses::read_event(payload, name.unwrap_or_default(), &mut tally)
                    }
                    Dialect::Messages => messages::read_event(payload, name.unwrap_or_default(), &mut tally),
                    // There is no such stream.
                    Dialect::Embeddings => return Err(Unfit::Incomplete),
                };
                unreadable |= read.is_err();
            }
        }
    }
    if unreadable || !observer.terminal_seen() {
        return Err(Unfit::Incomplete);
    }
    tally.verdict(observer.facts())
}

/// What an answer says of itself, gathered over its pieces.
#[derive(Debug, Default)]
struct Tally {
    /// For each choice how it ended, once it has.
    choices: BTreeMap<u64, Option<Result<(), Unfit>>>,
    /// The arguments of the calls, by choice and position.
    arguments: BTreeMap<(u64, u64), String>,
    /// Arguments that are no string.
    odd_arguments: bool,
    refused: bool,
    /// Content that the observer does not tell from the frame around it.
    content: bool,
}

impl Tally {
    /// A choice, and how it ended if this says so. One bad end is enough.
    fn choice(&mut self, index: u64, end: Option<Result<(), Unfit>>) {
        let known = self.choices.entry(index).or_default();
        if !matches!(known, Some(Err(_))) {
            *known = end.or(*known);
        }
    }

    /// The next piece of a call's arguments.
    fn arguments(&mut self, call: (u64, u64), scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        match scanner.kind()? {
            Kind::Null => {}
            Kind::String => {
                let piece = scanner.string()?.decode();
                self.arguments.entry(call).or_default().push_str(&piece);
            }
            _ => self.odd_arguments = true,
        }
        Ok(())
    }

    fn verdict(&self, facts: &Facts) -> Result<(), Unfit> {
        if self.choices.is_empty() {
            return Err(Unfit::Incomplete);
        }
        for end in self.choices.values() {
            end.unwrap_or(Err(Unfit::Incomplete))?;
        }
        if self.refused {
            return Err(Unfit::Refused);
        }
        let is_json = |text: &String| text.trim_ascii().is_empty() || json::validate(text.as_bytes()).is_ok();
        if self.odd_arguments || !self.arguments.values().all(is_json) {
            return Err(Unfit::ToolCall);
        }
        let spent = facts.usage.is_some_and(|usage| usage.output > 0);
        if self.content || spent { Ok(()) } else { Err(Unfit::Empty) }
    }
}

/// What an end means for keeping the answer.
fn end(reason: &str) -> Result<(), Unfit> {
    match Finish::parse(reason) {
        Finish::Stop | Finish::Length | Finish::ToolCalls => Ok(()),
        Finish::ContentFilter if reason == "refusal" => Err(Unfit::Refused),
        Finish::ContentFilter => Err(Unfit::Filtered),
        Finish::Other => Err(Unfit::Stopped),
    }
}

fn has_error(body: &[u8]) -> bool {
    let mut error = false;
    let read = Scanner::new(body).object(|scanner, name| {
        if name == "error" {
            error |= is_filled(scanner)?;
        }
        Ok::<_, JsonError>(())
    });
    error || read.is_err()
}

#[cfg(test)]
#[path = "fitness/fitness_tests.rs"]
mod tests;
