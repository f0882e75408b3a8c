//! `sluice serve`: which configuration, which runtime, then boot, banner and the wait for the end.

use crate::{
    banner::Banner,
    boot::{self, StartOptions},
    cli::ServeArgs,
    demo::{self, DemoError},
    env, logging,
    notify::Notify,
    reload::{self, ConfigFile, Process},
    shutdown::{self, Signals},
    stamps::Stamps,
    terminal, watch,
};
use rustix::process::{Resource, getrlimit, setrlimit};
use sluice_config::{Diagnostic, Level, Options, Report, Settings, Source};
use sluice_core::{App, LedgerPlace, LogSink};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::runtime::Builder;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// What `sluice` in a directory serves without being told.
const DEFAULT_FILE: &str = "sluice.yaml";
/// The exit code of a configuration that is not valid.
pub(crate) const INVALID: u8 = 2;
/// What is left after the drain (a slow DNS look-up on its own thread) may not hold the process longer.
const RUNTIME_LIMIT: Duration = Duration::from_millis(500);
/// What the last log lines get when a second signal wants the process gone, and the last usage records.
const FLUSH_LIMIT: Duration = Duration::from_millis(500);

/// Why serving ends before it began.
enum Refusal {
    /// The configuration is not valid.
    Invalid(Report),
    /// Anything else.
    Failed(String),
}

impl From<Report> for Refusal {
    fn from(report: Report) -> Self {
        Self::Invalid(report)
    }
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

/// Serves until a signal.
pub(crate) fn run(args: &ServeArgs, begun: Instant) -> ExitCode {
    match boot_and_wait(args, begun) {
        Ok(code) => code,
        Err(Refusal::Invalid(report)) => {
            terminal::tell(&report.render(terminal::tell_in_colour()));
            ExitCode::from(INVALID)
        }
        Err(Refusal::Failed(message)) => {
            terminal::tell(&format!("error: {message}"));
            ExitCode::FAILURE
        }
    }
}

/// The file to serve: the one that is named, else `./sluice.yaml` when there is one; none means the demo.
pub(crate) fn configuration(named: Option<&Path>) -> Option<PathBuf> {
    let named = named.filter(|path| !path.as_os_str().is_empty()).map(Path::to_path_buf);
    named.or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()))
}

fn boot_and_wait(args: &ServeArgs, begun: Instant) -> Result<ExitCode, Refusal> {
    let file = configuration(args.config.as_deref());
    let opened = file.as_deref().map(Opened::read).transpose()?;
    let workers = env::workers()?;
    raise_descriptor_limit();
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("sluice")
        .enable_all()
        .build()
        .map_err(|fault| format!("cannot start the runtime: {fault}"))?;
    let logs = LogSink::stdout();
    let served = runtime.block_on(serve(opened, logs.clone(), begun));
    runtime.shutdown_timeout(RUNTIME_LIMIT);
    // Last of all: requests that the end of the runtime cut off leave their lines and records, too.
    let code = served.map(|Served { code, app }| {
        // What is lost is told by the ledger itself; closed already, it has nothing to lose.
        let _ = app.ledger().close(FLUSH_LIMIT);
        code
    });
    logs.flush(FLUSH_LIMIT);
    code
}

/// A gateway that has served.
struct Served {
    code: ExitCode,
    app: Arc<App>,
}

/// A configuration that was read from its file.
struct Opened {
    file: Arc<ConfigFile>,
    settings: Settings,
    report: Report,
}

impl Opened {
    fn read(path: &Path) -> Result<Self, Report> {
        // Before the reading, so that a change from here on is one.
        let before = Stamps::now([path.to_owned()].into());
        let attempt = sluice_config::attempt(Source::File(path), &Options::default());
        let seen = before.of(reload::files(path, &attempt));
        let loaded = attempt.outcome?;
        let file = Arc::new(ConfigFile::new(path, loaded.effective, seen));
        Ok(Self { file, settings: loaded.settings, report: loaded.report })
    }
}

async fn serve(opened: Option<Opened>, logs: LogSink, begun: Instant) -> Result<Served, Refusal> {
    // Before anything else, so that a signal during the start is not lost.
    let signals = Signals::listen().map_err(|fault| format!("cannot listen for signals: {fault}"))?;
    let (file, mut settings, report, demo) = match opened {
        Some(Opened { file, settings, report }) => (Some(file), settings, report, None),
        None => {
            let (settings, demo) = demo::start().map_err(|fault| match fault {
                DemoError::Settings(report) => Refusal::Invalid(report),
                DemoError::Mock(_) => Refusal::Failed(fault.to_string()),
            })?;
            (None, settings, Report::default(), Some(demo))
        }
    };
    settings.telemetry.logs.level = logging::level(settings.telemetry.logs.level);
    let log = logging::install(settings.telemetry.logs, logs.clone())?;
    let listeners = &settings.listeners;
    let notify =
        Notify::from_env(format!("Serving on {}, admin on {}", listeners.api.bind, listeners.admin.bind));
    let process = notify.around(Arc::new(Process::new(file.clone(), log)));

    // The demo leaves nothing behind.
    let ledger = if demo.is_some() { LedgerPlace::Memory } else { LedgerPlace::File };
    let started =
        boot::start(settings, StartOptions::new(logs.clone(), ledger).under(Arc::clone(&process))).await;
    let running = started.map_err(|fault| fault.to_string())?;
    announce(file.as_deref().map(ConfigFile::path), &report, &running, begun.elapsed());
    let app = Arc::clone(&running.app);
    let _watching = file.map(|file| {
        let watch = watch::run(file, Arc::clone(&process), Arc::clone(&app));
        AbortOnDropHandle::new(TaskTracker::new().spawn(watch))
    });
    notify.ready();
    let _living = notify.live();
    Ok(Served { code: shutdown::wait(running, signals, process, &notify).await, app })
}

/// Tells a person, or the log when nobody watches.
fn announce(file: Option<&Path>, report: &Report, running: &boot::Running, ready_after: Duration) {
    let settings = running.app.settings();
    let (api, admin) = (running.api, running.admin);
    if terminal::is_watched() || file.is_none() {
        if !report.diagnostics.is_empty() {
            terminal::tell(&format!("{}\n", report.render(terminal::tell_in_colour())));
        }
        terminal::tell(&Banner { settings: &settings, file, api, admin, ready_after }.render());
    } else {
        log(report);
    }
    if let Some(file) = file {
        let ready_ms = u64::try_from(ready_after.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(config = %file.display(), %api, %admin, version = boot::BUILD.version, ready_ms, "ready");
    }
}

fn log(report: &Report) {
    for Diagnostic { level, code, message, place, .. } in report {
        let place = place.as_ref().map(|place| format!("{}:{}", place.file, place.line));
        let place = place.as_deref();
        if *level == Level::Note {
            tracing::info!(code, place, said = message, "configuration");
        } else {
            tracing::warn!(code, place, said = message, "configuration");
        }
    }
}

/// A gateway holds two descriptors for each stream, and the usual soft limit of 1,024 is far below what
/// the system allows. A failure only means fewer connections.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
