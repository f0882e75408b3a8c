//! May an answer be kept and given again?
//!
//! Owns the rule for answers alone: whole, ended as asked, with calls that can be run. Whether the request was
//! one to be kept, how large an answer may be and where it lies are the cache's business. What passes through
//! is watched by [`crate::observe`]; this looks again, once, at what lies there as a whole.

mod chat;
mod embeddings;
mod messages;
mod responses;

use std::collections::BTreeMap;

use crate::dialect::Dialect;
use crate::json::{self, JsonError, Kind, Scanner};
use crate::lenient::{is_filled, text};
use crate::observe::{Facts, Finish, ReplyFault, StreamObserver, Verdict, observe_reply};
use crate::replay::{decode, payload};

/// Why an answer is not kept, the gravest reason first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unfit {
    /// It is an error, or has one in it.
    Error,
    /// It is cut, unreadable, not of the dialect, or a part of it is.
    Incomplete,
    /// A filter ended it.
    Filtered,
    /// The model refused.
    Refused,
    /// It ended for another reason: `abort`, `error`, `pause_turn`, something new.
    Stopped,
    /// A tool call that cannot be run: it has no name, or arguments that are not JSON, or was said to be there
    /// and is not.
    ToolCall,
    /// It says nothing, and no tokens were spent on it.
    Empty,
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
            Self::ToolCall => "tool_call",
            Self::Empty => "empty",
        }
    }
}

/// Whether a plain answer may be kept.
///
/// # Errors
/// The gravest reason against it.
pub fn plain(dialect: Dialect, body: &[u8]) -> Result<(), Unfit> {
    if dialect == Dialect::Embeddings {
        return embeddings::judge(body);
    }
    let facts = observe_reply(dialect, body).map_err(|fault| match fault {
        ReplyFault::Error => Unfit::Error,
        ReplyFault::Json(_) | ReplyFault::Shape(_) | ReplyFault::Missing(_) => Unfit::Incomplete,
    })?;
    observed(dialect, body, &facts)
}

/// The same of an answer that [`observe_reply`] has read before, with what that has told.
///
/// # Errors
/// The gravest reason against it.
pub fn observed(dialect: Dialect, body: &[u8], facts: &Facts) -> Result<(), Unfit> {
    let mut tally = Tally::default();
    match dialect {
        Dialect::Completions | Dialect::Chat => chat::read(body, &mut tally),
        Dialect::Responses => responses::read(body, &mut tally),
        Dialect::Messages => messages::read(body, &mut tally),
        Dialect::Embeddings => return embeddings::judge(body),
        Dialect::CountTokens => return Err(Unfit::Incomplete),
    }
    .map_err(|_| Unfit::Incomplete)?;
    tally.verdict(facts)
}

/// Whether a stream may be kept: the bytes of all its events, as the upstream sent them.
///
/// # Errors
/// The gravest reason against it.
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
                    Dialect::Embeddings | Dialect::CountTokens => return Err(Unfit::Incomplete),
                };
                unreadable |= read.is_err();
            }
        }
    }
    if unreadable || !observer.terminal_seen() {
        tally.fault(Unfit::Incomplete);
    }
    tally.verdict(observer.facts())
}

/// What an answer says of itself, gathered over its pieces.
#[derive(Debug, Default)]
struct Tally {
    choices: BTreeMap<u64, Choice>,
    /// By choice and position.
    calls: BTreeMap<(u64, u64), Call>,
    /// The gravest reason against the answer so far.
    fault: Option<Unfit>,
    /// An item of a stream came unfinished, which is a fault unless the whole answer was cut.
    unfinished: bool,
    /// Content that the observer does not tell from the frame around it.
    content: bool,
}

/// What is known of one choice.
#[derive(Debug, Default)]
struct Choice {
    /// There was a message, a delta or a text, whatever it said.
    begun: bool,
    ended: bool,
    /// It ended for the calls that it has.
    for_calls: bool,
}

/// What is known of one tool call.
#[derive(Debug, Default)]
struct Call {
    named: bool,
    /// Only an object will do for arguments.
    object: bool,
    arguments: String,
}

impl Call {
    /// Whether a client could run it. Some models leave the arguments out where a tool takes none.
    fn runs(&self) -> bool {
        let arguments = self.arguments.trim_ascii();
        let is_json = || json::validate(arguments.as_bytes()).is_ok();
        self.named && (arguments.is_empty() || ((!self.object || arguments.starts_with('{')) && is_json()))
    }
}

impl Tally {
    fn fault(&mut self, fault: Unfit) {
        self.fault = self.fault.into_iter().chain([fault]).min();
    }

    /// Reads an `error` member, which upstreams fill in at all depths of what looks like an answer.
    fn error(&mut self, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        self.spoilt(Unfit::Error, scanner)
    }

    /// Reads a member that is a fault if it says anything.
    fn spoilt(&mut self, fault: Unfit, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        if is_filled(scanner)? {
            self.fault(fault);
        }
        Ok(())
    }

    fn choice(&mut self, index: u64) -> &mut Choice {
        self.choices.entry(index).or_default()
    }

    /// A choice has ended, for a reason in the words of its dialect.
    fn ended(&mut self, index: u64, reason: &str) {
        let choice = self.choice(index);
        choice.ended = true;
        choice.for_calls |= Finish::parse(reason) == Finish::ToolCalls;
        if let Err(fault) = end(reason) {
            self.fault(fault);
        }
    }

    fn call(&mut self, call: (u64, u64)) -> &mut Call {
        self.calls.entry(call).or_default()
    }

    /// A call's name. Pieces of a stream may repeat it empty.
    fn name(&mut self, call: (u64, u64), scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        let named = text(scanner)?.is_some_and(|name| name != "");
        self.call(call).named |= named;
        Ok(())
    }

    /// The next piece of a call's arguments.
    fn arguments(&mut self, call: (u64, u64), scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        match scanner.kind()? {
            Kind::Null => {}
            Kind::String => {
                let piece = scanner.string()?.decode();
                self.call(call).arguments.push_str(&piece);
            }
            _ => self.fault(Unfit::ToolCall),
        }
        Ok(())
    }

    /// The next piece of a text.
    fn said(&mut self, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        if matches!(scanner.kind()?, Kind::String | Kind::Null) {
            self.content |= is_filled(scanner)?;
        } else {
            self.fault(Unfit::Incomplete);
        }
        Ok(())
    }

    fn verdict(mut self, facts: &Facts) -> Result<(), Unfit> {
        let whole = |choice: &Choice| choice.begun && choice.ended;
        if self.choices.is_empty() || !self.choices.values().all(whole) {
            self.fault(Unfit::Incomplete);
        }
        let has_calls = |index: u64| self.calls.range((index, 0)..=(index, u64::MAX)).next().is_some();
        let kept_word = self.choices.iter().all(|(index, choice)| !choice.for_calls || has_calls(*index));
        if !kept_word || !self.calls.values().all(Call::runs) {
            self.fault(Unfit::ToolCall);
        }
        let spent = facts.usage.is_some_and(|usage| usage.output > 0);
        if !self.content && !spent {
            self.fault(Unfit::Empty);
        }
        self.fault.map_or(Ok(()), Err)
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

#[cfg(test)]
#[path = "fitness/damage_tests.rs"]
mod damage_tests;
#[cfg(test)]
#[path = "fitness/fitness_tests.rs"]
mod tests;
