//! How one server, a master behind Sentinel, or a cluster is reached.
//!
//! The client library speaks the protocol, asks Sentinels and follows a cluster's slots. Its own timeouts serve for
//! connecting alone; an operation's time is the link's. Addresses and passwords do not leave this file.

use super::{breaker::Peer, link::LinkSettings, trouble::Trouble};
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    Pipeline, RedisError, RedisFuture, RedisResult, ServerErrorKind, TlsMode, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    cluster_routing::{RoutingInfo, SingleNodeRoutingInfo},
    io::tcp::TcpSettings,
    sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType},
};
use futures_util::FutureExt;
use sluice_config::model::RedisMode;
use std::{panic::AssertUnwindSafe, time::Duration};
use thiserror::Error;
use tokio::time::timeout;

/// One TCP and TLS connect.
const CONNECT: Duration = Duration::from_secs(1);
/// Finding a master or the nodes of a cluster, over servers some of which may not answer.
const DISCOVER: Duration = Duration::from_secs(4);
/// One reply of one node of a cluster while connecting; the link's own timeout is shorter for operations.
const NODE_REPLY: Duration = Duration::from_millis(500);
/// Redirects that one operation may follow in a cluster.
const REDIRECTS: u32 = 3;
/// Pauses between them, milliseconds: a longer one would outlast the operation.
const REDIRECT_PAUSE: (u64, u64) = (2, 10);

/// Why the settings can never lead to a connection. Addresses are named by their place: they may carry passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LinkError {
    /// Not the address of a Redis server.
    #[error("redis.urls[{index}] is not the address of a Redis server")]
    Address {
        /// Place in the list.
        index: usize,
    },
    /// No address, or several for one server.
    #[error("redis.mode single takes exactly one address, the others at least one")]
    Count,
    /// Sentinel without the name of a master.
    #[error("redis.master is missing")]
    NoMaster,
    /// Users, passwords or TLS differ between the addresses, or a cluster is to be reached through a socket file.
    #[error("redis.urls do not fit together")]
    Mixed,
}

/// Makes connections.
pub(super) enum Connector {
    Single(Box<Client>),
    Sentinel(Box<Sentinels>),
    Cluster(Box<ClusterClient>),
}

/// A master and who knows where it is.
pub(super) struct Sentinels {
    asked: SentinelClient,
    /// The same without credentials: often only the servers have a password. None when there are no credentials.
    other: Option<SentinelClient>,
}

impl Connector {
    pub(super) fn new(settings: &LinkSettings) -> Result<Self, LinkError> {
        let nodes = settings.urls.iter().enumerate().map(|(index, url)| {
            let info = url.expose().into_connection_info().map_err(|_| LinkError::Address { index })?;
            Ok(tuned(info))
        });
        let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        match (settings.mode, nodes.as_slice()) {
            (_, []) => Err(LinkError::Count),
            (RedisMode::Single, [node]) => {
                let client = Client::open(node.clone()).map_err(|_| LinkError::Address { index: 0 })?;
                Ok(Self::Single(Box::new(client)))
            }
            (RedisMode::Single, _) => Err(LinkError::Count),
            (RedisMode::Sentinel, _) => {
                let master = settings.master.as_deref().ok_or(LinkError::NoMaster)?;
                Ok(Self::Sentinel(Box::new(Sentinels::new(&nodes, master)?)))
            }
            (RedisMode::Cluster, _) => Ok(Self::Cluster(Box::new(cluster(nodes)?))),
        }
    }

    /// One try. A peer that is no Redis may make the client library panic; that too is a failed try.
    pub(super) async fn connect(&mut self) -> Result<Connection, Trouble> {
        let limit = if matches!(self, Self::Single(_)) { CONNECT } else { DISCOVER };
        let attempt = timeout(limit, AssertUnwindSafe(self.attempt()).catch_unwind()).await;
        match attempt {
            Ok(Ok(outcome)) => outcome.map_err(Trouble::of),
            Ok(Err(_)) => Err(Trouble::BadReply),
            Err(_) => Err(Trouble::Timeout),
        }
    }

    async fn attempt(&mut self) -> RedisResult<Connection> {
        match self {
            Self::Single(client) => Ok(Connection::Direct(open(client).await?, Peer::Server)),
            Self::Sentinel(sentinels) => {
                let client = sentinels.master().await?;
                Ok(Connection::Direct(open(&client).await?, Peer::Master))
            }
            Self::Cluster(client) => Ok(Connection::Cluster(client.get_async_connection().await?)),
        }
    }
}

impl Sentinels {
    fn new(nodes: &[ConnectionInfo], master: &str) -> Result<Self, LinkError> {
        let first = nodes.first().ok_or(LinkError::Count)?;
        let mut server = SentinelNodeConnectionInfo::default()
            .set_redis_connection_info(first.redis_settings().clone())
            .set_tcp_settings(first.tcp_settings().clone());
        if matches!(first.addr(), ConnectionAddr::TcpTls { .. }) {
            server = server.set_tls_mode(TlsMode::Secure);
        }
        let client = |credentials: bool| {
            let nodes = nodes.iter().map(|node| as_sentinel(node, credentials)).collect();
            SentinelClient::build(nodes, master, Some(server.clone()), SentinelServerType::Master)
                .map_err(|_| LinkError::Mixed)
        };
        let locked = nodes.iter().any(|node| node.redis_settings().password().is_some());
        Ok(Self { asked: client(true)?, other: locked.then(|| client(false)).transpose()? })
    }

    async fn master(&mut self) -> RedisResult<Client> {
        let found = self.asked.async_get_client().await;
        let (Err(error), Some(other)) = (&found, &mut self.other) else { return found };
        let client = other.async_get_client().await.map_err(|_| error.clone())?;
        // What worked is asked first from now on.
        std::mem::swap(&mut self.asked, other);
        Ok(client)
    }
}

/// A Sentinel has no databases, and a name for the connection is of no use to anybody.
fn as_sentinel(node: &ConnectionInfo, credentials: bool) -> ConnectionInfo {
    let mut redis = node.redis_settings().clone().set_db(0);
    if !credentials {
        redis =
            ::redis::RedisConnectionInfo::default().set_protocol(redis.protocol()).set_skip_set_lib_name();
    }
    node.clone().set_redis_settings(redis)
}

fn cluster(nodes: Vec<ConnectionInfo>) -> Result<ClusterClient, LinkError> {
    let (shortest, longest) = REDIRECT_PAUSE;
    ClusterClient::builder(nodes)
        .tcp_settings(tcp())
        .connection_timeout(CONNECT)
        .response_timeout(NODE_REPLY)
        .overall_response_timeout(None)
        .retries(REDIRECTS)
        .min_retry_wait(shortest)
        .max_retry_wait(longest)
        .build()
        .map_err(|_| LinkError::Mixed)
}

/// Small requests must not wait for acknowledgements, and servers behind proxies need no name for their clients.
fn tuned(info: ConnectionInfo) -> ConnectionInfo {
    let redis = info.redis_settings().clone().set_skip_set_lib_name();
    info.set_redis_settings(redis).set_tcp_settings(tcp())
}

fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

async fn open(client: &Client) -> RedisResult<MultiplexedConnection> {
    // No timeout of its own for replies: the link's is the only one.
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(None);
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// A connection; clones share it.
#[derive(Clone)]
pub(super) enum Connection {
    Direct(MultiplexedConnection, Peer),
    Cluster(ClusterConnection),
}

impl Connection {
    /// What is at the other end.
    pub(super) const fn peer(&self) -> Peer {
        match self {
            Self::Direct(_, peer) => *peer,
            Self::Cluster(_) => Peer::Cluster,
        }
    }

    /// `PING`; in a cluster one node speaks for all, since one that is down must not take the others with it.
    pub(super) async fn ping(&mut self) -> Result<Value, RedisError> {
        let command = ::redis::cmd("PING");
        let reply = match self {
            Self::Direct(connection, _) => connection.send_packed_command(&command).await,
            Self::Cluster(connection) => {
                let anyone = RoutingInfo::SingleNode(SingleNodeRoutingInfo::Random);
                connection.route_command(command, anyone).await
            }
        };
        match reply?.extract_error()? {
            Value::SimpleString(word) if word == "PONG" => Ok(Value::SimpleString(word)),
            _ => Err((ErrorKind::UnexpectedReturnType, "no PONG").into()),
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Direct(connection, _) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Direct(connection, _) => connection.req_packed_commands(cmd, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(cmd, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Direct(connection, _) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

/// A connection that notices when a script is not loaded, since the client library loads it and says nothing.
pub(super) struct Watched<'a> {
    connection: &'a mut Connection,
    pub(super) script_was_missing: bool,
}

impl<'a> Watched<'a> {
    pub(super) const fn new(connection: &'a mut Connection) -> Self {
        Self { connection, script_was_missing: false }
    }
}

impl ConnectionLike for Watched<'_> {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let reply = self.connection.req_packed_command(cmd).await;
            self.script_was_missing |= match &reply {
                Ok(Value::ServerError(error)) => error.kind() == Some(ServerErrorKind::NoScript),
                Ok(_) => false,
                Err(error) => error.kind() == ErrorKind::Server(ServerErrorKind::NoScript),
            };
            reply
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.connection.req_packed_commands(cmd, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}

#[cfg(test)]
#[path = "topology_tests.rs"]
mod tests;
