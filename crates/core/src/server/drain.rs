//! The two moments of a shutdown, as the data plane sees them.

use tokio_util::sync::CancellationToken;

/// Told by whoever ends the process; watched by the listener, connections and streams.
#[derive(Debug, Clone, Default)]
pub struct Drain {
    closing: CancellationToken,
    cut: CancellationToken,
}

impl Drain {
    /// Nothing has been asked for yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// No new connections; those that are open end with the request that they serve, or the one right after it.
    pub fn stop_accepting(&self) {
        self.closing.cancel();
    }

    /// Whatever still runs ends now, with an error that says why.
    pub fn cut(&self) {
        self.closing.cancel();
        self.cut.cancel();
    }

    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// As [`Self::cut_token`], which is looked at whenever the connection moves.
    pub(crate) fn closing_token(&self) -> CancellationToken {
        self.closing.child_token()
    }

    /// A token of one connection: its waiters do not share a lock with other connections.
    pub(crate) fn cut_token(&self) -> CancellationToken {
        self.cut.child_token()
    }
}
