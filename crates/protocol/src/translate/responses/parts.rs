//! Content parts of items as blocks: texts, pictures, files.
//!
//! A part that no other dialect could say is refused with its place; none is left out.

use std::borrow::Cow;

use crate::canonical::{Block, Content, Media, Source, Text};
use crate::raw::{self, Object};
use crate::translate::Untranslatable;
use crate::translate::strays::Strays;

/// Members of a part that say nothing to a model, or are read here.
const KNOWN: &[&str] = &[
    "type",
    "text",
    "refusal",
    "image_url",
    "file_id",
    "detail",
    "file_data",
    "file_url",
    "filename",
    "cache_control",
    // What a model's own answer came with.
    "annotations",
    "logprobs",
];

/// Reads content, which is a string or a list of parts. `place` is where it stands.
pub(super) fn read<'a>(
    json: &'a str,
    place: &str,
    lost: &mut Strays<'a>,
) -> Result<Vec<Block<'a>>, Untranslatable> {
    if let Some(text) = Text::read(json) {
        return Ok(vec![Block { content: Content::Text(text), mark: None }]);
    }
    let parts =
        raw::items(json).map_err(|_| Untranslatable::new(place, "expected text or a list of parts"))?;
    let read = |(index, part)| part_of(part, &format!("{place}[{index}]"), lost);
    parts.into_iter().enumerate().map(read).collect()
}

fn part_of<'a>(json: &'a str, place: &str, lost: &mut Strays<'a>) -> Result<Block<'a>, Untranslatable> {
    let part = Object::parse(json)
        .map_err(|_| Untranslatable::new(place, "expected an object in which no name comes twice"))?;
    let text = |name: &str| {
        let text = part.some(name).and_then(Text::read);
        text.ok_or_else(|| Untranslatable::new(format!("{place}.{name}"), "expected a string"))
    };
    let content = match part.string("type").as_deref() {
        Some("input_text" | "output_text" | "text") => Content::Text(text("text")?),
        Some("refusal") => Content::Refusal(text("refusal")?),
        Some("input_image") => Content::Media(image(&part, place)?),
        Some("input_file") => Content::Media(file(&part, place)?),
        Some("input_audio") => {
            return Err(Untranslatable::new(place, "sound cannot be carried to the target"));
        }
        _ => return Err(Untranslatable::new(place, "a part of a type that the target has no place for")),
    };
    lost.look(&part, KNOWN, "input[].content[]");
    Ok(Block { content, mark: part.some("cache_control").map(Cow::Borrowed) })
}

fn image<'a>(part: &Object<'a>, place: &str) -> Result<Media<'a>, Untranslatable> {
    let url = match part.some("image_url") {
        // Chat's form, which some clients send here as well.
        Some(json) if json.starts_with('{') => Object::parse(json).ok().and_then(|url| url.some("url")),
        json => json,
    };
    let source = url.and_then(located).or_else(|| kept(part));
    let source =
        source.ok_or_else(|| Untranslatable::new(place, "a picture without an image_url or a file_id"))?;
    // What everybody takes if nothing is said.
    let detail = part.some("detail").and_then(Text::read).filter(|detail| detail.meant() != "auto");
    Ok(Media { source, detail, name: None, is_image: true })
}

fn file<'a>(part: &Object<'a>, place: &str) -> Result<Media<'a>, Untranslatable> {
    let data = part.some("file_data").and_then(|json| inline(json).or_else(|| bare(json)));
    let source = data.or_else(|| part.some("file_url").and_then(located)).or_else(|| kept(part));
    let source = source
        .ok_or_else(|| Untranslatable::new(place, "a file without file_data, a file_url or a file_id"))?;
    let detail = part.some("detail").and_then(Text::read).filter(|detail| detail.meant() != "auto");
    Ok(Media { source, detail, name: part.some("filename").and_then(Text::read), is_image: false })
}

/// At one upstream.
fn kept<'a>(part: &Object<'a>) -> Option<Source<'a>> {
    part.some("file_id").and_then(Text::read).map(Source::File)
}

/// An address, or what stands in it.
fn located(json: &str) -> Option<Source<'_>> {
    inline(json).or_else(|| Text::read(json).map(Source::Url))
}

/// Base64 in a `data:` address.
fn inline(json: &str) -> Option<Source<'_>> {
    match plain(json)? {
        Cow::Borrowed(text) => data_url(text).map(|(media_type, data)| Source::Base64 {
            media_type: Cow::Borrowed(media_type),
            data: Cow::Borrowed(data),
        }),
        Cow::Owned(text) => data_url(&text).map(|(media_type, data)| Source::Base64 {
            media_type: Cow::Owned(media_type.to_owned()),
            data: Cow::Owned(data.to_owned()),
        }),
    }
}

/// The media type, without its parameters, and what follows.
fn data_url(text: &str) -> Option<(&str, &str)> {
    let (media_type, data) = text.strip_prefix("data:")?.split_once(";base64,")?;
    Some((media_type.split(';').next().unwrap_or_default(), data))
}

/// Base64 alone. What it is of is known by how it begins, if at all.
fn bare(json: &str) -> Option<Source<'_>> {
    let data = plain(json)?;
    // `%PDF-`
    let media_type = if data.starts_with("JVBERi0") { "application/pdf" } else { "application/octet-stream" };
    Some(Source::Base64 { media_type: Cow::Borrowed(media_type), data })
}

/// A string as it would be written between quotes, without needless escapes (`\/`).
fn plain(json: &str) -> Option<Cow<'_, str>> {
    let inside = raw::between_quotes(json)?;
    if !inside.contains('\\') {
        return Some(Cow::Borrowed(inside));
    }
    Some(Cow::Owned(Text::of(&raw::string(json)?).inside().to_owned()))
}
