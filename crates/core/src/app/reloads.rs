//! A new configuration for a running gateway: put in force whole or not at all, and told as a metric either way.
//!
//! Reading and checking a file is the process's business; what a snapshot is made of is `state`'s.

use super::{App, BuildError};
use crate::{
    state::snapshot::Snapshot,
    telemetry::{labels::Reload, metrics::Metrics},
};
use serde::Serialize;
use sluice_config::model::{LogLevel, Settings};
use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// What came of a reload, for an operator who asks later.
#[derive(Debug, Clone, Serialize)]
pub struct LastReload {
    at: String,
    who: &'static str,
    result: &'static str,
    /// Why it was rejected, secrets masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl LastReload {
    /// Of this moment; `why` is there when it was rejected.
    #[must_use]
    pub fn new(who: &'static str, why: Option<String>) -> Self {
        let result = if why.is_none() { Reload::Ok } else { Reload::Rejected };
        let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        Self { at, who, result: result.as_str(), why }
    }
}

impl App {
    /// Puts new settings in force, whole or not at all. Requests that run keep the snapshot they began with;
    /// upstream connections are kept where how to connect did not change.
    ///
    /// # Errors
    /// When a provider cannot be made ready; then the old settings stay in force.
    pub fn apply(&self, settings: Settings) -> Result<(), BuildError> {
        let level = settings.telemetry.logs.level;
        let level_changed = level != self.settings().telemetry.logs.level;
        // A scrape must not take the handles of the new snapshot for those of what is gone.
        let _series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = match Snapshot::build(Arc::new(settings), &self.shared, &self.metrics) {
            Ok(snapshot) => snapshot,
            Err(fault) => {
                self.reload_rejected();
                return Err(fault.into());
            }
        };
        self.metrics.config_info.reset();
        self.metrics.config_info.with_label_values(&[&snapshot.hash]).set(1);
        self.snapshot.store(Arc::new(snapshot));
        // A level that an operator has set meanwhile stays, unless the file says something new.
        if level_changed {
            self.set_log_level(level);
        }
        self.metrics.reloads.with_label_values(&[Reload::Ok.as_str()]).inc();
        show_success(&self.metrics);
        Ok(())
    }

    /// Keeps what came of a reload, for `/status`.
    pub fn remember_reload(&self, last: LastReload) {
        *self.last_reload.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    /// Tells that new settings were not taken, and the old ones stay.
    pub fn reload_rejected(&self) {
        self.metrics.reloads.with_label_values(&[Reload::Rejected.as_str()]).inc();
        self.metrics.reload_ok.set(0);
    }

    /// From this level on there are lines for requests; theirs is `info`.
    pub fn set_log_level(&self, level: LogLevel) {
        self.log_requests.store(level <= LogLevel::Info, Ordering::Relaxed);
    }
}

/// The settings in force are the last ones that were wanted.
pub(super) fn show_success(metrics: &Metrics) {
    metrics.reload_ok.set(1);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    metrics.reload_at.set(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
}
