//! Errors of upstreams: the message in whatever shape it comes, the cleaning that it needs before a client may
//! see it, and when the upstream wants to be asked again.
//!
//! What status the client gets, and whether another target is tried, is decided elsewhere.

mod read;
mod redact;
pub mod retry;

pub use read::{UpstreamMessage, message};
pub use redact::{cut, redact};
