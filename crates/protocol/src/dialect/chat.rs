//! Chat completion, as OpenAI takes it.

use super::schema::{CONVERSATION, Field, LENGTH, SHARED, Schema, open, required};

const MESSAGES: &[Field] = &[required("messages", CONVERSATION).content()];

pub(super) static OPEN: Schema = open(&[SHARED, MESSAGES, LENGTH]);
