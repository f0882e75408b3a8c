//! The Responses API, as OpenAI takes it. `input` may be missing, since a stored prompt can stand for it.

use super::schema::{Field, INTEGER, SHARED, Schema, Shape, open, optional};

const INPUT: &[Field] = &[
    optional("input", &[Shape::String, Shape::Array { items: &[], min: 0 }]).content(),
    optional("max_output_tokens", INTEGER),
];

pub(super) static OPEN: Schema = open(&[SHARED, INPUT]);
