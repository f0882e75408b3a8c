//! One provider's pooled HTTP client.
//!
//! Owns the pool, its TLS settings and the one silent retry that a reused connection's death allows. Timers of
//! an attempt, statuses and bodies are the attempt's.

use crate::upstream::{
    body::{RequestBody, Sent},
    connect::{ConnectError, Connector},
    connections::{AnswerBody, Connections},
    proxy::Tunnel,
    tally::Tally,
};
use http::{HeaderMap, Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, Error},
    rt::{TokioExecutor, TokioTimer},
};
use prometheus::{Histogram, IntCounter};
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject};
use sluice_config::model::{self, PemFile};
use sluice_protocol::splice::Segments;
use std::{error::Error as _, path::Path, sync::Arc, time::Duration};

/// Providers close idle connections after a minute or so; we leave a little earlier.
const IDLE: Duration = Duration::from_secs(50);
const IDLE_PER_HOST: usize = 1024;
/// Larger response heads are refused.
const MAX_HEAD: usize = 256 << 10;

/// How a provider is connected to. Equal settings share a pool across reloads.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientSettings {
    secure: bool,
    http2: bool,
    allow_private: bool,
    connect: Duration,
    ca_file: Option<PemFile>,
    proxy: Option<model::Proxy>,
}

impl ClientSettings {
    /// What of a provider's settings decides how it is connected to. Its address is not among them: the pool
    /// keeps one set of connections per address.
    #[must_use]
    pub fn of(provider: &model::Provider) -> Self {
        Self {
            secure: provider.base_url.starts_with("https:"),
            http2: provider.http2,
            allow_private: provider.allow_private,
            connect: provider.timeouts.connect,
            ca_file: provider.ca_file.clone(),
            proxy: provider.proxy.clone(),
        }
    }
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// `ca_file` cannot be read or holds no certificate.
    #[error("ca_file: {0}")]
    CaFile(String),
    /// rustls refuses the settings.
    #[error("tls: {0}")]
    Rustls(#[from] rustls::Error),
}

/// Why no response head came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// No connection.
    Connect(ConnectError),
    /// The connection ended or was reset without a byte of an answer.
    Died,
    /// Bytes came, but no proper HTTP head.
    BadHead,
}

/// A provider's client. Cheap to clone; clones share the pool.
#[derive(Clone)]
pub struct UpstreamClient {
    pooled: Client<Connector, RequestBody>,
    /// Never reuses a connection: for the retry that must not meet a second dead one.
    fresh: Client<Connector, RequestBody>,
    connector: Connector,
    connections: Connections,
    reused_retries: IntCounter,
    /// On HTTP/2 a connection carries many requests: its end says nothing of one of them.
    http2: bool,
}

impl UpstreamClient {
    /// A client with an empty pool.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        settings: &ClientSettings,
        connects: Histogram,
        reused_retries: IntCounter,
        connections: Connections,
    ) -> Result<Self, TlsError> {
        let tls = if settings.secure {
            Some(Arc::new(tls_config(settings.ca_file.as_deref(), settings.http2)?))
        } else {
            None
        };
        let connector = Connector::new(
            settings.allow_private,
            settings.connect,
            tls,
            settings.proxy.as_ref().map(Tunnel::new),
            Some(connects),
            connections.clone(),
        );
        let client = |idle_per_host| {
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(idle_per_host)
                // Only plain-text HTTP/2 must be told; with TLS the handshake agrees on it.
                .http2_only(settings.http2 && !settings.secure)
                .http1_max_buf_size(MAX_HEAD)
                .set_host(false)
                // A request that was never begun on a dying connection goes out on another: nothing is sent twice.
                .retry_canceled_requests(true)
                .build(connector.clone())
        };
        let (pooled, fresh) = (client(IDLE_PER_HOST), client(0));
        Ok(Self { pooled, fresh, connector, connections, reused_retries, http2: settings.http2 })
    }

    /// Connections of its own and of the pools that it replaced.
    #[must_use]
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Can a connection be made now? It is closed at once, and nothing is sent on it.
    pub async fn can_connect(&self, uri: &Uri) -> bool {
        self.connector.can_connect(uri).await
    }

    /// Sends a POST and waits for the head of the answer. `headers` is called once per sending; `sent` is told when
    /// the first of them begins.
    ///
    /// # Errors
    /// When no connection can be made or no head comes. There is no timer here.
    pub async fn post(
        &self,
        uri: &Uri,
        headers: impl Fn() -> HeaderMap,
        body: &Segments,
        sent: &Sent,
    ) -> Result<Response<AnswerBody>, SendError> {
        // Ends with the answer's body, or with the wait for it.
        let in_use = self.connections.carry();
        let asked = self.ask(uri, headers, body, sent).await;
        asked.map(|response| response.map(|incoming| AnswerBody::new(incoming, in_use)))
    }

    async fn ask(
        &self,
        uri: &Uri,
        headers: impl Fn() -> HeaderMap,
        body: &Segments,
        sent: &Sent,
    ) -> Result<Response<Incoming>, SendError> {
        match self.pooled.request(request(uri, headers(), body, sent)).await {
            Ok(response) => Ok(response),
            Err(error) if !self.http2 && sent.may_repeat() && died_silently_after_use(&error) => {
                self.reused_retries.inc();
                self.fresh.request(request(uri, headers(), body, sent)).await.map_err(|error| explain(&error))
            }
            Err(error) => Err(explain(&error)),
        }
    }
}

fn request(uri: &Uri, headers: HeaderMap, body: &Segments, sent: &Sent) -> Request<RequestBody> {
    let mut request = Request::new(RequestBody::new(body.clone(), sent.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = headers;
    request
}

fn tally(error: &Error) -> Option<Tally> {
    let mut extras = http::Extensions::new();
    error.connect_info()?.get_extras(&mut extras);
    extras.remove::<Tally>()
}

fn died_silently_after_use(error: &Error) -> bool {
    tally(error).is_some_and(|tally| tally.died_silently_after_use())
}

fn explain(error: &Error) -> SendError {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(connect) = cause.downcast_ref::<ConnectError>() {
            return SendError::Connect(*connect);
        }
        source = cause.source();
    }
    if error.is_connect() {
        return SendError::Connect(ConnectError::Tcp);
    }
    if tally(error).is_some_and(|tally| tally.answered()) { SendError::BadHead } else { SendError::Died }
}

/// Trusts the public authorities, and those of a file.
///
/// # Errors
/// When the file cannot be used.
pub(crate) fn tls_config(ca_file: Option<&Path>, http2: bool) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca_file {
        let fault = |text: String| TlsError::CaFile(format!("{}: {text}", path.display()));
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))?;
        let mut found = 0;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| fault(error.to_string()))?;
            roots.add(certificate).map_err(|error| fault(error.to_string()))?;
            found += 1;
        }
        if found == 0 {
            return Err(fault("no certificate in it".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols =
        if http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    Ok(config)
}
