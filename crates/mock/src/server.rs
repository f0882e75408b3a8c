//! The listener, its connections, and the handle for whoever runs the mock in the same process.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::bench::BenchSettings;
use crate::control::{Config, ModelScript};
use crate::http;
use crate::journal::Recorded;
use crate::script::ScriptStep;
use crate::state::State;
use crate::stats::Counts;

/// Connections that wait to be accepted: a benchmark opens its thousands at once.
const BACKLOG: i32 = 4096;

/// How a mock is set up.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Refuses requests that do not bring this key, as `Authorization: Bearer` or `x-api-key`. Control paths
    /// are open.
    pub require_key: Option<String>,
}

/// A mock upstream that listens but does not answer yet.
#[derive(Debug)]
pub struct Mock {
    listener: TcpListener,
    address: SocketAddr,
    state: Arc<State>,
}

impl Mock {
    /// Listens on an address; port 0 takes a free one. Must be called inside a tokio runtime with I/O.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn bind(address: SocketAddr, options: Options) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from_std(socket.into())?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, state: Arc::new(State::new(options)) })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// A handle that sets and reads this mock, also while it serves.
    pub fn handle(&self) -> MockHandle {
        MockHandle { state: Arc::clone(&self.state) }
    }

    /// Serves until dropped, which closes all connections.
    pub async fn serve(self) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(converse(stream, Arc::clone(&self.state)));
                    }
                    // Out of descriptors, or the peer has left again: neither is a reason to end.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn converse(stream: TcpStream, state: Arc<State>) {
    let _connected = state.stats.connect();
    // Without it, small events would wait for the acknowledgement of the one before.
    stream.set_nodelay(true).unwrap_or_default();
    let service = service_fn(|request| http::serve(Arc::clone(&state), request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A connection that breaks, on purpose or not, concerns only its peer.
    connection.await.unwrap_or_default();
}

/// Sets and reads a mock from the same process.
#[derive(Debug, Clone)]
pub struct MockHandle {
    state: Arc<State>,
}

impl MockHandle {
    /// The counters now.
    pub fn stats(&self) -> Counts {
        self.state.stats.snapshot()
    }

    /// The last 100 requests, oldest first; those to `bench` models are not recorded.
    pub fn requests(&self) -> Vec<Recorded> {
        self.state.journal().all()
    }

    /// What the `bench` models do.
    pub fn bench(&self) -> BenchSettings {
        self.state.bench.load().settings
    }

    /// Changes settings, as `POST /__mock/config` does.
    pub fn configure(&self, config: Config) {
        config.apply(&self.state);
    }

    /// Scripts the next requests to a model, one step each.
    pub fn script(&self, model: &str, steps: Vec<ScriptStep>) {
        let script = ModelScript { model: model.to_owned(), script: steps, repeat: false };
        self.configure(Config { models: vec![script], ..Config::default() });
    }

    /// Forgets counters, records, scripts, settings and the prompt cache.
    pub fn reset(&self) {
        self.state.reset();
    }
}
