//! A stream for a chat client, delta by delta.
//!
//! A choice begins with a chunk that has its role, and ends with one that has its reason and nothing else. Usage comes
//! in a chunk of its own before the end mark, always where anything is known: who did not ask for it does not get to
//! see it, which is not decided here.

use std::collections::BTreeMap;

use crate::canonical::{Delta, Head, Opening, Piece, Stop, Text};
use crate::observe::Finish;
use crate::raw::{Writer, array};
use crate::translate::openai_answer::{Front, put_finish};
use crate::translate::{Asked, Events, openai_usage};

use super::write_parts::{CHUNK, call, redacted_block, thinking_block};

/// Writes the chunks of one stream.
pub(in crate::translate) struct StreamWriter {
    asked: Asked,
    front: Option<Front>,
    choices: BTreeMap<u64, Choice>,
    /// What was counted last.
    usage: Option<String>,
}

/// A choice as far as the client has it.
#[derive(Debug, Default)]
struct Choice {
    has_role: bool,
    /// The blocks that are open.
    blocks: BTreeMap<u64, Kind>,
    thoughts: u64,
    calls: u64,
    /// Calls that have closed without arguments.
    bare: Vec<u64>,
    /// Probabilities of what comes next.
    logprobs: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Refusal,
    Thinking(u64),
    Call { number: u64, has_arguments: bool },
    Native,
}

impl StreamWriter {
    pub(in crate::translate) fn new(asked: Asked) -> Self {
        Self { asked, front: None, choices: BTreeMap::new(), usage: None }
    }

    /// Writes what a delta is to the client: any number of chunks.
    pub(in crate::translate) fn write(&mut self, delta: &Delta<'_>, out: &mut Events) {
        let front = match delta {
            Delta::Begin(head) => &*self.front.insert(Front::new(CHUNK, head, &self.asked)),
            _ => self.front.get_or_insert_with(|| Front::new(CHUNK, &Head::default(), &self.asked)),
        };
        let mut chunks = Chunks { front, out };
        match delta {
            Delta::Begin(_) => {}
            Delta::Open { choice, block, opening } => {
                self.choices.entry(*choice).or_default().open(*choice, *block, opening, &mut chunks);
            }
            Delta::Piece { choice, block, piece } => {
                self.choices.entry(*choice).or_default().grow(*choice, *block, piece, &mut chunks);
            }
            Delta::Close { choice, block } => self.choices.entry(*choice).or_default().close(*block),
            Delta::Logprobs { choice, json } => {
                let state = self.choices.entry(*choice).or_default();
                if let Some(earlier) = state.logprobs.replace(json.to_string()) {
                    chunks.push(*choice, "{}", Some(&earlier), None);
                }
            }
            Delta::Finish { choice, stop } => {
                self.choices.entry(*choice).or_default().finish(*choice, stop, &mut chunks);
            }
            Delta::Tokens(tokens) => self.usage = Some(openai_usage::write(tokens)),
            Delta::End => {
                if let Some(usage) = self.usage.take() {
                    chunks.out.data(&front.with("[]", Some(&usage)));
                }
                chunks.out.done();
            }
        }
    }
}

impl Choice {
    fn open(&mut self, choice: u64, block: u64, opening: &Opening<'_>, out: &mut Chunks<'_>) {
        // A client that finds no text is not to take that for an empty one.
        self.begin(choice, if matches!(opening, Opening::Text) { "\"\"" } else { "null" }, out);
        let kind = match opening {
            Opening::Text => Kind::Text,
            Opening::Refusal => Kind::Refusal,
            Opening::Native => Kind::Native,
            Opening::Thinking => Kind::Thinking(count(&mut self.thoughts)),
            Opening::RedactedThinking(data) => {
                let sealed = redacted_block(count(&mut self.thoughts), data);
                out.push(choice, &member("thinking_blocks", &array([sealed])), None, None);
                Kind::Native
            }
            Opening::ToolCall { id, name } => {
                let number = count(&mut self.calls);
                let begun = call(Some(number), id, name, "");
                out.push(choice, &member("tool_calls", &array([begun])), None, None);
                Kind::Call { number, has_arguments: false }
            }
        };
        self.blocks.insert(block, kind);
    }

    fn begin(&mut self, choice: u64, content: &str, out: &mut Chunks<'_>) {
        if !std::mem::replace(&mut self.has_role, true) {
            let mut delta = Writer::new();
            delta.string("role", "assistant").raw("content", content);
            out.push(choice, &delta.finish(), None, None);
        }
    }

    fn grow(&mut self, choice: u64, block: u64, piece: &Piece<'_>, out: &mut Chunks<'_>) {
        if let Piece::Text(text) | Piece::Arguments(text) | Piece::Signature(text) = piece
            && text.is_empty()
        {
            return;
        }
        let delta = match (self.blocks.get_mut(&block), piece) {
            (Some(Kind::Text), Piece::Text(text)) => member("content", text.json()),
            (Some(Kind::Refusal), Piece::Text(text)) => member("refusal", text.json()),
            (Some(Kind::Thinking(number)), Piece::Text(text)) => {
                let piece = thinking_block(*number, text.json(), None);
                let mut delta = Writer::new();
                delta.raw("reasoning_content", text.json()).raw("thinking_blocks", &array([piece]));
                delta.finish()
            }
            (Some(Kind::Thinking(number)), Piece::Signature(signature)) => {
                member("thinking_blocks", &array([thinking_block(*number, "\"\"", Some(signature))]))
            }
            (Some(Kind::Call { number, has_arguments }), Piece::Arguments(arguments)) => {
                *has_arguments = true;
                arguments_of(*number, arguments)
            }
            _ => return,
        };
        out.push(choice, &delta, self.logprobs.take().as_deref(), None);
    }

    fn close(&mut self, block: u64) {
        if let Some(Kind::Call { number, has_arguments: false }) = self.blocks.remove(&block) {
            self.bare.push(number);
        }
    }

    fn finish(&mut self, choice: u64, stop: &Stop<'_>, out: &mut Chunks<'_>) {
        self.begin(choice, "\"\"", out);
        // Clients read the arguments as JSON, which an empty text is not: where a call is whole and has none, they
        // are an empty object.
        for number in self.bare.drain(..).filter(|_| stop.finish != Finish::Length) {
            out.push(choice, &arguments_of(number, &Text::of("{}")), None, None);
        }
        out.push(choice, "{}", self.logprobs.take().as_deref(), Some(stop));
    }
}

/// The next number.
fn count(next: &mut u64) -> u64 {
    let number = *next;
    *next += 1;
    number
}

fn member(name: &str, value: &str) -> String {
    Writer::new().raw(name, value).finish()
}

fn arguments_of(number: u64, arguments: &Text<'_>) -> String {
    let function = member("arguments", arguments.json());
    let mut call = Writer::new();
    call.number("index", number).raw("function", &function);
    member("tool_calls", &array([call.finish()]))
}

/// Where chunks are written.
struct Chunks<'a> {
    front: &'a Front,
    out: &'a mut Events,
}

impl Chunks<'_> {
    fn push(&mut self, choice: u64, delta: &str, logprobs: Option<&str>, stop: Option<&Stop<'_>>) {
        let mut out = Writer::new();
        out.number("index", choice).raw("delta", delta).raw("logprobs", logprobs.unwrap_or("null"));
        match stop {
            Some(stop) => put_finish(&mut out, stop, true),
            None => {
                out.raw("finish_reason", "null");
            }
        }
        self.out.data(&self.front.with(&array([out.finish()]), None));
    }
}
