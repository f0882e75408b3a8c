//! Messages, as Anthropic takes them, and what is asked of one that is only to be counted.

use super::schema::{CONVERSATION, Field, INTEGER, SHARED, Schema, open, required};

const MESSAGES: &[Field] = &[required("messages", CONVERSATION).content()];
const LENGTH: &[Field] = &[required("max_tokens", INTEGER)];

pub(super) static OPEN: Schema = open(&[SHARED, LENGTH, MESSAGES]);
pub(super) static COUNT: Schema = open(&[SHARED, MESSAGES]);
