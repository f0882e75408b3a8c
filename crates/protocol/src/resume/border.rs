//! How much of the delivered text has come again, channel by channel.

use std::fmt;
use std::sync::Arc;

use super::channels::{Channel, PerChannel};

/// The delivered text, and how far the new stream has repeated it.
#[derive(Default)]
pub(super) struct Border {
    /// Let go once everything has come again: the rest of the stream does not need it.
    delivered: Option<Arc<PerChannel<String>>>,
    /// So many bytes of each channel have come again.
    repeated: PerChannel<usize>,
    /// So many bytes of all channels have not.
    left: usize,
}

/// The new stream says something else than what the client has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Differs;

impl Border {
    pub(super) fn new(delivered: Arc<PerChannel<String>>) -> Self {
        let left = delivered.len();
        Self { delivered: (left > 0).then_some(delivered), repeated: PerChannel::default(), left }
    }

    /// Whether everything has come again.
    pub(super) fn is_passed(&self) -> bool {
        self.delivered.is_none()
    }

    /// Takes the next piece of a channel; returns how many bytes at its front the client has already.
    pub(super) fn take(&mut self, channel: Channel, text: &str) -> Result<usize, Differs> {
        let Some(delivered) = &self.delivered else { return Ok(0) };
        let repeated = self.repeated.get_mut(channel);
        let left = delivered.get(channel).as_bytes().get(*repeated..).unwrap_or_default();
        let known = left.len().min(text.len());
        if left.get(..known) != text.as_bytes().get(..known) {
            return Err(Differs);
        }
        *repeated += known;
        self.left = self.left.saturating_sub(known);
        if self.left == 0 {
            self.delivered = None;
        }
        Ok(known)
    }
}

/// Shows sizes only: answers are not logged.
impl fmt::Debug for Border {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Border").field("left", &self.left).finish_non_exhaustive()
    }
}
