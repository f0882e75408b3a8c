//! STUB completions
mod read_request;

pub(super) use read_request::read_request;

use super::{Asked, Events};
use crate::canonical::{Delta, Reply};

pub(super) fn write_reply(_reply: &Reply<'_>, _asked: &Asked) -> String {
    String::new()
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
