//! The Responses API, for clients: their requests read, answers and streams written.
//!
//! Only what one request and one answer can carry is served. What lives at a provider (stored responses,
//! conversations, prompts) cannot be put to a target that has no such API, and is refused by name. Tools that a provider
//! runs itself are not offered to the model elsewhere, which is told.
//! No upstream is spoken to in this dialect here: one that has it gets the client's own bytes.

mod answer;
mod custom;
mod input;
mod object;
mod offered;
mod parts;
mod request;
mod seal;
mod stream;
mod tools;

pub(super) use object::write_reply;
pub(super) use request::read_request;
pub(super) use seal::MARK;
pub(super) use stream::StreamWriter;

#[cfg(test)]
#[path = "responses/golden_reply_tests.rs"]
mod golden_reply_tests;
#[cfg(test)]
#[path = "responses/golden_request_tests.rs"]
mod golden_request_tests;
#[cfg(test)]
#[path = "responses/law_tests.rs"]
mod law_tests;
#[cfg(test)]
#[path = "responses/samples.rs"]
mod samples;
