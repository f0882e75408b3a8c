//! Signals, and what each one means.
//!
//! SIGTERM: readiness goes false at once and the listener stays open for `shutdown.delay`, since load
//! balancers go on sending until they notice. SIGINT comes from a person at a terminal: no delay. A second
//! signal leaves at once.

use crate::{
    boot::{Running, Stopped},
    terminal,
};
use sluice_config::model::Shutdown;
use std::{io, process::ExitCode, time::Duration};
use tokio::signal::unix::{self, SignalKind};

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

    /// The next signal that ends the process.
    pub(crate) async fn end(&mut self) -> End {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return End::Interrupt,
                _ = self.terminate.recv() => return End::Terminate,
                // By default it would end the process and cut every stream, just when an operator asks for a reload.
                _ = self.hangup.recv() => tracing::warn!("SIGHUP: reload is not active yet; the configuration stays"),
            }
        }
    }
}

/// Waits for the end of a running gateway and sees it through.
pub(crate) async fn wait(mut running: Running, mut signals: Signals, shutdown: Shutdown) -> ExitCode {
    let first = tokio::select! {
        end = signals.end() => end,
        () = running.failed() => {
            tracing::error!("a listener ended by itself");
            return ExitCode::FAILURE;
        }
    };
    let delay = if first == End::Interrupt { Duration::ZERO } else { shutdown.delay };
    tracing::info!(
        signal = first.name(),
        delay_s = delay.as_secs_f64(),
        drain_s = shutdown.drain.as_secs_f64(),
        "draining"
    );
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
        second = signals.end() => {
            tracing::warn!(signal = second.name(), "leaving at once");
            second.exit_code()
        }
    }
}
