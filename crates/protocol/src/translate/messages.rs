//! Anthropic's Messages API: requests and answers, each read and written.
//!
//! Owns the wire format, for upstreams that speak it and for clients that do. No other dialect is known here.

mod halves;
mod incoming;
mod outgoing;
mod read_reply;
mod read_stream;
mod stop;
mod tokens;
mod write_reply;
mod write_stream;

use super::{Losses, Toward, Untranslatable};
use crate::canonical::Request;
use crate::envelope::Envelope;

pub(super) use read_reply::read_reply;
pub(super) use read_stream::StreamReader;
pub(super) use write_reply::write_reply;
pub(super) use write_stream::StreamWriter;

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
