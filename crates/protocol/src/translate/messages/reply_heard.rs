//! For the tests: what a reader has given, held to the order of steps.

use std::collections::BTreeSet;

use crate::canonical::{Block, Content, Delta, Opening, Piece};
use crate::usage::Usage;

/// What an answer says, brought to what Messages can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Text(String),
    Thinking(String, Option<String>),
    Sealed(String),
    Call(String, String),
}

impl Said {
    /// What the blocks of an answer say.
    pub(super) fn of(blocks: &[Block<'_>]) -> Vec<Self> {
        let said = |block: &Block<'_>| match &block.content {
            Content::Text(text) => Self::Text(text.meant().into_owned()),
            Content::Thinking { text, signature } => {
                let seal = signature.as_ref().map(|seal| seal.meant().into_owned());
                Self::Thinking(text.meant().into_owned(), seal)
            }
            Content::RedactedThinking(data) => Self::Sealed(data.meant().into_owned()),
            Content::ToolCall { name, arguments, .. } => {
                Self::Call(name.meant().into_owned(), arguments.to_string())
            }
            other => panic!("{other:?}"),
        };
        blocks.iter().map(said).collect()
    }
}

/// Takes the steps that a reader gives, and holds it to their order.
#[derive(Debug, Default)]
pub(super) struct Heard {
    begun: bool,
    pub(super) finished: bool,
    pub(super) ended: bool,
    open: BTreeSet<u64>,
    calls: BTreeSet<u64>,
    pub(super) blocks: Vec<Said>,
    pub(super) native: BTreeSet<u64>,
    pub(super) pieces: Vec<String>,
    pub(super) usage: Option<Usage>,
}

impl Heard {
    pub(super) fn take(&mut self, delta: &Delta<'_>) {
        assert!(!self.ended, "nothing comes after the end");
        match delta {
            Delta::Begin(_) => assert!(!std::mem::replace(&mut self.begun, true), "one beginning"),
            Delta::Open { choice: 0, block, opening } => {
                assert!(self.begun && !self.finished);
                assert_eq!(*block, self.blocks.len() as u64, "numbered in order");
                let is_call = matches!(opening, Opening::ToolCall { .. });
                assert!(
                    self.open.iter().all(|open| is_call && self.calls.contains(open)),
                    "only calls side by side"
                );
                self.open.insert(*block);
                if is_call {
                    self.calls.insert(*block);
                }
                self.blocks.push(match opening {
                    Opening::Text | Opening::Refusal => Said::Text(String::new()),
                    Opening::Thinking => Said::Thinking(String::new(), None),
                    Opening::RedactedThinking(data) => Said::Sealed(data.meant().into_owned()),
                    Opening::ToolCall { name, .. } => Said::Call(name.meant().into_owned(), String::new()),
                    Opening::Native => {
                        self.native.insert(*block);
                        Said::Text(String::new())
                    }
                });
            }
            Delta::Piece { choice: 0, block, piece } => {
                assert!(self.open.contains(block), "pieces of what is open");
                let said = &mut self.blocks[usize::try_from(*block).expect("a small number")];
                match (said, piece) {
                    (_, Piece::Native) => {}
                    (Said::Text(all) | Said::Thinking(all, _), Piece::Text(text)) => {
                        self.pieces.push(text.inside().to_owned());
                        all.push_str(&text.meant());
                    }
                    (Said::Thinking(_, seal), Piece::Signature(text)) => {
                        *seal = Some(text.meant().into_owned());
                    }
                    (Said::Call(_, all), Piece::Arguments(text)) => all.push_str(&text.meant()),
                    (said, piece) => panic!("{piece:?} in {said:?}"),
                }
            }
            Delta::Close { choice: 0, block } => assert!(self.open.remove(block), "closed once"),
            Delta::Finish { choice: 0, .. } => {
                assert!(self.open.is_empty() && !std::mem::replace(&mut self.finished, true));
            }
            Delta::Tokens(tokens) => self.usage = Some(tokens.usage),
            Delta::End => {
                assert!(self.begun && self.open.is_empty());
                self.ended = true;
            }
            other => panic!("{other:?} is not of Messages"),
        }
    }
}
