//! How likely the pieces of a text were: numbers that look right and depend on the pieces alone.

use serde_json::{Value, json};

use crate::rng::Hash;
use crate::tokens;

/// More alternatives than OpenAI allows are not made.
const MOST: u64 = 20;

/// Between -2 and 0, three digits after the point.
fn of(token: &str) -> f64 {
    -((Hash::new().with(token.as_bytes()).finish() % 2000) as f64) / 1000.0
}

fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let piece = tokens::first_piece(text);
        text = text.get(piece.len()..).unwrap_or_default();
        Some(piece).filter(|piece| !piece.is_empty())
    })
}

/// The alternatives to a token, itself first, each less likely than the one before.
fn alternatives(token: &str, top: u64) -> impl Iterator<Item = (String, f64)> {
    let own = of(token);
    (0..top.min(MOST)).map(move |at| {
        let name = if at == 0 { token.to_owned() } else { format!("{token}{at}") };
        (name, own - at as f64)
    })
}

/// `logprobs` as chat completions write it.
pub(crate) fn chat(text: &str, top: u64) -> Value {
    let bare = |(token, logprob): (String, f64)| json!({ "token": token, "logprob": logprob, "bytes": token.as_bytes() });
    let content = pieces(text).map(|token| {
        let others: Vec<Value> = alternatives(token, top).map(bare).collect();
        json!({ "token": token, "logprob": of(token), "bytes": token.as_bytes(), "top_logprobs": others })
    });
    json!({ "content": content.collect::<Vec<_>>(), "refusal": null })
}

/// `logprobs` as completions write it; `offset` is where the text begins.
pub(crate) fn completions(text: &str, top: u64, offset: usize) -> Value {
    let offsets = pieces(text).scan(offset, |at, token| {
        let begins = *at;
        *at += token.chars().count();
        Some(begins)
    });
    let top =
        pieces(text).map(|token| alternatives(token, top).collect::<std::collections::BTreeMap<_, _>>());
    json!({
        "tokens": pieces(text).collect::<Vec<_>>(),
        "token_logprobs": pieces(text).map(of).collect::<Vec<_>>(),
        "top_logprobs": top.collect::<Vec<_>>(),
        "text_offset": offsets.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_has_its_own_and_its_alternatives() {
        let made = chat("One two", 2);
        let content = made["content"].as_array().unwrap();
        assert_eq!((content.len(), &content[1]["token"]), (2, &json!(" two")));
        assert_eq!(content[0]["top_logprobs"][0]["token"], "One");
        assert_eq!(content[0]["top_logprobs"].as_array().unwrap().len(), 2);
        assert!(content[0]["logprob"].as_f64().unwrap() <= 0.0);
        let made = completions("One two", 1, 10);
        assert_eq!((&made["tokens"], &made["text_offset"]), (&json!(["One", " two"]), &json!([10, 13])));
        assert!(made["top_logprobs"][1][" two"].is_number());
    }
}
