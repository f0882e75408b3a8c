//! A reload: the file is read and checked again, and put in force whole or not at all.
//!
//! SIGHUP, `POST /-/reload` and `watch` come here. One reload at a time, each from the file as it is then. What is
//! read once at the start is refused by name rather than half changed.

use crate::{
    logging::{self, LogControl},
    stamps::Stamps,
};
use sluice_admin::{Control, Doing, ReloadError, Reloaded};
use sluice_config::{Attempt, Effective, Options, Source, model::LogLevel, restart_only};
use sluice_core::{App, LastReload};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
};
use tokio::sync::Mutex;

/// Changes that a log line lists; the rest is counted.
const LISTED: usize = 20;

/// The process: its file and its log.
pub(crate) struct Process {
    file: Option<Arc<ConfigFile>>,
    log: LogControl,
}

/// The file that is served, and what it was.
pub(crate) struct ConfigFile {
    path: PathBuf,
    /// What is in force, for a comparison. Two reloads at once would be put in force in either order.
    in_force: Arc<Mutex<Effective>>,
    /// All files that have a say, as they were when they were last read, whatever came of it.
    seen: std::sync::Mutex<Stamps>,
}

impl ConfigFile {
    /// As it was read at the start; `stamps` are of before.
    pub(crate) fn new(path: &Path, in_force: Effective, seen: Stamps) -> Self {
        Self { path: path.to_owned(), in_force: Arc::new(Mutex::new(in_force)), seen: seen.into() }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The files as they were when they were last read.
    pub(crate) fn seen(&self) -> Stamps {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads it. What was on disk before the reading counts as seen, so that a change meanwhile is noticed.
    fn read(&self) -> Attempt {
        let before = self.seen().again();
        let attempt = sluice_config::attempt(Source::File(&self.path), &Options::default());
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = before.of(files(&self.path, &attempt));
        attempt
    }
}

/// Every file that has a say in what was read.
pub(crate) fn files(path: &Path, attempt: &Attempt) -> BTreeSet<PathBuf> {
    attempt.files.iter().cloned().chain([path.to_owned()]).collect()
}

impl Process {
    /// Serves `file`, or the demo.
    pub(crate) fn new(file: Option<Arc<ConfigFile>>, log: LogControl) -> Self {
        Self { file, log }
    }

    async fn read_again(&self, app: &Arc<App>, by: &'static str) -> Result<Reloaded, ReloadError> {
        let Some(file) = self.file.clone() else {
            tell(app, by, &Err(ReloadError::NoFile));
            return Err(ReloadError::NoFile);
        };
        let mut in_force = Arc::clone(&file.in_force).lock_owned().await;
        let (running, log) = (Arc::clone(app), self.log.clone());
        // Reading waits for a disk, and making clients and tables ready takes a worker for some milliseconds. The
        // thread sees it through, its turn in hand: whoever has asked may leave.
        let reading = tokio::task::spawn_blocking(move || {
            let outcome = put_in_force(&file, &running, &mut in_force, &log);
            tell(&running, by, &outcome);
            outcome
        });
        reading.await.unwrap_or_else(|_| {
            let outcome = Err(ReloadError::Unusable("The reload failed inside; please report it.".into()));
            app.reload_rejected();
            tell(app, by, &outcome);
            outcome
        })
    }
}

/// Reads, compares, and puts in force.
fn put_in_force(
    file: &ConfigFile,
    app: &App,
    in_force: &mut Effective,
    log: &LogControl,
) -> Result<Reloaded, ReloadError> {
    let refuse = |why| {
        app.reload_rejected();
        Err(why)
    };
    let mut loaded = match file.read().outcome {
        Ok(loaded) => loaded,
        Err(report) => return refuse(ReloadError::Invalid(report.render(false))),
    };
    let changes = loaded.since(in_force);
    let fixed = restart_only(&changes);
    if !fixed.is_empty() {
        return refuse(ReloadError::RestartOnly(fixed));
    }
    let level = logging::level(loaded.settings.telemetry.logs.level);
    loaded.settings.telemetry.logs.level = level;
    let level_changed = app.settings().telemetry.logs.level != level;
    // What this refuses it counts itself.
    app.apply(loaded.settings).map_err(|fault| ReloadError::Unusable(fault.to_string()))?;
    *in_force = loaded.effective;
    if level_changed {
        log.set(level);
    }
    let notes =
        if loaded.report.diagnostics.is_empty() { String::new() } else { loaded.report.render(false) };
    let changes = changes.iter().map(ToString::to_string).collect();
    Ok(Reloaded { hash: app.snapshot().hash.clone(), changes, notes })
}

/// Tells the log and `/status` what came of a reload.
fn tell(app: &App, who: &'static str, outcome: &Result<Reloaded, ReloadError>) {
    // First, for whoever reads the line and asks for more.
    app.remember_reload(LastReload::new(who, outcome.as_ref().err().map(ToString::to_string)));
    match outcome {
        Ok(Reloaded { hash, changes, notes }) => {
            let mut diff = changes.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join("; ");
            if changes.len() > LISTED {
                diff.push_str(&format!("; {} more", changes.len() - LISTED));
            }
            tracing::info!(who, hash, changes = changes.len(), diff, notes, "configuration reloaded");
        }
        Err(why) => tracing::error!(who, %why, "reload rejected; the old configuration stays in force"),
    }
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
