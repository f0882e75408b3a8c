//! What callers use: one operation, bounded in time, never waiting for a connection.
//!
//! One multiplexed connection serves every caller; who leaves early shifts nobody's reply, since the connection still
//! takes the reply and drops it. Without a connection the answer is [`Trouble::Away`] at once. Connecting is the
//! keeper's work.

use super::{
    breaker::{Breaker, Peer, Verdict},
    keeper::Keeper,
    metrics::{LinkMetrics, Op},
    topology::{Connection, Connector, LinkError, Watched},
    trouble::{RefusedKind, Trouble},
};
use ::redis::{FromRedisValue, Pipeline, RedisError, ScriptInvocation, Value};
use arc_swap::ArcSwapOption;
use sluice_config::model::{Redis, RedisMode, Secret};
use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{error::Elapsed, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Operations that wait for a reply at one time; a server that hangs cannot collect more.
pub const MAX_IN_FLIGHT: usize = 1024;

/// Where Redis is and how long an operation may take.
#[derive(Debug, Clone)]
pub struct LinkSettings {
    /// Topology.
    pub mode: RedisMode,
    /// Addresses: of the server, of the Sentinels, or of some nodes of the cluster.
    pub urls: Vec<Secret>,
    /// Master name, Sentinel only.
    pub master: Option<String>,
    /// One operation, from the call to the reply.
    pub timeout: Duration,
}

impl From<&Redis> for LinkSettings {
    fn from(redis: &Redis) -> Self {
        Self {
            mode: redis.mode,
            urls: redis.urls.clone(),
            master: redis.master.clone(),
            timeout: redis.timeout,
        }
    }
}

/// What readiness tells about Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// The first try to connect is not over.
    Connecting,
    /// In use.
    Up,
    /// Not in use; the keeper tries again.
    Away,
}

impl LinkState {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Away => "away",
        }
    }
}

/// One connection and its breaker.
pub(super) struct Live {
    connection: Connection,
    peer: Peer,
    pub(super) breaker: Breaker,
    why: OnceLock<Trouble>,
    given_up: CancellationToken,
}

impl Live {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            peer: connection.peer(),
            connection,
            breaker: Breaker::default(),
            why: OnceLock::new(),
            given_up: CancellationToken::new(),
        }
    }

    /// Waits until the breaker opens.
    pub(super) async fn given_up(&self) -> Trouble {
        self.given_up.cancelled().await;
        self.why.get().copied().unwrap_or(Trouble::Io)
    }
}

/// The link to Redis; shared by everybody who uses it.
pub struct RedisLink {
    live: ArcSwapOption<Live>,
    tried: AtomicBool,
    timeout: Duration,
    permits: Semaphore,
    metrics: LinkMetrics,
}

impl fmt::Debug for RedisLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLink").field("state", &self.state()).finish_non_exhaustive()
    }
}

impl RedisLink {
    /// Starts the keeper on `tasks` and returns at once, wherever Redis is. The link ends with `stop`: from then on it
    /// is away.
    ///
    /// # Errors
    /// When an address can never be used.
    pub fn start(
        settings: &LinkSettings,
        metrics: LinkMetrics,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, LinkError> {
        let connector = Connector::new(settings)?;
        let link = Arc::new(Self {
            live: ArcSwapOption::empty(),
            tried: AtomicBool::new(false),
            timeout: settings.timeout,
            permits: Semaphore::new(MAX_IN_FLIGHT),
            metrics,
        });
        tasks.spawn(Keeper::new(Arc::clone(&link), connector, stop).run());
        Ok(link)
    }

    /// What readiness tells.
    #[must_use]
    pub fn state(&self) -> LinkState {
        if self.live.load().is_some() {
            LinkState::Up
        } else if self.tried.load(Ordering::Relaxed) {
            LinkState::Away
        } else {
            LinkState::Connecting
        }
    }

    /// Sends commands together and waits for their replies. With a cluster all keys must be in one slot.
    ///
    /// # Errors
    /// [`Trouble`]; when one command of the pipeline is refused, the whole is.
    pub async fn run<T: FromRedisValue>(&self, op: Op, pipeline: &Pipeline) -> Result<T, Trouble> {
        let mut call = self.begin(op)?;
        let reply = timeout(self.timeout, pipeline.query_async(&mut call.connection)).await;
        call.end(reply)
    }

    /// Runs a script by its hash; a server that does not know it gets it, and runs it then.
    ///
    /// # Errors
    /// [`Trouble`]. With [`Trouble::Timeout`] and [`Trouble::Io`] the script may have run.
    pub async fn script<T: FromRedisValue>(
        &self,
        op: Op,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Trouble> {
        let mut call = self.begin(op)?;
        let mut watched = Watched::new(&mut call.connection);
        let reply = timeout(self.timeout, script.invoke_async(&mut watched)).await;
        if watched.script_was_missing {
            self.metrics.failed(op, Trouble::Refused(RefusedKind::NoScript));
        }
        call.end(reply)
    }

    /// The keeper's question whether the connection in use still works.
    pub(super) async fn ping(&self) -> Result<(), Trouble> {
        let mut call = self.begin(Op::Ping)?;
        let reply = timeout(self.timeout, call.connection.ping()).await;
        call.end(reply)
    }

    /// Asks a connection that is not in use yet.
    pub(super) async fn probe(&self, connection: &mut Connection) -> Result<(), Trouble> {
        let started = Instant::now();
        let reply = timeout(self.timeout, connection.ping()).await;
        self.metrics.took(Op::Ping, started.elapsed());
        let outcome = flatten(reply).map(|_| ());
        outcome.inspect_err(|trouble| self.metrics.failed(Op::Ping, *trouble))
    }

    /// From now on callers use this connection.
    pub(super) fn install(&self, live: Arc<Live>) {
        self.live.store(Some(live));
        self.tried.store(true, Ordering::Relaxed);
        self.metrics.up(true);
    }

    /// A try to connect came to nothing.
    pub(super) fn not_connected(&self) {
        self.tried.store(true, Ordering::Relaxed);
    }

    /// Nobody gets a connection any more.
    pub(super) fn stop(&self) {
        self.live.store(None);
        self.not_connected();
        self.metrics.up(false);
    }

    /// Gives a connection up, once; callers are told `Away` before the keeper hears of it.
    pub(super) fn give_up(&self, live: &Live, why: Trouble) {
        if live.why.set(why).is_ok() {
            self.live.store(None);
            self.metrics.up(false);
            live.given_up.cancel();
        }
    }

    fn begin(&self, op: Op) -> Result<Call<'_>, Trouble> {
        let away = |()| {
            self.metrics.failed(op, Trouble::Away);
            Trouble::Away
        };
        let live = self.live.load_full().ok_or(()).map_err(away)?;
        let permit = self.permits.try_acquire().map_err(|_| away(()))?;
        let connection = live.connection.clone();
        Ok(Call { link: self, op, live, connection, started: Instant::now(), _permit: permit })
    }
}

/// One operation on its way. A caller that leaves drops it: that says nothing about the connection.
struct Call<'a> {
    link: &'a RedisLink,
    op: Op,
    live: Arc<Live>,
    connection: Connection,
    started: Instant,
    _permit: SemaphorePermit<'a>,
}

impl Call<'_> {
    /// Counts, tells the breaker, and makes the reply what the caller asked for.
    fn end<T: FromRedisValue>(self, reply: Result<Result<Value, RedisError>, Elapsed>) -> Result<T, Trouble> {
        let metrics = &self.link.metrics;
        metrics.took(self.op, self.started.elapsed());
        let reply = flatten(reply);
        let verdict = reply.as_ref().map_or_else(|t| Verdict::of(*t, self.live.peer), |_| Verdict::Works);
        if self.live.breaker.opens(verdict) {
            self.link.give_up(&self.live, reply.as_ref().err().copied().unwrap_or(Trouble::Io));
        }
        // A value of another shape is the entry's fault, not the connection's.
        let outcome = reply.and_then(|value| T::from_redis_value(value).map_err(|_| Trouble::BadReply));
        outcome.inspect_err(|trouble| metrics.failed(self.op, *trouble))
    }
}

fn flatten<T>(reply: Result<Result<T, RedisError>, Elapsed>) -> Result<T, Trouble> {
    match reply {
        Ok(reply) => reply.map_err(Trouble::of),
        Err(_) => Err(Trouble::Timeout),
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
