//! A reload: the file is read and checked again, and put in force whole or not at all.
//!
//! SIGHUP and `POST /-/reload` come here. One reload at a time, each from the file as it is then. What is read
//! once at the start is refused by name rather than half changed.

use crate::logging::{self, LogControl};
use sluice_admin::{Control, Doing, ReloadError, Reloaded};
use sluice_config::{Options, Source, model::LogLevel, restart_only};
use sluice_core::App;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::Mutex;

/// The process: its file and its log.
pub(crate) struct Process {
    file: Option<PathBuf>,
    log: LogControl,
    /// Two at once would be put in force in either order.
    reloading: Arc<Mutex<()>>,
}

impl Process {
    /// Serves `file`, or the demo.
    pub(crate) fn new(file: Option<PathBuf>, log: LogControl) -> Self {
        Self { file, log, reloading: Arc::default() }
    }

    async fn read_again(&self, app: &Arc<App>, by: &'static str) -> Result<Reloaded, ReloadError> {
        let Some(file) = self.file.clone() else {
            tell_rejected(by, &ReloadError::NoFile);
            return Err(ReloadError::NoFile);
        };
        let one_at_a_time = Arc::clone(&self.reloading).lock_owned().await;
        let (running, log) = (Arc::clone(app), self.log.clone());
        // Reading waits for a disk, and making clients and tables ready takes a worker for some milliseconds. The
        // thread sees it through, its turn in hand: whoever has asked may leave.
        let reading = tokio::task::spawn_blocking(move || {
            let outcome = put_in_force(&file, &running, &log, by);
            drop(one_at_a_time);
            outcome
        });
        reading.await.unwrap_or_else(|_| {
            let why = ReloadError::Unusable("The reload failed inside; please report it.".into());
            app.reload_rejected();
            tell_rejected(by, &why);
            Err(why)
        })
    }
}

/// Reads, puts in force and tells.
fn put_in_force(file: &Path, app: &App, log: &LogControl, by: &'static str) -> Result<Reloaded, ReloadError> {
    let before = app.settings().telemetry.logs.level;
    let outcome = read(file, app);
    match &outcome {
        Ok(Reloaded { hash, changed, notes }) => {
            let level = app.settings().telemetry.logs.level;
            if level != before {
                log.set(level);
            }
            tracing::info!(who = by, hash, changed, notes, "configuration reloaded");
        }
        Err(why) => {
            // What `apply` itself refuses it has counted.
            if !matches!(why, ReloadError::Unusable(_)) {
                app.reload_rejected();
            }
            tell_rejected(by, why);
        }
    }
    outcome
}

fn read(file: &Path, app: &App) -> Result<Reloaded, ReloadError> {
    let loaded = sluice_config::load(Source::File(file), &Options::default())
        .map_err(|report| ReloadError::Invalid(report.render(false)))?;
    let (mut settings, report) = (loaded.settings, loaded.report);
    settings.telemetry.logs.level = logging::level(settings.telemetry.logs.level);
    let old = app.settings();
    let fixed = restart_only(&old, &settings);
    if !fixed.is_empty() {
        return Err(ReloadError::RestartOnly(fixed));
    }
    // Not by the hash: a secret that was changed does not enter it.
    let changed = *old != settings;
    app.apply(settings).map_err(|fault| ReloadError::Unusable(fault.to_string()))?;
    let notes = if report.diagnostics.is_empty() { String::new() } else { report.render(false) };
    Ok(Reloaded { hash: app.snapshot().hash.clone(), changed, notes })
}

fn tell_rejected(by: &'static str, why: &ReloadError) {
    tracing::error!(who = by, %why, "reload rejected; the old configuration stays in force");
}

impl Control for Process {
    fn reload<'a>(&'a self, app: &'a Arc<App>, by: &'static str) -> Doing<'a, Result<Reloaded, ReloadError>> {
        Box::pin(self.read_again(app, by))
    }

    fn set_log_level(&self, app: &App, level: LogLevel) -> Option<LogLevel> {
        app.set_log_level(level);
        self.log.set(level)
    }
}
