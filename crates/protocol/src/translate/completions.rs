//! Completions, as clients speak them: a prompt and the text that follows.

mod logprobs;
mod read_request;
mod write_reply;
mod write_stream;

pub(super) use read_request::read_request;
pub(super) use write_reply::write_reply;
pub(super) use write_stream::StreamWriter;

#[cfg(test)]
#[path = "completions/answer_tests.rs"]
mod answer_tests;
