//! For the laws of answers: things to say, cut into pieces anyhow, and one who listens and minds the order.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::canonical::{Delta, Opening, Piece, Text};
use crate::observe::Finish;
use crate::usage::Usage;

/// Something that a model says, in pieces.
#[derive(Debug, Clone)]
pub(super) enum Said {
    Text(Pieces),
    Refusal(Pieces),
    Thinking(Pieces, Option<String>),
    Redacted(String),
    Call(String, String, Pieces),
}

/// JSON strings that are one text when joined, though a cut may go through a character.
#[derive(Debug, Clone)]
pub(super) struct Pieces(pub(super) Vec<String>);

impl Pieces {
    pub(super) fn texts(&self) -> impl Iterator<Item = Text<'_>> {
        self.0.iter().map(|json| Text::read(json).expect("a string"))
    }

    pub(super) fn joined(&self) -> Text<'static> {
        let texts: Vec<Text<'_>> = self.texts().collect();
        Text::joined(&texts, "")
    }

    pub(super) fn meant(&self) -> String {
        self.joined().meant().into_owned()
    }
}

/// Cuts a text into pieces of so many UTF-16 units, the halves of a pair apart if it falls so.
pub(super) fn cut(text: &str, sizes: &[usize], ascii: bool) -> Pieces {
    let units: Vec<u16> = text.encode_utf16().collect();
    let (mut rest, mut sizes) = (units.as_slice(), sizes.iter().cycle());
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((*sizes.next().expect("a size")).min(rest.len()));
        let mut json = String::from("\"");
        for char in char::decode_utf16(piece.iter().copied()) {
            match char {
                Ok(char) if !ascii => {
                    let quoted = serde_json::Value::from(char.to_string()).to_string();
                    json.push_str(quoted.trim_matches('"').trim_end_matches('\\'));
                    match char {
                        '"' => json.push_str("\\\""),
                        '\\' => json.push_str("\\\\"),
                        _ => {}
                    }
                }
                Ok(char) => {
                    for unit in char.encode_utf16(&mut [0; 2]) {
                        json.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                Err(half) => json.push_str(&format!("\\u{:04X}", half.unpaired_surrogate())),
            }
        }
        json.push('"');
        pieces.push(json);
        rest = after;
    }
    Pieces(pieces)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-b \"\\\\\n\r\u{2028}é😀🎉]{0,24}"]
}

pub(super) fn pieces() -> impl Strategy<Value = Pieces> {
    (text(), vec(1_usize..6, 1..4), any::<bool>()).prop_map(|(text, sizes, ascii)| cut(&text, &sizes, ascii))
}

pub(super) fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        3 => pieces().prop_map(Said::Text),
        1 => pieces().prop_map(Said::Refusal),
        2 => (pieces(), proptest::option::of("[a-z+/=]{1,8}")).prop_map(|(text, seal)| Said::Thinking(text, seal)),
        1 => "[a-z]{1,8}".prop_map(Said::Redacted),
        2 => ("[a-z]{1,4}", "[a-z]{1,4}", pieces()).prop_map(|(id, name, text)| Said::Call(id, name, text)),
    ]
}

/// What is said in one choice, as far as a chat message can tell it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) text: String,
    pub(super) refusal: String,
    /// With their seals; sealed ones with nothing else.
    pub(super) thoughts: Vec<(String, Option<String>)>,
    pub(super) calls: Vec<(String, String, String)>,
    pub(super) finish: Option<Finish>,
}

pub(super) fn heard(said: &[Said], finish: Finish) -> Heard {
    let mut heard = Heard { finish: Some(finish), ..Heard::default() };
    for said in said {
        match said {
            Said::Text(text) => heard.text += &text.meant(),
            Said::Refusal(text) => heard.refusal += &text.meant(),
            Said::Thinking(text, None) if text.0.is_empty() => {}
            Said::Thinking(text, seal) => heard.thoughts.push((text.meant(), seal.clone())),
            Said::Redacted(data) => heard.thoughts.push((format!("redacted {data}"), None)),
            Said::Call(id, name, arguments) => {
                let bare = arguments.0.is_empty() && finish != Finish::Length;
                let arguments = if bare { "{}".to_owned() } else { arguments.meant() };
                heard.calls.push((id.clone(), name.clone(), arguments));
            }
        }
    }
    if !heard.calls.is_empty() && finish == Finish::Stop {
        heard.finish = Some(Finish::ToolCalls);
    }
    heard
}

pub(super) fn opening(said: &Said) -> Opening<'_> {
    match said {
        Said::Text(_) => Opening::Text,
        Said::Refusal(_) => Opening::Refusal,
        Said::Thinking(..) => Opening::Thinking,
        Said::Redacted(data) => Opening::RedactedThinking(Text::of(data)),
        Said::Call(id, name, _) => Opening::ToolCall { id: Text::of(id), name: Text::of(name) },
    }
}

pub(super) fn grown(said: &Said) -> Vec<Piece<'_>> {
    match said {
        Said::Text(text) | Said::Refusal(text) => text.texts().map(Piece::Text).collect(),
        Said::Thinking(text, seal) => {
            let seal = seal.iter().map(|seal| Piece::Signature(Text::of(seal)));
            text.texts().map(Piece::Text).chain(seal).collect()
        }
        Said::Redacted(_) => vec![],
        Said::Call(_, _, text) => text.texts().map(Piece::Arguments).collect(),
    }
}

/// Listens to deltas, and sees to it that they come in order.
#[derive(Debug, Default)]
pub(super) struct Listener {
    begun: bool,
    pub(super) ended: bool,
    choices: BTreeMap<u64, (Heard, Vec<Listened>)>,
    pub(super) usage: Option<Usage>,
}

#[derive(Debug)]
pub(super) struct Listened {
    kind: &'static str,
    open: bool,
    /// As written, so that halves in two pieces would be found.
    text: String,
    seal: String,
    call: Option<(String, String)>,
}

impl Listener {
    pub(super) fn hear(&mut self, delta: &Delta<'_>) {
        assert!(!self.ended && (self.begun != matches!(delta, Delta::Begin(_))), "{delta:?}");
        match delta {
            Delta::Begin(_) => self.begun = true,
            Delta::Open { choice, block, opening } => {
                let (heard, blocks) = self.choices.entry(*choice).or_default();
                assert_eq!((*block, heard.finish), (blocks.len() as u64, None));
                let (kind, text, call) = match opening {
                    Opening::Text => ("text", String::new(), None),
                    Opening::Thinking => ("thinking", String::new(), None),
                    Opening::Refusal => ("refusal", String::new(), None),
                    Opening::RedactedThinking(data) => ("redacted", data.inside().to_owned(), None),
                    Opening::ToolCall { id, name } => {
                        assert!(!id.is_empty() && !name.is_empty());
                        ("call", String::new(), Some((id.meant().into_owned(), name.meant().into_owned())))
                    }
                    Opening::Native => panic!("chat has none"),
                };
                assert!(blocks.iter().all(|other| !other.open || other.kind == "call"), "{delta:?}");
                blocks.push(Listened { kind, open: true, text, seal: String::new(), call });
            }
            Delta::Piece { choice, block, piece } => {
                let block = &mut self.choices.get_mut(choice).expect("begun").1[*block as usize];
                assert!(block.open);
                match (block.kind, piece) {
                    ("text" | "thinking" | "refusal", Piece::Text(text))
                    | ("call", Piece::Arguments(text)) => {
                        assert!(!text.is_empty());
                        block.text += text.inside();
                    }
                    ("thinking", Piece::Signature(text)) => block.seal += text.inside(),
                    _ => panic!("{piece:?} of {block:?}"),
                }
            }
            Delta::Close { choice, block } => {
                let block = &mut self.choices.get_mut(choice).expect("begun").1[*block as usize];
                assert!(std::mem::take(&mut block.open));
            }
            Delta::Logprobs { .. } => {}
            Delta::Finish { choice, stop } => {
                let (heard, blocks) = self.choices.entry(*choice).or_default();
                assert!(blocks.iter().all(|block| !block.open));
                assert_eq!(heard.finish.replace(stop.finish), None);
            }
            Delta::Tokens(tokens) => self.usage = Some(tokens.usage),
            Delta::End => self.ended = true,
        }
    }

    pub(super) fn into_heard(self) -> Vec<Heard> {
        let meant = |inside: &str| {
            Text::read(&format!("\"{inside}\"")).map(|text| text.meant().into_owned()).expect("a string")
        };
        let mut all = Vec::new();
        for (mut heard, blocks) in self.choices.into_values() {
            for block in blocks {
                match block.kind {
                    "text" => heard.text += &meant(&block.text),
                    "refusal" => heard.refusal += &meant(&block.text),
                    "redacted" => heard.thoughts.push((format!("redacted {}", meant(&block.text)), None)),
                    "thinking" => {
                        let seal = (!block.seal.is_empty()).then(|| meant(&block.seal));
                        heard.thoughts.push((meant(&block.text), seal));
                    }
                    _ => {
                        let (id, name) = block.call.expect("a call");
                        heard.calls.push((id, name, meant(&block.text)));
                    }
                }
            }
            all.push(heard);
        }
        all
    }
}
