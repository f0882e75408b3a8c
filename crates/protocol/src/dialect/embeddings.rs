//! Embeddings, as OpenAI takes them.

use super::schema::{Field, SHARED, Schema, TEXT_OR_TOKENS, open, required};

const INPUT: &[Field] = &[required("input", TEXT_OR_TOKENS).content()];

pub(super) static OPEN: Schema = open(&[SHARED, INPUT]);
