//! Work that goes on behind the requests' backs: writes to the second tier, answers whose clients have left, and
//! what keeps links alive.

use crate::state::unclaimed::Unclaimed;
use std::time::Duration;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Tasks that belong to no request; they end with the gateway.
#[derive(Default)]
pub struct Background {
    /// Those that run until they are stopped.
    pub tasks: TaskTracker,
    /// Those that end by themselves, and are worth waiting for.
    pub writing: TaskTracker,
    /// Answers that are read to their end without a client. They end with the requests, before all the rest.
    pub unclaimed: Unclaimed,
    /// Fires when the gateway ends.
    pub stop: CancellationToken,
}

impl Background {
    /// Waits for what is being written, no longer than `patience`, and ends the rest.
    pub async fn finish(&self, patience: Duration) {
        self.writing.close();
        // What is not written by then is asked for again one day.
        tokio::time::timeout(patience, self.writing.wait()).await.ok();
        self.unclaimed.give_up();
        self.stop.cancel();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.unclaimed.give_up();
        self.stop.cancel();
    }
}
