//! Pictures and files as parts of a user's message.

use crate::canonical::{Media, Source, Text};
use crate::dialect::Dialect;
use crate::raw::Writer;

/// A file's name, which OpenAI asks for and other dialects may not have.
const FILE_NAME: &str = "document";

/// Writes the part, or says why there is none. A document of plain text is text, and not written here.
pub(super) fn part(media: &Media<'_>, mark: Option<&str>, client: Dialect) -> Result<String, &'static str> {
    let mut out = Writer::new();
    if media.is_image {
        let url = match &media.source {
            Source::Url(url) => url.clone(),
            Source::Base64 { media_type, data } => data_url(media_type, data)?,
            Source::File(_) => return Err("the target takes no picture by the id of a stored file"),
            Source::Text(_) => return Err("text is no picture"),
        };
        let mut image = Writer::new();
        image.raw("url", url.json());
        if let Some(detail) = &media.detail {
            image.raw("detail", detail.json());
        }
        out.string("type", "image_url").raw("image_url", &image.finish());
    } else {
        out.string("type", "file").raw("file", &file(media, client)?);
    }
    if let Some(mark) = mark {
        out.raw("cache_control", mark);
    }
    Ok(out.finish())
}

fn file(media: &Media<'_>, client: Dialect) -> Result<String, &'static str> {
    let mut file = Writer::new();
    match &media.source {
        Source::Base64 { media_type, data } => {
            let is_pdf = media_type == "application/pdf";
            let made = || Text::of(&if is_pdf { format!("{FILE_NAME}.pdf") } else { FILE_NAME.to_owned() });
            file.raw("filename", media.name.clone().unwrap_or_else(made).json());
            file.raw("file_data", data_url(media_type, data)?.json());
        }
        Source::File(_) if client == Dialect::Messages => {
            return Err("the file is stored at another provider");
        }
        Source::File(id) => {
            file.raw("file_id", id.json());
        }
        Source::Url(_) => return Err("the target takes no document by its address; send its bytes"),
        Source::Text(_) => return Err("text is no file"),
    }
    Ok(file.finish())
}

/// Both pieces are as they would be between quotes.
fn data_url(media_type: &str, data: &str) -> Result<Text<'static>, &'static str> {
    let written = format!("\"data:{media_type};base64,{data}\"");
    Text::read(&written).map(Text::into_owned).ok_or("no data")
}
