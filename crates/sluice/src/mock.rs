//! `sluice mock`: the deterministic upstream alone, for benchmarks, demos and tests.

use crate::{cli::MockArgs, shutdown::Signals, terminal};
use sluice_mock::Mock;
use std::{io, process::ExitCode};

/// Serves until a signal.
pub(crate) fn run(args: &MockArgs) -> ExitCode {
    match serve(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            terminal::tell(&format!(
                "error: mock upstream on {}: {fault}; choose another with --listen",
                args.listen
            ));
            ExitCode::FAILURE
        }
    }
}

fn serve(args: &MockArgs) -> io::Result<()> {
    let workers = crate::env::workers().map_err(io::Error::other)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let mock = Mock::bind(args.listen, sluice_mock::Options::default())?;
        // Alone on standard output, so that a script with port 0 can read it.
        terminal::print(&format!("http://{}/v1", mock.local_addr()));
        tokio::select! {
            () = mock.serve() => {}
            _ = signals.ended() => {}
        }
        Ok(())
    })
}
