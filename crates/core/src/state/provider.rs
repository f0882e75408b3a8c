//! A provider as the data plane uses it: addresses, headers and timers made ready once.

use crate::{
    health::{KeyPool, RetryBudget, key_pool::KeySpec, lookout::Door},
    limits::scope::LimitScope,
    state::{certificate::CertificateError, handles::ProviderMetrics, paths::Paths},
    telemetry::trace::BadCollector,
    upstream::client::UpstreamClient,
};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use sluice_config::model::{self, OnDisconnect, Secret, StreamUsage, Timeouts};
use sluice_protocol::{
    Dialect,
    capability::{self, Family},
    provider::{DropFields, Endpoints, ProviderKind},
};
use std::{borrow::Cow, ops::Deref, pin::Pin, sync::Arc};

/// One upstream account, ready to be asked.
pub struct Provider {
    /// Configured name.
    pub name: Arc<str>,
    /// The name as a header.
    pub header: HeaderValue,
    /// Wire family.
    pub kind: ProviderKind,
    /// Pooled connections.
    pub client: UpstreamClient,
    /// Our own care for the account.
    pub limits: Option<Arc<LimitScope>>,
    /// Timers.
    pub timeouts: Timeouts,
    /// Members that are not forwarded.
    pub drop: DropFields,
    /// May usage be asked for on streams?
    pub ask_usage: bool,
    /// Send `traceparent`.
    pub trace: bool,
    /// Which credential may be used now.
    pub pool: Arc<KeyPool>,
    /// How often its requests may be repeated.
    pub retries: Arc<RetryBudget>,
    /// Resolved metric handles.
    pub metrics: ProviderMetrics,
    /// What a leaving client means for a call under way.
    pub on_disconnect: OnDisconnect,
    /// One ready set of headers per credential of the pool, in its order.
    headers: Vec<Headers>,
    base: Uri,
    paths: Paths,
    /// What it has itself, where the operator says so.
    endpoints: Option<Endpoints>,
    /// What its kind is called in the tables of capabilities.
    pub preset: &'static str,
    /// What must never appear in a message.
    pub secrets: Vec<Secret>,
}

/// What is known of a model at a provider: what the tables say, or with endpoints that the operator has told.
#[derive(Clone)]
pub enum Known {
    /// The tables alone.
    Table(&'static Family),
    /// The operator, too.
    Told(Arc<Family>),
}

impl Deref for Known {
    type Target = Family;

    fn deref(&self) -> &Family {
        match self {
            Self::Table(family) => family,
            Self::Told(family) => family,
        }
    }
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
    /// An address of Redis can never be used.
    #[error("redis: {0}")]
    Redis(String),
    /// Traces can never be sent.
    #[error(transparent)]
    Traces(#[from] BadCollector),
    /// The certificate for clients cannot be used.
    #[error("listeners.api.tls: {0}")]
    Certificate(#[from] CertificateError),
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
    pub fn build(
        settings: &model::Provider,
        client: UpstreamClient,
        (pool, retries): (Arc<KeyPool>, Arc<RetryBudget>),
        metrics: ProviderMetrics,
    ) -> Result<Self, ProviderError> {
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
            name: name.as_str().into(),
            kind: settings.preset.kind,
            client,
            limits: None,
            timeouts: settings.timeouts,
            drop,
            ask_usage: settings.stream_usage == StreamUsage::Auto,
            trace: settings.trace,
            pool,
            retries,
            metrics,
            on_disconnect: settings.on_client_disconnect,
            headers: with_credentials(settings, &headers)?,
            paths: Paths::of(settings, &base).ok_or_else(bad_url)?,
            base,
            endpoints: settings.endpoints.as_deref().map(model::Endpoint::set),
            preset: settings.preset.id,
            secrets: settings
                .keys
                .iter()
                .map(|key| key.value.clone())
                .chain(settings.headers.iter().map(|(_, value)| value.clone()))
                .collect(),
        })
    }

    /// Where requests of a dialect go. Nowhere, where the model's name cannot be part of an address.
    #[must_use]
    pub fn uri(&self, dialect: Dialect, model: &str) -> Option<Cow<'_, Uri>> {
        self.paths.find(&self.base, dialect, model)
    }

    /// Host and port of its address.
    #[must_use]
    pub fn address(&self) -> (&str, u16) {
        let host = self.base.host().unwrap_or_default().trim_matches(['[', ']']);
        let usual = if self.base.scheme_str() == Some("https") { 443 } else { 80 };
        (host, self.base.port_u16().unwrap_or(usual))
    }

    /// What is known of a model here; `endpoints` where the operator says of a target what it has.
    #[must_use]
    pub fn family(&self, model: &str, endpoints: Option<Endpoints>) -> Known {
        let family = capability::family(self.preset, model);
        match endpoints.or(self.endpoints) {
            None => Known::Table(family),
            Some(endpoints) => Known::Told(Arc::new(family.serving(endpoints))),
        }
    }

    /// Headers of a new request, with the credential at this place of the pool.
    #[must_use]
    pub fn headers(&self, stream: bool, key: usize) -> HeaderMap {
        let ready = self.headers.get(key);
        ready.map_or_else(
            HeaderMap::new,
            |ready| if stream { ready.stream.clone() } else { ready.plain.clone() },
        )
    }

    /// Are there credentials? Else the pool holds one that has no name and no secret.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.pool.name(0).is_some_and(|name| !name.is_empty())
    }

    /// The pool's keys as they are configured; one without a name where the upstream wants no credential.
    #[must_use]
    pub fn keys(settings: &model::Provider) -> Vec<KeySpec> {
        let key = |key: &model::PoolKey| KeySpec {
            name: key.name.as_str().into(),
            weight: key.weight,
            fingerprint: *blake3::hash(key.value.expose().as_bytes()).as_bytes(),
        };
        if settings.keys.is_empty() {
            return vec![KeySpec { name: "".into(), weight: 1, fingerprint: [0; 32] }];
        }
        settings.keys.iter().map(key).collect()
    }
}

impl Door for Provider {
    fn opens(self: Arc<Self>) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        Box::pin(async move { self.client.can_connect(&self.base).await })
    }
}

/// So many more a request is likely to add: a copy has room for them without being hashed anew.
const MORE: usize = 8;

/// Headers of a request, ready to be copied.
struct Headers {
    plain: HeaderMap,
    stream: HeaderMap,
}

impl Headers {
    fn new(common: &HeaderMap, credential: Option<&(HeaderName, HeaderValue)>) -> Self {
        let with = |accept: &'static str| {
            let mut headers = common.clone();
            headers.reserve(MORE);
            headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static(accept));
            if let Some((name, value)) = credential {
                headers.insert(name.clone(), value.clone());
            }
            headers
        };
        Self { plain: with("application/json"), stream: with("text/event-stream") }
    }
}

fn with_credentials(settings: &model::Provider, common: &HeaderMap) -> Result<Vec<Headers>, ProviderError> {
    if settings.keys.is_empty() {
        return Ok(vec![Headers::new(common, None)]);
    }
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
            Ok(Headers::new(common, Some(&(name, value))))
        })
        .collect()
}
