//! `listeners`: where Sluice listens.

use super::{Bytes, Secret};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Both listeners.
#[derive(Debug, Clone, PartialEq)]
pub struct Listeners {
    /// The data plane: `/openai/v1/*`, `/v1/*`, `/anthropic/v1/*`.
    pub api: ApiListener,
    /// Health, metrics, status, control.
    pub admin: AdminListener,
}

/// The data plane's listener.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiListener {
    /// Address; port 0 lets the system choose.
    pub bind: SocketAddr,
    /// Largest request body.
    pub max_body: Bytes,
    /// From the first byte of a request head to its end.
    pub header_timeout: Duration,
    /// From the end of the head to the end of the body.
    pub body_timeout: Duration,
    /// Open connections; further ones wait in the system's accept queue.
    pub max_connections: usize,
    /// Requests being served at once; beyond it 503 with `Retry-After`.
    pub max_in_flight: usize,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// `SO_REUSEPORT`, for binary upgrades side by side.
    pub reuse_port: bool,
    /// TLS with one certificate.
    pub tls: Option<Tls>,
    /// Cross-origin rules; absent sends no CORS header.
    pub cors: Option<Cors>,
}

/// The admin listener.
#[derive(Debug, Clone, PartialEq)]
pub struct AdminListener {
    /// Address; port 0 lets the system choose.
    pub bind: SocketAddr,
    /// Bearer token; required when bound to anything but loopback.
    pub token: Option<Secret>,
}

/// Certificate and key, PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Certificate chain.
    pub cert: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// Cross-origin rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Allowed origins, exact.
    pub origins: Vec<String>,
}
