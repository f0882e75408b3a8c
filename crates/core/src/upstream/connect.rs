//! New upstream connections: resolve, check the address, connect, perhaps through a proxy, secure.
//!
//! Owns the order in which addresses are tried and the connect deadline, which covers all of it. Pooling is
//! the client's.

use crate::upstream::{
    connections::{Connections, Open},
    guard,
    proxy::Tunnel,
    tally::Tally,
};
use http::Uri;
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use prometheus::Histogram;
use rustls::{ClientConfig, pki_types::ServerName};
use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Why no connection could be made. The texts name no address: they reach clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The name does not resolve.
    #[error("its name could not be resolved")]
    Dns,
    /// The address is private and the provider has no `allow_private`.
    #[error("it may not be connected to (misconfigured here)")]
    Blocked,
    /// Refused, unreachable, reset.
    #[error("it could not be reached")]
    Tcp,
    /// The certificate or the handshake.
    #[error("no trusted TLS connection could be made")]
    Tls,
    /// Too slow.
    #[error("it could not be reached in time")]
    Timeout,
    /// The proxy's name does not resolve.
    #[error("the name of the proxy before it could not be resolved")]
    ProxyDns,
    /// The proxy refused the connection, cannot be reached, or left in the middle.
    #[error("the proxy before it could not be reached")]
    ProxyUnreachable,
    /// The proxy wants credentials, or others.
    #[error("the proxy before it wants other credentials (misconfigured here)")]
    ProxyAuth,
    /// The proxy may not, or cannot, connect.
    #[error("the proxy before it did not connect (status {0})")]
    ProxyRefused(u16),
    /// What answered is no proxy.
    #[error("the proxy before it gave no proper answer")]
    ProxyAnswer,
    /// Too slow, somewhere on the way through the proxy.
    #[error("it could not be reached through its proxy in time")]
    ProxyTimeout,
}

impl ConnectError {
    /// A closed word for the log: the operator is told what clients are not.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Blocked => "private_address",
            Self::Tcp => "unreachable",
            Self::Tls => "tls",
            Self::Timeout => "connect_timeout",
            Self::ProxyDns => "proxy_dns",
            Self::ProxyUnreachable => "proxy_unreachable",
            Self::ProxyAuth => "proxy_auth",
            Self::ProxyRefused(_) => "proxy_refused",
            Self::ProxyAnswer => "proxy_answer",
            Self::ProxyTimeout => "proxy_timeout",
        }
    }

    /// Would another try come to the same, or take as long?
    #[must_use]
    pub const fn is_lasting(self) -> bool {
        matches!(self, Self::Timeout | Self::Blocked | Self::ProxyTimeout | Self::ProxyAuth)
    }

    /// The same on the way to a proxy.
    const fn of_the_proxy(self) -> Self {
        match self {
            Self::Dns => Self::ProxyDns,
            Self::Timeout => Self::ProxyTimeout,
            Self::Tcp => Self::ProxyUnreachable,
            other => other,
        }
    }
}

/// Makes connections: for one provider, or for what is told elsewhere.
#[derive(Clone)]
pub struct Connector {
    inner: Arc<Inner>,
}

struct Inner {
    allow_private: bool,
    timeout: Duration,
    tls: Option<TlsConnector>,
    proxy: Option<Tunnel>,
    took: Option<Histogram>,
    connections: Connections,
}

impl Connector {
    /// A connector; `tls` for `https` addresses, `proxy` for a way through one, `took` where connections are observed.
    #[must_use]
    pub fn new(
        allow_private: bool,
        timeout: Duration,
        tls: Option<Arc<ClientConfig>>,
        proxy: Option<Tunnel>,
        took: Option<Histogram>,
        connections: Connections,
    ) -> Self {
        let tls = tls.map(TlsConnector::from);
        Self { inner: Arc::new(Inner { allow_private, timeout, tls, proxy, took, connections }) }
    }

    /// Makes a connection for requests.
    ///
    /// # Errors
    /// When none can be made, or not in time.
    pub async fn connect(&self, uri: &Uri) -> Result<TokioIo<UpstreamIo>, ConnectError> {
        let inner = &self.inner;
        let began = Instant::now();
        let made = tokio::time::timeout(inner.timeout, inner.connect(uri)).await;
        if let Some(took) = &inner.took {
            took.observe(began.elapsed().as_secs_f64());
        }
        let io = made.unwrap_or_else(|_| Err(inner.late()))?;
        Ok(TokioIo::new(UpstreamIo { _open: Some(inner.connections.open()), ..io }))
    }

    /// Can a connection be made? It is not counted among those that are made for requests.
    pub async fn can_connect(&self, uri: &Uri) -> bool {
        matches!(tokio::time::timeout(self.inner.timeout, self.inner.connect(uri)).await, Ok(Ok(_)))
    }
}

/// For a pool that makes its connections itself.
impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<UpstreamIo>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<UpstreamIo>, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(&uri).await })
    }
}

impl Inner {
    async fn connect(&self, uri: &Uri) -> Result<UpstreamIo, ConnectError> {
        let host = uri.host().ok_or(ConnectError::Dns)?.trim_start_matches('[').trim_end_matches(']');
        let secure = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let tcp = match &self.proxy {
            None => self.connect_any(&resolve(host, port).await?, self.allow_private).await?,
            Some(proxy) => self.connect_through(proxy, host, port).await?,
        };
        let tally = Tally::default();
        if !secure {
            return Ok(UpstreamIo { stream: Stream::Plain(tcp), tally, _open: None });
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| ConnectError::Tls)?;
        let tls = self.tls.as_ref().ok_or(ConnectError::Tls)?;
        let stream = tls.connect(name, tcp).await.map_err(|_| ConnectError::Tls)?;
        Ok(UpstreamIo { stream: Stream::Tls(Box::new(stream)), tally, _open: None })
    }

    /// The proxy resolves the upstream's name, so what that is cannot be checked here, unless it is written as an address.
    /// Where the proxy itself is the operator says.
    async fn connect_through(
        &self,
        proxy: &Tunnel,
        host: &str,
        port: u16,
    ) -> Result<TcpStream, ConnectError> {
        let literal: Option<IpAddr> = host.parse().ok();
        if literal.is_some_and(|address| !self.allow_private && !guard::is_public(address)) {
            return Err(ConnectError::Blocked);
        }
        let reached = async { self.connect_any(&resolve(&proxy.host, proxy.port).await?, true).await };
        let mut stream = reached.await.map_err(ConnectError::of_the_proxy)?;
        proxy.dig(&mut stream, host, port).await?;
        Ok(stream)
    }

    fn late(&self) -> ConnectError {
        if self.proxy.is_some() { ConnectError::ProxyTimeout } else { ConnectError::Timeout }
    }

    /// Tries the allowed addresses one after the other; each gets its share of the time, so that one that
    /// swallows packets does not use it all up.
    async fn connect_any(
        &self,
        addresses: &[SocketAddr],
        allow_private: bool,
    ) -> Result<TcpStream, ConnectError> {
        let allowed: Vec<_> =
            addresses.iter().filter(|address| allow_private || guard::is_public(address.ip())).collect();
        if allowed.is_empty() {
            return Err(if addresses.is_empty() { ConnectError::Dns } else { ConnectError::Blocked });
        }
        let share = self.timeout / u32::try_from(allowed.len()).unwrap_or(u32::MAX);
        let mut last = ConnectError::Tcp;
        for address in allowed {
            match tokio::time::timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Without this a small chunk waits for the acknowledgement of the one before, ~40 ms.
                    stream.set_nodelay(true).ok();
                    return Ok(stream);
                }
                Ok(Err(_)) => last = ConnectError::Tcp,
                Err(_) => last = ConnectError::Timeout,
            }
        }
        Err(last)
    }
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
    if let Ok(literal) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(literal, port)]);
    }
    // The system's resolver, on a thread of the blocking pool.
    tokio::net::lookup_host((host, port)).await.map(Iterator::collect).map_err(|_| ConnectError::Dns)
}

/// A connection that keeps a [`Tally`].
pub struct UpstreamIo {
    stream: Stream,
    tally: Tally,
    /// Counts it as long as it is open; probes are not counted.
    _open: Option<Open>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl UpstreamIo {
    /// What it has carried.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl Connection for UpstreamIo {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(self.tally.clone());
        match &self.stream {
            Stream::Tls(tls) if tls.get_ref().1.alpn_protocol() == Some(b"h2") => connected.negotiated_h2(),
            _ => connected,
        }
    }
}

impl AsyncRead for UpstreamIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = match &mut self.stream {
            Stream::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Stream::Tls(io) => Pin::new(io.as_mut()).poll_read(cx, buf),
        };
        if buf.filled().len() > before {
            self.tally.read();
        }
        polled
    }
}

impl AsyncWrite for UpstreamIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.tally.wrote();
        match &mut self.stream {
            Stream::Plain(io) => Pin::new(io).poll_write(cx, bytes),
            Stream::Tls(io) => Pin::new(io.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.tally.wrote();
        match &mut self.stream {
            Stream::Plain(io) => Pin::new(io).poll_write_vectored(cx, parts),
            Stream::Tls(io) => Pin::new(io.as_mut()).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(io) => io.is_write_vectored(),
            Stream::Tls(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(io) => Pin::new(io).poll_flush(cx),
            Stream::Tls(io) => Pin::new(io.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Stream::Tls(io) => Pin::new(io.as_mut()).poll_shutdown(cx),
        }
    }
}
