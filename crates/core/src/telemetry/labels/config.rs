//! Labels about the configuration.

use super::labels;

labels! {
    /// What became of a new configuration.
    Reload {
        /// It is in force.
        Ok = "ok",
        /// The old one stays.
        Rejected = "rejected",
    }
}
