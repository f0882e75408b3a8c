//! A provider as the data plane uses it: addresses, headers and timers made ready once.

use crate::upstream::client::UpstreamClient;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header, uri::PathAndQuery};
use sluice_config::model::{self, Secret, StreamUsage, Timeouts};
use sluice_protocol::{
    Dialect,
    provider::{self, DropFields, ProviderKind},
};

/// One upstream account, ready to be asked.
pub struct Provider {
    /// Configured name.
    pub name: String,
    /// The name as a header.
    pub header: HeaderValue,
    /// Wire family.
    pub kind: ProviderKind,
    /// Pooled connections.
    pub client: UpstreamClient,
    /// Timers.
    pub timeouts: Timeouts,
    /// Members that are not forwarded.
    pub drop: DropFields,
    /// May usage be asked for on streams?
    pub ask_usage: bool,
    /// Pass `traceparent` on.
    pub trace: bool,
    /// Content type, user agent, host, configured extras: the same on every request.
    headers: HeaderMap,
    /// Credentials with the running sum of their weights; empty where the upstream wants none.
    credentials: Vec<(u32, HeaderName, HeaderValue)>,
    base: Uri,
    paths: [(Dialect, Uri); 5],
    /// What must never appear in a message.
    pub secrets: Vec<Secret>,
}

/// Why a provider cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The address is no URL.
    #[error("provider `{0}`: base_url is not an address")]
    BaseUrl(String),
    /// A key or an extra header holds characters that a header cannot carry.
    #[error("provider `{0}`: `{1}` cannot be sent as a header")]
    Header(String, String),
    /// An entry of `drop_fields` is not understood.
    #[error("provider `{0}`: drop_fields: {1}")]
    DropFields(String, String),
    /// TLS could not be set up.
    #[error("provider `{0}`: {1}")]
    Tls(String, String),
}

/// Name and version that upstreams see.
const USER_AGENT: &str = concat!("sluice/", env!("CARGO_PKG_VERSION"));

impl Provider {
    /// Makes a provider ready.
    ///
    /// # Errors
    /// When the settings hold what no validated settings hold, or a credential cannot be a header.
    pub fn build(settings: &model::Provider, client: UpstreamClient) -> Result<Self, ProviderError> {
        let name = &settings.name;
        let bad_url = || ProviderError::BaseUrl(name.clone());
        let base: Uri = settings.base_url.parse().map_err(|_| bad_url())?;
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        // What we read we must be able to check and pass on: no encodings.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let host = base.authority().ok_or_else(bad_url)?.as_str();
        headers.insert(header::HOST, HeaderValue::try_from(host).map_err(|_| bad_url())?);
        for (header_name, value) in &settings.headers {
            let bad = || ProviderError::Header(name.clone(), header_name.clone());
            let mut text = HeaderValue::try_from(value.expose()).map_err(|_| bad())?;
            text.set_sensitive(true);
            headers.insert(HeaderName::try_from(header_name).map_err(|_| bad())?, text);
        }
        let drop = DropFields::parse(&settings.drop_fields)
            .map_err(|fault| ProviderError::DropFields(name.clone(), fault.to_string()))?;
        let bad_name = |_| ProviderError::Header(name.clone(), "name".to_owned());
        Ok(Self {
            header: HeaderValue::try_from(name).map_err(bad_name)?,
            name: name.clone(),
            kind: settings.preset.kind,
            client,
            timeouts: settings.timeouts,
            drop,
            ask_usage: settings.stream_usage == StreamUsage::Auto,
            trace: settings.trace,
            headers,
            credentials: credentials(settings)?,
            paths: paths(&base).ok_or_else(bad_url)?,
            base,
            secrets: settings
                .keys
                .iter()
                .map(|key| key.value.clone())
                .chain(settings.headers.iter().map(|(_, value)| value.clone()))
                .collect(),
        })
    }

    /// Where requests of a dialect go.
    #[must_use]
    pub fn uri(&self, dialect: Dialect) -> &Uri {
        self.paths.iter().find(|(own, _)| *own == dialect).map_or(&self.base, |(_, uri)| uri)
    }

    /// Headers of a new request, with one credential of the pool.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        let total = self.credentials.last().map_or(0, |(sum, ..)| *sum);
        if total > 0 {
            let ticket = fastrand::u32(0..total);
            if let Some((_, name, value)) = self.credentials.iter().find(|(sum, ..)| ticket < *sum) {
                headers.insert(name.clone(), value.clone());
            }
        }
        headers
    }
}

fn credentials(settings: &model::Provider) -> Result<Vec<(u32, HeaderName, HeaderValue)>, ProviderError> {
    let mut sum = 0;
    settings
        .keys
        .iter()
        .map(|key| {
            let secret = key.value.expose();
            let (name, text) = match settings.preset.kind {
                ProviderKind::OpenAi | ProviderKind::OpenAiCompatible => {
                    (header::AUTHORIZATION, format!("Bearer {secret}"))
                }
                ProviderKind::Anthropic => (HeaderName::from_static("x-api-key"), secret.to_owned()),
                ProviderKind::Azure => (HeaderName::from_static("api-key"), secret.to_owned()),
            };
            let mut value = HeaderValue::try_from(text)
                .map_err(|_| ProviderError::Header(settings.name.clone(), format!("keys.{}", key.name)))?;
            value.set_sensitive(true);
            sum += key.weight;
            Ok((sum, name, value))
        })
        .collect()
}

/// One ready address per dialect.
fn paths(base: &Uri) -> Option<[(Dialect, Uri); 5]> {
    let at = |dialect: Dialect| {
        let path = format!("{}{}", base.path().trim_end_matches('/'), provider::path(dialect));
        let mut parts = base.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
        Some((dialect, Uri::from_parts(parts).ok()?))
    };
    Some([
        at(Dialect::Completions)?,
        at(Dialect::Chat)?,
        at(Dialect::Embeddings)?,
        at(Dialect::Responses)?,
        at(Dialect::Messages)?,
    ])
}
