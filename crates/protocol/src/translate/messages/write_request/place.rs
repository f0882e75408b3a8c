//! Where in the client's body a block is, for what is said of faults. Told as the client's dialect has it.

use crate::canonical::{Content, Request, Turn};
use crate::dialect::Dialect;

/// The place of a turn's block.
pub(super) fn of_block(request: &Request<'_>, turn: &Turn<'_>, index: usize) -> String {
    let (at, before) = (turn.at, turn.blocks.get(..index).unwrap_or_default());
    let is_call = |content: &Content<'_>| matches!(content, Content::ToolCall { .. });
    let is_result = |content: &Content<'_>| matches!(content, Content::ToolResult { .. });
    let is_thought =
        |content: &Content<'_>| matches!(content, Content::Thinking { .. } | Content::RedactedThinking(_));
    let block = turn.blocks.get(index).map(|block| &block.content);
    match request.dialect {
        Dialect::Completions | Dialect::Embeddings => "prompt".to_owned(),
        Dialect::Messages | Dialect::CountTokens => format!("messages[{at}].content[{index}]"),
        // There a result is a message or an item of its own.
        Dialect::Chat if block.is_some_and(is_result) => format!("messages[{at}]"),
        Dialect::Chat => {
            // Calls and thoughts stand beside the content.
            let beside = |content: &Content<'_>| is_call(content) || is_thought(content);
            let parts = before.iter().filter(|block| !beside(&block.content)).count();
            format!("messages[{at}].content[{parts}]")
        }
        Dialect::Responses if block.is_some_and(is_result) => format!("input[{at}]"),
        Dialect::Responses => format!("input[{at}].content[{index}]"),
    }
}

/// The place of a piece of what a tool gave, whose result is at `at`.
pub(super) fn of_result(client: Dialect, at: &str, index: usize) -> String {
    let content = if client == Dialect::Responses { "output" } else { "content" };
    format!("{at}.{content}[{index}]")
}
