//! Completions, as clients speak them: a prompt and the text that follows.

mod logprobs;
mod write_reply;
mod write_stream;

pub(super) use write_reply::write_reply;
pub(super) use write_stream::StreamWriter;

use super::Untranslatable;
use crate::canonical::Request;
use crate::envelope::Envelope;

pub(super) fn read_request<'a>(_call: &'a Envelope, _template: Option<&str>) -> Result<Request<'a>, Untranslatable> {
    Err(Untranslatable::new("model", "not yet"))
}

#[cfg(test)]
#[path = "completions/answer_tests.rs"]
mod answer_tests;
