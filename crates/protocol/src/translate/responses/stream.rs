//! A stream of named events, written as the answer comes.
//!
//! An item is told as done only when the next one begins or the answer has ended: not before then is it known
//! whether the item was cut. The last event waits for the end of the upstream's stream, since usage may come after
//! the last word.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{self, Answer, Place, Pushed, Status};
use super::object::{Ending, Frame, usage};
use super::offered;
use crate::canonical::{Delta, Head, Opening, Piece, Text};
use crate::raw::Writer;
use crate::translate::{Asked, Events};

/// Writes one stream.
pub(crate) struct StreamWriter {
    asked: Asked,
    /// Absent until the answer has begun.
    frame: Option<Frame>,
    answer: Answer,
    /// The choice that is followed: only one was asked for.
    choice: Option<u64>,
    /// Blocks that are not whole yet.
    open: BTreeMap<u64, Place>,
    /// Blocks that were announced and have nothing in them yet.
    waiting: BTreeMap<u64, Opening<'static>>,
    /// Items that were not told as done.
    undone: BTreeSet<usize>,
    sequence: u64,
    /// Probabilities that came before their text.
    logprobs: Option<String>,
    usage: Option<String>,
    ending: Ending,
    ended: bool,
}

impl StreamWriter {
    pub(crate) fn new(asked: Asked) -> Self {
        Self {
            asked,
            frame: None,
            answer: Answer::default(),
            choice: None,
            open: BTreeMap::new(),
            waiting: BTreeMap::new(),
            undone: BTreeSet::new(),
            sequence: 0,
            logprobs: None,
            usage: None,
            ending: Ending::default(),
            ended: false,
        }
    }

    pub(crate) fn write(&mut self, delta: &Delta<'_>, out: &mut Events) {
        if self.ended {
            return;
        }
        match delta {
            Delta::Begin(head) => self.begin(head, out),
            _ => self.begin(&Head::default(), out),
        }
        match delta {
            Delta::Begin(_) => {}
            Delta::Open { choice, block, opening } if self.follows(*choice) => {
                self.announce(*block, opening, out);
            }
            Delta::Piece { choice, block, piece } if self.follows(*choice) => self.piece(*block, piece, out),
            Delta::Close { choice, block } if self.follows(*choice) => self.close(*block, out),
            Delta::Logprobs { choice, json } if self.follows(*choice) => self.logprobs(json),
            Delta::Finish { choice, stop } if self.follows(*choice) => {
                self.ending = Ending::of(Some(stop));
                self.finish(out);
            }
            Delta::Tokens(tokens) => self.usage = Some(usage(tokens)),
            Delta::End => self.end(out),
            Delta::Open { .. }
            | Delta::Piece { .. }
            | Delta::Close { .. }
            | Delta::Logprobs { .. }
            | Delta::Finish { .. } => {}
        }
    }

    fn follows(&mut self, choice: u64) -> bool {
        *self.choice.get_or_insert(choice) == choice
    }

    fn begin(&mut self, head: &Head<'_>, out: &mut Events) {
        if self.frame.is_some() {
            return;
        }
        let frame = Frame::new(head, &self.asked);
        self.answer = Answer::new(frame.stem.clone(), offered::offered(&self.asked.call));
        let response = frame.begun(&self.asked);
        self.frame = Some(frame);
        for name in ["response.created", "response.in_progress"] {
            self.event(out, name, |event| {
                event.raw("response", &response);
            });
        }
    }

    fn announce(&mut self, block: u64, opening: &Opening<'_>, out: &mut Events) {
        let waiting = match opening {
            Opening::Text => Opening::Text,
            Opening::Refusal => Opening::Refusal,
            Opening::Thinking => Opening::Thinking,
            Opening::RedactedThinking(_) | Opening::ToolCall { .. } | Opening::Native => {
                return self.open(block, opening, out);
            }
        };
        self.waiting.insert(block, waiting);
    }

    fn open(&mut self, block: u64, opening: &Opening<'_>, out: &mut Events) {
        let known = self.answer.len();
        let Some(place) = self.answer.open(opening) else { return };
        if place.item >= known {
            self.finish_items(Status::Completed, out);
            self.undone.insert(place.item);
            let item = self.answer.item(place.item, Status::Begun);
            self.event(out, "response.output_item.added", |event| {
                event.number("output_index", place.item).raw("item", &item);
            });
        }
        if self.answer.is_message(place.item) {
            self.part(out, "response.content_part.added", place);
        }
        self.open.insert(block, place);
    }

    fn piece(&mut self, block: u64, piece: &Piece<'_>, out: &mut Events) {
        let (Piece::Text(text) | Piece::Arguments(text) | Piece::Signature(text)) = piece else { return };
        if text.is_empty() {
            return;
        }
        if let Some(opening) = self.waiting.remove(&block) {
            self.open(block, &opening, out);
        }
        let Some(place) = self.open.get(&block).copied() else { return };
        match self.answer.push(place, piece) {
            Pushed::Text => self.text(place, text, out),
            Pushed::Refusal => self.delta(out, "response.refusal.delta", place, "content_index", text),
            Pushed::Summary { first } => {
                if first {
                    let part = r#"{"type":"summary_text","text":""}"#;
                    self.placed(out, "response.reasoning_summary_part.added", place, |event| {
                        event.number("summary_index", 0_u64).raw("part", part);
                    });
                }
                self.delta(out, "response.reasoning_summary_text.delta", place, "summary_index", text);
            }
            Pushed::Arguments => {
                self.placed(out, "response.function_call_arguments.delta", place, |event| {
                    event.raw("delta", text.json());
                });
            }
            Pushed::Unseen => {}
        }
    }

    fn text(&mut self, place: Place, text: &Text<'_>, out: &mut Events) {
        let logprobs = self.logprobs.take().unwrap_or_default();
        self.answer.push_logprobs(&logprobs);
        self.placed(out, "response.output_text.delta", place, |event| {
            event
                .number("content_index", place.part)
                .raw("delta", text.json())
                .raw("logprobs", &format!("[{logprobs}]"));
        });
    }

    /// They come before their text.
    fn logprobs(&mut self, json: &str) {
        let Some(items) = answer::logprobs(json) else { return };
        self.logprobs = Some(match self.logprobs.take() {
            Some(earlier) => format!("{earlier},{items}"),
            None => items,
        });
    }

    fn close(&mut self, block: u64, out: &mut Events) {
        self.waiting.remove(&block);
        let Some(place) = self.open.remove(&block) else { return };
        if self.answer.is_message(place.item) {
            // Of an end that has no text.
            self.answer.push_logprobs(&self.logprobs.take().unwrap_or_default());
        }
        let Some((text, logprobs)) = self.answer.said(place) else { return };
        let part = self.answer.part(place);
        match logprobs {
            _ if !self.answer.is_message(place.item) => {
                self.placed(out, "response.reasoning_summary_text.done", place, |event| {
                    event.number("summary_index", 0_u64).raw("text", &text);
                });
                self.placed(out, "response.reasoning_summary_part.done", place, |event| {
                    event.number("summary_index", 0_u64).raw("part", &part);
                });
                return;
            }
            Some(logprobs) => self.placed(out, "response.output_text.done", place, |event| {
                event.number("content_index", place.part).raw("text", &text).raw("logprobs", &logprobs);
            }),
            None => self.placed(out, "response.refusal.done", place, |event| {
                event.number("content_index", place.part).raw("refusal", &text);
            }),
        }
        self.part(out, "response.content_part.done", place);
    }

    /// The choice is whole.
    fn finish(&mut self, out: &mut Events) {
        let open: Vec<u64> = self.open.keys().copied().collect();
        for block in open {
            self.close(block, out);
        }
        self.finish_items(self.ending.last(), out);
    }

    /// Tells of items that are whole that they are. `last` is what has become of the one that was begun last.
    fn finish_items(&mut self, last: Status, out: &mut Events) {
        let end = self.answer.len().saturating_sub(1);
        let whole = |item: &usize| !self.open.values().any(|place| place.item == *item);
        let done: Vec<usize> = self.undone.iter().copied().filter(whole).collect();
        for item in done {
            self.undone.remove(&item);
            let status = if item == end { last } else { Status::Completed };
            self.finish_call(item, status, out);
            let json = self.answer.item(item, status);
            self.event(out, "response.output_item.done", |event| {
                event.number("output_index", item).raw("item", &json);
            });
        }
    }

    fn finish_call(&mut self, item: usize, status: Status, out: &mut Events) {
        let Some(name) = self.answer.call(item).map(str::to_owned) else { return };
        let place = Place { item, part: 0 };
        if let Some(input) = self.answer.custom_input(item) {
            self.placed(out, "response.custom_tool_call_input.delta", place, |event| {
                event.raw("delta", &input);
            });
            self.placed(out, "response.custom_tool_call_input.done", place, |event| {
                event.raw("input", &input);
            });
            return;
        }
        let said = self.answer.arguments(item, Status::Begun);
        let arguments = self.answer.arguments(item, status);
        if said != arguments {
            // So that the pieces are the whole.
            self.placed(out, "response.function_call_arguments.delta", place, |event| {
                event.raw("delta", &arguments);
            });
        }
        self.placed(out, "response.function_call_arguments.done", place, |event| {
            event.raw("name", &name).raw("arguments", &arguments);
        });
    }

    fn end(&mut self, out: &mut Events) {
        self.finish(out);
        let Some(frame) = &self.frame else { return };
        let response = frame.ended(&self.asked, &self.answer, &self.ending, self.usage.as_deref());
        self.event(out, self.ending.event(), |event| {
            event.raw("response", &response);
        });
        self.ended = true;
    }

    fn part(&mut self, out: &mut Events, name: &'static str, place: Place) {
        let part = self.answer.part(place);
        self.placed(out, name, place, |event| {
            event.number("content_index", place.part).raw("part", &part);
        });
    }

    fn delta(&mut self, out: &mut Events, name: &'static str, place: Place, index: &str, text: &Text<'_>) {
        self.placed(out, name, place, |event| {
            event.number(index, place.part).raw("delta", text.json());
        });
    }

    /// An event of one item.
    fn placed(
        &mut self,
        out: &mut Events,
        name: &'static str,
        place: Place,
        members: impl FnOnce(&mut Writer),
    ) {
        let id = self.answer.id(place.item);
        self.event(out, name, |event| {
            event.raw("item_id", &id).number("output_index", place.item);
            members(event);
        });
    }

    fn event(&mut self, out: &mut Events, name: &'static str, members: impl FnOnce(&mut Writer)) {
        let mut event = Writer::new();
        event.string("type", name).number("sequence_number", self.sequence);
        members(&mut event);
        self.sequence += 1;
        out.named(name, &event.finish());
    }
}
