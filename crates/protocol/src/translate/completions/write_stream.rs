//! A stream for a completions client, delta by delta.
//!
//! A chunk is an answer with a piece of the text; the last one of a choice has its reason. Usage comes in a chunk of
//! its own before the end mark, always where anything is known: who did not ask for it does not get to see it, which
//! is not decided here.

use std::collections::BTreeMap;

use crate::canonical::{Delta, Head, Opening, Piece, Stop};
use crate::raw::{Writer, array};
use crate::translate::openai_answer::{Front, put_finish};
use crate::translate::{Asked, Events, openai_usage};

use super::logprobs;
use super::write_reply::COMPLETION;

/// Writes the chunks of one stream.
pub(in crate::translate) struct StreamWriter {
    asked: Asked,
    with_logprobs: bool,
    front: Option<Front>,
    choices: BTreeMap<u64, Choice>,
    /// What was counted last.
    usage: Option<String>,
}

/// A choice as far as the client has it.
#[derive(Debug, Default)]
struct Choice {
    /// The open blocks that are part of the text.
    texts: Vec<u64>,
    /// Characters of the tokens whose probabilities were told.
    offset: u64,
    /// Probabilities of what comes next, in the client's form.
    logprobs: Option<(String, u64)>,
}

impl StreamWriter {
    pub(in crate::translate) fn new(asked: Asked) -> Self {
        let with_logprobs = logprobs::is_asked(&asked);
        Self { asked, with_logprobs, front: None, choices: BTreeMap::new(), usage: None }
    }

    /// Writes what a delta is to the client: any number of chunks.
    pub(in crate::translate) fn write(&mut self, delta: &Delta<'_>, out: &mut Events) {
        let front = match delta {
            Delta::Begin(head) => &*self.front.insert(Front::new(COMPLETION, head, &self.asked)),
            _ => self.front.get_or_insert_with(|| Front::new(COMPLETION, &Head::default(), &self.asked)),
        };
        match delta {
            Delta::Begin(_) => {}
            Delta::Open { choice, block, opening } => {
                let state = self.choices.entry(*choice).or_default();
                if matches!(opening, Opening::Text | Opening::Refusal) {
                    state.texts.push(*block);
                }
            }
            Delta::Piece { choice, block, piece } => {
                let state = self.choices.entry(*choice).or_default();
                // What is told of tokens that are no part of the text is not told here.
                let logprobs = state.logprobs.take();
                if let Piece::Text(text) = piece
                    && state.texts.contains(block)
                    && !text.is_empty()
                {
                    let logprobs = state.tell(logprobs);
                    push(out, front, *choice, text.json(), logprobs.as_deref(), None);
                }
            }
            Delta::Close { choice, block } => {
                let state = self.choices.entry(*choice).or_default();
                state.texts.retain(|open| open != block);
            }
            Delta::Logprobs { choice, json } if self.with_logprobs => {
                let state = self.choices.entry(*choice).or_default();
                let earlier = state.logprobs.take();
                if let Some(earlier) = state.tell(earlier) {
                    push(out, front, *choice, "\"\"", Some(&earlier), None);
                }
                state.logprobs = logprobs::write(json, state.offset);
            }
            Delta::Logprobs { .. } => {}
            Delta::Finish { choice, stop } => {
                let state = self.choices.entry(*choice).or_default();
                let logprobs = state.logprobs.take();
                let logprobs = state.tell(logprobs);
                push(out, front, *choice, "\"\"", logprobs.as_deref(), Some(stop));
            }
            Delta::Tokens(tokens) => self.usage = Some(openai_usage::write(tokens)),
            Delta::End => {
                if let Some(usage) = self.usage.take() {
                    out.data(&front.with("[]", Some(&usage)));
                }
                out.done();
            }
        }
    }
}

impl Choice {
    /// The lists, whose tokens are now before those that follow.
    fn tell(&mut self, logprobs: Option<(String, u64)>) -> Option<String> {
        let (lists, offset) = logprobs?;
        self.offset = offset;
        Some(lists)
    }
}

fn push(
    events: &mut Events,
    front: &Front,
    choice: u64,
    text: &str,
    logprobs: Option<&str>,
    stop: Option<&Stop<'_>>,
) {
    let mut out = Writer::new();
    out.raw("text", text).number("index", choice).raw("logprobs", logprobs.unwrap_or("null"));
    match stop {
        Some(stop) => put_finish(&mut out, stop, false),
        None => {
            out.raw("finish_reason", "null");
        }
    }
    events.data(&front.with(&array([out.finish()]), None));
}
