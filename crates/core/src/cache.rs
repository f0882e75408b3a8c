//! Answers kept and given again.
//!
//! ```text
//! policy       may this request be answered from the cache: mode, the request's own word, the client's headers
//! key          what decides an answer, and who may share it, as 256 bits
//! entry        a stored answer, as the upstream sent it
//! replay       a stored answer in the form in which a client asked for it
//! record       an entry as bytes for the second tier: versioned, checksummed, bound to its key
//! metrics      handles
//! memory       the first tier: this process
//! redis        the second tier: shared by replicas; its trouble is a slower miss and nothing else
//! generations  purging by numbers instead of scans
//! flight       one answer under way, read by everybody who asked the same
//! flights      the flights that may be joined
//! store        all of it together: look up, keep, purge
//! ```
//!
//! Talks to neither upstreams nor clients: what leads a flight, and looks into the second tier before it asks
//! anybody, is `upstream::share` and `upstream::lead`; what a client is sent is `reply`'s.

pub mod entry;
pub mod flight;
pub mod flights;
pub mod generations;
mod held;
pub mod key;
pub mod memory;
pub mod metrics;
pub mod policy;
pub mod record;
pub mod redis;
pub mod replay;
pub mod store;
