//! The link to Redis, which the response cache and the shared rate limits use.
//!
//! ```text
//! link        what callers use: one operation, bounded in time, never waiting for a connection
//! keeper      the background task: connects, watches, connects again
//! breaker     when a connection is given up
//! topology    how one server, a master behind Sentinel, or a cluster is reached
//! trouble     what an operation can fail with, in closed words
//! metrics     the handles that the link counts with
//! ```
//!
//! `link -> {breaker, trouble, metrics}`, `keeper -> {link, topology}`. Nothing here knows what is stored: keys and
//! scripts are their owners'. Redis is never needed to serve a request: every trouble is an answer that callers live
//! with.

mod breaker;
mod keeper;
pub mod link;
pub mod metrics;
#[cfg(test)]
pub(crate) mod testing;
mod topology;
pub mod trouble;

pub use link::{LinkSettings, LinkState, RedisLink};
pub use metrics::{LinkMetrics, Op};
pub use topology::LinkError;
pub use trouble::{RefusedKind, Trouble};
