//! What a service manager is told: systemd's notify protocol, one datagram each time.
//!
//! Ready, reloading and ready again, stopping; and a sign of life, as often as the manager wants one, which passes
//! through the threads that serve requests. Without `NOTIFY_SOCKET` nothing of this happens, and nothing that goes
//! wrong with it ever keeps the gateway from serving. The protocol is small and stable, so it is spoken here: a crate
//! for it would want the environment changed under running threads.

use rustix::time::{ClockId, clock_gettime};
use sluice_admin::{Control, Doing, ReloadError, Reloaded};
use sluice_config::model::LogLevel;
use sluice_core::App;
use std::{
    env,
    ffi::OsStr,
    io,
    os::unix::{
        ffi::OsStrExt,
        net::{SocketAddr, UnixDatagram},
    },
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// A manager that does not read must not hold up a thread for longer.
const SEND_LIMIT: Duration = Duration::from_millis(200);
/// Nobody who is not out to harm wants signs of life more often.
const OFTEN: Duration = Duration::from_millis(10);
/// What comes after the drain: last events, records, log lines.
const AFTER_DRAIN: Duration = Duration::from_secs(20);

/// Whoever started this process and wants to be told. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Notify(Option<Arc<Manager>>);

struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    /// How often it wants a sign of life, at least.
    watchdog: Option<Duration>,
    /// What it is told of a gateway that serves.
    serving: String,
    reloads: AtomicUsize,
    failed: AtomicBool,
}

impl Notify {
    /// Who is named in the environment, if anybody; `serving` is what it is told of a gateway that serves.
    pub(crate) fn from_env(serving: String) -> Self {
        let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Self(None);
        };
        let connected = address(&name).and_then(|address| {
            let socket = UnixDatagram::unbound()?;
            socket.set_write_timeout(Some(SEND_LIMIT))?;
            Ok((socket, address))
        });
        let (socket, address) = match connected {
            Ok(connected) => connected,
            Err(error) => {
                tracing::warn!(%error, socket = %name.display(), "the service manager cannot be told anything");
                return Self(None);
            }
        };
        let watchdog =
            watchdog(env::var("WATCHDOG_USEC").ok().as_deref(), env::var("WATCHDOG_PID").ok().as_deref());
        let (reloads, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self(Some(Arc::new(Manager { socket, address, watchdog, serving, reloads, failed })))
    }

    /// Requests are served from now on.
    pub(crate) fn ready(&self) {
        if let Some(manager) = &self.0 {
            manager.say(&format!("READY=1\nSTATUS={}", manager.serving));
        }
    }

    /// The end has begun, and takes as long as `drain` at most, whatever the unit's own patience is.
    pub(crate) fn stopping(&self, drain: Duration) {
        if let Some(manager) = &self.0 {
            let most = drain.saturating_add(AFTER_DRAIN).as_micros();
            manager.say(&format!(
                "STOPPING=1\nSTATUS=Draining, {} s at most\nEXTEND_TIMEOUT_USEC={most}",
                drain.as_secs()
            ));
        }
    }

    /// The same process, each of whose reloads is told.
    pub(crate) fn around(&self, control: Arc<dyn Control>) -> Arc<dyn Control> {
        match self.0.clone() {
            Some(manager) => Arc::new(Told { control, manager }),
            None => control,
        }
    }

    /// Gives signs of life until it is dropped, where they are wanted.
    pub(crate) fn live(&self) -> Option<AbortOnDropHandle<()>> {
        let manager = self.0.clone()?;
        let every = (manager.watchdog? / 2).max(OFTEN);
        let tasks = TaskTracker::new();
        let living = async move {
            loop {
                tokio::time::sleep(every).await;
                // Somebody on the runtime's threads has to find the time: where all of them hang, nobody does.
                if tasks.spawn(tokio::task::yield_now()).await.is_ok() {
                    manager.say("WATCHDOG=1");
                }
            }
        };
        Some(AbortOnDropHandle::new(TaskTracker::new().spawn(living)))
    }
}

impl Manager {
    /// Tells of the first failure alone: a manager that is gone stays so.
    fn say(&self, what: &str) {
        if let Err(error) = self.socket.send_to_addr(what.as_bytes(), &self.address)
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, "the service manager cannot be told anything");
        }
    }
}

/// A reload under way. However it ends, the manager is told that the gateway serves.
struct Reloading<'a> {
    manager: &'a Manager,
    rejected: bool,
}

impl<'a> Reloading<'a> {
    fn begin(manager: &'a Manager) -> Self {
        manager.reloads.fetch_add(1, Ordering::SeqCst);
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1_000);
        manager.say(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=Reading the configuration again"));
        Self { manager, rejected: false }
    }
}

impl Drop for Reloading<'_> {
    fn drop(&mut self) {
        // Of several at once the last one ends them all.
        if self.manager.reloads.fetch_sub(1, Ordering::SeqCst) == 1 {
            let also = if self.rejected { "; the last reload was rejected, see the log" } else { "" };
            self.manager.say(&format!("READY=1\nSTATUS={}{also}", self.manager.serving));
        }
    }
}

/// A process whose manager hears of its reloads.
struct Told {
    control: Arc<dyn Control>,
    manager: Arc<Manager>,
}

impl Control for Told {
    fn reload<'a>(&'a self, app: &'a Arc<App>, by: &'static str) -> Doing<'a, Result<Reloaded, ReloadError>> {
        Box::pin(async move {
            let mut reloading = Reloading::begin(&self.manager);
            let outcome = self.control.reload(app, by).await;
            reloading.rejected = outcome.is_err();
            outcome
        })
    }

    fn set_log_level(&self, app: &App, level: LogLevel) -> Option<LogLevel> {
        self.control.set_log_level(app, level)
    }
}

/// A path, or after `@` a name that is in no file system.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes().split_first() {
        #[cfg(target_os = "linux")]
        Some((b'@', name)) => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name),
        Some((b'/', _)) => SocketAddr::from_pathname(name),
        _ => Err(io::Error::new(io::ErrorKind::Unsupported, "neither a path nor an abstract name")),
    }
}

/// How often a sign of life is wanted at least, if by this process.
fn watchdog(micros: Option<&str>, pid: Option<&str>) -> Option<Duration> {
    let ours = pid.is_none_or(|pid| pid.parse() == Ok(process::id()));
    let micros = micros?.parse().ok().filter(|micros| *micros > 0)?;
    ours.then(|| Duration::from_micros(micros))
}

#[cfg(test)]
#[path = "notify_tests.rs"]
mod tests;
