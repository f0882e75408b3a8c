//! A reload: the file is read and checked again, and put in force whole or not at all.
//!
//! SIGHUP and `POST /-/reload` come here. One reload at a time, each from the file as it is then. What is read
//! once at the start is refused by name rather than half changed.

use crate::logging::{self, LogControl};
use sluice_admin::{Control, Doing, ReloadError, Reloaded};
use sluice_config::{Options, Source, model::LogLevel, restart_only};
use sluice_core::App;
use std::{path::PathBuf, sync::Arc};
use tokio::sync::Mutex;

/// The process: its file and its log.
pub(crate) struct Process {
    file: Option<PathBuf>,
    log: LogControl,
    /// Two at once would be put in force in either order.
    reloading: Mutex<()>,
}

impl Process {
    /// Serves `file`, or the demo.
    pub(crate) fn new(file: Option<PathBuf>, log: LogControl) -> Self {
        Self { file, log, reloading: Mutex::new(()) }
    }

    async fn read_again(&self, app: &Arc<App>) -> Result<Reloaded, ReloadError> {
        let _one_at_a_time = self.reloading.lock().await;
        let file = self.file.clone().ok_or(ReloadError::NoFile)?;
        let app = Arc::clone(app);
        // Reading waits for a disk, and making clients and tables ready takes a worker for some milliseconds.
        tokio::task::spawn_blocking(move || put_in_force(&file, &app)).await.unwrap_or_else(|_| {
            Err(ReloadError::Unusable("The reload failed inside; please report it.".into()))
        })
    }
}

fn put_in_force(file: &std::path::Path, app: &App) -> Result<Reloaded, ReloadError> {
    let loaded = sluice_config::load(Source::File(file), &Options::default())
        .map_err(|report| ReloadError::Invalid(report.render(false)))?;
    let (mut settings, report) = (loaded.settings, loaded.report);
    settings.telemetry.logs.level = logging::level(settings.telemetry.logs.level);
    let old = app.snapshot();
    let fixed = restart_only(&old.settings, &settings);
    if !fixed.is_empty() {
        return Err(ReloadError::RestartOnly(fixed));
    }
    app.apply(settings).map_err(|fault| ReloadError::Unusable(fault.to_string()))?;
    let hash = app.snapshot().hash.clone();
    let notes = if report.diagnostics.is_empty() { String::new() } else { report.render(false) };
    Ok(Reloaded { changed: hash != old.hash, hash, notes })
}

impl Control for Process {
    fn reload<'a>(&'a self, app: &'a Arc<App>, by: &'static str) -> Doing<'a, Result<Reloaded, ReloadError>> {
        Box::pin(async move {
            let before = app.settings().telemetry.logs.level;
            let outcome = self.read_again(app).await;
            match &outcome {
                Ok(Reloaded { hash, changed, notes }) => {
                    let level = app.settings().telemetry.logs.level;
                    if level != before {
                        self.log.set(level);
                    }
                    tracing::info!(who = by, hash, changed, notes, "configuration reloaded");
                }
                Err(why) => {
                    // What `apply` itself refuses it has counted.
                    if !matches!(why, ReloadError::NoFile | ReloadError::Unusable(_)) {
                        app.reload_rejected();
                    }
                    tracing::error!(who = by, %why, "reload rejected; the old configuration stays in force");
                }
            }
            outcome
        })
    }

    fn set_log_level(&self, app: &App, level: LogLevel) -> Option<LogLevel> {
        app.set_log_level(level);
        self.log.set(level)
    }
}
