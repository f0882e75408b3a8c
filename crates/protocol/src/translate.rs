//! From one dialect to another: requests on their way up, answers and streams on their way down.
//!
//! Owns the way through the middle form ([`crate::canonical`]); each dialect's room here reads and writes its own
//! wire format and knows no other. A member that the target cannot take is either told as dropped, where the answer
//! is still one to the question, or makes the request [`Untranslatable`]: content is never left out in silence.
//! What is the same at both ends is not translated but spliced ([`crate::provider::encode`]).
//!
//! Output is stable: what a client sends again is written again byte for byte, with `messages` last, so that a
//! conversation that is one turn longer begins with the same bytes and meets the upstream's prompt cache.

#[cfg(test)]
mod agents_tests;
#[cfg(test)]
mod answer_samples;
mod chat;
mod completions;
mod efforts;
mod halves;
mod messages;
mod openai_answer;
mod openai_request;
mod openai_usage;
mod responses;
mod strays;

use std::borrow::Cow;
use std::collections::BTreeSet;

use bytes::Bytes;

use crate::canonical::{Delta, Reply, Request};
use crate::capability::Family;
use crate::dialect::Dialect;
use crate::envelope::Envelope;
use crate::observe::ReplyFault;
use crate::provider::ProviderKind;
use crate::raw::Garbled;
use crate::sse::{self, Event};

/// Stands for the prompt in a template.
pub const PROMPT: &str = "{prompt}";

/// How a text begins in which a Responses client carries what another provider's model thought.
pub(crate) const SEAL: &str = responses::MARK;

/// Whom a request is written for.
#[derive(Debug, Clone, Copy)]
pub struct Toward<'a> {
    /// Its wire family.
    pub kind: ProviderKind,
    /// Its name for the model.
    pub model: &'a str,
    /// What is known of models of that name.
    pub family: &'a Family,
    /// Most tokens that it gives, where the operator says so; else the family's.
    pub max_output: Option<u64>,
    /// Ask for usage in a stream.
    pub ask_usage: bool,
    /// How a completion's prompt becomes a user message: [`PROMPT`] stands for it. Absent: the prompt itself.
    pub prompt_template: Option<&'a str>,
}

/// A request that cannot be put to this target without changing what is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {why}")]
pub struct Untranslatable {
    /// Where in the client's body: `messages[2].content[0]`, `previous_response_id`.
    pub member: String,
    /// Why not, in a few words without the client's own text.
    pub why: Cow<'static, str>,
}

impl Untranslatable {
    pub(crate) fn new(member: impl Into<String>, why: impl Into<Cow<'static, str>>) -> Self {
        Self { member: member.into(), why: why.into() }
    }

    /// The target has no tool or block (`what`) of the client's `kind`.
    pub(crate) fn unknown(member: impl Into<String>, what: &str, kind: &str) -> Self {
        if is_plain(kind) {
            return Self::new(member, format!("the target has no {what} of type `{kind}`"));
        }
        Self::new(member, format!("the target has no {what} of this type"))
    }
}

/// Is it a name? What stands there can be anything; only what is a name is repeated.
fn is_plain(kind: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (1..=40).contains(&kind.len()) && kind.bytes().all(is_letter)
}

/// Names of members, in the client's words, that were left out; each once, in the order in which they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    names: Vec<String>,
    /// The same names: a body may have very many.
    known: BTreeSet<String>,
}

impl Losses {
    pub(crate) fn add(&mut self, name: &str) {
        if !self.known.contains(name) {
            self.known.insert(name.to_owned());
            self.names.push(name.to_owned());
        }
    }

    /// A tool of the client's that a provider runs itself and that is not offered to the model here.
    pub(crate) fn add_tool(&mut self, kind: &str) {
        if is_plain(kind) {
            self.add(&format!("tools[{kind}]"));
        } else {
            self.add("tools[]");
        }
    }

    pub(crate) fn into_names(self) -> Vec<String> {
        self.names
    }
}

/// A request in another dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// The body.
    pub(crate) body: String,
    /// What was left out.
    pub(crate) losses: Losses,
}

/// Writes a request for an upstream that speaks `wire`.
pub(crate) fn request(
    call: &Envelope,
    wire: Dialect,
    toward: &Toward<'_>,
) -> Result<Written, Untranslatable> {
    let mut losses = Losses::default();
    let request: Request<'_> = match call.dialect() {
        Dialect::Chat => chat::read_request(call)?,
        Dialect::Completions => completions::read_request(call, toward.prompt_template)?,
        Dialect::Responses => responses::read_request(call)?,
        Dialect::Messages => messages::read_request(call)?,
        Dialect::Embeddings | Dialect::CountTokens => {
            return Err(Untranslatable::new("model", "the target has nothing of the kind"));
        }
    };
    let body = match wire {
        Dialect::Chat => chat::write_request(&request, toward, &mut losses)?,
        Dialect::Messages => messages::write_request(&request, toward, &mut losses)?,
        Dialect::Completions | Dialect::Responses | Dialect::Embeddings | Dialect::CountTokens => {
            return Err(Untranslatable::new("model", "the target cannot be spoken to in this dialect"));
        }
    };
    Ok(Written { body, losses })
}

/// How the answers of one try are turned into the client's dialect.
#[derive(Clone)]
pub struct Translation {
    /// What the upstream speaks.
    wire: Dialect,
    asked: Asked,
}

/// What a writer of answers may need to know of the question.
#[derive(Clone)]
pub(crate) struct Asked {
    /// The client's request without its conversation: a stream would keep that as long as it lasts.
    pub(crate) call: Envelope,
    /// Unix seconds, for dialects that tell when an answer was made.
    pub(crate) now: u64,
    /// Stands in where the upstream names no id: made for this request, without a prefix.
    pub(crate) id: String,
}

impl Translation {
    /// Of answers to `call` from an upstream that speaks `wire`. `now` is in Unix seconds; `id` stands in where
    /// the upstream names none.
    #[must_use]
    pub fn new(call: &Envelope, wire: Dialect, now: u64, id: impl Into<String>) -> Self {
        // A response tells what it was asked with, tools among it; other answers tell the model at most.
        let long: &[&str] = match call.dialect() {
            Dialect::Responses => &["input"],
            _ => &["messages", "prompt", "system", "tools"],
        };
        Self { wire, asked: Asked { call: call.without(long), now, id: id.into() } }
    }

    /// What the upstream speaks.
    #[must_use]
    pub fn wire(&self) -> Dialect {
        self.wire
    }

    /// A whole answer in the client's dialect.
    ///
    /// # Errors
    /// The body is no answer of the upstream's dialect.
    pub fn reply(&self, body: &[u8]) -> Result<Bytes, ReplyFault> {
        // First by the rules for answers of that dialect, which tell an error by the status of a success apart.
        crate::observe::observe_reply(self.wire, body)?;
        let shape = |_| ReplyFault::Shape(expected(self.wire));
        let text = std::str::from_utf8(body).map_err(|_| ReplyFault::Shape(expected(self.wire)))?;
        let reply: Reply<'_> = match self.wire {
            Dialect::Messages => messages::read_reply(text),
            _ => chat::read_reply(text),
        }
        .map_err(shape)?;
        let asked = &self.asked;
        let written = match asked.call.dialect() {
            Dialect::Chat => chat::write_reply(&reply, asked),
            Dialect::Completions => completions::write_reply(&reply, asked),
            Dialect::Responses => responses::write_reply(&reply, asked),
            Dialect::Messages => messages::write_reply(&reply, asked),
            Dialect::Embeddings | Dialect::CountTokens => return Err(ReplyFault::Shape("data")),
        };
        Ok(written.into())
    }

    /// Turns the events of a stream.
    #[must_use]
    pub fn stream(&self) -> StreamTranslator {
        let asked = self.asked.clone();
        let reader = match self.wire {
            Dialect::Messages => Reader::Messages(messages::StreamReader::default()),
            _ => Reader::Chat(chat::StreamReader::default()),
        };
        let writer = match asked.call.dialect() {
            Dialect::Completions => Writer::Completions(completions::StreamWriter::new(asked)),
            Dialect::Responses => Writer::Responses(Box::new(responses::StreamWriter::new(asked))),
            Dialect::Messages => Writer::Messages(messages::StreamWriter::new(asked)),
            Dialect::Chat | Dialect::Embeddings | Dialect::CountTokens => {
                Writer::Chat(chat::StreamWriter::new(asked))
            }
        };
        StreamTranslator { reader, writer, ended: false }
    }
}

/// What an answer of the dialect has.
const fn expected(wire: Dialect) -> &'static str {
    match wire {
        Dialect::Messages => "content",
        _ => "choices",
    }
}

/// An event from which the stream cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamFault {
    /// The upstream reports an error; holds the event's data.
    Error(Bytes),
    /// Not an event of the upstream's dialect.
    Malformed,
}

impl From<Garbled> for StreamFault {
    fn from(_: Garbled) -> Self {
        Self::Malformed
    }
}

/// Turns one stream, event by event. Nothing is invented: what comes out says what came in.
pub struct StreamTranslator {
    reader: Reader,
    writer: Writer,
    ended: bool,
}

enum Reader {
    Chat(chat::StreamReader),
    Messages(messages::StreamReader),
}

enum Writer {
    Chat(chat::StreamWriter),
    Completions(completions::StreamWriter),
    Responses(Box<responses::StreamWriter>),
    Messages(messages::StreamWriter),
}

impl Writer {
    fn write(&mut self, delta: &Delta<'_>, out: &mut Events) {
        match self {
            Self::Chat(writer) => writer.write(delta, out),
            Self::Completions(writer) => writer.write(delta, out),
            Self::Responses(writer) => writer.write(delta, out),
            Self::Messages(writer) => writer.write(delta, out),
        }
    }
}

impl StreamTranslator {
    /// What an event is in the client's dialect: any number of events.
    ///
    /// # Errors
    /// The upstream reports an error, or says what nobody understands.
    pub fn event(&mut self, event: &Event) -> Result<Vec<Event>, StreamFault> {
        let mut out = Events::default();
        if self.ended || event.data.as_ref().is_none_or(|data| data.trim_ascii().is_empty()) {
            return Ok(out.0);
        }
        let Self { reader, writer, ended } = self;
        let mut give = |delta: Delta<'_>| {
            *ended |= matches!(delta, Delta::End);
            writer.write(&delta, &mut out);
        };
        match reader {
            Reader::Chat(reader) => reader.read(event, &mut give)?,
            Reader::Messages(reader) => reader.read(event, &mut give)?,
        }
        Ok(out.0)
    }

    /// The upstream's stream has ended without its end mark. Where all choices are finished the answer is whole,
    /// and what is missing is written; else nothing.
    pub fn end(&mut self) -> Vec<Event> {
        let finished = match &self.reader {
            Reader::Chat(reader) => reader.is_finished(),
            // Messages always ends with `message_stop`.
            Reader::Messages(_) => false,
        };
        let mut out = Events::default();
        if finished && !self.ended {
            self.ended = true;
            self.writer.write(&Delta::End, &mut out);
        }
        out.0
    }
}

/// Events that a writer writes.
#[derive(Debug, Default)]
pub(crate) struct Events(Vec<Event>);

impl Events {
    /// An event without a name.
    pub(crate) fn data(&mut self, json: &str) {
        self.0.push(sse::event(None, json));
    }

    /// An event with a name.
    pub(crate) fn named(&mut self, name: &'static str, json: &str) {
        self.0.push(sse::event(Some(name), json));
    }

    /// `[DONE]`.
    pub(crate) fn done(&mut self) {
        self.data("[DONE]");
    }
}

#[cfg(test)]
#[path = "translate/pairing_law_tests.rs"]
mod pairing_law_tests;
