//! How much of the delivered text has come again, channel by channel.

use bytes::{Buf, Bytes};

use super::channels::{Channel, PerChannel};

/// The delivered text that the new stream has not repeated yet.
#[derive(Debug, Default)]
pub(super) struct Border {
    left: PerChannel<Bytes>,
}

/// The new stream says something else than what the client has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Differs;

impl Border {
    pub(super) fn new(delivered: &PerChannel<String>) -> Self {
        Self { left: delivered.map(|text| Bytes::from(text.clone())) }
    }

    /// Whether everything has come again.
    pub(super) fn is_passed(&self) -> bool {
        self.left.iter().all(Bytes::is_empty)
    }

    /// Takes the next piece of a channel; returns how many bytes at its front the client has already.
    pub(super) fn take(&mut self, channel: Channel, text: &str) -> Result<usize, Differs> {
        let left = self.left.get_mut(channel);
        let known = left.len().min(text.len());
        if left.get(..known) != text.as_bytes().get(..known) {
            return Err(Differs);
        }
        left.advance(known);
        if left.is_empty() {
            // What an empty slice still holds is not needed for the rest of the stream.
            *left = Bytes::new();
        }
        Ok(known)
    }
}
