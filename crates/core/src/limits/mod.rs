//! How much a caller may use.
//!
//! Requests of a key, counted in this process. Buckets outlive a reload as long as their quota stays the same.

pub mod local;
