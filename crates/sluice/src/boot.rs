//! From validated settings to a running gateway, and back to nothing.
//!
//! Several gateways may run in one process, each with its own port, registry and log; that is how the
//! black-box tests use this module. Knows no files, no environment and no signals.

use sluice_admin::{AdminServer, Control};
use sluice_config::model::Settings;
use sluice_core::{
    App, BuildError, BuildInfo, LedgerPlace, LogSink,
    server::{ApiServer, BindError, Drain},
    telemetry::runtime,
};
use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

/// What streams get to write their last event once the drain is over.
const CUT_GRACE: Duration = Duration::from_secs(2);
/// What answers on their way to Redis get to arrive there.
const BACKGROUND_LIMIT: Duration = Duration::from_secs(2);
/// What usage records get to reach the disk. They are a fraction of a second behind, unless it is in trouble.
const LEDGER_LIMIT: Duration = Duration::from_secs(5);
/// What the log gets to empty its buffer into a slow pipe.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// What a gateway needs besides its settings.
#[derive(Clone)]
pub struct StartOptions {
    /// Where the request lines go.
    pub logs: LogSink,
    /// What `/status` and `sluice_build_info` say.
    pub build: BuildInfo,
    /// Where usage records are kept.
    pub ledger: LedgerPlace,
    /// The process around it; a gateway beside others has none to ask.
    pub control: Option<Arc<dyn Control>>,
}

impl StartOptions {
    /// With this binary's own version.
    #[must_use]
    pub fn new(logs: LogSink, ledger: LedgerPlace) -> Self {
        Self { logs, build: BUILD, ledger, control: None }
    }

    /// In a process that can be asked to reload.
    #[must_use]
    pub fn under(mut self, control: Arc<dyn Control>) -> Self {
        self.control = Some(control);
        self
    }
}

/// This binary; a release sets `SLUICE_REVISION` when it compiles.
pub(crate) const BUILD: BuildInfo = BuildInfo {
    version: env!("CARGO_PKG_VERSION"),
    revision: match option_env!("SLUICE_REVISION") {
        Some(revision) => revision,
        None => "unknown",
    },
};

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings cannot be turned into a running state, such as an unreadable certificate.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The data plane's address cannot be had.
    #[error(transparent)]
    Api(#[from] BindError),
    /// The admin listener's address cannot be had.
    #[error(transparent)]
    Admin(#[from] sluice_admin::BindError),
}

/// A gateway that serves. Dropped without [`Running::stop`], it ends at once.
pub struct Running {
    /// The data plane's address, with the port that the system chose.
    pub api: SocketAddr,
    /// The admin listener's address, with the port that the system chose.
    pub admin: SocketAddr,
    /// The gateway's state.
    pub app: Arc<App>,
    logs: LogSink,
    drain: Drain,
    serving: AbortOnDropHandle<()>,
    admin_stop: CancellationToken,
    admin_serving: AbortOnDropHandle<()>,
    /// Ends with the gateway.
    _watching: Vec<AbortOnDropHandle<()>>,
}

/// How a gateway ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Every request and stream had its end.
    Drained,
    /// The drain was over first; what still ran was ended with an error.
    Cut,
}

/// Binds both listeners and serves.
///
/// # Errors
/// When the state cannot be built or an address cannot be had. Nothing is left running then.
pub async fn start(settings: Settings, options: StartOptions) -> Result<Running, StartError> {
    // The first gateway of the process chooses; asking again changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let StartOptions { logs, build, ledger, control } = options;
    let app = App::build(settings, build, logs.clone(), ledger)?;
    let api_server = ApiServer::bind(Arc::clone(&app)).await?;
    let admin_server = AdminServer::bind(Arc::clone(&app), control).await?;
    let (api, admin) = (api_server.local_addr(), admin_server.local_addr());

    let (drain, admin_stop, tasks) = (Drain::new(), CancellationToken::new(), TaskTracker::new());
    let serving = AbortOnDropHandle::new(tasks.spawn(api_server.serve(drain.clone())));
    let admin_serving = AbortOnDropHandle::new(tasks.spawn(admin_server.serve(admin_stop.clone())));
    let mut watching = vec![AbortOnDropHandle::new(tasks.spawn(runtime::watch(Arc::clone(&app))))];
    if app.settings().listeners.api.reuse_port {
        watching.push(AbortOnDropHandle::new(tasks.spawn(Arc::clone(&app).learn_spending())));
    }
    Ok(Running { api, admin, app, logs, drain, serving, admin_stop, admin_serving, _watching: watching })
}

impl Running {
    /// Ends the gateway: readiness goes false at once, the listener stays open for `delay` so that load
    /// balancers notice, then requests and streams have until `drain` after the call.
    pub async fn stop(mut self, delay: Duration, drain: Duration) -> Stopped {
        let deadline = Instant::now() + drain;
        if self.app.settings().listeners.api.reuse_port {
            // Whoever asks for readiness or scrapes is to meet the process that goes on, and no word of this one's end.
            self.stop_admin().await;
        }
        self.app.begin_drain();
        sleep(delay).await;
        self.drain.stop_accepting();
        let stopped = self.serve_to_the_end(deadline).await;
        // Last, so that probes and a final scrape see the drain to its end, where the port is this process's alone.
        // Side by side, since each may have to be waited for to the end.
        let app = Arc::clone(&self.app);
        tokio::join!(
            self.stop_admin(),
            app.finish_background(BACKGROUND_LIMIT),
            close_ledger(Arc::clone(&app))
        );
        self.flush_logs().await;
        stopped
    }

    /// Lets what has begun come to its end until `deadline`, and ends the rest then.
    async fn serve_to_the_end(&mut self, deadline: Instant) -> Stopped {
        let Self { app, serving, drain, .. } = self;
        let mut ended = pin!(async {
            let _ = serving.await;
            // With the last client nobody is left who could leave another answer behind.
            app.unclaimed().ended().await;
        });
        if timeout_at(deadline, &mut ended).await.is_ok() {
            return Stopped::Drained;
        }
        drain.cut();
        app.unclaimed().give_up();
        // Whoever has not read its last event by now never will.
        let _ = timeout(CUT_GRACE, ended).await;
        Stopped::Cut
    }

    /// Returns when the data plane or the admin listener has ended by itself, which is always a fault.
    pub async fn failed(&mut self) {
        tokio::select! {
            _ = &mut self.serving => {}
            _ = &mut self.admin_serving => {}
        }
    }

    /// Closes the admin listener, unless that is done.
    async fn stop_admin(&mut self) {
        self.admin_stop.cancel();
        if !self.admin_serving.is_finished() {
            let _ = timeout(CUT_GRACE, &mut self.admin_serving).await;
        }
    }

    async fn flush_logs(&self) {
        let logs = self.logs.clone();
        let _ = tokio::task::spawn_blocking(move || logs.flush(FLUSH_LIMIT)).await;
    }
}

/// The last request has ended, so the last record is in the queue. What is lost is told by the ledger itself.
async fn close_ledger(app: Arc<App>) {
    let _ = tokio::task::spawn_blocking(move || app.ledger().close(LEDGER_LIMIT)).await;
}

impl Drop for Running {
    fn drop(&mut self) {
        // The handles abort the listeners; open connections are told to end, and a second later ended.
        self.drain.stop_accepting();
        self.drain.cut();
        self.app.unclaimed().give_up();
        self.admin_stop.cancel();
    }
}

#[cfg(test)]
#[path = "boot_tests.rs"]
mod tests;
