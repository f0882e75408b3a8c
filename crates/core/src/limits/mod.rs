//! How much a caller may use.
//!
//! ```text
//! bucket     one bucket, wherever it is counted; the time
//! local      a key's requests, counted in this process (governor)
//! cell       a bucket with the same arithmetic that can look, give back and be in debt
//! pot        money for a calendar period
//! shared     slices of buckets that all replicas share through Redis
//! scope      what limits one key, tenant, model or provider
//! state      everything of a scope that changes
//! admission  taking from every scope that applies, or from none; settled when the request has ended
//! queue      waiting a little instead of a refusal
//! refusal    what a refused client is told
//! learned    how long answers usually are, by key and model
//! holding    all that one request holds, from its admission to its end
//! warning    a budget comes near its end
//! share      what one tenant may hold of all requests in flight
//! ```
//!
//! `queue -> shared -> admission -> state -> bucket -> {local, cell, pot, shared::lease}`. Buckets outlive a reload
//! as long as their quota stays the same.

pub mod admission;
pub mod bucket;
pub mod cell;
pub mod holding;
pub mod learned;
pub mod local;
pub mod pot;
pub mod queue;
pub mod refusal;
pub mod scope;
pub mod share;
pub mod shared;
mod state;
mod warning;
