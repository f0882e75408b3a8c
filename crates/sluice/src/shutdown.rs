//! Signals, and what each one means.
//!
//! SIGTERM: readiness goes false at once and the listener stays open for `shutdown.delay`, since load
//! balancers go on sending until they notice. SIGINT comes from a person at a terminal: no delay. A second
//! signal leaves at once.

use crate::{
    boot::{Running, Stopped},
    notify::Notify,
    terminal,
};
use sluice_admin::Control;
use sluice_core::App;
use std::{io, process::ExitCode, sync::Arc, time::Duration};
use tokio::signal::unix::{self, SignalKind};

/// What a signal wants.
enum Wish {
    End(End),
    Reload,
}

/// A signal that ends the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Interrupt,
    Terminate,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    /// What a shell reports for a process that this signal killed.
    fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        })
    }
}

/// The signals of this process, listened to from the moment this exists.
pub(crate) struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
            hangup: unix::signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.interrupt.recv() => Wish::End(End::Interrupt),
            _ = self.terminate.recv() => Wish::End(End::Terminate),
            _ = self.hangup.recv() => Wish::Reload,
        }
    }

    /// The next signal that ends the process; until then each SIGHUP is a reload.
    async fn end(&mut self, control: &dyn Control, app: &Arc<App>) -> End {
        loop {
            match self.next().await {
                Wish::End(end) => return end,
                // What came of it is in the log. A slow disk must not hold up the end. Another SIGHUP meanwhile
                // may tell of a later file than the one that is being read: it has its turn when this one is over.
                Wish::Reload => tokio::select! {
                    _ = control.reload(app, "SIGHUP") => {}
                    end = self.ending() => return end,
                },
            }
        }
    }

    /// The next signal that ends the process; others stay for later.
    async fn ending(&mut self) -> End {
        tokio::select! {
            _ = self.interrupt.recv() => End::Interrupt,
            _ = self.terminate.recv() => End::Terminate,
        }
    }

    /// The next signal that ends the process, where there is nothing to reload, or no longer.
    pub(crate) async fn ended(&mut self) -> End {
        loop {
            match self.next().await {
                Wish::End(end) => return end,
                Wish::Reload => tracing::warn!("SIGHUP: there is nothing to reload now"),
            }
        }
    }
}

/// Waits for the end of a running gateway and sees it through.
pub(crate) async fn wait(
    mut running: Running,
    mut signals: Signals,
    control: Arc<dyn Control>,
    notify: &Notify,
) -> ExitCode {
    let app = Arc::clone(&running.app);
    let first = tokio::select! {
        end = signals.end(&*control, &app) => end,
        () = running.failed() => {
            tracing::error!("a listener ended by itself");
            return ExitCode::FAILURE;
        }
    };
    let shutdown = app.settings().shutdown;
    let delay = if first == End::Interrupt { Duration::ZERO } else { shutdown.delay };
    tracing::info!(
        signal = first.name(),
        delay_s = delay.as_secs_f64(),
        drain_s = shutdown.drain.as_secs_f64(),
        "draining"
    );
    notify.stopping(shutdown.drain);
    if first == End::Interrupt && terminal::is_watched() {
        terminal::tell("\nstopping when the last answer has ended; once more to stop at once");
    }
    tokio::select! {
        stopped = running.stop(delay, shutdown.drain) => {
            if stopped == Stopped::Cut {
                tracing::warn!("the drain was over before the last request; it was cut");
            }
            ExitCode::SUCCESS
        }
        second = signals.ended() => {
            tracing::warn!(signal = second.name(), "leaving at once");
            second.exit_code()
        }
    }
}
