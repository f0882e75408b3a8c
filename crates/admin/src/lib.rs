//! The admin listener: `/livez`, `/readyz`, `/metrics`, `/status` and an index at `/`.
//!
//! It only reads: everything it shows comes from [`sluice_core::App`], and no request of a client ever
//! passes through here. `/livez`, `/readyz` and `/metrics` want no token, so that probes and scrapers stay
//! simple; `/status` and everything under `/-/` want the token as soon as one is set.
//!
//! Without a token the listener is on loopback (the configuration insists on it), and then a `Host` header
//! must name this machine: otherwise a web page could read the answers by rebinding its own DNS name.

mod auth;
mod health;
mod listen;
mod metrics;
mod reply;
mod routes;
mod status;

pub use listen::{AdminServer, BindError};
