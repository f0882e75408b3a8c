//! What runs when there is no configuration: the mock upstream on a port of its own, and settings that
//! lead to it through the ordinary provider path.

use sluice_config::{
    Env, Report,
    model::{LogFormat, Settings},
};
use sluice_mock::Mock;
use std::{io, net::Ipv4Addr};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// Overrides the format of the demo's log lines.
const LOG_FORMAT: &str = "SLUICE__TELEMETRY__LOGS__FORMAT";

/// The mock upstream of the demo; it ends when this is dropped.
pub(crate) struct Demo {
    _mock: AbortOnDropHandle<()>,
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// Loopback has no free port.
    #[error("cannot start the demo upstream: {0}")]
    Mock(#[from] io::Error),
    /// A variable in the environment cannot be used.
    #[error("{0}")]
    Settings(#[from] Report),
}

/// Starts the mock upstream and says how to reach it.
pub(crate) fn start() -> Result<(Settings, Demo), DemoError> {
    let mock = Mock::bind((Ipv4Addr::LOCALHOST, 0).into(), sluice_mock::Options::default())?;
    let env = Env::Process;
    let mut settings = Settings::demo(mock.local_addr(), &env)?;
    // The demo is watched by a person, and JSON lines would bury the banner.
    if env.get(LOG_FORMAT).is_none() {
        settings.telemetry.logs.format = LogFormat::Text;
    }
    let serving = TaskTracker::new().spawn(mock.serve());
    Ok((settings, Demo { _mock: AbortOnDropHandle::new(serving) }))
}
