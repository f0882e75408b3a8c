//! Chat completions, as clients and OpenAI-compatible upstreams speak them.

mod read_calls;
mod read_choice;
mod read_head;
mod read_message;
mod read_reply;
mod read_request;
mod read_stream;
mod write_parts;
mod write_reply;
mod write_request;
mod write_stream;

pub(super) use read_reply::read_reply;
pub(super) use read_request::read_request;
pub(super) use read_stream::StreamReader;
pub(super) use write_reply::write_reply;
pub(super) use write_request::write_request;
pub(super) use write_stream::StreamWriter;

#[cfg(test)]
#[path = "chat/write_tests.rs"]
mod write_tests;

#[cfg(test)]
mod answer_property_tests;

#[cfg(test)]
mod answer_speech;
