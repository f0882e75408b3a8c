//! STUB messages
mod read_request;
mod write_request;

pub(super) use read_request::read_request;
pub(super) use write_request::write_request;

use super::{Asked, Events, StreamFault};
use crate::canonical::{Delta, Reply};
use crate::raw::Garbled;
use crate::sse::Event;

pub(super) fn read_reply(_text: &str) -> Result<Reply<'_>, Garbled> {
    Err(Garbled)
}
pub(super) fn write_reply(_reply: &Reply<'_>, _asked: &Asked) -> String {
    String::new()
}
#[derive(Debug, Default)]
pub(super) struct StreamReader {}
impl StreamReader {
    pub(super) fn read(&mut self, _event: &Event, _give: &mut dyn FnMut(Delta<'_>)) -> Result<(), StreamFault> {
        Err(StreamFault::Malformed)
    }
    pub(super) fn is_finished(&self) -> bool {
        false
    }
}
pub(super) struct StreamWriter {
    _asked: Asked,
}
impl StreamWriter {
    pub(super) fn new(asked: Asked) -> Self {
        Self { _asked: asked }
    }
    pub(super) fn write(&mut self, _delta: &Delta<'_>, _out: &mut Events) {}
}
