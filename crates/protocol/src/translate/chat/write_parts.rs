//! What of a message is written the same way in a plain answer and in chunks, and [`CHAT`]'s shapes.
//!
//! What a model thought stands there twice: as one text (`reasoning_content`), which clients show, and as the blocks
//! that it came in, seals included (`thinking_blocks`, LiteLLM's names), which clients send back. A block has an
//! `index` in both forms: the official Python client joins the entries of a list by it, and fails without.
//!
//! Blocks that only the upstream's dialect knows, as the steps of tools that the upstream runs itself, are left out:
//! chat has no place for them, and what the model says of them is text.

use crate::canonical::Text;
use crate::raw::Writer;
use crate::translate::openai_answer::Shape;

/// A plain answer.
pub(super) const CHAT: Shape = Shape { id_prefix: "chatcmpl-", object: "chat.completion", has_tier: true };

/// A piece of a stream.
pub(super) const CHUNK: Shape = Shape { object: "chat.completion.chunk", ..CHAT };

/// A block of what was thought, or a piece of it.
pub(super) fn thinking_block(index: u64, text: &str, signature: Option<&Text<'_>>) -> String {
    let mut out = Writer::new();
    out.number("index", index).string("type", "thinking").raw("thinking", text);
    if let Some(signature) = signature {
        out.raw("signature", signature.json());
    }
    out.finish()
}

/// A block of what was thought, sealed.
pub(super) fn redacted_block(index: u64, data: &Text<'_>) -> String {
    let mut out = Writer::new();
    out.number("index", index).string("type", "redacted_thinking").raw("data", data.json());
    out.finish()
}

/// A call, or the piece with which one begins; only there it has an `index`.
pub(super) fn call(index: Option<u64>, id: &Text<'_>, name: &Text<'_>, arguments: &str) -> String {
    let mut function = Writer::new();
    function.raw("name", name.json()).string("arguments", arguments);
    let mut out = Writer::new();
    if let Some(index) = index {
        out.number("index", index);
    }
    out.raw("id", id.json()).string("type", "function").raw("function", &function.finish());
    out.finish()
}
