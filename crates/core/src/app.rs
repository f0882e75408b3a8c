//! One gateway: the configuration in force, the state that outlives it, and what is told about both.

mod circuits;
mod in_flight;
mod line_cap;
mod reloads;
mod status;

pub use circuits::{Closed, NoSuchUpstream, Upstreams};
pub use reloads::LastReload;
pub use status::Status;

use in_flight::InFlight;
use line_cap::LineCap;

use crate::{
    cache::generations::Purge,
    ledger::{Ledger, LedgerError, LedgerMetrics, LedgerPlace},
    limits::{learned::LearnedLengths, shared::SharedLimits},
    redis::LinkState,
    state::{
        handles::{EndpointMetrics, ModelMetrics},
        health_gauges, limit_gauges,
        limits::LimitStock,
        shared::Shared,
        snapshot::{ProviderError, Snapshot},
        unclaimed::Unclaimed,
    },
    telemetry::{
        exchange::Exchange,
        labels::{CacheTier, EndpointLabel, OTHER},
        logs::LogSink,
        metrics::Metrics,
    },
};
use arc_swap::ArcSwap;
use sluice_config::model::{LogFormat, LogLevel, Settings};
use sluice_protocol::price::Price;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Between two looks at what another process has spent.
const LEARN_EVERY: Duration = Duration::from_secs(1);

/// What was built.
#[derive(Debug, Clone, Copy)]
pub struct BuildInfo {
    /// Version of the release.
    pub version: &'static str,
    /// Commit, or `unknown`.
    pub revision: &'static str,
}

/// Why a gateway cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A provider cannot be made ready.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// A metric is declared wrongly: a fault of ours.
    #[error("metrics: {0}")]
    Metrics(prometheus::Error),
    /// The usage ledger cannot be used.
    #[error("{0}; usage records are kept under `state_dir`")]
    Ledger(LedgerError),
}

/// One gateway.
pub struct App {
    snapshot: ArcSwap<Snapshot>,
    shared: Shared,
    last_reload: Mutex<Option<LastReload>>,
    /// Held while a snapshot is built and put in force, and while series of what is gone are let go of.
    series: Mutex<()>,
    /// Metric families.
    pub metrics: Metrics,
    /// Handles by endpoint.
    pub(crate) endpoints: EndpointMetrics,
    /// Handles of requests whose model is not known (yet).
    pub(crate) unknown_model: ModelMetrics,
    /// Where log lines go.
    pub(crate) logs: LogSink,
    ledger: Arc<Ledger>,
    /// Requests being served.
    pub(crate) in_flight: InFlight,
    log_format: LogFormat,
    log_requests: AtomicBool,
    unauthorized_lines: LineCap,
    draining: AtomicBool,
    info: BuildInfo,
    started: Instant,
}

impl App {
    /// Builds a gateway from validated settings.
    ///
    /// # Errors
    /// When a provider cannot be made ready, or the usage ledger cannot be used.
    pub fn build(
        settings: Settings,
        info: BuildInfo,
        logs: LogSink,
        ledger: LedgerPlace,
    ) -> Result<Arc<Self>, BuildError> {
        let metrics = Metrics::new().map_err(BuildError::Metrics)?;
        let settings = Arc::new(settings);
        let ledger = ledger.open(&settings, LedgerMetrics::of(&metrics)).map_err(BuildError::Ledger)?;
        let ledger = Arc::new(ledger);
        // What was spent before is read from the ledger.
        let shared = Shared::new(LimitStock::new(ledger.clone()));
        let snapshot = Snapshot::build(settings.clone(), &shared, &metrics)?;
        metrics.build_info.with_label_values(&[info.version, info.revision]).set(1);
        metrics.config_info.with_label_values(&[&snapshot.hash]).set(1);
        metrics.ready.set(1);
        reloads::show_success(&metrics);
        Ok(Arc::new(Self {
            endpoints: EndpointMetrics::new(&metrics),
            unknown_model: ModelMetrics::new(&metrics, OTHER, &[EndpointLabel::Models]),
            in_flight: InFlight::new(&metrics),
            snapshot: ArcSwap::from_pointee(snapshot),
            shared,
            last_reload: Mutex::default(),
            series: Mutex::default(),
            log_format: settings.telemetry.logs.format,
            log_requests: AtomicBool::new(settings.telemetry.logs.level <= LogLevel::Info),
            unauthorized_lines: LineCap::default(),
            draining: AtomicBool::new(false),
            started: Instant::now(),
            metrics,
            logs,
            ledger,
            info,
        }))
    }

    /// The configuration in force. A request asks once and keeps what it got.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.snapshot.load().settings.clone()
    }

    /// How long answers usually are.
    pub(crate) fn learned(&self) -> &LearnedLengths {
        &self.shared.limits.learned
    }

    /// Limits that replicas share.
    pub(crate) fn shared_limits(&self) -> Option<Arc<SharedLimits>> {
        self.snapshot.load().shared_limits.clone()
    }

    /// What a provider's model costs, as far as it is known.
    #[must_use]
    pub(crate) fn price(&self, provider: &str, model: &str) -> Option<Price> {
        self.snapshot.load().prices.find(provider, model)
    }

    /// All metrics in the Prometheus text format: of what is configured now. Series of what is gone are let go of, and
    /// begin anew, should it come back.
    #[must_use]
    pub fn metrics_text(&self) -> Vec<u8> {
        let lost = self.logs.dropped().saturating_sub(self.metrics.log_dropped.get());
        self.metrics.log_dropped.inc_by(lost);
        let _series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = self.snapshot.load();
        self.show_cache(&snapshot);
        limit_gauges::show(&snapshot, &self.metrics);
        health_gauges::show(&snapshot, &self.metrics);
        let redis = self.redis_state();
        // By the link in use: one that it replaced may have been given up by its last request since.
        self.metrics.redis_up.set((redis == Some(LinkState::Up)).into());
        self.metrics.text(|family, labels| {
            // Without a link there is nothing that could be up or down.
            (redis.is_some() || !family.starts_with("sluice_redis_")) && snapshot.names.hold(labels)
        })
    }

    fn show_cache(&self, snapshot: &Snapshot) {
        let families = [&self.metrics.cache_bytes, &self.metrics.cache_capacity, &self.metrics.cache_entries];
        let Some(setup) = &snapshot.cache else {
            families.iter().for_each(|family| family.reset());
            return;
        };
        let occupancy = setup.cache.occupancy();
        for (gauge, value) in
            families.into_iter().zip([occupancy.bytes, occupancy.capacity, occupancy.entries])
        {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            gauge.with_label_values(&[CacheTier::Memory.as_str()]).set(value);
        }
    }

    /// Makes stored answers misses, here at once and at other replicas within a second. `None` without a cache.
    pub async fn purge_cache(&self, purge: &Purge) -> Option<Purged> {
        let snapshot = self.snapshot();
        let setup = snapshot.cache.as_ref()?;
        Some(match setup.cache.purge(purge).await {
            None => Purged::Here,
            Some(true) => Purged::Everywhere,
            Some(false) => Purged::RedisAway,
        })
    }

    /// How the link to Redis stands, when one is configured.
    #[must_use]
    pub fn redis_state(&self) -> Option<LinkState> {
        // A link outlives the settings that asked for it; what nobody asks for any more is no news.
        self.shared.redis_state().filter(|_| self.snapshot.load().settings.redis.is_some())
    }

    /// The usage ledger.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Where another process may serve beside this one, with the same `state_dir`: its spending is learnt of, a second
    /// behind, until this is dropped.
    pub async fn learn_spending(self: Arc<Self>) {
        // The gateway does not live as long as this.
        let app = Arc::downgrade(&self);
        drop(self);
        loop {
            tokio::time::sleep(LEARN_EVERY).await;
            let Some(app) = app.upgrade() else { return };
            // Reading waits for a disk.
            let _ = tokio::task::spawn_blocking(move || app.shared.limits.learn_spending()).await;
        }
    }

    /// Answers that are read to their end without a client.
    #[must_use]
    pub fn unclaimed(&self) -> &Unclaimed {
        self.shared.unclaimed()
    }

    /// Ends what goes on behind the requests' backs, and waits for it no longer than `patience`.
    pub async fn finish_background(&self, patience: Duration) {
        self.shared.finish_background(patience).await;
    }

    /// Does the gateway take traffic? Says nothing of providers: one outage of theirs must not take a fleet out.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.is_draining()
    }

    /// Has the shutdown begun?
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// From now on: not ready, and every answer asks its client to connect anew elsewhere.
    pub fn begin_drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.metrics.ready.set(0);
        self.metrics.draining.set(1);
    }

    pub(crate) fn log_format(&self) -> LogFormat {
        self.log_format
    }

    /// A flood of strangers must not fill the log: their lines are capped, everybody else's are not.
    pub(crate) fn log_line_wanted(&self, x: &Exchange) -> bool {
        self.log_requests.load(Ordering::Relaxed)
            && (x.status != 401 || self.unauthorized_lines.take(self.started))
    }
}

/// How far a purge has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purged {
    /// This process is the only one that keeps answers.
    Here,
    /// Redis knows of it; other replicas follow within a second.
    Everywhere,
    /// Redis could not be told yet; it will be when it is back.
    RedisAway,
}
