//! Pictures and files of a message: by address, in the request itself, or by the id under which an upstream keeps
//! them.

use std::borrow::Cow;

use crate::canonical::{Media, Source, Text};
use crate::raw::{self, Object};
use crate::translate::Untranslatable;
use crate::translate::openai_request::text;

/// Base64 of a PDF begins so.
const PDF: &str = "JVBERi0";

/// Reads an `image_url` part. Some clients write the address where the object should be.
pub(super) fn image<'a>(part: &Object<'a>, place: &str) -> Result<Media<'a>, Untranslatable> {
    let odd = || Untranslatable::new(place, "expected `image_url`, an object with a `url`");
    let (url, detail) = match part.get("image_url").filter(|url| url.starts_with('"')) {
        Some(url) => (url, None),
        None => {
            let image = part.object("image_url").map_err(|_| odd())?;
            let url = image.get("url").filter(|url| url.starts_with('"')).ok_or_else(odd)?;
            (url, text(&image, "detail"))
        }
    };
    Ok(Media { source: source(url, place)?, detail, name: None, is_image: true })
}

/// Reads a `file` part.
pub(super) fn file<'a>(part: &Object<'a>, place: &str) -> Result<Media<'a>, Untranslatable> {
    let odd = || Untranslatable::new(place, "expected `file`, an object with `file_data` or a `file_id`");
    let file = part.object("file").map_err(|_| odd())?;
    let source = match (file.some("file_data"), text(&file, "file_id")) {
        (Some(data), _) => match raw::between_quotes(data) {
            // Without the head of a data URL nothing else can be told apart.
            Some(data) if data.starts_with(PDF) => {
                Source::Base64 { media_type: "application/pdf".into(), data: data.into() }
            }
            Some(_) => source(data, place)?,
            None => return Err(odd()),
        },
        (None, Some(id)) => Source::File(id),
        (None, None) => return Err(odd()),
    };
    let is_image = matches!(&source, Source::Base64 { media_type, .. } if media_type.starts_with("image/"));
    Ok(Media { source, detail: None, name: text(&file, "filename"), is_image })
}

/// Where the bytes are, by a string's text.
fn source<'a>(written: &'a str, place: &str) -> Result<Source<'a>, Untranslatable> {
    let odd = |why: &'static str| Untranslatable::new(place, why);
    let inside = raw::between_quotes(written).unwrap_or_default();
    match data_url(inside) {
        Some(Ok((media_type, data))) => Ok(Source::Base64 { media_type, data: data.into() }),
        Some(Err(why)) => Err(odd(why)),
        // By now only an address makes sense; what else there is, the upstream will say what is wrong with it.
        None if inside.contains(':') => {
            Text::read(written).map(Source::Url).ok_or_else(|| odd("expected a string"))
        }
        None => Err(odd("expected an address or a data URL")),
    }
}

/// A data URL taken apart: media type as it is meant, and Base64 as it is written.
fn data_url(inside: &str) -> Option<Result<(Cow<'_, str>, &str), &'static str>> {
    let (scheme, rest) = inside.split_at_checked("data:".len())?;
    scheme.eq_ignore_ascii_case("data:").then(|| taken_apart(rest))
}

fn taken_apart(rest: &str) -> Result<(Cow<'_, str>, &str), &'static str> {
    let (head, data) = rest.split_once(',').ok_or("a data URL without data")?;
    let in_base64 = head.rsplit_once(';').filter(|(_, last)| last.eq_ignore_ascii_case("base64"));
    let (head, _) = in_base64.ok_or("a data URL that is not in Base64")?;
    let written = head.split(';').next().unwrap_or_default();
    // JSON writers of some languages write `image\/png`.
    let media_type =
        if written.contains('\\') { written.replace("\\/", "/").into() } else { Cow::Borrowed(written) };
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"/+-._".contains(&byte);
    let is_type = media_type.contains('/') && media_type.bytes().all(is_letter);
    if is_type { Ok((media_type, data)) } else { Err("a data URL without a media type") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_urls_are_taken_apart_as_they_are_written() {
        for (inside, expected) in [
            ("https://x.example/a.png", None),
            ("data:image/png;base64,iVBO==", Some(Ok(("image/png", "iVBO==")))),
            (r"data:image\/png;base64,iV\/BO", Some(Ok(("image/png", r"iV\/BO")))),
            ("DATA:text/plain;charset=utf-8;BASE64,aGk=", Some(Ok(("text/plain", "aGk=")))),
            ("data:image/svg+xml;base64,", Some(Ok(("image/svg+xml", "")))),
            ("data:;base64,aGk=", Some(Err("a data URL without a media type"))),
            (r"data:image\u002fpng;base64,aGk=", Some(Err("a data URL without a media type"))),
            ("data:text/plain,hi", Some(Err("a data URL that is not in Base64"))),
            ("data:text/plain;base64", Some(Err("a data URL without data"))),
            ("dat", None),
            ("datéa:", None),
        ] {
            let found = data_url(inside);
            let found = found.as_ref().map(|parts| parts.as_ref().map(|(kind, data)| (&**kind, *data)));
            assert_eq!(found, expected.as_ref().map(Result::as_ref).map(|parts| parts.copied()), "{inside}");
        }
    }
}
