//! One block of a message.

use std::borrow::Cow;

use super::media::write_media;
use super::piece::{Piece, PieceKind};
use super::place::Place;
use super::spaces::is_blank;
use crate::canonical::{Block, Content, Text};
use crate::dialect::Dialect;
use crate::raw::{Writer, array, quoted};
use crate::translate::messages::write_reply::input;
use crate::translate::{Losses, Untranslatable};

/// Writes a block that stands at `at`. Nothing comes of a text of white space, which the upstream refuses and which
/// says nothing, and of thoughts that bear no signature, which it could not check.
pub(super) fn write_block<'a>(
    block: &Block<'a>,
    at: Place<'_, 'a>,
    losses: &mut Losses,
) -> Result<Option<Piece<'a>>, Untranslatable> {
    let client = at.client();
    let piece = |json: String, kind| Ok(Some(Piece::new(json, block.mark.as_ref(), kind)));
    let mut out = Writer::new();
    match &block.content {
        Content::Text(text) | Content::Refusal(text) if is_blank(text) => Ok(None),
        Content::Text(text) | Content::Refusal(text) => {
            Ok(Some(Piece::text(text.json(), block.mark.as_ref())))
        }
        Content::Media(media) => write_media(media, block, at, losses).map(Some),
        Content::ToolCall { id, name, arguments } => {
            out.string("type", "tool_use").raw("id", &write_id(id)).raw("name", name.json());
            out.raw("input", &input(arguments));
            piece(out.finish(), PieceKind::Plain)
        }
        Content::ToolResult { id, content, is_error } => {
            let result = write_result(content, at, losses)?;
            out.string("type", "tool_result").raw("tool_use_id", &write_id(id));
            if *is_error {
                out.raw("is_error", "true");
            }
            if let Some(content) = result.content {
                out.raw("content", &content);
            }
            let mut piece = Piece::new(out.finish(), block.mark.as_ref(), PieceKind::ToolResult);
            for mark in result.marks {
                piece.put_mark(mark, losses);
            }
            Ok(Some(piece))
        }
        Content::Thinking { text, signature: Some(signature) } => {
            out.string("type", "thinking").raw("thinking", text.json()).raw("signature", signature.json());
            piece(out.finish(), PieceKind::Thought)
        }
        Content::Thinking { signature: None, .. } => {
            losses.add(if client == Dialect::Responses { "reasoning" } else { "thinking" });
            Ok(None)
        }
        Content::RedactedThinking(data) => {
            out.string("type", "redacted_thinking").raw("data", data.json());
            piece(out.finish(), PieceKind::Thought)
        }
        Content::Native { json, .. } if client == Dialect::Messages => Ok(Some(Piece::whole(json))),
        Content::Native { kind, .. } => Err(Untranslatable::unknown(at.told(), "block", kind)),
    }
}

/// What a tool gave.
struct Given<'a> {
    content: Option<String>,
    /// Marks within, which take effect on the block as a whole only.
    marks: Vec<Cow<'a, str>>,
}

fn write_result<'a>(
    content: &[Block<'a>],
    at: Place<'_, 'a>,
    losses: &mut Losses,
) -> Result<Given<'a>, Untranslatable> {
    let (mut pieces, mut marks) = (Vec::new(), Vec::new());
    for (index, block) in content.iter().enumerate() {
        let at = at.of_result(index);
        if !matches!(
            &block.content,
            Content::Text(_) | Content::Refusal(_) | Content::Media(_) | Content::Native { .. }
        ) {
            return Err(Untranslatable::new(
                at.told(),
                "a tool's result holds texts, pictures and documents only",
            ));
        }
        let piece = write_block(block, at, losses)?;
        // The last one counts, since it covers the others.
        marks.extend(block.mark.clone());
        pieces.extend(piece.map(|mut piece| {
            piece.take_mark();
            piece
        }));
    }
    marks.reverse();
    let content = match &*pieces {
        [] => None,
        [piece] if piece.as_text().is_some() => piece.as_text().map(str::to_owned),
        pieces => Some(array(pieces.iter().map(Piece::write))),
    };
    Ok(Given { content, marks })
}

/// The id of a call. The upstream takes letters, digits, `_` and `-`; an id with others is written with a hash of
/// the whole, so that two of them stay two and a call and its result stay together.
fn write_id<'t>(id: &'t Text<'_>) -> Cow<'t, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !id.is_empty() && id.inside().bytes().all(is_plain) {
        return Cow::Borrowed(id.json());
    }
    let meant = id.meant();
    let hash = blake3::hash(meant.as_bytes()).to_hex();
    let plain: String =
        meant.chars().map(|char| if char.is_ascii() && is_plain(char as u8) { char } else { '_' }).collect();
    Cow::Owned(quoted(&format!("{plain}-{}", hash.get(..8).unwrap_or_default())))
}
