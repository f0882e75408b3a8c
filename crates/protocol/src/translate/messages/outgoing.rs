//! One block on its way to a client, from its start to its end.
//!
//! Owns what waits: pieces of a block whose turn has not come, a block that has nothing in it yet, and the end of a
//! piece that only makes sense with the next. The order of blocks belongs to the [writer](super::StreamWriter).

use super::write_reply::{call_block, input, sealed_block, text_block, thinking_block};
use crate::canonical::{Opening, Piece, Text};
use crate::raw::{self, Writer, quoted};
use crate::translate::Events;
use crate::translate::halves::whole;

/// A block that is not wholly written.
#[derive(Debug)]
pub(super) struct Outgoing {
    kind: Kind,
    /// Its number in the message, once it has begun there.
    index: Option<u64>,
    /// What is still to be written, as it stands between quotes.
    waiting: String,
    signature: Option<Text<'static>>,
    is_whole: bool,
}

#[derive(Debug)]
enum Kind {
    Text,
    Thinking,
    Sealed(Text<'static>),
    Call { id: Text<'static>, name: Text<'static>, shape: Shape },
}

/// What a call's arguments are, by how they begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Nothing but blank so far.
    Unknown,
    Object,
    /// They are put under a name, whole.
    Other,
}

impl Outgoing {
    /// A block that begins; `None` for one that no client of Messages could read.
    pub(super) fn open(opening: &Opening<'_>) -> Option<Self> {
        let kind = match opening {
            Opening::Text | Opening::Refusal => Kind::Text,
            Opening::Thinking => Kind::Thinking,
            Opening::RedactedThinking(data) => Kind::Sealed(data.clone().into_owned()),
            Opening::ToolCall { id, name } => {
                let (id, name) = (id.clone().into_owned(), name.clone().into_owned());
                Kind::Call { id, name, shape: Shape::Unknown }
            }
            Opening::Native => return None,
        };
        let waiting = String::new();
        Some(Self { kind, index: None, waiting, signature: None, is_whole: false })
    }

    /// Takes a piece.
    pub(super) fn take(&mut self, piece: &Piece<'_>) {
        match (&mut self.kind, piece) {
            (Kind::Call { shape, .. }, Piece::Arguments(text)) => {
                if *shape == Shape::Unknown {
                    *shape = Shape::of(&text.meant());
                }
                // Blank before a value says nothing, and clients that parse with every piece fail over it.
                if *shape != Shape::Unknown {
                    self.waiting.push_str(text.inside());
                }
            }
            (Kind::Text | Kind::Thinking, Piece::Text(text)) => self.waiting.push_str(text.inside()),
            (Kind::Thinking, Piece::Signature(signature)) => {
                self.signature = Some(signature.clone().into_owned()).filter(|text| !text.is_empty());
            }
            _ => {}
        }
    }

    /// No more pieces will come.
    pub(super) fn close(&mut self) {
        self.is_whole = true;
    }

    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Writes what can be written by now. `next` is the number of the message's next block.
    pub(super) fn write(&mut self, next: &mut u64, out: &mut Events) {
        let ready = self.ready();
        let is_empty =
            matches!(self.kind, Kind::Text | Kind::Thinking) && ready == 0 && self.signature.is_none();
        if self.index.is_none() && is_empty {
            return;
        }
        let index = *self.index.get_or_insert_with(|| {
            let index = *next;
            *next += 1;
            event("content_block_start", index, "content_block", &self.kind.start(), out);
            index
        });
        if ready > 0 {
            let rest = self.waiting.split_off(ready);
            let piece = std::mem::replace(&mut self.waiting, rest);
            delta(index, self.kind.delta(), &self.kind.fitted(&piece), out);
        }
        // Behind the text that it seals.
        if let Some(signature) = self.signature.take_if(|_| self.is_whole) {
            delta(index, ("signature_delta", "signature"), signature.json(), out);
        }
        if self.is_whole {
            out.named(
                "content_block_stop",
                &Writer::new().string("type", "content_block_stop").number("index", index).finish(),
            );
        }
    }

    /// How much of what waits can be written.
    fn ready(&self) -> usize {
        match self.kind {
            _ if self.is_whole => self.waiting.len(),
            Kind::Call { shape: Shape::Other, .. } => 0,
            _ => whole(&self.waiting),
        }
    }
}

impl Shape {
    fn of(arguments: &str) -> Self {
        match arguments.trim_ascii_start() {
            "" => Self::Unknown,
            begun if begun.starts_with('{') => Self::Object,
            _ => Self::Other,
        }
    }
}

impl Kind {
    /// The block as it begins.
    fn start(&self) -> String {
        match self {
            Self::Text => text_block("\"\""),
            Self::Thinking => thinking_block("\"\"", "\"\""),
            Self::Sealed(data) => sealed_block(data),
            Self::Call { id, name, .. } => call_block(id, name, "{}"),
        }
    }

    /// The kind of its pieces, and the name of what is in them.
    const fn delta(&self) -> (&'static str, &'static str) {
        match self {
            Self::Call { .. } => ("input_json_delta", "partial_json"),
            Self::Thinking => ("thinking_delta", "thinking"),
            Self::Text | Self::Sealed(_) => ("text_delta", "text"),
        }
    }

    /// A piece as the string that is written. Of arguments that are no object it is all.
    fn fitted(&self, piece: &str) -> String {
        let string = format!("\"{piece}\"");
        match self {
            Self::Call { shape: Shape::Other, .. } => {
                quoted(&input(&raw::string(&string).unwrap_or_default()))
            }
            _ => string,
        }
    }
}

fn delta(index: u64, (kind, name): (&str, &str), value: &str, out: &mut Events) {
    let delta = Writer::new().string("type", kind).raw(name, value).finish();
    event("content_block_delta", index, "delta", &delta, out);
}

fn event(kind: &'static str, index: u64, name: &str, value: &str, out: &mut Events) {
    out.named(kind, &Writer::new().string("type", kind).number("index", index).raw(name, value).finish());
}
