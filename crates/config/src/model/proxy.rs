//! `providers[].proxy`: an HTTP proxy on the way to an upstream.

use super::Secret;

/// Where the proxy is, and who we are to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Proxy {
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// `user:password`, as it is sent.
    pub credentials: Option<Secret>,
}
