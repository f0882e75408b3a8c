//! Probabilities of tokens: from chat's form, a list of objects, to that of completions, lists side by side.

use crate::raw::{Garbled, Object, Writer, array, string};
use crate::translate::Asked;

/// Did the client ask for them? `0` does: for those of the tokens themselves.
pub(super) fn is_asked(asked: &Asked) -> bool {
    asked.call.value("logprobs").is_some_and(|value| !matches!(value, b"null" | b"false"))
}

/// The lists, and how many characters the tokens have. Offsets begin at `offset`, the characters before them. Of
/// what is not in chat's form nothing is told.
pub(super) fn write(chat: &str, offset: u64) -> Option<(String, u64)> {
    let lists = Object::parse(chat).ok()?;
    let mut out = Lists { offset, ..Lists::default() };
    for name in ["content", "refusal"] {
        for token in lists.items(name).ok()? {
            out.push(token).ok()?;
        }
    }
    let is_empty = out.tokens.is_empty();
    (!is_empty).then(|| (out.write(), out.offset))
}

#[derive(Default)]
struct Lists<'a> {
    offset: u64,
    tokens: Vec<&'a str>,
    logprobs: Vec<&'a str>,
    tops: Vec<String>,
    offsets: Vec<String>,
    has_tops: bool,
}

impl<'a> Lists<'a> {
    fn push(&mut self, token: &'a str) -> Result<(), Garbled> {
        let token = Object::parse(token)?;
        let (text, meant) = (token.get("token").ok_or(Garbled)?, token.string("token").ok_or(Garbled)?);
        self.tokens.push(text);
        self.logprobs.push(token.get("logprob").unwrap_or("null"));
        self.offsets.push(self.offset.to_string());
        self.offset = self.offset.saturating_add(meant.chars().count().try_into().unwrap_or(u64::MAX));
        let mut top = Writer::new();
        // Tokens that are not whole characters are written alike; the first is the likeliest.
        let mut known = Vec::new();
        for other in token.items("top_logprobs")? {
            let other = Object::parse(other)?;
            let name = other.get("token").and_then(string).ok_or(Garbled)?;
            if !known.contains(&name) {
                top.raw(&name, other.get("logprob").unwrap_or("null"));
                known.push(name);
            }
        }
        self.has_tops |= !known.is_empty();
        self.tops.push(top.finish());
        Ok(())
    }

    fn write(&self) -> String {
        let mut out = Writer::new();
        out.raw("tokens", &array(&self.tokens)).raw("token_logprobs", &array(&self.logprobs));
        match self.has_tops {
            true => out.raw("top_logprobs", &array(&self.tops)),
            false => out.raw("top_logprobs", "null"),
        };
        out.raw("text_offset", &array(&self.offsets));
        out.finish()
    }
}
