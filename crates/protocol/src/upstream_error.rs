//! Errors of upstreams: the message in whatever shape it comes, and the cleaning that it needs before a
//! client may see it.
//!
//! What status the client gets, and whether another target is tried, is decided elsewhere.

mod read;
mod redact;

pub use read::{UpstreamMessage, message};
pub use redact::{cut, redact};
