//! What a request looks things up in: the immutable snapshot of one configuration, and the state that
//! outlives it.

pub mod background;
mod callers;
mod caps;
pub mod certificate;
mod fallback_edges;
pub mod handles;
pub mod health_gauges;
pub mod keys;
pub mod limit_gauges;
pub mod limits;
pub mod names;
pub mod paths;
pub mod prices;
pub mod provider;
pub mod routes;
pub mod shared;
pub mod snapshot;
pub mod unclaimed;
pub mod upstream_status;
