//! `providers`: where requests can go. Addresses and credentials come from here alone.

use super::{Endpoint, Limits, PemFile, Proxy, Secret};
use crate::text::{self, As, KindName, Name};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use sluice_protocol::provider::Preset;
use std::{collections::BTreeMap, time::Duration};

/// One upstream account.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Unique name.
    #[schemars(with = "As<Name>")]
    pub name: String,
    /// What `kind:` named: dialect, default address, auth style, known quirks.
    #[serde(rename = "kind", deserialize_with = "text::required::<KindName, _>")]
    #[schemars(with = "As<KindName>")]
    pub preset: &'static Preset,
    /// Absolute `http` or `https` URL with its version segment and no trailing slash.
    #[schemars(extend("x-derived" = "this kind has no address of its own: base_url: \"https://host/v1\""))]
    pub base_url: String,
    /// Key pool; empty for upstreams that want none.
    #[schemars(extend("default" = []))]
    pub keys: Vec<PoolKey>,
    /// Timers.
    #[schemars(extend("default" = {}))]
    pub timeouts: Timeouts,
    /// Requests in flight to this provider.
    #[schemars(range(min = 1))]
    pub max_concurrency: Option<usize>,
    /// Our own care for a shared account.
    pub limits: Option<Limits>,
    /// The endpoints that it has itself; calls of others are put to it in another dialect where that is possible.
    /// Absent: what is known of the kind and of the model.
    pub endpoints: Option<Vec<Endpoint>>,
    /// Azure alone: `api-version` of the addresses by deployment (`…/deployments/{model}/…`). Absent: the addresses
    /// without a version (`…/openai/v1`).
    pub api_version: Option<String>,
    /// Members that are not forwarded: a name at top level, or `**.name` wherever the dialect defines it.
    #[schemars(extend("x-derived" = "what the kind is known to refuse"))]
    pub drop_fields: Vec<String>,
    /// May we ask for `stream_options.include_usage`?
    #[schemars(extend("x-derived" = "auto, unless the kind is known to refuse it"))]
    pub stream_usage: StreamUsage,
    /// HTTP/2 to this upstream.
    #[schemars(extend("default" = false))]
    pub http2: bool,
    /// Send `traceparent`: of the try where traces are made, else the client's as it came.
    #[schemars(extend("default" = false))]
    pub trace: bool,
    /// What becomes of the upstream call when the client leaves before its end.
    #[schemars(extend("default" = "cancel"))]
    pub on_client_disconnect: OnDisconnect,
    /// Allow private, loopback and link-local addresses.
    #[schemars(extend("x-derived" = "false, unless the kind runs on this machine"))]
    pub allow_private: bool,
    /// Extra headers to this upstream, in the file's order.
    #[serde(deserialize_with = "in_order")]
    #[schemars(with = "BTreeMap<String, Secret>", extend("default" = {}))]
    pub headers: Vec<(String, Secret)>,
    /// Further trusted certificate authorities, PEM.
    pub ca_file: Option<PemFile>,
    /// HTTP proxy through which it is reached, by `CONNECT`: `http://[user:password@]host:port`. The environment is never
    /// asked for one.
    pub proxy: Option<Proxy>,
}

impl Provider {
    /// Does its address name a version, `…/v1`? Azure's addresses by deployment do not.
    #[must_use]
    pub fn has_version_segment(&self) -> bool {
        self.base_url.split('/').skip(3).any(is_version)
    }
}

/// `v1`, `v1beta`, `v2.1`.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// One credential of a provider.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolKey {
    /// Unique within the provider; shown in metrics.
    #[schemars(with = "As<Name>")]
    pub name: String,
    /// The credential.
    pub value: Secret,
    /// Share of the traffic, relative to the pool's other keys.
    #[schemars(extend("default" = 1))]
    pub weight: u32,
}

/// Timers of an upstream call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timeouts {
    /// TCP, the way through a proxy, and TLS.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "5s"))]
    pub connect: Duration,
    /// From the request sent to the first byte of a plain answer's head, or the first event of a stream.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "60s"))]
    pub first_byte: Duration,
    /// Silence within an answer.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "60s"))]
    pub idle: Duration,
    /// Whole answer.
    #[serde(deserialize_with = "text::required::<Duration, _>")]
    #[schemars(with = "As<Duration>", extend("default" = "30m"))]
    pub total: Duration,
}

/// Whether `stream_options.include_usage` may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamUsage {
    /// Ask when the client did not.
    Auto,
    /// The upstream refuses `stream_options`.
    Never,
}

/// What a leaving client means for the upstream call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDisconnect {
    /// It is cancelled; what was used is estimated where the upstream did not say it.
    Cancel,
    /// It is read to its end, for the true usage.
    Drain,
}

/// Headers in the file's order.
pub(super) fn in_order<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(String, Secret)>, D::Error> {
    struct Headers;

    impl<'de> Visitor<'de> for Headers {
        type Value = Vec<(String, Secret)>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("a map of header names and values")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut headers = Vec::new();
            while let Some(header) = map.next_entry()? {
                headers.push(header);
            }
            Ok(headers)
        }
    }

    deserializer.deserialize_map(Headers)
}
