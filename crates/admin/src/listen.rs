//! Bind, accept, and connections that cannot be held for ever.

use crate::{control::Control, routes::Routes};
use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use sluice_core::{App, server::Door};
use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Probes, a few scrapers, an operator. Further connections wait in the system's accept queue.
const MAX_CONNECTIONS: usize = 64;
/// For a request head, and for the silence between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection is closed after this, so that a peer which never reads cannot hold one for good.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(300);
/// What an answer that is under way still gets when its connection must end.
const CLOSE_GRACE: Duration = Duration::from_secs(2);
/// How often it is looked whether a new connection's first request has come.
const LOOK: Duration = Duration::from_millis(10);
/// Out of descriptors: wait for one to come back instead of spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The admin listener, bound and not yet serving.
pub struct AdminServer {
    door: Door,
    local: SocketAddr,
    routes: Arc<Routes>,
}

/// The admin listener's address cannot be had.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address} (admin): {source}. Choose another with `listeners.admin.bind` \
     or SLUICE__LISTENERS__ADMIN__BIND"
)]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

impl AdminServer {
    /// Binds `listeners.admin.bind`; port 0 lets the system choose. Two processes that share the api listener's port
    /// share this one, too. Without a `control` nothing can be asked of the process.
    ///
    /// # Errors
    /// When the address cannot be had; the text names it and says how to choose another.
    pub async fn bind(app: Arc<App>, control: Option<Arc<dyn Control>>) -> Result<Self, BindError> {
        let listeners = &app.settings().listeners;
        let address = listeners.admin.bind;
        let fault = |source| BindError { address, source };
        let door = Door::open(address, listeners.api.reuse_port).map_err(fault)?;
        let local = door.local_addr().map_err(fault)?;
        Ok(Self { door, local, routes: Arc::new(Routes::new(app, control, local)) })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Serves until `stop`, then lets running answers end.
    pub async fn serve(self, stop: CancellationToken) {
        let Self { door, routes, .. } = self;
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let connections = TaskTracker::new();
        let accepting = async {
            // The semaphore is never closed, so the loop only ends with `stop`.
            while let Ok(place) = Arc::clone(&places).acquire_owned().await {
                match door.accept().await {
                    Ok((stream, _)) => {
                        let (routes, stop) = (Arc::clone(&routes), stop.clone());
                        connections.spawn(async move {
                            connection(stream, routes, stop).await;
                            drop(place);
                        });
                    }
                    Err(fault) => {
                        tracing::warn!(%fault, "admin accept failed");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = accepting => {}
        }
        door.close(|stream, _| {
            connections.spawn(connection(stream, Arc::clone(&routes), stop.clone()));
        })
        .await;
        connections.close();
        connections.wait().await;
    }
}

async fn connection(stream: TcpStream, routes: Arc<Routes>, stop: CancellationToken) {
    let asked = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let routes = Arc::clone(&routes);
        async move { Ok::<Response<_>, Infallible>(routes.answer(request).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    // How a peer left, or what it sent instead of HTTP, is no news: hyper has answered what can be answered.
    tokio::select! {
        _ = serving.as_mut() => return,
        () = stop.cancelled() => {}
        () = sleep(CONNECTION_LIFETIME) => {}
    }
    // Whoever has just come is about to ask.
    let patience = Instant::now() + CLOSE_GRACE / 4;
    while !asked.load(Ordering::Relaxed) && Instant::now() < patience {
        if timeout(LOOK, serving.as_mut()).await.is_ok() {
            return;
        }
    }
    serving.as_mut().graceful_shutdown();
    let _ = timeout(CLOSE_GRACE, serving).await;
}

#[cfg(test)]
#[path = "listen_tests.rs"]
mod tests;
