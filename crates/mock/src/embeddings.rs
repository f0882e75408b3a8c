//! `POST /v1/embeddings`: unit vectors that depend on the text alone; texts that share words lie near each other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::input::integer;
use crate::rng::{Hash, Rng};
use crate::sse;
use crate::tokens;

/// Without `dimensions`: as many as a small real model has.
const DEFAULT_DIMENSIONS: i64 = 384;
const MAX_DIMENSIONS: i64 = 4096;
/// Words of a text that move its vector; more would only cost time.
const MAX_WORDS: usize = 256;

/// The members of a request that the mock looks at.
#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    /// Some paths name it instead.
    #[serde(default)]
    pub(crate) model: String,
    input: Input,
    #[serde(default, deserialize_with = "integer")]
    dimensions: Option<i64>,
    #[serde(default)]
    encoding_format: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<u64>),
    TokenLists(Vec<Vec<u64>>),
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Embedding>,
    model: &'a str,
    usage: serde_json::Value,
}

#[derive(Serialize)]
struct Embedding {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Floats(Vec<f32>),
    Base64(String),
}

/// Answers a request; says how many tokens it had.
///
/// # Errors
/// With the message of a 400.
pub(crate) fn answer(request: &Request) -> Result<(Vec<u8>, u64), String> {
    let dimensions = request.dimensions.unwrap_or(DEFAULT_DIMENSIONS);
    if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
        return Err(format!("Invalid value for 'dimensions': {dimensions}; expected 1 to {MAX_DIMENSIONS}."));
    }
    let (texts, tokens): (Vec<String>, u64) = match &request.input {
        Input::Text(text) => (vec![text.clone()], tokens::count(text)),
        Input::Texts(texts) => (texts.clone(), texts.iter().map(|text| tokens::count(text)).sum()),
        Input::Tokens(list) => (vec![spelled(list)], list.len() as u64),
        Input::TokenLists(lists) => (
            lists.iter().map(|list| spelled(list)).collect(),
            lists.iter().map(|list| list.len() as u64).sum(),
        ),
    };
    if texts.is_empty() {
        return Err("Invalid 'input': empty array.".to_owned());
    }
    let base64 = request.encoding_format.as_deref() == Some("base64");
    let data = texts.iter().enumerate().map(|(index, text)| {
        let floats = vector(&request.model, text, usize::try_from(dimensions).unwrap_or(1));
        let embedding = if base64 {
            let bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
            Vector::Base64(STANDARD.encode(bytes))
        } else {
            Vector::Floats(floats)
        };
        Embedding { object: "embedding", index, embedding }
    });
    let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    let list = List { object: "list", data: data.collect(), model: &request.model, usage };
    let mut out = Vec::new();
    sse::json(&mut out, &list);
    Ok((out, tokens))
}

fn spelled(tokens: &[u64]) -> String {
    tokens.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

/// The sum of one random direction for each word, scaled to length one.
fn vector(model: &str, text: &str, dimensions: usize) -> Vec<f32> {
    let model = Hash::new().with(model.as_bytes());
    let mut sum = vec![0.0_f32; dimensions];
    // The whole text is a word of its own: no text is without a direction, and no two are quite the same.
    for word in std::iter::once(text).chain(text.split_whitespace().take(MAX_WORDS)) {
        let mut rng = Rng::new(model.clone().with(word.to_lowercase().as_bytes()).finish());
        sum.iter_mut().for_each(|one| *one += rng.signed_unit());
    }
    let length = sum.iter().map(|one| one * one).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    sum.iter_mut().for_each(|one| *one /= length);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn vectors_have_length_one_and_texts_that_share_words_lie_near() {
        let one = vector("m", "the old lighthouse by the sea", 256);
        let near = vector("m", "an old lighthouse near the sea", 256);
        let far = vector("m", "quarterly revenue grew nine percent", 256);
        assert!((dot(&one, &one) - 1.0).abs() < 1e-5);
        assert!(dot(&one, &near) > dot(&one, &far) + 0.2);
        assert_eq!(one, vector("m", "the old lighthouse by the sea", 256));
        assert_ne!(one, vector("other", "the old lighthouse by the sea", 256));
    }
}
