//! Where in the client's body a block is, for what is said of faults. Told as the client's dialect has it.
//!
//! Found only when there is a fault: a block of many would have to be counted for each of them.

use crate::canonical::{Content, Request, Turn};
use crate::dialect::Dialect;

/// The place of a turn's block, or of a piece of what a tool gave in it.
#[derive(Clone, Copy)]
pub(super) struct Place<'p, 'a> {
    request: &'p Request<'a>,
    turn: &'p Turn<'a>,
    index: usize,
    within: Option<usize>,
}

impl<'p, 'a> Place<'p, 'a> {
    pub(super) fn of_block(request: &'p Request<'a>, turn: &'p Turn<'a>, index: usize) -> Self {
        Self { request, turn, index, within: None }
    }

    /// The place of a piece of the result that is here.
    pub(super) fn of_result(self, index: usize) -> Self {
        Self { within: Some(index), ..self }
    }

    /// What the client speaks.
    pub(super) fn client(self) -> Dialect {
        self.request.dialect
    }

    /// As the client would say it.
    pub(super) fn told(self) -> String {
        let block = self.block();
        match self.within {
            Some(index) if self.client() == Dialect::Responses => format!("{block}.output[{index}]"),
            Some(index) => format!("{block}.content[{index}]"),
            None => block,
        }
    }

    fn block(self) -> String {
        let Self { turn, index, .. } = self;
        let at = turn.at;
        let is_result = |content: &Content<'_>| matches!(content, Content::ToolResult { .. });
        let block = turn.blocks.get(index).map(|block| &block.content);
        match self.client() {
            Dialect::Completions | Dialect::Embeddings => "prompt".to_owned(),
            Dialect::Messages | Dialect::CountTokens => format!("messages[{at}].content[{index}]"),
            // There a result is a message or an item of its own.
            Dialect::Chat if block.is_some_and(is_result) => format!("messages[{at}]"),
            Dialect::Chat => {
                let before = turn.blocks.get(..index).unwrap_or_default();
                let parts = before.iter().filter(|block| !stands_beside(&block.content)).count();
                format!("messages[{at}].content[{parts}]")
            }
            Dialect::Responses if block.is_some_and(is_result) => format!("input[{at}]"),
            Dialect::Responses => format!("input[{at}].content[{index}]"),
        }
    }
}

/// In chat, calls and thoughts stand beside the content.
fn stands_beside(content: &Content<'_>) -> bool {
    matches!(content, Content::ToolCall { .. } | Content::Thinking { .. } | Content::RedactedThinking(_))
}
