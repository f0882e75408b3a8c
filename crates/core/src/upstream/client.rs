//! One provider's HTTP client.
//!
//! Owns its TLS settings, how a connection is come by, and the one silent retry that a reused connection's death
//! allows. Timers of an attempt, statuses and bodies are the attempt's. On HTTP/1.1 connections rest in `lanes` and move
//! with their requests; on HTTP/2, where one carries many, they are hyper-util's pool's and move by themselves.

use crate::upstream::{
    answer::AnswerBody,
    body::{RequestBody, Sent},
    connect::{ConnectError, Connector},
    connections::{Carried, Connections},
    errand::Outgoing,
    lane::{Lane, MAX_HEAD, Unanswered},
    lanes::{Address, Lanes, MOST, REST},
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
use std::{error::Error as _, path::Path, sync::Arc, time::Duration};
use tokio_util::task::TaskTracker;

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

/// A provider's client. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct UpstreamClient {
    way: Way,
    connector: Connector,
    connections: Connections,
    reused_retries: IntCounter,
}

#[derive(Clone)]
enum Way {
    /// HTTP/1.1.
    Lanes(Lanes),
    /// HTTP/2, or whatever the handshake comes to.
    Pool(Box<Client<Connector, RequestBody>>),
}

/// A request, to be written as often as it is sent.
struct Asking<'a, H> {
    uri: &'a Uri,
    headers: H,
    outgoing: &'a Arc<Outgoing>,
    sent: &'a Sent,
}

impl UpstreamClient {
    /// A client without connections. Those that rest are looked after by a task of `tasks`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        settings: &ClientSettings,
        connects: Histogram,
        reused_retries: IntCounter,
        connections: Connections,
        tasks: TaskTracker,
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
        let way = if settings.http2 {
            Way::Pool(Box::new(pool(connector.clone(), !settings.secure)))
        } else {
            Way::Lanes(Lanes::new(tasks))
        };
        Ok(Self { way, connector, connections, reused_retries })
    }

    /// Connections of its own and of those that it replaced.
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
        outgoing: &Arc<Outgoing>,
        sent: &Sent,
    ) -> Result<Response<AnswerBody>, SendError> {
        // Ends with the answer's body, or with the wait for it.
        let in_use = self.connections.carry();
        let asking = Asking { uri, headers, outgoing, sent };
        match &self.way {
            Way::Lanes(lanes) => self.ask_on_a_lane(lanes, &asking, in_use).await,
            Way::Pool(pool) => {
                // A connection that dies says nothing of one of its many requests: none is sent again.
                let response =
                    pool.request(asking.request(uri.clone())).await.map_err(|error| explain(&error))?;
                Ok(response.map(|incoming| AnswerBody::apart(incoming, in_use)))
            }
        }
    }

    async fn ask_on_a_lane(
        &self,
        lanes: &Lanes,
        asking: &Asking<'_, impl Fn() -> HeaderMap>,
        in_use: Carried,
    ) -> Result<Response<AnswerBody>, SendError> {
        let Some(address) = Address::of(asking.uri) else {
            return Err(SendError::Connect(ConnectError::Dns));
        };
        let answered = |(response, lane): (Response<Incoming>, Box<Lane>), address, in_use| {
            response.map(|incoming| AnswerBody::on(lane, incoming, lanes.clone(), address, in_use))
        };
        let mut request = asking.request(path(asking.uri));
        while let Some(lane) = lanes.take(&address) {
            match lane.ask(request).await {
                Ok(asked) => return Ok(answered(asked, address, in_use)),
                // Closed while it rested: nothing was sent, and nothing is sent twice.
                Err(Unanswered { unsent: Some(unsent), .. }) => request = unsent,
                Err(Unanswered { tally, .. })
                    if asking.sent.may_repeat() && tally.died_silently_after_use() =>
                {
                    // On a new connection, which cannot have been closed for its age.
                    self.reused_retries.inc();
                    request = asking.request(path(asking.uri));
                    break;
                }
                Err(Unanswered { tally, .. }) => return Err(unanswered(&tally)),
            }
        }
        // Rare, so its state is no part of every request's.
        let io = Box::pin(self.connector.connect(asking.uri)).await.map_err(SendError::Connect)?;
        let lane = Lane::open(io).await.map_err(|_| SendError::Died)?;
        match lane.ask(request).await {
            Ok(asked) => Ok(answered(asked, address, in_use)),
            Err(Unanswered { tally, .. }) => Err(unanswered(&tally)),
        }
    }
}

impl<H: Fn() -> HeaderMap> Asking<'_, H> {
    fn request(&self, uri: Uri) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::new(self.outgoing.clone(), self.sent.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = (self.headers)();
        request
    }
}

/// What stands in the request line: the address is told by `Host`.
fn path(uri: &Uri) -> Uri {
    uri.path_and_query().map_or_else(Uri::default, |path| Uri::from(path.clone()))
}

/// The pool for HTTP/2.
fn pool(connector: Connector, is_plain: bool) -> Client<Connector, RequestBody> {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(REST)
        .pool_max_idle_per_host(MOST)
        // Only plain-text HTTP/2 must be told; with TLS the handshake agrees on it.
        .http2_only(is_plain)
        .http1_max_buf_size(MAX_HEAD)
        .set_host(false)
        // A request that was never begun on a dying connection goes out on another: nothing is sent twice.
        .retry_canceled_requests(true)
        .build(connector)
}

fn unanswered(tally: &Tally) -> SendError {
    if tally.answered() { SendError::BadHead } else { SendError::Died }
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
    let mut extras = http::Extensions::new();
    error.connect_info().inspect(|info| info.get_extras(&mut extras));
    extras.get::<Tally>().map_or(SendError::Died, unanswered)
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
