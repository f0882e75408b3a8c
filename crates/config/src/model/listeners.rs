//! `listeners`: where Sluice listens.

use super::{Bytes, PemFile, Secret};
use crate::text::{self, As};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{net::SocketAddr, time::Duration};

/// Both listeners.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listeners {
    /// The data plane: `/openai/v1/*`, `/v1/*`, `/anthropic/v1/*`.
    #[schemars(extend("default" = {}))]
    pub api: ApiListener,
    /// Health, metrics, status, control.
    #[schemars(extend("default" = {}))]
    pub admin: AdminListener,
}

/// The data plane's listener.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiListener {
    /// Address; port 0 lets the system choose.
    #[schemars(with = "As<SocketAddr>", extend("default" = "127.0.0.1:4000"))]
    pub bind: SocketAddr,
    /// Largest request body.
    #[schemars(extend("default" = "20MiB"))]
    pub max_body: Bytes,
    /// From the first byte of a request head to its end.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "10s"))]
    pub header_timeout: Duration,
    /// From the end of the head to the end of the body.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "30s"))]
    pub body_timeout: Duration,
    /// Open connections; further ones wait in the system's accept queue.
    #[schemars(extend("default" = 20000), range(min = 1))]
    pub max_connections: usize,
    /// Requests being served at once; beyond it 503 with `Retry-After`.
    #[schemars(extend("default" = 20000), range(min = 1))]
    pub max_in_flight: usize,
    /// Networks whose `X-Forwarded-For` is believed.
    #[schemars(with = "Vec<As<ipnet::IpNet>>", extend("default" = []))]
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// `SO_REUSEPORT` on both listeners: another process of the same user takes over on the same ports, then this one
    /// is ended. Of one that drains, the admin listener is closed first.
    #[schemars(extend("default" = false))]
    pub reuse_port: bool,
    /// TLS with one certificate.
    pub tls: Option<Tls>,
    /// Cross-origin rules; absent sends no CORS header.
    pub cors: Option<Cors>,
}

/// The admin listener.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminListener {
    /// Address; port 0 lets the system choose.
    #[schemars(with = "As<SocketAddr>", extend("default" = "127.0.0.1:4001"))]
    pub bind: SocketAddr,
    /// Bearer token; required when bound to anything but loopback.
    pub token: Option<Secret>,
}

/// Certificate and key, PEM files. Read again at a reload.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain.
    pub cert: PemFile,
    /// Private key.
    pub key: PemFile,
}

/// Cross-origin rules.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// Pages that may ask and read: `scheme://host[:port]` as browsers send it, compared to the letter. `*` alone means
    /// every page, which must bring a key.
    pub origins: Vec<String>,
}
