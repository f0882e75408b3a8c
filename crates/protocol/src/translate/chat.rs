//! Chat completions, as clients and OpenAI-compatible upstreams speak them.

mod read_calls;
mod read_choice;
mod read_head;
mod read_message;
mod read_reply;
mod read_stream;
mod write_parts;
mod write_reply;
mod write_stream;

pub(super) use read_reply::read_reply;
pub(super) use read_stream::StreamReader;
pub(super) use write_reply::write_reply;
pub(super) use write_stream::StreamWriter;

use super::{Losses, Toward, Untranslatable};
use crate::canonical::Request;
use crate::envelope::Envelope;

pub(super) fn read_request(_call: &Envelope) -> Result<Request<'_>, Untranslatable> {
    Err(Untranslatable::new("model", "not yet"))
}
pub(super) fn write_request(
    _request: &Request<'_>,
    _toward: &Toward<'_>,
    _losses: &mut Losses,
) -> Result<String, Untranslatable> {
    Err(Untranslatable::new("model", "not yet"))
}

#[cfg(test)]
#[path = "chat/write_tests.rs"]
mod write_tests;

#[cfg(test)]
mod answer_property_tests;

#[cfg(test)]
mod answer_speech;
