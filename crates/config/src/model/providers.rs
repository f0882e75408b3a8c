//! `providers`: where requests can go. Addresses and credentials come from here alone.

use super::{Limits, Secret};
use sluice_protocol::provider::Preset;
use std::{path::PathBuf, time::Duration};

/// One upstream account.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// Unique name.
    pub name: String,
    /// What `kind:` named: dialect, default address, auth style, known quirks.
    pub preset: &'static Preset,
    /// Absolute `http` or `https` URL with its version segment and no trailing slash.
    pub base_url: String,
    /// Key pool; empty for upstreams that want none.
    pub keys: Vec<PoolKey>,
    /// Timers.
    pub timeouts: Timeouts,
    /// Requests in flight to this provider.
    pub max_concurrency: Option<usize>,
    /// Our own care for a shared account.
    pub limits: Option<Limits>,
    /// Members that are not forwarded: a name at top level, or `**.name` wherever the dialect defines it.
    pub drop_fields: Vec<String>,
    /// May we ask for `stream_options.include_usage`?
    pub stream_usage: StreamUsage,
    /// HTTP/2 to this upstream.
    pub http2: bool,
    /// Pass `traceparent` on.
    pub trace: bool,
    /// What a leaving client means for the upstream call.
    pub on_client_disconnect: OnDisconnect,
    /// Allow private, loopback and link-local addresses.
    pub allow_private: bool,
    /// Extra headers to this upstream, in the file's order.
    pub headers: Vec<(String, Secret)>,
    /// Further trusted certificate authorities, PEM.
    pub ca_file: Option<PathBuf>,
    /// Outbound proxy.
    pub proxy: Option<String>,
}

/// One credential of a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolKey {
    /// Unique within the provider; shown in metrics.
    pub name: String,
    /// The credential.
    pub value: Secret,
    /// Share of the traffic, relative to the pool's other keys.
    pub weight: u32,
}

/// Timers of an upstream call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP and TLS.
    pub connect: Duration,
    /// From the request sent to the first byte of a plain answer's head, or the first event of a stream.
    pub first_byte: Duration,
    /// Silence within an answer.
    pub idle: Duration,
    /// Whole answer.
    pub total: Duration,
}

/// Whether `stream_options.include_usage` may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamUsage {
    /// Ask when the client did not.
    Auto,
    /// The upstream refuses `stream_options`.
    Never,
}

/// What a leaving client means for the upstream call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDisconnect {
    /// Cancel it.
    Cancel,
    /// Read it to its end, for the true usage.
    Drain,
}
