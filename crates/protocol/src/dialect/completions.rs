//! Text completion. The strict table is the contract's `CreateCompletionBody`, field by field.

use super::schema::{
    ANY_OBJECT, BOOLEAN, Field, INTEGER, LENGTH, SHARED, STRING, STRINGS, Schema, Shape, TEXT_OR_TOKENS,
    above, between, open, optional, required,
};

/// The contract to the letter. `format` is only a note there, so any string will do for `$schema`; integers
/// are the exception, because 64 bits are what we and every upstream have for them.
pub(super) static STRICT: Schema = Schema {
    groups: &[&[
        required("model", STRING),
        required("prompt", STRING).content(),
        optional("max_tokens", INTEGER),
        optional("max_completion_tokens", INTEGER),
        optional("temperature", &[between(0, 2)]),
        optional("top_p", &[above(0, 1)]),
        optional("min_p", &[between(0, 1)]),
        optional("top_k", INTEGER),
        optional("seed", INTEGER),
        optional("stop", STRINGS),
        optional("stream", BOOLEAN),
        optional("stream_options", &[Shape::Object(&STREAM_OPTIONS)]),
        optional("cache_control", ANY_OBJECT),
        optional("skip_special_tokens", BOOLEAN),
        optional("include_stop_str_in_output", BOOLEAN),
        optional("return_tokens_as_token_ids", BOOLEAN),
        optional("$schema", STRING),
    ]],
    null_is_unset: false,
};

const STREAM_OPTIONS: Schema =
    Schema { groups: &[&[optional("include_usage", BOOLEAN)]], null_is_unset: false };

const PROMPT: &[Field] = &[required("prompt", TEXT_OR_TOKENS).content()];

/// As OpenAI takes it.
pub(super) static OPEN: Schema = open(&[SHARED, PROMPT, LENGTH]);
