//! STUB chat
use super::{Asked, Events, Losses, StreamFault, Toward, Untranslatable};
use crate::canonical::{Delta, Reply, Request};
use crate::envelope::Envelope;
use crate::raw::Garbled;
use crate::sse::Event;

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
pub(super) fn read_reply(_text: &str) -> Result<Reply<'_>, Garbled> {
    Err(Garbled)
}
pub(super) fn write_reply(_reply: &Reply<'_>, _asked: &Asked) -> String {
    String::new()
}
#[derive(Debug, Default)]
pub(super) struct StreamReader {}
impl StreamReader {
    pub(super) fn read(
        &mut self,
        _event: &Event,
        _give: &mut dyn FnMut(Delta<'_>),
    ) -> Result<(), StreamFault> {
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
