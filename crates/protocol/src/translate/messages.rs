//! Anthropic's Messages API: the room of its wire format. Requests have their files beside those of the answers;
//! nothing of another dialect is known here.

mod incoming;
mod outgoing;
mod read_reply;
mod read_request;
mod read_stream;
mod stop;
mod tokens;
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
mod reply_heard;

#[cfg(test)]
mod reply_samples;

#[cfg(test)]
mod read_golden_tests;

#[cfg(test)]
mod reply_law_tests;

#[cfg(test)]
mod stream_golden_tests;

#[cfg(test)]
mod write_golden_tests;
