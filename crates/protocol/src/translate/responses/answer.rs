//! An answer's output as it grows: which items it has, and how each is written.
//!
//! A whole answer and a stream are put together here in the same way, so that the last event of a stream says what
//! the plain answer would have said. Events are not made here.

use std::collections::BTreeMap;

use crate::canonical::{Opening, Piece};
use crate::raw::{self, Object, Writer};

use super::offered::Offered;
use super::{custom, seal};

/// How far an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// It begins, and says nothing yet.
    Begun,
    /// It is whole.
    Completed,
    /// It was cut.
    Incomplete,
}

/// All items so far.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// What the ids of all items have in common, as it is written between quotes.
    stem: String,
    /// Tools that the client calls otherwise than the upstream.
    offered: BTreeMap<String, Offered>,
    items: Vec<Item>,
}

/// Texts are kept as they are written between quotes.
#[derive(Debug)]
enum Item {
    /// Texts and refusals that follow each other.
    Message(Vec<Part>),
    Reasoning {
        text: String,
        signature: String,
    },
    /// Reasoning that came sealed: a JSON string.
    Redacted(String),
    /// `id` is a JSON string.
    Call {
        id: String,
        tool: Offered,
        arguments: String,
    },
}

/// Part of a message.
#[derive(Debug, Default)]
struct Part {
    is_refusal: bool,
    text: String,
    /// Items of a list.
    logprobs: String,
}

/// Where a block of the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) item: usize,
    /// Of a message; else 0.
    pub(super) part: usize,
}

/// What has become of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    Text,
    Refusal,
    /// Of reasoning; the first one begins the summary.
    Summary {
        first: bool,
    },
    Arguments,
    /// Nothing that a client sees before the item is whole.
    Unseen,
}

impl Answer {
    /// Without any item; `stem` as it is written between quotes, `offered` the tools that the client calls
    /// otherwise.
    pub(super) fn new(stem: String, offered: BTreeMap<String, Offered>) -> Self {
        Self { stem, offered, items: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Begins a block. Those that only the upstream's dialect knows have no place here: they come from tools that
    /// it runs itself, and no request that is translated asks for one.
    pub(super) fn open(&mut self, opening: &Opening<'_>) -> Option<Place> {
        let item = match opening {
            Opening::Text | Opening::Refusal => {
                return Some(self.open_part(matches!(opening, Opening::Refusal)));
            }
            Opening::Thinking => Item::Reasoning { text: String::new(), signature: String::new() },
            Opening::RedactedThinking(data) => Item::Redacted(data.json().to_owned()),
            Opening::ToolCall { id, name } => {
                let same = || Offered { namespace: None, name: name.json().to_owned(), is_custom: false };
                let tool = self.offered.get(&*name.meant()).cloned().unwrap_or_else(same);
                Item::Call { id: id.json().to_owned(), tool, arguments: String::new() }
            }
            Opening::Native => return None,
        };
        self.items.push(item);
        Some(Place { item: self.items.len() - 1, part: 0 })
    }

    fn open_part(&mut self, is_refusal: bool) -> Place {
        let part = Part { is_refusal, ..Part::default() };
        let item = self.items.len();
        if let Some(Item::Message(parts)) = self.items.last_mut() {
            parts.push(part);
            return Place { item: item - 1, part: parts.len() - 1 };
        }
        self.items.push(Item::Message(vec![part]));
        Place { item, part: 0 }
    }

    /// Adds to a block.
    pub(super) fn push(&mut self, place: Place, piece: &Piece<'_>) -> Pushed {
        match (self.items.get_mut(place.item), piece) {
            (Some(Item::Message(parts)), Piece::Text(more)) => match parts.get_mut(place.part) {
                Some(part) => {
                    part.text.push_str(more.inside());
                    if part.is_refusal { Pushed::Refusal } else { Pushed::Text }
                }
                None => Pushed::Unseen,
            },
            (Some(Item::Reasoning { text, .. }), Piece::Text(more)) => {
                let first = text.is_empty();
                text.push_str(more.inside());
                Pushed::Summary { first }
            }
            (Some(Item::Reasoning { signature, .. }), Piece::Signature(more)) => {
                signature.push_str(more.inside());
                Pushed::Unseen
            }
            (Some(Item::Call { arguments, tool, .. }), Piece::Arguments(more)) => {
                arguments.push_str(more.inside());
                // A text in JSON is told when it is whole.
                if tool.is_custom { Pushed::Unseen } else { Pushed::Arguments }
            }
            _ => Pushed::Unseen,
        }
    }

    /// Adds probabilities, items of a list, to the newest text.
    pub(super) fn push_logprobs(&mut self, items: &str) {
        if items.is_empty() {
            return;
        }
        let parts = self.items.iter_mut().flat_map(|item| match item {
            Item::Message(parts) => parts.as_mut_slice(),
            _ => &mut [],
        });
        if let Some(part) = parts.filter(|part| !part.is_refusal).last() {
            if !part.logprobs.is_empty() {
                part.logprobs.push(',');
            }
            part.logprobs.push_str(items);
        }
    }

    /// An item's id, a JSON string.
    pub(super) fn id(&self, item: usize) -> String {
        let prefix = match self.items.get(item) {
            Some(Item::Reasoning { .. } | Item::Redacted(_)) => "rs",
            Some(Item::Call { tool, .. }) if tool.is_custom => "ctc",
            Some(Item::Call { .. }) => "fc",
            _ => "msg",
        };
        format!("\"{prefix}_{}_{item}\"", self.stem)
    }

    /// An item as it stands in the output.
    pub(super) fn item(&self, index: usize, status: Status) -> String {
        let mut out = Writer::new();
        out.raw("id", &self.id(index));
        match self.items.get(index) {
            Some(Item::Message(parts)) => {
                let parts: &[Part] = if status == Status::Begun { &[] } else { parts };
                out.string("type", "message").string("status", status.as_str());
                out.raw("content", &raw::array(parts.iter().map(Part::json))).string("role", "assistant");
            }
            Some(Item::Reasoning { text, signature }) => {
                let summary = (status != Status::Begun && !text.is_empty()).then(|| summary(text));
                out.string("type", "reasoning").raw("summary", &raw::array(summary));
                if status != Status::Begun && !signature.is_empty() {
                    out.raw("encrypted_content", &seal::thinking(text, signature));
                }
            }
            Some(Item::Redacted(data)) => {
                out.string("type", "reasoning").raw("summary", "[]");
                out.raw("encrypted_content", &seal::redacted(data));
            }
            Some(Item::Call { id, tool, arguments }) if tool.is_custom => {
                let input = custom::input(if status == Status::Begun { "" } else { arguments });
                out.string("type", "custom_tool_call").string("status", status.as_str());
                out.raw("input", &input).raw("call_id", id).raw("name", &tool.name);
                put_namespace(&mut out, tool);
            }
            Some(Item::Call { id, tool, .. }) => {
                out.string("type", "function_call").string("status", status.as_str());
                out.raw("arguments", &self.arguments(index, status)).raw("call_id", id);
                out.raw("name", &tool.name);
                put_namespace(&mut out, tool);
            }
            None => {}
        }
        out.finish()
    }

    /// All items; only the last can have been cut.
    pub(super) fn output(&self, last: Status) -> String {
        let end = self.items.len().saturating_sub(1);
        raw::array(
            (0..self.items.len())
                .map(|index| self.item(index, if index == end { last } else { Status::Completed })),
        )
    }

    /// A part as it stands in its message.
    pub(super) fn part(&self, place: Place) -> String {
        match self.items.get(place.item) {
            Some(Item::Message(parts)) => parts.get(place.part).map(Part::json).unwrap_or_default(),
            Some(Item::Reasoning { text, .. }) => summary(text),
            _ => String::new(),
        }
    }

    /// The text of a part and, unless it is a refusal, its probabilities: a string and a list.
    pub(super) fn said(&self, place: Place) -> Option<(String, Option<String>)> {
        match self.items.get(place.item)? {
            Item::Message(parts) => parts
                .get(place.part)
                .map(|part| (quoted(&part.text), (!part.is_refusal).then(|| format!("[{}]", part.logprobs)))),
            Item::Reasoning { text, .. } if !text.is_empty() => Some((quoted(text), None)),
            _ => None,
        }
    }

    /// A call's arguments, a JSON string. Some upstreams say nothing where a tool takes none, but clients read JSON;
    /// of a call that was cut, nothing is said that the model has not.
    pub(super) fn arguments(&self, item: usize, status: Status) -> String {
        match self.items.get(item) {
            Some(Item::Call { arguments, .. }) if !arguments.is_empty() => quoted(arguments),
            Some(Item::Call { .. }) if status == Status::Completed => quoted("{}"),
            _ => quoted(""),
        }
    }

    /// A call's name, a JSON string.
    pub(super) fn call(&self, item: usize) -> Option<&str> {
        match self.items.get(item)? {
            Item::Call { tool, .. } => Some(&tool.name),
            _ => None,
        }
    }

    /// The text of a custom tool's call, a JSON string.
    pub(super) fn custom_input(&self, item: usize) -> Option<String> {
        match self.items.get(item)? {
            Item::Call { arguments, tool, .. } if tool.is_custom => Some(custom::input(arguments)),
            _ => None,
        }
    }

    pub(super) fn is_message(&self, item: usize) -> bool {
        matches!(self.items.get(item), Some(Item::Message(_)))
    }
}

impl Part {
    fn json(&self) -> String {
        let mut out = Writer::new();
        if self.is_refusal {
            out.string("type", "refusal").raw("refusal", &quoted(&self.text));
        } else {
            out.string("type", "output_text").raw("annotations", "[]");
            out.raw("logprobs", &format!("[{}]", self.logprobs)).raw("text", &quoted(&self.text));
        }
        out.finish()
    }
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
        }
    }
}

fn put_namespace(out: &mut Writer, tool: &Offered) {
    if let Some(namespace) = &tool.namespace {
        out.raw("namespace", namespace);
    }
}

fn summary(text: &str) -> String {
    let mut out = Writer::new();
    out.string("type", "summary_text").raw("text", &quoted(text));
    out.finish()
}

/// A text that is already as it is written between quotes.
fn quoted(inside: &str) -> String {
    format!("\"{inside}\"")
}

/// The items of chat's `logprobs` for what was said: one probability for each token, in the form that both have.
pub(super) fn logprobs(json: &str) -> Option<String> {
    let content = Object::parse(json).ok()?;
    let items = content.items("content").ok()?;
    (!items.is_empty()).then(|| items.join(","))
}
