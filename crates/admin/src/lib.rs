//! The admin listener: `/livez`, `/readyz`, `/metrics`, `/status`, an index at `/`, and what operators do under
//! `/-/`.
//!
//! Everything it shows comes from [`sluice_core::App`], what it does is done there, and no request of a client
//! ever passes through here. `/livez`, `/readyz` and `/metrics` want no token, so that probes and scrapers stay
//! simple; `/status` and everything under `/-/` want the token as soon as one is set.
//!
//! Without a token the listener is on loopback (the configuration insists on it), and then a `Host` header
//! must name this machine: otherwise a web page could read the answers by rebinding its own DNS name. Nor may a
//! page of another site ask for what is under `/-/`, which does its harm without an answer that is read.

mod auth;
mod body;
mod circuits;
mod control;
mod health;
mod listen;
mod log_level;
mod metrics;
mod purge;
mod reload;
mod reply;
mod routes;
mod status;

pub use control::{Control, Doing, ReloadError, Reloaded};
pub use listen::{AdminServer, BindError};
