//! What a model thought, carried by the client in `encrypted_content` and opened again.
//!
//! A provider that signs its model's thinking wants it back word for word, and the Responses API has one member for
//! that: an opaque text in the reasoning item. Ours is no secret, only a form that survives the trip. Another
//! vendor's text means nothing to any target here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::canonical::{Content, Text};
use crate::raw::{self, Object, Writer};

/// Tells our texts from those of others, and what is in them.
const MARK: &str = "sluice1.";

/// Thinking with its signature, both as they are written between quotes, as a JSON string.
pub(super) fn thinking(text: &str, signature: &str) -> String {
    let mut block = Writer::new();
    block
        .string("type", "thinking")
        .raw("thinking", &format!("\"{text}\""))
        .raw("signature", &format!("\"{signature}\""));
    seal(&block.finish())
}

/// Thinking that came sealed (a JSON string) as a JSON string.
pub(super) fn redacted(data: &str) -> String {
    let mut block = Writer::new();
    block.string("type", "redacted_thinking").raw("data", data);
    seal(&block.finish())
}

fn seal(block: &str) -> String {
    // Nothing in this alphabet is escaped in JSON.
    format!("\"{MARK}{}\"", URL_SAFE_NO_PAD.encode(raw::array([block])))
}

/// The blocks in a text that we have sealed; nothing where it is not ours or was damaged.
pub(super) fn open(sealed: &str) -> Option<Vec<Content<'static>>> {
    let bytes = URL_SAFE_NO_PAD.decode(sealed.strip_prefix(MARK)?).ok()?;
    let blocks = String::from_utf8(bytes).ok()?;
    raw::items(&blocks).ok()?.into_iter().map(block).collect()
}

fn block(json: &str) -> Option<Content<'static>> {
    let block = Object::parse(json).ok()?;
    let text = |name| block.get(name).and_then(Text::read).map(Text::into_owned);
    match &*block.string("type")? {
        "thinking" => Some(Content::Thinking { text: text("thinking")?, signature: text("signature") }),
        "redacted_thinking" => Some(Content::RedactedThinking(text("data")?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(json: &str) -> String {
        format!("{:?}", open(&raw::string(json).expect("a string")))
    }

    #[test]
    fn what_was_sealed_comes_out_letter_by_letter() {
        let sealed = thinking(r#"a \"b\" \ud83d\ude00"#, "EqQB+/=");
        assert!(sealed.starts_with("\"sluice1."), "{sealed}");
        let expected = Content::Thinking {
            text: Text::read(r#""a \"b\" \ud83d\ude00""#).expect("a string"),
            signature: Text::read("\"EqQB+/=\""),
        };
        assert_eq!(opened(&sealed), format!("{:?}", Some(vec![expected])));
        let expected = Content::RedactedThinking(Text::of("x\ny"));
        assert_eq!(opened(&redacted(r#""x\ny""#)), format!("{:?}", Some(vec![expected])));
    }

    #[test]
    fn what_is_not_ours_or_was_damaged_is_nothing() {
        let sealed = thinking("a", "b");
        let inside = raw::string(&sealed).expect("a string").into_owned();
        for text in [
            "",
            "sluice1.",
            "sluice1.!!",
            "gAAAAABo",
            &inside[..inside.len() - 3],
            &format!("{MARK}{}", URL_SAFE_NO_PAD.encode("[{\"type\":\"text\",\"text\":\"x\"}]")),
            &format!("{MARK}{}", URL_SAFE_NO_PAD.encode("[{\"type\":\"thinking\",\"thinking\":7}]")),
            &format!("{MARK}{}", URL_SAFE_NO_PAD.encode("{}")),
            &format!("{MARK}{}", URL_SAFE_NO_PAD.encode([0xff])),
        ] {
            assert!(open(text).is_none(), "{text}");
        }
    }
}
