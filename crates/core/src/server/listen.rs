//! The API listener: accepting, and how many connections there may be. The socket itself is `door`'s.
//!
//! When descriptors run out, accepting pauses instead of spinning, and a descriptor kept in reserve tells one
//! caller at a time why it is turned away.

use crate::{
    app::App,
    server::{connection, door::Door, drain::Drain},
};
use prometheus::IntGauge;
use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::task::TaskTracker;

/// Pause after running out of descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);
/// A TLS handshake that takes longer is given up.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Why the listener cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address cannot be bound.
    #[error(
        "cannot listen on {address}: {source}. Choose another with `listeners.api.bind` or SLUICE__LISTENERS__API__BIND"
    )]
    Address {
        /// Which address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// The bound API listener.
pub struct ApiServer {
    app: Arc<App>,
    door: Door,
    address: SocketAddr,
}

impl ApiServer {
    /// Binds the address of the app's settings.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub async fn bind(app: Arc<App>) -> Result<Self, BindError> {
        let settings = app.settings();
        let api = &settings.listeners.api;
        let fault = |source| BindError::Address { address: api.bind, source };
        let door = Door::open(api.bind, api.reuse_port).map_err(fault)?;
        let address = door.local_addr().map_err(fault)?;
        Ok(Self { app, door, address })
    }

    /// Where it listens: the real port when port 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Accepts and serves until told to stop, then returns when the last connection has ended.
    pub async fn serve(self, drain: Drain) {
        let Self { app, door, .. } = self;
        let settings = app.settings();
        let api = &settings.listeners.api;
        let permits = Arc::new(Semaphore::new(api.max_connections.min(Semaphore::MAX_PERMITS)));
        let connections = TaskTracker::new();
        let mut reserve = Reserve::new();
        let accept = async {
            loop {
                // Beyond the cap, connections wait in the system's queue.
                let Ok(permit) = permits.clone().acquire_owned().await else { break };
                match door.accept().await {
                    Ok((stream, peer)) => {
                        let open = Open::new(Some(permit), &app.metrics.client_connections);
                        let (app, drain) = (app.clone(), drain.clone());
                        connections.spawn(async move {
                            serve_one(app, stream, peer, drain).await;
                            drop(open);
                        });
                    }
                    Err(error) => reserve.pause(&error, &door).await,
                }
            }
        };
        tokio::select! {
            () = accept => {}
            () = drain.closing().cancelled() => {}
        }
        door.close(|stream, peer| {
            let (app, drain) = (app.clone(), drain.clone());
            let open = Open::new(None, &app.metrics.client_connections);
            connections.spawn(async move {
                serve_one(app, stream, peer, drain).await;
                drop(open);
            });
        })
        .await;
        connections.close();
        connections.wait().await;
    }
}

/// Each connection as the configuration in force at its beginning wants it.
async fn serve_one(app: Arc<App>, stream: TcpStream, peer: SocketAddr, drain: Drain) {
    let snapshot = app.snapshot();
    let header_timeout = snapshot.settings.listeners.api.header_timeout;
    let tls = snapshot.tls.clone();
    // An idle connection must not keep an old configuration alive.
    drop(snapshot);
    // Without this a small chunk waits for the acknowledgement of the one before, ~40 ms.
    stream.set_nodelay(true).ok();
    match tls {
        None => connection::serve(app, stream, peer, header_timeout, drain).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                connection::serve(app, stream, peer, header_timeout, drain).await;
            }
        }
    }
}

/// Counts a connection as open as long as it lives.
struct Open {
    _permit: Option<OwnedSemaphorePermit>,
    gauge: IntGauge,
}

impl Open {
    fn new(permit: Option<OwnedSemaphorePermit>, gauge: &IntGauge) -> Self {
        gauge.inc();
        Self { _permit: permit, gauge: gauge.clone() }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

/// One descriptor kept back for the moment when there are no others.
struct Reserve(Option<std::fs::File>);

impl Reserve {
    fn new() -> Self {
        Self(std::fs::File::open("/dev/null").ok())
    }

    async fn pause(&mut self, error: &io::Error, door: &Door) {
        const EMFILE: i32 = 24;
        const ENFILE: i32 = 23;
        if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            // The peer was gone before we came; the next one may not be.
            return tokio::task::yield_now().await;
        }
        if !matches!(error.raw_os_error(), Some(EMFILE | ENFILE)) {
            tracing::warn!(%error, "cannot accept connections");
            return tokio::time::sleep(EXHAUSTED_PAUSE).await;
        }
        tracing::warn!("out of file descriptors; raise the limit of open files");
        self.0 = None;
        let accepted = tokio::time::timeout(Duration::from_millis(1), door.accept()).await;
        if let Ok(Ok((stream, _))) = accepted
            && let Ok(mut stream) = stream.into_std()
        {
            const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(BUSY).ok();
        }
        *self = Self::new();
        tokio::time::sleep(EXHAUSTED_PAUSE).await;
    }
}
