//! How much a caller may use.
//!
//! ```text
//! local      a key's requests, counted in this process (governor): the one limit that requests meet so far
//! cell       a bucket with the same arithmetic that can look, give back and be in debt
//! scope      what limits one key, tenant, model or provider
//! admission  taking from every scope that applies, or from none; settled when the request has ended
//! queue      waiting a little instead of a refusal
//! refusal    what a refused client is told
//! learned    how long answers usually are, by key and model
//! ```
//!
//! Buckets outlive a reload as long as their quota stays the same. Only `local` is on the request's path: the
//! pipeline does not reserve tokens or count concurrency yet.

pub mod admission;
pub mod cell;
pub mod learned;
pub mod local;
pub mod queue;
pub mod refusal;
pub mod scope;
