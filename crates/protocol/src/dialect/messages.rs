//! Messages, as Anthropic takes them.

use super::schema::{CONVERSATION, Field, INTEGER, SHARED, Schema, open, required};

const MESSAGES: &[Field] = &[required("max_tokens", INTEGER), required("messages", CONVERSATION).content()];

pub(super) static OPEN: Schema = open(&[SHARED, MESSAGES]);
