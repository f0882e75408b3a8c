//! Pictures and documents.

use super::piece::{Piece, PieceKind};
use super::place::Place;
use crate::canonical::{Block, Media, Source};
use crate::dialect::Dialect;
use crate::raw::Writer;
use crate::translate::{Losses, Untranslatable};

/// Writes an `image` or a `document`.
pub(super) fn write_media<'a>(
    media: &Media<'a>,
    block: &Block<'a>,
    at: Place<'_, '_>,
    losses: &mut Losses,
) -> Result<Piece<'a>, Untranslatable> {
    let refused = |why| Err(Untranslatable::new(at.told(), why));
    let mut source = Writer::new();
    let mut is_image = media.is_image;
    match &media.source {
        Source::Url(url) => {
            source.string("type", "url").raw("url", url.json());
        }
        Source::Base64 { media_type, data } => {
            let media_type = media_type.to_ascii_lowercase();
            is_image = media_type.starts_with("image/");
            let media_type = match &*media_type {
                "image/jpeg" | "image/jpg" => "image/jpeg",
                kind @ ("image/png" | "image/gif" | "image/webp" | "application/pdf") => kind,
                _ => return refused("the target takes JPEG, PNG, GIF, WebP and PDF only"),
            };
            source
                .string("type", "base64")
                .string("media_type", media_type)
                .raw("data", &format!("\"{data}\""));
        }
        Source::Text(_) if is_image => return refused("not a picture"),
        Source::Text(text) => {
            source.string("type", "text").string("media_type", "text/plain").raw("data", text.json());
        }
        // An id of another provider's store says nothing to this one.
        Source::File(id) if at.client() == Dialect::Messages => {
            source.string("type", "file").raw("file_id", id.json());
        }
        Source::File(_) => return refused("the target cannot read a file that is kept elsewhere"),
    }
    if media.detail.as_ref().is_some_and(|detail| detail.meant() != "auto") {
        losses.add(match at.client() {
            Dialect::Responses => "input[].content[].detail",
            _ => "messages[].content[].image_url.detail",
        });
    }
    let mut out = Writer::new();
    out.string("type", if is_image { "image" } else { "document" }).raw("source", &source.finish());
    if let Some(name) = media.name.as_ref().filter(|name| !is_image && !name.is_empty()) {
        out.raw("title", name.json());
    }
    Ok(Piece::new(out.finish(), block.mark.as_ref(), PieceKind::Plain))
}
