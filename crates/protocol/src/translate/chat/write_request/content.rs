//! The content of a message: one string where that says all, else parts.

use crate::canonical::Text;
use crate::raw::{self, Writer};

/// A piece of content.
#[derive(Debug)]
pub(super) enum Part<'p> {
    /// Text, and the mark on it.
    Text(&'p Text<'p>, Option<&'p str>),
    /// A part that is written.
    Written(String),
}

/// How several texts without marks become one string.
#[derive(Debug, Clone, Copy)]
pub(super) enum Join {
    /// They do not.
    Never,
    /// One goes on where the other ends.
    Seamless,
    /// Each begins a line. Servers that make one text of parts do the same; those that take no parts get one text.
    Lines,
}

/// Writes content; of no parts an empty string.
pub(super) fn content(parts: &[Part<'_>], join: Join) -> String {
    let plain = |part: &Part<'_>| matches!(part, Part::Text(_, None));
    if parts.iter().all(plain) {
        let texts = || parts.iter().filter_map(Part::text);
        match (parts, join) {
            ([], _) => return "\"\"".to_owned(),
            ([Part::Text(text, _)], _) => return text.json().to_owned(),
            (_, Join::Seamless) => return Text::joined(texts(), "").json().to_owned(),
            (_, Join::Lines) => return Text::joined(texts(), r"\n").json().to_owned(),
            (_, Join::Never) => {}
        }
    }
    raw::array(parts.iter().map(Part::written))
}

impl<'p> Part<'p> {
    fn text(&self) -> Option<&'p Text<'p>> {
        match self {
            Self::Text(text, _) => Some(text),
            Self::Written(_) => None,
        }
    }

    fn written(&self) -> String {
        match self {
            Self::Text(text, mark) => {
                let mut out = Writer::new();
                out.string("type", "text").raw("text", text.json());
                if let Some(mark) = mark {
                    out.raw("cache_control", mark);
                }
                out.finish()
            }
            Self::Written(json) => json.clone(),
        }
    }
}
