//! Labels about the export of traces.

use super::labels;

labels! {
    /// Why spans did not come to the collector.
    SpanLoss {
        /// More than could wait.
        QueueFull = "queue_full",
        /// The collector did not want them.
        Refused = "refused",
        /// It did not answer.
        Unreachable = "unreachable",
        /// The process ended first.
        Shutdown = "shutdown",
    }
}
